/* Reads what a plain request asks for; nothing here knows a policy. */
#include "policy/target.h"

#include "base/uri.h"

#include <stdlib.h>
#include <string.h>

/* Deep enough for what was encoded once more on each of two hops. */
enum { DECODE_TIMES = 3, KEY_BYTES = 64 };

struct reading {
	const struct policy_plain *in;
	char *text; /**< what is left of the caller's */
	struct policy_target *out;
};

/* Where an Azure service is told to read from by itself. */
static const struct {
	const char *field;
	bool may_be_path; /**< of the same account */
	bool moves;
} source_fields[] = {
	{ "x-ms-copy-source", false, false },
	{ "x-ms-rename-source", true, true },
	{ "x-ms-file-rename-source", true, true },
	{ "x-ms-previous-snapshot-url", false, false },
};

/* A method beside that of the request line, which some servers obey: ABFS
 * sends the second where a middlebox may not let PATCH through. */
static const char *const method_fields[] = { "x-http-method",
	"x-http-method-override", "x-method-override" };

static const char *const secret_fields[] = { "x-ms-copy-source-authorization",
	"x-ms-authorization-auxiliary",
	"x-databricks-azure-sp-management-token", "api-key",
	"ocp-apim-subscription-key" };

enum { NO_FIELD = -1 };

static int
find_source(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(source_fields); i++)
		if (slice_is_nocase(name, source_fields[i].field))
			return (int)i;
	return NO_FIELD;
}

static bool
is_one_of(struct slice name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (slice_is_nocase(name, names[i]))
			return true;
	return false;
}

/* Most fields are none of these, as their first letter tells. */
static bool
may_matter(struct slice name)
{
	return name.n > 0 && strchr("xao", ascii_lower(name.p[0])) != NULL;
}

size_t
policy_target_bytes(const struct policy_plain *in)
{
	size_t n = 2 * (in->path.n + 2) + in->method.n + 1;
	const struct http1_fields *f = in->fields;

	/* Of a source: its host, and its path twice; of a method: itself. */
	for (size_t i = 0; f != NULL && i < f->n; i++) {
		struct slice name = f->at[i].name;

		if (!may_matter(name))
			continue;
		if (find_source(name) != NO_FIELD)
			n += 2 * (f->at[i].value.n + 2) + HOST_BYTES;
		else if (is_one_of(
		             name, method_fields, ARRAY_LEN(method_fields)))
			n += f->at[i].value.n + 1;
	}
	return n;
}

static struct slice
keep(struct reading *r, struct slice s)
{
	struct slice kept = { .p = r->text, .n = s.n };

	if (s.n > 0)
		memcpy(r->text, s.p, s.n);
	r->text[s.n] = '\0';
	r->text += s.n + 1;
	return kept;
}

/* Where both readings agree the second is the first. */
static bool
may_differ(struct slice path)
{
	for (size_t i = 0; i < path.n; i++) {
		struct slice rest = slice_from(path, i);

		if (path.p[i] == ';' || slice_starts(rest, SLICE("//")) ||
		    slice_eq_nocase(slice_head(rest, 3), SLICE("%2f")))
			return true;
	}
	return false;
}

static bool
read_path(struct reading *r, struct slice path, struct slice *tidy,
    struct slice *other)
{
	if (!path_normal(path, true, r->text, tidy))
		return false;
	r->text += tidy->n + 1;
	*other = *tidy;
	if (!may_differ(path))
		return true;
	/* Whatever it shows, dot segments showed above. */
	(void)path_normal(path, false, r->text, other);
	r->text += other->n + 1;
	return true;
}

/* Decodes @s in place, once. False: a broken escape or a NUL stands in it. */
static bool
decode_once(char *s, size_t *n)
{
	size_t to = 0;

	for (size_t i = 0; i < *n; i++, to++) {
		char c = s[i];

		if (c == '+')
			c = ' ';
		if (c == '%') {
			char hex[3] = { 0 };

			if (*n - i < 3 || !ascii_is_hex(s[i + 1]) ||
			    !ascii_is_hex(s[i + 2]))
				return false;
			memcpy(hex, s + i + 1, 2);
			c = (char)strtoul(hex, NULL, 16);
			i += 2;
		}
		if (c == '\0')
			return false;
		s[to] = c;
	}
	*n = to;
	return true;
}

/* Whether @word, as some server may read it, is @what; what cannot be read
 * is whatever one fears. */
static bool
may_be(struct slice word, const char *what)
{
	char text[KEY_BYTES];
	size_t n = word.n;
	bool encoded = true;

	/* Nothing that we look for is as long, unless it hides. */
	if (n > sizeof text)
		return slice_find(word, '%') < word.n;
	if (n > 0)
		memcpy(text, word.p, n);
	for (int i = 0; i < DECODE_TIMES && encoded; i++) {
		if (!decode_once(text, &n))
			return true;
		encoded = memchr(text, '%', n) != NULL;
	}
	while (n > 0 && (unsigned char)text[n - 1] <= ' ')
		n--;
	for (word = (struct slice){ text, n };
	     word.n > 0 && (unsigned char)word.p[0] <= ' ';)
		word = slice_from(word, 1);
	return slice_is_nocase(word, what);
}

/* A key=value of the query; '&' and, for some servers, ';' are between. */
static void
read_pair(struct slice pair, bool *sas, bool *batch)
{
	size_t eq = slice_find(pair, '=');
	struct slice key = slice_head(pair, eq);

	*sas |= may_be(key, "sig");
	*batch |=
	    may_be(key, "comp") && may_be(slice_from(pair, eq + 1), "batch");
}

static void
read_query(struct slice query, bool *sas, bool *batch)
{
	while (query.n > 0) {
		size_t end = slice_find(query, '&');
		struct slice part = slice_head(query, end);

		/* Read whole and in parts: servers differ on ';'. */
		read_pair(part, sas, batch);
		while (slice_find(part, ';') < part.n) {
			part = slice_from(part, slice_find(part, ';') + 1);
			read_pair(slice_head(part, slice_find(part, ';')), sas,
			    batch);
		}
		query = slice_from(query, end + 1);
	}
}

static bool
is_method(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return s.n > 0;
}

static void
read_method(struct reading *r, struct slice value)
{
	struct policy_target *out = r->out;

	/* Two that differ have no one meaning. */
	if (!is_method(value) ||
	    (out->method_too.n > 0 && !slice_eq(out->method_too, value)))
		out->broken = true;
	else if (out->method_too.n == 0)
		out->method_too = keep(r, value);
}

/* The path and query behind an authority, or given alone. */
static bool
read_place(struct reading *r, struct slice path, struct slice query,
    struct policy_source *s)
{
	bool batch = false;

	read_query(query, &s->sas, &batch);
	return read_path(r, path, &s->path, &s->other);
}

static bool
read_url(struct reading *r, struct slice value, struct policy_source *s)
{
	struct uri u;

	if (uri_parse(value, &u) != OK || u.scheme != URI_HTTPS ||
	    u.authority.host.kind != HOST_NAME)
		return false;
	s->host = keep(r, slice_of(u.authority.host.name));
	s->port = u.authority.port;
	return read_place(r, u.path, u.query, s);
}

static void
read_source(struct reading *r, size_t kind, struct slice value, unsigned *seen)
{
	struct policy_target *out = r->out;
	struct policy_source *s = &out->sources[out->n_sources];
	size_t end = slice_find(value, '?');
	bool good;

	/* One place for each kind; a second of a kind breaks the first. */
	if ((*seen & 1U << kind) != 0) {
		for (size_t i = 0; i < out->n_sources; i++)
			out->sources[i].broken = true;
		return;
	}
	*seen |= 1U << kind;
	out->n_sources++;
	s->moves = source_fields[kind].moves;
	if (slice_starts(value, SLICE("/")) && source_fields[kind].may_be_path)
		good = read_place(
		    r, slice_head(value, end), slice_from(value, end + 1), s);
	else
		good = read_url(r, value, s);
	s->broken |= !good;
}

static void
read_field(struct reading *r, const struct http1_field *f, unsigned *seen)
{
	int source;

	if (!may_matter(f->name))
		return;
	source = find_source(f->name);
	if (source != NO_FIELD)
		read_source(r, (size_t)source, f->value, seen);
	if (is_one_of(f->name, method_fields, ARRAY_LEN(method_fields)))
		read_method(r, f->value);
	r->out->other_secret |=
	    is_one_of(f->name, secret_fields, ARRAY_LEN(secret_fields));
	/* Service Bus and Event Hubs carry theirs here. */
	if (slice_is_nocase(f->name, "authorization") &&
	    slice_eq_nocase(
	        slice_head(f->value, 21), SLICE("SharedAccessSignature")))
		r->out->sas = true;
}

/* OData puts many requests into one POST. */
static bool
is_batch_path(struct slice path)
{
	return slice_ends(path, SLICE("/$batch"));
}

void
policy_target_read(
    const struct policy_plain *in, char *text, struct policy_target *out)
{
	struct reading r = { in, text, out };
	unsigned seen = 0;

	*out = (struct policy_target){ .n_sources = 0 };
	out->method = keep(&r, in->method);
	out->broken = (in->no_coded_slash && path_has_coded_slash(in->path)) ||
	    !read_path(&r, in->path, &out->path, &out->other);
	out->batch = is_batch_path(out->path);
	read_query(in->query, &out->sas, &out->batch);
	for (size_t i = 0; in->fields != NULL && i < in->fields->n; i++)
		read_field(&r, &in->fields->at[i], &seen);
}
