/* Brings work to another thread's event loop: an eventfd and a queue. */
#ifndef AGENT_MAILBOX_H
#define AGENT_MAILBOX_H

#include "base/status.h"

#include <stddef.h>

struct event_base;
struct mailbox;

/** Stands inside whatever is sent; free to use again once delivered. */
struct mail {
	struct mail *next;               /**< private */
	void (*deliver)(struct mail *m); /**< on the owner's loop, once */
};

/**
 * A queue of at most @max mails on @base (kept). Its owner is the thread that
 * runs @base. E_NOMEM, E_IO.
 */
enum status mailbox_create(
    struct event_base *base, size_t max, struct mailbox **out) ATTR_MUST_USE;
/**
 * Delivers what is left, then frees. By the owner's thread, or when that has
 * ended; nobody may post any more. NULL-safe.
 */
void mailbox_destroy(struct mailbox *box);

/** Delivers all that came so far, on the owner's thread. */
void mailbox_flush(struct mailbox *box);

/** From any thread. E_BUSY: full, nothing was taken. */
enum status mailbox_post(struct mailbox *box, struct mail *m) ATTR_MUST_USE;
/** As above for answers, whose number was bounded when they were asked. */
void mailbox_answer(struct mailbox *box, struct mail *m);

/** Answers for one mailbox that are brought at once. Zeroed: empty. */
struct mail_chain {
	struct mail *first, *last;
	size_t n;
};

void mail_chain_put(struct mail_chain *c, struct mail *m);
/** mailbox_answer() for each, in order; @c is empty afterwards. */
void mailbox_answer_all(struct mailbox *box, struct mail_chain *c);

#endif
