/* Which audit records a person asks for, and what is shown of them. */
#include "agent/audit_filter.h"

#include "base/clock.h"

#include <string.h>

static const char time_shape[] = "0000-00-00T00:00:00.000000000Z";

/** A whole or shortened RFC 3339 time in UTC, padded to full length. */
static bool
read_time(const char *text, char out[32])
{
	size_t n = strlen(text);

	memcpy(out, time_shape, sizeof time_shape);
	if (n > 10 && text[n - 1] == 'Z')
		n--;
	else if (n != 10)
		return false;
	if (n != 10 && n != 19 && (n < 21 || n > 29))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (time_shape[i] == '0' ? !ascii_is_digit(text[i])
		                         : text[i] != time_shape[i])
			return false;
		out[i] = text[i];
	}
	return true;
}

/** "15m": that long before now. */
static bool
read_age(const char *text, int64_t now_ns, char out[32])
{
	static const struct {
		char unit;
		int64_t s;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	struct slice s = slice_of(text);
	char rfc3339[CLOCK_RFC3339_BYTES];
	uint64_t v;

	if (s.n < 2 || !slice_to_u64(slice_head(s, s.n - 1), 36500, &v))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		int64_t ns;
		if (s.p[s.n - 1] != units[i].unit)
			continue;
		ns = (int64_t)v * units[i].s * 1000000000;
		clock_rfc3339(ns < now_ns ? now_ns - ns : 0, rfc3339);
		memcpy(out, rfc3339, sizeof rfc3339);
		return true;
	}
	return false;
}

enum status
audit_filter_times(struct audit_filter *f, int64_t now_ns, const char **bad)
{
	if (f->since != NULL && !read_time(f->since, f->since_text) &&
	    !read_age(f->since, now_ns, f->since_text)) {
		*bad = f->since;
		return E_SYNTAX;
	}
	if (f->until != NULL && !read_time(f->until, f->until_text) &&
	    !read_age(f->until, now_ns, f->until_text)) {
		*bad = f->until;
		return E_SYNTAX;
	}
	return OK;
}

static const char *
text_of(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s != NULL ? s : "";
}

static bool
is_same(const char *want, const char *have)
{
	return want == NULL || slice_eq_nocase(slice_of(want), slice_of(have));
}

/** "*.suffix" is for all names under it. */
static bool
host_matches(const char *want, const char *have)
{
	struct slice w = slice_of(want), h = slice_of(have);

	if (want == NULL)
		return true;
	if (!slice_starts(w, SLICE("*.")))
		return slice_eq_nocase(w, h);
	w = slice_from(w, 1);
	return h.n > w.n && slice_eq_nocase(slice_from(h, h.n - w.n), w);
}

static bool
workload_matches(const char *want, const json_t *workload)
{
	const json_t *names = json_object_get(workload, "names");
	const json_t *name;
	size_t i;

	if (want == NULL)
		return true;
	json_array_foreach(names, i, name) {
		const char *s = json_string_value(name);
		if (s != NULL && strcmp(s, want) == 0)
			return true;
	}
	return false;
}

/** A user by name or by number. */
static bool
user_matches(const char *want, const json_t *workload)
{
	const json_t *uid = json_object_get(workload, "uid");
	uint64_t v;

	if (want == NULL || strcmp(want, text_of(workload, "user")) == 0)
		return true;
	return json_is_integer(uid) &&
	    slice_to_u64(slice_of(want), UINT32_MAX, &v) &&
	    json_integer_value(uid) == (json_int_t)v;
}

bool
audit_filter_matches(const struct audit_filter *f, const json_t *record)
{
	const json_t *workload = json_object_get(record, "workload");
	const char *time = text_of(record, "time");

	if (f->since_text[0] != '\0' && strcmp(time, f->since_text) < 0)
		return false;
	if (f->until_text[0] != '\0' && strcmp(time, f->until_text) >= 0)
		return false;
	return is_same(f->verdict, text_of(record, "verdict")) &&
	    is_same(f->code, text_of(record, "code")) &&
	    is_same(f->would, text_of(record, "would")) &&
	    is_same(f->event, text_of(record, "event")) &&
	    is_same(f->id, text_of(record, "id")) &&
	    is_same(f->rule, text_of(record, "rule")) &&
	    host_matches(f->host, text_of(record, "host")) &&
	    is_same(f->unit, text_of(workload, "unit")) &&
	    user_matches(f->user, workload) &&
	    workload_matches(f->workload, workload);
}

/* A column is a member, a member of an object, or the workload's names. */
static const struct {
	const char *name, *object, *member;
} columns[] = {
	{ "time", NULL, "time" },
	{ "seq", NULL, "seq" },
	{ "id", NULL, "id" },
	{ "event", NULL, "event" },
	{ "verdict", NULL, "verdict" },
	{ "would", NULL, "would" },
	{ "code", NULL, "code" },
	{ "rule", NULL, "rule" },
	{ "mode", NULL, "mode" },
	{ "workload", "workload", "names" },
	{ "user", "workload", "user" },
	{ "uid", "workload", "uid" },
	{ "unit", "workload", "unit" },
	{ "protocol", NULL, "protocol" },
	{ "method", NULL, "method" },
	{ "host", NULL, "host" },
	{ "port", NULL, "port" },
	{ "path", NULL, "path" },
	{ "address", NULL, "address" },
	{ "sni", NULL, "sni" },
	{ "zone", "resolved", "zone" },
	{ "identity", "injected", "identity" },
	{ "audience", "injected", "audience" },
	{ "status", NULL, "status" },
	{ "bytes_up", NULL, "bytes_up" },
	{ "bytes_down", NULL, "bytes_down" },
	{ "ms", "ms", "total" },
	{ "close", NULL, "close" },
};

const char *
audit_column_known(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		if (strcmp(name, columns[i].name) == 0)
			return columns[i].name;
	return NULL;
}

static void
put_value(struct buf *out, const json_t *v)
{
	const json_t *one;
	size_t i;

	if (json_is_string(v))
		buf_puts(out, json_string_value(v));
	else if (json_is_integer(v))
		buf_put_i64(out, json_integer_value(v));
	json_array_foreach(v, i, one) {
		if (i > 0)
			buf_putc(out, '+');
		if (json_is_string(one))
			buf_puts(out, json_string_value(one));
	}
}

void
audit_column_put(struct buf *out, const json_t *record, const char *column)
{
	for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
		const json_t *from = record;
		if (strcmp(column, columns[i].name) != 0)
			continue;
		if (columns[i].object != NULL)
			from = json_object_get(record, columns[i].object);
		put_value(out, json_object_get(from, columns[i].member));
	}
}
