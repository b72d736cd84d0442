/* What is opened as libcurl must be one that knows our options. */
#include "tests/unit/test.h"

#include "identity/fetch.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <event2/event.h>
#include <string.h>

static const char *lacking; /* a call that is not there */
static bool is_old;

/* The names are the linker's (--wrap). */
/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void *__real_dlsym(void *handle, const char *name);
void *__wrap_dlsym(void *handle, const char *name);

static curl_version_info_data *
old_version(CURLversion age)
{
	static curl_version_info_data data = { .version = "7.80.0",
		.version_num = 0x075000 };

	data.age = age;
	return &data;
}

void *
__wrap_dlsym(void *handle, const char *name)
{
	curl_version_info_data *(*call)(CURLversion age) = old_version;
	void *at;

	if (lacking != NULL && strcmp(name, lacking) == 0)
		return NULL;
	if (!is_old || strcmp(name, "curl_version_info") != 0)
		return __real_dlsym(handle, name);
	memcpy(&at, &call, sizeof at);
	return at;
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static void
a_library_that_is_too_old_is_refused_by_its_version(void **state)
{
	struct event_base *base = event_base_new();
	struct status_detail detail = { "" };
	struct fetcher *f;

	(void)state;
	assert_non_null(base);
	assert_int_equal(fetcher_create(base, &f), OK);
	is_old = true;
	assert_int_equal(fetcher_open(f, &detail), E_UNSUPPORTED);
	assert_non_null(strstr(detail.text, "7.80.0"));
	assert_non_null(strstr(detail.text, "or newer"));
	is_old = false;
	lacking = "curl_multi_assign";
	assert_int_equal(fetcher_open(f, &detail), E_UNSUPPORTED);
	assert_non_null(strstr(detail.text, "no curl_multi_assign()"));
	/* Nothing of those that were refused is kept. */
	lacking = NULL;
	assert_int_equal(fetcher_open(f, &detail), OK);
	fetcher_destroy(f);
	event_base_free(base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_library_that_is_too_old_is_refused_by_its_version),
	};
	return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
