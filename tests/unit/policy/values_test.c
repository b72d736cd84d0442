/* The small parts: address classes, globs, times, the index. */
#include "tests/unit/test.h"

#include "policy/address_class.h"
#include "policy/audience.h"
#include "policy/glob.h"
#include "policy/index.h"
#include "policy/pool.h"
#include "policy/rfc3339.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *address;
	enum address_class class;
} classes[] = {
	{ "0.0.0.0", ADDRESS_NEVER },
	{ "0.0.0.1", ADDRESS_NEVER },
	{ "1.1.1.1", ADDRESS_PUBLIC },
	{ "9.255.255.255", ADDRESS_PUBLIC },
	{ "10.0.0.0", ADDRESS_PRIVATE },
	{ "10.255.255.255", ADDRESS_PRIVATE },
	{ "11.0.0.0", ADDRESS_PUBLIC },
	{ "100.63.255.255", ADDRESS_PUBLIC },
	{ "100.64.0.1", ADDRESS_PRIVATE },
	{ "100.100.100.200", ADDRESS_NEVER },
	{ "100.127.255.255", ADDRESS_PRIVATE },
	{ "100.128.0.0", ADDRESS_PUBLIC },
	{ "127.0.0.1", ADDRESS_NEVER },
	{ "127.255.255.255", ADDRESS_NEVER },
	{ "168.63.129.15", ADDRESS_PUBLIC },
	{ "168.63.129.16", ADDRESS_NEVER },
	{ "169.254.0.0", ADDRESS_NEVER },
	{ "169.254.169.254", ADDRESS_NEVER },
	{ "169.254.255.255", ADDRESS_NEVER },
	{ "172.15.255.255", ADDRESS_PUBLIC },
	{ "172.16.0.0", ADDRESS_PRIVATE },
	{ "172.31.255.255", ADDRESS_PRIVATE },
	{ "172.32.0.0", ADDRESS_PUBLIC },
	{ "192.0.0.1", ADDRESS_NEVER },
	{ "192.0.0.9", ADDRESS_NEVER },
	{ "192.0.0.192", ADDRESS_NEVER },
	{ "192.0.1.1", ADDRESS_PUBLIC },
	{ "192.0.2.1", ADDRESS_NEVER },
	{ "192.31.196.1", ADDRESS_PUBLIC },
	{ "192.88.99.1", ADDRESS_NEVER },
	{ "192.168.1.1", ADDRESS_PRIVATE },
	{ "198.18.0.1", ADDRESS_NEVER },
	{ "198.19.255.255", ADDRESS_NEVER },
	{ "198.20.0.0", ADDRESS_PUBLIC },
	{ "198.51.100.1", ADDRESS_NEVER },
	{ "203.0.113.1", ADDRESS_NEVER },
	{ "223.255.255.255", ADDRESS_PUBLIC },
	{ "224.0.0.251", ADDRESS_NEVER },
	{ "240.0.0.1", ADDRESS_NEVER },
	{ "255.255.255.255", ADDRESS_NEVER },
	{ "::", ADDRESS_NEVER },
	{ "::1", ADDRESS_NEVER },
	{ "::169.254.169.254", ADDRESS_NEVER },
	{ "::ffff:10.1.0.5", ADDRESS_PRIVATE },
	{ "::ffff:169.254.169.254", ADDRESS_NEVER },
	{ "::ffff:8.8.8.8", ADDRESS_PUBLIC },
	{ "::ffff:0:169.254.169.254", ADDRESS_NEVER },
	{ "64:ff9b::a9fe:a9fe", ADDRESS_NEVER },
	{ "64:ff9b::808:808", ADDRESS_NEVER },
	{ "64:ff9b:1::a9fe:a9fe", ADDRESS_NEVER },
	{ "64:ff9b:2::1", ADDRESS_NEVER },
	{ "100::1", ADDRESS_NEVER },
	{ "100:0:0:1::1", ADDRESS_NEVER },
	{ "2001::1", ADDRESS_NEVER },
	{ "2001:0:4136:e378:8000:63bf:3fff:fdd2", ADDRESS_NEVER },
	{ "2001:1::1", ADDRESS_NEVER },
	{ "2001:2::1", ADDRESS_NEVER },
	{ "2001:3::1", ADDRESS_PUBLIC },
	{ "2001:4:112::1", ADDRESS_PUBLIC },
	{ "2001:4:113::1", ADDRESS_NEVER },
	{ "2001:10::1", ADDRESS_NEVER },
	{ "2001:20::1", ADDRESS_NEVER },
	{ "2001:30::1", ADDRESS_NEVER },
	{ "2001:200::1", ADDRESS_PUBLIC },
	{ "2001:db8::1", ADDRESS_NEVER },
	{ "2002:a9fe:a9fe::", ADDRESS_NEVER },
	{ "2603:1030::1", ADDRESS_PUBLIC },
	{ "2620:4f:8000::1", ADDRESS_PUBLIC },
	{ "3fff::1", ADDRESS_NEVER },
	{ "3fff:1000::1", ADDRESS_PUBLIC },
	{ "4000::1", ADDRESS_NEVER },
	{ "5f00::1", ADDRESS_NEVER },
	{ "fc00::1", ADDRESS_PRIVATE },
	{ "fd00:20::5", ADDRESS_PRIVATE },
	{ "fd00:ec2::254", ADDRESS_NEVER },
	{ "fd20:ce::254", ADDRESS_NEVER },
	{ "fe80::1", ADDRESS_NEVER },
	{ "fe80::5efe:169.254.169.254", ADDRESS_NEVER },
	{ "fd00::5efe:10.0.0.1", ADDRESS_NEVER },
	{ "2603::200:5efe:10.0.0.1", ADDRESS_NEVER },
	{ "fec0::1", ADDRESS_NEVER },
	{ "ff02::1", ADDRESS_NEVER },
};

static void
each_address_has_its_class(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		struct addr a;

		assert_int_equal(
		    addr_parse(slice_of(classes[i].address), &a), OK);
		if (address_class(&a) != classes[i].class)
			fail_msg("%s", classes[i].address);
		assert_int_equal(address_never_name(&a) != NULL,
		    classes[i].class == ADDRESS_NEVER);
	}
	assert_int_equal(
	    address_class(&(struct addr){ 0, { 0 } }), ADDRESS_NEVER);
	assert_string_equal(
	    address_never_name(&(struct addr){ 0, { 0 } }), "unknown");
}

static void
ranges_that_touch_a_never_class_are_named(void **state)
{
	static const struct {
		const char *cidr;
		bool ok;
	} want[] = {
		{ "10.0.0.0/8", true },
		{ "172.16.0.0/12", true },
		{ "100.64.0.0/16", true },
		{ "52.239.0.0/16", true },
		{ "fd00:20::/64", true },
		{ "2603:1030::/32", true },
		{ "100.64.0.0/10", false },
		{ "168.63.129.16/32", false },
		{ "168.63.128.0/23", false },
		{ "0.0.0.0/1", false },
		{ "192.0.0.0/9", false },
		{ "fc00::/7", false },
		{ "2000::/3", false },
		{ "::/1", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct cidr c;

		assert_int_equal(cidr_parse(slice_of(want[i].cidr), &c), OK);
		if ((cidr_never_name(&c) == NULL) != want[i].ok)
			fail_msg("%s", want[i].cidr);
	}
}

static void
globs_stay_within_a_path_part(void **state)
{
	static const struct {
		const char *glob, *text;
		bool match;
	} want[] = {
		{ "job-*.service", "job-1.service", true },
		{ "job-*.service", "job-.service", true },
		{ "job-*.service", "job-1.scope", false },
		{ "job-*.service", "xjob-1.service", false },
		{ "*", "", true },
		{ "*", "abc", true },
		{ "*", "a/b", false },
		{ "**", "a/b", true },
		{ "?", "a", true },
		{ "?", "/", false },
		{ "?", "", false },
		{ "", "", true },
		{ "", "a", false },
		{ "/a/*/c", "/a/b/c", true },
		{ "/a/*/c", "/a/b/b/c", false },
		{ "/a/**/c", "/a/b/b/c", true },
		{ "/a/**", "/a/b/b/c", true },
		{ "/a/**/x*", "/a/b/xb/c/xy", true },
		{ "/a/**/x*", "/a/b/xb/c/yx", false },
		{ "*a*b*c", "xaxbxcxxc", true },
		{ "*a*b*c", "xaxbxcxx", false },
		{ "/usr/bin/python*", "/usr/bin/python3", true },
		{ "/usr/bin/python*", "/usr/bin/python3/x", false },
	};

	char many[4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		if (glob_match(want[i].glob, want[i].text) != want[i].match)
			fail_msg("%s on %s", want[i].glob, want[i].text);
	/* Would not end in time if it tried every way. */
	memset(many, 'a', sizeof many - 1);
	many[sizeof many - 1] = '\0';
	assert_false(glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*b", many));
	assert_false(glob_match("**a**a**a**a**a**a**a**a**b", many));
}

static void
times_are_rfc_3339(void **state)
{
	static const struct {
		const char *text;
		int64_t unix_s; /**< -1: refused */
	} want[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-11-23T00:00:00Z", 1795392000 },
		{ "2026-11-23t00:00:00z", 1795392000 },
		{ "2026-11-23T00:00:00.123456789Z", 1795392000 },
		{ "2026-11-23T02:00:00+02:00", 1795392000 },
		{ "2026-11-22T19:00:00-05:00", 1795392000 },
		{ "2024-02-29T00:00:00Z", 1709164800 },
		{ "2000-02-29T00:00:00Z", 951782400 },
		{ "9999-12-31T23:59:59Z", 253402300799 },
		{ "2016-12-31T23:59:60Z", 1483228800 },
		{ "2023-02-29T00:00:00Z", -1 },
		{ "2100-02-29T00:00:00Z", -1 },
		{ "2026-13-01T00:00:00Z", -1 },
		{ "2026-00-01T00:00:00Z", -1 },
		{ "2026-04-31T00:00:00Z", -1 },
		{ "2026-01-01T24:00:00Z", -1 },
		{ "2026-01-01T00:60:00Z", -1 },
		{ "2026-01-01T00:00:61Z", -1 },
		{ "2026-01-01 00:00:00Z", -1 },
		{ "2026-01-01T00:00:00", -1 },
		{ "2026-01-01T00:00:00.Z", -1 },
		{ "2026-01-01T00:00:00+24:00", -1 },
		{ "2026-01-01T00:00:00+0200", -1 },
		{ "1969-12-31T23:59:59Z", -1 },
		{ "1970-01-01T00:00:00+01:00", -1 },
		{ "2026-1-01T00:00:00Z", -1 },
		{ "", -1 },
	};

	char text[RFC3339_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		int64_t got = -1;

		if ((rfc3339_parse(slice_of(want[i].text), &got) == OK) !=
		        (want[i].unix_s >= 0) ||
		    got != want[i].unix_s)
			fail_msg("%s: %lld", want[i].text, (long long)got);
	}
	/* There and back, day by day and a bit. */
	for (int64_t at = 0; at < 253402300800; at += 86400 * 13 + 3607) {
		int64_t back = -1;

		rfc3339_text(at, text);
		assert_int_equal(rfc3339_parse(slice_of(text), &back), OK);
		assert_true(back == at);
	}
	rfc3339_text(-1, text);
	assert_string_equal(text, "1970-01-01T00:00:00Z");
	rfc3339_text(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59Z");
}

static void
audiences_have_one_spelling(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "https://storage.azure.com/", "https://storage.azure.com" },
		{ "https://storage.azure.com", "https://storage.azure.com" },
		{ "HTTPS://Storage.Azure.Com/", "https://storage.azure.com" },
		{ "https://storage.azure.com//", "https://storage.azure.com/" },
		{ "https://A.example/Path", "https://a.example/Path" },
		{ "api://AbC", "api://abc" },
		{ "2FF814A6-3304", "2FF814A6-3304" },
		{ "/", "/" },
		{ "", NULL },
		{ "a b", NULL },
		{ "a\x7f", NULL },
	};

	char out[AUDIENCE_BYTES], long_text[AUDIENCE_BYTES + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool ok = audience_normalise(slice_of(rows[i].text), out);

		assert_int_equal(ok, rows[i].want != NULL);
		if (ok)
			assert_string_equal(out, rows[i].want);
	}
	memset(long_text, 'a', sizeof long_text);
	assert_false(audience_normalise(
	    (struct slice){ long_text, sizeof long_text }, out));
}

struct seen {
	uint32_t value, fixed;
	size_t n;
};

static void
see(void *arg, uint32_t value, uint32_t fixed)
{
	struct seen *s = arg;

	s->value = value;
	s->fixed = fixed;
	s->n++;
}

static void
the_index_finds_each_of_many(void **state)
{
	struct index ix = { .n_entries = 0 };
	struct pool pool = { NULL };
	char text[64];

	(void)state;
	assert_int_equal(
	    index_find(&ix, INDEX_EXACT, SLICE("a.b")), INDEX_NONE);
	for (uint32_t i = 0; i < 20000; i++) {
		const char *name;

		(void)snprintf(text, sizeof text, "h%u.d%u.example", i, i % 97);
		name = pool_copy(&pool, slice_of(text));
		assert_int_equal(
		    index_add(&ix, i % 2 ? INDEX_EXACT : INDEX_WILD,
		        slice_of(name), i),
		    OK);
	}
	for (uint32_t i = 0; i < 20000; i++) {
		struct seen s = { 0, 0, 0 };

		(void)snprintf(text, sizeof text, "%sh%u.d%u.example",
		    i % 2 ? "" : "x.y.", i, i % 97);
		index_visit(&ix, slice_of(text), see, &s);
		assert_int_equal(s.n, 1);
		assert_int_equal(s.value, i);
		assert_int_equal(s.fixed, i % 2 ? UINT32_MAX : 3);
	}
	index_release(&ix);
	pool_release(&pool);
}

/* Label lengths on both sides of the hash's eight bytes, values in plenty,
 * names one byte apart, and nothing found that was never filed. */
static void
the_index_keeps_all_values_of_a_name_and_no_other(void **state)
{
	struct index ix = { .n_entries = 0 };
	char name[300], other[300];

	(void)state;
	for (int n = 1; n <= 63; n++) {
		struct seen s = { 0, 0, 0 };

		(void)snprintf(
		    name, sizeof name, "%0*d.b%0*d.test", n, 1, n % 9, 2);
		(void)snprintf(
		    other, sizeof other, "%0*d.b%0*d.test", n, 3, n % 9, 2);
		for (uint32_t i = 0; i < 5; i++)
			assert_int_equal(
			    index_add(&ix, INDEX_EXACT, slice_of(name), i), OK);
		assert_int_equal(index_settle(&ix), OK);
		index_visit(&ix, slice_of(name), see, &s);
		assert_int_equal(s.n, 5);
		index_visit(&ix, slice_of(other), see, &s);
		assert_int_equal(s.n, 5);
		assert_int_equal(
		    index_find(&ix, INDEX_WILD, slice_of(name)), INDEX_NONE);
	}
	memset(name, 'a', sizeof name);
	assert_int_equal(
	    index_add(&ix, INDEX_EXACT, (struct slice){ name, sizeof name }, 0),
	    E_LIMIT);
	assert_int_equal(index_add(&ix, INDEX_EXACT, SLICE(""), 0), E_LIMIT);
	index_release(&ix);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_address_has_its_class),
		cmocka_unit_test(ranges_that_touch_a_never_class_are_named),
		cmocka_unit_test(globs_stay_within_a_path_part),
		cmocka_unit_test(times_are_rfc_3339),
		cmocka_unit_test(audiences_have_one_spelling),
		cmocka_unit_test(the_index_finds_each_of_many),
		cmocka_unit_test(
		    the_index_keeps_all_values_of_a_name_and_no_other),
	};
	return cmocka_run_group_tests_name("values", tests, NULL, NULL);
}
