/* Audit records: every member in its place, null where nothing is known. */
#include "tests/unit/test.h"

#include "base/record.h"

#include <string.h>

static void
check(const struct record *r, const char *expected)
{
	struct buf out;

	buf_init(&out, 4096);
	record_write(&out, r);
	assert_int_equal(buf_status(&out), OK);
	buf_putc(&out, '\0');
	assert_string_equal(out.p, expected);
	buf_release(&out);
}

/* Every member set. */
static void
fill(struct record *r)
{
	static const struct peer peer = { .known = true,
		.uid = 1000,
		.pid = 42,
		.user = "alice",
		.unit = "job-1.service",
		.cgroup = "/system.slice/job-1.service",
		.exe = "/usr/bin/\"x\"" };
	static const char *const names[] = { "alice", "jobs" };
	static const char *const chain[] = {
		"a.privatelink.blob.core.windows.net"
	};
	static const struct addr address = { ADDR_V4, { 10, 20, 0, 5 } };

	record_init(r, RECORD_OPEN);
	r->id = "ABCDEFGH23";
	r->verdict = RECORD_ALLOW;
	r->would_deny = true;
	r->code = REASON_PUBLIC_ADDRESS;
	r->rule = "lake";
	r->mode = "report";
	r->peer = &peer;
	r->workload_names = names;
	r->n_workload_names = 2;
	r->listener = "127.0.0.1:3180";
	r->protocol = "forward";
	r->method = SLICE("GET");
	r->host = "a.blob.core.windows.net";
	r->port = 80;
	r->path = SLICE("/p\x01");
	r->has_resolved = true;
	r->chain = chain;
	r->n_chain = 1;
	r->addresses = &address;
	r->n_addresses = 1;
	r->zone = "privatelink.blob.core.windows.net";
	r->ttl_s = 10;
	r->address = &address;
	r->sni = SLICE("a.example");
	r->tls = "1.3";
	r->identity = "host";
	r->audience = "https://x/";
	r->token_id = "0123456789ab";
	r->status = 200;
	r->bytes_up = 1;
	r->bytes_down = UINT64_MAX;
	r->ms = (struct record_ms){ 0, 1, -1, 3, 4 };
	r->close = "client";
	r->policy_generation = 7;
	r->policy_sha256 = "ff";
	r->extra = SLICE("\"x\":1");
}

static void
a_full_record_has_all_members_in_order(void **state)
{
	struct record r;

	(void)state;
	fill(&r);
	check(&r,
	    "\"id\":\"ABCDEFGH23\",\"event\":\"open\",\"verdict\":\"allow\","
	    "\"would\":\"deny\",\"code\":\"PUBLIC_ADDRESS\","
	    "\"rule\":\"lake\",\"mode\":\"report\",\"workload\":{"
	    "\"names\":[\"alice\",\"jobs\"],\"uid\":1000,"
	    "\"user\":\"alice\",\"pid\":42,\"exe\":\"/usr/bin/\\\"x\\\"\","
	    "\"unit\":\"job-1.service\","
	    "\"cgroup\":\"/system.slice/job-1.service\"},"
	    "\"listener\":\"127.0.0.1:3180\",\"protocol\":\"forward\","
	    "\"method\":\"GET\",\"host\":\"a.blob.core.windows.net\","
	    "\"port\":80,\"path\":\"/p\\u0001\",\"resolved\":{"
	    "\"chain\":[\"a.privatelink.blob.core.windows.net\"],"
	    "\"addresses\":[\"10.20.0.5\"],"
	    "\"zone\":\"privatelink.blob.core.windows.net\",\"ttl\":10},"
	    "\"address\":\"10.20.0.5\",\"sni\":\"a.example\","
	    "\"tls\":\"1.3\",\"injected\":{\"identity\":\"host\","
	    "\"audience\":\"https://x/\",\"token_id\":\"0123456789ab\"},"
	    "\"status\":200,\"bytes_up\":1,"
	    "\"bytes_down\":18446744073709551615,\"ms\":{\"dns\":0,"
	    "\"connect\":1,\"tls\":null,\"first\":3,\"total\":4},"
	    "\"close\":\"client\",\"policy\":{\"generation\":7,"
	    "\"sha256\":\"ff\"},\"x\":1");
}

#define NOTHING                                                         \
	"\"listener\":null,\"protocol\":null,\"method\":null,"          \
	"\"host\":null,\"port\":null,\"path\":null,\"resolved\":null,"  \
	"\"address\":null,\"sni\":null,\"tls\":null,\"injected\":null," \
	"\"status\":null,\"bytes_up\":0,\"bytes_down\":0,\"ms\":{"      \
	"\"dns\":null,\"connect\":null,\"tls\":null,\"first\":null,"    \
	"\"total\":null},\"close\":null,\"policy\":null"

static void
a_refused_token_names_its_audience_without_an_identity(void **state)
{
	struct buf out;
	struct record r;

	(void)state;
	record_init(&r, RECORD_TOKEN);
	r.identity = "";
	r.audience = "https://x/";
	buf_init(&out, 4096);
	record_write(&out, &r);
	buf_putc(&out, '\0');
	assert_int_equal(buf_status(&out), OK);
	assert_non_null(strstr(out.p,
	    "\"injected\":{\"identity\":null,"
	    "\"audience\":\"https://x/\",\"token_id\":null}"));
	buf_release(&out);
}

static void
an_unknown_peer_has_no_uid(void **state)
{
	const struct peer peer = { .uid = 0, .user = "", .unit = "" };
	struct record r;

	(void)state;
	record_init(&r, RECORD_REQUEST);
	r.verdict = RECORD_DENY;
	r.code = REASON_WORKLOAD_NOT_ALLOWED;
	r.peer = &peer;
	check(&r,
	    "\"id\":null,\"event\":\"request\",\"verdict\":\"deny\","
	    "\"would\":null,\"code\":\"WORKLOAD_NOT_ALLOWED\","
	    "\"rule\":null,\"mode\":null,\"workload\":{\"names\":[],"
	    "\"uid\":null,\"user\":null,\"pid\":null,\"exe\":null,"
	    "\"unit\":null,\"cgroup\":null}," NOTHING);
}

static void
a_start_has_no_workload(void **state)
{
	struct record r;

	(void)state;
	record_init(&r, RECORD_START);
	check(&r,
	    "\"id\":null,\"event\":\"start\",\"verdict\":null,"
	    "\"would\":null,\"code\":null,\"rule\":null,\"mode\":null,"
	    "\"workload\":null," NOTHING);
}

static void
ids_are_ten_base32_characters_and_differ(void **state)
{
	char a[RECORD_ID_BYTES], b[RECORD_ID_BYTES];

	(void)state;
	record_new_id(a);
	record_new_id(b);
	assert_int_equal(strlen(a), 10);
	assert_int_equal(strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), 10);
	assert_string_not_equal(a, b);
}

static void
a_full_buffer_sticks(void **state)
{
	struct record r;
	struct buf out;

	(void)state;
	record_init(&r, RECORD_STOP);
	buf_init(&out, 64);
	record_write(&out, &r);
	assert_int_equal(buf_status(&out), E_LIMIT);
	buf_release(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_record_has_all_members_in_order),
		cmocka_unit_test(
		    a_refused_token_names_its_audience_without_an_identity),
		cmocka_unit_test(an_unknown_peer_has_no_uid),
		cmocka_unit_test(a_start_has_no_workload),
		cmocka_unit_test(ids_are_ten_base32_characters_and_differ),
		cmocka_unit_test(a_full_buffer_sticks),
	};
	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
