/* What the broker refuses: recorded first, each time, and told once. */
#include "tests/unit/test.h"

#include "tests/unit/identity/broker_world.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CAP   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define IMDS  "/metadata/identity/oauth2/token"
#define QUERY "?api-version=2018-02-01&resource=r"
#define HEAD(line, fields) \
	line " HTTP/1.1\r\nHost: 169.254.169.254\r\n" fields "\r\n"

static const char *
ask(struct world *w, const char *text)
{
	w->records_text[0] = '\0';
	w->last.path[0] = '\0';
	return world_ask(w, text);
}

static void
assert_status(const char *answer, int status)
{
	char start[32];

	snprintf(start, sizeof start, "HTTP/1.1 %d ", status);
	if (strncmp(answer, start, strlen(start)) != 0)
		fail_msg("\"%s\" is not %d", answer, status);
}

static void
records_each_refusal_that_no_grant_was_asked_for(void **state)
{
	static const struct row {
		const char *text;
		int status;
		enum record_event event;
		const char *method, *path;
	} rows[] = {
		{ HEAD("GET /nothing?secret=1", ""), 404, RECORD_REQUEST, "GET",
		    "/nothing" },
		{ HEAD("POST /nothing", ""), 404, RECORD_REQUEST, "POST",
		    "/nothing" },
		{ HEAD("GET /metadata/identity/getplatformmetadata?x=1",
		      "Metadata: true\r\n"),
		    404, RECORD_REQUEST, "GET",
		    "/metadata/identity/getplatformmetadata" },
		{ HEAD("GET /w/" CAP "/msi/token" QUERY, ""), 404,
		    RECORD_REQUEST, "GET", "/w/*/msi/token" },
		{ HEAD("GET //W/" CAP IMDS QUERY, "Metadata: true\r\n"), 404,
		    RECORD_REQUEST, "GET", "//W/*" IMDS },
		{ HEAD("GET /%61" CAP, ""), 404, RECORD_REQUEST, "GET", "/*" },
		{ HEAD("PUT " IMDS QUERY, "Metadata: true\r\n"), 405,
		    RECORD_TOKEN, "PUT", IMDS },
		{ HEAD("POST /w/" CAP IMDS QUERY, "Metadata: true\r\n"), 405,
		    RECORD_TOKEN, "POST", "/w/*" IMDS },
		{ HEAD("GET " IMDS QUERY, ""), 400, RECORD_TOKEN, "GET", IMDS },
		{ HEAD("GET " IMDS, "Metadata: true\r\n"), 400, RECORD_TOKEN,
		    "GET", IMDS },
		{ HEAD("GET /msi/token" QUERY, ""), 400, RECORD_TOKEN, "GET",
		    "/msi/token" },
		{ HEAD("GET /databricks/token", ""), 400, RECORD_TOKEN, "GET",
		    "/databricks/token" },
		{ HEAD("GET " IMDS QUERY, "Content-Length: 1\r\n"), 400,
		    RECORD_REQUEST, "", "" },
		{ "GET\r\n\r\n", 400, RECORD_REQUEST, "", "" },
	};
	struct world w;

	(void)state;
	world_init(&w);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		char record[64];
		const char *a = ask(&w, r->text);

		assert_status(a, r->status);
		snprintf(
		    record, sizeof record, "deny BAD_REQUEST  %d;", r->status);
		assert_string_equal(w.records_text, record);
		assert_int_equal(w.last.event, r->event);
		assert_string_equal(w.last.method, r->method);
		assert_string_equal(w.last.path, r->path);
		/* The client can name what the audit has. */
		assert_non_null(strstr(a, w.last.id));
		assert_null(strstr(w.last.path, CAP));
	}
	assert_int_equal(w.grants_asked, 0);
	assert_int_equal(w.noted, ARRAY_LEN(rows));
	world_release(&w);
}

static void
holds_a_refusal_until_its_record_is_down(void **state)
{
	static const char *const texts[] = {
		HEAD("GET /nothing", ""),
		HEAD("GET " IMDS QUERY, ""),
		HEAD("GET " IMDS QUERY, "Metadata: true\r\n"),
		"GET\r\n\r\n",
	};
	struct world w;

	(void)state;
	world_init(&w);
	w.deny = true;
	w.audit_silent = true;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		int fd = world_connect(&w);
		world_send(fd, texts[i]);
		assert_string_equal(world_receive(&w, fd, 50), "");
		assert_int_equal(w.records, i + 1);
		world_audit_done(&w);
		assert_status(world_receive(&w, fd, 1000), i == 0 ? 404 : 400);
		close(fd);
	}
	world_release(&w);
}

static void
refuses_all_the_same_when_nothing_can_be_recorded(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.audit_fails = true;
	assert_status(ask(&w, HEAD("GET /nothing", "")), 404);
	assert_status(ask(&w, HEAD("GET " IMDS QUERY, "")), 400);
	assert_status(ask(&w, "GET\r\n\r\n"), 400);
	world_release(&w);
}

static void
gives_equal_refusals_one_id_and_each_a_record(void **state)
{
	char first[RECORD_ID_BYTES];
	struct world w;

	(void)state;
	world_init(&w);
	(void)ask(&w, HEAD("GET /nothing", ""));
	memcpy(first, w.last.id, sizeof first);
	(void)ask(&w, HEAD("GET /nothing", ""));
	assert_string_equal(w.last.id, first);
	assert_int_equal(w.records, 2);
	(void)ask(&w, HEAD("GET /other", ""));
	assert_string_not_equal(w.last.id, first);
	(void)ask(&w, HEAD("PUT /nothing", ""));
	assert_string_not_equal(w.last.id, first);
	w.peer.uid++;
	(void)ask(&w, HEAD("GET /nothing", ""));
	assert_string_not_equal(w.last.id, first);
	w.peer.uid--;
	(void)ask(&w, HEAD("GET /nothing", ""));
	assert_string_equal(w.last.id, first);
	assert_int_equal(w.records, 6);
	world_release(&w);
}

static void
says_a_refusal_once_when_the_end_comes_while_it_waits(void **state)
{
	struct world w;
	int fd;

	(void)state;
	world_init(&w);
	w.audit_silent = true;
	fd = world_connect(&w);
	world_send(fd, HEAD("GET /nothing", ""));
	assert_string_equal(world_receive(&w, fd, 50), "");
	identity_drain(w.id);
	assert_status(world_receive(&w, fd, 1000), 404);
	assert_int_equal(w.records, 1);
	close(fd);
	world_release(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    records_each_refusal_that_no_grant_was_asked_for),
		cmocka_unit_test(holds_a_refusal_until_its_record_is_down),
		cmocka_unit_test(
		    refuses_all_the_same_when_nothing_can_be_recorded),
		cmocka_unit_test(gives_equal_refusals_one_id_and_each_a_record),
		cmocka_unit_test(
		    says_a_refusal_once_when_the_end_comes_while_it_waits),
	};
	bool locked;

	log_set_level(LOG_LEVEL_ERROR);
	if (secret_arena_init(1 << 20, false, &locked) != OK)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
