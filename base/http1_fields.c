/* Fields: finding them, and comma lists. */
#include "base/http1.h"

enum status
http1_field_only(
    const struct http1_fields *f, const char *name, struct slice *out)
{
	size_t at = http1_field_find(f, name, 0);

	if (at == f->n)
		return E_NOTFOUND;
	if (http1_field_find(f, name, at + 1) < f->n)
		return E_INVALID;
	*out = f->at[at].value;
	return OK;
}

bool
http1_list_next(struct slice *rest, struct slice *element)
{
	while (rest->n > 0) {
		size_t at = slice_find(*rest, ',');
		*element = slice_trim_ows(slice_head(*rest, at));
		*rest = slice_from(*rest, at + 1);
		/* RFC 9110 5.6.1.2: empty elements are ignored. */
		if (element->n > 0)
			return true;
	}
	return false;
}

bool
http1_field_has_token(
    const struct http1_fields *f, const char *name, struct slice token)
{
	size_t at = http1_field_find(f, name, 0);

	for (; at < f->n; at = http1_field_find(f, name, at + 1)) {
		struct slice rest = f->at[at].value, element;
		while (http1_list_next(&rest, &element))
			if (slice_eq_nocase(element, token))
				return true;
	}
	return false;
}

void
http1_put_field(struct buf *out, const char *name, struct slice value)
{
	buf_puts(out, name);
	buf_puts(out, ": ");
	buf_put_slice(out, value);
	buf_puts(out, "\r\n");
}
