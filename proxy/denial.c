/* The denial's status line, fields and problem document. */
#include "proxy/denial.h"

#include "base/jsonw.h"

enum { BODY_BYTES_MAX = 4096, TEXT_BYTES = 512 };

static const char *const fixes[REASON_COUNT] = {
	[REASON_METADATA_PROXIED] =
	    "ask for tokens at the agent's own token endpoint; `wayleave env` sets it",
	[REASON_PLAINTEXT] = "use https",
	[REASON_IP_LITERAL] = "use the host name",
	[REASON_BAD_REQUEST] = "correct the request; the agent repairs none",
	[REASON_BAD_HOST] = "use an ASCII host name",
	[REASON_BAD_AUTHORITY] = "name the destination as HOST:PORT",
	[REASON_LIMIT_REACHED] =
	    "close idle connections, or have the operator raise the limit",
	[REASON_RATE_LIMITED] = "send fewer requests, then try again",
	[REASON_AUDIT_UNAVAILABLE] =
	    "the operator must make the audit file writable; it heals by itself",
	[REASON_NOT_READY] = "try again shortly",
	[REASON_CREDENTIAL_UNAVAILABLE] = "try again shortly",
	[REASON_DNS_NXDOMAIN] =
	    "check the name; the operator can check the private zone's records",
	[REASON_DNS_NODATA] =
	    "check the name; the operator can check the private zone's records",
	[REASON_DNS_SERVFAIL] =
	    "try again; the operator can check the name servers of the configuration",
	[REASON_DNS_TIMEOUT] =
	    "try again; the operator can check the name servers of the configuration",
	[REASON_CONNECT_REFUSED] = "check the port, and that the service runs",
	[REASON_CONNECT_TIMEOUT] =
	    "the operator can check routes and network security groups to the private endpoint",
	[REASON_CONNECT_UNREACHABLE] =
	    "the operator can check routes to the private endpoint",
	[REASON_UPSTREAM_RESET] = "try again",
	[REASON_SNI_MISSING] = "use a client that sends the host name (SNI)",
	[REASON_SNI_MISMATCH] = "ask for the host that the TLS session names",
	[REASON_NOT_TLS] = "speak TLS in this tunnel",
	[REASON_ECH_REFUSED] = "turn encrypted client hello off",
};

const char *
denial_fix(enum reason code)
{
	const char *fix = (unsigned)code < REASON_COUNT ? fixes[code] : NULL;

	return fix != NULL ? fix : "ask the operator; the id finds the record";
}

/* RFC 9651 3.3.4: a label that is no token becomes a string. */
static void
put_name(struct buf *out, const char *name)
{
	bool token = ascii_is_alpha(name[0]);

	for (const char *p = name; *p != '\0'; p++)
		token = token &&
		    (ascii_is_alnum(*p) || *p == '-' || *p == '.' || *p == '_');
	if (token) {
		buf_puts(out, name);
		return;
	}
	buf_putc(out, '"');
	for (const char *p = name; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			buf_putc(out, '\\');
		buf_put(out, *p < 0x20 || *p > 0x7e ? "?" : p, 1);
	}
	buf_putc(out, '"');
}

static void
put_destination(struct buf *out, const struct denial *d)
{
	struct slice host = slice_of(d->host);
	bool v6 = slice_find(host, ':') < host.n;

	buf_printf(out, v6 ? "[%s]" : "%s", d->host);
	if (d->port != 0)
		buf_printf(out, ":%u", (unsigned)d->port);
}

static void
put_workload(struct buf *out, const struct peer *p)
{
	if (p == NULL || !p->known) {
		buf_puts(out, "unknown");
		return;
	}
	if (p->user != NULL && p->user[0] != '\0')
		buf_puts(out, p->user);
	else
		buf_printf(out, "uid %u", (unsigned)p->uid);
	if (p->unit != NULL && p->unit[0] != '\0')
		buf_printf(out, " in %s", p->unit);
}

static const char *
fix_of(const struct denial *d)
{
	if (d->why != NULL && d->why->fix[0] != '\0')
		return d->why->fix;
	return denial_fix(d->code);
}

/* One sentence: what, about which destination. */
static void
put_detail(struct buf *out, const struct denial *d)
{
	buf_puts(out, reason_info(d->code)->text);
	if (d->detail != NULL)
		buf_printf(out, ": %s", d->detail);
	if (d->host != NULL) {
		buf_puts(out, " (");
		put_destination(out, d);
		buf_putc(out, ')');
	}
}

/* Azure's SDKs show error.message and nothing else, so it says it all. */
static void
put_error(
    struct jsonw *w, const struct denial *d, struct slice detail, bool with_fix)
{
	struct buf text;

	buf_init(&text, BODY_BYTES_MAX);
	buf_printf(&text, "%s: ", reason_code(d->code));
	buf_put_slice(&text, detail);
	buf_printf(&text, " [id=%s]", d->id);
	if (with_fix)
		buf_printf(&text, ". %s", fix_of(d));
	jsonw_object(w, "error");
	jsonw_str(w, "code", reason_code(d->code));
	jsonw_slice(w, "message", buf_slice(&text));
	jsonw_object_end(w);
	buf_release(&text);
}

static const char *
text_or_null(const char *s)
{
	return s == NULL || s[0] == '\0' ? NULL : s;
}

static void
put_texts(struct jsonw *w, const struct denial *d, struct slice detail)
{
	struct buf text;

	buf_init(&text, TEXT_BYTES);
	jsonw_slice(w, "detail", detail);
	buf_printf(&text, "urn:wayleave:denial:%s", d->id);
	jsonw_slice(w, "instance", buf_slice(&text));
	jsonw_str(w, "code", reason_code(d->code));
	jsonw_str(w, "id", d->id);
	buf_clear(&text);
	if (d->host != NULL)
		put_destination(&text, d);
	if (d->host != NULL)
		jsonw_slice(w, "destination", buf_slice(&text));
	else
		jsonw_null(w, "destination");
	buf_clear(&text);
	put_workload(&text, d->peer);
	jsonw_slice(w, "workload", buf_slice(&text));
	jsonw_str(w, "rule_near",
	    d->why == NULL ? NULL : text_or_null(d->why->rule_near));
	jsonw_str(
	    w, "unmet", d->why == NULL ? NULL : text_or_null(d->why->unmet));
	jsonw_str(w, "fix", fix_of(d));
	jsonw_bool(w, "retry", reason_is_transient(d->code));
	buf_release(&text);
}

static void
put_body(struct buf *out, const struct denial *d, int status, bool with_fix)
{
	struct buf detail;
	struct jsonw w;

	buf_init(&detail, (size_t)TEXT_BYTES * 2);
	jsonw_init(&w, out);
	jsonw_object(&w, NULL);
	buf_printf(&detail, "urn:wayleave:reason:%s", reason_code(d->code));
	jsonw_slice(&w, "type", buf_slice(&detail));
	buf_clear(&detail);
	put_detail(&detail, d);
	jsonw_str(&w, "title", reason_info(d->code)->text);
	jsonw_i64(&w, "status", status);
	put_texts(&w, d, buf_slice(&detail));
	put_error(&w, d, buf_slice(&detail), with_fix);
	jsonw_object_end(&w);
	buf_putc(out, '\n');
	buf_release(&detail);
}

static void
put_head(struct buf *out, const struct denial *d, int status, size_t body)
{
	const struct reason_info *info = reason_info(d->code);

	buf_printf(
	    out, "HTTP/1.1 %d Denied %s id=%s\r\n", status, info->code, d->id);
	buf_puts(out, "Content-Type: application/problem+json\r\n");
	buf_printf(out, "Content-Length: %zu\r\n", body);
	buf_puts(out, "Proxy-Status: ");
	put_name(out, d->name);
	buf_printf(
	    out, "; error=%s; details=\"%s\"\r\n", info->token, info->code);
	buf_puts(out, "Cache-Control: no-store\r\n");
	/* RFC 6750 3, with what Key Vault's clients look for. Whose tenant it
	 * is does not matter to a managed identity. */
	if (d->challenge != NULL)
		buf_printf(out,
		    "WWW-Authenticate: Bearer authorization="
		    "\"https://login.microsoftonline.com/common\", "
		    "resource=\"%s\"\r\n",
		    d->challenge);
	if (status == 503 || status == 429)
		buf_puts(out, "Retry-After: 2\r\n");
	buf_puts(out, "Connection: close\r\n\r\n");
}

void
denial_render(const struct denial *d, struct buf *out)
{
	int status = d->status != 0 ? d->status : reason_info(d->code)->status;
	struct buf body;

	buf_init(&body, BODY_BYTES_MAX);
	put_body(&body, d, status, true);
	if (buf_status(&body) == E_LIMIT) {
		/* The fix stands in its own member already. */
		buf_release(&body);
		buf_init(&body, (size_t)BODY_BYTES_MAX * 2);
		put_body(&body, d, status, false);
	}
	put_head(out, d, status, body.n);
	if (!d->no_body)
		buf_put_slice(out, buf_slice(&body));
	if (buf_status(&body) != OK)
		out->st = buf_status(&body);
	buf_release(&body);
}
