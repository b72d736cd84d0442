/* One loop of traffic: a thread with its own event base, or the control
 * loop itself when `workers` is 0. */
#ifndef AGENT_WORKER_H
#define AGENT_WORKER_H

#include "agent/wiring.h"

struct worker;

struct worker_settings {
	struct event_base *base; /**< the control loop's to share, or NULL */
	const struct clock *clock;
	/** Borrowed; its mailbox is used only with a base. */
	const struct wiring *wiring;
	struct proxy_snapshot *snapshot; /**< referenced */
	struct proxy_shared *shared;
};

/** Makes loop, mailbox and proxy; no thread yet. E_NOMEM, E_IO. */
enum status worker_create(
    const struct worker_settings *settings, struct worker **out) ATTR_MUST_USE;
/** Before worker_start(): takes the listening socket @fd. */
enum status worker_listen(
    struct worker *w, int fd, const char *name) ATTR_MUST_USE;
/** Runs the thread; nothing to do on the control loop. */
enum status worker_start(struct worker *w) ATTR_MUST_USE;
/** Ends traffic and thread. The mailbox lives on for late answers. */
void worker_stop(struct worker *w);
/** After worker_stop() and after the audit was closed. NULL-safe. */
void worker_destroy(struct worker *w);

/* From the control loop, while it runs. */

/** A change of snapshot, in three steps. */
struct worker_change;
/** What can fail: see proxy_change_create(). */
enum status worker_prepare(struct worker *w, const struct proxy_snapshot *from,
    struct proxy_snapshot *to, struct worker_change **out) ATTR_MUST_USE;
/** As proxy_change_listen(): takes @fd, a socket of the gateway @name. */
enum status worker_change_listen(
    struct worker_change *c, int fd, const char *name) ATTR_MUST_USE;
/** Takes @c; cannot fail. */
void worker_commit(struct worker_change *c);
/** Takes @c; all stays as it is. NULL-safe. */
void worker_abandon(struct worker_change *c);
/** Once: done(arg) comes on the loop of @control when none is left. */
enum status worker_drain(struct worker *w, struct mailbox *control,
    void (*done)(void *arg), void *arg) ATTR_MUST_USE;
/** Connections open now, as of its last beat. */
size_t worker_connections(const struct worker *w);
/** CLOCK_BOOTTIME ms of the last beat, one a second: the watchdog's word. */
int64_t worker_beat_ms(const struct worker *w);

/** A live resolution for `why`, on the worker's loop. */
struct worker_resolve;

struct worker_resolve_question {
	struct mailbox *control; /**< of the loop that asks; kept */
	const char *name;        /**< canonical; copied */
	/** On the asker's loop; @a is borrowed for the call. */
	void (*done)(void *arg, const struct policy_answer *a);
	void *arg;
};

/** E_NOMEM, E_LIMIT (the name), E_BUSY (the worker's mailbox is full). */
enum status worker_resolve_start(struct worker *w,
    const struct worker_resolve_question *q,
    struct worker_resolve **out) ATTR_MUST_USE;
/** done() does not come; on the control loop. */
void worker_resolve_cancel(struct worker_resolve *r);

/* For worker_resolve.c. */
struct mailbox *worker_mailbox(struct worker *w);
struct proxy_worker *worker_proxy(struct worker *w);

#endif
