/* Walks JSON text to the value that a JSON pointer names. */
#include "base/jsonpos.h"

#include <string.h>

enum { NAME_BYTES_MAX = 64 };

struct cursor {
	struct slice text;
	size_t at;
};

static char
peek(const struct cursor *c)
{
	return c->at < c->text.n ? c->text.p[c->at] : '\0';
}

static void
skip_space(struct cursor *c)
{
	while (peek(c) == ' ' || peek(c) == '\t' || peek(c) == '\n' ||
	    peek(c) == '\r')
		c->at++;
}

/* From the opening quote past the closing one; gives what is between. */
static struct slice
take_string(struct cursor *c)
{
	size_t from = ++c->at, to;

	while (c->at < c->text.n && c->text.p[c->at] != '"')
		c->at += c->text.p[c->at] == '\\' ? 2 : 1;
	to = c->at < c->text.n ? c->at : c->text.n;
	c->at = to + 1;
	return slice_head(slice_from(c->text, from), to - from);
}

/* Past one value of any kind. Depth is counted, not recursed into. */
static void
skip_value(struct cursor *c)
{
	size_t depth = 0;

	while (c->at < c->text.n) {
		char b = peek(c);
		if (b == '"') {
			(void)take_string(c);
		} else if (b == '{' || b == '[') {
			depth++;
			c->at++;
		} else if (b == '}' || b == ']') {
			if (depth == 0)
				return;
			depth--;
			c->at++;
		} else if (depth == 0 && b == ',') {
			return;
		} else {
			c->at++;
			/* A number or a word ends at the next delimiter. */
			if (depth > 0 || strchr(",]} \t\r\n", peek(c)) == NULL)
				continue;
		}
		if (depth == 0)
			return;
	}
}

static unsigned
hex4(struct slice s)
{
	unsigned v = 0;

	for (size_t i = 0; i < 4 && i < s.n; i++)
		v = v * 16 +
		    (unsigned)(ascii_is_digit(s.p[i])
		            ? s.p[i] - '0'
		            : ascii_lower(s.p[i]) - 'a' + 10);
	return v;
}

/*
 * The next character of a key in its JSON spelling, or of a pointer's token
 * (RFC 6901 4). What lies outside ASCII is compared as it is spelled.
 */
static unsigned
next_json(struct slice *s)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	unsigned char c = (unsigned char)s->p[0];
	const char *hit;

	if (c != '\\' || s->n < 2) {
		*s = slice_from(*s, 1);
		return c;
	}
	if (s->p[1] == 'u') {
		unsigned v = hex4(slice_from(*s, 2));
		*s = slice_from(*s, 6);
		return v;
	}
	hit = strchr(from, s->p[1]);
	*s = slice_from(*s, 2);
	return hit == NULL ? 0 : (unsigned char)to[hit - from];
}

static unsigned
next_token(struct slice *s)
{
	unsigned char c = (unsigned char)s->p[0];
	bool escape = c == '~' && s->n >= 2;

	if (escape)
		c = s->p[1] == '1' ? '/' : '~';
	*s = slice_from(*s, escape ? 2 : 1);
	return c;
}

static bool
key_is(struct slice key, struct slice token)
{
	while (key.n > 0 && token.n > 0)
		if (next_json(&key) != next_token(&token))
			return false;
	return key.n == 0 && token.n == 0;
}

/* Steps into the member @token; *key_at is where its key stands. */
static bool
enter_member(struct cursor *c, struct slice token, size_t *key_at)
{
	c->at++;
	skip_space(c);
	while (peek(c) == '"') {
		struct slice key;
		*key_at = c->at;
		key = take_string(c);
		skip_space(c);
		if (peek(c) != ':')
			return false;
		c->at++;
		skip_space(c);
		if (key_is(key, token))
			return true;
		skip_value(c);
		skip_space(c);
		if (peek(c) == ',')
			c->at++;
		skip_space(c);
	}
	return false;
}

static bool
enter_element(struct cursor *c, struct slice token)
{
	uint64_t index;

	if (!slice_to_u64(token, UINT32_MAX, &index))
		return false;
	c->at++;
	skip_space(c);
	for (; index > 0; index--) {
		skip_value(c);
		skip_space(c);
		if (peek(c) != ',')
			return false;
		c->at++;
		skip_space(c);
	}
	return peek(c) != ']' && peek(c) != '\0';
}

static struct json_place
place_of(struct slice text, size_t at)
{
	struct json_place p = { 1, 1 };

	for (size_t i = 0; i < at && i < text.n; i++) {
		if (text.p[i] == '\n') {
			p.line++;
			p.column = 1;
		} else {
			p.column++;
		}
	}
	return p;
}

struct json_place
json_place(struct slice text, const char *pointer, bool of_key)
{
	const struct json_place none = { 1, 1 };
	struct cursor c = { .text = text };
	struct slice rest = slice_of(pointer);
	size_t key_at = 0;

	skip_space(&c);
	key_at = c.at;
	while (rest.n > 0) {
		struct slice token = slice_from(rest, 1);
		token = slice_head(token, slice_find(token, '/'));
		rest = slice_from(rest, 1 + token.n);
		if (peek(&c) == '{') {
			if (!enter_member(&c, token, &key_at))
				return none;
		} else if (peek(&c) == '[' && enter_element(&c, token)) {
			key_at = c.at;
		} else {
			return none;
		}
	}
	return place_of(text, of_key ? key_at : c.at);
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance, by rows. */
static size_t
distance(struct slice a, struct slice b)
{
	size_t row[NAME_BYTES_MAX + 1];

	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 0; i < a.n; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < b.n; j++) {
			size_t change = diagonal +
			    (ascii_lower(a.p[i]) != ascii_lower(b.p[j]));
			diagonal = row[j + 1];
			row[j + 1] =
			    least(change, 1 + least(row[j], row[j + 1]));
		}
	}
	return row[b.n];
}

/* A longer or shorter word for the same thing begins alike, but for a letter:
 * "policy" and "policy_file", "identity" and "identities". */
static bool
begins_alike(struct slice word, struct slice name)
{
	size_t n = least(word.n, name.n), alike = 0;

	while (alike < n &&
	    ascii_lower(word.p[alike]) == ascii_lower(name.p[alike]))
		alike++;
	return alike >= 4 && alike + 1 >= n;
}

const char *
nearest_name(struct slice word, const char *const *names, size_t n)
{
	const char *best = NULL;
	/* At most a third of the word may differ, else it is no hint; two
	 * letters that changed places are one slip of the hand. */
	size_t limit = word.n / 3 > 1 ? word.n / 3 : 1, d;

	if (word.n > 3 && limit < 2)
		limit = 2;
	if (word.n == 0 || word.n > NAME_BYTES_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		struct slice name = slice_of(names[i]);
		if (name.n > NAME_BYTES_MAX)
			continue;
		d = distance(word, name);
		if (d > limit || (best != NULL && d == limit))
			continue;
		best = names[i];
		limit = d;
	}
	for (size_t i = 0; i < n && best == NULL; i++)
		if (begins_alike(word, slice_of(names[i])))
			best = names[i];
	return best;
}
