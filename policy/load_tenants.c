/* `tenant_restrictions`: to which tenants people may sign in. */
#include "policy/load.h"

#include "base/buf.h"

#include <string.h>

enum { TENANTS_MAX = 64, ALLOWED_BYTES = 8192 };

static const char *const keys[] = { "context", "tenants", "policy" };
static const struct key_set key_set = { .known = keys,
	.n_known = ARRAY_LEN(keys),
	.what = "\"tenant_restrictions\"" };

/* RFC 9562 4: 8-4-4-4-12 digits in hexadecimal. */
static bool
is_guid(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s.p[i] != '-' : !ascii_is_hex(s.p[i]))
			return false;
	}
	return s.n == 36;
}

static const char *
load_guid(struct loader *l, const struct jsonr_value *v, const char *key,
    const struct where *w)
{
	const char *text = load_text(l, v, key, w);
	struct where at = where_key(w, key);

	if (text == NULL)
		return NULL;
	if (!is_guid(slice_of(text)))
		load_error(l, &at,
		    "\"%.64s\" is no id of a tenant; write it as in "
		    "\"72f988bf-86f1-41af-91ab-2d7cd011db47\"",
		    text);
	return load_copy(l, text);
}

static bool
is_tenant(const char *text)
{
	char name[HOST_BYTES];

	return is_guid(slice_of(text)) ||
	    (strchr(text, '.') != NULL &&
	        host_parse_name(slice_of(text), name) == OK);
}

/* The field has them in one value, and nothing else may get into that. */
static const char *
load_allowed(
    struct loader *l, const struct jsonr_value *v, const struct where *w)
{
	struct where list_at = where_key(w, "tenants");
	struct text_list texts = { NULL, 0 };
	const char *joined;
	struct buf out;

	load_texts(l, v, "tenants", w, &texts);
	if (texts.n == 0)
		return NULL;
	if (texts.n > TENANTS_MAX)
		load_error(l, &list_at, "more than %d tenants", TENANTS_MAX);
	buf_init(&out, ALLOWED_BYTES);
	for (size_t i = 0; i < texts.n; i++) {
		struct where at = where_at(&list_at, i);

		if (*texts.at[i] != '\0' && !is_tenant(texts.at[i]))
			load_error(l, &at,
			    "\"%.128s\" is no tenant; write its id or one of "
			    "its domains, as in \"contoso.onmicrosoft.com\"",
			    texts.at[i]);
		if (i > 0)
			buf_putc(&out, ',');
		buf_puts(&out, texts.at[i]);
	}
	buf_putc(&out, '\0');
	if (buf_status(&out) != OK && l->st == OK)
		load_error(l, &list_at, "the tenants are too long together");
	joined = load_copy(l, buf_status(&out) == OK ? out.p : "");
	buf_release(&out);
	return joined;
}

static const char *
load_policy(
    struct loader *l, const struct jsonr_value *v, const struct where *w)
{
	const char *text = load_text(l, v, "policy", w);
	struct where at = where_key(w, "policy");
	struct slice s = slice_of(text == NULL ? "" : text);
	size_t colon = slice_find(s, ':');

	if (text == NULL)
		return NULL;
	if (!is_guid(slice_head(s, colon)) ||
	    !is_guid(slice_from(s, colon + 1)))
		load_error(l, &at,
		    "\"%.96s\" is no policy; write the tenant's id, a colon "
		    "and the policy's id",
		    text);
	return load_copy(l, text);
}

void
load_tenants(struct loader *l, const struct jsonr_value *root)
{
	const struct jsonr_value *v = jsonr_member(root, "tenant_restrictions");
	struct where top = { .up = NULL },
	             w = where_key(&top, "tenant_restrictions");
	struct policy_tenants *out;

	if (v == NULL || !load_object(l, v, &w, &key_set))
		return;
	out = pool_alloc(&l->p->pool, 1, sizeof *out);
	if (out == NULL) {
		load_no_memory(l);
		return;
	}
	out->context = load_guid(l, v, "context", &w);
	out->allowed = load_allowed(l, v, &w);
	out->policy = load_policy(l, v, &w);
	if ((jsonr_member(v, "context") == NULL) !=
	    (jsonr_member(v, "tenants") == NULL))
		load_error(l, &w, "\"context\" and \"tenants\" go together");
	else if (out->context == NULL && jsonr_member(v, "policy") == NULL)
		load_error(l, &w,
		    "says nothing: give \"context\" and \"tenants\", or "
		    "\"policy\", or both");
	l->p->tenants = out;
}
