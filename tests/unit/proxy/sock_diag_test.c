/* Real sockets: whose they are, by the two ends of a connection. */
#include "tests/unit/test.h"

#include "proxy/sock_diag.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sock_diag_end
end_of(const struct sockaddr_in *sa)
{
	struct sock_diag_end end = { .addr = { .family = ADDR_V4 },
		.port = ntohs(sa->sin_port) };

	memcpy(end.addr.b, &sa->sin_addr, 4);
	return end;
}

static int
listener(struct sockaddr_in *sa)
{
	socklen_t n = sizeof *sa;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	memset(sa, 0, sizeof *sa);
	sa->sin_family = AF_INET;
	sa->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)sa, n), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)sa, &n), 0);
	return fd;
}

/* Whether the kernel knows who owns the client's side of @fd. */
static enum status
owner_of(struct sock_diag *s, int fd, const struct sockaddr_in *server,
    struct sock_diag_owner *out)
{
	struct sockaddr_in sa;
	socklen_t n = sizeof sa;
	struct sock_diag_end local, remote = end_of(server);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
	local = end_of(&sa);
	return sock_diag_lookup(s, &local, &remote, out);
}

static void
a_connected_socket_has_an_owner(void **state)
{
	struct sock_diag_owner owner;
	struct sockaddr_in sa;
	struct sock_diag *s;
	int l = listener(&sa), fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(sock_diag_open(&s), OK);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(owner_of(s, fd, &sa, &owner), OK);
	assert_int_equal(owner.uid, geteuid());
	assert_int_not_equal(owner.inode, 0);
	/* Its end sent, it still waits for an answer: it is still its own. */
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(owner_of(s, fd, &sa, &owner), OK);
	sock_diag_close(s);
	(void)close(fd);
	(void)close(l);
}

/* What has no answer to its SYN yet cannot be whom we accepted. */
static void
a_socket_that_still_connects_is_nobody(void **state)
{
	struct sock_diag_owner owner;
	struct sockaddr_in sa;
	struct sock_diag *s;
	int l = listener(&sa), fd[8], waiting = -1;

	(void)state;
	assert_int_equal(sock_diag_open(&s), OK);
	for (size_t i = 0; i < 8; i++) {
		struct pollfd p = { .events = POLLOUT };

		p.fd = fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fd[i], (struct sockaddr *)&sa, sizeof sa);
		/* The queue takes one or two; the last one's SYN is dropped. */
		if (i == 0)
			assert_int_equal(poll(&p, 1, 5000), 1);
		waiting = fd[i];
	}
	assert_int_equal(owner_of(s, fd[0], &sa, &owner), OK);
	assert_int_equal(owner_of(s, waiting, &sa, &owner), E_NOTFOUND);
	for (size_t i = 0; i < 8; i++)
		(void)close(fd[i]);
	sock_diag_close(s);
	(void)close(l);
}

static void
a_listener_is_nobodys_peer(void **state)
{
	struct sock_diag_end here, there;
	struct sock_diag_owner owner;
	struct sockaddr_in sa;
	struct sock_diag *s;
	int l = listener(&sa);

	(void)state;
	assert_int_equal(sock_diag_open(&s), OK);
	here = there = end_of(&sa);
	there.port = 9;
	assert_int_equal(
	    sock_diag_lookup(s, &here, &there, &owner), E_NOTFOUND);
	sock_diag_close(s);
	(void)close(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connected_socket_has_an_owner),
		cmocka_unit_test(a_socket_that_still_connects_is_nobody),
		cmocka_unit_test(a_listener_is_nobodys_peer),
	};

	return cmocka_run_group_tests_name("sock_diag", tests, NULL, NULL);
}
