/* What a plain request asks for, however it is spelled. */
#include "tests/unit/test.h"

#include "policy/target.h"

#include <stdio.h>
#include <string.h>

#define BAD "broken"

static const struct {
	const char *path, *tidy, *other; /**< other NULL: the same */
} paths[] = {
	{ "", "/", NULL },
	{ "/", "/", NULL },
	{ "*", "*", NULL },
	{ "/a/b", "/a/b", NULL },
	{ "/%61/%7e%2D", "/a/~-", NULL },
	{ "/%24web/%40", "/$web/@", NULL },
	{ "/a%20b%c3%a9", "/a%20b%C3%A9", NULL },
	{ "/a%2fb", "/a/b", "/a%2Fb" },
	{ "/a%2F%2fb", "/a/b", "/a%2F%2Fb" },
	{ "//a///b/", "/a/b/", "//a///b/" },
	{ "/a;v=1/b;", "/a/b", "/a;v=1/b;" },
	{ "/a%3bv", "/a%3Bv", NULL },
	{ "/;x/b", "/b", "/;x/b" },
	{ "/%25", "/%25", NULL },
	{ "/%25zz", "/%25zz", NULL },
	{ "/...", "/...", NULL },
	{ "/a..b/.c", "/a..b/.c", NULL },
	{ "/a?b", "/a?b", NULL }, /* never asked with one */
	{ "a/b", BAD, NULL },
	{ "/a/../b", BAD, NULL },
	{ "/a/..", BAD, NULL },
	{ "/./a", BAD, NULL },
	{ "/a/%2e%2E/b", BAD, NULL },
	{ "/a/.%2e", BAD, NULL },
	{ "/a%2f..%2fb", BAD, NULL },
	{ "/a/..;x/b", BAD, NULL },
	{ "/a/..;/b", BAD, NULL },
	{ "/a/.;x=%2f", BAD, NULL },
	{ "/a\\b", BAD, NULL },
	{ "/a%5cb", BAD, NULL },
	{ "/a%00", BAD, NULL },
	{ "/a%0d", BAD, NULL },
	{ "/a%7f", BAD, NULL },
	{ "/a%2541", BAD, NULL },
	{ "/a%252f", BAD, NULL },
	{ "/a%25%32%66", BAD, NULL },
	{ "/a%252%66", BAD, NULL },
	{ "/a%25;x2f", "/a%25", "/a%25;x2f" },
	{ "/a%c0%af", BAD, NULL },
	{ "/a%2", BAD, NULL },
	{ "/a%", BAD, NULL },
	{ "/a%g1", BAD, NULL },
};

static const struct {
	const char *query;
	bool sas, batch;
} queries[] = {
	{ "", false, false },
	{ "sv=1&sr=b", false, false },
	{ "sigma=1&xsig=2&sig2=3", false, false },
	{ "q=sig", false, false },
	{ "sv=1&sig=x", true, false },
	{ "sig", true, false },
	{ "SIG=x", true, false },
	{ "%73ig=x", true, false },
	{ "%73%69%67=x", true, false },
	{ "%2573ig=x", true, false },
	{ "%252573ig=x", true, false },
	{ "a=1;sig=x", true, false },
	{ "a=1;b=2;s%69g=x;c", true, false },
	{ "+sig+=x", true, false },
	{ "%20%09sig%0a=x", true, false },
	{ "s%=x", true, false }, /* who knows */
	{ "si%00g=x", true, false },
	{ "a=%", false, false },
	{ "comp=list", false, false },
	{ "restype=container&comp=batch", false, true },
	{ "Comp=%62atch", false, true },
	{ "c%6fmp=BATCH", false, true },
	{ "comp=batches", false, false },
	{ "xcomp=batch", false, false },
};

struct asked {
	struct http1_fields fields;
	struct policy_plain plain;
	struct policy_target target;
	char *text;
};

/* In a block of exactly the size that it says. */
static void
read_all(struct asked *a)
{
	size_t n = policy_target_bytes(&a->plain);

	a->text = test_malloc(n);
	policy_target_read(&a->plain, a->text, &a->target);
}

static struct policy_target
read_request(const char *path, const char *query, char *copy, size_t bytes)
{
	struct asked a = { .plain = { .method = SLICE("GET"),
		               .path = slice_of(path) } };

	if (query != NULL)
		a.plain.query = slice_of(query);
	read_all(&a);
	(void)snprintf(copy, bytes, "%s|%s",
	    a.target.broken ? BAD : a.target.path.p,
	    a.target.broken ? "" : a.target.other.p);
	test_free(a.text);
	return a.target;
}

static void
each_path_has_its_readings_or_is_broken(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const char *other =
		    paths[i].other != NULL ? paths[i].other : paths[i].tidy;
		char got[256], want[256];

		if (strcmp(paths[i].tidy, BAD) == 0)
			other = "";
		(void)snprintf(
		    want, sizeof want, "%s|%s", paths[i].tidy, other);
		(void)read_request(paths[i].path, NULL, got, sizeof got);
		if (strcmp(got, want) != 0)
			fail_msg("%s: %s, not %s", paths[i].path, got, want);
	}
}

static void
a_signature_is_seen_in_any_spelling(void **state)
{
	char got[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		struct policy_target t =
		    read_request("/c", queries[i].query, got, sizeof got);

		if (t.sas != queries[i].sas || t.batch != queries[i].batch)
			fail_msg("%s: sas %d, batch %d", queries[i].query,
			    t.sas, t.batch);
	}
}

static void
a_long_key_that_hides_counts_as_a_signature(void **state)
{
	char query[128], got[256];

	(void)state;
	memset(query, 'a', 80);
	memcpy(query + 80, "=1", 3);
	assert_false(read_request("/", query, got, sizeof got).sas);
	memcpy(query + 10, "%20", 3);
	assert_true(read_request("/", query, got, sizeof got).sas);
}

static void
odata_batches_are_batches(void **state)
{
	char got[256];

	(void)state;
	assert_true(read_request("/$batch", NULL, got, sizeof got).batch);
	assert_true(read_request("/t/%24batch", NULL, got, sizeof got).batch);
	assert_false(read_request("/batch", NULL, got, sizeof got).batch);
}

static void
plain_http_knows_no_coded_slash(void **state)
{
	struct asked a = { .plain = { .method = SLICE("GET"),
		               .path = SLICE("/a%2Fb"),
		               .no_coded_slash = true } };

	(void)state;
	read_all(&a);
	assert_true(a.target.broken);
	test_free(a.text);
}

static void
add(struct asked *a, const char *name, const char *value)
{
	struct http1_field *f = &a->fields.at[a->fields.n++];

	f->name = slice_of(name);
	f->value = slice_of(value);
	a->plain.fields = &a->fields;
	a->plain.method = SLICE("PUT");
	a->plain.path = SLICE("/c/b");
}

static void
a_method_beside_the_method_is_told(void **state)
{
	static const struct {
		const char *first, *second, *too; /**< too NULL: broken */
	} rows[] = {
		{ "DELETE", NULL, "DELETE" },
		{ "PATCH", "PATCH", "PATCH" },
		{ "PATCH", "DELETE", NULL },
		{ "GET, DELETE", NULL, NULL },
		{ "", NULL, NULL },
	};

	static const char *const names[] = { "X-HTTP-Method",
		"x-http-method-override", "X-Method-Override" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < ARRAY_LEN(names); k++) {
			struct asked a = { .fields = { .n = 0 } };

			add(&a, names[k], rows[i].first);
			if (rows[i].second != NULL)
				add(&a, names[(k + 1) % 3], rows[i].second);
			read_all(&a);
			assert_int_equal(a.target.broken, rows[i].too == NULL);
			if (rows[i].too != NULL)
				assert_true(
				    slice_is(a.target.method_too, rows[i].too));
			test_free(a.text);
		}
}

static const struct {
	const char *field, *value, *host, *path;
	bool broken, sas, moves;
} sources[] = {
	{ "x-ms-copy-source", "https://B.blob.core.windows.net/c/x",
	    "b.blob.core.windows.net", "/c/x", false, false, false },
	{ "X-Ms-Copy-Source", "https://b.example.net/c/x?sv=1&s%69g=q",
	    "b.example.net", "/c/x", false, true, false },
	{ "x-ms-rename-source", "/fs/%61?sig=x", "", "/fs/a", false, true,
	    true },
	{ "x-ms-rename-source", "https://b.example.net/fs/a", "b.example.net",
	    "/fs/a", false, false, true },
	{ "x-ms-file-rename-source", "https://b.example.net/s/a",
	    "b.example.net", "/s/a", false, false, true },
	{ "x-ms-copy-source", "/acct2/c/x", "", "", true, false, false },
	{ "x-ms-copy-source", "http://b.example.net/c", "", "", true, false,
	    false },
	{ "x-ms-copy-source", "https://10.0.0.1/c", "", "", true, false,
	    false },
	{ "x-ms-copy-source", "https://u@b.example.net/c", "", "", true, false,
	    false },
	{ "x-ms-copy-source", "https://b.example.net/c/../d", "b.example.net",
	    "", true, false, false },
	{ "x-ms-copy-source", "", "", "", true, false, false },
	{ "x-ms-rename-source", "/fs/..%2fa", "", "", true, false, true },
};

static void
each_source_is_a_place_or_broken(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		struct asked a = { .fields = { .n = 0 } };
		const struct policy_source *s = &a.target.sources[0];

		add(&a, sources[i].field, sources[i].value);
		read_all(&a);
		assert_int_equal(a.target.n_sources, 1);
		if (s->broken != sources[i].broken ||
		    s->sas != sources[i].sas || s->moves != sources[i].moves ||
		    !slice_is(s->host, sources[i].host) ||
		    (!s->broken && !slice_is(s->path, sources[i].path)))
			fail_msg("row %zu: %s", i, sources[i].value);
		assert_false(a.target.broken);
		test_free(a.text);
	}
}

static void
a_source_that_stands_twice_is_broken(void **state)
{
	struct asked a = { .fields = { .n = 0 } };

	(void)state;
	add(&a, "x-ms-copy-source", "https://b.example.net/c");
	add(&a, "x-ms-rename-source", "/c/d");
	add(&a, "x-ms-copy-source", "https://c.example.net/c");
	read_all(&a);
	assert_int_equal(a.target.n_sources, 2);
	assert_true(a.target.sources[0].broken);
	assert_true(a.target.sources[1].broken);
	test_free(a.text);
}

static void
other_credentials_are_seen(void **state)
{
	static const char *const names[] = { "X-Ms-Copy-Source-Authorization",
		"api-key", "Ocp-Apim-Subscription-Key",
		"x-ms-authorization-auxiliary" };
	struct asked plain = { .fields = { .n = 0 } };
	struct asked bus = { .fields = { .n = 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct asked a = { .fields = { .n = 0 } };

		add(&a, names[i], "x");
		read_all(&a);
		assert_true(a.target.other_secret);
		test_free(a.text);
	}
	add(&plain, "Authorization", "Bearer x");
	add(&plain, "Accept", "*/*");
	read_all(&plain);
	assert_false(plain.target.other_secret || plain.target.sas);
	test_free(plain.text);
	add(&bus, "Authorization", "SharedAccessSignature sr=x&sig=y");
	read_all(&bus);
	assert_true(bus.target.sas);
	test_free(bus.text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_path_has_its_readings_or_is_broken),
		cmocka_unit_test(a_signature_is_seen_in_any_spelling),
		cmocka_unit_test(a_long_key_that_hides_counts_as_a_signature),
		cmocka_unit_test(odata_batches_are_batches),
		cmocka_unit_test(plain_http_knows_no_coded_slash),
		cmocka_unit_test(a_method_beside_the_method_is_told),
		cmocka_unit_test(each_source_is_a_place_or_broken),
		cmocka_unit_test(a_source_that_stands_twice_is_broken),
		cmocka_unit_test(other_credentials_are_seen),
	};
	return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
