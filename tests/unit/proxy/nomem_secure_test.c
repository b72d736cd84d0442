/* Each allocation of a gateway's request fails once: nothing breaks, nothing
 * leaks, and no stream is given out without its `open` record. */
#include "tests/unit/proxy/secure_steps.h"

#include "policy/target.h"

static const struct policy_target seen = { .method = SLICE_INIT("GET") };

/* Allocations until one fails; 0: none does. */
static unsigned countdown;
static bool failed;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static bool
fails_now(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	failed = true;
	return true;
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __real_calloc(n, size);
}

void *
__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

static enum status
read_phantom(void *ctx, struct slice text, struct proxy_phantom *out)
{
	(void)ctx;
	(void)text;
	*out = (struct proxy_phantom){ .identity = "alice" };
	return OK;
}

static void
on_told_either(void *arg, enum request_outcome o)
{
	(void)arg;
	outcome = o;
	told++;
}

/* False: @n was beyond the last allocation. */
static bool
attempt(unsigned n)
{
	struct request_params params;

	(void)secure_setup(NULL);
	params = params_of(REQUEST_GATEWAY);
	fake.ports.phantoms.read = read_phantom;
	bearer = (struct forward_bearer){ .kind = FORWARD_BEARER_ONE,
		.value = SLICE("Bearer phantom") };
	params.target = &seen;
	failed = false;
	countdown = n;
	the_request = request_start(&params, on_told_either, NULL);
	if (the_request != NULL)
		fake_run();
	countdown = 0;
	if (the_request != NULL) {
		assert_int_equal(told, 1);
		if (outcome == REQUEST_READY) {
			assert_int_equal(fake.records[0].event, RECORD_OPEN);
			ready();
		}
	}
	(void)secure_teardown(NULL);
	return failed;
}

static void
every_failing_allocation_is_survived(void **state)
{
	unsigned n = 1;

	(void)state;
	while (attempt(n))
		n++;
	/* The request, what it asks with, and what TLS adds. */
	assert_true(n > 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failing_allocation_is_survived),
	};

	return cmocka_run_group_tests_name(
	    "nomem_secure", tests, secure_group_setup, NULL);
}
