/* A gateway above a layer with ways of TLS: bytes left inside, words that say
 * nothing to us, ends that are cut off, writes that must be offered again. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/forward_fake.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define GET    "GET /x HTTP/1.1\r\nHost: 127.0.0.1:3190\r\n\r\n"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

enum { TICKET = 1, CLOSE_NOTIFY = 2, AT_A_TIME = 3 };

/* What the layer holds, and what it has seen. */
static struct layer {
	char inside[4096];
	size_t n;
	bool closed, write_breaks, read_needs_write;
	size_t record; /* a write takes so much and is stuck then; 0: all */
	char stuck[4096];
	size_t n_stuck;
	unsigned writes, ends;
} layer;

static void
layer_fill(struct stream *s)
{
	char *to = layer.inside + layer.n;
	ssize_t n = recv(s->fd, to, sizeof layer.inside - layer.n, 0);

	if (n == 0) {
		s->eof = true;
		s->clean = layer.closed;
	}
	for (ssize_t i = 0; i < n; i++) {
		if (to[i] == CLOSE_NOTIFY)
			layer.closed = true;
		if (to[i] != CLOSE_NOTIFY && to[i] != TICKET)
			layer.inside[layer.n++] = to[i];
	}
}

static enum status
layer_read(struct stream *s, char *to, size_t room, size_t *got)
{
	size_t n = room < AT_A_TIME ? room : AT_A_TIME;

	s->read_waits_write = layer.read_needs_write;
	s->more = false;
	if (layer.read_needs_write) {
		layer.read_needs_write = false;
		return OK;
	}
	if (layer.n == 0)
		layer_fill(s);
	if (n > layer.n)
		n = layer.n;
	memcpy(to, layer.inside, n);
	memmove(layer.inside, layer.inside + n, layer.n - n);
	layer.n -= n;
	s->more = layer.n > 0;
	*got = n;
	return OK;
}

static enum status
layer_write(struct stream *s, struct slice b, bool more_follows, size_t *put)
{
	(void)more_follows;
	layer.writes++;
	if (layer.write_breaks)
		return E_IO;
	/* OpenSSL: the same bytes again, or the plaintext is corrupt. */
	assert_true(b.n >= layer.n_stuck);
	assert_memory_equal(b.p, layer.stuck, layer.n_stuck);
	if (layer.record > 0 && layer.n_stuck == 0 && b.n > layer.record) {
		layer.n_stuck =
		    b.n < sizeof layer.stuck ? b.n : sizeof layer.stuck;
		memcpy(layer.stuck, b.p, layer.n_stuck);
		s->stuck = layer.n_stuck;
		return E_PARTIAL;
	}
	layer.n_stuck = s->stuck = 0;
	if (layer.record > 0)
		b = slice_head(b, layer.record);
	*put = (size_t)send(s->fd, b.p, b.n, MSG_NOSIGNAL);
	return layer.record > 0 ? E_PARTIAL : OK;
}

static void
layer_end(struct stream *s)
{
	(void)s;
	layer.ends++;
}

static void
layer_nothing(struct stream *s)
{
	(void)s;
}

static const struct stream_ops layer_ops = {
	.read = layer_read,
	.write = layer_write,
	.end = layer_end,
	.abort = layer_nothing,
	.release = layer_nothing,
};

static int
tear_down(void **state)
{
	(void)state;
	fake_stop();
	return 0;
}

static void
start(const char *first)
{
	memset(&layer, 0, sizeof layer);
	fake_next.ops = &layer_ops;
	fake_start_gateway(first);
}

/* More than a few rounds are needed at three bytes each. */
static void
turns(void)
{
	for (int i = 0; i < 200; i++)
		fake_turn();
}

static void
bytes_left_inside_are_read_without_an_event(void **state)
{
	char answer[1200];

	(void)state;
	start(GET);
	(void)snprintf(answer, sizeof answer,
	    "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n%01000d", 7);
	fake_upstream_says(answer);
	turns();
	assert_non_null(strstr(fake_client_got(), "0007"));
	assert_int_equal(fake.ended[0].status, 200);
	assert_string_equal(fake.ended[0].close, "done");
}

static void
a_word_of_the_layer_alone_keeps_the_idle_upstream(void **state)
{
	(void)state;
	start(GET);
	fake_upstream_says(ANSWER);
	turns();
	fake_upstream_says("\001\001");
	fake_client_says(GET);
	assert_int_equal(fake.started, 2);
	assert_int_equal(fake.dialled, 1);
	assert_int_equal(layer.ends, 0);
}

static void
a_word_of_the_layer_behind_the_answer_keeps_it_too(void **state)
{
	(void)state;
	start(GET);
	fake_upstream_says(ANSWER "\001");
	turns();
	fake_client_says(GET);
	assert_int_equal(fake.dialled, 1);
}

static void
a_byte_condemns_the_idle_upstream(void **state)
{
	(void)state;
	start(GET);
	fake_upstream_says(ANSWER);
	turns();
	fake_upstream_says("\001x");
	assert_int_equal(layer.ends, 1);
	layer.n = 0;
	fake_client_says(GET);
	assert_int_equal(fake.dialled, 2);
}

static void
a_byte_behind_the_answer_condemns_it_as_well(void **state)
{
	(void)state;
	start(GET);
	fake_upstream_says(ANSWER "extra");
	turns();
	assert_int_equal(layer.ends, 1);
	layer.n = 0;
	fake_client_says(GET);
	assert_int_equal(fake.dialled, 2);
}

static void
the_end_of_the_idle_upstream_is_seen(void **state)
{
	(void)state;
	start(GET);
	fake_upstream_says(ANSWER);
	turns();
	fake_upstream_says("\002");
	fake_upstream_closes();
	fake_client_says(GET);
	assert_int_equal(fake.dialled, 2);
}

static void
a_body_until_the_end_ends_with_the_layers_own_word(void **state)
{
	(void)state;
	start(GET);
	fake_upstream_says("HTTP/1.1 200 OK\r\n\r\nall of it\002");
	turns();
	fake_upstream_closes();
	turns();
	assert_non_null(strstr(fake_client_got(), "all of it"));
	assert_int_equal(fake.ended[0].code, REASON_NONE);
	assert_string_equal(fake.ended[0].close, "done");
}

static void
a_body_until_the_end_that_is_cut_off_is_not_whole(void **state)
{
	char byte;

	(void)state;
	start(GET);
	fake_upstream_says("HTTP/1.1 200 OK\r\n\r\nhalf of");
	turns();
	(void)fake_client_got();
	fake_upstream_closes();
	turns();
	assert_int_equal(fake.ended[0].code, REASON_UPSTREAM_RESET);
	assert_string_equal(fake.ended[0].close, "upstream");
	assert_true(recv(fake.client_fd, &byte, 1, 0) <= 0);
}

static void
a_broken_write_is_never_written_to_again(void **state)
{
	unsigned writes;

	(void)state;
	start("POST /x HTTP/1.1\r\nHost: 127.0.0.1:3190\r\n"
	      "Content-Length: 100\r\n\r\n");
	layer.write_breaks = true;
	fake_client_says("some");
	writes = layer.writes;
	fake_client_says("more");
	assert_int_equal(layer.writes, writes);
	/* What it says still counts. */
	fake_upstream_says(
	    "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
	turns();
	assert_non_null(strstr(fake_client_got(), "413 Too Large"));
	assert_int_equal(layer.writes, writes);
	assert_int_equal(fake.ended[0].status, 413);
	(void)fake_upstream_got();
	assert_true(fake_upstream_at_end());
}

static void
what_is_stuck_is_offered_again_unchanged(void **state)
{
	char body[301], request[512];

	(void)state;
	memset(body, 'b', sizeof body - 1);
	body[sizeof body - 1] = '\0';
	(void)snprintf(request, sizeof request,
	    "POST /x HTTP/1.1\r\nHost: 127.0.0.1:3190\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    sizeof body - 1);
	memset(&layer, 0, sizeof layer);
	layer.record = 7;
	fake_next.ops = &layer_ops;
	fake_start_gateway(request);
	fake_client_says(body);
	turns();
	assert_non_null(strstr(fake_upstream_got(), body));
	assert_true(layer.writes > 40);
}

static void
a_read_that_waits_for_a_write_is_tried_again(void **state)
{
	(void)state;
	start(GET);
	layer.read_needs_write = true;
	fake_upstream_says(ANSWER);
	turns();
	assert_non_null(strstr(fake_client_got(), "ok"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_teardown(name, tear_down)
		T(bytes_left_inside_are_read_without_an_event),
		T(a_word_of_the_layer_alone_keeps_the_idle_upstream),
		T(a_word_of_the_layer_behind_the_answer_keeps_it_too),
		T(a_byte_condemns_the_idle_upstream),
		T(a_byte_behind_the_answer_condemns_it_as_well),
		T(the_end_of_the_idle_upstream_is_seen),
		T(a_body_until_the_end_ends_with_the_layers_own_word),
		T(a_body_until_the_end_that_is_cut_off_is_not_whole),
		T(a_broken_write_is_never_written_to_again),
		T(what_is_stuck_is_offered_again_unchanged),
		T(a_read_that_waits_for_a_write_is_tried_again),
	};

	return cmocka_run_group_tests_name("gateway_stream", tests, NULL, NULL);
}
