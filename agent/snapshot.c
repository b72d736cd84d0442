/* Makes one generation of what the workers decide by. */
#include "agent/snapshot.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SELF_MAX = 256 };

/* The snapshot and all that its pointers point at. */
struct owned {
	struct proxy_snapshot snapshot; /* first */
	struct proxy_dns_zone zones[CONFIG_ZONES_MAX];
	struct policy_listener listeners[SELF_MAX];
	struct addr interfaces[SELF_MAX];
};

static void
owned_release(struct proxy_snapshot *s)
{
	struct owned *o = (struct owned *)s;

	policy_unref(s->policy);
	free(o);
}

static bool
is_wildcard(const struct addr *a)
{
	for (size_t i = 0; i < sizeof a->b; i++)
		if (a->b[i] != 0)
			return false;
	return true;
}

static void
add_self(struct owned *o, const struct addr *a, uint16_t port)
{
	struct policy_self *self = &o->snapshot.self;

	if (self->n_listeners == SELF_MAX)
		return;
	o->listeners[self->n_listeners].addr = *a;
	o->listeners[self->n_listeners].port = port;
	self->n_listeners++;
}

/* A wildcard listener is every address of this machine with that port. */
static void
add_listener(
    struct owned *o, const struct config_listen *l, const struct ifaddrs *list)
{
	add_self(o, &l->addr, l->port);
	if (!is_wildcard(&l->addr))
		return;
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
		struct addr a;
		uint16_t port;

		if (i->ifa_addr != NULL &&
		    addr_from_sockaddr(i->ifa_addr, &a, &port))
			add_self(o, &a, l->port);
	}
}

static void
add_interfaces(struct owned *o, const struct ifaddrs *list)
{
	struct policy_self *self = &o->snapshot.self;

	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
		uint16_t port;

		if (i->ifa_addr == NULL || (i->ifa_flags & IFF_LOOPBACK) != 0 ||
		    self->n_interfaces == SELF_MAX)
			continue;
		if (addr_from_sockaddr(
		        i->ifa_addr, &o->interfaces[self->n_interfaces], &port))
			self->n_interfaces++;
	}
}

static void
fill_limits(struct proxy_limits *out, const struct config *c)
{
	*out = (struct proxy_limits){
		.connections = c->limits.connections,
		.connections_per_uid = c->limits.connections_per_uid,
		.head_bytes = c->limits.request_head_bytes,
		.head_ms = c->timeouts.request_head_ms,
		.connect_ms = c->timeouts.connect_ms,
		.idle_ms = c->timeouts.idle_ms,
		.hello_ms = c->timeouts.hello_ms,
		.linger_ms = c->timeouts.linger_ms,
	};
}

enum status
snapshot_build(const struct config *config, struct policy *policy,
    const struct listeners *listeners, uint64_t generation,
    struct proxy_snapshot **out)
{
	struct owned *o = calloc(1, sizeof *o);
	struct proxy_snapshot *s;
	struct ifaddrs *list = NULL;

	if (o == NULL)
		return E_NOMEM;
	s = &o->snapshot;
	s->refs = 1;
	s->generation = generation;
	s->policy = policy_ref(policy);
	s->release = owned_release;
	s->exe_lookup = policy_uses_exes(policy);
	s->dns = config->dns;
	memcpy(o->zones, config->dns_zones, sizeof o->zones);
	s->dns.zones = o->zones;
	fill_limits(&s->limits, config);
	memcpy(s->name, config->name, sizeof s->name);
	memcpy(s->cgroup_root, config->cgroup_root, sizeof s->cgroup_root);
	s->self.listeners = o->listeners;
	s->self.interfaces = o->interfaces;
	if (getifaddrs(&list) != 0)
		list = NULL; /* the never-classes hold without it */
	for (size_t i = 0; i < listeners->n; i++)
		if (listeners->at[i].at.addr.family != ADDR_NONE)
			add_listener(o, &listeners->at[i].at, list);
	add_interfaces(o, list);
	freeifaddrs(list);
	*out = s;
	return OK;
}
