/* The phantom that is given in the place of a token. */
#include "identity/answer_inside.h"

#include "identity/room.h"

#include <openssl/rand.h>
#include <string.h>

/* Its first digits name the real one: who knows the one from the audit finds
 * the other, and may revoke either. */
static bool
put_id(const char *token_id, char out[PHANTOM_ID_BYTES])
{
	uint8_t more[(PHANTOM_ID_BYTES - SECRET_ID_BYTES) / 2];
	struct buf text;
	bool good;

	buf_init(&text, PHANTOM_ID_BYTES);
	buf_puts(&text, token_id);
	good = RAND_bytes(more, (int)sizeof more) == 1;
	buf_put_hex(&text, more, sizeof more);
	good = good && slice_copy(buf_slice(&text), out, PHANTOM_ID_BYTES);
	buf_release(&text);
	return good;
}

static enum status
phantom_bind(const struct answer *a, const char *token_id, struct phantom *p)
{
	const char *unit = a->peer->unit != NULL ? a->peer->unit : "";

	*p = (struct phantom){ .uid = a->peer->uid,
		.expires_unix_s = a->token.expires_unix_s,
		.issued_unix_s = clock_unix_s(a->id->clock),
		.epoch = a->id->ports.phantom_epoch == NULL
		    ? 0
		    : a->id->ports.phantom_epoch(a->id->ports.ctx) };
	if (a->peer->cgroup_unknown ||
	    !slice_copy(slice_of(unit), p->unit, sizeof p->unit))
		return E_DENIED;
	if (!slice_copy(slice_of(a->request.resource), p->audience,
	        sizeof p->audience) ||
	    !slice_copy(
	        slice_of(a->grant.identity), p->identity, sizeof p->identity) ||
	    !slice_copy(slice_of(a->grant.grant), p->grant, sizeof p->grant))
		return E_LIMIT;
	return put_id(token_id, p->id) ? OK : E_NOMEM;
}

enum status
answer_make_phantom(struct answer *a, const char *token_id)
{
	struct secret *made;
	struct phantom p;
	struct buf text;
	enum status st = phantom_bind(a, token_id, &p);

	if (st != OK)
		return st;
	buf_init_secret(&text, PHANTOM_TEXT_MAX);
	st = phantom_make(a->id->phantom_key, &p, a->id->name,
	    secret_bytes(a->token.secret), &text);
	if (st == OK)
		st = secret_create(buf_slice(&text), &made);
	buf_release(&text);
	if (st != OK)
		return st;
	secret_unref(a->token.secret);
	a->token.secret = made;
	return OK;
}
