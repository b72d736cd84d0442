/* Addresses by RFC 3986 4.2 (absolute, and the two forms that begin with a
 * slash); cookies by RFC 6265 5.2; links by RFC 8288 3. */
#include "proxy/forward_map.h"

#include <string.h>

enum { MAPPED_BYTES_MORE = 16 }; /* "https://", ":65535" */

static const char *const addresses[] = { "location", "content-location",
	"operation-location", "azure-asyncoperation" };
static const char *const sources[] = { "origin", "referer", "x-ms-copy-source",
	"x-ms-rename-source", "x-ms-file-rename-source",
	"x-ms-previous-snapshot-url" };

static bool
is_one_of(struct slice name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (slice_is_nocase(name, names[i]))
			return true;
	return false;
}

static void
put_upstream(const struct forward_route *route, struct buf *out)
{
	buf_puts(out, "https://");
	buf_puts(out, route->host);
	if (route->port != 443)
		buf_printf(out, ":%u", (unsigned)route->port);
}

/* What follows the authority: at a path, a query, a fragment or the end. */
static size_t
authority_end(struct slice text)
{
	size_t n = 0;

	while (n < text.n && text.p[n] != '/' && text.p[n] != '?' &&
	    text.p[n] != '#')
		n++;
	return n;
}

/* Whether @path lies below the gateway's prefix; then *@rest does not have
 * it. */
static bool
path_is_below(
    const struct forward_route *route, struct slice path, struct slice *rest)
{
	struct slice prefix = slice_of(route->prefix);

	if (!slice_starts(path, prefix))
		return false;
	*rest = slice_from(path, prefix.n);
	return prefix.n == 0 || authority_end(*rest) == 0;
}

static bool
is_upstream(const struct forward_route *route, struct slice text)
{
	struct authority a;

	if (authority_parse(text, &a) != OK)
		return false;
	return (a.has_port ? a.port : 443) == route->port &&
	    strcmp(a.host.name, route->host) == 0;
}

static void
put_own(struct slice own, struct buf *out)
{
	buf_puts(out, "http://");
	buf_put_slice(out, own);
}

/* "/path": of the destination, which has no gateway outside its prefix. What
 * is below it may begin with two slashes, which alone would name a host. */
static bool
path_back(const struct forward_route *route, struct slice own,
    struct slice path, struct buf *out)
{
	struct slice rest;

	if (route->prefix[0] == '\0')
		return false;
	if (!path_is_below(route, path, &rest)) {
		put_upstream(route, out);
		rest = path;
	} else if (!slice_starts(rest, SLICE("/"))) {
		buf_putc(out, '/');
	} else if (rest.n > 1 && (rest.p[1] == '/' || rest.p[1] == '\\')) {
		put_own(own, out);
	}
	buf_put_slice(out, rest);
	return true;
}

static bool
address_back(const struct forward_route *route, struct slice own,
    struct slice url, struct buf *out)
{
	struct slice scheme = SLICE("https://"), rest, path;
	bool relative = slice_starts(url, SLICE("//"));
	size_t end;

	if (slice_starts(url, SLICE("/")) && !relative)
		return path_back(route, own, url, out);
	if (!relative && !slice_eq_nocase(slice_head(url, scheme.n), scheme))
		return false;
	rest = slice_from(url, relative ? 2 : scheme.n);
	end = authority_end(rest);
	if (is_upstream(route, slice_head(rest, end)) &&
	    path_is_below(route, slice_from(rest, end), &path)) {
		put_own(own, out);
		buf_put_slice(out, path);
		return true;
	}
	/* Beside the client's http that would be another scheme. */
	if (relative) {
		buf_puts(out, "https:");
		buf_put_slice(out, url);
	}
	return relative;
}

/* <URL>; rel="next", <URL>: brackets in quotes are none. */
static bool
links_back(const struct forward_route *route, struct slice own,
    struct slice value, struct buf *out)
{
	bool quoted = false;

	for (size_t i = 0; i < value.n; i++) {
		struct slice url = slice_from(value, i + 1);

		buf_putc(out, value.p[i]);
		if (value.p[i] == '"')
			quoted = !quoted;
		if (quoted && value.p[i] == '\\' && url.n > 0)
			buf_putc(out, value.p[++i]);
		if (quoted || value.p[i] != '<')
			continue;
		url = slice_head(url, slice_find(url, '>'));
		if (!address_back(route, own, url, out))
			buf_put_slice(out, url);
		i += url.n;
	}
	return true;
}

static struct slice
attribute_name(struct slice attribute)
{
	return slice_trim_ows(
	    slice_head(attribute, slice_find(attribute, '=')));
}

/* RFC 6265bis 5.6: without Secure no cookie is for all sites. */
static bool
is_dropped(struct slice attribute)
{
	struct slice name = attribute_name(attribute);
	struct slice value = slice_trim_ows(
	    slice_from(attribute, slice_find(attribute, '=') + 1));

	return slice_is_nocase(name, "domain") ||
	    slice_is_nocase(name, "secure") ||
	    (slice_is_nocase(name, "samesite") &&
	        slice_is_nocase(value, "none"));
}

/* A client keeps none for another host, nor sends it in clear if it may not:
 * here the next hop is as near as the client itself. */
static bool
cookie_back(
    const struct forward_route *route, struct slice value, struct buf *out)
{
	size_t end = slice_find(value, ';');

	buf_put_slice(out, slice_head(value, end));
	while (end < value.n) {
		struct slice one, path, rest;

		value = slice_from(value, end + 1);
		end = slice_find(value, ';');
		one = slice_head(value, end);
		if (is_dropped(one))
			continue;
		path =
		    slice_trim_ows(slice_from(one, slice_find(one, '=') + 1));
		buf_putc(out, ';');
		if (!slice_is_nocase(attribute_name(one), "path") ||
		    !path_is_below(route, path, &rest)) {
			buf_put_slice(out, one);
			continue;
		}
		buf_puts(out, rest.n == 0 ? " Path=/" : " Path=");
		buf_put_slice(out, rest);
	}
	return true;
}

bool
forward_map_back(const struct forward_route *route, struct slice own,
    const struct http1_field *field, struct buf *out)
{
	if (is_one_of(field->name, addresses, ARRAY_LEN(addresses)))
		return address_back(route, own, field->value, out);
	if (slice_is_nocase(field->name, "link"))
		return links_back(route, own, field->value, out);
	if (slice_is_nocase(field->name, "set-cookie"))
		return cookie_back(route, field->value, out);
	return false;
}

/* False: @url is not one of the gateway's. */
static bool
address_forth(
    const struct forward_route *route, struct slice url, struct buf *out)
{
	struct slice scheme = SLICE("http://");
	struct slice rest = slice_from(url, scheme.n);
	size_t end = authority_end(rest);

	if (!slice_eq_nocase(slice_head(url, scheme.n), scheme) ||
	    !forward_route_is_own(route, slice_head(rest, end)))
		return false;
	put_upstream(route, out);
	rest = slice_from(rest, end);
	if (rest.n > 0)
		buf_puts(out, route->prefix);
	buf_put_slice(out, rest);
	return true;
}

enum status
forward_map_forth(const struct forward_route *route,
    struct http1_fields *fields, struct buf *text)
{
	size_t room = 0;

	/* What is written may not move any more. */
	for (size_t i = 0; i < fields->n; i++)
		if (is_one_of(fields->at[i].name, sources, ARRAY_LEN(sources)))
			room += fields->at[i].value.n + strlen(route->host) +
			    strlen(route->prefix) + MAPPED_BYTES_MORE;
	if (room == 0)
		return OK;
	buf_init(text, room);
	if (!buf_reserve(text, room))
		return E_NOMEM;
	for (size_t i = 0; i < fields->n; i++) {
		struct http1_field *f = &fields->at[i];
		size_t at = text->n;

		if (is_one_of(f->name, sources, ARRAY_LEN(sources)) &&
		    address_forth(route, f->value, text))
			f->value = slice_from(buf_slice(text), at);
	}
	return buf_status(text);
}
