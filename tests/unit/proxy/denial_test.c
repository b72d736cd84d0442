/* Every code as an answer: head, length, and a problem document. */
#include "tests/unit/test.h"

#include "proxy/denial.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const struct peer alice = { .known = true,
	.uid = 1000,
	.user = "alice",
	.unit = "job-1.service",
	.cgroup = "",
	.exe = "" };

static struct denial
denial_of(enum reason code)
{
	return (struct denial){ .code = code,
		.id = "ABCDEFGH23",
		.name = "lab",
		.host = "acct9.blob.core.windows.net",
		.port = 443,
		.peer = &alice };
}

/* The body, after the head was checked for what every head must have. */
static json_t *
body_of(const struct buf *b, int status)
{
	char text[16384], line[64];
	const char *end, *length;
	json_t *doc;

	assert_int_equal(buf_status(b), OK);
	assert_true(slice_copy(buf_slice(b), text, sizeof text));
	end = strstr(text, "\r\n\r\n");
	assert_non_null(end);
	length = strstr(text, "Content-Length: ");
	assert_non_null(length);
	assert_int_equal(strtoul(length + 16, NULL, 10), strlen(end + 4));
	(void)snprintf(line, sizeof line, "HTTP/1.1 %d Denied ", status);
	assert_memory_equal(text, line, strlen(line));
	assert_true(strstr(text, "\r\n") - (text + 13) <= 60);
	assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
	assert_non_null(strstr(text, "\r\nCache-Control: no-store\r\n"));
	assert_non_null(
	    strstr(text, "\r\nContent-Type: application/problem+json\r\n"));
	assert_int_equal(strstr(text, "\r\nRetry-After: ") != NULL,
	    status == 503 || status == 429);
	for (const char *p = end + 4; *p != '\0'; p++)
		assert_true(*p == '\n' || (*p >= 0x20 && *p < 0x7f));
	doc = json_loads(end + 4, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(doc);
	return doc;
}

static const char *
text_of(const json_t *doc, const char *key)
{
	const char *s = json_string_value(json_object_get(doc, key));

	assert_non_null(s);
	return s;
}

static void
every_code_is_a_problem_within_4_kib(void **state)
{
	(void)state;
	for (unsigned code = 1; code < REASON_COUNT; code++) {
		struct denial d = denial_of((enum reason)code);
		const struct reason_info *info = reason_info(d.code);
		char status[256];
		struct buf b;
		json_t *doc, *error;

		buf_init(&b, 16384);
		denial_render(&d, &b);
		(void)snprintf(status, sizeof status,
		    "\r\nProxy-Status: lab; error=%s; details=\"%s\"\r\n",
		    info->token, info->code);
		doc = body_of(&b, info->status);
		buf_putc(&b, '\0');
		assert_non_null(strstr(b.p, status));
		assert_true(b.n < 4096);
		assert_string_equal(text_of(doc, "code"), info->code);
		assert_string_equal(text_of(doc, "title"), info->text);
		assert_string_equal(text_of(doc, "id"), "ABCDEFGH23");
		assert_int_equal(
		    json_integer_value(json_object_get(doc, "status")),
		    info->status);
		assert_string_equal(text_of(doc, "destination"),
		    "acct9.blob.core.windows.net:443");
		assert_string_equal(
		    text_of(doc, "workload"), "alice in job-1.service");
		assert_true(strlen(text_of(doc, "fix")) > 0);
		error = json_object_get(doc, "error");
		assert_string_equal(text_of(error, "code"), info->code);
		assert_non_null(
		    strstr(text_of(error, "message"), "ABCDEFGH23"));
		json_decref(doc);
		buf_release(&b);
	}
}

static void
has_the_members_of_the_contract(void **state)
{
	static const char *const keys[] = { "type", "title", "status", "detail",
		"instance", "code", "id", "destination", "workload",
		"rule_near", "unmet", "fix", "retry", "error" };
	struct denial d = denial_of(REASON_HOST_NOT_ALLOWED);
	struct policy_explanation why = { .rule_near = "lake",
		.unmet = "the host is another",
		.fix = "add {\"id\": \"x\"}" };
	struct buf b;
	json_t *doc;

	(void)state;
	d.why = &why;
	buf_init(&b, 16384);
	denial_render(&d, &b);
	doc = body_of(&b, 403);
	assert_int_equal(json_object_size(doc), ARRAY_LEN(keys));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_non_null(json_object_get(doc, keys[i]));
	assert_string_equal(
	    text_of(doc, "type"), "urn:wayleave:reason:HOST_NOT_ALLOWED");
	assert_string_equal(text_of(doc, "rule_near"), "lake");
	assert_string_equal(text_of(doc, "fix"), why.fix);
	json_decref(doc);
	buf_release(&b);
}

static void
a_long_fix_stands_once_rather_than_pass_4_kib(void **state)
{
	struct denial d = denial_of(REASON_HOST_NOT_ALLOWED);
	struct policy_explanation why = { .rule_near = "" };
	struct buf b;
	json_t *doc;

	(void)state;
	memset(why.fix, '"', sizeof why.fix - 1);
	d.why = &why;
	buf_init(&b, 16384);
	denial_render(&d, &b);
	doc = body_of(&b, 403);
	assert_string_equal(text_of(doc, "fix"), why.fix);
	assert_true(b.n < 4096);
	json_decref(doc);
	buf_release(&b);
}

static void
an_answer_to_head_has_the_length_and_no_body(void **state)
{
	struct denial d = denial_of(REASON_PLAINTEXT);
	struct buf b;

	(void)state;
	d.no_body = true;
	buf_init(&b, 16384);
	denial_render(&d, &b);
	assert_true(slice_ends(buf_slice(&b), SLICE("\r\n\r\n")));
	buf_release(&b);
}

static void
nothing_read_and_nobody_known_are_said_so(void **state)
{
	struct denial d = { .code = REASON_BAD_REQUEST,
		.status = 431,
		.id = "ABCDEFGH23",
		.name = "my \"lab\"" };
	struct buf b;
	json_t *doc;

	(void)state;
	buf_init(&b, 16384);
	denial_render(&d, &b);
	doc = body_of(&b, 431);
	assert_true(json_is_null(json_object_get(doc, "destination")));
	assert_string_equal(text_of(doc, "workload"), "unknown");
	json_decref(doc);
	buf_putc(&b, '\0');
	assert_non_null(
	    strstr(b.p, "\r\nProxy-Status: \"my \\\"lab\\\"\"; error="));
	buf_release(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_is_a_problem_within_4_kib),
		cmocka_unit_test(has_the_members_of_the_contract),
		cmocka_unit_test(a_long_fix_stands_once_rather_than_pass_4_kib),
		cmocka_unit_test(an_answer_to_head_has_the_length_and_no_body),
		cmocka_unit_test(nothing_read_and_nobody_known_are_said_so),
	};
	return cmocka_run_group_tests_name("denial", tests, NULL, NULL);
}
