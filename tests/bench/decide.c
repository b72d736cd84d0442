/* A name decision at some number of rules: time, and memory a rule. */
#include "tests/bench/bench.h"

#include "policy/model.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HOSTS_MAX = 65536, ROUNDS = 9, NAME_BYTES = 64 };

/* A name as the proxy has it at hand: not spread over memory as a struct host
 * would be. */
struct name {
	char text[NAME_BYTES];
};

static int64_t
cpu_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* Rules as they are: accounts of one service, some wildcards, others'. */
static int
put_host(char *out, size_t size, unsigned long i)
{
	switch (i % 8) {
	case 6:
		return snprintf(out, size, "*.ws%lu.api.azureml.ms", i);
	case 7:
		return snprintf(out, size, "h%lu.corp.example", i);
	default:
		return snprintf(out, size, "a%lu.blob.core.windows.net", i);
	}
}

static void
put_asked(char *out, size_t size, unsigned long i)
{
	char host[128];

	(void)put_host(host, sizeof host, i);
	if (host[0] == '*')
		(void)snprintf(out, size, "x%lu%.48s", i % 10, host + 1);
	else
		(void)snprintf(out, size, "%.60s", host);
}

static struct slice
make_policy(unsigned long n)
{
	size_t size = n * 96 + 256, at = 0;
	char *text = malloc(size);

	if (text == NULL)
		bench_die("no memory");
	at += (size_t)snprintf(text, size, "{\"version\":1,\"rules\":[");
	for (unsigned long i = 0; i < n; i++) {
		char host[128];

		(void)put_host(host, sizeof host, i);
		at += (size_t)snprintf(text + at, size - at,
		    "%s{\"id\":\"%lx\",\"effect\":\"allow\",\"hosts\":[\"%s\"]}",
		    i == 0 ? "" : ",", i, host);
	}
	at += (size_t)snprintf(text + at, size - at, "]}");
	return (struct slice){ .p = text, .n = at };
}

static size_t
in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static struct name *
make_names(unsigned long n, size_t *n_hosts)
{
	struct name *hosts = calloc(HOSTS_MAX, sizeof *hosts);
	uint64_t state = 88172645463325252;

	*n_hosts = n * 4 < HOSTS_MAX ? n * 4 : HOSTS_MAX;
	for (size_t i = 0; hosts != NULL && i < *n_hosts; i++) {
		struct host parsed;

		put_asked(hosts[i].text, NAME_BYTES, next_random(&state) % n);
		if (host_parse(slice_of(hosts[i].text), &parsed) != OK)
			bench_die("%s is no host", hosts[i].text);
	}
	if (hosts == NULL)
		bench_die("no memory");
	return hosts;
}

static int64_t
decide_all(const struct policy *p, const struct name *names, size_t n)
{
	const struct peer peer = { .known = true, .uid = 1000, .user = "a" };
	struct host host = { .kind = HOST_NAME };
	struct policy_request r = { .host = &host, .port = 443, .peer = &peer };
	int64_t from = cpu_ns();

	for (size_t i = 0; i < n; i++) {
		struct policy_verdict v;

		memcpy(host.name, names[i].text, NAME_BYTES);
		policy_decide_name(p, &r, &v);
		if (v.effect != POLICY_ALLOW)
			bench_die("%s was denied", host.name);
	}
	return cpu_ns() - from;
}

int
main(int argc, char *argv[])
{
	unsigned long n = (unsigned long)bench_number(argv, "rules", -1);
	struct policy_issues *issues = calloc(1, sizeof *issues);
	struct slice text = make_policy(n);
	size_t before = in_use(), bytes, n_hosts;
	int64_t took[ROUNDS], load_ns = cpu_ns();
	struct policy *p;
	struct name *hosts;

	(void)argc;
	if (issues == NULL || policy_load(text, &p, issues) != OK)
		bench_die("the policy does not load");
	load_ns = cpu_ns() - load_ns;
	bytes = in_use() - before;
	hosts = make_names(n, &n_hosts);
	for (size_t i = 0; i < ROUNDS; i++)
		took[i] = decide_all(p, hosts, n_hosts);
	(void)printf("{\"rules\": %lu, \"decide_ns\": %.1f, "
	             "\"policy_bytes\": %.1f, \"index_bytes\": %.1f, "
	             "\"load_ms\": %.1f}\n",
	    n, (double)bench_percentile(took, ROUNDS, 50) / (double)n_hosts,
	    (double)bytes / (double)n,
	    (double)index_bytes(&p->index) / (double)n, (double)load_ns / 1e6);
	free(hosts);
	policy_unref(p);
	free(issues);
	return 0;
}
