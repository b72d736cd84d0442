/* nghttp2 behind an interface of our own. */
#include "proxy/h2_session_inside.h"

#include <stdlib.h>

enum {
	SETTINGS_MAX = 32, /* in one frame */
	ACKS_MAX = 64,     /* of ours that nobody fetches */
	SEND_HEAD_BYTES = 131072,
	FIELDS_MAX = 128,
};

static enum status
status_of(int error)
{
	if (error == 0)
		return OK;
	return error == NGHTTP2_ERR_NOMEM ? E_NOMEM : E_INVALID;
}

static void
set_options(nghttp2_option *o)
{
	nghttp2_option_set_no_auto_window_update(o, 1);
	nghttp2_option_set_max_settings(o, SETTINGS_MAX);
	nghttp2_option_set_max_outbound_ack(o, ACKS_MAX);
	nghttp2_option_set_max_send_header_block_length(o, SEND_HEAD_BYTES);
	nghttp2_option_set_max_reserved_remote_streams(o, 0);
}

static enum status
create_ng(struct h2_session *s, bool asks)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	int error = nghttp2_session_callbacks_new(&callbacks);

	if (error == 0)
		error = nghttp2_option_new(&option);
	if (error == 0) {
		h2_session_set_callbacks(callbacks);
		set_options(option);
		error = (asks ? nghttp2_session_client_new3
		              : nghttp2_session_server_new3)(
		    &s->ng, callbacks, s, option, &h2_session_mem);
	}
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return status_of(error);
}

static enum status
say_settings(struct h2_session *s, unsigned streams, bool asks)
{
	/* RFC 9113 6.5.2: a client's peers open no streams at all. */
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
		    (uint32_t)s->head_bytes_max },
		{ asks ? NGHTTP2_SETTINGS_ENABLE_PUSH
		       : NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
		    asks ? 0 : streams },
	};
	int error = nghttp2_submit_settings(
	    s->ng, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));

	if (error == 0)
		error = nghttp2_session_set_local_window_size(
		    s->ng, NGHTTP2_FLAG_NONE, 0, H2_CONNECTION_WINDOW_BYTES);
	return status_of(error);
}

static enum status
session_create(
    const struct h2_session_params *params, bool asks, struct h2_session **out)
{
	struct h2_session *s = calloc(1, sizeof *s);
	enum status st;

	if (s == NULL)
		return E_NOMEM;
	s->events = params->events;
	s->arg = params->arg;
	s->head_bytes_max = params->head_bytes_max;
	s->now_ms = params->now_ms;
	s->resets = budget_of(100, 33, s->now_ms);
	s->chatter = budget_of(500, 50, s->now_ms);
	s->windows = budget_of(2000, 500, s->now_ms);
	st = create_ng(s, asks);
	if (st == OK)
		st = say_settings(s, params->streams, asks);
	if (st != OK) {
		h2_session_destroy(s);
		return E_NOMEM;
	}
	*out = s;
	return OK;
}

enum status
h2_session_accept(
    const struct h2_session_params *params, struct h2_session **out)
{
	return session_create(params, false, out);
}

enum status
h2_session_connect(
    const struct h2_session_params *params, struct h2_session **out)
{
	return session_create(params, true, out);
}

void
h2_session_destroy(struct h2_session *s)
{
	if (s == NULL)
		return;
	nghttp2_session_del(s->ng);
	free(s);
}

enum status
h2_session_feed(struct h2_session *s, struct slice in, int64_t now_ms)
{
	const void *at = in.p;
	ssize_t n;

	s->now_ms = now_ms;
	if (s->deaf || in.n == 0)
		return OK;
	n = nghttp2_session_mem_recv(s->ng, at, in.n);
	if (n >= 0)
		return OK;
	if (n == NGHTTP2_ERR_NOMEM)
		return E_NOMEM;
	h2_session_terminate(s,
	    s->deaf && !s->faulty ? H2_ENHANCE_YOUR_CALM : H2_PROTOCOL_ERROR);
	return E_SYNTAX;
}

enum status
h2_session_pull(struct h2_session *s, struct buf *out, size_t enough)
{
	while (out->n < enough) {
		const uint8_t *p = NULL;
		ssize_t n = nghttp2_session_mem_send(s->ng, &p);

		if (n < 0)
			return E_NOMEM;
		if (n == 0)
			return OK;
		buf_put(out, p, (size_t)n);
		if (buf_status(out) != OK)
			return buf_status(out);
	}
	return OK;
}

bool
h2_session_is_over(const struct h2_session *s)
{
	return (s->deaf || nghttp2_session_want_read(s->ng) == 0) &&
	    nghttp2_session_want_write(s->ng) == 0;
}

bool
h2_session_awaits(const struct h2_session *s)
{
	return s->head_open;
}

static enum status
fields_of(const struct h2_field *fields, size_t n, nghttp2_nv *nv)
{
	if (n > FIELDS_MAX)
		return E_INVALID;
	for (size_t i = 0; i < n; i++) {
		const struct h2_field *f = &fields[i];

		/* It copies them; that it takes no const is its own affair. */
		const union {
			const char *text;
			uint8_t *bytes;
		} name = { f->name.p }, value = { f->value.p };

		nv[i] = (nghttp2_nv){ .name = name.bytes,
			.value = value.bytes,
			.namelen = f->name.n,
			.valuelen = f->value.n,
			.flags = f->secret ? NGHTTP2_NV_FLAG_NO_INDEX
			                   : NGHTTP2_NV_FLAG_NONE };
	}
	return OK;
}

enum status
h2_session_request(struct h2_session *s, const struct h2_field *fields,
    size_t n, enum h2_more more, void *stream, int32_t *id)
{
	const nghttp2_data_provider body = { .read_callback =
		                                 h2_session_on_pull };
	nghttp2_nv nv[FIELDS_MAX];
	int32_t made;

	if (fields_of(fields, n, nv) != OK)
		return E_INVALID;
	made = nghttp2_submit_request(
	    s->ng, NULL, nv, n, more == H2_MORE_NOTHING ? NULL : &body, stream);
	if (made < 0)
		return status_of(made);
	*id = made;
	return OK;
}

enum status
h2_session_answer(struct h2_session *s, int32_t id,
    const struct h2_field *fields, size_t n, enum h2_more more)
{
	const nghttp2_data_provider body = { .read_callback =
		                                 h2_session_on_pull };
	nghttp2_nv nv[FIELDS_MAX];

	if (fields_of(fields, n, nv) != OK)
		return E_INVALID;
	return status_of(nghttp2_submit_response(
	    s->ng, id, nv, n, more == H2_MORE_NOTHING ? NULL : &body));
}

enum status
h2_session_inform(
    struct h2_session *s, int32_t id, const struct h2_field *fields, size_t n)
{
	nghttp2_nv nv[FIELDS_MAX];

	if (fields_of(fields, n, nv) != OK)
		return E_INVALID;
	return status_of(nghttp2_submit_headers(
	    s->ng, NGHTTP2_FLAG_NONE, id, NULL, nv, n, NULL));
}

enum status
h2_session_trailers(
    struct h2_session *s, int32_t id, const struct h2_field *fields, size_t n)
{
	nghttp2_nv nv[FIELDS_MAX];

	if (fields_of(fields, n, nv) != OK)
		return E_INVALID;
	return status_of(nghttp2_submit_trailer(s->ng, id, nv, n));
}

/* What fails for want of memory below fails again, and is seen, in pull. */

void
h2_session_resume(struct h2_session *s, int32_t id)
{
	(void)nghttp2_session_resume_data(s->ng, id);
}

void
h2_session_consume(struct h2_session *s, int32_t id, size_t n)
{
	(void)nghttp2_session_consume(s->ng, id, n);
}

void
h2_session_reset(struct h2_session *s, int32_t id, enum h2_error why)
{
	(void)nghttp2_submit_rst_stream(
	    s->ng, NGHTTP2_FLAG_NONE, id, (uint32_t)why);
}

void
h2_session_forget(struct h2_session *s, int32_t id)
{
	(void)nghttp2_session_set_stream_user_data(s->ng, id, NULL);
}

void
h2_session_go_away(struct h2_session *s)
{
	(void)nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE,
	    nghttp2_session_get_last_proc_stream_id(s->ng), NGHTTP2_NO_ERROR,
	    NULL, 0);
}

void
h2_session_terminate(struct h2_session *s, enum h2_error why)
{
	s->deaf = true;
	(void)nghttp2_session_terminate_session(s->ng, (uint32_t)why);
}
