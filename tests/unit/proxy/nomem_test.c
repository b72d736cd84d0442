/* Each allocation of ours fails once: an error comes back, nothing leaks
 * (the sanitizer build looks), and what worked before still does. */
#include "tests/unit/test.h"

#include "proxy/dialer.h"
#include "proxy/dns_cache.h"
#include "proxy/proxy.h"
#include "proxy/resolver.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Allocations until one fails; 0: none does. */
static unsigned countdown;
static bool failed;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *
__wrap_calloc(size_t n, size_t size)
{
	if (countdown > 0 && --countdown == 0) {
		failed = true;
		return NULL;
	}
	return __real_calloc(n, size);
}

/** One try; returns whether all went well. */
typedef bool try_fn(struct event_base *base);

/* Until a try runs with no failure in it. */
static void
sweep(try_fn *attempt)
{
	struct event_base *base = event_base_new();
	unsigned n = 0;

	assert_non_null(base);
	do {
		bool ok;

		assert_true(n < 1000);
		failed = false;
		countdown = ++n;
		ok = attempt(base);
		countdown = 0;
		assert_true(ok || failed);
	} while (failed);
	assert_true(n > 1);
	event_base_free(base);
}

static unsigned answers;

static void
note_answer(void *arg, struct resolver_answer *a)
{
	answers++;
	/* Nothing listens there: an answer that fails, but an answer. */
	assert_int_not_equal(a->facts.failure, REASON_NONE);
	resolver_answer_unref(a);
	(void)event_base_loopbreak(arg);
}

/* Port 1 of loopback: refused at once. */
static bool
resolve_once(struct event_base *base)
{
	struct proxy_dns_zone zone;
	struct proxy_dns_config config = {
		.zones = &zone,
		.n_zones = 1,
		.timeout_ms = 200,
		.attempts = 1,
		.max_ttl_s = 60,
	};
	struct resolver *r = NULL;
	struct resolver_query *q;

	memset(&zone, 0, sizeof zone);
	zone.n_servers = 1;
	zone.servers[0].addr =
	    (struct addr){ .family = ADDR_V4, .b = { 127, 0, 0, 1 } };
	zone.servers[0].port = 1;
	if (resolver_create(base, &clock_system, &config, &r) != OK)
		return false;
	answers = 0;
	q = resolver_start(r, "acct1.example", note_answer, base);
	if (q != NULL) {
		(void)event_base_dispatch(base);
		assert_int_equal(answers, 1);
	}
	resolver_destroy(r);
	return q != NULL;
}

static void
a_resolver_answers_or_says_no(void **state)
{
	(void)state;
	sweep(resolve_once);
}

static void
note_dial(void *arg, const struct dial_result *result)
{
	assert_int_equal(result->fd, -1);
	(void)event_base_loopbreak(arg);
}

static bool
dial_once(struct event_base *base)
{
	struct addr a = { .family = ADDR_V4, .b = { 127, 0, 0, 1 } };
	struct dial_params params = {
		.base = base,
		.addresses = &a,
		.n_addresses = 1,
		.port = 1,
		.timeout_ms = 500,
	};
	struct dial *d = dial_start(&params, note_dial, base);

	if (d == NULL)
		return false;
	(void)event_base_dispatch(base);
	return true;
}

static void
a_dial_ends_or_says_no(void **state)
{
	(void)state;
	sweep(dial_once);
}

static bool
look_once(struct event_base *base)
{
	struct peer_source *s = NULL;
	struct peer_facts facts;
	int fds[2];

	(void)base;
	if (peer_source_create("/nonexistent", false, &s) != OK)
		return false;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	peer_source_lookup(s, fds[0], &facts);
	assert_true(facts.peer.known);
	(void)close(fds[0]);
	(void)close(fds[1]);
	peer_source_destroy(s);
	return true;
}

static void
a_peer_source_is_made_or_says_no(void **state)
{
	(void)state;
	sweep(look_once);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_resolver_answers_or_says_no),
		cmocka_unit_test(a_dial_ends_or_says_no),
		cmocka_unit_test(a_peer_source_is_made_or_says_no),
	};
	return cmocka_run_group_tests_name("nomem", tests, NULL, NULL);
}
