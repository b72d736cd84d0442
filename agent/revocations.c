/* A list that only grows as far as it must: a revocation covers others. */
#include "agent/revocations.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_LINE "wayleave revocations 1 "

static bool
is_of(const struct revocation *r, bool everybody, uint32_t uid)
{
	return r->everybody == everybody && (everybody || r->uid == uid);
}

/* Whatever @b is about @a is about, too. */
static bool
includes(const struct revocation *a, const struct revocation *b)
{
	return (a->everybody || is_of(b, false, a->uid)) &&
	    a->until_epoch >= b->until_epoch &&
	    strncmp(a->id, b->id, strlen(a->id)) == 0;
}

static size_t
count_of(const struct revocations *l, const struct revocation *r)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += is_of(&l->at[i], false, r->uid);
	return n;
}

/* Makes it of all that its user, or everybody, was given. */
static void
widen(struct revocation *r, const struct revocations *l)
{
	r->id[0] = '\0';
	for (size_t i = 0; i < l->n; i++) {
		const struct revocation *o = &l->at[i];

		if (!r->everybody && !is_of(o, false, r->uid))
			continue;
		if (o->ends_unix_s > r->ends_unix_s)
			r->ends_unix_s = o->ends_unix_s;
	}
}

void
revocations_add(
    struct revocations *l, const struct revocation *r, int64_t now_unix_s)
{
	struct revocation add = *r;
	size_t n = 0;

	add.until_epoch = l->epoch++;
	if (l->n == REVOCATIONS_MAX) {
		add.everybody = true;
		add.uid = 0;
		widen(&add, l);
	} else if (!add.everybody && count_of(l, r) >= REVOCATIONS_OF_UID_MAX) {
		widen(&add, l);
	}
	for (size_t i = 0; i < l->n; i++)
		if (l->at[i].ends_unix_s > now_unix_s &&
		    !includes(&add, &l->at[i]))
			l->at[n++] = l->at[i];
	l->at[n++] = add;
	l->n = n;
}

bool
revocations_cover(
    const struct revocations *l, uint32_t uid, const char *id, int64_t epoch)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct revocation *r = &l->at[i];

		if ((r->everybody || r->uid == uid) &&
		    epoch <= r->until_epoch &&
		    strncmp(r->id, id, strlen(r->id)) == 0)
			return true;
	}
	return false;
}

/* UNTIL ENDS UID ID, with "*" where it is of no matter. */
void
revocations_put(const struct revocations *l, struct buf *out)
{
	buf_puts(out, FIRST_LINE);
	buf_put_i64(out, l->epoch);
	buf_putc(out, '\n');
	for (size_t i = 0; i < l->n; i++) {
		const struct revocation *r = &l->at[i];

		buf_put_i64(out, r->until_epoch);
		buf_putc(out, ' ');
		buf_put_i64(out, r->ends_unix_s);
		buf_putc(out, ' ');
		if (r->everybody)
			buf_putc(out, '*');
		else
			buf_put_u64(out, r->uid);
		buf_putc(out, ' ');
		buf_puts(out, r->id[0] != '\0' ? r->id : "*");
		buf_putc(out, '\n');
	}
}

/* Up to @end, which it takes, too. */
static bool
take(struct slice *text, char end, struct slice *out)
{
	size_t n = slice_find(*text, end);

	if (n == text->n)
		return false;
	*out = slice_head(*text, n);
	*text = slice_from(*text, n + 1);
	return true;
}

static bool
take_number(struct slice *text, uint64_t max, int64_t *out)
{
	struct slice digits;
	uint64_t v;

	if (!take(text, ' ', &digits) || !slice_to_u64(digits, max, &v))
		return false;
	*out = (int64_t)v;
	return true;
}

static bool
read_line(struct slice line, struct revocation *out)
{
	int64_t uid = 0;

	*out = (struct revocation){ .everybody = false };
	if (!take_number(&line, INT64_MAX, &out->until_epoch) ||
	    !take_number(&line, INT64_MAX, &out->ends_unix_s))
		return false;
	out->everybody = slice_starts(line, SLICE("* "));
	if (out->everybody)
		line = slice_from(line, 2);
	else if (!take_number(&line, UINT32_MAX, &uid))
		return false;
	out->uid = (uint32_t)uid;
	if (slice_is(line, "*"))
		return true;
	for (size_t i = 0; i < line.n; i++)
		if (!ascii_is_hex(line.p[i]))
			return false;
	return line.n > 0 && slice_copy(line, out->id, sizeof out->id);
}

static bool
read_first(struct slice line, int64_t *epoch)
{
	struct slice begin = SLICE(FIRST_LINE);
	uint64_t v = 0;

	if (!slice_starts(line, begin) ||
	    !slice_to_u64(slice_from(line, begin.n), INT64_MAX - 1, &v))
		return false;
	*epoch = (int64_t)v;
	return true;
}

enum status
revocations_read(struct slice text, struct revocations *out)
{
	struct revocations *l = calloc(1, sizeof *l);
	struct slice line;
	enum status st = OK;

	if (l == NULL)
		return E_NOMEM;
	if (!take(&text, '\n', &line) || !read_first(line, &l->epoch))
		st = E_SYNTAX;
	while (st == OK && text.n > 0)
		if (l->n == REVOCATIONS_MAX || !take(&text, '\n', &line) ||
		    !read_line(line, &l->at[l->n]) ||
		    l->at[l->n++].until_epoch >= l->epoch)
			st = E_SYNTAX;
	if (st == OK)
		*out = *l;
	free(l);
	return st;
}
