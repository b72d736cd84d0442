/* What all workers share: snapshots, counts, ids of recent refusals. */
#include "proxy/tls_trust.h"
#include "proxy/worker.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/uid_counts.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
	/* Remembered; a newer one takes the slot. */
	SHARED_REFUSALS = 512,
	/* Contract 5: equal ones share their id so long. */
	SHARED_REFUSAL_MS = 10000,
	DESCRIPTORS_KEPT = 48, /* at least, and an eighth of all */
};

struct shared_refusal {
	uint8_t key[SHARED_KEY_BYTES];
	int64_t until_ms;
	char id[RECORD_ID_BYTES];
};

struct proxy_shared {
	atomic_uint total;
	unsigned room; /* descriptors for connections, two each; and gateways */
	atomic_uint gateways; /* their listeners */
	atomic_uint idle;     /* upstreams that nobody uses */
	unsigned over;        /* so many more hear that there is no room */
	atomic_flag warned;
	pthread_mutex_t lock; /* over all below */
	struct uid_counts uids;
	struct uid_counts handshakes;
	struct tls_trust *trust;
	_Atomic uint64_t trust_epoch; /* read without it */
	_Atomic(struct budget_ledger *) ledger;
	struct shared_refusal refusals[SHARED_REFUSALS];
};

struct proxy_snapshot *
proxy_snapshot_ref(struct proxy_snapshot *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void
proxy_snapshot_unref(struct proxy_snapshot *s)
{
	if (s == NULL ||
	    atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	s->release(s);
}

const struct proxy_gateway *
proxy_snapshot_gateway(const struct proxy_snapshot *s, const char *listener)
{
	for (size_t i = 0; i < s->n_gateways; i++)
		if (strcmp(s->gateways[i].listener, listener) == 0)
			return &s->gateways[i];
	return NULL;
}

/* Each may need a second one for its destination; the rest of the process
 * (audit, resolver, broker) must never find none left. */
static void
share_descriptors(struct proxy_shared *s)
{
	struct rlimit rl;
	rlim_t kept, over;

	s->room = UINT_MAX;
	s->over = SHARED_CONNECTIONS_OVER;
	if (getrlimit(RLIMIT_NOFILE, &rl) != 0 || rl.rlim_cur == RLIM_INFINITY)
		return;
	over = rl.rlim_cur / 8;
	kept = over < DESCRIPTORS_KEPT ? DESCRIPTORS_KEPT : over;
	if (over < s->over)
		s->over = (unsigned)over;
	kept += s->over;
	s->room = rl.rlim_cur < kept ? 0 : (unsigned)(rl.rlim_cur - kept);
}

struct proxy_shared *
proxy_shared_create(void)
{
	struct proxy_shared *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	if (pthread_mutex_init(&s->lock, NULL) != 0) {
		free(s);
		return NULL;
	}
	share_descriptors(s);
	s->trust_epoch = 1;
	atomic_flag_clear(&s->warned);
	return s;
}

void
proxy_shared_destroy(struct proxy_shared *s)
{
	if (s == NULL)
		return;
	(void)pthread_mutex_destroy(&s->lock);
	uid_counts_release(&s->uids);
	uid_counts_release(&s->handshakes);
	tls_trust_unref(s->trust);
	free(s);
}

void
proxy_shared_set_trust(struct proxy_shared *s, struct tls_trust *trust)
{
	struct tls_trust *old = NULL;

	(void)pthread_mutex_lock(&s->lock);
	/* A reload of the same anchors leaves what they proved as it is. */
	if (trust == NULL || s->trust == NULL ||
	    !tls_trust_is_same(trust, s->trust)) {
		old = s->trust;
		s->trust = trust == NULL ? NULL : tls_trust_ref(trust);
		(void)atomic_fetch_add(&s->trust_epoch, 1);
	}
	(void)pthread_mutex_unlock(&s->lock);
	tls_trust_unref(old);
}

struct tls_trust *
shared_trust(struct proxy_shared *s, uint64_t *epoch)
{
	struct tls_trust *trust;

	(void)pthread_mutex_lock(&s->lock);
	trust = s->trust == NULL ? NULL : tls_trust_ref(s->trust);
	*epoch = s->trust_epoch;
	(void)pthread_mutex_unlock(&s->lock);
	return trust;
}

uint64_t
shared_trust_epoch(const struct proxy_shared *s)
{
	return atomic_load(&s->trust_epoch);
}

void
proxy_shared_set_ledger(struct proxy_shared *s, struct budget_ledger *l)
{
	atomic_store(&s->ledger, l);
}

struct budget_ledger *
shared_ledger(const struct proxy_shared *s)
{
	return atomic_load(&s->ledger);
}

unsigned
shared_enter(struct proxy_shared *s)
{
	return atomic_fetch_add_explicit(&s->total, 1, memory_order_relaxed) +
	    1;
}

void
shared_leave(struct proxy_shared *s)
{
	atomic_fetch_sub_explicit(&s->total, 1, memory_order_relaxed);
}

void
shared_gateway_opened(struct proxy_shared *s)
{
	atomic_fetch_add_explicit(&s->gateways, 1, memory_order_relaxed);
}

void
shared_gateway_closed(struct proxy_shared *s)
{
	atomic_fetch_sub_explicit(&s->gateways, 1, memory_order_relaxed);
}

/* Of connections, by the descriptors there are. */
static unsigned
descriptors_ceiling(const struct proxy_shared *s)
{
	unsigned taken =
	    atomic_load_explicit(&s->gateways, memory_order_relaxed) +
	    atomic_load_explicit(&s->idle, memory_order_relaxed);

	if (s->room == UINT_MAX)
		return UINT_MAX;
	return s->room < taken + 2 ? 1 : (s->room - taken) / 2;
}

/* With an eighth left the idle go: clients come first. */
bool
shared_is_crowded(const struct proxy_shared *s)
{
	uint64_t taken = 2 * (uint64_t)shared_total(s) +
	    atomic_load_explicit(&s->gateways, memory_order_relaxed) +
	    atomic_load_explicit(&s->idle, memory_order_relaxed);

	return s->room != UINT_MAX && taken > s->room - s->room / 8;
}

bool
shared_idle_enter(struct proxy_shared *s, unsigned max)
{
	unsigned n =
	    atomic_fetch_add_explicit(&s->idle, 1, memory_order_relaxed) + 1;

	if (n <= max && !shared_is_crowded(s)) {
		metric_add(METRIC_UPSTREAMS_IDLE, 1);
		return true;
	}
	atomic_fetch_sub_explicit(&s->idle, 1, memory_order_relaxed);
	return false;
}

void
shared_idle_leave(struct proxy_shared *s)
{
	atomic_fetch_sub_explicit(&s->idle, 1, memory_order_relaxed);
	metric_add(METRIC_UPSTREAMS_IDLE, -1);
}

unsigned
shared_ceiling(struct proxy_shared *s, unsigned configured)
{
	unsigned ceiling = descriptors_ceiling(s);

	if (configured <= ceiling)
		return configured;
	if (!atomic_flag_test_and_set(&s->warned))
		log_warning("limits.connections is %u, but the limit of "
		            "descriptors (RLIMIT_NOFILE) allows %u: that is "
		            "the limit",
		    configured, ceiling);
	return ceiling;
}

unsigned
shared_over(const struct proxy_shared *s)
{
	return s->over;
}

unsigned
shared_total(const struct proxy_shared *s)
{
	return atomic_load_explicit(&s->total, memory_order_relaxed);
}

enum status
shared_enter_uid(struct proxy_shared *s, uint32_t uid, unsigned *count)
{
	enum status st;

	(void)pthread_mutex_lock(&s->lock);
	st = uid_counts_enter(&s->uids, uid, count);
	(void)pthread_mutex_unlock(&s->lock);
	return st;
}

enum status
shared_enter_handshake(struct proxy_shared *s, uint32_t uid)
{
	unsigned count = 0;
	enum status st;

	(void)pthread_mutex_lock(&s->lock);
	st = uid_counts_enter(&s->handshakes, uid, &count);
	if (st == OK && count > SHARED_HANDSHAKES_PER_UID) {
		uid_counts_leave(&s->handshakes, uid);
		st = E_LIMIT;
	}
	(void)pthread_mutex_unlock(&s->lock);
	return st;
}

void
shared_leave_handshake(struct proxy_shared *s, uint32_t uid)
{
	(void)pthread_mutex_lock(&s->lock);
	uid_counts_leave(&s->handshakes, uid);
	(void)pthread_mutex_unlock(&s->lock);
}

void
shared_leave_uid(struct proxy_shared *s, uint32_t uid)
{
	(void)pthread_mutex_lock(&s->lock);
	uid_counts_leave(&s->uids, uid);
	(void)pthread_mutex_unlock(&s->lock);
}

void
shared_refusal_id(struct proxy_shared *s, const uint8_t key[SHARED_KEY_BYTES],
    int64_t now_ms, char id[RECORD_ID_BYTES])
{
	struct shared_refusal *r =
	    &s->refusals[(key[0] | (size_t)key[1] << 8) % SHARED_REFUSALS];

	(void)pthread_mutex_lock(&s->lock);
	if (now_ms >= r->until_ms || memcmp(r->key, key, sizeof r->key) != 0) {
		memcpy(r->key, key, sizeof r->key);
		r->until_ms = now_ms + SHARED_REFUSAL_MS;
		record_new_id(r->id);
	}
	memcpy(id, r->id, sizeof r->id);
	(void)pthread_mutex_unlock(&s->lock);
}
