/* From policy.json to struct policy: shared by the load_*.c files only. */
#ifndef POLICY_LOAD_H
#define POLICY_LOAD_H

#include "base/jsonr.h"
#include "policy/model.h"

/**
 * Where the loader is: a step from @up, which it keeps. Only what is said of
 * a place is made into a JSON pointer (RFC 6901).
 */
struct where {
	const struct where *up; /**< NULL: this is the whole text */
	const char *key;        /**< NULL: the element @index */
	size_t index;
	bool of_key; /**< the key is meant, not its value */
};

struct loader {
	struct slice text;
	struct policy *p;
	struct policy_issues *issues;
	enum status st; /**< the first failure; E_NOMEM wins */
};

/** What an object may hold. */
struct key_set {
	const char *const *known;
	size_t n_known;
	const char *what; /**< "a rule" */
};

static inline struct where
where_key(const struct where *up, const char *key)
{
	return (struct where){ .up = up, .key = key };
}

static inline struct where
where_at(const struct where *up, size_t index)
{
	return (struct where){ .up = up, .index = index };
}

/** Notes an error at @w and fails the load. */
void load_error(struct loader *l, const struct where *w, const char *fmt, ...)
    ATTR_PRINTF(3, 4);
void load_warning(struct loader *l, const struct where *w, const char *fmt, ...)
    ATTR_PRINTF(3, 4);
void load_no_memory(struct loader *l);

/** Whether @v is an object with no unknown keys; says what is wrong. */
bool load_object(struct loader *l, const struct jsonr_value *v,
    const struct where *w, const struct key_set *keys);
/** Text of member @key, NULL when absent or wrong (then said). */
const char *load_text(struct loader *l, const struct jsonr_value *object,
    const char *key, const struct where *w);
/** A text member that must be there; NULL after saying so. */
const char *load_required_text(struct loader *l,
    const struct jsonr_value *object, const char *key, const struct where *w);
/** Index of member @key's text in @names, or @otherwise when absent. */
size_t load_choice(struct loader *l, const struct jsonr_value *object,
    const char *key, const struct where *w, const struct text_list *names,
    size_t otherwise);
/**
 * A non-empty list in member @key, whose place is @at. NULL when absent or
 * wrong (then said).
 */
const struct jsonr_value *load_list(struct loader *l,
    const struct jsonr_value *object, const char *key, const struct where *at);
/** The text @v, whose place is @at; NULL after saying why not. */
const char *load_element(
    struct loader *l, const struct jsonr_value *v, const struct where *at);
/** A non-empty list of non-empty texts, copied; left alone when absent. */
void load_texts(struct loader *l, const struct jsonr_value *object,
    const char *key, const struct where *w, struct text_list *out);
/** An RFC 3339 member; left alone when absent. */
void load_time(struct loader *l, const struct jsonr_value *object,
    const char *key, const struct where *w, int64_t *unix_s);
/** An id of 1..64 letters, digits, '.', '_', '-'; "" after saying so. */
const char *load_id(
    struct loader *l, const struct jsonr_value *object, const struct where *w);
/** Indices of the workloads that `workloads` names. */
void load_workload_refs(struct loader *l, const struct jsonr_value *object,
    const struct where *w, const uint32_t **out, size_t *n);
/** Copies into the policy's pool; "" without memory. */
const char *load_copy(struct loader *l, const char *s);

void load_workloads(struct loader *l, const struct jsonr_value *root);
/** Methods, paths, deny_sas and inject; ports and sni are loaded. */
void load_rule_request(struct loader *l, const struct jsonr_value *v,
    const struct where *w, struct rule *rule);
/** Warns of rules of @list, all loaded, that hide what others inject or
 * count. */
void load_shadows(
    struct loader *l, const struct jsonr_value *list, const struct where *w);
void load_rules(struct loader *l, const struct jsonr_value *root);
void load_endpoints(struct loader *l, const struct jsonr_value *root);
void load_tokens(struct loader *l, const struct jsonr_value *root);
void load_tenants(struct loader *l, const struct jsonr_value *root);
void load_tests(struct loader *l, const struct jsonr_value *root);

#endif
