/* One line of the audit file, composed and taken apart. */
#include "agent/audit_line.h"

#include <openssl/evp.h>
#include <stdlib.h>

const char audit_hash_zero[AUDIT_HASH_BYTES] =
    "0000000000000000000000000000000000000000000000000000000000000000";

static const char checkpoint_event[] = "\"id\":null,\"event\":\"checkpoint\"";

void
audit_line_compose(struct buf *out, const struct audit_line *line)
{
	buf_puts(out, "{\"time\":\"");
	buf_put_slice(out, line->time);
	buf_puts(out, "\",\"seq\":");
	buf_put_u64(out, line->seq);
	buf_puts(out, ",\"prev\":\"");
	buf_put_slice(out, line->prev);
	buf_puts(out, "\",");
	buf_put_slice(out, line->members);
	buf_puts(out, "}\n");
}

/** Takes @lit off the front of @s. */
static bool
eat(struct slice *s, const char *lit)
{
	struct slice l = slice_of(lit);

	if (!slice_starts(*s, l))
		return false;
	*s = slice_from(*s, l.n);
	return true;
}

/** Takes exactly @n lower-case hex digits and a quote. */
static bool
eat_hex(struct slice *s, size_t n, struct slice *out)
{
	if (s->n <= n || s->p[n] != '"')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!ascii_is_digit(s->p[i]) &&
		    (s->p[i] < 'a' || s->p[i] > 'f'))
			return false;
	*out = slice_head(*s, n);
	*s = slice_from(*s, n + 1);
	return true;
}

static bool
eat_seq(struct slice *s, uint64_t *out)
{
	size_t n = slice_find(*s, ',');
	uint64_t v;

	if (n == 0 || n > 20 || s->p[0] == '0' ||
	    !slice_to_u64(slice_head(*s, n), UINT64_MAX, &v))
		return false;
	*out = v;
	*s = slice_from(*s, n);
	return true;
}

/** "2026-11-23T00:00:00.000000000Z": digits where they belong. */
static bool
time_is_shaped(struct slice s)
{
	static const char shape[] = "0000-00-00T00:00:00.000000000Z";

	if (s.n != sizeof shape - 1)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (shape[i] == '0' ? !ascii_is_digit(s.p[i])
		                    : s.p[i] != shape[i])
			return false;
	return true;
}

/** The writer escapes all else. */
static bool
is_printable(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

enum status
audit_line_parse(struct slice line, struct audit_line *out)
{
	struct slice s = line;
	struct audit_line l = { 0 };

	if (s.n > AUDIT_LINE_MAX || !eat(&s, "{\"time\":\""))
		return E_SYNTAX;
	l.time = slice_head(s, 30);
	s = slice_from(s, 30);
	if (!time_is_shaped(l.time) || !eat(&s, "\",\"seq\":") ||
	    !eat_seq(&s, &l.seq) || !eat(&s, ",\"prev\":\"") ||
	    !eat_hex(&s, AUDIT_HASH_BYTES - 1, &l.prev) || !eat(&s, ",") ||
	    s.n < 2 || s.p[0] != '"' || s.p[s.n - 1] != '}' || !is_printable(s))
		return E_SYNTAX;
	l.members = slice_head(s, s.n - 1);
	*out = l;
	return OK;
}

enum { MD_BYTES = 32 };

struct audit_hasher {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
};

static void
put_hex(const unsigned char md[MD_BYTES], char out[AUDIT_HASH_BYTES])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < MD_BYTES; i++) {
		out[2 * i] = digits[md[i] >> 4];
		out[2 * i + 1] = digits[md[i] & 15];
	}
	out[AUDIT_HASH_BYTES - 1] = '\0';
}

void
audit_line_hash(struct slice line, char out[AUDIT_HASH_BYTES])
{
	unsigned char md[MD_BYTES];

	if (EVP_Digest(line.p, line.n, md, NULL, EVP_sha256(), NULL) != 1)
		abort(); /* a chain without a hash is no chain */
	put_hex(md, out);
}

struct audit_hasher *
audit_hasher_create(void)
{
	struct audit_hasher *h = calloc(1, sizeof *h);

	if (h == NULL)
		return NULL;
	h->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	h->ctx = EVP_MD_CTX_new();
	if (h->md != NULL && h->ctx != NULL)
		return h;
	audit_hasher_destroy(h);
	return NULL;
}

void
audit_hasher_destroy(struct audit_hasher *h)
{
	if (h == NULL)
		return;
	EVP_MD_CTX_free(h->ctx);
	EVP_MD_free(h->md);
	free(h);
}

void
audit_hasher_line(
    struct audit_hasher *h, struct slice line, char out[AUDIT_HASH_BYTES])
{
	unsigned char md[MD_BYTES];

	if (EVP_DigestInit_ex2(h->ctx, h->md, NULL) != 1 ||
	    EVP_DigestUpdate(h->ctx, line.p, line.n) != 1 ||
	    EVP_DigestFinal_ex(h->ctx, md, NULL) != 1)
		abort(); /* as above */
	put_hex(md, out);
}

enum status
audit_checkpoint_parse(
    const struct audit_line *line, struct audit_checkpoint *out)
{
	struct slice s = line->members;
	struct audit_checkpoint c;

	if (!eat(&s, checkpoint_event))
		return E_NOTFOUND;
	if (!eat(&s, ",\"head\":\"") ||
	    !eat_hex(&s, AUDIT_HASH_BYTES - 1, &c.head) ||
	    !eat(&s, ",\"key_id\":\"") ||
	    !eat_hex(&s, AUDIT_KEY_ID_BYTES - 1, &c.key_id) ||
	    !eat(&s, ",\"signature\":\"") ||
	    !eat_hex(&s, AUDIT_SIGNATURE_BYTES - 1, &c.signature) || s.n != 0)
		return E_SYNTAX;
	*out = c;
	return OK;
}

void
audit_checkpoint_compose(
    struct buf *out, const struct audit_checkpoint *checkpoint)
{
	buf_puts(out, checkpoint_event);
	buf_puts(out, ",\"head\":\"");
	buf_put_slice(out, checkpoint->head);
	buf_puts(out, "\",\"key_id\":\"");
	buf_put_slice(out, checkpoint->key_id);
	buf_puts(out, "\",\"signature\":\"");
	buf_put_slice(out, checkpoint->signature);
	buf_puts(out, "\"");
}

void
audit_checkpoint_message(struct buf *out, const struct audit_line *line)
{
	buf_puts(out, "wayleave audit checkpoint 1\n");
	buf_put_slice(out, line->time);
	buf_putc(out, '\n');
	buf_put_u64(out, line->seq);
	buf_putc(out, '\n');
	buf_put_slice(out, line->prev);
	buf_putc(out, '\n');
}
