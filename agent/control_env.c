/* `env`: where the caller finds the agent, and what would slip past it. */
#include "agent/control_env.h"

#include "agent/control_ca.h"
#include "agent/env_noproxy.h"
#include "agent/status_json.h"

#include <string.h>

enum { NO_PROXY_MAX = 256 }; /* entries that are looked at */

/* Entries that the caller sent come back, and no other names. */
static void
put_governed(struct jsonw *w, const struct policy *p, const json_t *no_proxy)
{
	char suffix[HOST_BYTES];

	jsonw_array(w, "governed");
	for (size_t i = 0; i < json_array_size(no_proxy) && i < NO_PROXY_MAX;
	     i++) {
		const char *s = json_string_value(json_array_get(no_proxy, i));

		if (s != NULL && env_noproxy_suffix(slice_of(s), suffix) &&
		    policy_governs(p, suffix))
			jsonw_str(w, NULL, s);
	}
	jsonw_array_end(w);
}

void
control_put_env(struct jsonw *w, const struct daemon *d, uint32_t uid,
    const json_t *no_proxy)
{
	char header[IDENTITY_HEADER_BYTES];

	identity_header_for(d->identity, uid, header);
	jsonw_u64(w, "uid", uid);
	jsonw_str(w, "identity_header", header);
	explicit_bzero(header, sizeof header);
	status_put_listeners(w, "proxy", d, LISTEN_PROXY);
	status_put_listeners(w, "broker", d, LISTEN_BROKER);
	status_put_gateways(w, d);
	control_put_ca_files(w, d);
	put_governed(w, d->snapshot->policy, no_proxy);
}
