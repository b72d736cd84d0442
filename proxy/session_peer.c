/* Whose a session is, and whether there is room for one more of theirs. */
#include "proxy/session.h"

#include "base/metrics.h"
#include "proxy/peer_pool.h"

/* So many over their uid's cap still hear LIMIT_REACHED. */
enum { UID_CONNECTIONS_OVER = 16 };

/* Where descriptors allow fewer in all, a uid's share shrinks with them. */
unsigned
worker_uid_share(struct proxy_worker *w)
{
	const struct proxy_limits *limits = &worker_snapshot(w)->limits;
	unsigned all = shared_ceiling(worker_shared(w), limits->connections);
	uint64_t share =
	    (uint64_t)limits->connections_per_uid * all / limits->connections;

	return share == 0 ? 1 : (unsigned)share;
}

uint32_t
session_counted_as(const struct session *s)
{
	return peer_counted_as(s->peer);
}

/* Over its cap a uid is told so as long as that costs little. */
static bool
session_admit(struct session *s)
{
	uint32_t uid = session_counted_as(s);
	struct request_refusal what = { .code = REASON_LIMIT_REACHED };
	unsigned share = worker_uid_share(s->worker), count = 0;

	if (shared_enter_uid(worker_shared(s->worker), uid, &count) != OK)
		count = UINT32_MAX;
	else
		s->counted_uid = true;
	s->opening->over_limit = s->opening->over_limit || count > share;
	if (count > share && count - share > UID_CONNECTIONS_OVER) {
		what = session_refusal(s, &what);
		refusal_note(&what);
		session_end(s, CLOSE_LIMIT);
		return false;
	}
	return true;
}

static void
session_listen(struct session *s)
{
	if (!session_admit(s))
		return;
	session_move(s, SESSION_FIRST);
	if (event_add(&s->opening->readable, NULL) != 0)
		session_end(s, CLOSE_ERROR);
}

/* Equal facts are kept once, as long as they are. */
static enum status
session_keep_peer(struct session *s, const struct peer *facts)
{
	struct peer_pool *pool = worker_peer_pool(s->worker);
	const struct peer *kept = peer_pool_keep(pool, facts);

	if (kept == NULL)
		return E_NOMEM;
	/* Last, as @facts may be of these. */
	peer_pool_let_go(s->peer);
	s->peer = kept;
	return OK;
}

/* One that the kernel did not know was counted there. */
static void
forget_facts(struct peer *facts)
{
	facts->known = false;
	metric_add(METRIC_PEER_UNKNOWN_TOTAL, 1);
}

/* Groups and user names; without them nothing is known of a client. */
static void
session_look_up(struct session *s, struct peer *facts)
{
	const struct proxy_userdb_port *db = &worker_ports(s->worker)->userdb;
	enum status st = OK;

	if (facts->known)
		st = db->lookup(db->ctx, facts, &s->opening->userdb);
	s->opening->userdb_asked = st == E_PARTIAL;
	if (st != OK && st != E_PARTIAL)
		forget_facts(facts);
	if (session_keep_peer(s, facts) != OK)
		session_end(s, CLOSE_ERROR);
	else if (st != E_PARTIAL)
		session_listen(s);
}

static void
session_on_userdb(struct proxy_wait *w, enum status st)
{
	void *at = (char *)w - offsetof(struct session_opening, userdb);
	struct session_opening *o = at;
	struct peer facts = *o->session->peer;

	o->userdb_asked = false;
	if (st != OK)
		forget_facts(&facts);
	session_look_up(o->session, &facts);
}

void
session_forget_userdb(struct session *s)
{
	const struct proxy_userdb_port *db = &worker_ports(s->worker)->userdb;

	if (s->opening->userdb_asked)
		db->cancel(db->ctx, &s->opening->userdb);
	s->opening->userdb_asked = false;
}

void
session_identify(struct session *s)
{
	struct peer_facts facts;

	s->opening->userdb.done = session_on_userdb;
	peer_source_lookup(worker_peers(s->worker), s->fd, &facts);
	session_look_up(s, &facts.peer);
}
