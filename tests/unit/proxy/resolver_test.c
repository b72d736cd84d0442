/* The resolver against a scripted server on loopback, UDP and TCP. */
#include "tests/unit/test.h"

#include "proxy/resolver.h"
#include "tests/unit/proxy/dns_server.h"

#include <event2/event.h>
#include <stdlib.h>

static const char NAME[] = "acct1.blob.core.windows.net";
static const char PL[] = "acct1.privatelink.blob.core.windows.net";

enum { TYPE_A = 1, TYPE_AAAA = 28, WAITERS = 4 };

struct fixture {
	struct event_base *base;
	struct server servers[2];
	struct resolver *resolver;
	struct resolver_answer *answers[WAITERS];
	unsigned n_answers;
	unsigned wanted;
};

static void
zone_to(struct proxy_dns_zone *z, const char *suffix, const struct server *s,
    size_t n)
{
	memset(z, 0, sizeof *z);
	assert_true(slice_copy(slice_of(suffix), z->suffix, HOST_BYTES));
	for (size_t i = 0; i < n; i++) {
		z->servers[i].addr =
		    (struct addr){ .family = ADDR_V4, .b = { 127, 0, 0, 1 } };
		z->servers[i].port = s[i].port;
	}
	z->n_servers = n;
}

static struct proxy_dns_config
config_of(struct proxy_dns_zone *zones, size_t n)
{
	struct proxy_dns_config c = {
		.zones = zones,
		.n_zones = n,
		.timeout_ms = 300,
		.attempts = 1,
		.max_ttl_s = 60,
	};

	return c;
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct proxy_dns_zone zone;
	struct proxy_dns_config config;

	assert_non_null(f);
	f->base = event_base_new();
	assert_non_null(f->base);
	server_start(&f->servers[0], f->base);
	server_start(&f->servers[1], f->base);
	zone_to(&zone, "", f->servers, 1);
	config = config_of(&zone, 1);
	assert_int_equal(
	    resolver_create(f->base, &clock_system, &config, &f->resolver), OK);
	*state = f;
	return 0;
}

static void
drop_answers(struct fixture *f)
{
	for (unsigned i = 0; i < f->n_answers; i++)
		resolver_answer_unref(f->answers[i]);
	f->n_answers = 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	drop_answers(f);
	resolver_destroy(f->resolver);
	server_stop(&f->servers[0]);
	server_stop(&f->servers[1]);
	event_base_free(f->base);
	free(f);
	return 0;
}

static void
note_answer(void *arg, struct resolver_answer *a)
{
	struct fixture *f = arg;

	assert_true(f->n_answers < WAITERS);
	f->answers[f->n_answers++] = a;
	if (f->n_answers == f->wanted)
		(void)event_base_loopbreak(f->base);
}

static struct resolver_query *
ask(struct fixture *f, const char *name)
{
	unsigned had = f->n_answers;
	struct resolver_query *q =
	    resolver_start(f->resolver, name, note_answer, f);

	assert_non_null(q);
	assert_int_equal(f->n_answers, had); /* never from inside */
	return q;
}

static void
run_until(struct fixture *f, unsigned answers)
{
	struct timeval limit = { 5, 0 };

	f->wanted = answers;
	assert_int_equal(event_base_loopexit(f->base, &limit), 0);
	if (f->n_answers < answers)
		(void)event_base_dispatch(f->base);
	assert_int_equal(f->n_answers, answers);
}

static const struct policy_answer *
resolve(struct fixture *f, const char *name)
{
	drop_answers(f);
	(void)ask(f, name);
	run_until(f, 1);
	return &f->answers[0]->facts;
}

static void
assert_failure(const struct policy_answer *facts, enum reason want)
{
	assert_string_equal(reason_code(facts->failure), reason_code(want));
}

static void
private_script(
    struct dns_packet *out, const char *name, unsigned type, bool tcp)
{
	(void)tcp;
	packet_begin(out, 0x8180, name, type);
	packet_cname(out, name, 60, PL);
	if (type == TYPE_A)
		packet_a(out, PL, 10, 0x0a140005);
	else
		packet_soa(out, "privatelink.blob.core.windows.net", 10, 10);
}

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

#define RESOLVER_TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RESOLVER_TEST(resolves_a_private_chain),
		RESOLVER_TEST(asks_once_and_then_from_the_cache),
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
