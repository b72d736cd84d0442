/* The facts of a `why`, from the command line or from a line of JSON. */
#include "agent/why_request.h"

#include "base/jsonpos.h"
#include "base/uri.h"
#include "policy/rfc3339.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>

void
why_request_init(struct why_request *w, int64_t now_unix_s)
{
	memset(w, 0, sizeof *w);
	/* A uid that is nobody's: no number in a policy matches it. */
	w->peer = (struct peer){ .known = true,
		.uid = UINT32_MAX,
		.user = w->user,
		.groups = w->groups,
		.unit = w->unit,
		.cgroup = w->cgroup,
		.exe = w->exe };
	w->request = (struct policy_request){
		.host = &w->host, .peer = &w->peer, .now_unix_s = now_unix_s
	};
	w->answer = (struct policy_answer){ .chain = w->chain,
		.addresses = w->addresses };
}

enum status
why_plain_url(
    struct why_plain *w, const struct uri *u, struct status_detail *detail)
{
	w->is_url = true;
	if (slice_copy(u->path, w->path, sizeof w->path) &&
	    slice_copy(u->query, w->query, sizeof w->query))
		return OK;
	return status_set(detail, E_INVALID, "the URL is too long");
}

void
why_plain_settle(struct why_plain *w, struct policy_request *r)
{
	const struct policy_plain plain = { .method = r->plaintext &&
		        w->method[0] == '\0'
		    ? SLICE("GET")
		    : slice_of(w->method),
		.path = slice_of(w->path),
		.query = slice_of(w->query),
		.no_coded_slash = r->plaintext };

	r->inspects = !r->plaintext;
	if (!w->is_url || plain.method.n == 0)
		return;
	policy_target_read(&plain, w->text, &w->target);
	r->method = w->target.method;
	r->path = plain.path;
	r->target = &w->target;
}

enum status
why_request_target(
    struct why_request *w, const char *text, struct status_detail *detail)
{
	struct authority a;
	struct uri u;

	if (uri_parse(slice_of(text), &u) == OK) {
		w->host = u.authority.host;
		w->request.port = u.authority.port;
		w->request.plaintext = u.scheme == URI_HTTP;
		return why_plain_url(&w->plain, &u, detail);
	}
	if (authority_parse(slice_of(text), &a) != OK)
		return status_set(detail, E_INVALID,
		    "the target must be a URL, HOST or HOST:PORT");
	w->host = a.host;
	w->request.port = a.has_port ? a.port : 443;
	return OK;
}

static enum status
add_group(struct why_request *w, uint32_t gid, const char *name,
    struct status_detail *detail)
{
	size_t n = w->peer.n_groups;

	for (size_t i = 0; i < n && gid != UINT32_MAX; i++)
		if (w->groups[i].gid == gid)
			return OK;
	if (n == WHY_GROUPS_MAX)
		return status_set(detail, E_LIMIT, "too many groups");
	if (!slice_copy(
	        slice_of(name), w->group_names[n], sizeof w->group_names[n]))
		return status_set(detail, E_INVALID, "a group's name is long");
	w->groups[n] = (struct peer_group){ gid, w->group_names[n] };
	w->peer.n_groups = n + 1;
	return OK;
}

enum status
why_request_group(
    struct why_request *w, const char *text, struct status_detail *detail)
{
	const struct group *gr = getgrnam(text);
	uint64_t gid;

	if (gr != NULL)
		return add_group(w, gr->gr_gid, gr->gr_name, detail);
	if (!slice_to_u64(slice_of(text), UINT32_MAX - 1, &gid))
		return add_group(w, UINT32_MAX, text, detail);
	gr = getgrgid((gid_t)gid);
	return add_group(
	    w, (uint32_t)gid, gr != NULL ? gr->gr_name : "", detail);
}

static enum status
add_groups_of(struct why_request *w, const char *user, gid_t primary,
    struct status_detail *detail)
{
	gid_t gids[WHY_GROUPS_MAX];
	int n = WHY_GROUPS_MAX;
	enum status st = OK;

	if (getgrouplist(user, primary, gids, &n) < 0)
		n = WHY_GROUPS_MAX;
	for (int i = 0; i < n && st == OK; i++) {
		const struct group *gr = getgrgid(gids[i]);

		st = add_group(
		    w, gids[i], gr != NULL ? gr->gr_name : "", detail);
	}
	return st;
}

enum status
why_request_user(
    struct why_request *w, const char *text, struct status_detail *detail)
{
	uint64_t uid = UINT32_MAX;
	bool numeric = slice_to_u64(slice_of(text), UINT32_MAX - 1, &uid);
	const struct passwd *pw =
	    numeric ? getpwuid((uid_t)uid) : getpwnam(text);

	if (pw == NULL && numeric) {
		w->peer.uid = (uint32_t)uid;
		return OK;
	}
	if (!slice_copy(slice_of(pw != NULL ? pw->pw_name : text), w->user,
	        sizeof w->user))
		return status_set(detail, E_INVALID, "a user's name is long");
	/* A user of another machine has a name and no more. */
	if (pw == NULL)
		return OK;
	w->peer.uid = pw->pw_uid;
	return add_groups_of(w, w->user, pw->pw_gid, detail);
}

enum status
why_request_at(
    struct why_request *w, const char *text, struct status_detail *detail)
{
	if (rfc3339_parse(slice_of(text), &w->request.now_unix_s) != OK)
		return status_set(detail, E_INVALID,
		    "a time is written as in 2026-11-23T08:00:00Z");
	return OK;
}

enum status
why_request_resolves(
    struct why_request *w, struct slice text, struct status_detail *detail)
{
	size_t at = w->answer.n_chain;

	w->has_resolves = true;
	if (at == WHY_NAMES_MAX || w->answer.n_addresses == WHY_NAMES_MAX)
		return status_set(detail, E_LIMIT, "too many names");
	if (addr_parse(text, &w->addresses[w->answer.n_addresses]) == OK) {
		w->answer.n_addresses++;
		return OK;
	}
	if (w->answer.n_addresses > 0 ||
	    host_parse_name(text, w->chain_text[at]) != OK)
		return status_set(detail, E_INVALID,
		    "resolves: the CNAME targets in order, then the "
		    "addresses");
	w->chain[at] = w->chain_text[at];
	w->answer.n_chain = at + 1;
	return OK;
}

enum status
why_request_text(struct why_request *w, const char *key, const char *text,
    struct status_detail *detail)
{
	struct {
		const char *key;
		char *out;
		size_t bytes;
	} const places[] = {
		{ "unit", w->unit, sizeof w->unit },
		{ "cgroup", w->cgroup, sizeof w->cgroup },
		{ "exe", w->exe, sizeof w->exe },
		{ "method", w->plain.method, sizeof w->plain.method },
		{ "sni", w->sni, sizeof w->sni },
	};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (strcmp(places[i].key, key) != 0)
			continue;
		if (!slice_copy(slice_of(text), places[i].out, places[i].bytes))
			return status_set(
			    detail, E_INVALID, "%s is too long", key);
		w->has_sni |= places[i].out == w->sni;
		return OK;
	}
	return status_set(detail, E_INVALID, "%s is not known here", key);
}

/* Names may stand as numbers. */
static const char *
name_text(const json_t *v, char out[24])
{
	struct buf b;

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return json_string_value(v);
	buf_init(&b, 24);
	buf_put_u64(&b, (uint64_t)json_integer_value(v));
	(void)!slice_copy(buf_slice(&b), out, 24);
	buf_release(&b);
	return out;
}

static enum status
take_list(struct why_request *w, const char *key, const json_t *list,
    struct status_detail *detail)
{
	enum status st = json_is_array(list)
	    ? OK
	    : status_set(detail, E_INVALID, "%s must be a list", key);
	char number[24];

	for (size_t i = 0; i < json_array_size(list) && st == OK; i++) {
		const char *text = name_text(json_array_get(list, i), number);

		if (text == NULL)
			st = status_set(
			    detail, E_INVALID, "%s must hold strings", key);
		else if (strcmp(key, "groups") == 0)
			st = why_request_group(w, text, detail);
		else
			st = why_request_resolves(w, slice_of(text), detail);
	}
	return st;
}

static enum status
take_member(struct why_request *w, const char *key, const json_t *v,
    struct status_detail *detail)
{
	static const char *const known[] = { "url", "connect", "method", "user",
		"groups", "unit", "cgroup", "exe", "at", "sni", "resolves" };
	char number[24];
	const char *text, *near;

	if (strcmp(key, "groups") == 0 || strcmp(key, "resolves") == 0)
		return take_list(w, key, v, detail);
	text = name_text(v, number);
	if (text == NULL)
		return status_set(
		    detail, E_INVALID, "%.64s must be a string", key);
	if (strcmp(key, "url") == 0 || strcmp(key, "connect") == 0)
		return why_request_target(w, text, detail);
	if (strcmp(key, "user") == 0)
		return why_request_user(w, text, detail);
	if (strcmp(key, "at") == 0)
		return why_request_at(w, text, detail);
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(key, known[i]) == 0)
			return why_request_text(w, key, text, detail);
	near = nearest_name(slice_of(key), known, ARRAY_LEN(known));
	return status_set(detail, E_INVALID,
	    near != NULL ? "a request has no key \"%.64s\"; did you mean "
	                   "\"%s\"?"
	                 : "a request has no key \"%.64s\"%s",
	    key, near != NULL ? near : "");
}

enum status
why_request_json(
    struct why_request *w, const json_t *object, struct status_detail *detail)
{
	json_t *members = json_deep_copy(object), *v;
	enum status st = OK;
	const char *key;

	if (!json_is_object(members))
		st = status_set(detail, E_INVALID, "a request is {...}");
	json_object_foreach(members, key, v) {
		if (st == OK)
			st = take_member(w, key, v, detail);
	}
	if (st == OK && w->request.port == 0)
		st = status_set(detail, E_INVALID,
		    "a request needs \"url\" or \"connect\"");
	if (st == OK)
		why_plain_settle(&w->plain, &w->request);
	json_decref(members);
	return st;
}
