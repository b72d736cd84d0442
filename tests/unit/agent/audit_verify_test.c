/* The verifier: each way to tamper with a log is found and named. */
#include "tests/unit/test.h"

#include "agent/audit_verify.h"
#include "tests/unit/agent/audit_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A log of 1,023 records; 1001 and 1023 are checkpoints. */
enum { FIRST_CHECKPOINT = 1001, LAST = 1023, LINES_MAX = LAST + 8 };

struct log {
	struct audit_fixture fixture;
	struct buf text, head;
	struct audit_key *key;
};

static int
group_setup(void **state)
{
	struct log *l = calloc(1, sizeof *l);
	struct audit_log *log;
	struct buf pem;

	if (l == NULL)
		return -1;
	audit_fixture_init(&l->fixture);
	log = audit_fixture_open(&l->fixture);
	audit_fixture_append(log, 1000);
	audit_fixture_append(log, 21);
	audit_log_close(log);
	l->text = audit_fixture_read(&l->fixture, "audit.jsonl");
	l->head = audit_fixture_read(&l->fixture, "audit.head");
	pem = audit_fixture_read(&l->fixture, "audit.pub");
	assert_int_equal(audit_key_public(buf_slice(&pem), &l->key), OK);
	buf_release(&pem);
	*state = l;
	return 0;
}

static int
group_teardown(void **state)
{
	struct log *l = *state;

	buf_release(&l->text);
	buf_release(&l->head);
	audit_key_destroy(l->key);
	audit_fixture_release(&l->fixture);
	free(l);
	return 0;
}

/** The log's lines as a list that a case may tamper with. */
struct lines {
	struct slice at[LINES_MAX];
	size_t n;
	bool torn; /**< the last one has no newline */
};

static struct lines
lines_of(const struct log *l)
{
	struct slice rest = buf_slice(&l->text);
	struct lines out = { .n = 0 };

	while (rest.n > 0) {
		size_t n = slice_find(rest, '\n');
		assert_true(out.n < LINES_MAX);
		out.at[out.n++] = slice_head(rest, n);
		rest = slice_from(rest, n + 1);
	}
	assert_int_equal(out.n, LAST);
	return out;
}

static struct audit_verify
verify(const struct log *l, const struct lines *lines, bool key, bool head)
{
	struct audit_verify v;

	audit_verify_init(&v);
	if (key)
		assert_int_equal(audit_verify_key(&v, l->key), OK);
	if (head)
		assert_int_equal(
		    audit_verify_head(
		        &v, slice_head(buf_slice(&l->head), l->head.n - 1)),
		    OK);
	for (size_t i = 0; i < lines->n; i++)
		audit_verify_line(
		    &v, lines->at[i], !(lines->torn && i + 1 == lines->n), 0);
	(void)audit_verify_end(&v);
	return v;
}

static void
an_untouched_log_is_sound(void **state)
{
	struct lines lines = lines_of(*state);
	struct audit_verify v = verify(*state, &lines, true, true);

	assert_int_equal(v.fault, AUDIT_SOUND);
	assert_int_equal(v.records, LAST);
	assert_int_equal(v.checkpoints, 2);
	assert_int_equal(v.checkpoint_seq, LAST);
	assert_false(audit_verify_end_is_open(&v));
	v = verify(*state, &lines, false, false);
	assert_int_equal(v.fault, AUDIT_SOUND);
	assert_int_equal(v.checkpoint_seq, 0);
	assert_true(audit_verify_end_is_open(&v));
}

/** Flips one bit of byte @at of record @seq and verifies. */
static struct audit_verify
flipped(const struct log *l, uint64_t seq, size_t at, char bit)
{
	struct lines lines = lines_of(l);
	struct slice *s = &lines.at[seq - 1];
	char copy[1024];
	struct audit_verify v;

	assert_true(s->n < sizeof copy && at < s->n);
	memcpy(copy, s->p, s->n);
	copy[at] = (char)(copy[at] ^ bit);
	s->p = copy;
	v = verify(l, &lines, true, true);
	return v;
}

/** Each bit of a record in the middle, and of a checkpoint. */
static void
any_flipped_bit_is_found_at_its_record(void **state)
{
	static const uint64_t seqs[] = { 1, 2, 500, FIRST_CHECKPOINT,
		LAST - 1 };
	const struct log *l = *state;
	struct lines lines = lines_of(l);

	for (size_t k = 0; k < ARRAY_LEN(seqs); k++) {
		uint64_t seq = seqs[k];
		for (size_t at = 0; at < lines.at[seq - 1].n; at++)
			for (int bit = 0; bit < 8; bit += 3) {
				struct audit_verify v =
				    flipped(l, seq, at, (char)(1 << bit));
				if (v.fault == AUDIT_FLIPPED && v.seq == seq)
					continue;
				if (seq <= 1 && v.fault != AUDIT_SOUND)
					continue; /* its seq: none before it */
				fail_msg("record %d byte %d: %s, %s", (int)seq,
				    (int)at, audit_fault_name(v.fault), v.text);
			}
	}
}

static void
a_flip_in_the_last_record_is_found_by_the_head(void **state)
{
	struct audit_verify v = flipped(*state, LAST, 100, 1);

	assert_int_not_equal(v.fault, AUDIT_SOUND);
	assert_int_equal(v.seq, LAST);
}

static void
a_missing_record_is_named(void **state)
{
	struct lines lines = lines_of(*state);
	struct audit_verify v;

	memmove(
	    &lines.at[10], &lines.at[11], (lines.n - 11) * sizeof lines.at[0]);
	lines.n--;
	v = verify(*state, &lines, true, false);
	assert_int_equal(v.fault, AUDIT_MISSING);
	assert_int_equal(v.seq, 11);
	memmove(
	    &lines.at[10], &lines.at[20], (lines.n - 20) * sizeof lines.at[0]);
	lines.n -= 10;
	v = verify(*state, &lines, true, false);
	assert_int_equal(v.fault, AUDIT_MISSING);
	assert_int_equal(v.seq, 11);
}

static void
swapped_and_repeated_records_are_named(void **state)
{
	static const size_t pairs[][2] = { { 7, 8 }, { 7, 30 } };
	struct lines lines;
	struct audit_verify v;

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct slice *at;
		struct slice keep;
		lines = lines_of(*state);
		at = lines.at;
		keep = at[pairs[i][0] - 1];
		at[pairs[i][0] - 1] = at[pairs[i][1] - 1];
		at[pairs[i][1] - 1] = keep;
		v = verify(*state, &lines, true, false);
		assert_int_equal(v.fault, AUDIT_SWAPPED);
		assert_int_equal(v.seq, 7);
	}
	lines = lines_of(*state);
	memmove(&lines.at[8], &lines.at[7], (lines.n - 7) * sizeof lines.at[0]);
	lines.n++;
	v = verify(*state, &lines, true, false);
	assert_int_equal(v.fault, AUDIT_SWAPPED);
	assert_int_equal(v.seq, 9);
}

static void
a_torn_end_is_named(void **state)
{
	struct lines lines = lines_of(*state);
	struct audit_verify v;

	lines.n = 50;
	lines.at[49].n -= 10;
	lines.torn = true;
	v = verify(*state, &lines, true, false);
	assert_int_equal(v.fault, AUDIT_TORN);
	assert_int_equal(v.number, 50);
}

static void
a_cut_end_is_seen_with_the_head_and_open_without(void **state)
{
	struct lines lines = lines_of(*state);
	struct audit_verify v;

	lines.n = LAST - 1;
	v = verify(*state, &lines, true, true);
	assert_int_equal(v.fault, AUDIT_CUT);
	assert_int_equal(v.seq, LAST);
	v = verify(*state, &lines, true, false);
	assert_int_equal(v.fault, AUDIT_SOUND);
	assert_true(audit_verify_end_is_open(&v));
	assert_int_equal(v.checkpoint_seq, FIRST_CHECKPOINT);
	lines.n = 0;
	v = verify(*state, &lines, true, true);
	assert_int_equal(v.fault, AUDIT_CUT);
}

static void
a_later_file_starts_from_its_stated_prev(void **state)
{
	struct lines lines = lines_of(*state);
	struct audit_verify v;

	memmove(
	    &lines.at[0], &lines.at[300], (lines.n - 300) * sizeof lines.at[0]);
	lines.n -= 300;
	v = verify(*state, &lines, true, true);
	assert_int_equal(v.fault, AUDIT_SOUND);
	assert_int_equal(v.first_seq, 301);
}

/** Alters record 500 and makes all links anew; only the key cannot. */
static void
a_chain_made_anew_fails_at_the_next_checkpoint(void **state)
{
	struct lines lines = lines_of(*state);
	struct buf texts;
	char prev[AUDIT_HASH_BYTES];
	struct audit_verify v;

	buf_init(&texts, 4 << 20);
	assert_true(buf_reserve(&texts, 1 << 20)); /* it must not move */
	for (size_t i = 499; i < lines.n; i++) {
		struct audit_line line;
		size_t start = texts.n;
		assert_int_equal(audit_line_parse(lines.at[i], &line), OK);
		if (i == 499)
			line.members = SLICE("\"id\":\"X\"");
		else
			line.prev = slice_of(prev);
		audit_line_compose(&texts, &line);
		lines.at[i] =
		    (struct slice){ texts.p + start, texts.n - start - 1 };
		audit_line_hash(lines.at[i], prev);
	}
	assert_true(texts.n < 1 << 20);
	v = verify(*state, &lines, true, false);
	assert_int_equal(v.fault, AUDIT_SIGNATURE);
	assert_int_equal(v.seq, FIRST_CHECKPOINT);
	buf_release(&texts);
}

static void
a_checkpoint_of_another_key_is_refused(void **state)
{
	const struct log *l = *state;
	struct lines lines = lines_of(l);
	struct audit_fixture other;
	struct audit_key *key = NULL;
	struct audit_verify v;

	audit_fixture_init(&other);
	assert_int_equal(audit_key_open(other.dir, &key, NULL), OK);
	audit_verify_init(&v);
	assert_int_equal(audit_verify_key(&v, key), OK);
	assert_int_equal(audit_verify_head(&v,
	                     slice_head(buf_slice(&l->head), l->head.n - 1)),
	    E_DENIED);
	assert_int_equal(audit_verify_head(&v, SLICE("{\"time\":")), E_SYNTAX);
	for (size_t i = 0; i < lines.n; i++)
		audit_verify_line(&v, lines.at[i], true, 0);
	assert_false(audit_verify_end(&v));
	assert_int_equal(v.fault, AUDIT_SIGNATURE);
	assert_int_equal(v.seq, FIRST_CHECKPOINT);
	audit_key_destroy(key);
	audit_fixture_release(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_untouched_log_is_sound),
		cmocka_unit_test(any_flipped_bit_is_found_at_its_record),
		cmocka_unit_test(
		    a_flip_in_the_last_record_is_found_by_the_head),
		cmocka_unit_test(a_missing_record_is_named),
		cmocka_unit_test(swapped_and_repeated_records_are_named),
		cmocka_unit_test(a_torn_end_is_named),
		cmocka_unit_test(
		    a_cut_end_is_seen_with_the_head_and_open_without),
		cmocka_unit_test(a_later_file_starts_from_its_stated_prev),
		cmocka_unit_test(
		    a_chain_made_anew_fails_at_the_next_checkpoint),
		cmocka_unit_test(a_checkpoint_of_another_key_is_refused),
	};
	return cmocka_run_group_tests_name(
	    "audit verify", tests, group_setup, group_teardown);
}
