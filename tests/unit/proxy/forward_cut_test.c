/* Answers that we cut: whoever gets half of one must see that. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/forward_fake.h"

#include <unistd.h>

#define GET_A "GET http://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK_3  "HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 3\r\n\r\nabc"

static unsigned aborted;

void __real_stream_abort(struct stream *s);
void __wrap_stream_abort(struct stream *s);

void
__wrap_stream_abort(struct stream *s)
{
	aborted += stream_is_open(s);
	__real_stream_abort(s);
}

static void
cut_by_rejudge(void)
{
	fake.allowed = false;
	forward_rejudge(fake.forward);
}

static void
cut_by_time(void)
{
	(void)usleep(450000);
	fake_turn();
}

static void
cut_by_stop(void)
{
	forward_destroy(fake.forward);
	fake.forward = NULL;
	fake.done = true;
}

/* Else half of it would pass for all. */
static void
what_we_cut_and_only_the_end_would_frame_is_reset(void **state)
{
	static void (*const cuts[])(
	    void) = { cut_by_rejudge, cut_by_time, cut_by_stop };

	static const struct {
		const char *answer;
		unsigned resets;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\n\r\nab", 1 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", 0 },
		{ OK_3, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cuts) * ARRAY_LEN(rows); i++) {
		unsigned resets = rows[i % ARRAY_LEN(rows)].resets;

		fake_start(GET_A);
		fake_upstream_says(rows[i % ARRAY_LEN(rows)].answer);
		(void)fake_client_got();
		aborted = 0;
		cuts[i / ARRAY_LEN(rows)]();
		if (aborted != resets)
			fail_msg("row %zu: %u resets", i, aborted);
		fake_stop();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_we_cut_and_only_the_end_would_frame_is_reset),
	};

	return cmocka_run_group_tests_name("forward_cut", tests, NULL, NULL);
}
