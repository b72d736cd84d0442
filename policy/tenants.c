/* Where tenant restrictions are said, and in which fields. */
#include "policy/tenants.h"

#include "base/host.h"
#include "policy/model.h"

/* Regional names lie below these. */
static const char *const login_hosts[] = { "login.microsoftonline.com",
	"login.microsoft.com", "login.windows.net", "login.live.com",
	"login.microsoftonline.us", "login.partner.microsoftonline.cn",
	"login.chinacloudapi.cn" };

static const char *const fields[] = { "sec-restrict-tenant-access-policy",
	"restrict-access-to-tenants", "restrict-access-context" };

bool
tenants_login_host(const char *host)
{
	for (size_t i = 0; i < ARRAY_LEN(login_hosts); i++)
		if (host_in_suffix(slice_of(host), slice_of(login_hosts[i])))
			return true;
	return false;
}

bool
tenants_own_field(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (slice_is_nocase(name, fields[i]))
			return true;
	return false;
}

/* Accounts of consumers are in no tenant: none of them may sign in. */
const struct policy_tenants *
policy_tenants_of(const struct policy *p, const char *host)
{
	static const struct policy_tenants consumers = { .policy =
		                                             "restrict-msa" };

	if (p == NULL || p->tenants == NULL || !tenants_login_host(host))
		return NULL;
	return host_in_suffix(slice_of(host), SLICE("login.live.com"))
	    ? &consumers
	    : p->tenants;
}
