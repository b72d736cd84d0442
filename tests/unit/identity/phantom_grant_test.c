/* The broker where the grant is of phantoms: a real token never goes out. */
#include "tests/unit/test.h"

#include "tests/unit/identity/broker_world.h"

#include "base/log.h"
#include "base/metrics.h"
#include "identity/phantom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* {"aud":"https://storage.azure.com","oid":"o-1"} */
#define REAL                                                   \
	"eyJhbGciOiJSUzI1NiJ9."                                \
	"eyJhdWQiOiJodHRwczovL3N0b3JhZ2UuYXp1cmUuY29tIiwib2lk" \
	"Ijoiby0xIn0.c2lnbmF0dXJl"

static void
imds_gives(struct world *w, const char *token)
{
	char body[2048];

	snprintf(body, sizeof body,
	    "{\"access_token\":\"%s\",\"expires_on\":\"%lld\","
	    "\"token_type\":\"Bearer\"}",
	    token, (long long)time(NULL) + 3600);
	world_imds(w, "200 OK", "Content-Type: application/json\r\n", body);
}

static const char *
ask(struct world *w, const char *target)
{
	char text[1024];

	snprintf(text, sizeof text,
	    "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nMetadata: true\r\n"
	    "X-IDENTITY-HEADER: x\r\n\r\n",
	    target, w->broker_port);
	return world_ask(w, text);
}

#define IMDS                                                     \
	"/metadata/identity/oauth2/token?api-version=2018-02-01" \
	"&resource=https://storage.azure.com/"

static struct slice
given(const char *answer)
{
	const char *at = strstr(answer, "\"access_token\":\"");

	assert_non_null(at);
	at += strlen("\"access_token\":\"");
	return slice_head(slice_of(at), slice_find(slice_of(at), '"'));
}

static void
setup(struct world *w, const char *token)
{
	world_init(w);
	w->phantom = true;
	w->peer.unit = "job-1.service";
	imds_gives(w, token);
}

static void
gives_a_phantom_bound_to_who_asks(void **state)
{
	uint8_t key[PHANTOM_KEY_BYTES];
	struct phantom p;
	struct world w;
	const char *a;
	int64_t before = metric_get(METRIC_PHANTOMS_ISSUED_TOTAL);

	(void)state;
	setup(&w, REAL);
	a = ask(&w, IMDS);
	assert_non_null(strstr(a, "HTTP/1.1 200 OK\r\n"));
	assert_null(strstr(a, "c2lnbmF0dXJl"));
	assert_true(phantom_key(world_key, key));
	assert_int_equal(phantom_read(key, given(a), &p), OK);
	assert_int_equal(p.uid, 1000);
	assert_string_equal(p.unit, "job-1.service");
	assert_string_equal(p.audience, "https://storage.azure.com/");
	assert_string_equal(p.identity, "host");
	assert_string_equal(p.grant, "grant-1");
	assert_in_range(p.expires_unix_s, time(NULL) + 3500, time(NULL) + 3600);
	/* The record names the real one, and so does the phantom. */
	assert_int_equal(strlen(w.last.token_id), SECRET_ID_BYTES - 1);
	assert_memory_equal(p.id, w.last.token_id, SECRET_ID_BYTES - 1);
	assert_string_equal(w.records_text, "allow  host 200;");
	assert_int_equal(metric_get(METRIC_PHANTOMS_ISSUED_TOTAL) - before, 1);
	world_release(&w);
}

static void
says_that_it_ends_when_the_real_one_does(void **state)
{
	static const char name[] = "\"expires_on\":\"";
	time_t began = time(NULL);
	struct world w;
	const char *at;

	(void)state;
	setup(&w, REAL);
	at = strstr(ask(&w, IMDS), name);
	assert_non_null(at);
	assert_in_range(strtoll(at + strlen(name), NULL, 10), began + 3590,
	    time(NULL) + 3600);
	world_release(&w);
}

static void
gives_each_asker_one_of_his_own(void **state)
{
	char first[4096];
	struct world w;

	(void)state;
	setup(&w, REAL);
	assert_true(slice_copy(given(ask(&w, IMDS)), first, sizeof first));
	assert_false(slice_is(given(ask(&w, IMDS)), first));
	assert_int_equal(w.imds_requests, 1);
	world_release(&w);
}

static void
gives_nothing_where_a_token_is_of_another_form(void **state)
{
	struct world w;
	const char *a;

	(void)state;
	setup(&w, "OPAQUE");
	a = ask(&w, IMDS);
	assert_non_null(strstr(a, "HTTP/1.1 503 "));
	assert_non_null(strstr(a, "no JSON Web Token"));
	assert_null(strstr(a, "OPAQUE"));
	assert_string_equal(
	    w.records_text, "deny CREDENTIAL_UNAVAILABLE host 503;");
	world_release(&w);
}

static void
gives_nothing_to_whose_unit_is_not_known(void **state)
{
	struct world w;
	const char *a;

	(void)state;
	setup(&w, REAL);
	w.peer.cgroup_unknown = true;
	a = ask(&w, IMDS);
	assert_non_null(strstr(a, "HTTP/1.1 400 "));
	assert_string_equal(w.records_text, "deny TOKEN_NOT_ALLOWED host 400;");
	world_release(&w);
}

static void
keeps_it_until_its_record_is_down(void **state)
{
	struct world w;

	(void)state;
	setup(&w, REAL);
	w.audit_fails = true;
	assert_null(strstr(ask(&w, IMDS), "access_token"));
	world_release(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_a_phantom_bound_to_who_asks),
		cmocka_unit_test(says_that_it_ends_when_the_real_one_does),
		cmocka_unit_test(gives_each_asker_one_of_his_own),
		cmocka_unit_test(
		    gives_nothing_where_a_token_is_of_another_form),
		cmocka_unit_test(gives_nothing_to_whose_unit_is_not_known),
		cmocka_unit_test(keeps_it_until_its_record_is_down),
	};
	bool locked;

	log_set_level(LOG_LEVEL_ERROR);
	if (secret_arena_init(1 << 20, false, &locked) != OK)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
