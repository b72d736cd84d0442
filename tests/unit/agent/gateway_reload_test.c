/* Gateways are there from the start, and come and go at a reload. */
#include "tests/unit/test.h"

#include "tests/unit/agent/daemon_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#define UNIX_GATEWAY(name)                                              \
	"{\"name\": \"" name "\", \"listen\": \"unix:" name ".sock\", " \
	"\"upstream\": \"https://" name ".example/base/\"}"

static void
put_gateways(const struct lab *l, int workers, const char *list)
{
	char text[2048];

	(void)snprintf(text, sizeof text,
	    "{\"version\": 1, \"workers\": %d, \"listen\": {\"proxy\": "
	    "[\"unix:proxy.sock\"], \"control\": \"control.sock\"}, "
	    "\"state_dir\": \".\", \"runtime_dir\": \".\", "
	    "\"unsafe_same_user\": true, \"dns\": {\"servers\": "
	    "[\"127.0.0.1:9\"]}, \"audit\": {\"file\": \"audit.jsonl\"}, "
	    "\"gateways\": [%s]}",
	    workers, list);
	lab_put_file(l, "wayleave.json", text);
}

static void
reload(const struct lab *l, bool ok, const char *message)
{
	json_t *r = lab_ask(l, json_pack("{s:s}", "verb", "reload"));
	const char *said;

	assert_int_equal(json_is_true(json_object_get(r, "ok")), ok);
	json_decref(r);
	r = lab_ask(l, json_pack("{s:s}", "verb", "status"));
	said = json_string_value(
	    json_object_get(json_object_get(r, "reload"), "message"));
	assert_non_null(said);
	if (strstr(said, message) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", message, said);
	json_decref(r);
}

/* -1: nobody listens there. */
static int
join_unix(const struct lab *l, const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(
	    sun.sun_path, sizeof sun.sun_path, "%s/%s.sock", l->dir, name);
	if (connect(fd, (const struct sockaddr *)&sun, sizeof sun) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static int
join_port(uint16_t port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (const struct sockaddr *)&sin, sizeof sin) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* What is answered to a request of the proxy's form, which no gateway takes;
 * "" is an end, NULL silence. */
static const char *
hear(int fd, int ms)
{
	static char got[4096];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, ms) != 1)
		return NULL;
	n = recv(fd, got, sizeof got - 1, 0);
	got[n > 0 ? n : 0] = '\0';
	return got;
}

static void
assert_gateway(int fd)
{
	static const char head[] =
	    "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n";
	const char *answer;

	assert_true(fd >= 0);
	assert_int_equal(send(fd, head, sizeof head - 1, MSG_NOSIGNAL),
	    (int)sizeof head - 1);
	answer = hear(fd, 10000);
	assert_non_null(answer);
	if (strncmp(answer, "HTTP/1.1 400 ", 13) != 0)
		fail_msg("\"%s\" is not a gateway's answer", answer);
	(void)close(fd);
}

/* Soon nobody listens there any more. */
static void
assert_gone(int (*join)(uint16_t port), uint16_t port)
{
	for (int i = 0; i < 1000; i++) {
		int fd = join(port);

		if (fd < 0)
			return;
		(void)close(fd);
		(void)usleep(10000);
	}
	fail_msg("port %u is listened on", port);
}

/* A free port below those that the system gives out by itself, so that nobody
 * has it when the daemon asks for it; kept where @out_fd is given. */
static uint16_t
free_port(int *out_fd)
{
	static unsigned tried;

	for (int i = 0; i < 1000; i++) {
		unsigned pick = (unsigned)getpid() * 7 + tried++;
		uint16_t port = (uint16_t)(20000 + pick % 10000);
		struct sockaddr_in sin = { .sin_family = AF_INET,
			.sin_port = htons(port) };
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		assert_true(fd >= 0);
		if (bind(fd, (const struct sockaddr *)&sin, sizeof sin) == 0) {
			if (out_fd == NULL)
				(void)close(fd);
			else
				*out_fd = fd;
			return port;
		}
		(void)close(fd);
	}
	fail_msg("no port is free");
	return 0;
}

static void
tcp_gateway(char *out, size_t out_bytes, uint16_t port)
{
	(void)snprintf(out, out_bytes,
	    "{\"name\": \"tcp\", \"listen\": \"127.0.0.1:%u\", \"upstream\": "
	    "\"https://t.example:8443\"}",
	    port);
}

static void
they_serve_from_the_start_and_status_names_them(void **state)
{
	struct lab *l = *state;
	uint16_t port = free_port(NULL);
	char text[512], one[256], want[64];
	json_t *r, *g;

	tcp_gateway(one, sizeof one, port);
	(void)snprintf(text, sizeof text, "%s, %s", UNIX_GATEWAY("u"), one);
	put_gateways(l, 2, text);
	lab_start(l);
	assert_gateway(join_unix(l, "u"));
	/* Each worker has a socket of its own. */
	for (int i = 0; i < 8; i++)
		assert_gateway(join_port(port));
	r = lab_ask(l, json_pack("{s:s}", "verb", "status"));
	g = json_object_get(r, "gateways");
	assert_int_equal(json_array_size(g), 2);
	assert_string_equal(json_string_value(json_object_get(
	                        json_array_get(g, 0), "upstream")),
	    "https://u.example/base");
	assert_string_equal(json_string_value(json_object_get(
	                        json_array_get(g, 1), "upstream")),
	    "https://t.example:8443");
	(void)snprintf(want, sizeof want, "127.0.0.1:%u", port);
	assert_string_equal(
	    json_string_value(json_object_get(json_array_get(g, 1), "listen")),
	    want);
	json_decref(r);
	r = lab_ask(l, json_pack("{s:s}", "verb", "env"));
	assert_int_equal(json_array_size(json_object_get(r, "gateways")), 2);
	json_decref(r);
	lab_stop(l);
	assert_int_equal(join_unix(l, "u"), -1);
}

static void
a_reload_adds_and_removes_them(void **state)
{
	struct lab *l = *state;
	uint16_t port = free_port(NULL);
	char text[512], one[256], path[128];
	int kept, removed;
	struct stat st;

	tcp_gateway(one, sizeof one, port);
	for (int workers = 0; workers <= 2; workers += 2) {
		put_gateways(l, workers, UNIX_GATEWAY("a"));
		lab_start(l);
		assert_gateway(join_unix(l, "a"));
		put_gateways(
		    l, workers, UNIX_GATEWAY("a") ", " UNIX_GATEWAY("b"));
		reload(l, true, "");
		assert_gateway(join_unix(l, "a"));
		assert_gateway(join_unix(l, "b"));
		kept = join_unix(l, "b");
		removed = join_unix(l, "a");
		assert_true(removed >= 0);
		(void)usleep(50000); /* it is accepted */
		(void)snprintf(
		    text, sizeof text, "%s, %s", UNIX_GATEWAY("b"), one);
		put_gateways(l, workers, text);
		reload(l, true, "");
		assert_gateway(join_port(port));
		/* What it served ends, what another serves goes on. */
		assert_string_equal(hear(removed, 10000), "");
		assert_gateway(kept);
		assert_int_equal(join_unix(l, "a"), -1);
		(void)snprintf(path, sizeof path, "%s/a.sock", l->dir);
		assert_int_equal(stat(path, &st), -1);
		(void)close(removed);
		put_gateways(l, workers, "");
		reload(l, true, "");
		assert_gone(join_port, port);
		assert_int_equal(join_unix(l, "b"), -1);
		/* The address is free for another time. */
		put_gateways(l, workers, one);
		reload(l, true, "");
		assert_gateway(join_port(port));
		lab_stop(l);
	}
}

static void
one_that_cannot_be_bound_leaves_all_as_it_was(void **state)
{
	struct lab *l = *state;
	char text[512], one[256];
	int taken, session;
	uint16_t port = free_port(&taken);

	put_gateways(l, 2, UNIX_GATEWAY("a"));
	lab_start(l);
	session = join_unix(l, "a");
	(void)usleep(50000); /* it is accepted */
	tcp_gateway(one, sizeof one, port);
	(void)snprintf(text, sizeof text, "%s, %s", UNIX_GATEWAY("b"), one);
	put_gateways(l, 2, text);
	reload(l, false, "another program has it");
	assert_gateway(session);
	assert_gateway(join_unix(l, "a"));
	assert_int_equal(join_unix(l, "b"), -1);
	(void)close(taken);
	reload(l, true, "");
	assert_gateway(join_unix(l, "b"));
	assert_gateway(join_port(port));
	assert_int_equal(join_unix(l, "a"), -1);
	lab_stop(l);
}

/* The address stays, so does the socket: nobody is turned away meanwhile. */
static void
another_origin_behind_the_same_address_needs_no_new_socket(void **state)
{
	struct lab *l = *state;
	char path[128];
	struct stat before, after;

	(void)snprintf(path, sizeof path, "%s/a.sock", l->dir);
	put_gateways(l, 2, UNIX_GATEWAY("a"));
	lab_start(l);
	assert_int_equal(stat(path, &before), 0);
	put_gateways(l, 2,
	    "{\"name\": \"other\", \"listen\": \"unix:a.sock\", \"upstream\": "
	    "\"https://other.example\"}");
	reload(l, true, "");
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_gateway(join_unix(l, "a"));
	lab_stop(l);
}

/* Nothing but refusals could come of it. */
static void
a_policy_that_injects_an_unknown_identity_is_not_taken_up(void **state)
{
	static const char policy[] =
	    "{\"version\": 1, \"rules\": [{\"id\": \"r\", \"effect\": "
	    "\"allow\", \"hosts\": [\"a.example\"], \"inject\": "
	    "{\"identity\": \"nobody\", \"audience\": "
	    "\"https://a.example\"}}]}";
	struct lab *l = *state;

	put_gateways(l, 1, UNIX_GATEWAY("a"));
	lab_start(l);
	lab_put_file(l, "policy.json", policy);
	reload(l, false,
	    "rule \"r\" injects a token of \"nobody\", which is not among "
	    "\"identities\"");
	assert_gateway(join_unix(l, "a"));
	lab_stop(l);
	l->pid = lab_spawn(l);
	assert_int_equal(lab_wait_exit(l->pid), EX_CONFIG);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, lab_setup, lab_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_policy_that_injects_an_unknown_identity_is_not_taken_up),
		TEST(they_serve_from_the_start_and_status_names_them),
		TEST(a_reload_adds_and_removes_them),
		TEST(one_that_cannot_be_bound_leaves_all_as_it_was),
		TEST(
		    another_origin_behind_the_same_address_needs_no_new_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
