/* Host names and address literals, read so strictly that all hops agree. */
#include "base/host.h"

#include <string.h>

enum { LABEL_BYTES_MAX = 63 };

static bool
label_is_ok(struct slice label)
{
	if (label.n == 0 || label.n > LABEL_BYTES_MAX)
		return false;
	for (size_t i = 0; i < label.n; i++) {
		char c = label.p[i];
		bool edge = i == 0 || i == label.n - 1;
		if (!ascii_is_alnum(c) && (edge || (c != '-' && c != '_')))
			return false;
	}
	return true;
}

/*
 * A last label that some resolver would read as a number is never a name:
 * inet_aton takes "0x7f.1" and "2130706433" for 127.0.0.1.
 */
static bool
label_is_numeric(struct slice label)
{
	if (label.n >= 2 && label.p[0] == '0' && ascii_lower(label.p[1]) == 'x')
		return true;
	for (size_t i = 0; i < label.n; i++)
		if (!ascii_is_digit(label.p[i]))
			return false;
	return true;
}

static enum status
host_read_name(struct slice text, char out[HOST_BYTES])
{
	struct slice rest, label = { 0 };

	if (text.n > 0 && text.p[text.n - 1] == '.')
		text.n--;
	if (text.n == 0 || text.n >= HOST_BYTES)
		return E_SYNTAX;
	for (rest = text;;) {
		size_t dot = slice_find(rest, '.');
		label = slice_head(rest, dot);
		if (!label_is_ok(label))
			return E_SYNTAX;
		if (dot == rest.n)
			break;
		rest = slice_from(rest, dot + 1);
	}
	if (label_is_numeric(label))
		return E_SYNTAX;
	for (size_t i = 0; i < text.n; i++)
		out[i] = ascii_lower(text.p[i]);
	out[text.n] = '\0';
	return OK;
}

/* Only what libc inet_pton takes is an address, in every other form the
 * parsers of this world disagree. */
static enum status
host_read_ip(struct slice text, uint8_t family, struct host *out)
{
	struct addr a;

	if (addr_parse(text, &a) != OK || a.family != family)
		return E_SYNTAX;
	*out = (struct host){ .kind = HOST_IP, .addr = a };
	addr_text(&a, out->name);
	return OK;
}

enum status
host_parse(struct slice text, struct host *out)
{
	if (text.n >= 2 && text.p[0] == '[') {
		if (text.p[text.n - 1] != ']')
			return E_SYNTAX;
		return host_read_ip(
		    slice_head(slice_from(text, 1), text.n - 2), ADDR_V6, out);
	}
	if (host_read_ip(text, ADDR_V4, out) == OK)
		return OK;
	/* Writes when nothing can fail any more. */
	if (host_read_name(text, out->name) != OK)
		return E_SYNTAX;
	out->kind = HOST_NAME;
	out->addr = (struct addr){ .family = ADDR_NONE };
	return OK;
}

enum status
host_parse_name(struct slice text, char out[HOST_BYTES])
{
	struct host h;

	if (host_parse(text, &h) != OK)
		return E_SYNTAX;
	if (h.kind != HOST_NAME)
		return E_INVALID;
	memcpy(out, h.name, HOST_BYTES);
	return OK;
}

bool
host_in_suffix(struct slice name, struct slice suffix)
{
	if (suffix.n == 0 || !slice_ends(name, suffix))
		return false;
	return name.n == suffix.n || name.p[name.n - suffix.n - 1] == '.';
}

size_t
host_label_count(struct slice name)
{
	size_t n = name.n > 0 ? 1 : 0;

	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == '.')
			n++;
	return n;
}

bool
host_has_label(struct slice name, struct slice label)
{
	while (name.n > 0) {
		size_t dot = slice_find(name, '.');
		if (slice_eq(slice_head(name, dot), label))
			return true;
		name = slice_from(name, dot + 1);
	}
	return false;
}
