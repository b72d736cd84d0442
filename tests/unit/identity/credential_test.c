/* Tokens for the agent itself: the same cache, the same one flight. */
#include "tests/unit/test.h"

#include "tests/unit/identity/broker_world.h"

#include "base/log.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ASK                                                           \
	"GET /metadata/identity/oauth2/token?api-version=2018-02-01"  \
	"&resource=r HTTP/1.1\r\nHost: 169.254.169.254\r\nMetadata: " \
	"true\r\n\r\n"

struct asker {
	struct identity_credential c; /* first */
	unsigned calls;
	enum status st;
};

static void
on_done(struct identity_wait *w, enum status st)
{
	struct asker *a = (struct asker *)(void *)((char *)w -
	    offsetof(struct identity_credential, wait));

	a->calls++;
	a->st = st;
}

static enum status
ask(struct world *w, struct asker *a, const char *identity)
{
	*a = (struct asker){ .c = {
		                 .wait = { .done = on_done },
		                 .identity = identity,
		                 .audience = "r",
		             } };
	return identity_credential(w->id, &a->c);
}

/* Waits for the answer, which must come. */
static enum status
wait_for(struct world *w, const struct asker *a)
{
	for (int i = 0; i < 400 && a->calls == 0; i++)
		world_run(w, 10);
	assert_int_equal(a->calls, 1);
	return a->st;
}

static void
assert_token(struct asker *a, const char *text)
{
	assert_non_null(a->c.secret);
	assert_true(slice_is(secret_bytes(a->c.secret), text));
	assert_in_range(a->c.left_s, 3590, 3600);
	secret_unref(a->c.secret);
	a->c.secret = NULL;
}

static void
one_flight_serves_the_agent_and_its_clients(void **state)
{
	struct world w;
	struct asker a, b;

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	assert_int_equal(ask(&w, &a, "host"), E_PARTIAL);
	assert_int_equal(ask(&w, &b, "host"), E_PARTIAL);
	assert_int_equal(wait_for(&w, &a), OK);
	assert_int_equal(wait_for(&w, &b), OK);
	assert_token(&a, "TOKEN");
	assert_token(&b, "TOKEN");
	assert_int_equal(ask(&w, &a, "host"), OK);
	assert_int_equal(a.calls, 0);
	assert_token(&a, "TOKEN");
	assert_non_null(strstr(world_ask(&w, ASK), "TOKEN"));
	assert_int_equal(w.imds_requests, 1);
	world_release(&w);
}

/* Its asker has its own record for what the token is put into. */
static void
it_asks_no_grant_and_writes_no_record(void **state)
{
	struct world w;
	struct asker a;

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	w.deny = true;
	assert_int_equal(ask(&w, &a, "host"), E_PARTIAL);
	assert_int_equal(wait_for(&w, &a), OK);
	assert_token(&a, "TOKEN");
	assert_int_equal(w.grants_asked, 0);
	assert_int_equal(w.records, 0);
	world_release(&w);
}

static void
says_why_there_is_none(void **state)
{
	struct world w;
	struct asker a;

	(void)state;
	world_init(&w);
	assert_int_equal(ask(&w, &a, "nobody"), E_NOTFOUND);
	world_imds(
	    &w, "400 Bad Request", "", "{\"error\":\"invalid_request\"}");
	assert_int_equal(ask(&w, &a, "host"), E_PARTIAL);
	assert_int_equal(wait_for(&w, &a), E_DENIED);
	assert_null(a.c.secret);
	/* For a while nobody else need ask. */
	assert_int_equal(ask(&w, &a, "host"), E_DENIED);
	assert_int_equal(w.imds_requests, 1);
	world_release(&w);
}

static void
hears_that_its_identity_is_gone(void **state)
{
	struct world w;
	struct asker a;

	(void)state;
	world_init(&w);
	assert_int_equal(ask(&w, &a, "host"), E_PARTIAL);
	assert_int_equal(identity_set_configs(w.id, NULL, 0), OK);
	assert_int_equal(wait_for(&w, &a), E_NOTFOUND);
	assert_int_equal(ask(&w, &a, "host"), E_NOTFOUND);
	world_release(&w);
}

static void
who_cancels_hears_nothing(void **state)
{
	struct world w;
	struct asker a, b;

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	assert_int_equal(ask(&w, &a, "host"), E_PARTIAL);
	assert_int_equal(ask(&w, &b, "host"), E_PARTIAL);
	identity_credential_cancel(w.id, &a.c);
	identity_credential_cancel(w.id, &a.c);
	assert_int_equal(wait_for(&w, &b), OK);
	assert_int_equal(a.calls, 0);
	assert_null(a.c.secret);
	identity_credential_cancel(w.id, &b.c);
	assert_token(&b, "TOKEN");
	world_release(&w);
}

/* The id is all that the asker has of it. */
static void
a_token_that_was_refused_is_fetched_anew(void **state)
{
	char id[SECRET_ID_BYTES];
	struct world w;
	struct asker a;

	(void)state;
	world_init(&w);
	world_imds_token(&w, 3600);
	assert_int_equal(ask(&w, &a, "host"), E_PARTIAL);
	assert_int_equal(wait_for(&w, &a), OK);
	secret_id(a.c.secret, id);
	assert_token(&a, "TOKEN");
	world_imds(&w, "200 OK", "",
	    "{\"access_token\":\"ANOTHER\",\"expires_in\":\"3600\","
	    "\"client_id\":\"c\",\"token_type\":\"Bearer\"}");
	a = (struct asker){ .c = { .wait = { .done = on_done },
		                .identity = "host",
		                .audience = "r",
		                .spent_id = id } };
	assert_int_equal(identity_credential(w.id, &a.c), E_PARTIAL);
	assert_int_equal(wait_for(&w, &a), OK);
	assert_token(&a, "ANOTHER");
	assert_int_equal(w.imds_requests, 2);
	/* Another's token was not what was refused. */
	a = (struct asker){ .c = { .wait = { .done = on_done },
		                .identity = "host",
		                .audience = "r",
		                .spent_id = id } };
	assert_int_equal(identity_credential(w.id, &a.c), OK);
	assert_token(&a, "ANOTHER");
	world_release(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_flight_serves_the_agent_and_its_clients),
		cmocka_unit_test(it_asks_no_grant_and_writes_no_record),
		cmocka_unit_test(says_why_there_is_none),
		cmocka_unit_test(hears_that_its_identity_is_gone),
		cmocka_unit_test(who_cancels_hears_nothing),
		cmocka_unit_test(a_token_that_was_refused_is_fetched_anew),
	};
	bool locked;

	log_set_level(LOG_LEVEL_ERROR);
	if (secret_arena_init(1 << 20, false, &locked) != OK)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
