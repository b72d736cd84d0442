/* The cache under a clock that the test moves. */
#include "tests/unit/test.h"

#include "proxy/dns_cache.h"
#include "proxy/resolver_answer.h"

#include <stdio.h>

static int64_t now_ms;

static int64_t
fake_boot_ms(void *ctx)
{
	(void)ctx;
	return now_ms;
}

static int64_t
fake_unix_ns(void *ctx)
{
	(void)ctx;
	return 0;
}

static const struct clock fake_clock = { fake_boot_ms, fake_unix_ns, NULL };

static struct dns_cache *
make(size_t max)
{
	struct dns_cache *c = NULL;

	now_ms = 5000;
	assert_int_equal(dns_cache_create(&fake_clock, max, &c), OK);
	return c;
}

static void
put(struct dns_cache *c, const char *name, int64_t ttl_s)
{
	struct dns_answer d;
	struct resolver_answer *a;

	dns_answer_fail(&d, REASON_DNS_NXDOMAIN);
	a = resolver_answer_create(&d, true);
	assert_non_null(a);
	dns_cache_put(c, name, a, ttl_s);
	resolver_answer_unref(a);
}

static void
an_answer_lives_exactly_its_ttl(void **state)
{
	struct dns_cache *c = make(4);

	(void)state;
	put(c, "a.example", 2);
	now_ms += 1999;
	assert_non_null(dns_cache_get(c, "a.example"));
	assert_null(dns_cache_get(c, "b.example"));
	now_ms += 1;
	assert_null(dns_cache_get(c, "a.example"));
	assert_int_equal(dns_cache_count(c), 0);
	dns_cache_destroy(c);
}

static void
a_newer_answer_takes_the_place(void **state)
{
	struct dns_cache *c = make(4);

	(void)state;
	put(c, "a.example", 2);
	put(c, "a.example", 60);
	assert_int_equal(dns_cache_count(c), 1);
	now_ms += 3000;
	assert_non_null(dns_cache_get(c, "a.example"));
	put(c, "a.example", 0);
	assert_null(dns_cache_get(c, "a.example"));
	dns_cache_destroy(c);
}

static void
when_full_the_longest_unused_goes(void **state)
{
	struct dns_cache *c = make(2);

	(void)state;
	put(c, "a.example", 60);
	put(c, "b.example", 60);
	assert_non_null(dns_cache_get(c, "a.example"));
	put(c, "c.example", 60);
	assert_int_equal(dns_cache_count(c), 2);
	assert_null(dns_cache_get(c, "b.example"));
	assert_non_null(dns_cache_get(c, "a.example"));
	assert_non_null(dns_cache_get(c, "c.example"));
	dns_cache_clear(c);
	assert_null(dns_cache_get(c, "a.example"));
	dns_cache_destroy(c);
}

static void
thousands_of_names_stay_apart(void **state)
{
	struct dns_cache *c = make(4000);
	char name[32];

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof name, "h%u.example", i);
		put(c, name, 60);
	}
	assert_int_equal(dns_cache_count(c), 4000);
	assert_null(dns_cache_get(c, "h999.example"));
	assert_non_null(dns_cache_get(c, "h1000.example"));
	dns_cache_destroy(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_lives_exactly_its_ttl),
		cmocka_unit_test(a_newer_answer_takes_the_place),
		cmocka_unit_test(when_full_the_longest_unused_goes),
		cmocka_unit_test(thousands_of_names_stay_apart),
	};
	return cmocka_run_group_tests_name("dns_cache", tests, NULL, NULL);
}
