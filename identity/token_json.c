/* jansson behind a size, a depth and a character set; its memory is wiped. */
#include "identity/token_json.h"

#include "base/wiping.h"

#include <jansson.h>
#include <string.h>

/*
 * jansson copies strings as it scans. Its allocator can only be set before
 * its first use, so it is set before main: every block it frees is wiped.
 */
__attribute__((constructor)) static void
wipe_what_jansson_frees(void)
{
	json_set_alloc_funcs(wiping_malloc, wiping_free);
}

/* Recursion is bounded before the parser sees a byte. */
static bool
is_shallow(struct slice s)
{
	unsigned depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		if (quoted) {
			if (s.p[i] == '\\')
				i++;
			else if (s.p[i] == '"')
				quoted = false;
		} else if (s.p[i] == '"') {
			quoted = true;
		} else if (s.p[i] == '{' || s.p[i] == '[') {
			if (++depth > TOKEN_JSON_DEPTH_MAX)
				return false;
		} else if ((s.p[i] == '}' || s.p[i] == ']') && depth > 0) {
			depth--;
		}
	}
	return true;
}

static enum status
load(struct slice body, json_t **out, struct status_detail *detail)
{
	json_error_t error;
	json_t *root;

	if (body.n > TOKEN_JSON_BYTES_MAX)
		return status_set(detail, E_LIMIT, "the answer is too long");
	if (!is_shallow(body))
		return status_set(detail, E_LIMIT, "the answer nests too deep");
	(void)wiping_starved();
	root = json_loadb(body.p == NULL ? "" : body.p, body.n,
	    JSON_REJECT_DUPLICATES, &error);
	if (wiping_starved()) {
		json_decref(root);
		return status_set(detail, E_NOMEM, "out of memory");
	}
	/* The error's text may quote the input; its place does not. */
	if (root == NULL)
		return status_set(detail, E_SYNTAX,
		    "the answer is not JSON (byte %d)", error.position);
	if (!json_is_object(root)) {
		json_decref(root);
		return status_set(
		    detail, E_INVALID, "the answer is not an object");
	}
	*out = root;
	return OK;
}

static struct slice
text_of(const json_t *v)
{
	if (!json_is_string(v))
		return (struct slice){ .p = NULL };
	return (struct slice){ .p = json_string_value(v),
		.n = json_string_length(v) };
}

/* IMDS gives numbers as strings, other sources as numbers. */
static enum status
seconds(const json_t *root, const char *key, int64_t *out)
{
	const json_t *v = json_object_get(root, key);
	uint64_t u;

	if (v == NULL)
		return E_NOTFOUND;
	if (json_is_integer(v) && json_integer_value(v) >= 0) {
		*out = json_integer_value(v);
		return OK;
	}
	if (!slice_to_u64(text_of(v), INT64_MAX, &u))
		return E_INVALID;
	*out = (int64_t)u;
	return OK;
}

/* RFC 6750 2.1: b64token; anything else could break a header or a log. */
static bool
is_b64token(struct slice s)
{
	static const char more[] = "-._~+/=";

	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) &&
		    memchr(more, s.p[i], sizeof more - 1) == NULL)
			return false;
	return s.n > 0;
}

static enum status
read_times(const json_t *root, int64_t now_unix_s, struct token_json *t,
    struct status_detail *detail)
{
	int64_t in_s = 0;
	enum status st = seconds(root, "expires_on", &t->expires_unix_s);

	if (st == E_NOTFOUND) {
		st = seconds(root, "expires_in", &in_s);
		if (st == OK && in_s <= TOKEN_LIFE_REFUSED_S)
			t->expires_unix_s = now_unix_s + in_s;
		else
			st = E_INVALID;
	}
	if (st != OK)
		return status_set(
		    detail, E_INVALID, "the answer has no usable expires_on");
	if (t->expires_unix_s <= now_unix_s)
		return status_set(
		    detail, E_TIMEOUT, "the token has expired already");
	if (t->expires_unix_s - now_unix_s > TOKEN_LIFE_REFUSED_S)
		return status_set(
		    detail, E_INVALID, "the token claims to live too long");
	if (t->expires_unix_s - now_unix_s > TOKEN_LIFE_MAX_S)
		t->expires_unix_s = now_unix_s + TOKEN_LIFE_MAX_S;
	if (seconds(root, "not_before", &t->not_before_unix_s) == E_INVALID)
		return status_set(detail, E_INVALID, "not_before is no number");
	t->refresh_in_s = -1;
	if (seconds(root, "refresh_in", &t->refresh_in_s) == E_INVALID)
		return status_set(detail, E_INVALID, "refresh_in is no number");
	return OK;
}

static enum status
read_token(const json_t *root, int64_t now_unix_s, struct token_json *t,
    struct status_detail *detail)
{
	const json_t *type = json_object_get(root, "token_type");
	struct slice id = text_of(json_object_get(root, "client_id"));
	struct slice token = text_of(json_object_get(root, "access_token"));
	enum status st = read_times(root, now_unix_s, t, detail);

	if (st != OK)
		return st;
	if (type != NULL && !slice_is_nocase(text_of(type), "Bearer"))
		return status_set(
		    detail, E_INVALID, "token_type is not Bearer");
	if (id.n > 0 && (!is_b64token(id) || id.n >= sizeof t->client_id))
		return status_set(detail, E_INVALID, "client_id is malformed");
	if (!slice_copy(id, t->client_id, sizeof t->client_id))
		return E_INTERNAL;
	if (!is_b64token(token))
		return status_set(
		    detail, E_INVALID, "access_token is missing or malformed");
	st = secret_create(token, &t->secret);
	return st == OK ? OK
	                : status_set(detail, st, "no room for the token: %s",
	                      status_text(st));
}

enum status
token_json_parse(struct slice body, int64_t now_unix_s, struct token_json *out,
    struct status_detail *detail)
{
	struct token_json t = { .secret = NULL };
	json_t *root = NULL;
	enum status st = load(body, &root, detail);

	if (st != OK)
		return st;
	st = read_token(root, now_unix_s, &t, detail);
	json_decref(root);
	if (st == OK)
		*out = t;
	return st;
}

void
token_json_error(struct slice body, char out[64])
{
	json_t *root = NULL;
	struct slice word;

	out[0] = '\0';
	if (load(body, &root, NULL) != OK)
		return;
	word = text_of(json_object_get(root, "error"));
	for (size_t i = 0; i < word.n; i++)
		if (!ascii_is_alpha(word.p[i]) && word.p[i] != '_')
			word.n = 0;
	if (!slice_copy(word, out, 64))
		out[0] = '\0';
	json_decref(root);
}
