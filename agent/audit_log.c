/* The audit's queue and its writer thread. */
#include "agent/audit_log.h"

#include "agent/audit_chain.h"
#include "agent/audit_queue.h"
#include "base/log.h"
#include "base/metrics.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	PROBE_MS = 500, /* an unhealthy file is tried again this often */
	IDLE_MS = 60 * 1000,
};

struct audit_log {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_cond_t tried; /* to write the start record */
	bool started;
	bool deny_on_failure;
	atomic_bool healthy;

	/* under lock */
	struct audit_queue queue;
	bool stopping, reopen;
	struct buf start; /* the start record, until it is in the file */
	bool start_tried;
	struct audit_status status;

	/*
	 * The writer's alone, once it runs. The two queues go to and fro, so
	 * that a record costs no allocation once both have grown to what a
	 * turn of the loops brings.
	 */
	struct audit_queue taken;
	struct audit_chain chain;
	uint64_t records, errors;
};

/** @until_ms from now on the condition's clock. */
static struct timespec
deadline_in(int64_t until_ms)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += (time_t)(until_ms / 1000);
	ts.tv_nsec += (long)(until_ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	return ts;
}

static int64_t
wait_ms(const struct audit_chain *c)
{
	int64_t due = audit_chain_due_ms(c);

	if (!c->healthy)
		return PROBE_MS;
	return due >= 0 && due < IDLE_MS ? due : IDLE_MS;
}

/** Sleeps until there is work; all of the queue becomes log->taken. */
static bool
log_take(struct audit_log *log, bool *reopen)
{
	struct timespec until = deadline_in(wait_ms(&log->chain));
	struct audit_queue empty = log->taken;
	bool stopping;

	pthread_mutex_lock(&log->lock);
	while (log->queue.n == 0 && !log->stopping && !log->reopen &&
	    (log->start.n == 0 || log->start_tried) &&
	    pthread_cond_timedwait(&log->wake, &log->lock, &until) == 0)
		;
	log->taken = log->queue;
	log->queue = empty;
	*reopen = log->reopen;
	log->reopen = false;
	stopping = log->stopping;
	pthread_mutex_unlock(&log->lock);
	return !stopping;
}

static void
log_publish(struct audit_log *log)
{
	const struct audit_chain *c = &log->chain;
	struct audit_status s = {
		.healthy = c->healthy,
		.seq = c->seq,
		.records = log->records,
		.errors = log->errors,
		.bytes = c->file.size,
		.rotations = c->rotations,
		.checkpoint_seq = c->checkpoint_seq,
	};
	bool started;

	memcpy(s.head, c->head, sizeof s.head);
	memcpy(s.last_error, c->last_error, sizeof s.last_error);
	memcpy(s.key_id, audit_key_id(c->key), sizeof s.key_id);
	pthread_mutex_lock(&log->lock);
	s.lost = log->status.lost;
	memcpy(s.torn, log->status.torn, sizeof s.torn);
	log->status = s;
	started = log->start.n == 0;
	pthread_mutex_unlock(&log->lock);
	atomic_store(
	    &log->healthy, (c->healthy && started) || !log->deny_on_failure);
}

/* Mostly the very next one; records that nobody waits for stand between. */
static bool
waits_more(const struct audit_queued *e, const struct audit_queued *end)
{
	for (; e < end; e++)
		if (e->written != NULL)
			return true;
	return false;
}

/** Counts, then tells the first @stand of @n records that they stand. */
static void
batch_answer(struct audit_log *log, const struct audit_queued *first, size_t n,
    size_t stand)
{
	const struct audit_queued *end = first + n;

	log->records += stand;
	log->errors += n - stand;
	metric_add(METRIC_AUDIT_RECORDS_TOTAL, (int64_t)stand);
	metric_add(METRIC_AUDIT_ERRORS_TOTAL, (int64_t)(n - stand));
	log_publish(log);
	for (const struct audit_queued *e = first; e < end; e++) {
		enum status st =
		    (size_t)(e - first) < stand || !log->deny_on_failure ? OK
		                                                         : E_IO;
		if (e->written != NULL)
			e->written(e->arg, st, waits_more(e + 1, end));
	}
}

/** Writes and answers what was taken, batch by batch. */
static void
log_write_all(struct audit_log *log)
{
	struct audit_queue *q = &log->taken;
	size_t at = 0, from = 0;

	while (from < q->n) {
		size_t to = from, stand;
		while (log->chain.healthy && to < q->n &&
		    audit_chain_add(&log->chain,
		        (struct slice){ q->text.p + at, q->at[to].n }))
			at += q->at[to++].n;
		if (to == from) {
			/* failing: nothing of it can be written now */
			batch_answer(log, q->at + from, q->n - from, 0);
			break;
		}
		stand = audit_chain_flush(&log->chain);
		audit_chain_tick(&log->chain);
		batch_answer(log, q->at + from, to - from, stand);
		from = to;
	}
	audit_queue_clear(q);
}

/** Nothing comes before the start record: tried until it stands. */
static void
log_write_start(struct audit_log *log)
{
	struct slice text;
	bool stands;

	/* Once given, only this thread takes it away. */
	pthread_mutex_lock(&log->lock);
	text = buf_slice(&log->start);
	pthread_mutex_unlock(&log->lock);
	if (text.n == 0)
		return;
	stands = log->chain.healthy && audit_chain_add(&log->chain, text) &&
	    audit_chain_flush(&log->chain) == 1;
	log->records += stands;
	metric_add(METRIC_AUDIT_RECORDS_TOTAL, stands);
	pthread_mutex_lock(&log->lock);
	if (!stands && !log->start_tried) {
		log->errors++;
		metric_add(METRIC_AUDIT_ERRORS_TOTAL, 1);
	}
	if (stands || !log->deny_on_failure)
		buf_release(&log->start);
	pthread_mutex_unlock(&log->lock);
	/* Who is told that it stands finds the log healthy. */
	log_publish(log);
	pthread_mutex_lock(&log->lock);
	log->start_tried = true;
	pthread_cond_signal(&log->tried);
	pthread_mutex_unlock(&log->lock);
}

static void *
log_run(void *arg)
{
	struct audit_log *log = arg;
	int64_t probe_at = 0;
	bool go = true;

	while (go) {
		bool reopen;
		int64_t now;

		go = log_take(log, &reopen);
		if (reopen)
			audit_chain_reopen(&log->chain);
		now = clock_boot_ms(&clock_system);
		if (!log->chain.healthy && now >= probe_at) {
			audit_chain_probe(&log->chain);
			probe_at = now + PROBE_MS;
		}
		log_write_start(log);
		if (log->taken.n > 0) {
			log_write_all(log);
			continue;
		}
		audit_chain_tick(&log->chain);
		log_publish(log);
	}
	return NULL;
}

/** A thread that takes no signals: they are the control thread's. */
static enum status
thread_start(struct audit_log *log)
{
	sigset_t all, old;
	int error;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&log->thread, NULL, log_run, log);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error != 0)
		return E_NOMEM;
	log->started = true;
	(void)pthread_setname_np(log->thread, "audit");
	return OK;
}

enum status
audit_log_open(const struct audit_settings *settings, struct audit_log **out,
    struct status_detail *detail)
{
	struct audit_log *log = calloc(1, sizeof *log);
	pthread_condattr_t attr;
	enum status st;

	if (log == NULL)
		return status_set(detail, E_NOMEM, "audit: out of memory");
	st = audit_chain_open(&log->chain, settings, detail);
	if (st != OK) {
		free(log);
		return st;
	}
	log->deny_on_failure = settings->deny_on_failure;
	audit_queue_init(&log->queue);
	audit_queue_init(&log->taken);
	buf_init(&log->start, AUDIT_MEMBERS_MAX);
	(void)pthread_mutex_init(&log->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&log->wake, &attr);
	(void)pthread_cond_init(&log->tried, NULL);
	(void)pthread_condattr_destroy(&attr);
	if (log->chain.torn_bytes > 0) {
		(void)snprintf(log->status.torn, sizeof log->status.torn,
		    "%llu bytes, sha256 %s",
		    (unsigned long long)log->chain.torn_bytes,
		    log->chain.torn_hash);
		log_warning("audit: %s had a torn tail, now in its .torn: %s",
		    settings->file, log->status.torn);
	}
	log_publish(log);
	st = thread_start(log);
	if (st != OK) {
		audit_log_close(log);
		return status_set(detail, st, "audit: no writer thread");
	}
	*out = log;
	return OK;
}

void
audit_log_close(struct audit_log *log)
{
	if (log == NULL)
		return;
	pthread_mutex_lock(&log->lock);
	log->stopping = true;
	pthread_cond_signal(&log->wake);
	pthread_mutex_unlock(&log->lock);
	if (log->started)
		(void)pthread_join(log->thread, NULL);
	audit_chain_release(&log->chain);
	(void)pthread_cond_destroy(&log->wake);
	(void)pthread_cond_destroy(&log->tried);
	buf_release(&log->start);
	audit_queue_release(&log->queue);
	audit_queue_release(&log->taken);
	(void)pthread_mutex_destroy(&log->lock);
	free(log);
}

static bool
is_record_length(struct slice record_members)
{
	return record_members.n > 0 && record_members.n <= AUDIT_MEMBERS_MAX;
}

enum status
audit_log_start(struct audit_log *log, struct slice record_members)
{
	enum status st;

	if (!is_record_length(record_members))
		return E_LIMIT;
	pthread_mutex_lock(&log->lock);
	buf_put_slice(&log->start, record_members);
	st = buf_status(&log->start);
	if (st == OK)
		pthread_cond_signal(&log->wake);
	while (st == OK && !log->start_tried)
		(void)pthread_cond_wait(&log->tried, &log->lock);
	if (st == OK && (!log->status.healthy || log->start.n > 0))
		st = E_IO;
	pthread_mutex_unlock(&log->lock);
	return st;
}

enum status
audit_log_queue(struct audit_log *log, struct slice record_members,
    audit_written written, void *arg)
{
	enum status st;

	if (!audit_log_healthy(log))
		return E_IO;
	if (!is_record_length(record_members))
		return E_LIMIT;
	pthread_mutex_lock(&log->lock);
	st = log->stopping
	    ? E_CLOSED
	    : audit_queue_push(&log->queue, record_members, written, arg);
	if (st != OK)
		log->status.lost++;
	pthread_mutex_unlock(&log->lock);
	return st;
}

void
audit_log_wake(struct audit_log *log)
{
	bool some;

	pthread_mutex_lock(&log->lock);
	some = log->queue.n > 0;
	pthread_mutex_unlock(&log->lock);
	/* Outside of the lock, or the writer would wake only to wait for it. */
	if (some)
		pthread_cond_signal(&log->wake);
}

enum status
audit_log_append(struct audit_log *log, struct slice record_members,
    audit_written written, void *arg)
{
	enum status st = audit_log_queue(log, record_members, written, arg);

	if (st == OK)
		audit_log_wake(log);
	return st;
}

bool
audit_log_healthy(struct audit_log *log)
{
	return atomic_load(&log->healthy);
}

void
audit_log_reopen(struct audit_log *log)
{
	pthread_mutex_lock(&log->lock);
	log->reopen = true;
	pthread_cond_signal(&log->wake);
	pthread_mutex_unlock(&log->lock);
}

bool
audit_log_torn(const struct audit_log *log, uint64_t *bytes,
    char sha256_hex[AUDIT_HASH_BYTES])
{
	/* set before the thread began, never changed */
	if (log->chain.torn_bytes == 0)
		return false;
	*bytes = log->chain.torn_bytes;
	memcpy(sha256_hex, log->chain.torn_hash, AUDIT_HASH_BYTES);
	return true;
}

void
audit_log_status(struct audit_log *log, struct audit_status *out)
{
	pthread_mutex_lock(&log->lock);
	*out = log->status;
	out->queued = log->queue.n;
	pthread_mutex_unlock(&log->lock);
}
