#include "tests/unit/test.h"

#include "agent/denials.h"
#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
note(struct denials *d, const char *id, uint32_t uid, const char *host)
{
	struct peer peer = { .known = true, .uid = uid, .user = "alice" };
	struct policy_explanation e = { .fix = "ask" };
	struct proxy_denial denial = { .explanation = &e };
	struct record r;

	record_init(&r, RECORD_REQUEST);
	(void)snprintf(denial.id, sizeof denial.id, "%s", id);
	r.id = denial.id;
	r.verdict = RECORD_DENY;
	r.code = REASON_HOST_NOT_ALLOWED;
	r.peer = &peer;
	r.host = host;
	r.port = 443;
	denial.record = &r;
	denials_note(d, &denial);
}

static void
remembers_the_last_ones_by_id_with_their_owner(void **state)
{
	struct denials *d;
	struct denial_found f;
	char id[RECORD_ID_BYTES];

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(denials_create(&d), OK);
	note(d, "AAAAAAAAAA", 7, "old.example");
	assert_int_equal(denials_find(d, SLICE("AAAAAAAAAA"), &f), OK);
	assert_true(f.peer_known);
	assert_int_equal(f.uid, 7);
	assert_string_equal(f.explanation.fix, "ask");
	buf_putc(&f.members, '\0');
	assert_non_null(strstr(f.members.p, "old.example"));
	buf_release(&f.members);
	assert_int_equal(denials_find(d, SLICE("BBBBBBBBBB"), &f), E_NOTFOUND);
	for (unsigned i = 0; i < DENIALS_KEPT; i++) {
		(void)snprintf(id, sizeof id, "N%04u", i % 10000);
		note(d, id, 8, "new.example");
	}
	assert_int_equal(denials_find(d, SLICE("AAAAAAAAAA"), &f), E_NOTFOUND);
	assert_int_equal(denials_find(d, SLICE("N0000"), &f), OK);
	buf_release(&f.members);
	denials_destroy(d);
}

static void
tells_each_user_their_own_since_a_point_once(void **state)
{
	struct denial_line lines[DENIAL_LINES_MAX];
	struct denials *d;
	uint64_t last = 0, then;
	char id[RECORD_ID_BYTES];

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(denials_create(&d), OK);
	assert_int_equal(denials_of(d, 7, 0, lines, &last), 0);
	assert_int_equal(last, 0);
	note(d, "AAAAAAAAAA", 7, "before.example");
	assert_int_equal(denials_of(d, 7, UINT64_MAX, lines, &then), 0);
	note(d, "BBBBBBBBBB", 7, "one.example");
	note(d, "CCCCCCCCCC", 8, "other.example");
	note(d, "BBBBBBBBBB", 7, "one.example");
	note(d, "DDDDDDDDDD", 7, "two.example");
	assert_int_equal(denials_of(d, 7, then, lines, &last), 2);
	assert_int_equal(last, then + 4);
	assert_string_equal(lines[0].id, "BBBBBBBBBB");
	assert_string_equal(lines[0].destination, "one.example:443");
	assert_int_equal(lines[0].code, REASON_HOST_NOT_ALLOWED);
	assert_string_equal(lines[1].id, "DDDDDDDDDD");
	assert_int_equal(denials_of(d, 8, then, lines, &last), 1);
	assert_int_equal(denials_of(d, 9, 0, lines, &last), 0);
	/* Of many, the newest; also where the ring has lost the point. */
	for (unsigned i = 0; i < DENIALS_KEPT + 5; i++) {
		(void)snprintf(id, sizeof id, "N%04u", i % 10000);
		note(d, id, 7, "many.example");
	}
	assert_int_equal(
	    denials_of(d, 7, then, lines, &last), DENIAL_LINES_MAX);
	(void)snprintf(id, sizeof id, "N%04u", DENIALS_KEPT + 4);
	assert_string_equal(lines[DENIAL_LINES_MAX - 1].id, id);
	denials_destroy(d);
}

static void
an_audience_is_told_as_one_word(void **state)
{
	struct peer peer = { .known = true, .uid = 7, .user = "alice" };
	struct denial_line lines[DENIAL_LINES_MAX];
	struct proxy_denial denial = { .id = "AAAAAAAAAA" };
	char longest[DENIAL_DESTINATION_BYTES * 2];
	const char *const rows[][2] = {
		{ "https://x.example/", "https://x.example/" },
		{ "a\nwayleaved: b\x1b[2J\xc3\xa9", "a?wayleaved:?b?[2J??" },
		{ NULL, "-" },
		{ longest, NULL },
	};
	struct denials *d;
	struct record r;
	uint64_t last = 0;

	(void)state;
	memset(longest, 'x', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(denials_create(&d), OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		record_init(&r, RECORD_TOKEN);
		r.id = denial.id;
		r.code = REASON_TOKEN_NOT_ALLOWED;
		r.peer = &peer;
		r.audience = rows[i][0];
		denial.record = &r;
		denials_note(d, &denial);
		assert_int_equal(denials_of(d, 7, last, lines, &last), 1);
		if (rows[i][1] != NULL)
			assert_string_equal(lines[0].destination, rows[i][1]);
		else
			assert_int_equal(strlen(lines[0].destination),
			    DENIAL_DESTINATION_BYTES - 1);
	}
	denials_destroy(d);
}

/* How many lines @n denials write; all with one id, or each with its own. */
static unsigned
lines_of(unsigned n, bool own_ids)
{
	char path[] = "/tmp/wayleave-denials-XXXXXX";
	int fd = mkstemp(path), saved = dup(STDERR_FILENO);
	char id[RECORD_ID_BYTES], c;
	struct denials *d;
	unsigned lines = 0;

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	log_set_level(LOG_LEVEL_NOTICE);
	assert_int_equal(denials_create(&d), OK);
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(id, sizeof id, "S%03u", own_ids ? i % 1000 : 0);
		note(d, id, 8, "evil.example");
	}
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	denials_destroy(d);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	while (read(fd, &c, 1) == 1)
		lines += c == '\n';
	close(fd);
	close(saved);
	return lines;
}

static void
tells_the_journal_equal_ones_once_and_never_floods_it(void **state)
{
	unsigned lines;

	(void)state;
	assert_int_equal(lines_of(500, false), 1);
	lines = lines_of(500, true);
	assert_true(lines >= 20);
	assert_true(lines <= 100); /* a few seconds' share at the most */
}

/* What the journal says of one denial. */
static void
journal_of(const struct record *r, char *out, size_t out_bytes)
{
	char path[] = "/tmp/wayleave-denials-XXXXXX";
	int fd = mkstemp(path), saved = dup(STDERR_FILENO);
	struct proxy_denial denial = { .id = "AAAAAAAAAA", .record = r };
	struct denials *d;
	ssize_t n;

	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	log_set_level(LOG_LEVEL_NOTICE);
	assert_int_equal(denials_create(&d), OK);
	assert_true(dup2(fd, STDERR_FILENO) >= 0);
	denials_note(d, &denial);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	denials_destroy(d);
	n = pread(fd, out, out_bytes - 1, 0);
	out[n > 0 ? n : 0] = '\0';
	close(fd);
	close(saved);
}

static void
tells_the_journal_what_was_asked_for_and_by_whom(void **state)
{
	struct peer peer = { .known = true, .uid = 7, .user = "alice" };

	const struct row {
		const char *host, *audience, *protocol, *line;
	} rows[] = {
		{ "one.example", NULL, "connect",
		    "denied RULE_DENIES id=AAAAAAAAAA: one.example:443 for "
		    "uid 7 (alice)" },
		{ NULL, "https://x.example/", "broker",
		    ": https://x.example/ for uid 7" },
		{ NULL, NULL, "broker", ": a request to the broker for uid" },
		{ NULL, NULL, "connect", ": - for uid 7" },
		{ NULL, NULL, NULL, ": - for uid 7" },
	};

	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct record r;
		record_init(&r, RECORD_REQUEST);
		r.id = "AAAAAAAAAA";
		r.code = REASON_RULE_DENIES;
		r.peer = &peer;
		r.host = rows[i].host;
		r.port = 443;
		r.audience = rows[i].audience;
		r.protocol = rows[i].protocol;
		journal_of(&r, text, sizeof text);
		if (strstr(text, rows[i].line) == NULL)
			fail_msg(
			    "\"%s\" does not hold \"%s\"", text, rows[i].line);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_each_user_their_own_since_a_point_once),
		cmocka_unit_test(an_audience_is_told_as_one_word),
		cmocka_unit_test(
		    tells_the_journal_what_was_asked_for_and_by_whom),
		cmocka_unit_test(
		    remembers_the_last_ones_by_id_with_their_owner),
		cmocka_unit_test(
		    tells_the_journal_equal_ones_once_and_never_floods_it),
	};
	return cmocka_run_group_tests_name("denials", tests, NULL, NULL);
}
