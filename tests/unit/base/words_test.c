/* Words of the code base: reasons, statuses, times, log lines. */
#include "tests/unit/test.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/reason.h"
#include "base/slice.h"
#include "base/status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* RFC 9209 2.3: those of its types that are of use here. */
static bool
is_registered(const char *token)
{
	static const char *const types[] = { "dns_timeout", "dns_error",
		"destination_ip_prohibited", "destination_ip_unroutable",
		"connection_refused", "connection_terminated",
		"connection_timeout", "connection_limit_reached",
		"tls_protocol_error", "tls_certificate_error",
		"http_request_error", "http_request_denied",
		"http_protocol_error", "proxy_internal_error",
		"proxy_configuration_error", "proxy_loop_detected" };

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(types[i], token) == 0)
			return true;
	return false;
}

static void
each_reason_is_found_by_its_code(void **state)
{
	(void)state;
	for (unsigned r = 1; r < REASON_COUNT; r++) {
		const struct reason_info *i = reason_info((enum reason)r);
		assert_int_equal(reason_from_code(slice_of(i->code)), r);
		assert_true(i->status >= 400 && i->status < 600);
		/* RFC 9110 15.5.8, 15.5.20: we ask for no credentials, and we
		 * are no server that a request could be misdirected to. */
		assert_int_not_equal(i->status, 407);
		assert_int_not_equal(i->status, 421);
		/* Contract 5: the reason phrase has at most 60 characters. */
		assert_true(
		    strlen("Denied  id=ABCDEFGH23") + strlen(i->code) <= 60);
		assert_true(is_registered(i->token) && strlen(i->text) > 0);
	}
	assert_int_equal(reason_from_code(SLICE("NO_SUCH")), REASON_NONE);
	assert_int_equal(reason_from_code(SLICE("")), REASON_NONE);
	assert_string_equal(reason_code(REASON_NONE), "");
	assert_string_equal(reason_code(REASON_COUNT), "");
	assert_true(reason_is_transient(REASON_RATE_LIMITED));
	assert_true(reason_is_transient(REASON_DNS_TIMEOUT));
	assert_false(reason_is_transient(REASON_RULE_DENIES));
}

static void
statuses_have_names_and_details_are_cut(void **state)
{
	struct status_detail d;
	char longer[2000];

	(void)state;
	for (int st = OK; st <= E_INTERNAL; st++)
		assert_true(strlen(status_text((enum status)st)) > 0);
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	assert_int_equal(status_set(&d, E_LIMIT, "%s", longer), E_LIMIT);
	assert_int_equal(strlen(d.text), sizeof d.text - 1);
	assert_int_equal(status_set(NULL, E_IO, "%s", longer), E_IO);
}

static void
times_are_utc_with_nanoseconds(void **state)
{
	char out[CLOCK_RFC3339_BYTES];

	(void)state;
	clock_rfc3339(784111777000000042, out);
	assert_string_equal(out, "1994-11-06T08:49:37.000000042Z");
	assert_true(clock_unix_s(&clock_system) > 1700000000);
	assert_true(clock_boot_ms(&clock_system) > 0);
}

/* One line of the log as it reaches stderr. */
static const char *
logged(const char *text)
{
	static char line[8192];
	int fds[2], kept = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	assert_true(kept >= 0 && dup2(fds[1], STDERR_FILENO) >= 0);
	log_write(LOG_LEVEL_WARNING, "%s", text);
	assert_true(dup2(kept, STDERR_FILENO) >= 0);
	(void)close(kept);
	(void)close(fds[1]);
	n = read(fds[0], line, sizeof line - 1);
	(void)close(fds[0]);
	assert_true(n >= 0);
	line[n] = '\0';
	return line;
}

static void
log_lines_cannot_be_forged(void **state)
{
	enum log_level level = LOG_LEVEL_INFO;

	(void)state;
	assert_string_equal(
	    logged("a\nb\x1b[31m\xff"), "a\\x0ab\\x1b[31m\\xff\n");
	log_set_priorities(true);
	assert_string_equal(logged("x"), "<4>x\n");
	log_set_priorities(false);
	assert_true(log_level_from_text("error", &level));
	log_set_level(level);
	assert_string_equal(logged("x"), "");
	assert_false(log_level_from_text("loud", &level));
	log_set_level(LOG_LEVEL_INFO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reason_is_found_by_its_code),
		cmocka_unit_test(statuses_have_names_and_details_are_cut),
		cmocka_unit_test(times_are_utc_with_nanoseconds),
		cmocka_unit_test(log_lines_cannot_be_forged),
	};
	return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
