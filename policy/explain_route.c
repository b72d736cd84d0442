/* What is wrong between a name and its private endpoint, as the DNS shows. */
#include "policy/explain.h"

#include "policy/zones.h"

#include <string.h>

#define SAY(field, ...) explain_say(field, sizeof(field), __VA_ARGS__)

static const char *
unmet_text(enum reason code)
{
	switch ((int)code) {
	case REASON_PUBLIC_ADDRESS:
		return "route: the name resolves to public addresses";
	case REASON_MIXED_ADDRESSES:
		return "route: private and public addresses in one answer";
	case REASON_UNEXPECTED_PRIVATE:
		return "route: a private address that this route does not "
		       "allow";
	case REASON_NO_PRIVATE_ZONE:
		return "route: no name of the chain lies in a private zone";
	case REASON_WRONG_ZONE:
		return "route: the chain passes another service's private "
		       "zone";
	default:
		return NULL;
	}
}

/* The record as the chain has it, else as the host suggests it. */
static bool
find_place(const struct policy_request *r, const struct policy_answer *a,
    struct zone_place *place)
{
	char zone[HOST_BYTES];
	struct zone_match m;

	if (!zones_expected(r->host->name, place))
		return false;
	zones_of_host(r->host->name, &m);
	for (size_t i = 0; i < a->n_chain; i++) {
		size_t n = strlen(a->chain[i]), zone_n;

		if (!zones_prove(&m, r->host->name, a->chain[i], zone))
			continue;
		zone_n = strlen(zone);
		SAY(place->zone, "%s", zone);
		if (n > zone_n + 1)
			SAY(place->record, "%.*s", (int)(n - zone_n - 1),
			    a->chain[i]);
		else
			SAY(place->record, "@");
		return true;
	}
	return true;
}

static bool
chain_is_private(const struct policy_request *r, const struct policy_answer *a)
{
	char zone[HOST_BYTES];

	return chain_judge(r->host->name, a, zone) == CHAIN_PROVES;
}

static void
explain_public(const struct policy_request *r, const struct policy_answer *a,
    const struct zone_place *place, struct policy_explanation *out)
{
	if (chain_is_private(r, a))
		SAY(out->fix,
		    "link the private DNS zone \"%s\" to the network whose "
		    "name server this machine asks, with the record \"%s\" in "
		    "it: a private endpoint exists, but the zone is not seen "
		    "from here, or lacks the record and falls back to the "
		    "internet",
		    place->zone, place->record);
	else
		SAY(out->fix,
		    "create a private endpoint (%s, group %s) for \"%s\" with "
		    "the record \"%s\" in the private DNS zone \"%s\": the "
		    "chain shows that it has none",
		    place->entry->service, place->entry->groups, r->host->name,
		    place->record, place->zone);
}

static void
explain_nxdomain(const struct policy_request *r, const struct policy_answer *a,
    const struct zone_place *place, struct policy_explanation *out)
{
	if (place == NULL || !chain_is_private(r, a)) {
		SAY(out->unmet, "dns: the name \"%.180s\" does not exist",
		    r->host->name);
		SAY(out->fix,
		    "check the name; if the resource exists, the name server "
		    "may hold a private zone that hides it");
		return;
	}
	SAY(out->unmet,
	    "dns: the record \"%.64s\" is missing in the private DNS zone "
	    "\"%.96s\"",
	    place->record, place->zone);
	SAY(out->fix,
	    "add the record \"%s\" with the private endpoint's address to the "
	    "private DNS zone \"%s\"%s",
	    place->record, place->zone,
	    a->negative_soa != NULL && strcmp(a->negative_soa, place->zone) == 0
	        ? ", which is linked here and answered that it has none"
	        : "");
}

static void
explain_dns(const struct policy_request *r, const struct policy_answer *a,
    enum reason code, const struct zone_place *place,
    struct policy_explanation *out)
{
	switch ((int)code) {
	case REASON_DNS_NXDOMAIN:
		explain_nxdomain(r, a, place, out);
		break;
	case REASON_DNS_NODATA:
		SAY(out->unmet, "dns: the name has neither A nor AAAA");
		if (place != NULL)
			SAY(out->fix,
			    "give the record \"%s\" in the private DNS zone "
			    "\"%s\" the private endpoint's address",
			    place->record, place->zone);
		break;
	case REASON_DNS_SERVFAIL:
	case REASON_DNS_TIMEOUT:
		SAY(out->unmet, "dns: %s", reason_info(code)->text);
		SAY(out->fix,
		    "see that the servers of \"dns\" in wayleave.json can be "
		    "reached from here; try again");
		break;
	case REASON_CHAIN_BROKEN:
		SAY(out->unmet, "dns: %s", reason_info(code)->text);
		SAY(out->fix,
		    "mend the zone that serves this name, or the name server "
		    "that rewrites it");
		break;
	default:
		break;
	}
}

/* For a host of a known service. */
static void
explain_zone(const struct policy_request *r, const struct policy_answer *a,
    enum reason code, const struct zone_place *place,
    struct policy_explanation *out)
{
	switch ((int)code) {
	case REASON_PUBLIC_ADDRESS:
		explain_public(r, a, place, out);
		break;
	case REASON_NO_PRIVATE_ZONE:
		SAY(out->fix,
		    "put the record \"%s\" into the private DNS zone \"%s\": "
		    "now it stands in a zone named like the public suffix, or "
		    "in the name server itself",
		    place->record, place->zone);
		break;
	case REASON_WRONG_ZONE:
		SAY(out->fix,
		    "let the alias of \"%s\" lead to the record \"%s\" in the "
		    "private DNS zone \"%s\"",
		    r->host->name, place->record, place->zone);
		break;
	case REASON_MIXED_ADDRESSES:
		SAY(out->fix,
		    "leave only the private endpoint's address in the record "
		    "\"%s\" of the private DNS zone \"%s\"",
		    place->record, place->zone);
		break;
	default:
		break;
	}
}

void
explain_route(const struct policy_request *r, const struct policy_answer *a,
    const struct policy_verdict *v, struct policy_explanation *out)
{
	const char *unmet = unmet_text(v->code);
	struct zone_place place;
	bool known = find_place(r, a, &place);

	if (v->rule != NULL)
		SAY(out->rule_near, "%s", v->rule);
	if (unmet == NULL) {
		explain_dns(r, a, v->code, known ? &place : NULL, out);
		return;
	}
	SAY(out->unmet, "%s", unmet);
	if (v->code == REASON_UNEXPECTED_PRIVATE)
		SAY(out->fix, "%s",
		    v->route == ROUTE_PUBLIC
		        ? "the rule says route \"public\", but the name is "
		          "private here: take \"route\" out of the rule"
		        : "if the private endpoint is yours, add its subnet "
		          "to \"endpoints\"");
	else if (known)
		explain_zone(r, a, v->code, &place, out);
	else
		SAY(out->fix,
		    "no private-link zone is known for \"%s\": let its name "
		    "server answer with addresses of your endpoints alone",
		    r->host->name);
}
