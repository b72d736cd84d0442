/* Makes one generation of what the workers decide by. */
#include "agent/snapshot.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More addresses than any machine has; beyond it nothing is published. */
enum { SELF_MAX = 65536 };

/* The snapshot and all that its pointers point at. */
struct owned {
	struct proxy_snapshot snapshot; /* first */
	struct proxy_dns_zone zones[CONFIG_ZONES_MAX];
	struct proxy_gateway *gateways;
	struct policy_listener *listeners;
	struct addr *interfaces;
};

static void
owned_release(struct proxy_snapshot *s)
{
	struct owned *o = (struct owned *)s;

	policy_unref(s->policy);
	tls_ca_unref(s->inspection_ca);
	free(o->gateways);
	free(o->listeners);
	free(o->interfaces);
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
	size_t n = o->snapshot.self.n_listeners++;

	o->listeners[n] = (struct policy_listener){ *a, port };
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

		if (i->ifa_addr != NULL && (i->ifa_flags & IFF_LOOPBACK) == 0 &&
		    addr_from_sockaddr(
		        i->ifa_addr, &o->interfaces[self->n_interfaces], &port))
			self->n_interfaces++;
	}
}

/* Without them a host could pass that is ourselves: no list, no snapshot. */
static enum status
fill_self(struct owned *o, const struct listeners *listeners)
{
	struct ifaddrs *list = NULL;
	size_t n = 0;
	enum status st = OK;

	if (getifaddrs(&list) != 0)
		return errno == ENOMEM ? E_NOMEM : E_IO;
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next)
		n++;
	o->interfaces = calloc(n + 1, sizeof *o->interfaces);
	o->listeners = calloc(listeners->n * (n + 1) + 1, sizeof *o->listeners);
	if (n > SELF_MAX)
		st = E_LIMIT;
	else if (o->interfaces == NULL || o->listeners == NULL)
		st = E_NOMEM;
	for (size_t i = 0; i < listeners->n && st == OK; i++)
		if (listeners->at[i].at.addr.family != ADDR_NONE)
			add_listener(o, &listeners->at[i].at, list);
	if (st == OK)
		add_interfaces(o, list);
	freeifaddrs(list);
	o->snapshot.self.listeners = o->listeners;
	o->snapshot.self.interfaces = o->interfaces;
	return st;
}

bool
snapshot_self_eq(const struct proxy_snapshot *a, const struct proxy_snapshot *b)
{
	const struct policy_self *x = &a->self, *y = &b->self;

	if (x->n_listeners != y->n_listeners ||
	    x->n_interfaces != y->n_interfaces)
		return false;
	for (size_t i = 0; i < x->n_listeners; i++)
		if (x->listeners[i].port != y->listeners[i].port ||
		    !addr_eq(&x->listeners[i].addr, &y->listeners[i].addr))
			return false;
	for (size_t i = 0; i < x->n_interfaces; i++)
		if (!addr_eq(&x->interfaces[i], &y->interfaces[i]))
			return false;
	return true;
}

static void
fill_limits(struct proxy_limits *out, const struct config *c)
{
	*out = (struct proxy_limits){
		.connections = c->limits.connections,
		.connections_per_uid = c->limits.connections_per_uid,
		.head_bytes = c->limits.request_head_bytes,
		.h2_streams = c->limits.h2_streams,
		.head_ms = c->timeouts.request_head_ms,
		.connect_ms = c->timeouts.connect_ms,
		.tls_ms = c->timeouts.tls_ms,
		.idle_ms = c->timeouts.idle_ms,
		.hello_ms = c->timeouts.hello_ms,
		.linger_ms = c->timeouts.linger_ms,
		.upstreams_idle = c->limits.upstreams_idle,
		.upstream_idle_ms = c->timeouts.upstream_idle_ms,
	};
}

static enum status
fill_gateways(struct owned *o, const struct config *c)
{
	if (c->n_gateways == 0)
		return OK;
	o->gateways = calloc(c->n_gateways, sizeof *o->gateways);
	if (o->gateways == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < c->n_gateways; i++) {
		const struct config_gateway *from = &c->gateways[i];
		struct proxy_gateway *to = &o->gateways[i];

		memcpy(to->name, from->name, sizeof to->name);
		memcpy(to->listener, from->listen.name, sizeof to->listener);
		memcpy(to->host, from->host, sizeof to->host);
		to->port = from->port;
		memcpy(to->prefix, from->prefix, sizeof to->prefix);
	}
	o->snapshot.gateways = o->gateways;
	o->snapshot.n_gateways = c->n_gateways;
	return OK;
}

enum status
snapshot_build(const struct config *config, struct policy *policy,
    const struct listeners *listeners, uint64_t generation, const struct ca *ca,
    struct proxy_snapshot **out)
{
	struct owned *o = calloc(1, sizeof *o);
	struct proxy_snapshot *s;
	enum status st;

	if (o == NULL)
		return E_NOMEM;
	s = &o->snapshot;
	s->refs = 1;
	s->generation = generation;
	s->policy = policy_ref(policy);
	s->release = owned_release;
	if (ca != NULL)
		s->inspection_ca = tls_ca_ref(ca->signer);
	s->exe_lookup = policy_uses_exes(policy);
	s->dns = config->dns;
	memcpy(o->zones, config->dns_zones, sizeof o->zones);
	s->dns.zones = o->zones;
	fill_limits(&s->limits, config);
	memcpy(s->name, config->name, sizeof s->name);
	memcpy(s->cgroup_root, config->cgroup_root, sizeof s->cgroup_root);
	st = fill_gateways(o, config);
	if (st == OK)
		st = fill_self(o, listeners);
	if (st != OK) {
		proxy_snapshot_unref(s);
		return st;
	}
	*out = s;
	return OK;
}
