/* `tokens` and `token_revoke`: what is given out, and taken back. */
#include "agent/control_token.h"

#include "agent/phantom_desk.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

struct listing {
	struct jsonw *w;
	const struct daemon *daemon;
	const struct why_asker *asker;
};

/* Others see what their own grants would give them, and no more. */
static bool
may_see(const struct listing *list, const struct identity_listing *l)
{
	const struct policy_token_request r = {
		.peer = &list->asker->peer,
		.audience = slice_of(l->audience),
		.identity = l->identity,
	};
	struct policy_token_verdict v;

	if (list->asker->is_operator)
		return true;
	policy_decide_token(list->daemon->snapshot->policy, &r, &v);
	return v.effect == POLICY_ALLOW;
}

static void
put_listing(void *arg, const struct identity_listing *l)
{
	const struct listing *list = arg;
	struct jsonw *w = list->w;

	if (!may_see(list, l))
		return;
	jsonw_object(w, NULL);
	jsonw_str(w, "identity", l->identity);
	jsonw_str(w, "audience", l->audience);
	jsonw_str(w, "token_id", l->token_id);
	jsonw_str(w, "state", l->state);
	jsonw_i64(w, "expires", l->expires_unix_s);
	jsonw_i64(w, "refresh", l->refresh_unix_s);
	jsonw_i64(w, "last_used", l->last_used_unix_s);
	jsonw_str(w, "last_error", l->last_error);
	jsonw_object_end(w);
}

void
control_put_tokens(
    struct jsonw *w, struct daemon *d, const struct why_asker *asker)
{
	struct listing list = { .w = w, .daemon = d, .asker = asker };

	jsonw_array(w, "tokens");
	identity_list(d->identity, put_listing, &list);
	jsonw_array_end(w);
}

struct token_revoke {
	struct userdb_job job; /* first */
	struct phantom_desk *desk;
	void (*done)(void *arg, enum status st, const char *detail);
	void *arg;
	/* the helper's meanwhile */
	enum status st;
	struct status_detail detail;
};

/* On the helper's thread. */
static void
revoke_run(struct userdb_job *job)
{
	struct token_revoke *t = (struct token_revoke *)job;

	t->st = phantom_desk_save(t->desk, &t->detail);
}

static void
revoke_deliver(struct mail *m)
{
	struct token_revoke *t = (struct token_revoke *)m;

	if (t->st != OK)
		log_error("token revoke: %s: it is in force until a restart",
		    t->detail.text);
	if (t->done != NULL)
		t->done(t->arg, t->st, t->detail.text);
	free(t);
}

/* 12 digits name a token, 32 one phantom of it. */
static bool
id_is_good(const char *id)
{
	size_t n = strlen(id);

	if (n != SECRET_ID_BYTES - 1 && n != REVOCATION_ID_BYTES - 1)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((id[i] < '0' || id[i] > '9') &&
		    (id[i] < 'a' || id[i] > 'f'))
			return false;
	return true;
}

struct wish {
	bool everybody;
	uint32_t uid;
	const char *id; /* "": any */
};

static enum status
read_wish(const struct token_revoke_question *q, struct wish *out,
    struct status_detail *detail)
{
	const json_t *user = json_object_get(q->request, "uid");
	const json_t *id = json_object_get(q->request, "id");
	json_int_t uid = json_integer_value(user);

	*out = (struct wish){ .uid = q->asker->peer.uid, .id = "" };
	if (!q->asker->peer.known)
		return status_set(
		    detail, E_DENIED, "the kernel could not say who you are");
	if (user != NULL) {
		if (!json_is_integer(user) || uid < 0 || uid >= UINT32_MAX)
			return status_set(detail, E_INVALID,
			    "\"uid\" is the number of a user");
		out->uid = (uint32_t)uid;
	}
	if (id != NULL) {
		out->id = json_string_value(id);
		if (out->id == NULL || !id_is_good(out->id))
			return status_set(detail, E_INVALID,
			    "an ID is the 12 digits of a token_id or the 32 "
			    "of a jti");
	}
	/* An operator means it of whoever has it. */
	out->everybody = json_is_true(json_object_get(q->request, "all")) ||
	    (id != NULL && user == NULL && q->asker->is_operator);
	if (!q->asker->is_operator &&
	    (out->everybody || out->uid != q->asker->peer.uid))
		return status_set(detail, E_DENIED,
		    "those of others are for root and the group of the "
		    "daemon");
	return OK;
}

enum status
token_revoke_start(struct daemon *d, const struct token_revoke_question *q,
    struct token_revoke **out, struct status_detail *detail)
{
	struct token_revoke *t;
	struct wish wish;
	enum status st = read_wish(q, &wish, detail);

	if (st != OK)
		return st;
	t = calloc(1, sizeof *t);
	if (t == NULL)
		return status_set(detail, E_NOMEM, "out of memory");
	phantom_desk_revoke(
	    d->phantoms, wish.everybody ? NULL : &wish.uid, wish.id);
	log_notice("uid %u revokes phantoms of %s%s%s",
	    (unsigned)q->asker->peer.uid,
	    wish.everybody ? "everybody" : "one user",
	    wish.id[0] != '\0' ? ", id " : "", wish.id);
	t->desk = d->phantoms;
	t->done = q->done;
	t->arg = q->arg;
	t->st = status_set(&t->detail, E_BUSY, "the daemon is stopping");
	t->job.mail.deliver = revoke_deliver;
	t->job.box = d->mailbox;
	t->job.run = revoke_run;
	*out = t;
	userdb_run_job(d->userdb, &t->job);
	return OK;
}

void
token_revoke_cancel(struct token_revoke *t)
{
	t->done = NULL;
}
