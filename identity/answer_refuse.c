/* How a token request is refused: said, recorded, told, and counted. */
#include "identity/answer_inside.h"

#include "base/metrics.h"
#include "identity/refusals.h"
#include "identity/room.h"
#include "identity/shapes.h"

#include <string.h>

enum { SECRET_RUN = 32 }; /**< digits that may be a secret: not recorded */

/* Never the path as sent: it may hold a capability. */
static struct slice
record_path(const struct answer *a)
{
	if (a->shown_path[0] != '\0')
		return slice_of(a->shown_path);
	if (a->request.proof == ENDPOINT_PROOF_CAPABILITY)
		return SLICE("/w/*/metadata/identity/oauth2/token");
	switch (a->request.shape) {
	case ENDPOINT_APP_SERVICE:
		return SLICE("/msi/token");
	case ENDPOINT_DATABRICKS:
		return SLICE("/databricks/token");
	case ENDPOINT_IMDS:
	default:
		return SLICE("/metadata/identity/oauth2/token");
	}
}

void
answer_fill_record(const struct answer *a, struct record *r)
{
	record_init(r, RECORD_TOKEN);
	r->id = a->record_id;
	r->peer = a->peer;
	r->listener = a->listener;
	r->protocol = "broker";
	r->ms.total = clock_boot_ms(a->id->clock) - a->started_ms;
	r->mode = a->grant.mode;
	r->policy_generation = a->grant.policy_generation;
	r->policy_sha256 = a->grant.policy_sha256;
	if (!a->classified)
		return;
	r->method = a->shown_method[0] != '\0' ? slice_of(a->shown_method)
	                                       : SLICE("GET");
	r->path = record_path(a);
	r->rule = a->grant.grant;
	r->audience = a->request.resource;
	r->identity = a->grant.identity;
	if (a->request.shape == ENDPOINT_DATABRICKS)
		r->host = a->request.databricks.name;
}

/* How many bytes of @s could be part of a key in hex, also percent-encoded. */
static size_t
hex_run(struct slice s)
{
	size_t n = 0;

	while (n < s.n && (ascii_is_hex(s.p[n]) || s.p[n] == '%'))
		n++;
	return n;
}

/* A capability in a path that is wrong elsewhere is still a secret. */
static void
show_path(struct slice path, char *out, size_t out_bytes)
{
	size_t n = 0;

	while (path.n > 0 && n + 1 < out_bytes) {
		size_t run = hex_run(path);
		if (run >= SECRET_RUN) {
			out[n++] = '*';
			path = slice_from(path, run);
			continue;
		}
		do {
			out[n++] = path.p[0];
			path = slice_from(path, 1);
		} while (run-- > 1 && n + 1 < out_bytes);
	}
	out[n] = '\0';
}

void
answer_note_head(struct answer *a, const struct http1_request *r)
{
	show_path(
	    endpoint_path(r->target), a->shown_path, sizeof a->shown_path);
	if (!slice_copy(r->method, a->shown_method, sizeof a->shown_method))
		memcpy(a->shown_method, "?", 2);
}

static void
put_error(struct answer *a, struct shape_error *e)
{
	e->app_service = a->classified && !a->unknown_path &&
	    a->request.shape == ENDPOINT_APP_SERVICE;
	shape_put_error(a->response, e, a->keep_alive);
}

static void
refusal_record(struct answer *a, const struct shape_error *e, enum reason code,
    struct record *r)
{
	answer_fill_record(a, r);
	/* What is no request for a token has a record of the other kind. */
	if (!a->classified || a->unknown_path) {
		r->event = RECORD_REQUEST;
		r->close = "denied";
		r->audience = NULL;
		r->identity = NULL;
	}
	r->verdict = RECORD_DENY;
	r->code = code;
	r->status = e->status;
	refusals_id(
	    &a->id->refusals, r, clock_boot_ms(a->id->clock), a->record_id);
}

static enum status
refuse_as(struct answer *a, struct shape_error *e, enum reason code,
    struct identity_wait *wait)
{
	const struct identity_ports *ports = &a->id->ports;
	struct record r;

	refusal_record(a, e, code, &r);
	metric_add(METRIC_TOKENS_REFUSED_TOTAL, 1);
	metric_deny(code);
	e->code = reason_code(code);
	e->id = a->record_id;
	put_error(a, e);
	if (ports->note_refusal != NULL)
		ports->note_refusal(ports->ctx, &r);
	a->refused = true;
	if (ports->audit_submit(ports->ctx, &r, wait) != OK) {
		metric_add(METRIC_AUDIT_LOST_ENDS_TOTAL, 1);
		return OK;
	}
	a->auditing = wait != NULL;
	return wait != NULL ? E_PARTIAL : OK;
}

static struct shape_error
error_of(int status, const char *text)
{
	return (struct shape_error){
		.status = status,
		.error = status == 400 ? "invalid_request"
		                       : "temporarily_unavailable",
		.description = text,
	};
}

enum status
answer_refuse(struct answer *a, int status, enum reason code, const char *text)
{
	struct shape_error e = error_of(status, text);

	return refuse_as(a, &e, code, &a->audit_wait);
}

void
answer_refuse_now(
    struct answer *a, int status, enum reason code, const char *text)
{
	struct shape_error e = error_of(status, text);

	(void)refuse_as(a, &e, code, NULL);
}

enum status
answer_refuse_malformed(struct answer *a, const struct endpoint_error *error)
{
	struct shape_error e = {
		.status = error->status,
		.error = error->error,
		.description = error->description,
	};

	return refuse_as(a, &e, error->code, &a->audit_wait);
}
