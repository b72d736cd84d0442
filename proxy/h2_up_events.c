/* What the session to a destination tells, and what it is given to send. */
#include "proxy/h2_up_inside.h"

#include "proxy/h2_request.h"

void
h2_up_drop_body(struct h2_up *u)
{
	buf_clear(&u->up);
	u->pulled = 0;
}

static void
on_field(void *stream, struct slice name, struct slice value)
{
	struct h2_up *u = stream;

	if (!u->answered)
		h2_told_field(&u->told, name, value);
	else if (h2_field_is_sound(name, value))
		h2_trailer_put(&u->trailers, name, value);
}

static void
on_head(void *stream, bool ends)
{
	struct h2_up *u = stream;
	bool interim = false;

	if (!u->answered) {
		if (h2_told_put(&u->told, ends, u->to_head, &u->text,
		        &u->chunked, &interim) != OK)
			u->broken = u->marred = true;
		u->answered = !interim;
	}
	u->ended = u->ended || ends;
}

static void
on_data(void *stream, struct slice bytes)
{
	struct h2_up *u = stream;

	buf_put_slice(&u->data, bytes);
	if (buf_status(&u->data) != OK)
		u->broken = u->marred = true;
}

static void
on_end(void *stream)
{
	struct h2_up *u = stream;

	u->ended = true;
}

static enum h2_more
on_pull(void *stream, char *to, size_t room, size_t *n)
{
	struct h2_up *u = stream;
	struct slice left =
	    slice_head(slice_from(buf_slice(&u->up), u->pulled), room);

	if (left.n > 0)
		memcpy(to, left.p, left.n);
	*n = left.n;
	u->pulled += left.n;
	if (u->pulled < u->up.n)
		return H2_MORE_LATER;
	h2_up_drop_body(u);
	return u->state == UP_SAID ? H2_MORE_NOTHING : H2_MORE_LATER;
}

/* One that answers all and wants no more of the request says so with no error
 * (RFC 9113 8.1). */
static void
on_closed(void *stream, uint32_t error)
{
	struct h2_up *u = stream;

	(void)error;
	u->open = false;
	h2_up_drop_body(u);
	if (!u->ended)
		u->broken = true;
}

const struct h2_events h2_up_events = {
	.field = on_field,
	.head = on_head,
	.data = on_data,
	.end = on_end,
	.pull = on_pull,
	.closed = on_closed,
};
