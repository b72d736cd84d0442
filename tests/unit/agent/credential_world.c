/* Two clocks, one loop and an identity that does as it is told. */
#include "tests/unit/test.h"

#include "tests/unit/agent/credential_world.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The agent's calls of identity and of the heap come here (--wrap). */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
enum status __wrap_identity_credential(
    struct identity *id, struct identity_credential *c);
void __wrap_identity_credential_cancel(
    struct identity *id, struct identity_credential *c);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

_Thread_local long fail_in = -1;

/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void *
__wrap_calloc(size_t n, size_t size)
{
	if (fail_in >= 0 && fail_in-- == 0)
		return NULL;
	return __real_calloc(n, size);
}

struct credential_world world;

static void
give(struct identity_credential *c)
{
	assert_int_equal(secret_create(slice_of(world.token), &c->secret), OK);
	c->left_s = world.left_s;
}

/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
enum status
__wrap_identity_credential(struct identity *id, struct identity_credential *c)
{
	assert_non_null(id);
	world.questions++;
	(void)snprintf(
	    world.identity, sizeof world.identity, "%s", c->identity);
	(void)snprintf(
	    world.audience, sizeof world.audience, "%s", c->audience);
	(void)snprintf(world.spent, sizeof world.spent, "%s",
	    c->spent_id != NULL ? c->spent_id : "");
	if (world.st == OK)
		give(c);
	if (world.st == E_PARTIAL)
		world.waiting = c;
	return world.st;
}

/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void
__wrap_identity_credential_cancel(
    struct identity *id, struct identity_credential *c)
{
	assert_non_null(id);
	assert_ptr_equal(c, world.waiting);
	world.waiting = NULL;
	world.cancels++;
}

/* What the identity was waiting for has come to @st. */
void
world_answer(enum status st)
{
	struct identity_credential *c = world.waiting;

	assert_non_null(c);
	world.waiting = NULL;
	if (st == OK)
		give(c);
	c->wait.done(&c->wait, st);
}

static int64_t
boot_ms(void *ctx)
{
	(void)ctx;
	return world.boot_ms;
}

static int64_t
unix_ns(void *ctx)
{
	(void)ctx;
	return world.unix_ms * 1000000;
}

void
world_pass(int64_t ms)
{
	world.boot_ms += ms;
	world.unix_ms += ms;
}

int
world_setup(void **state)
{
	static char
	    nobody; /* stands for the identity, which is not looked at */
	size_t total;

	(void)state;
	memset(&world, 0, sizeof world);
	secret_arena_usage(&world.secret_bytes, &total);
	world.clock = (struct clock){ boot_ms, unix_ns, NULL };
	world.boot_ms = 1000000;
	world.unix_ms = INT64_C(1800000000000);
	world.token = "TOKEN";
	world.left_s = 3600;
	world.base = event_base_new();
	assert_non_null(world.base);
	assert_int_equal(mailbox_create(world.base, BOX_MAX, &world.box), OK);
	assert_int_equal(
	    credential_desk_create(world.box, &world.clock, &world.desk), OK);
	credential_desk_set(world.desk, (struct identity *)(void *)&nobody);
	world.wiring =
	    (struct wiring){ .mailbox = world.box, .credentials = world.desk };
	assert_int_equal(wiring_credentials_open(&world.wiring), OK);
	return 0;
}

/* Nothing is left behind: no token, nobody who waits. */
int
world_teardown(void **state)
{
	size_t used, total;

	(void)state;
	credential_desk_close(world.desk);
	wiring_credentials_close(&world.wiring);
	mailbox_destroy(world.box);
	credential_desk_destroy(world.desk);
	event_base_free(world.base);
	assert_null(world.waiting);
	secret_arena_usage(&used, &total);
	assert_int_equal(used, world.secret_bytes);
	return 0;
}

void
world_done(struct proxy_wait *w, enum status st)
{
	struct asker *a = (struct asker *)w;

	a->calls++;
	a->st = st;
}

enum status
world_ask_for(struct asker *a, const char *identity, const char *audience,
    const char *spent_id)
{
	*a = (struct asker){ .ask = {
		                 .wait = { .done = world_done },
		                 .identity = identity,
		                 .audience = audience,
		                 .rule = "r",
		                 .spent_id = spent_id,
		             } };
	return wiring_credential_ask(&world.wiring, &a->ask);
}

enum status
world_ask(struct asker *a)
{
	return world_ask_for(a, "host", "https://a", NULL);
}

/* The token that @a got, which is let go. */
void
world_got(struct asker *a, const char *text)
{
	assert_non_null(a->ask.got.secret);
	assert_true(slice_is(secret_bytes(a->ask.got.secret), text));
	assert_string_equal(a->ask.got.identity, a->ask.identity);
	assert_int_equal(strlen(a->ask.got.token_id), SECRET_ID_BYTES - 1);
	secret_unref(a->ask.got.secret);
	a->ask.got.secret = NULL;
}

/* Both loops are one here: the mails go there and back. */
void
world_turn(void)
{
	for (int i = 0; i < 4; i++)
		mailbox_flush(world.box);
}

/* One token is in the table. */
void
world_hold(void)
{
	struct asker a;

	assert_int_equal(world_ask(&a), E_PARTIAL);
	world_turn();
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.st, OK);
	assert_int_equal(
	    a.ask.got.until_ms, world.boot_ms + world.left_s * 1000);
	world_got(&a, world.token);
}
