#include "tests/unit/test.h"

#include "agent/mailbox.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SENDERS = 4, MAILS_EACH = 20000 };

static bool write_fails;

ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);

/* The mailbox's wake-up goes through here. */
ssize_t
__wrap_write(int fd, const void *p, size_t n)
{
	if (!write_fails)
		return __real_write(fd, p, n);
	errno = EIO;
	return -1;
}

struct letter {
	struct mail mail; /* first */
	struct inbox *inbox;
	int sender, number;
};

struct inbox {
	struct event_base *base;
	struct mailbox *box;
	int last[SENDERS];
	int n;
	bool in_order;
};

struct sender {
	struct inbox *inbox;
	int index;
	int busy;
};

static void
receive(struct mail *m)
{
	struct letter *l = (struct letter *)m;
	struct inbox *in = l->inbox;

	in->in_order = in->in_order && in->last[l->sender] == l->number - 1;
	in->last[l->sender] = l->number;
	free(l);
	if (++in->n == SENDERS * MAILS_EACH)
		event_base_loopbreak(in->base);
}

static struct letter *
letter_new(struct inbox *in, int sender, int number)
{
	struct letter *l = calloc(1, sizeof *l);

	if (l == NULL)
		abort();
	l->mail.deliver = receive;
	l->inbox = in;
	l->sender = sender;
	l->number = number;
	return l;
}

static void *
send_all(void *arg)
{
	struct sender *s = arg;

	for (int i = 1; i <= MAILS_EACH; i++) {
		struct letter *l = letter_new(s->inbox, s->index, i);

		while (mailbox_post(s->inbox->box, &l->mail) == E_BUSY)
			s->busy++;
	}
	return NULL;
}

static void
setup(struct inbox *in, size_t max)
{
	*in = (struct inbox){ .in_order = true };
	in->base = event_base_new();
	assert_non_null(in->base);
	assert_int_equal(mailbox_create(in->base, max, &in->box), OK);
}

static void
teardown(struct inbox *in)
{
	mailbox_destroy(in->box);
	event_base_free(in->base);
}

static void
delivers_all_mails_of_many_threads_in_each_ones_order(void **state)
{
	struct inbox in;
	struct sender senders[SENDERS];
	pthread_t threads[SENDERS];

	(void)state;
	setup(&in, 64);
	for (int i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ .inbox = &in, .index = i };
		assert_int_equal(
		    pthread_create(&threads[i], NULL, send_all, &senders[i]),
		    0);
	}
	event_base_loop(in.base, EVLOOP_NO_EXIT_ON_EMPTY);
	for (int i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(in.n, SENDERS * MAILS_EACH);
	assert_true(in.in_order);
	teardown(&in);
}

static void
a_full_mailbox_refuses_but_answers_still_fit(void **state)
{
	struct inbox in;
	struct letter *one, *two, *answer;

	(void)state;
	setup(&in, 1);
	one = letter_new(&in, 0, 1);
	two = letter_new(&in, 0, 2);
	answer = letter_new(&in, 0, 2);
	assert_int_equal(mailbox_post(in.box, &one->mail), OK);
	assert_int_equal(mailbox_post(in.box, &two->mail), E_BUSY);
	mailbox_answer(in.box, &answer->mail);
	mailbox_flush(in.box);
	assert_int_equal(in.n, 2);
	assert_true(in.in_order);
	assert_int_equal(mailbox_post(in.box, &two->mail), OK);
	teardown(&in);
	assert_int_equal(in.n, 3);
}

static void
a_chain_of_answers_keeps_its_order_and_is_empty_afterwards(void **state)
{
	struct inbox in;
	struct mail_chain chain = { .n = 0 };

	(void)state;
	setup(&in, 1);
	mailbox_answer(in.box, &letter_new(&in, 0, 1)->mail);
	for (int i = 2; i <= 5; i++)
		mail_chain_put(&chain, &letter_new(&in, 0, i)->mail);
	assert_int_equal(chain.n, 4);
	mailbox_answer_all(in.box, &chain);
	assert_int_equal(chain.n, 0);
	assert_null(chain.first);
	mailbox_answer_all(in.box, &chain);
	assert_int_equal(event_base_loop(in.base, EVLOOP_NONBLOCK), 0);
	assert_int_equal(in.n, 5);
	assert_true(in.in_order);
	teardown(&in);
}

static void
note_and_break(struct mail *m)
{
	struct letter *l = (struct letter *)m;

	l->inbox->n++;
	event_base_loopbreak(l->inbox->base);
}

static void
a_wake_up_that_is_lost_only_delays(void **state)
{
	const struct timeval late = { .tv_sec = 5 };
	struct inbox in = { .base = event_base_new() };
	struct letter l = { .mail.deliver = note_and_break, .inbox = &in };

	(void)state;
	assert_int_equal(mailbox_create(in.base, 4, &in.box), OK);
	write_fails = true;
	assert_int_equal(mailbox_post(in.box, &l.mail), OK);
	write_fails = false;
	assert_int_equal(event_base_loopexit(in.base, &late), 0);
	(void)event_base_loop(in.base, EVLOOP_NO_EXIT_ON_EMPTY);
	assert_int_equal(in.n, 1);
	mailbox_destroy(in.box);
	event_base_free(in.base);
}

static void
each_mail_after_a_silence_wakes_the_loop(void **state)
{
	struct inbox in = { .base = event_base_new() };
	struct letter l = { .mail.deliver = note_and_break, .inbox = &in };
	time_t begun = time(NULL);

	(void)state;
	assert_int_equal(mailbox_create(in.base, 4, &in.box), OK);
	for (int i = 1; i <= 100; i++) {
		assert_int_equal(mailbox_post(in.box, &l.mail), OK);
		(void)event_base_loop(in.base, EVLOOP_NO_EXIT_ON_EMPTY);
		assert_int_equal(in.n, i);
	}
	/* A lost one would take a second. */
	assert_true(time(NULL) - begun < 20);
	mailbox_destroy(in.box);
	event_base_free(in.base);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wake_up_that_is_lost_only_delays),
		cmocka_unit_test(each_mail_after_a_silence_wakes_the_loop),
		cmocka_unit_test(
		    delivers_all_mails_of_many_threads_in_each_ones_order),
		cmocka_unit_test(a_full_mailbox_refuses_but_answers_still_fit),
		cmocka_unit_test(
		    a_chain_of_answers_keeps_its_order_and_is_empty_afterwards),
	};
	return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
