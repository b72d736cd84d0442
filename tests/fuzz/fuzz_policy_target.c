/* Method, path and query as they come: what is read has one meaning. */
#include "policy/target.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static bool
has(struct slice s, const char *what)
{
	for (size_t i = 0; i < s.n; i++)
		if (slice_starts(slice_from(s, i), slice_of(what)))
			return true;
	return false;
}

/* Read again it is the same, so nobody can read on where we stopped. */
static void
check_tidy(struct slice path)
{
	char *again = malloc(path.n + 2);
	struct slice normal;

	must(again != NULL);
	must(path.n == strlen(path.p));
	must(path.p[0] == '/' || slice_is(path, "*"));
	must(!has(path, "//") && !has(path, "/../") && !has(path, "/./"));
	must(!slice_ends(path, SLICE("/..")) && !slice_ends(path, SLICE("/.")));
	must(!has(path, "%2F") && !has(path, "%2f") && !has(path, ";") &&
	    !has(path, "\\") && !has(path, "%00") && !has(path, "%5C"));
	must(path_normal(path, true, again, &normal));
	must(slice_eq(normal, path));
	free(again);
}

static void
check_other(struct slice path, struct slice tidy)
{
	char *again = malloc(path.n + 2);
	struct slice normal;

	must(again != NULL);
	must(path.n == strlen(path.p));
	must(path_normal(path, true, again, &normal));
	must(slice_eq(normal, tidy));
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { .p = (const char *)data, .n = size };
	size_t end = slice_find(in, '\n');
	struct policy_plain plain = { .method = SLICE("PUT"),
		.path = slice_head(in, end),
		.query = slice_from(in, end + 1) };
	struct policy_target t;
	char *text = malloc(policy_target_bytes(&plain));

	must(text != NULL);
	policy_target_read(&plain, text, &t);
	if (!t.broken) {
		check_tidy(t.path);
		check_other(t.other, t.path);
	}
	if (has(plain.query, "&sig=") ||
	    slice_starts(plain.query, SLICE("sig=")) ||
	    has(plain.query, "&%73ig="))
		must(t.sas);
	if (slice_is(plain.query, "comp=batch"))
		must(t.batch);
	free(text);
	return 0;
}
