/* The one file that knows c-ares: a channel, its sockets and its timer. */
#define CARES_NO_DEPRECATED /* ares_query() is all that 1.18 has */
#include "proxy/resolver_ares.h"

#include <ares.h>
#include <arpa/inet.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { CLASS_INTERNET = 1 };

struct channel_socket {
	LIST_ENTRY(channel_socket) entry;
	struct dns_channel *channel;
	struct event *event;
	evutil_socket_t fd;
};

struct dns_channel {
	struct event_base *base;
	ares_channel ares;
	struct event *timer;
	LIST_HEAD(, channel_socket) sockets;
	bool deaf; /* a socket could not be watched */
};

struct question {
	dns_raw_fn *done;
	void *arg;
};

static void
arm_timer(struct dns_channel *c)
{
	struct timeval tv;

	if (c->deaf)
		event_active(c->timer, EV_TIMEOUT, 1);
	else if (ares_timeout(c->ares, NULL, &tv) != NULL)
		(void)evtimer_add(c->timer, &tv);
	else
		(void)evtimer_del(c->timer);
}

static void
timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct dns_channel *c = arg;
	bool deaf = c->deaf;

	(void)fd;
	(void)what;
	/* Either call may open a socket that cannot be watched. */
	c->deaf = false;
	/* c-ares cannot forget one question alone, and is asked to only from
	 * here, with nothing of its own on the stack. */
	if (deaf)
		ares_cancel(c->ares);
	else
		ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm_timer(c);
}

/* The socket's event may be freed by the call, so @s is not used after. */
static void
socket_ready(evutil_socket_t fd, short what, void *arg)
{
	struct channel_socket *s = arg;
	struct dns_channel *c = s->channel;

	ares_process_fd(c->ares, (what & EV_READ) ? fd : ARES_SOCKET_BAD,
	    (what & EV_WRITE) ? fd : ARES_SOCKET_BAD);
	arm_timer(c);
}

static struct channel_socket *
find_socket(struct dns_channel *c, evutil_socket_t fd)
{
	struct channel_socket *s;

	LIST_FOREACH(s, &c->sockets, entry) {
		if (s->fd == fd)
			return s;
	}
	return NULL;
}

static void
drop_socket(struct channel_socket *s)
{
	if (s == NULL)
		return;
	LIST_REMOVE(s, entry);
	if (s->event != NULL)
		event_free(s->event);
	free(s);
}

/* c-ares says what it waits for on a socket; neither means it is closed.
 * An answer that nobody would hear is not waited for: no memory, or no room
 * in the kernel's. */
static void
socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct dns_channel *c = arg;
	short what = EV_PERSIST;
	struct channel_socket *s = find_socket(c, fd);

	drop_socket(s);
	if (!readable && !writable)
		return;
	if (readable)
		what |= EV_READ;
	if (writable)
		what |= EV_WRITE;
	s = calloc(1, sizeof *s);
	if (s == NULL) {
		c->deaf = true;
		return;
	}
	s->channel = c;
	s->fd = fd;
	LIST_INSERT_HEAD(&c->sockets, s, entry);
	s->event = event_new(c->base, fd, what, socket_ready, s);
	if (s->event != NULL && event_add(s->event, NULL) == 0)
		return;
	drop_socket(s);
	c->deaf = true;
}

static enum status
set_servers(ares_channel ares, const struct proxy_dns_zone *zone)
{
	struct ares_addr_port_node nodes[ARRAY_LEN(zone->servers)];

	if (zone->n_servers == 0 || zone->n_servers > ARRAY_LEN(nodes))
		return E_INVALID;
	memset(nodes, 0, sizeof nodes);
	for (size_t i = 0; i < zone->n_servers; i++) {
		const struct addr *a = &zone->servers[i].addr;
		bool v4 = a->family == ADDR_V4;

		nodes[i].family = v4 ? AF_INET : AF_INET6;
		if (v4)
			memcpy(&nodes[i].addr.addr4, a->b, 4);
		else
			memcpy(&nodes[i].addr.addr6, a->b, 16);
		nodes[i].udp_port = zone->servers[i].port;
		nodes[i].tcp_port = zone->servers[i].port;
		if (i + 1 < zone->n_servers)
			nodes[i].next = &nodes[i + 1];
	}
	return ares_set_servers_ports(ares, nodes) == ARES_SUCCESS ? OK
	                                                           : E_NOMEM;
}

/* Every option that resolv.conf, RES_OPTIONS or LOCALDOMAIN could fill in is
 * given, so that c-ares has no reason to look; the server is replaced. */
static enum status
init_ares(struct dns_channel *c, unsigned timeout_ms, unsigned attempts)
{
	struct ares_options o;
	struct in_addr placeholder = { .s_addr = htonl(INADDR_LOOPBACK) };
	char lookups[] = "b";
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
	    ARES_OPT_NDOTS | ARES_OPT_SERVERS | ARES_OPT_DOMAINS |
	    ARES_OPT_LOOKUPS | ARES_OPT_SORTLIST | ARES_OPT_SOCK_STATE_CB |
	    ARES_OPT_NOROTATE;

	memset(&o, 0, sizeof o);
	o.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
	o.timeout = (int)timeout_ms;
	o.tries = (int)attempts;
	o.ndots = 0;
	o.servers = &placeholder;
	o.nservers = 1;
	o.lookups = lookups;
	o.sock_state_cb = socket_state;
	o.sock_state_cb_data = c;
#ifdef ARES_OPT_UDP_MAX_QUERIES
	/* A fresh source port for each question (RFC 5452 9.2). */
	o.udp_max_queries = 1;
	mask |= ARES_OPT_UDP_MAX_QUERIES;
#endif
#ifdef ARES_OPT_MAXTIMEOUTMS
	o.maxtimeout = (int)timeout_ms;
	mask |= ARES_OPT_MAXTIMEOUTMS;
#endif
#ifdef ARES_OPT_QUERY_CACHE
	o.qcache_max_ttl = 0;
	mask |= ARES_OPT_QUERY_CACHE;
#endif
	return ares_init_options(&c->ares, &o, mask) == ARES_SUCCESS ? OK
	                                                             : E_NOMEM;
}

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void
init_library(void)
{
	(void)ares_library_init(ARES_LIB_INIT_ALL);
}

enum status
dns_channel_create(struct event_base *base, const struct proxy_dns_zone *zone,
    unsigned timeout_ms, unsigned attempts, struct dns_channel **out)
{
	struct dns_channel *c;
	enum status st;

	/* Once in the process: its count of users is not atomic. */
	(void)pthread_once(&library_once, init_library);
	c = calloc(1, sizeof *c);
	if (c == NULL)
		return E_NOMEM;
	c->base = base;
	LIST_INIT(&c->sockets);
	c->timer = evtimer_new(base, timer_fired, c);
	st = c->timer == NULL ? E_NOMEM : init_ares(c, timeout_ms, attempts);
	if (st == OK)
		st = set_servers(c->ares, zone);
	if (st != OK) {
		dns_channel_destroy(c);
		return st;
	}
	*out = c;
	return OK;
}

void
dns_channel_destroy(struct dns_channel *c)
{
	if (c == NULL)
		return;
	if (c->ares != NULL)
		ares_destroy(c->ares);
	while (!LIST_EMPTY(&c->sockets))
		drop_socket(LIST_FIRST(&c->sockets));
	if (c->timer != NULL)
		event_free(c->timer);
	free(c);
}

static void
question_ended(
    void *arg, int status, int timeouts, unsigned char *message, int n)
{
	struct question *q = arg;
	struct slice text = { (const char *)message, n > 0 ? (size_t)n : 0 };
	enum dns_raw how = DNS_RAW_FAILED;

	(void)timeouts;
	if (message != NULL && n > 0)
		how = DNS_RAW_MESSAGE;
	else if (status == ARES_ETIMEOUT)
		how = DNS_RAW_TIMEOUT;
	q->done(q->arg, how, text);
	free(q);
}

void
dns_channel_ask(struct dns_channel *c, const char *name, enum dns_type type,
    dns_raw_fn *done, void *arg)
{
	struct question *q = calloc(1, sizeof *q);

	if (q == NULL) {
		done(arg, DNS_RAW_FAILED, (struct slice){ NULL, 0 });
		return;
	}
	q->done = done;
	q->arg = arg;
	ares_query(c->ares, name, CLASS_INTERNET, (int)type, question_ended, q);
	arm_timer(c);
}
