/* Each allocation fails once: nothing leaks, nothing falls over, and nobody
 * gets half a token. */
#include "tests/unit/test.h"

#include "tests/unit/identity/cache_sim.h"

#include "base/log.h"
#include "base/wiping.h"
#include "identity/phantom.h"
#include "identity/shapes.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The linker sends the archives' calls here (--wrap). */
void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t size);

static unsigned countdown; /**< 0: never */
static unsigned failures;

static bool
fails_now(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	failures++;
	return true;
}

void *
__wrap_malloc(size_t n)
{
	return fails_now() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return fails_now() ? NULL : __real_calloc(count, size);
}

/* Runs @step with the first, the second, ... allocation failing. */
static void
sweep(void (*step)(bool failing))
{
	unsigned n = 1;

	do {
		failures = 0;
		countdown = n++;
		step(true);
		countdown = 0;
	} while (failures > 0);
	assert_true(n > 2);
	step(false);
}

#define LONG "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.abcdefghijklmnopqrs"

static void
parse_once(bool failing)
{
	struct token_json t = { .secret = NULL };
	char word[64];
	enum status st;

	/* Long enough for the reader's buffers to grow within it. */
	st = token_json_parse(SLICE("{\"access_token\":\"" LONG LONG "\","
	                            "\"expires_on\":\"1800000600\","
	                            "\"more\":{\"a\":[1,2.5,null]}}"),
	    1800000000, &t, NULL);
	if (!failing)
		assert_int_equal(st, OK);
	if (failures > 0)
		assert_int_equal(st, E_NOMEM);
	assert_int_equal(st == OK, t.secret != NULL);
	secret_unref(t.secret);
	token_json_error(SLICE("{\"error\":\"x\"}"), word);
}

static void
reads_a_token_or_says_no_memory(void **state)
{
	(void)state;
	sweep(parse_once);
}

static void
shape_once(bool failing)
{
	static const struct shape_token t = { .client_id = "c",
		.resource = "r",
		.token = { .p = "TOKEN", .n = 5 },
		.left_s = 1 };
	static const struct shape_error e = { 400, "e", "d", "C", "I", true };
	struct buf b;

	buf_init_secret(&b, 4096);
	shape_put_token(&b, &t, true);
	shape_put_databricks(&b, &t, true);
	shape_put_error(&b, &e, true);
	if (!failing)
		assert_int_equal(buf_status(&b), OK);
	if (failures > 0)
		assert_int_equal(buf_status(&b), E_NOMEM);
	buf_release(&b);
}

static void
composes_a_whole_answer_or_none(void **state)
{
	(void)state;
	sweep(shape_once);
}

static void
phantom_once(bool failing)
{
	static const uint8_t key[PHANTOM_KEY_BYTES] = "k";
	const struct phantom p = { .id = "0123456789abcdef0123456789abcdef",
		.identity = "host" };
	struct phantom got;
	struct buf b;
	enum status st;

	buf_init_secret(&b, PHANTOM_TEXT_MAX);
	st = phantom_make(key, &p, "w1",
	    SLICE("a.eyJhdWQiOiJodHRwczovL2EiLCJleHAiOjF9.b"), &b);
	if (st == OK)
		st = phantom_read(key, buf_slice(&b), &got);
	if (!failing)
		assert_int_equal(st, OK);
	if (failures > 0)
		assert_int_equal(st, E_NOMEM);
	buf_release(&b);
}

static void
makes_and_reads_a_phantom_or_says_no_memory(void **state)
{
	(void)state;
	sweep(phantom_once);
}

static struct sim sim;

static void
cache_once(bool failing)
{
	struct cache_wait w[2];
	enum status st[2];

	sim.revoked = NULL;
	st[0] = sim_ask(&sim, "host", "one", &w[0]);
	st[1] = sim_ask(&sim, "alice", "two", &w[1]);
	for (unsigned i = 0; i < 2; i++)
		if (st[i] == E_PARTIAL)
			cache_cancel(sim.cache, &w[i]);
		else
			assert_true(failing);
	if (cache_set_configs(sim.cache, sim_configs, 0) != OK)
		assert_true(failing);
	sim_pass(&sim, 1);
	countdown = 0;
	assert_int_equal(cache_set_configs(sim.cache, sim_configs, 2), OK);
	sim_pass(&sim, 2000);
}

static void
keeps_the_cache_sound(void **state)
{
	(void)state;
	sim_init(&sim);
	sweep(cache_once);
	sim_release(&sim);
}

static void
moves_blocks_without_losing_bytes(void **state)
{
	char *p = wiping_strdup("abc");

	(void)state;
	p = wiping_realloc(p, 1000);
	assert_string_equal(p, "abc");
	countdown = 1;
	assert_null(wiping_realloc(p, 2000));
	countdown = 0;
	assert_string_equal(p, "abc");
	wiping_free(p);
	p = wiping_realloc(NULL, 8);
	assert_non_null(p);
	wiping_free(p);
	wiping_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_token_or_says_no_memory),
		cmocka_unit_test(composes_a_whole_answer_or_none),
		cmocka_unit_test(makes_and_reads_a_phantom_or_says_no_memory),
		cmocka_unit_test(keeps_the_cache_sound),
		cmocka_unit_test(moves_blocks_without_losing_bytes),
	};
	bool locked;

	log_set_level(LOG_LEVEL_ERROR);
	if (secret_arena_init(1 << 20, false, &locked) != OK)
		return EXIT_FAILURE;
	/* jansson seeds its hash table once. */
	json_object_seed(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
