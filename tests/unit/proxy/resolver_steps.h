/* The steps that tests of the resolver share. */
#ifndef TESTS_UNIT_PROXY_RESOLVER_STEPS_H
#define TESTS_UNIT_PROXY_RESOLVER_STEPS_H

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

static inline void
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

static inline struct proxy_dns_config
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

static inline int
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

static inline void
drop_answers(struct fixture *f)
{
	for (unsigned i = 0; i < f->n_answers; i++)
		resolver_answer_unref(f->answers[i]);
	f->n_answers = 0;
}

static inline int
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

static inline void
note_answer(void *arg, struct resolver_answer *a)
{
	struct fixture *f = arg;

	assert_true(f->n_answers < WAITERS);
	f->answers[f->n_answers++] = a;
	if (f->n_answers == f->wanted)
		(void)event_base_loopbreak(f->base);
}

static inline struct resolver_query *
ask(struct fixture *f, const char *name)
{
	unsigned had = f->n_answers;
	struct resolver_query *q =
	    resolver_start(f->resolver, name, note_answer, f);

	assert_non_null(q);
	assert_int_equal(f->n_answers, had); /* never from inside */
	return q;
}

static inline void
run_until(struct fixture *f, unsigned answers)
{
	struct timeval limit = { 5, 0 };

	f->wanted = answers;
	assert_int_equal(event_base_loopexit(f->base, &limit), 0);
	if (f->n_answers < answers)
		(void)event_base_dispatch(f->base);
	assert_int_equal(f->n_answers, answers);
}

static inline const struct policy_answer *
resolve(struct fixture *f, const char *name)
{
	drop_answers(f);
	(void)ask(f, name);
	run_until(f, 1);
	return &f->answers[0]->facts;
}

static inline void
assert_failure(const struct policy_answer *facts, enum reason want)
{
	assert_string_equal(reason_code(facts->failure), reason_code(want));
}

static inline void
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

#define RESOLVER_TEST(name) \
	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
