/* Builds the one request that IMDS knows for tokens. */
#include "identity/source_imds.h"

#include "base/uri.h"

static void
put_encoded(struct buf *out, struct slice s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		/* RFC 3986 2.3: unreserved stays, all else is escaped. */
		if (ascii_is_alnum(c) || c == '-' || c == '.' || c == '_' ||
		    c == '~') {
			buf_putc(out, c);
		} else {
			buf_putc(out, '%');
			buf_putc(out, hex[(unsigned char)c >> 4]);
			buf_putc(out, hex[(unsigned char)c & 15]);
		}
	}
}

static const char *
selector_name(enum identity_selector s)
{
	switch (s) {
	case IDENTITY_CLIENT_ID:
		return "client_id";
	case IDENTITY_OBJECT_ID:
		return "object_id";
	case IDENTITY_MI_RES_ID:
		return "msi_res_id";
	case IDENTITY_SELECTOR_NONE:
	default:
		return NULL;
	}
}

enum status
imds_url(const struct identity_config *config, struct slice resource,
    bool bypass, struct buf *out)
{
	struct slice endpoint = slice_of(config->endpoint);
	const char *selector = selector_name(config->selector);
	struct uri uri;

	if (uri_parse(endpoint, &uri) != OK || uri.scheme != URI_HTTP ||
	    uri.authority.host.kind != HOST_IP || uri.query.p != NULL ||
	    (uri.path.n != 0 && !slice_is(uri.path, "/")))
		return E_INVALID;
	if (uri.path.n != 0)
		endpoint.n--;
	buf_put_slice(out, endpoint);
	buf_puts(out, "/metadata/identity/oauth2/token");
	buf_puts(out, "?api-version=2018-02-01&resource=");
	put_encoded(out, resource);
	if (selector != NULL) {
		buf_putc(out, '&');
		buf_puts(out, selector);
		buf_putc(out, '=');
		put_encoded(out, slice_of(config->selector_value));
	}
	if (bypass)
		buf_puts(out, "&bypass_cache=true");
	buf_putc(out, '\0');
	return buf_status(out);
}
