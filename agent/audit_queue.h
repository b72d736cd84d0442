/* Records on their way to the writer: their texts, and who waits for each. */
#ifndef AGENT_AUDIT_QUEUE_H
#define AGENT_AUDIT_QUEUE_H

#include "agent/audit_log.h"
#include "base/buf.h"

/** One record; its text follows that of the one before it. */
struct audit_queued {
	audit_written written;
	void *arg;
	size_t n; /**< bytes of text */
};

struct audit_queue {
	struct buf text;
	struct audit_queued *at;
	size_t n, cap;
};

void audit_queue_init(struct audit_queue *q);
void audit_queue_release(struct audit_queue *q);
/** Forgets the records and keeps the memory, unless it is much. */
void audit_queue_clear(struct audit_queue *q);
/** Copies @text. E_BUSY: full; E_NOMEM. The queue is then as before. */
enum status audit_queue_push(struct audit_queue *q, struct slice text,
    audit_written written, void *arg) ATTR_MUST_USE;

#endif
