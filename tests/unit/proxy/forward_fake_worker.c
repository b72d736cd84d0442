/* Stands in for worker.c and workload.c. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/forward_fake.h"

#include "base/log_fold.h"
#include "proxy/relay.h"
#include "proxy/upstream_pool.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

struct event_base *
worker_base(struct proxy_worker *w)
{
	(void)w;
	return fake.base;
}

struct relay_pool *
worker_relay_pool(struct proxy_worker *w)
{
	static struct relay_pool pool;

	(void)w;
	return &pool;
}

const struct clock *
worker_clock(struct proxy_worker *w)
{
	(void)w;
	return fake_clock;
}

struct log_fold *
worker_log_fold(struct proxy_worker *w)
{
	static struct log_fold fold;

	(void)w;
	return &fold;
}

const struct proxy_ports *
worker_ports(struct proxy_worker *w)
{
	(void)w;
	return &fake.ports;
}

struct upstream_pool *
worker_upstreams(struct proxy_worker *w)
{
	(void)w;
	return (void *)&fake.pooled;
}

void
upstream_pool_put(struct upstream_pool *p, struct stream s,
    const struct upstream_facts *facts, const struct proxy_limits *limits)
{
	(void)limits;
	assert_ptr_equal(p, &fake.pooled);
	fake.pooled++;
	fake.pooled_facts = *facts;
	stream_close(&s);
}

struct proxy_snapshot *
worker_snapshot(struct proxy_worker *w)
{
	(void)w;
	return fake.now != NULL ? fake.now : &fake.snapshot;
}

bool
worker_is_draining(const struct proxy_worker *w)
{
	(void)w;
	return false;
}

struct proxy_snapshot *
proxy_snapshot_ref(struct proxy_snapshot *s)
{
	s->refs++;
	return s;
}

void
proxy_snapshot_unref(struct proxy_snapshot *s)
{
	if (s != NULL)
		s->refs--;
}

const struct proxy_gateway *
proxy_snapshot_gateway(const struct proxy_snapshot *s, const char *listener)
{
	return s->n_gateways > 0 &&
	        strcmp(s->gateways[0].listener, listener) == 0
	    ? &s->gateways[0]
	    : NULL;
}

bool
peer_still_connected(int fd)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof sa;
	void *at = &sa;

	return getpeername(fd, at, &n) == 0;
}

struct peer_source *
worker_peers(struct proxy_worker *w)
{
	(void)w;
	return NULL;
}

bool
peer_has_left(struct peer_source *s, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	(void)s;
	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0;
}
