/* Metadata requests that clients send through the proxy: the broker answers
 * (Go's SDK obeys HTTP_PROXY even for 169.254.169.254). */
#include "proxy/forward_conn.h"

#include <stddef.h>

enum { BROKER_ANSWER_BYTES_MAX = 65536 };

static void
forward_on_broker(struct proxy_wait *w, enum status st)
{
	void *at = (char *)w - offsetof(struct forward, ask.wait);
	struct forward *f = at;
	struct buf answer = f->ask.response;

	f->asking_broker = false;
	/* The token goes out from this buffer, and is wiped with it. */
	buf_init_secret(&f->ask.response, BROKER_ANSWER_BYTES_MAX);
	if (st != OK || answer.n == 0) {
		buf_release(&answer);
		forward_end(f, CLOSE_ERROR);
		return;
	}
	forward_say_last(f, &answer);
}

void
forward_broker_ask(struct forward *f, const struct forward_request *r)
{
	const struct proxy_broker_port *broker =
	    &worker_ports(f->worker)->broker;
	const struct forward_fault busy = { REASON_LIMIT_REACHED, 0, NULL };
	const struct forward_fault body = { REASON_BAD_REQUEST, 0,
		"a metadata request has no body" };
	struct buf head;
	enum status st;

	if (r->framing.body == HTTP1_BODY_CHUNKED || r->framing.length > 0) {
		forward_refuse(f, &body, r);
		return;
	}
	buf_init(&head, f->x.head.max);
	forward_head_put_broker(r, &head);
	buf_release(&f->ask.response);
	buf_init_secret(&f->ask.response, BROKER_ANSWER_BYTES_MAX);
	f->ask.wait.done = forward_on_broker;
	f->ask.peer = f->peer;
	f->ask.listener = f->listener;
	f->ask.head = buf_slice(&head);
	st = buf_status(&head);
	if (st == OK)
		st = broker->ask(broker->ctx, &f->ask);
	buf_release(&head);
	f->ask.head = (struct slice){ 0 };
	if (st != OK) {
		forward_refuse(f, &busy, r);
		return;
	}
	f->asking_broker = true;
	f->state = FORWARD_BROKER;
	forward_deadline(f, 0); /* the broker has its own */
}

void
forward_broker_cancel(struct forward *f)
{
	const struct proxy_broker_port *broker =
	    &worker_ports(f->worker)->broker;

	if (!f->asking_broker)
		return;
	f->asking_broker = false;
	broker->cancel(broker->ctx, &f->ask);
}
