/* Fields that tell a service what to read: what passes is what a rule names. */
#include "policy/policy.h"
#include "policy/target.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = { "x-ms-copy-source", "x-ms-rename-source",
	"X-Ms-File-Rename-Source", "x-ms-previous-snapshot-url",
	"x-http-method-override", "Authorization", "accept" };

static const char rules[] =
    "{\"version\":1,\"rules\":[{\"id\":\"to\",\"effect\":\"allow\","
    "\"hosts\":[\"to.example.net\"],\"methods\":[\"PUT\",\"GET\","
    "\"DELETE\"],\"deny_sas\":true},{\"id\":\"from\",\"effect\":\"allow\","
    "\"hosts\":[\"from.example.net\"],\"paths\":[\"/c\",\"/c/*\"]}]}";

static struct policy *
load(void)
{
	static struct policy_issues issues;
	struct policy *p = NULL;

	if (policy_load(slice_of(rules), &p, &issues) != OK)
		abort();
	return p;
}

/* Each line: a digit for the name, then the value. */
static void
read_fields(struct slice in, struct http1_fields *f)
{
	f->n = 0;
	while (in.n > 0 && f->n < 8) {
		struct slice line = slice_head(in, slice_find(in, '\n'));

		in = slice_from(in, line.n + 1);
		if (line.n == 0)
			continue;
		f->at[f->n].name = slice_of(
		    names[(unsigned char)line.p[0] % ARRAY_LEN(names)]);
		f->at[f->n].value = slice_trim_ows(slice_from(line, 1));
		f->n++;
	}
}

static bool
starts_nocase(struct slice s, const char *what)
{
	return slice_eq_nocase(slice_head(s, strlen(what)), slice_of(what));
}

static bool
is_under(struct slice value, const char *origin)
{
	struct slice rest = slice_from(value, strlen(origin));

	if (!starts_nocase(value, origin))
		return false;
	if (slice_starts(rest, SLICE(".")))
		rest = slice_from(rest, 1);
	if (slice_starts(rest, SLICE(":443")))
		rest = slice_from(rest, 4);
	return rest.n == 0 || rest.p[0] == '/' || rest.p[0] == '?';
}

/* Said once more, and simply: what may be read is there and nowhere else. */
static bool
is_named(struct slice value)
{
	return is_under(value, "https://from.example.net") ||
	    is_under(value, "https://to.example.net") ||
	    (value.n > 0 && value.p[0] == '/');
}

static void
check(const struct policy *p, const struct http1_fields *f)
{
	struct policy_plain plain = {
		.method = SLICE("PUT"), .path = SLICE("/x"), .fields = f
	};
	struct policy_target t;
	char *text = malloc(policy_target_bytes(&plain));
	struct peer peer = { .known = true, .uid = 1, .user = "a" };
	struct policy_verdict v;
	struct host host;
	struct policy_request r = {
		.host = &host, .port = 443, .peer = &peer, .target = &t
	};
	const struct policy_case c = { .request = &r };

	if (text == NULL || host_parse(SLICE("to.example.net"), &host) != OK)
		abort();
	policy_target_read(&plain, text, &t);
	policy_judge(p, &c, &v);
	for (size_t i = 0; i < f->n && v.effect == POLICY_ALLOW; i++)
		if (starts_nocase(f->at[i].name, "x-ms-") &&
		    !is_named(f->at[i].value))
			abort();
	if (v.effect == POLICY_ALLOW)
		for (size_t i = 0; i < t.n_sources; i++)
			if (t.sources[i].broken || t.sources[i].sas)
				abort();
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy *p;
	struct http1_fields f;

	if (p == NULL)
		p = load();
	read_fields((struct slice){ (const char *)data, size }, &f);
	check(p, &f);
	return 0;
}
