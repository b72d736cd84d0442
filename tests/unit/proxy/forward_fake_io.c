/* What the client and the destination say and hear. */
#include "tests/unit/test.h"

#include "tests/unit/proxy/forward_fake.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
say(int fd, const char *text)
{
	size_t n = strlen(text);

	assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), n);
	fake_turn();
}

void
fake_client_says(const char *text)
{
	say(fake.client_fd, text);
}

void
fake_upstream_says(const char *text)
{
	say(fake.upstream_fd, text);
}

static const char *
got(int fd)
{
	static char text[1 << 18];
	size_t n = 0;
	ssize_t k;

	while ((k = recv(fd, text + n, sizeof text - 1 - n, 0)) > 0) {
		n += (size_t)k;
		fake_turn();
	}
	text[n] = '\0';
	return text;
}

const char *
fake_client_got(void)
{
	return got(fake.client_fd);
}

const char *
fake_upstream_got(void)
{
	return fake.upstream_fd < 0 ? "" : got(fake.upstream_fd);
}

static bool
at_end(int fd)
{
	char c;
	ssize_t n = recv(fd, &c, 1, 0);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

bool
fake_client_at_end(void)
{
	return at_end(fake.client_fd);
}

bool
fake_upstream_at_end(void)
{
	return at_end(fake.upstream_fd);
}

void
fake_upstream_closes(void)
{
	/* What it has not read would make a reset of the end. */
	(void)fake_upstream_got();
	(void)close(fake.upstream_fd);
	fake.upstream_fd = -1;
	fake_turn();
}
