/* TLS, tokens and requests as they are told. */
#include "tests/unit/proxy/secure_steps.h"

#include "tests/unit/proxy/fakes_inside.h"

#include <stdlib.h>

/* A stand-in for tls_client.c and tls_trust.c. */

struct tls_client_ctx {
	struct tls_trust *trust;
};

struct tls_client {
	int fd;
};

struct tls tls;

struct tls_trust *
tls_trust_ref(struct tls_trust *t)
{
	t->refs++;
	return t;
}

void
tls_trust_unref(struct tls_trust *t)
{
	if (t != NULL)
		t->refs--;
}

bool
tls_trust_is_same(const struct tls_trust *a, const struct tls_trust *b)
{
	return a == b;
}

struct tls_client_ctx *
tls_client_ctx_new(struct tls_trust *trust)
{
	struct tls_client_ctx *ctx = fake_alloc(sizeof *ctx);

	ctx->trust = tls_trust_ref(trust);
	return ctx;
}

void
tls_client_ctx_destroy(struct tls_client_ctx *ctx)
{
	if (ctx == NULL)
		return;
	tls_trust_unref(ctx->trust);
	free(ctx);
}

bool
tls_client_ctx_is_of(
    const struct tls_client_ctx *ctx, const struct tls_trust *trust)
{
	return ctx->trust == trust;
}

bool
tls_client_ctx_is_full(const struct tls_client_ctx *ctx)
{
	(void)ctx;
	return tls.full;
}

enum status
tls_client_start(struct tls_client_ctx *ctx, int fd, const char *host,
    struct tls_client **out)
{
	assert_non_null(ctx);
	assert_string_equal(host, "a.test");
	tls.started++;
	*out = fake_alloc(sizeof **out);
	(*out)->fd = fd;
	return OK;
}

enum status
tls_client_step(struct tls_client *h, short *events, enum reason *why)
{
	(void)h;
	*events = EV_READ;
	*why = tls.why;
	return tls.step;
}

void
tls_client_resume(struct tls_client *h, const char *host, uint16_t at)
{
	(void)h;
	assert_string_equal(host, "a.test");
	assert_int_equal(at, 443);
	tls.resumes++;
}

void
tls_client_offer_h2(struct tls_client *h)
{
	(void)h;
	tls.offers_h2++;
}

bool
tls_client_is_h2(const struct tls_client *h)
{
	(void)h;
	return false;
}

void
tls_client_ctx_forget(struct tls_client_ctx *ctx)
{
	tls.forgets += ctx != NULL;
}

const char *
tls_client_problem(const struct tls_client *h)
{
	(void)h;
	return "told so";
}

const char *
tls_client_word(const struct tls_client *h)
{
	(void)h;
	return "TLSv1.3";
}

struct stream
tls_client_take(struct tls_client *h)
{
	struct stream s = stream_plain(h->fd);

	free(h);
	return s;
}

void
tls_client_cancel(struct tls_client *h)
{
	if (h == NULL)
		return;
	tls.cancelled++;
	(void)close(h->fd);
	free(h);
}

/* A stand-in for the credential port. */

struct port port;

enum status
port_fill(struct proxy_credential_ask *ask)
{
	enum status st = secret_create(port.token, &ask->got.secret);

	if (st != OK)
		return st;
	assert_true(slice_copy(
	    SLICE("host"), ask->got.identity, sizeof ask->got.identity));
	secret_id(ask->got.secret, ask->got.token_id);
	ask->got.until_ms = port.until_ms;
	return OK;
}

static enum status
port_ask(void *ctx, struct proxy_credential_ask *ask)
{
	(void)ctx;
	port.asked++;
	port.ask = ask;
	assert_true(slice_copy(
	    slice_of(ask->identity), port.identity, sizeof port.identity));
	assert_true(slice_copy(
	    slice_of(ask->audience), port.audience, sizeof port.audience));
	assert_string_equal(ask->rule, "r1");
	if (ask->spent_id != NULL)
		assert_true(slice_copy(slice_of(ask->spent_id), port.spent_id,
		    sizeof port.spent_id));
	return port.answer == OK ? port_fill(ask) : port.answer;
}

static void
port_cancel(void *ctx, struct proxy_credential_ask *ask)
{
	(void)ctx;
	assert_ptr_equal(ask, port.ask);
	port.cancelled++;
}

/* One request. */

static const struct peer someone = { .known = true, .uid = 1000, .user = "" };
static const char *const spared[] = { "placeholder", "x" };
const struct policy_inject inject = { "host", "https://aud/", spared,
	ARRAY_LEN(spared) };
enum request_outcome outcome;
unsigned told;
struct request *the_request;
struct forward_bearer bearer;

static void
on_told(void *arg, enum request_outcome o)
{
	(void)arg;
	outcome = o;
	told++;
}

struct request_params
params_of(enum request_protocol protocol)
{
	struct request_params params = { .worker = fake.worker,
		.protocol = protocol,
		.peer = &someone,
		.listener = "test",
		.port = 443,
		.tls = protocol == REQUEST_GATEWAY,
		.plaintext = protocol == REQUEST_FORWARD,
		.bearer = &bearer,
		.method = SLICE("GET"),
		.path = SLICE("/") };

	assert_int_equal(host_parse(SLICE("a.test"), &params.host), OK);
	return params;
}

void
start(const struct request_params *params)
{
	the_request = request_start(params, on_told, NULL);
	assert_non_null(the_request);
	assert_int_equal(told, 0);
	fake_run();
}

void
ask(void)
{
	const struct request_params params = params_of(REQUEST_GATEWAY);

	told = 0;
	fake.n_records = 0;
	start(&params);
}

void
finish(void)
{
	const struct request_end end = { .status = 200, .close = "done" };

	request_finish(the_request, &end);
	the_request = NULL;
}

void
refused(enum reason code)
{
	assert_int_equal(told, 1);
	assert_int_equal(outcome, REQUEST_DENIED);
	assert_int_equal(request_code(the_request), code);
	assert_int_equal(fake.n_records, 1);
	assert_int_equal(last_record()->event, RECORD_REQUEST);
	assert_int_equal(last_record()->code, code);
}

void
ready(void)
{
	struct stream s;

	assert_int_equal(told, 1);
	assert_int_equal(outcome, REQUEST_READY);
	s = request_take_stream(the_request);
	assert_true(stream_is_open(&s));
	stream_close(&s);
}

void
tick(int64_t ms)
{
	fake.now_ms += ms;
	request_tick(the_request, fake.now_ms);
	fake_run();
}

int
secure_setup(void **state)
{
	(void)setup(state);
	memset(&tls, 0, sizeof tls);
	memset(&port, 0, sizeof port);
	tls.why = REASON_TLS_FAILED;
	port.token = SLICE("t0ken");
	port.until_ms = fake.now_ms + 60000;
	fake.ports.credentials =
	    (struct proxy_credential_port){ port_ask, port_cancel, NULL };
	fake.inject = &inject;
	proxy_shared_set_trust(fake.shared, &tls.trust);
	bearer = (struct forward_bearer){ .kind = FORWARD_BEARER_NONE };
	told = 0;
	the_request = NULL;
	return 0;
}

int
secure_teardown(void **state)
{
	if (the_request != NULL)
		finish();
	(void)teardown(state);
	assert_int_equal(tls.trust.refs, 0);
	return 0;
}

int
secure_group_setup(void **state)
{
	bool locked;

	(void)state;
	return secret_arena_init(65536, false, &locked) == OK ? 0 : -1;
}
