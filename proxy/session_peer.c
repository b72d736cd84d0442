/* Whose a session is, and whether there is room for one more of theirs. */
#include "proxy/session.h"

#include "base/metrics.h"

#include <stdlib.h>
#include <string.h>

/* So many over their uid's cap still hear LIMIT_REACHED. */
enum { UID_CONNECTIONS_OVER = 16 };

/* Where descriptors allow fewer in all, a uid's share shrinks with them. */
static unsigned
share_of_uid(struct session *s)
{
	const struct proxy_limits *limits = &worker_snapshot(s->worker)->limits;
	unsigned all =
	    shared_ceiling(worker_shared(s->worker), limits->connections);
	uint64_t share =
	    (uint64_t)limits->connections_per_uid * all / limits->connections;

	return share == 0 ? 1 : (unsigned)share;
}

/* Over its cap a uid is told so as long as that costs little. */
static bool
session_admit(struct session *s)
{
	uint32_t uid = s->peer.known ? s->peer.uid : UINT32_MAX;
	struct request_refusal what = { .code = REASON_LIMIT_REACHED };
	unsigned share = share_of_uid(s), count = 0;

	if (shared_enter_uid(worker_shared(s->worker), uid, &count) != OK)
		count = UINT32_MAX;
	else
		s->counted_uid = true;
	s->over_limit = s->over_limit || count > share;
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
	if (event_add(&s->readable, NULL) != 0)
		session_end(s, CLOSE_ERROR);
}

/* One that the kernel did not know was counted there. */
static void
session_forget_peer(struct session *s)
{
	s->peer.known = false;
	metric_add(METRIC_PEER_UNKNOWN_TOTAL, 1);
}

/* Groups and user names; without them nothing is known of a client. */
static void
session_look_up(struct session *s)
{
	const struct proxy_userdb_port *db = &worker_ports(s->worker)->userdb;
	enum status st = OK;

	if (s->peer.known)
		st = db->lookup(db->ctx, &s->peer, &s->userdb);
	s->userdb_asked = st == E_PARTIAL;
	if (st == E_PARTIAL)
		return;
	if (st != OK)
		session_forget_peer(s);
	session_listen(s);
}

static void
session_on_userdb(struct proxy_wait *w, enum status st)
{
	void *at = (char *)w - offsetof(struct session, userdb);
	struct session *s = at;

	s->userdb_asked = false;
	if (st != OK)
		session_forget_peer(s);
	session_look_up(s);
}

/* The facts in one block as long as they are, not as long as they may be. */
static enum status
session_keep_peer(struct session *s, const struct peer_facts *facts)
{
	const char *from[3] = { facts->peer.unit, facts->peer.cgroup,
		facts->peer.exe };
	const char *to[3];
	size_t n[3], at = 0;

	for (size_t i = 0; i < 3; i++)
		n[i] = from[i] == NULL ? 1 : strlen(from[i]) + 1;
	s->peer_text = malloc(n[0] + n[1] + n[2]);
	if (s->peer_text == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < 3; i++) {
		to[i] = s->peer_text + at;
		memcpy(s->peer_text + at, from[i] == NULL ? "" : from[i], n[i]);
		at += n[i];
	}
	s->peer = facts->peer;
	s->peer.unit = to[0];
	s->peer.cgroup = to[1];
	s->peer.exe = to[2];
	return OK;
}

void
session_identify(struct session *s)
{
	struct peer_facts facts;

	s->userdb.done = session_on_userdb;
	peer_source_lookup(worker_peers(s->worker), s->fd, &facts);
	if (session_keep_peer(s, &facts) != OK)
		session_end(s, CLOSE_ERROR);
	else
		session_look_up(s);
}
