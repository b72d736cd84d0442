/* The whole of policy.json, strictly: what is not understood is refused. */
#include "policy/load.h"

#include "policy/address_class.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const keys[] = { "version", "mode", "endpoints", "workloads",
	"rules", "tokens", "tests", "tenant_restrictions" };

static const struct key_set key_set = {
	.known = keys, .n_known = ARRAY_LEN(keys), .what = "the policy"
};

static void
load_endpoint(
    struct loader *l, const char *text, const struct where *w, struct cidr *out)
{
	enum status st = cidr_parse(slice_of(text), out);
	const char *never;

	if (st == E_INVALID) {
		load_error(l, w,
		    "\"%.64s\" has bits set right of its prefix; write the "
		    "network's first address",
		    text);
	} else if (st != OK) {
		load_error(l, w,
		    "\"%.64s\" is no address range; write it as in "
		    "\"10.20.0.0/16\", one address as in \"10.20.0.5/32\"",
		    text);
	} else if (out->bits == 0) {
		load_error(l, w,
		    "\"%s\" is the whole network; name the subnets of your "
		    "private endpoints",
		    text);
	} else if ((never = cidr_never_name(out)) != NULL) {
		load_error(l, w,
		    "\"%s\" covers addresses that are never reached through "
		    "the agent (%s); name smaller ranges",
		    text, never);
	}
}

void
load_endpoints(struct loader *l, const struct jsonr_value *root)
{
	struct where top = { .up = NULL }, w = where_key(&top, "endpoints");
	struct text_list texts = { NULL, 0 };
	const struct jsonr_value *v = jsonr_member(root, "endpoints");
	struct policy *p = l->p;

	/* An empty list is plain here: nothing is private yet. */
	if (jsonr_is(v, JSONR_LIST) && jsonr_count(v) == 0)
		return;
	load_texts(l, root, "endpoints", &top, &texts);
	p->endpoints = pool_alloc(&p->pool, texts.n, sizeof *p->endpoints);
	if (p->endpoints == NULL) {
		load_no_memory(l);
		return;
	}
	p->n_endpoints = texts.n;
	for (size_t i = 0; i < texts.n; i++) {
		struct where at = where_at(&w, i);

		if (*texts.at[i] != '\0')
			load_endpoint(l, texts.at[i], &at, &p->endpoints[i]);
	}
}

static void
load_root(struct loader *l, const struct jsonr_value *root)
{
	static const char *const names[] = { "enforce", "report" };
	static const struct text_list modes = { names, ARRAY_LEN(names) };
	struct where top = { .up = NULL };
	const struct jsonr_value *version;

	if (!load_object(l, root, &top, &key_set))
		return;
	version = jsonr_member(root, "version");
	if (jsonr_integer(version) != 1) {
		struct where at = where_key(&top, "version");

		load_error(l, version == NULL ? &top : &at,
		    "\"version\" must be there and be 1");
	}
	l->p->mode = (enum policy_mode)load_choice(
	    l, root, "mode", &top, &modes, POLICY_ENFORCE);
	load_endpoints(l, root);
	load_workloads(l, root);
	load_tenants(l, root);
	load_rules(l, root);
	load_tokens(l, root);
	load_tests(l, root);
}

static void
note_syntax(struct loader *l, const struct jsonr_error *e)
{
	struct policy_issue *issue = &l->issues->at[0];

	*issue = (struct policy_issue){
		.is_error = true, .line = e->line, .column = e->column
	};
	(void)snprintf(issue->text, sizeof issue->text, "%s", e->text);
	l->issues->n = l->issues->n_errors = 1;
}

static enum status
digest(struct slice text, char out[65])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char md[32];
	unsigned n = 0;

	if (EVP_Digest(text.p, text.n, md, &n, EVP_sha256(), NULL) != 1 ||
	    n != sizeof md)
		return E_NOMEM;
	for (size_t i = 0; i < sizeof md; i++) {
		out[2 * i] = hex[md[i] >> 4];
		out[2 * i + 1] = hex[md[i] & 15];
	}
	out[64] = '\0';
	return OK;
}

static enum status
read_text(struct loader *l, struct jsonr *doc)
{
	struct jsonr_error error;
	enum status st = digest(l->text, l->p->sha256);

	if (st == OK)
		st = jsonr_read(l->text, doc, &error);
	if (st == E_SYNTAX)
		note_syntax(l, &error);
	return st;
}

enum status
policy_load(
    struct slice text, struct policy **out, struct policy_issues *issues)
{
	struct loader l = { .text = text, .issues = issues };
	struct jsonr doc = { .text = NULL };

	issues->n = 0;
	issues->n_errors = 0;
	l.p = calloc(1, sizeof *l.p);
	if (l.p == NULL)
		return E_NOMEM;
	atomic_init(&l.p->refs, 1);
	l.st = read_text(&l, &doc);
	if (l.st == OK)
		load_root(&l, doc.values);
	jsonr_release(&doc);
	if (l.st != OK) {
		policy_unref(l.p);
		return l.st;
	}
	*out = l.p;
	return OK;
}
