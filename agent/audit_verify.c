/* Checks a run of audit lines with one line of look-ahead: whether a record
 * or its successor was altered is told by whom the next one vouches for. */
#include "agent/audit_verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef unsigned long long ull;

void
audit_verify_init(struct audit_verify *v)
{
	*v = (struct audit_verify){ .fault = AUDIT_SOUND };
}

enum status
audit_verify_key(struct audit_verify *v, const struct audit_key *key)
{
	if (v->n_keys == AUDIT_VERIFY_KEYS_MAX)
		return E_LIMIT;
	v->keys[v->n_keys++] = key;
	return OK;
}

const char *
audit_fault_name(enum audit_fault fault)
{
	static const char *const names[] = { "sound", "flipped", "missing",
		"swapped", "torn", "cut", "signature" };

	return names[fault];
}

static enum audit_check
check_signature(const struct audit_verify *v, const struct audit_line *line,
    const struct audit_checkpoint *c)
{
	enum audit_check check = AUDIT_CHECK_OTHER_KEY;
	struct buf message;

	if (!slice_eq(c->head, line->prev))
		return AUDIT_CHECK_BAD;
	if (v->n_keys == 0)
		return AUDIT_CHECK_UNSEEN;
	buf_init(&message, 512);
	audit_checkpoint_message(&message, line);
	for (size_t i = 0; i < v->n_keys; i++) {
		if (!slice_is(c->key_id, audit_key_id(v->keys[i])))
			continue;
		check = buf_status(&message) == OK &&
		        audit_key_verify(
		            v->keys[i], buf_slice(&message), c->signature)
		    ? AUDIT_CHECK_GOOD
		    : AUDIT_CHECK_BAD;
	}
	buf_release(&message);
	return check;
}

static enum audit_check
check_line(const struct audit_verify *v, const struct audit_line *line)
{
	struct audit_checkpoint c;
	enum status st = audit_checkpoint_parse(line, &c);

	if (st == E_NOTFOUND)
		return AUDIT_CHECK_NONE;
	return st == OK ? check_signature(v, line, &c) : AUDIT_CHECK_BAD;
}

enum status
audit_verify_head(struct audit_verify *v, struct slice line)
{
	struct audit_line parsed;
	struct audit_checkpoint c;
	enum audit_check check;

	if (audit_line_parse(line, &parsed) != OK ||
	    audit_checkpoint_parse(&parsed, &c) != OK)
		return E_SYNTAX;
	check = check_signature(v, &parsed, &c);
	if (check != AUDIT_CHECK_GOOD && check != AUDIT_CHECK_UNSEEN)
		return E_DENIED;
	v->has_head = true;
	v->head_seq = parsed.seq;
	audit_line_hash(line, v->head_hash);
	return OK;
}

static void found(struct audit_verify *v, enum audit_fault fault,
    const struct audit_seen *at, uint64_t seq, const char *fmt, ...)
    ATTR_PRINTF(5, 6);

/** The first fault stands; @at is where a reader should look. */
static void
found(struct audit_verify *v, enum audit_fault fault,
    const struct audit_seen *at, uint64_t seq, const char *fmt, ...)
{
	va_list ap;

	if (v->fault != AUDIT_SOUND)
		return;
	v->fault = fault;
	v->seq = seq;
	v->file = at->file;
	v->number = at->number;
	va_start(ap, fmt);
	(void)vsnprintf(v->text, sizeof v->text, fmt, ap);
	va_end(ap);
}

static bool
links(const struct audit_seen *next, const struct audit_seen *to)
{
	return next != NULL && next->parsed &&
	    strcmp(next->prev, to->hash) == 0;
}

/** The number is right, the link is not: who was altered? */
static void
judge_link(struct audit_verify *v, const struct audit_seen *next)
{
	const struct audit_seen *bad = &v->cur;

	/* whoever the next record or the head vouches for is as written */
	if (next != NULL && next->parsed)
		bad = links(next, &v->cur) ? &v->last : &v->cur;
	else if (!v->has_head || v->cur.seq != v->head_seq ||
	    strcmp(v->cur.hash, v->head_hash) == 0)
		bad = &v->last;
	found(v, AUDIT_FLIPPED, bad, bad->seq,
	    bad == &v->last
	        ? "record %llu was altered: its hash is not the prev of %llu"
	        : "record %llu was altered: its prev is not the hash of the "
	          "record before it (next: %llu)",
	    (ull)bad->seq, (ull)bad->seq + 1);
}

/** The number is not the one that is due. */
static void
judge_order(struct audit_verify *v, const struct audit_seen *next)
{
	const struct audit_seen *cur = &v->cur;
	uint64_t due = v->last.seq + 1;
	bool next_due = next != NULL && next->parsed && next->seq == due;
	bool next_after = next != NULL && next->parsed && next->seq == due + 1;

	if (strcmp(cur->prev, v->last.hash) == 0 &&
	    (next == NULL || next_after || links(next, cur) == false))
		found(v, AUDIT_FLIPPED, cur, due,
		    "record %llu was altered: it calls itself %llu", (ull)due,
		    (ull)cur->seq);
	else if (cur->seq > due && !next_due && !next_after)
		found(v, AUDIT_MISSING, cur, due,
		    cur->seq - due == 1
		        ? "record %llu is missing before %llu"
		        : "records from %llu on are missing before %llu",
		    (ull)due, (ull)cur->seq);
	else
		found(v, AUDIT_SWAPPED, cur, due,
		    "record %llu stands where %llu belongs: swapped or put in",
		    (ull)cur->seq, (ull)due);
}

/** The checkpoint stands in its place; is it signed as it should be? */
static void
judge_check(struct audit_verify *v, const struct audit_seen *next)
{
	const struct audit_seen *cur = &v->cur;

	if (cur->check == AUDIT_CHECK_NONE)
		return;
	v->checkpoints++;
	if (cur->check == AUDIT_CHECK_GOOD)
		v->checkpoint_seq = cur->seq;
	else if (cur->check == AUDIT_CHECK_UNSEEN)
		return;
	else if (next != NULL && next->parsed && !links(next, cur))
		found(v, AUDIT_FLIPPED, cur, cur->seq,
		    "record %llu, a checkpoint, was altered", (ull)cur->seq);
	else if (cur->check == AUDIT_CHECK_OTHER_KEY)
		found(v, AUDIT_SIGNATURE, cur, cur->seq,
		    "checkpoint %llu is signed by a key that was not given",
		    (ull)cur->seq);
	else
		found(v, AUDIT_SIGNATURE, cur, cur->seq,
		    "checkpoint %llu: the signature does not fit; it or a "
		    "record after checkpoint %llu was rewritten",
		    (ull)cur->seq, (ull)v->checkpoint_seq);
}

/** Judges v->cur, knowing the one before it and, if any, the one after. */
static void
judge(struct audit_verify *v, const struct audit_seen *next)
{
	const struct audit_seen *cur = &v->cur;
	uint64_t due = v->has_last ? v->last.seq + 1 : 0;

	if (!cur->whole)
		found(v, AUDIT_TORN, cur, due,
		    "the last %zu bytes are torn: not a whole record",
		    cur->bytes);
	else if (!cur->parsed)
		found(v, AUDIT_FLIPPED, cur, due,
		    "line %llu is no audit record: altered", (ull)cur->number);
	else if (!v->has_last && cur->seq == 1 &&
	    strcmp(cur->prev, audit_hash_zero) != 0)
		found(v, AUDIT_FLIPPED, cur, 1,
		    "record 1 was altered: its prev is not 64 zeros");
	else if (v->has_last && cur->seq != due)
		judge_order(v, next);
	else if (v->has_last && strcmp(cur->prev, v->last.hash) != 0)
		judge_link(v, next);
	else
		judge_check(v, next);
	if (v->fault != AUDIT_SOUND)
		return;
	if (v->has_head && cur->seq == v->head_seq) {
		v->head_seen = true;
		if (strcmp(cur->hash, v->head_hash) != 0)
			found(v, AUDIT_FLIPPED, cur, cur->seq,
			    "record %llu is not the one in the head: the log "
			    "was rewritten",
			    (ull)cur->seq);
	}
	if (!v->has_last) {
		v->first_seq = cur->seq;
		memcpy(v->starts_from, cur->prev, sizeof v->starts_from);
	}
	v->records++;
	v->last_seq = cur->seq;
	v->last = *cur;
	v->has_last = true;
}

void
audit_verify_line(
    struct audit_verify *v, struct slice line, bool whole, unsigned file)
{
	struct audit_seen next = {
		.whole = whole, .file = file, .number = 1, .bytes = line.n
	};
	struct audit_line parsed;

	if (v->fault != AUDIT_SOUND)
		return;
	if (v->has_cur && v->cur.file == file)
		next.number = v->cur.number + 1;
	if (whole && audit_line_parse(line, &parsed) == OK) {
		next.parsed = true;
		next.seq = parsed.seq;
		next.parsed =
		    slice_copy(parsed.prev, next.prev, sizeof next.prev);
		audit_line_hash(line, next.hash);
		next.check = check_line(v, &parsed);
	}
	if (v->has_cur)
		judge(v, &next);
	v->cur = next;
	v->has_cur = true;
}

bool
audit_verify_end(struct audit_verify *v)
{
	if (v->has_cur && v->fault == AUDIT_SOUND)
		judge(v, NULL);
	v->has_cur = false;
	if (v->fault == AUDIT_SOUND && v->has_head && v->head_seq > v->last_seq)
		found(v, AUDIT_CUT, &v->last, v->last_seq + 1,
		    "the end was cut off: record %llu was signed, the last "
		    "one here is %llu",
		    (ull)v->head_seq, (ull)v->last_seq);
	return v->fault == AUDIT_SOUND;
}

bool
audit_verify_end_is_open(const struct audit_verify *v)
{
	return !v->has_head || v->head_seq < v->last_seq;
}
