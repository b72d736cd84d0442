/* A small table, searched from end to end: beside a handshake that is nothing.
 */
#include "proxy/tls_sessions.h"

#include "base/host.h"
#include "base/slice.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

enum {
	PLACES_MAX = 256,
	SESSIONS_EACH = 2,
	SESSION_MS = 3600000,
	DAY_S = 86400,
};

/* When a session ends, by either clock. */
struct end {
	int64_t boot_ms, unix_s;
};

struct place {
	char host[HOST_BYTES];
	uint16_t port;
	uint64_t used; /* the higher, the later; 0: free */

	struct {
		SSL_SESSION *session; /* NULL: none */
		struct end end;
	} kept[SESSIONS_EACH]; /* the newest first */
};

struct tls_sessions {
	unsigned refs; /* its owner's and one for each home */
	bool over;     /* its owner's is gone */
	unsigned epoch;
	uint64_t uses;
	const struct clock *clock;
	struct place places[PLACES_MAX];
};

struct tls_home {
	struct tls_sessions *table;
	unsigned epoch;
	char host[HOST_BYTES];
	uint16_t port;
	bool settled;
	bool has_end; /* it goes on with a session that has this end */
	struct end end;
	SSL_SESSION *early; /* came before the peer was verified */
};

struct tls_sessions *
tls_sessions_new(const struct clock *clock)
{
	struct tls_sessions *t = calloc(1, sizeof *t);

	if (t == NULL)
		return NULL;
	t->refs = 1;
	t->clock = clock;
	return t;
}

static void
place_clear(struct place *p)
{
	for (size_t i = 0; i < SESSIONS_EACH; i++)
		SSL_SESSION_free(p->kept[i].session);
	*p = (struct place){ .used = 0 };
}

void
tls_sessions_flush(struct tls_sessions *t)
{
	t->epoch++;
	for (size_t i = 0; i < PLACES_MAX; i++)
		place_clear(&t->places[i]);
}

static void
sessions_unref(struct tls_sessions *t)
{
	if (--t->refs == 0)
		free(t);
}

void
tls_sessions_destroy(struct tls_sessions *t)
{
	if (t == NULL)
		return;
	tls_sessions_flush(t);
	t->over = true;
	sessions_unref(t);
}

struct tls_home *
tls_home_new(struct tls_sessions *t, const char *host, uint16_t port)
{
	struct tls_home *h = calloc(1, sizeof *h);

	if (h == NULL || !slice_copy(slice_of(host), h->host, sizeof h->host)) {
		free(h);
		return NULL;
	}
	h->table = t;
	h->epoch = t->epoch;
	h->port = port;
	t->refs++;
	return h;
}

void
tls_home_destroy(struct tls_home *h)
{
	if (h == NULL)
		return;
	SSL_SESSION_free(h->early);
	sessions_unref(h->table);
	free(h);
}

static bool
is_over(const struct tls_sessions *t, const struct end *end)
{
	return clock_boot_ms(t->clock) >= end->boot_ms ||
	    clock_unix_s(t->clock) >= end->unix_s;
}

/* The place of the home, or NULL. */
static struct place *
place_find(const struct tls_home *h)
{
	struct tls_sessions *t = h->table;

	for (size_t i = 0; i < PLACES_MAX; i++) {
		struct place *p = &t->places[i];
		if (p->used > 0 && p->port == h->port &&
		    strcmp(p->host, h->host) == 0)
			return p;
	}
	return NULL;
}

/* The same or another one, which is free or was not used for the longest. */
static struct place *
place_make(const struct tls_home *h)
{
	struct place *p = place_find(h), *oldest = &h->table->places[0];

	if (p != NULL)
		return p;
	for (size_t i = 0; i < PLACES_MAX; i++)
		if (h->table->places[i].used < oldest->used)
			oldest = &h->table->places[i];
	place_clear(oldest);
	memcpy(oldest->host, h->host, sizeof oldest->host);
	oldest->port = h->port;
	return oldest;
}

/* Takes @session. */
static void
home_put(struct tls_home *h, SSL_SESSION *session)
{
	struct tls_sessions *t = h->table;
	struct place *p;

	if (t->over || h->epoch != t->epoch || is_over(t, &h->end) ||
	    SSL_SESSION_is_resumable(session) != 1) {
		SSL_SESSION_free(session);
		return;
	}
	p = place_make(h);
	p->used = ++t->uses;
	SSL_SESSION_free(p->kept[SESSIONS_EACH - 1].session);
	for (size_t i = SESSIONS_EACH - 1; i > 0; i--)
		p->kept[i] = p->kept[i - 1];
	p->kept[0].session = session;
	p->kept[0].end = h->end;
}

/* RFC 8446 C.4: each is used once, lest it tells one client by it. */
void
tls_home_offer(struct tls_home *h, SSL *ssl)
{
	struct place *p = place_find(h);
	SSL_SESSION *session = NULL;

	for (size_t i = 0; p != NULL && i < SESSIONS_EACH && session == NULL;
	     i++) {
		session = p->kept[i].session;
		h->end = p->kept[i].end;
		p->kept[i].session = NULL;
		if (session != NULL && is_over(h->table, &h->end)) {
			SSL_SESSION_free(session);
			session = NULL;
		}
	}
	if (session == NULL)
		return;
	h->has_end = SSL_set_session(ssl, session) == 1;
	SSL_SESSION_free(session);
	ERR_clear_error();
}

/* Of the chain that was verified the certificate that ends first. */
static int64_t
chain_left_s(SSL *ssl)
{
	const STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
	int64_t left = INT64_MAX;

	if (chain == NULL || sk_X509_num(chain) == 0)
		return 0;
	for (int i = 0; i < sk_X509_num(chain); i++) {
		int days = 0, seconds = 0;
		const ASN1_TIME *end =
		    X509_get0_notAfter(sk_X509_value(chain, i));
		int64_t each;

		if (ASN1_TIME_diff(&days, &seconds, NULL, end) != 1)
			return 0;
		each = (int64_t)days * DAY_S + seconds;
		if (each < left)
			left = each;
	}
	return left;
}

void
tls_home_settle(struct tls_home *h, SSL *ssl)
{
	const struct clock *clock = h->table->clock;
	SSL_SESSION *early = h->early;

	/* What is gone on with lasts no longer than it did. */
	if (SSL_session_reused(ssl) != 1 || !h->has_end) {
		h->end.boot_ms = clock_boot_ms(clock) + SESSION_MS;
		h->end.unix_s = clock_unix_s(clock) + chain_left_s(ssl);
	}
	h->settled = true;
	h->early = NULL;
	if (early != NULL)
		home_put(h, early);
	ERR_clear_error();
}

bool
tls_home_keep(struct tls_home *h, SSL_SESSION *session)
{
	if (h->settled) {
		home_put(h, session);
		return true;
	}
	SSL_SESSION_free(h->early);
	h->early = session;
	return true;
}
