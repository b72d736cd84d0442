/* The audit file as the verifier, the filter and the columns read it. */
#include "agent/audit_filter.h"
#include "agent/audit_verify.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** What query would print of @line. */
static void
show(struct slice line)
{
	static const char *const columns[] = { "time", "seq", "workload", "uid",
		"host", "zone", "audience", "ms" };
	struct audit_filter f = { .host = "*.example",
		.user = "7",
		.workload = "jobs",
		.since = "2026-11-23" };
	const char *bad = NULL;
	json_t *r = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
	struct buf b;

	if (r == NULL)
		return;
	if (audit_filter_times(&f, 0, &bad) != OK)
		abort();
	(void)audit_filter_matches(&f, r);
	buf_init(&b, AUDIT_LINE_MAX);
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		audit_column_put(&b, r, columns[i]);
	buf_release(&b);
	json_decref(r);
}

/** A line that parses is composed again byte for byte. */
static void
round_trip(struct slice line)
{
	struct audit_line parsed;
	struct buf b;

	if (audit_line_parse(line, &parsed) != OK)
		return;
	buf_init(&b, AUDIT_LINE_MAX + 1);
	audit_line_compose(&b, &parsed);
	if (buf_status(&b) != OK || b.n != line.n + 1 ||
	    !slice_eq(slice_head(buf_slice(&b), line.n), line))
		abort();
	buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct slice pem = SLICE_INIT(
	    "-----BEGIN PUBLIC KEY-----\n"
	    "MCowBQYDK2VwAyEAVBBPml34JjIIk1H6RzqBypCzWimAfZUhquw0vbdTtP8=\n"
	    "-----END PUBLIC KEY-----\n");
	struct slice rest = { (const char *)data, size };
	static struct audit_key *key; /* decoding it is what is slow */
	struct audit_verify v;
	bool sound;

	audit_verify_init(&v);
	if ((key == NULL && audit_key_public(pem, &key) != OK) ||
	    audit_verify_key(&v, key) != OK)
		abort();
	if (audit_verify_head(&v, slice_head(rest, slice_find(rest, '\n'))) !=
	    OK)
		v.has_head = false;
	while (rest.n > 0) {
		size_t n = slice_find(rest, '\n');
		struct slice line = slice_head(rest, n);
		show(line);
		round_trip(line);
		audit_verify_line(&v, line, n < rest.n, 0);
		rest = slice_from(rest, n + 1);
	}
	sound = audit_verify_end(&v);
	if (sound != (v.fault == AUDIT_SOUND) ||
	    (sound && v.records > 0 &&
	        v.last_seq - v.first_seq + 1 != v.records))
		abort();
	return 0;
}
