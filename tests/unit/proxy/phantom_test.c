/* A request that brings one of the agent's own tokens: whose token goes in its
 * place, and what of it is judged and recorded. */
#include "tests/unit/proxy/secure_steps.h"

#include "policy/target.h"

#define ID "0123456789abcdef0123456789abcdef"

static const struct policy_target seen = { .method = SLICE_INIT("GET") };
static enum status answer;
static unsigned reads;
static bool is_known; /* though it is denied */

static enum status
read_phantom(void *ctx, struct slice text, struct proxy_phantom *out)
{
	(void)ctx;
	reads++;
	if (!slice_is(text, "phantom"))
		return E_NOTFOUND;
	if (answer == OK || is_known)
		*out = (struct proxy_phantom){ .uid = 1000,
			.unit = "job-1.service",
			.audience = "https://aud",
			.identity = "alice",
			.grant = "g1",
			.id = ID,
			.expires_unix_s = 1234 };
	return answer;
}

static void
bring(const char *value)
{
	struct request_params params = params_of(REQUEST_GATEWAY);

	bearer = (struct forward_bearer){ .kind = FORWARD_BEARER_ONE,
		.value = slice_of(value) };
	params.target = &seen;
	if (the_request != NULL)
		finish();
	told = 0;
	fake.n_records = 0;
	start(&params);
}

static int
phantom_setup(void **state)
{
	answer = OK;
	reads = 0;
	is_known = false;
	(void)secure_setup(state);
	fake.ports.phantoms.read = read_phantom;
	return 0;
}

static void
the_token_of_its_own_identity_goes_in_its_place(void **state)
{
	(void)state;
	bring("Bearer phantom");
	ready();
	assert_string_equal(port.identity, "alice");
	assert_string_equal(port.audience, "https://aud/");
	assert_true(
	    slice_is(secret_bytes(request_credential(the_request)), "t0ken"));
	/* What is recorded is the real one. */
	assert_string_equal(last_record()->audience, "https://aud/");
	assert_string_not_equal(last_record()->token_id, "0123456789ab");
}

static void
the_policy_judges_what_it_says(void **state)
{
	(void)state;
	bring("bearer  phantom");
	assert_true(fake.bearer_seen);
	assert_true(fake.bearer.sound);
	assert_int_equal(fake.bearer.uid, 1000);
	assert_string_equal(fake.bearer.unit, "job-1.service");
	assert_string_equal(fake.bearer.audience, "https://aud");
	assert_string_equal(fake.bearer.identity, "alice");
	assert_string_equal(fake.bearer.grant, "g1");
	assert_int_equal(fake.bearer.expires_unix_s, 1234);
	ready();
	bring("Bearer placeholder");
	assert_false(fake.bearer_seen);
	ready();
}

static void
one_that_is_refused_is_named_in_the_record(void **state)
{
	static const enum reason codes[] = { REASON_TOKEN_INVALID,
		REASON_TOKEN_AUDIENCE, REASON_TOKEN_NOT_ALLOWED };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		fake.request_code = codes[i];
		bring("Bearer phantom");
		refused(codes[i]);
		assert_string_equal(last_record()->identity, "alice");
		assert_string_equal(last_record()->audience, "https://aud");
		assert_string_equal(last_record()->token_id, "0123456789ab");
	}
	/* What else is wrong with a request has nothing to do with it. */
	fake.request_code = REASON_SAS_REFUSED;
	bring("Bearer phantom");
	refused(REASON_SAS_REFUSED);
	assert_string_equal(last_record()->audience, "");
	assert_int_equal(port.asked, 0);
}

static void
one_that_is_good_no_more_is_named_but_not_believed(void **state)
{
	(void)state;
	answer = E_DENIED;
	is_known = true;
	fake.request_code = REASON_TOKEN_INVALID;
	bring("Bearer phantom");
	assert_true(fake.bearer_seen);
	assert_false(fake.bearer.sound);
	refused(REASON_TOKEN_INVALID);
	assert_string_equal(last_record()->identity, "alice");
	assert_string_equal(last_record()->audience, "https://aud");
	assert_string_equal(last_record()->token_id, "0123456789ab");
}

static void
of_one_that_was_made_up_nothing_is_believed(void **state)
{
	(void)state;
	answer = E_DENIED;
	fake.request_code = REASON_TOKEN_INVALID;
	bring("Bearer phantom");
	assert_true(fake.bearer_seen);
	assert_false(fake.bearer.sound);
	assert_null(fake.bearer.identity);
	refused(REASON_TOKEN_INVALID);
	assert_string_equal(last_record()->identity, "");
	assert_string_equal(last_record()->token_id, "");
}

static void
it_is_never_sent_on_where_nobody_judged_it(void **state)
{
	(void)state;
	/* A rule that injects nothing lets a credential pass as it is. */
	fake.inject = NULL;
	bring("Bearer phantom");
	refused(REASON_TOKEN_INVALID);
	fake.inject = &inject;
	finish();
	bearer = (struct forward_bearer){ .kind = FORWARD_BEARER_ONE,
		.value = SLICE("Bearer phantom") };
	ask(); /* which shows the policy no target */
	refused(REASON_TOKEN_INVALID);
	assert_int_equal(port.asked, 0);
	assert_int_equal(fake.dials, 0);
}

static void
what_is_under_way_outlives_it(void **state)
{
	(void)state;
	bring("Bearer phantom");
	ready();
	/* Judged again, as after a reload, by the facts of its opening. */
	assert_true(request_still_allowed(the_request));
	assert_true(fake.bearer_seen);
	assert_int_equal(fake.bearer.uid, 1000);
	assert_true(fake.bearer.expires_unix_s == INT64_MAX);
	fake.request_code = REASON_TOKEN_NOT_ALLOWED;
	assert_false(request_still_allowed(the_request));
	assert_int_equal(request_code(the_request), REASON_TOKEN_NOT_ALLOWED);
}

static void
who_asks_what_to_bring_hears_it(void **state)
{
	struct request_params params = params_of(REQUEST_GATEWAY);
	unsigned before = fake.denials;
	struct buf out;

	(void)state;
	fake.request_code = REASON_TOKEN_INVALID;
	fake.challenge = "https://vault.azure.net";
	params.target = &seen;
	start(&params);
	assert_true(fake.bare_seen);
	refused(REASON_TOKEN_INVALID);
	assert_int_equal(last_record()->status, 401);
	assert_int_equal(request_status(the_request), 401);
	buf_init(&out, 16384);
	request_render_denial(the_request, &out);
	buf_putc(&out, '\0');
	assert_non_null(strstr(out.p, "HTTP/1.1 401 Denied TOKEN_INVALID"));
	assert_non_null(strstr(out.p,
	    "\r\nWWW-Authenticate: Bearer authorization="
	    "\"https://login.microsoftonline.com/common\", "
	    "resource=\"https://vault.azure.net\"\r\n"));
	buf_release(&out);
	finish();
	assert_int_equal(fake.denials, before);
	/* One who brings something asks nothing. */
	fake.challenge = NULL;
	bring("Bearer phantom");
	assert_false(fake.bare_seen);
	assert_int_equal(request_status(the_request), 403);
}

static void
in_plain_sight_it_is_judged_too(void **state)
{
	struct request_params params = params_of(REQUEST_FORWARD);

	(void)state;
	fake.inject = NULL;
	fake.request_code = REASON_TOKEN_AUDIENCE;
	bearer = (struct forward_bearer){ .kind = FORWARD_BEARER_ONE,
		.value = SLICE("Bearer phantom") };
	params.target = &seen;
	params.port = 80;
	start(&params);
	assert_true(fake.bearer.sound);
	refused(REASON_TOKEN_AUDIENCE);
	assert_string_equal(last_record()->token_id, "0123456789ab");
}

static void
what_is_not_ours_is_the_clients_own(void **state)
{
	(void)state;
	bring("Bearer other");
	refused(REASON_AUTHORIZATION_PRESENT);
	assert_int_equal(reads, 1);
	bring("Basic phantom");
	refused(REASON_AUTHORIZATION_PRESENT);
	bring("phantom");
	refused(REASON_AUTHORIZATION_PRESENT);
	assert_int_equal(reads, 1);
	assert_false(fake.bearer_seen);
}

static void
without_memory_there_is_no_request(void **state)
{
	struct request_params params = params_of(REQUEST_GATEWAY);

	(void)state;
	answer = E_NOMEM;
	bearer = (struct forward_bearer){ .kind = FORWARD_BEARER_ONE,
		.value = SLICE("Bearer phantom") };
	assert_null(request_start(&params, NULL, NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define ROW(f) \
	cmocka_unit_test_setup_teardown(f, phantom_setup, secure_teardown)
		ROW(the_token_of_its_own_identity_goes_in_its_place),
		ROW(the_policy_judges_what_it_says),
		ROW(one_that_is_refused_is_named_in_the_record),
		ROW(one_that_is_good_no_more_is_named_but_not_believed),
		ROW(of_one_that_was_made_up_nothing_is_believed),
		ROW(it_is_never_sent_on_where_nobody_judged_it),
		ROW(what_is_under_way_outlives_it),
		ROW(who_asks_what_to_bring_hears_it),
		ROW(in_plain_sight_it_is_judged_too),
		ROW(what_is_not_ours_is_the_clients_own),
		ROW(without_memory_there_is_no_request),
#undef ROW
	};

	return cmocka_run_group_tests_name(
	    "phantom", tests, secure_group_setup, NULL);
}
