/* Requests, answers and policies for the tests of policy/. */
#include "tests/unit/policy/fixture.h"

#include <stdio.h>
#include <string.h>

static const struct addr interfaces[] = { { ADDR_V4, { 10, 20, 0, 4 } } };
const struct policy_self fixture_self = { .interfaces = interfaces,
	.n_interfaces = 1 };

struct policy *
fixture_load(const char *text)
{
	static struct policy_issues issues;
	struct policy *p = NULL;

	if (policy_load(slice_of(text), &p, &issues) != OK)
		fail_msg("%s: %s", issues.at[0].pointer, issues.at[0].text);
	return p;
}

void
fixture_request(struct fixture *f, const char *host, uint16_t port)
{
	static const struct peer_group groups[] = { { 1000, "alice" },
		{ 2000, "data" } };
	char text[300];

	*f = (struct fixture){ .request = { .port = port } };
	(void)snprintf(
	    text, sizeof text, strchr(host, ':') != NULL ? "[%s]" : "%s", host);
	if (host_parse(slice_of(text), &f->host) != OK)
		fail_msg("no host: %s", host);
	f->peer = (struct peer){ .known = true,
		.uid = 1000,
		.user = "alice",
		.groups = groups,
		.n_groups = ARRAY_LEN(groups),
		.unit = "job-1.service",
		.cgroup = "/system.slice/job-1.service",
		.exe = "/usr/bin/python3" };
	f->request.host = &f->host;
	f->request.peer = &f->peer;
	f->request.now_unix_s = FIXTURE_NOW;
}

void
fixture_see(struct fixture *f, struct fixture_sight *s, const char *method,
    const char *path, const char *field)
{
	struct slice whole = slice_of(path);
	size_t end = slice_find(whole, '?');
	struct policy_plain plain = { .method = slice_of(method),
		.path = slice_head(whole, end),
		.query = slice_from(whole, end + 1) };

	s->fields.n = 0;
	if (field != NULL) {
		struct slice text = slice_of(field);
		size_t colon = slice_find(text, ':');

		s->fields.at[0].name = slice_head(text, colon);
		s->fields.at[0].value =
		    slice_trim_ows(slice_from(text, colon + 1));
		s->fields.n = 1;
		plain.fields = &s->fields;
	}
	assert_true(policy_target_bytes(&plain) <= sizeof s->text);
	policy_target_read(&plain, s->text, &s->target);
	f->request.target = &s->target;
	f->request.method = plain.method;
	f->request.path = plain.path;
}

void
fixture_resolves(struct fixture *f, const char *resolves)
{
	char *word, *rest = f->text;

	(void)snprintf(f->text, sizeof f->text, "%s", resolves);
	f->answer.chain = f->chain;
	f->answer.addresses = f->addresses;
	while ((word = strsep(&rest, " ")) != NULL) {
		if (addr_parse(slice_of(word),
		        &f->addresses[f->answer.n_addresses]) == OK)
			f->answer.n_addresses++;
		else
			f->chain[f->answer.n_chain++] = word;
	}
}

struct policy_verdict
fixture_name(const struct policy *p, const char *host, uint16_t port)
{
	struct policy_verdict v;
	struct fixture f;

	fixture_request(&f, host, port);
	policy_decide_name(p, &f.request, &v);
	return v;
}

struct policy_verdict
fixture_route(const struct policy *p, const char *host, const char *resolves)
{
	struct policy_verdict v;
	struct fixture f;

	fixture_request(&f, host, 443);
	fixture_resolves(&f, resolves);
	policy_decide_name(p, &f.request, &v);
	policy_decide_route(p, &f.request, &f.answer, &fixture_self, &v);
	v.zone = NULL; /* it lived in f */
	return v;
}
