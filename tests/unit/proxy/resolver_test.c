/* The resolver against a scripted server on loopback, UDP and TCP. */
#include "tests/unit/proxy/resolver_steps.h"

#include "base/metrics.h"

#include <stdlib.h>

static void
resolves_a_private_chain(void **state)
{
	struct fixture *f = *state;
	const struct policy_answer *facts;

	f->servers[0].script = private_script;
	facts = resolve(f, NAME);
	assert_failure(facts, REASON_NONE);
	assert_int_equal(facts->n_chain, 1);
	assert_string_equal(facts->chain[0], PL);
	assert_int_equal(facts->n_addresses, 1);
	assert_int_equal(f->answers[0]->ttl_s, 10);
	assert_false(f->answers[0]->cached);
	assert_int_equal(f->servers[0].udp_questions, 2);
}

static void
asks_once_and_then_from_the_cache(void **state)
{
	struct fixture *f = *state;

	f->servers[0].script = private_script;
	(void)ask(f, NAME);
	(void)ask(f, NAME);
	(void)ask(f, NAME);
	run_until(f, 3);
	assert_int_equal(f->servers[0].udp_questions, 2);
	assert_ptr_equal(f->answers[0], f->answers[1]);
	(void)resolve(f, NAME);
	assert_true(f->answers[0]->cached);
	assert_int_equal(f->servers[0].udp_questions, 2);
}

static int64_t passed_ms;

static int64_t
moved_boot_ms(void *ctx)
{
	(void)ctx;
	return clock_boot_ms(&clock_system) + passed_ms;
}

static int64_t
real_unix_ns(void *ctx)
{
	(void)ctx;
	return clock_unix_ns(&clock_system);
}

static const struct clock moved_clock = { moved_boot_ms, real_unix_ns, NULL };

/* No question, no query: what is not there is not waited for. */
static void
finds_at_once_what_the_cache_has_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	int64_t hits = metric_get(METRIC_DNS_CACHE_HITS_TOTAL);
	struct proxy_dns_config config;
	struct proxy_dns_zone zone;
	struct resolver_answer *a;

	passed_ms = 0;
	zone_to(&zone, "", f->servers, 1);
	config = config_of(&zone, 1);
	resolver_destroy(f->resolver);
	assert_int_equal(
	    resolver_create(f->base, &moved_clock, &config, &f->resolver), OK);
	f->servers[0].script = private_script;
	assert_null(resolver_find(f->resolver, NAME));
	assert_failure(resolve(f, NAME), REASON_NONE);
	drop_answers(f);
	passed_ms = 8000; /* its TTL is 10 s */
	a = resolver_find(f->resolver, NAME);
	assert_non_null(a);
	assert_failure(&a->facts, REASON_NONE);
	assert_int_equal(a->facts.n_addresses, 1);
	assert_null(resolver_find(f->resolver, PL));
	assert_int_equal(metric_get(METRIC_DNS_CACHE_HITS_TOTAL), hits + 1);
	passed_ms = 10000;
	assert_null(resolver_find(f->resolver, NAME));
	/* Who has it may keep it. */
	assert_string_equal(a->facts.chain[0], PL);
	resolver_answer_unref(a);
	assert_int_equal(metric_get(METRIC_DNS_CACHE_HITS_TOTAL), hits + 1);
	assert_int_equal(f->servers[0].udp_questions, 2);
}

static void
truncated_script(
    struct dns_packet *out, const char *name, unsigned type, bool tcp)
{
	if (tcp) {
		private_script(out, name, type, tcp);
		return;
	}
	packet_begin(out, 0x8380, name, type);
	packet_a(out, name, 60, 0x08080808);
}

static void
asks_again_over_tcp_when_truncated(void **state)
{
	struct fixture *f = *state;
	const struct policy_answer *facts;

	f->servers[0].script = truncated_script;
	facts = resolve(f, NAME);
	assert_failure(facts, REASON_NONE);
	assert_int_equal(facts->n_addresses, 1);
	assert_int_equal(facts->addresses[0].b[0], 10);
	assert_int_equal(f->servers[0].tcp_questions, 2);
}

static void
nxdomain_script(
    struct dns_packet *out, const char *name, unsigned type, bool tcp)
{
	(void)tcp;
	packet_begin(out, 0x8183, name, type);
	packet_cname(out, name, 60, PL);
	packet_soa(out, "privatelink.blob.core.windows.net", 10, 300);
}

static void
names_the_zone_that_denies(void **state)
{
	struct fixture *f = *state;
	const struct policy_answer *facts;

	f->servers[0].script = nxdomain_script;
	facts = resolve(f, NAME);
	assert_failure(facts, REASON_DNS_NXDOMAIN);
	assert_non_null(facts->negative_soa);
	assert_string_equal(
	    facts->negative_soa, "privatelink.blob.core.windows.net");
	assert_int_equal(facts->n_chain, 1);
	assert_int_equal(f->answers[0]->ttl_s, 10);
}

static void
servfail_script(
    struct dns_packet *out, const char *name, unsigned type, bool tcp)
{
	(void)tcp;
	packet_begin(out, 0x8182, name, type);
}

static void
silent_script(struct dns_packet *out, const char *name, unsigned type, bool tcp)
{
	(void)name;
	(void)type;
	(void)tcp;
	out->n = 0;
}

static void
servfail_and_silence_are_told_apart_and_not_kept(void **state)
{
	struct fixture *f = *state;

	f->servers[0].script = servfail_script;
	assert_failure(resolve(f, NAME), REASON_DNS_SERVFAIL);
	f->servers[0].script = silent_script;
	assert_failure(resolve(f, NAME), REASON_DNS_TIMEOUT);
	f->servers[0].script = private_script;
	assert_failure(resolve(f, NAME), REASON_NONE);
	assert_false(f->answers[0]->cached);
}

static void
aaaa_silent_script(
    struct dns_packet *out, const char *name, unsigned type, bool tcp)
{
	if (type == TYPE_A)
		private_script(out, name, type, tcp);
}

static void
one_family_stands_when_the_other_is_silent(void **state)
{
	struct fixture *f = *state;
	const struct policy_answer *facts;

	f->servers[0].script = aaaa_silent_script;
	facts = resolve(f, NAME);
	assert_failure(facts, REASON_NONE);
	assert_int_equal(facts->n_addresses, 1);
}

static void
other_question_script(
    struct dns_packet *out, const char *name, unsigned type, bool tcp)
{
	(void)name;
	private_script(out, "acct2.blob.core.windows.net", type, tcp);
}

static void
an_answer_to_another_question_is_no_answer(void **state)
{
	struct fixture *f = *state;
	const struct policy_answer *facts;

	f->servers[0].script = other_question_script;
	facts = resolve(f, NAME);
	assert_int_not_equal(facts->failure, REASON_NONE);
	assert_int_equal(facts->n_addresses, 0);
}

static void
the_second_server_is_asked_when_the_first_fails(void **state)
{
	struct fixture *f = *state;
	struct proxy_dns_zone zone;
	struct proxy_dns_config config = config_of(&zone, 1);

	zone_to(&zone, "", f->servers, 2);
	assert_int_equal(resolver_set_config(f->resolver, &config), OK);
	f->servers[0].script = private_script;
	f->servers[1].script = private_script;
	assert_failure(resolve(f, NAME), REASON_NONE);
	assert_int_equal(f->servers[1].udp_questions, 0);
	f->servers[0].script = servfail_script;
	assert_failure(resolve(f, "acct2.blob.core.windows.net"), REASON_NONE);
	assert_int_equal(f->servers[1].udp_questions, 2);
}

static void
a_zone_has_its_own_servers(void **state)
{
	struct fixture *f = *state;
	struct proxy_dns_zone zones[2];
	struct proxy_dns_config config = config_of(zones, 2);

	zone_to(&zones[0], "", &f->servers[0], 1);
	zone_to(&zones[1], "corp.example", &f->servers[1], 1);
	assert_int_equal(resolver_set_config(f->resolver, &config), OK);
	f->servers[0].script = private_script;
	f->servers[1].script = private_script;
	(void)resolve(f, "git.corp.example");
	assert_int_equal(f->servers[0].udp_questions, 0);
	assert_int_equal(f->servers[1].udp_questions, 2);
	(void)resolve(f, "notcorp.example");
	assert_int_equal(f->servers[0].udp_questions, 2);
}

static void
new_servers_drop_the_cache_and_keep_running_queries(void **state)
{
	struct fixture *f = *state;
	struct proxy_dns_zone zone;
	struct proxy_dns_config config = config_of(&zone, 1);

	f->servers[0].script = private_script;
	f->servers[1].script = nxdomain_script;
	(void)ask(f, NAME);
	zone_to(&zone, "", &f->servers[1], 1);
	assert_int_equal(resolver_set_config(f->resolver, &config), OK);
	run_until(f, 1);
	assert_failure(&f->answers[0]->facts, REASON_NONE);
	assert_failure(resolve(f, NAME), REASON_DNS_NXDOMAIN);
	assert_int_equal(f->servers[1].udp_questions, 2);
}

static void
the_environment_has_no_say(void **state)
{
	struct fixture *f = *state;
	struct proxy_dns_zone zone;
	struct proxy_dns_config config = config_of(&zone, 1);

	assert_int_equal(setenv("LOCALDOMAIN", "attacker.example", 1), 0);
	assert_int_equal(setenv("RES_OPTIONS", "ndots:15 rotate", 1), 0);
	zone_to(&zone, "", f->servers, 1);
	assert_int_equal(resolver_set_config(f->resolver, &config), OK);
	f->servers[0].script = nxdomain_script;
	assert_failure(resolve(f, "localhost"), REASON_DNS_NXDOMAIN);
	assert_int_equal(f->servers[0].udp_questions, 2);
	(void)unsetenv("LOCALDOMAIN");
	(void)unsetenv("RES_OPTIONS");
}

static void
no_callback_comes_after_cancel(void **state)
{
	struct fixture *f = *state;
	struct resolver_query *q;

	f->servers[0].script = private_script;
	q = ask(f, NAME);
	(void)ask(f, NAME);
	resolver_cancel(q);
	run_until(f, 1);
	q = ask(f, NAME); /* ready, from the cache */
	resolver_cancel(q);
	assert_true(event_base_loop(f->base, EVLOOP_NONBLOCK) >= 0);
	assert_int_equal(f->n_answers, 1);
	/* And one that is open when the resolver goes. */
	(void)ask(f, "acct3.blob.core.windows.net");
}

static void
a_configuration_without_servers_is_refused(void **state)
{
	struct fixture *f = *state;
	struct proxy_dns_zone zone;
	struct proxy_dns_config config = config_of(&zone, 1);

	zone_to(&zone, "", f->servers, 0);
	assert_int_equal(resolver_set_config(f->resolver, &config), E_INVALID);
	f->servers[0].script = private_script;
	assert_failure(resolve(f, NAME), REASON_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RESOLVER_TEST(resolves_a_private_chain),
		RESOLVER_TEST(asks_once_and_then_from_the_cache),
		RESOLVER_TEST(
		    finds_at_once_what_the_cache_has_and_nothing_else),
		RESOLVER_TEST(asks_again_over_tcp_when_truncated),
		RESOLVER_TEST(names_the_zone_that_denies),
		RESOLVER_TEST(servfail_and_silence_are_told_apart_and_not_kept),
		RESOLVER_TEST(one_family_stands_when_the_other_is_silent),
		RESOLVER_TEST(an_answer_to_another_question_is_no_answer),
		RESOLVER_TEST(the_second_server_is_asked_when_the_first_fails),
		RESOLVER_TEST(a_zone_has_its_own_servers),
		RESOLVER_TEST(
		    new_servers_drop_the_cache_and_keep_running_queries),
		RESOLVER_TEST(the_environment_has_no_say),
		RESOLVER_TEST(no_callback_comes_after_cancel),
		RESOLVER_TEST(a_configuration_without_servers_is_refused),
	};
	return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}
