/* The whole of policy.json, strictly: what is not understood is refused. */
#include "policy/load.h"

#include "policy/address_class.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT_BYTES = 256 << 20 };

static const char *const keys[] = { "version", "mode", "endpoints", "workloads",
	"rules", "tokens", "tests" };

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
load_endpoints(struct loader *l, const json_t *root)
{
	struct where top = { .pointer = "" }, w = where_key(&top, "endpoints");
	struct text_list texts = { NULL, 0 };
	const json_t *v = json_object_get(root, "endpoints");
	struct policy *p = l->p;

	/* An empty list is plain here: nothing is private yet. */
	if (json_is_array(v) && json_array_size(v) == 0)
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
load_root(struct loader *l, const json_t *root)
{
	static const char *const names[] = { "enforce", "report" };
	static const struct text_list modes = { names, ARRAY_LEN(names) };
	struct where top = { .pointer = "" };
	const json_t *version;

	if (!load_object(l, root, &top, &key_set))
		return;
	version = json_object_get(root, "version");
	if (!json_is_integer(version) || json_integer_value(version) != 1) {
		struct where at = where_key(&top, "version");

		load_error(l, version == NULL ? &top : &at,
		    "\"version\" must be there and be 1");
	}
	l->p->mode = (enum policy_mode)load_choice(
	    l, root, "mode", &top, &modes, POLICY_ENFORCE);
	load_endpoints(l, root);
	load_workloads(l, root);
	load_rules(l, root);
	load_tokens(l, root);
	load_tests(l, root);
}

/* The JSON library tells the place of a syntax error itself; it has no
 * words for want of memory. */
static void
note_syntax(struct loader *l, const json_error_t *e)
{
	struct policy_issue *issue = &l->issues->at[0];

	if (e->text[0] == '\0' ||
	    json_error_code(e) == json_error_out_of_memory) {
		load_no_memory(l);
		return;
	}
	*issue = (struct policy_issue){ .is_error = true,
		.line = e->line > 0 ? (unsigned)e->line : 1,
		.column = e->column > 0 ? (unsigned)e->column : 1 };
	(void)snprintf(issue->text, sizeof issue->text, "%s", e->text);
	l->issues->n = l->issues->n_errors = 1;
	l->st = E_SYNTAX;
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

/* When its text buffer cannot grow, the JSON library (2.14) drops a byte of
 * the string and goes on: "acct1" would be read as "acc1". So a want of
 * memory anywhere in it fails the load. */
static _Thread_local bool json_starved;

static void *
json_allocate(size_t n)
{
	void *p = malloc(n);

	json_starved |= p == NULL;
	return p;
}

static json_t *
parse(struct slice text, json_error_t *error)
{
	static atomic_bool hooked;
	json_t *root;

	if (!atomic_exchange(&hooked, true))
		json_set_alloc_funcs(json_allocate, free);
	json_starved = false;
	root = json_loadb(
	    text.n == 0 ? "" : text.p, text.n, JSON_REJECT_DUPLICATES, error);
	if (!json_starved)
		return root;
	json_decref(root);
	error->text[0] = '\0';
	return NULL;
}

enum status
policy_load(
    struct slice text, struct policy **out, struct policy_issues *issues)
{
	struct loader l = { .text = text, .issues = issues };
	json_error_t error;
	json_t *root;

	issues->n = 0;
	issues->n_errors = 0;
	if (text.n > MAX_TEXT_BYTES)
		return E_LIMIT;
	l.p = calloc(1, sizeof *l.p);
	if (l.p == NULL)
		return E_NOMEM;
	atomic_init(&l.p->refs, 1);
	l.st = digest(text, l.p->sha256);
	root = parse(text, &error);
	if (root == NULL)
		note_syntax(&l, &error);
	else if (l.st == OK)
		load_root(&l, root);
	json_decref(root);
	if (l.st != OK) {
		policy_unref(l.p);
		return l.st;
	}
	*out = l.p;
	return OK;
}
