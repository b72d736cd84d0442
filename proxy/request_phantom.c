/* One of the agent's own tokens, where a client brings it as its credential. */
#include "proxy/request_inside.h"

#include <stdlib.h>
#include <string.h>

struct request_phantom {
	struct proxy_phantom read;
	struct policy_bearer bearer; /* borrows from it */
	char token_id[SECRET_ID_BYTES];
};

static void
describe(struct request_phantom *m)
{
	m->bearer = (struct policy_bearer){ .sound = true,
		.uid = m->read.uid,
		.unit = m->read.unit,
		.audience = m->read.audience,
		.identity = m->read.identity,
		.grant = m->read.grant,
		.expires_unix_s = m->read.expires_unix_s };
}

enum status
request_phantom_init(struct request *r, const struct request_params *params)
{
	const struct proxy_phantom_port *port =
	    &worker_ports(r->worker)->phantoms;
	struct proxy_phantom got = { .uid = 0 };
	struct slice text;
	enum status st;

	if (port->read == NULL || params->bearer == NULL ||
	    !forward_bearer_token(params->bearer, &text))
		return OK;
	st = port->read(port->ctx, text, &got);
	if (st == E_NOTFOUND)
		return OK;
	if (st == E_NOMEM)
		return st;
	r->phantom = calloc(1, sizeof *r->phantom);
	if (r->phantom == NULL)
		return E_NOMEM;
	r->phantom->read = got;
	memcpy(r->phantom->token_id, got.id, sizeof r->phantom->token_id - 1);
	if (st == OK)
		describe(r->phantom);
	return OK;
}

void
request_phantom_free(struct request *r)
{
	free(r->phantom);
	r->phantom = NULL;
}

const struct policy_bearer *
request_phantom_bearer(const struct request *r)
{
	return r->phantom == NULL ? NULL : &r->phantom->bearer;
}

void
request_phantom_record(struct record *rec, const struct request *r)
{
	const struct request_phantom *m = r->phantom;

	/* Of one that went through the real token is named. */
	if (m == NULL || m->read.id[0] == '\0' || rec->audience != NULL ||
	    (r->code != REASON_TOKEN_INVALID &&
	        r->code != REASON_TOKEN_AUDIENCE &&
	        r->code != REASON_TOKEN_NOT_ALLOWED))
		return;
	rec->identity = m->read.identity;
	rec->audience = m->read.audience;
	rec->token_id = m->token_id;
}
