/* The broker port: a worker's question to identity travels to the control
 * loop with copies of all it needs, and its answer travels back. */
#include "agent/wiring.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { HEAD_MAX_BYTES = 262144, RESPONSE_MAX_BYTES = 262144 };

/* Owned by the control loop from its mail to its answer. */
struct question {
	struct mail mail; /* first */
	struct broker_desk *desk;
	struct mailbox *asker_box;
	struct proxy_broker_ask *ask; /* the asker's; NULL when cancelled */
	struct peer peer;             /* strings below or of the userdb */
	char *unit, *cgroup, *exe, *listener;
	struct buf head;
	struct buf response;
	struct identity_ask inner;
	enum status st;
	TAILQ_ENTRY(question) link; /* while identity works on it */
};

struct broker_desk {
	struct mailbox *box;
	struct identity *identity;
	TAILQ_HEAD(, question) working;
};

static void
question_free(struct question *q)
{
	free(q->unit);
	free(q->cgroup);
	free(q->exe);
	free(q->listener);
	buf_release(&q->head);
	buf_release(&q->response);
	OPENSSL_cleanse(q, sizeof *q);
	free(q);
}

/* On the asker's loop. */
static void
question_return(struct mail *m)
{
	struct question *q = (struct question *)m;
	struct proxy_broker_ask *ask = q->ask;
	enum status st = q->st;

	if (ask != NULL) {
		struct buf empty = ask->response;

		ask->response = q->response; /* ownership changes hands */
		q->response = empty;
		ask->wait.priv = NULL;
	}
	question_free(q);
	if (ask != NULL)
		ask->wait.done(&ask->wait, st);
}

/* On the control loop. */
static void
question_answered(struct question *q, enum status st)
{
	q->st = st;
	q->mail.deliver = question_return;
	mailbox_answer(q->asker_box, &q->mail);
}

static void
on_identity_done(struct identity_wait *w, enum status st)
{
	struct question *q = (struct question *)(void *)((char *)w -
	    offsetof(struct question, inner) -
	    offsetof(struct identity_ask, wait));

	TAILQ_REMOVE(&q->desk->working, q, link);
	question_answered(q, st);
}

static void
question_arrived(struct mail *m)
{
	struct question *q = (struct question *)m;
	struct broker_desk *desk = q->desk;
	enum status st = E_CLOSED;

	q->inner.wait.done = on_identity_done;
	q->inner.peer = &q->peer;
	q->inner.listener = q->listener;
	q->inner.head = buf_slice(&q->head);
	q->inner.response = &q->response;
	if (desk->identity != NULL) {
		TAILQ_INSERT_TAIL(&desk->working, q, link);
		st = identity_ask(desk->identity, &q->inner);
		if (st == E_PARTIAL) /* done() will come */
			return;
		TAILQ_REMOVE(&desk->working, q, link);
	}
	question_answered(q, st);
}

static bool
question_copy_peer(struct question *q, const struct peer *peer)
{
	q->peer = *peer;
	q->unit = strdup(peer->unit != NULL ? peer->unit : "");
	q->cgroup = strdup(peer->cgroup != NULL ? peer->cgroup : "");
	q->exe = strdup(peer->exe != NULL ? peer->exe : "");
	q->peer.unit = q->unit;
	q->peer.cgroup = q->cgroup;
	q->peer.exe = q->exe;
	return q->unit != NULL && q->cgroup != NULL && q->exe != NULL;
}

enum status
wiring_broker_ask(void *ctx, struct proxy_broker_ask *ask)
{
	struct wiring *w = ctx;
	struct question *q = calloc(1, sizeof *q);
	enum status st;

	if (q == NULL)
		return E_NOMEM;
	q->desk = w->desk;
	q->asker_box = w->mailbox;
	q->ask = ask;
	buf_init_secret(&q->head, HEAD_MAX_BYTES);
	buf_init_secret(&q->response, RESPONSE_MAX_BYTES);
	buf_put_slice(&q->head, ask->head);
	q->mail.deliver = question_arrived;
	q->listener = strdup(ask->listener != NULL ? ask->listener : "proxy");
	st = q->listener != NULL && question_copy_peer(q, ask->peer)
	    ? buf_status(&q->head)
	    : E_NOMEM;
	ask->wait.priv = q;
	if (st == OK)
		st = mailbox_post(w->desk->box, &q->mail);
	if (st != OK) {
		ask->wait.priv = NULL;
		question_free(q);
	}
	return st;
}

void
wiring_broker_cancel(void *ctx, struct proxy_broker_ask *ask)
{
	struct question *q = ask->wait.priv;

	(void)ctx;
	/* The flight goes on for others; its answer is wiped on return. Only
	 * this loop reads q->ask, so no lock is needed. */
	if (q != NULL)
		q->ask = NULL;
	ask->wait.priv = NULL;
}

enum status
broker_desk_create(struct mailbox *box, struct broker_desk **out)
{
	struct broker_desk *desk = calloc(1, sizeof *desk);

	if (desk == NULL)
		return E_NOMEM;
	desk->box = box;
	TAILQ_INIT(&desk->working);
	*out = desk;
	return OK;
}

void
broker_desk_set(struct broker_desk *desk, struct identity *id)
{
	desk->identity = id;
}

void
broker_desk_close(struct broker_desk *desk)
{
	struct question *q;

	if (desk == NULL)
		return;
	while ((q = TAILQ_FIRST(&desk->working)) != NULL) {
		TAILQ_REMOVE(&desk->working, q, link);
		identity_ask_cancel(desk->identity, &q->inner);
		question_answered(q, E_CLOSED);
	}
	desk->identity = NULL;
}

void
broker_desk_destroy(struct broker_desk *desk)
{
	free(desk);
}
