/* The credential port: a loop's own table first; where that has none the
 * question travels to the control loop and its answer travels back. */
#include "agent/credential_table.h"
#include "agent/wiring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* Owned by the control loop from its mail to its answer. */
struct question {
	struct mail mail; /* first */
	struct credential_desk *desk;
	struct mailbox *asker_box;
	struct identity_credential inner;
	struct credential_news news;
	enum status st;
	TAILQ_ENTRY(question) link; /* while identity works on it */
	/* the asker's loop's alone */
	struct credential_home *home;      /* NULL once that has ended */
	struct proxy_credential_ask *ask;  /* NULL: cancelled, or nobody's */
	TAILQ_ENTRY(question) outstanding; /* of its home */
	struct credential_key key;         /* in the text below */
	char text[];
};

TAILQ_HEAD(question_list, question);

struct credential_desk {
	struct mailbox *box;
	const struct clock *clock;
	struct identity *identity;
	struct question_list working;
};

struct credential_home {
	struct credential_table *table;
	struct question_list outstanding;
};

static void
question_free(struct question *q)
{
	secret_unref(q->news.secret);
	free(q);
}

/* Gives @q's token to its asker, with a reference of its own. */
static void
question_give(const struct question *q, struct proxy_credential *got)
{
	got->secret = secret_ref(q->news.secret);
	got->until_ms = q->news.until_ms;
	memcpy(got->token_id, q->news.token_id, sizeof got->token_id);
	/* A configured name fits. */
	(void)snprintf(
	    got->identity, sizeof got->identity, "%s", q->key.identity);
}

/* On the asker's loop. The order of its mails is that of what happened on the
 * control loop: what was given by the identities of before comes before the
 * snapshot that empties the table. */
static void
question_return(struct mail *m)
{
	struct question *q = (struct question *)m;
	struct credential_home *home = q->home;
	struct proxy_credential_ask *ask = q->ask;
	enum status st = q->st;

	if (home != NULL) {
		TAILQ_REMOVE(&home->outstanding, q, outstanding);
		if (st == OK)
			credential_table_put(home->table, &q->key, &q->news);
		else
			credential_table_failed(home->table, &q->key);
	}
	if (ask != NULL) {
		ask->wait.priv = NULL;
		if (st == OK)
			question_give(q, &ask->got);
	}
	question_free(q);
	if (ask != NULL)
		ask->wait.done(&ask->wait, st);
}

/* On the control loop. */
static void
question_answered(struct question *q, enum status st)
{
	const struct clock *clock = q->desk->clock;
	int64_t left_ms = q->inner.left_s * 1000;

	q->st = st;
	if (st == OK) {
		q->news.secret = q->inner.secret;
		q->news.until_ms = clock_boot_ms(clock) + left_ms;
		q->news.until_unix_ms =
		    clock_unix_ns(clock) / 1000000 + left_ms;
		secret_id(q->news.secret, q->news.token_id);
	}
	q->mail.deliver = question_return;
	mailbox_answer(q->asker_box, &q->mail);
}

static void
on_identity_done(struct identity_wait *w, enum status st)
{
	struct question *q = (struct question *)(void *)((char *)w -
	    offsetof(struct question, inner) -
	    offsetof(struct identity_credential, wait));

	TAILQ_REMOVE(&q->desk->working, q, link);
	question_answered(q, st);
}

static void
question_arrived(struct mail *m)
{
	struct question *q = (struct question *)m;
	struct credential_desk *desk = q->desk;
	enum status st = E_CLOSED;

	q->inner.wait.done = on_identity_done;
	if (desk->identity != NULL) {
		TAILQ_INSERT_TAIL(&desk->working, q, link);
		st = identity_credential(desk->identity, &q->inner);
		if (st == E_PARTIAL) /* done() will come */
			return;
		TAILQ_REMOVE(&desk->working, q, link);
	}
	question_answered(q, st);
}

/* Three texts behind one another; @spent_id may be NULL. */
static struct question *
question_new(const struct credential_key *key, const char *spent_id)
{
	size_t identity_n = strlen(key->identity) + 1;
	size_t audience_n = strlen(key->audience) + 1;
	size_t spent_n = spent_id != NULL ? strlen(spent_id) + 1 : 0;
	struct question *q =
	    calloc(1, sizeof *q + identity_n + audience_n + spent_n);
	char *at;

	if (q == NULL)
		return NULL;
	at = q->text;
	memcpy(at, key->identity, identity_n);
	q->key.identity = q->inner.identity = at;
	at += identity_n;
	memcpy(at, key->audience, audience_n);
	q->key.audience = q->inner.audience = at;
	at += audience_n;
	if (spent_id != NULL) {
		memcpy(at, spent_id, spent_n);
		q->inner.spent_id = at;
	}
	return q;
}

/* @ask is who waits; NULL: the table alone is to have it. */
static enum status
post(struct wiring *w, const struct credential_key *key, const char *spent_id,
    struct proxy_credential_ask *ask)
{
	struct question *q = question_new(key, spent_id);
	enum status st;

	if (q == NULL)
		return E_NOMEM;
	q->mail.deliver = question_arrived;
	q->desk = w->credentials;
	q->asker_box = w->mailbox;
	q->home = w->home;
	q->ask = ask;
	TAILQ_INSERT_TAIL(&w->home->outstanding, q, outstanding);
	if (ask != NULL)
		ask->wait.priv = q;
	st = mailbox_post(w->credentials->box, &q->mail);
	if (st == OK)
		return OK;
	TAILQ_REMOVE(&w->home->outstanding, q, outstanding);
	if (ask != NULL)
		ask->wait.priv = NULL;
	question_free(q);
	return st;
}

enum status
wiring_credential_ask(void *ctx, struct proxy_credential_ask *ask)
{
	struct wiring *w = ctx;
	const struct credential_key key = { ask->identity, ask->audience };
	bool ageing;
	enum status st;

	ask->wait.priv = NULL;
	if (w->home == NULL)
		return E_CLOSED;
	if (credential_table_get(
	        w->home->table, &key, ask->spent_id, &ask->got, &ageing)) {
		/* Nobody waits for it: later will do. */
		if (ageing && post(w, &key, NULL, NULL) != OK)
			credential_table_failed(w->home->table, &key);
		return OK;
	}
	st = post(w, &key, ask->spent_id, ask);
	return st == OK ? E_PARTIAL : st;
}

void
wiring_credential_cancel(void *ctx, struct proxy_credential_ask *ask)
{
	struct question *q = ask->wait.priv;

	(void)ctx;
	/* What comes is for the table then. Only this loop reads q->ask. */
	if (q != NULL)
		q->ask = NULL;
	ask->wait.priv = NULL;
}

enum status
wiring_credentials_open(struct wiring *w)
{
	struct credential_home *home = calloc(1, sizeof *home);
	enum status st;

	if (home == NULL)
		return E_NOMEM;
	TAILQ_INIT(&home->outstanding);
	st = credential_table_create(w->credentials->clock, &home->table);
	if (st != OK) {
		free(home);
		return st;
	}
	w->home = home;
	return OK;
}

void
wiring_credentials_close(struct wiring *w)
{
	struct question *q;

	if (w->home == NULL)
		return;
	TAILQ_FOREACH(q, &w->home->outstanding, outstanding)
		q->home = NULL;
	credential_table_destroy(w->home->table);
	free(w->home);
	w->home = NULL;
}

void
wiring_credentials_forget(struct wiring *w)
{
	if (w->home != NULL)
		credential_table_drop(w->home->table);
}

void
wiring_credentials_sweep(struct wiring *w)
{
	if (w->home != NULL)
		credential_table_sweep(w->home->table);
}

enum status
credential_desk_create(struct mailbox *box, const struct clock *clock,
    struct credential_desk **out)
{
	struct credential_desk *desk = calloc(1, sizeof *desk);

	if (desk == NULL)
		return E_NOMEM;
	desk->box = box;
	desk->clock = clock;
	TAILQ_INIT(&desk->working);
	*out = desk;
	return OK;
}

void
credential_desk_set(struct credential_desk *desk, struct identity *id)
{
	desk->identity = id;
}

void
credential_desk_close(struct credential_desk *desk)
{
	struct question *q;

	if (desk == NULL)
		return;
	while ((q = TAILQ_FIRST(&desk->working)) != NULL) {
		TAILQ_REMOVE(&desk->working, q, link);
		identity_credential_cancel(desk->identity, &q->inner);
		question_answered(q, E_CLOSED);
	}
	desk->identity = NULL;
}

void
credential_desk_destroy(struct credential_desk *desk)
{
	free(desk);
}
