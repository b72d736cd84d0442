/* Watches that a token does not come back in the answer to its request. */
#include "proxy/guard.h"

#include <string.h>

void
guard_init(struct guard *g, struct slice token)
{
	*g = (struct guard){ .token = token };
}

bool
guard_finds(const struct guard *g, struct slice text)
{
	return g->token.n > 0 && text.n >= g->token.n &&
	    memmem(text.p, text.n, g->token.p, g->token.n) != NULL;
}

static void
put(const struct guard_out *out, struct slice s)
{
	if (s.n > 0)
		out->put(out->arg, s);
}

/* What was matched is the token's own beginning: no copy is kept of it. */
static void
let_go(struct guard *g, size_t n, const struct guard_out *out)
{
	if (n > g->sent)
		put(out, slice_from(slice_head(g->token, n), g->sent));
	g->sent = n > g->sent ? 0 : g->sent - n;
}

/* Another beginning may lie within what was matched: the longest one. */
static void
fall_back(struct guard *g, const struct guard_out *out)
{
	size_t k = g->matched - 1;

	while (k > 0 && memcmp(g->token.p + g->matched - k, g->token.p, k) != 0)
		k--;
	let_go(g, g->matched - k, out);
	g->matched = k;
}

static size_t
common(struct slice a, struct slice b)
{
	size_t n = 0;

	while (n < a.n && n < b.n && a.p[n] == b.p[n])
		n++;
	return n;
}

/* How much at the end of @in is a beginning of the token. */
static size_t
tail(const struct guard *g, struct slice in)
{
	size_t most = g->token.n - 1;
	struct slice s = in.n > most ? slice_from(in, in.n - most) : in;

	while (s.n > 0) {
		s = slice_from(s, slice_find(s, g->token.p[0]));
		if (s.n == 0 || memcmp(s.p, g->token.p, s.n) == 0)
			break;
		s = slice_from(s, 1);
	}
	return s.n;
}

enum status
guard_feed(struct guard *g, struct slice in, const struct guard_out *out)
{
	if (g->token.n == 0) {
		put(out, in);
		return OK;
	}
	while (g->matched > 0 && in.n > 0) {
		size_t n = common(slice_from(g->token, g->matched), in);

		g->matched += n;
		in = slice_from(in, n);
		if (g->matched == g->token.n)
			return E_DENIED;
		if (in.n > 0)
			fall_back(g, out);
	}
	if (in.n > 0) {
		size_t n = tail(g, in);

		if (guard_finds(g, in))
			return E_DENIED;
		put(out, slice_head(in, in.n - n));
		g->matched = n;
		g->sent = 0;
	}
	if (g->matched < GUARD_FREE_BYTES && g->matched > g->sent) {
		put(out, slice_from(slice_head(g->token, g->matched), g->sent));
		g->sent = g->matched;
	}
	return OK;
}

/* RFC 7515 3.1: without its signature it is no credential. */
enum status
guard_end(struct guard *g, const struct guard_out *out)
{
	size_t last = g->token.n;

	while (last > 0 && g->token.p[last - 1] != '.')
		last--;
	if (g->matched > last && g->matched > GUARD_FREE_BYTES)
		return E_DENIED;
	let_go(g, g->matched, out);
	g->matched = g->sent = 0;
	return OK;
}
