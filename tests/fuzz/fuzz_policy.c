/* Policy text: whatever loads must decide, explain and run its tests. */
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const hosts[] = { "acct1.blob.core.windows.net",
	"kv1.vault.azure.net", "h.corp.example", "10.20.0.9", "[::1]" };

static void
decide(const struct policy *p, const char *text, uint16_t port)
{
	static const struct addr addresses[] = { { ADDR_V4,
	    { 10, 20, 0, 5 } } };
	static const char *const chain[] = {
		"acct1.privatelink.blob.core.windows.net"
	};
	struct peer_group group = { 1000, "alice" };
	struct peer peer = { .known = true,
		.uid = 1000,
		.user = "alice",
		.groups = &group,
		.n_groups = 1,
		.unit = "job-1.service",
		.cgroup = "/system.slice/job-1.service",
		.exe = "/usr/bin/python3" };
	struct policy_answer a = { .chain = chain,
		.n_chain = 1,
		.addresses = addresses,
		.n_addresses = 1 };
	struct policy_explanation e;
	struct policy_verdict v;
	struct host host;
	struct policy_request r = { .host = &host,
		.port = port,
		.peer = &peer,
		.now_unix_s = 1795392000 };

	if (host_parse(slice_of(text), &host) != OK)
		abort();
	policy_decide_name(p, &r, &v);
	policy_decide_route(p, &r, &a, NULL, &v);
	policy_explain(p, &r, &a, &v, &e);
	if (v.effect == POLICY_DENY && v.code == REASON_NONE)
		abort();
	if (memchr(e.fix, 0, sizeof e.fix) == NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy_issues issues;
	struct policy *p = NULL;
	struct policy_test_result t;

	if (policy_load((struct slice){ (const char *)data, size }, &p,
	        &issues) != OK) {
		if (issues.n_errors == 0 && size > 0)
			abort();
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		decide(p, hosts[i], 443);
	for (size_t i = 0; i < policy_test_count(p) && i < 100; i++)
		policy_test_run(p, i, 1795392000, &t);
	policy_unref(p);
	return 0;
}
