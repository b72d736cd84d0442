/* The steps that tests of tunnels share. */
#ifndef TESTS_UNIT_PROXY_CONNECT_STEPS_H
#define TESTS_UNIT_PROXY_CONNECT_STEPS_H

#include "tests/unit/test.h"

#include "tests/unit/proxy/fakes.h"
#include "tests/unit/proxy/hello_bytes.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"

static inline int
setup(void **state)
{
	(void)state;
	fakes_init();
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	fakes_release();
	return 0;
}

static inline void
say(int fd, const char *text)
{
	fake_say(fd, text, strlen(text));
}

static inline void
say_hello(int fd, struct slice name)
{
	struct buf b;

	buf_init(&b, 4096);
	hello_put(&b, name);
	fake_say(fd, b.p, b.n);
	buf_release(&b);
}

static inline void
assert_starts(int fd, const char *text)
{
	char got[8192];

	(void)fake_hear(fd, got, sizeof got);
	got[strlen(text)] = '\0';
	assert_string_equal(got, text);
}

/* An open tunnel whose hello has passed and reached the destination. */
static inline int
open_tunnel(void)
{
	char got[4096];
	int fd = fake_client();

	say(fd, CONNECT);
	assert_starts(fd, "HTTP/1.1 200 ");
	say_hello(fd, SLICE("a.test"));
	assert_true(fake_hear(fake.upstream, got, sizeof got) > 40);
	return fd;
}

static inline const struct fake_record *
last_record(void)
{
	assert_true(fake.n_records > 0);
	return &fake.records[fake.n_records - 1];
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
