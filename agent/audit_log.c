/* The audit's queue and its writer thread. */
#include "agent/audit_log.h"

#include "agent/audit_chain.h"
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
	QUEUE_RECORDS = 16384,
	QUEUE_BYTES = 32 * 1024 * 1024,
	PROBE_MS = 500, /* an unhealthy file is tried again this often */
	IDLE_MS = 60 * 1000,
};

struct entry {
	struct entry *next;
	audit_written written;
	void *arg;
	size_t n;
	char text[];
};

struct queue {
	struct entry *first, **last;
	size_t n, bytes;
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
	struct queue queue;
	bool stopping, reopen;
	struct entry *start; /* the start record, until it is in the file */
	bool start_tried;
	struct audit_status status;

	/* the writer's alone, once it runs */
	struct audit_chain chain;
	uint64_t records, errors;
};

static void
queue_init(struct queue *q)
{
	*q = (struct queue){ .last = &q->first };
}

static void
queue_push(struct queue *q, struct entry *e)
{
	e->next = NULL;
	*q->last = e;
	q->last = &e->next;
	q->n++;
	q->bytes += e->n;
}

static struct entry *
queue_pop(struct queue *q)
{
	struct entry *e = q->first;

	q->first = e->next;
	if (q->first == NULL)
		q->last = &q->first;
	q->n--;
	q->bytes -= e->n;
	return e;
}

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

/** Sleeps until there is work; moves all of the queue to @out. */
static bool
log_take(struct audit_log *log, struct queue *out, bool *reopen)
{
	struct timespec until = deadline_in(wait_ms(&log->chain));
	bool stopping;

	queue_init(out);
	pthread_mutex_lock(&log->lock);
	while (log->queue.n == 0 && !log->stopping && !log->reopen &&
	    (log->start == NULL || log->start_tried) &&
	    pthread_cond_timedwait(&log->wake, &log->lock, &until) == 0)
		;
	while (log->queue.n > 0)
		queue_push(out, queue_pop(&log->queue));
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
	started = log->start == NULL;
	pthread_mutex_unlock(&log->lock);
	atomic_store(
	    &log->healthy, (c->healthy && started) || !log->deny_on_failure);
}

/* Mostly the very next one; records that nobody waits for stand between. */
static bool
waits_more(const struct queue *batch)
{
	for (const struct entry *e = batch->first; e != NULL; e = e->next)
		if (e->written != NULL)
			return true;
	return false;
}

/** Counts, then tells the first @n of @batch that they stand. */
static void
batch_answer(struct audit_log *log, struct queue *batch, size_t n)
{
	log->records += n;
	log->errors += batch->n - n;
	metric_add(METRIC_AUDIT_RECORDS_TOTAL, (int64_t)n);
	metric_add(METRIC_AUDIT_ERRORS_TOTAL, (int64_t)(batch->n - n));
	log_publish(log);
	while (batch->n > 0) {
		struct entry *e = queue_pop(batch);
		enum status st = OK;
		if (n > 0)
			n--;
		else if (log->deny_on_failure)
			st = E_IO;
		if (e->written != NULL)
			e->written(e->arg, st, waits_more(batch));
		free(e);
	}
}

/** Writes and answers @q, batch by batch. */
static void
log_write_all(struct audit_log *log, struct queue *q)
{
	while (q->n > 0) {
		struct queue batch;
		size_t n;

		queue_init(&batch);
		while (log->chain.healthy && q->n > 0 &&
		    audit_chain_add(&log->chain,
		        (struct slice){ q->first->text, q->first->n }))
			queue_push(&batch, queue_pop(q));
		if (batch.n == 0) {
			/* failing: nothing of it can be written now */
			batch_answer(log, q, 0);
			return;
		}
		n = audit_chain_flush(&log->chain);
		audit_chain_tick(&log->chain);
		batch_answer(log, &batch, n);
	}
}

/** Nothing comes before the start record: tried until it stands. */
static void
log_write_start(struct audit_log *log)
{
	struct entry *e;
	bool stands;

	pthread_mutex_lock(&log->lock);
	e = log->start;
	pthread_mutex_unlock(&log->lock);
	if (e == NULL)
		return;
	stands = log->chain.healthy &&
	    audit_chain_add(&log->chain, (struct slice){ e->text, e->n }) &&
	    audit_chain_flush(&log->chain) == 1;
	log->records += stands;
	metric_add(METRIC_AUDIT_RECORDS_TOTAL, stands);
	pthread_mutex_lock(&log->lock);
	if (!stands && !log->start_tried) {
		log->errors++;
		metric_add(METRIC_AUDIT_ERRORS_TOTAL, 1);
	}
	if (stands || !log->deny_on_failure) {
		log->start = NULL;
		free(e);
	}
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
		struct queue q;
		bool reopen;
		int64_t now;

		go = log_take(log, &q, &reopen);
		if (reopen)
			audit_chain_reopen(&log->chain);
		now = clock_boot_ms(&clock_system);
		if (!log->chain.healthy && now >= probe_at) {
			audit_chain_probe(&log->chain);
			probe_at = now + PROBE_MS;
		}
		log_write_start(log);
		log_write_all(log, &q);
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
	queue_init(&log->queue);
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
	free(log->start);
	(void)pthread_mutex_destroy(&log->lock);
	free(log);
}

static enum status
entry_new(struct slice record_members, struct entry **out)
{
	struct entry *e;

	if (record_members.n == 0 || record_members.n > AUDIT_MEMBERS_MAX)
		return E_LIMIT;
	e = malloc(sizeof *e + record_members.n);
	if (e == NULL)
		return E_NOMEM;
	*e = (struct entry){ .n = record_members.n };
	memcpy(e->text, record_members.p, record_members.n);
	*out = e;
	return OK;
}

enum status
audit_log_start(struct audit_log *log, struct slice record_members)
{
	struct entry *e;
	enum status st = entry_new(record_members, &e);

	if (st != OK)
		return st;
	pthread_mutex_lock(&log->lock);
	log->start = e;
	pthread_cond_signal(&log->wake);
	while (!log->start_tried)
		(void)pthread_cond_wait(&log->tried, &log->lock);
	st = log->status.healthy && log->start == NULL ? OK : E_IO;
	pthread_mutex_unlock(&log->lock);
	return st;
}

enum status
audit_log_queue(struct audit_log *log, struct slice record_members,
    audit_written written, void *arg)
{
	struct entry *e;
	enum status st;

	if (!audit_log_healthy(log))
		return E_IO;
	st = entry_new(record_members, &e);
	if (st != OK)
		return st;
	e->written = written;
	e->arg = arg;
	pthread_mutex_lock(&log->lock);
	if (log->stopping)
		st = E_CLOSED;
	else if (log->queue.n >= QUEUE_RECORDS ||
	    log->queue.bytes + e->n > QUEUE_BYTES)
		st = E_BUSY;
	else
		queue_push(&log->queue, e);
	if (st != OK)
		log->status.lost++;
	pthread_mutex_unlock(&log->lock);
	if (st != OK)
		free(e);
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
