/* A queue of records as two arrays that only grow: no allocation a record. */
#include "agent/audit_queue.h"

#include <stdlib.h>

enum {
	QUEUE_RECORDS = 16384,
	QUEUE_BYTES = 32 * 1024 * 1024,
	FIRST_RECORDS = 64,
	/* What one burst needed is not kept for ever. */
	KEPT_RECORDS = 1024,
	KEPT_BYTES = 256 * 1024,
};

void
audit_queue_init(struct audit_queue *q)
{
	*q = (struct audit_queue){ .n = 0 };
	buf_init(&q->text, QUEUE_BYTES);
}

void
audit_queue_release(struct audit_queue *q)
{
	buf_release(&q->text);
	free(q->at);
	audit_queue_init(q);
}

void
audit_queue_clear(struct audit_queue *q)
{
	if (q->text.cap > KEPT_BYTES || q->cap > KEPT_RECORDS) {
		audit_queue_release(q);
		return;
	}
	buf_clear(&q->text);
	q->n = 0;
}

static bool
grow(struct audit_queue *q)
{
	size_t cap = q->cap == 0 ? FIRST_RECORDS : q->cap * 2;
	struct audit_queued *at = reallocarray(q->at, cap, sizeof *at);

	if (at == NULL)
		return false;
	q->at = at;
	q->cap = cap;
	return true;
}

enum status
audit_queue_push(
    struct audit_queue *q, struct slice text, audit_written written, void *arg)
{
	if (q->n >= QUEUE_RECORDS || text.n > QUEUE_BYTES - q->text.n)
		return E_BUSY;
	if (q->n == q->cap && !grow(q))
		return E_NOMEM;
	buf_put_slice(&q->text, text);
	if (buf_status(&q->text) != OK) {
		/* What stood there before still stands. */
		q->text.st = OK;
		return E_NOMEM;
	}
	q->at[q->n++] = (struct audit_queued){ written, arg, text.n };
	return OK;
}
