/* What a single rule says of ports and time. */
#include "policy/model.h"

bool
rule_has_port(const struct rule *r, uint16_t port)
{
	for (uint32_t i = 0; i < r->n_ports; i++)
		if (r->ports[i] == port)
			return true;
	return false;
}

bool
rule_has_expired(const struct rule *r, int64_t now_unix_s)
{
	return r->expires_unix_s != 0 && now_unix_s >= r->expires_unix_s;
}
