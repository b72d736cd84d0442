#include "tests/unit/test.h"

#include "agent/config.h"
#include "agent/trusted_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUE(text) DOC("{\"version\":1,\"policy_file\":" text "}")

#include "tests/unit/json_rows.h"

static struct policy_issues issues;

static struct config *
parse(const char *text)
{
	struct config *c = NULL;

	if (config_parse(slice_of(text), "/etc/w/wayleave.json", &c, &issues) !=
	    OK)
		return NULL;
	return c;
}

/* Every message that a person can meet, as `check` prints it. */
static const struct {
	const char *text;
	const char *printed;
} golden[] = {
	{ "{}", "w:1:1: \"version\" is missing: add \"version\": 1\n" },
	{ "{\"version\": 2}", "w:1:13: /version: must be 1\n" },
	{ "{\"version\": 1,\n \"lisen\": {}}",
	    "w:2:2: /lisen: unknown key; did you mean \"listen\"?\n" },
	{ "{\"version\": 1, \"listen\": {\"proxi\": []}}",
	    "w:1:27: /listen/proxi: unknown key; did you mean \"proxy\"?\n" },
	{ "{\"version\": 1,\n\"listen\": {\"proxy\": [\"0.0.0.0:3180\"]}}",
	    "w:2:22: /listen/proxy/0: \"0.0.0.0:3180\" is not a loopback "
	    "address: others could reach it; use 127.0.0.1, or set "
	    "\"unsafe_listen\": true if that is meant\n" },
	{ "{\"version\": 1, \"listen\": {\"broker\": [\"127.1:80\"]}}",
	    "w:1:38: /listen/broker/0: must be \"ADDRESS:PORT\" (such as "
	    "\"127.0.0.1:3180\") or \"unix:/path\"\n" },
	{ "{\"version\": 1, \"listen\": {\"dns\": [\"127.0.0.1:53\"]}}",
	    "w:1:34: /listen/dns: not in this version: leave the list "
	    "empty\n" },
	{ "{\"version\": 1,\n\"gateways\": [{\"name\": \"x\"}]}",
	    "w:2:14: /gateways/0: \"listen\" is missing\n"
	    "w:2:14: /gateways/0: \"upstream\" is missing\n" },
	{ "{\"version\": 1, \"gateways\": [{\"name\": \"x\", \"listen\": "
	  "\"127.0.0.1:80\",\n \"upstream\": \"http://a.example\"}],\n"
	  " \"listen\": {\"broker\": [\"127.0.0.1:80\"]}}",
	    "w:1:53: /gateways/0/listen: \"127.0.0.1:80\" stands under "
	    "listen.broker already\n"
	    "w:2:14: /gateways/0/upstream: must be "
	    "https://HOST[:PORT][/PATH], as in "
	    "\"https://ws.example/mlflow\"\n" },
	{ "{\"version\": 1, \"workers\": 65}",
	    "w:1:27: /workers: must be \"auto\" or a whole number from 0 to "
	    "64\n" },
	{ "{\"version\": 1, \"limits\": {\"connections\": 0}}",
	    "w:1:42: /limits/connections: must be a whole number from 1 to "
	    "1000000\n" },
	{ "{\"version\": 1, \"timeouts\": {\"drain_ms\": \"30s\"}}",
	    "w:1:41: /timeouts/drain_ms: must be a whole number from 0 to "
	    "3600000\n" },
	{ "{\"version\": 1, \"unsafe_listen\": 1}",
	    "w:1:33: /unsafe_listen: must be true or false\n" },
	{ "{\"version\": 1, \"policy_file\": \"\"}",
	    "w:1:31: /policy_file: must be a text that is not empty\n" },
	{ "{\"version\": 1, \"dns\": {\"servers\": [\"ns.example\"]}}",
	    "w:1:36: /dns/servers/0: must be ADDRESS or ADDRESS:PORT of a "
	    "name server\n" },
	{ "{\"version\": 1, \"dns\": {\"zones\": [{\"suffix\": \"a.b\"}]}}",
	    "w:1:34: /dns/zones/0: \"servers\" is missing\n" },
	{ "{\"version\": 1, \"audit\": {\"on_failure\": \"allow\"}}",
	    "w:1:40: /audit/on_failure: must be \"deny\" or \"continue\"\n" },
	{ "{\"version\": 1, \"identities\": [{\"name\": \"a\", \"source\": "
	  "\"arc\"}]}",
	    "w:1:55: /identities/0/source: source \"arc\" is not in this "
	    "version; \"imds\" is\n" },
	{ "{\"version\": 1, \"identities\": [{\"name\": \"a\", \"source\": "
	  "\"imsd\"}]}",
	    "w:1:55: /identities/0/source: unknown source; did you mean "
	    "\"imds\"?\n" },
	{ "{\"version\": 1, \"identities\": [{\"name\": \"a\", \"source\": "
	  "\"imds\", \"client_id\": \"x\", \"object_id\": \"y\"}]}",
	    "w:1:94: /identities/0/object_id: only one of client_id, "
	    "object_id and mi_res_id may stand here\n" },
	{ "{\"version\": 1, \"identities\": [{\"source\": \"imds\", "
	  "\"name\": \"a b\"}]}",
	    "w:1:58: /identities/0/name: may hold letters, digits, \"-\", "
	    "\".\" and \"_\"\n" },
	{ "{\"version\": 1, \"identities\": [{\"name\": \"a\", \"source\": "
	  "\"imds\", \"endpoint\": \"https://x\"}]}",
	    "w:1:75: /identities/0/endpoint: must be http://HOST[:PORT] "
	    "without a path\n" },
	{ "{\"version\": 1, \"dns\": {\"zones\": [{\"servers\": "
	  "[\"1.1.1.1\"], \"suffix\": \".a\"}]}}",
	    "w:1:69: /dns/zones/0/suffix: must be a domain name, as in "
	    "\"corp.example\"\n" },
	{ "",
	    "w:1:1: the file is empty: at least {\"version\": 1} must stand "
	    "in it\n" },
	{ "{\"version\": 1,\n \"a/b~\": 1}", "w:2:2: /a~1b~0: unknown key\n" },
	{ "{\"version\": 1, \"listen\": {\"proxy\": [\"unix:\"]}}",
	    "w:1:37: /listen/proxy/0: the socket's path is missing\n" },
	{ "{\"version\": 1, \"listen\": {\"proxy\": [\"127.0.0.1:80\"],\n"
	  " \"admin\": [\"127.0.0.1:80\"]}}",
	    "w:2:12: /listen/admin/0: \"127.0.0.1:80\" stands under proxy "
	    "already\n" },
	{ "{\"version\": 1, \"log\": {\"level\": \"loud\"}}",
	    "w:1:33: /log/level: must be \"error\", \"warning\", \"notice\", "
	    "\"info\" or \"debug\"\n" },
	{ "{\"version\": 1, \"tls\": []}",
	    "w:1:23: /tls: must be an object\n" },
};

static void
says_what_is_wrong_and_where(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(golden); i++) {
		struct buf out;
		struct config *c = parse(golden[i].text);

		assert_null(c);
		buf_init(&out, 65536);
		config_put_issues(&out, "w", &issues);
		buf_putc(&out, '\0');
		assert_int_equal(buf_status(&out), OK);
		assert_string_equal(out.p, golden[i].printed);
		buf_release(&out);
	}
}

static void
refuses_duplicate_keys_and_broken_json_with_the_place(void **state)
{
	(void)state;
	assert_null(parse("{\"version\": 1,\n \"version\": 1}"));
	assert_int_equal(issues.at[0].line, 2);
	assert_non_null(strstr(issues.at[0].text, "duplicate"));
	assert_null(parse("{\"version\": 1,\n\n ]"));
	assert_int_equal(issues.at[0].line, 3);
	assert_null(parse("{\"version\": 1} x"));
	assert_null(parse(""));
}

static void
collects_many_errors_and_never_overruns(void **state)
{
	char text[8192] = "{\"version\": 1";

	(void)state;
	for (int i = 0; i < 100; i++) {
		size_t n = strlen(text);
		(void)snprintf(text + n, sizeof text - n, ", \"k%d\": 1", i);
	}
	strncat(text, "}", 2);
	assert_null(parse(text));
	assert_int_equal(issues.n_errors, 100);
	assert_int_equal(issues.n, ARRAY_LEN(issues.at));
}

static void
an_almost_empty_file_gives_the_documented_defaults(void **state)
{
	struct config *c = parse("{\"version\": 1}");

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->workers, CONFIG_WORKERS_AUTO);
	assert_int_equal(c->proxy.n, 0);
	assert_int_equal(c->control.n, 0);
	assert_string_equal(c->policy_file, "/etc/w/policy.json");
	assert_string_equal(c->cgroup_root, "/sys/fs/cgroup");
	assert_string_equal(c->runtime_dir, "/run/wayleave");
	assert_string_equal(c->name, "wayleave");
	assert_true(c->audit.deny_on_failure);
	assert_int_equal(c->audit.rotate_bytes, 268435456);
	assert_int_equal(c->limits.request_head_bytes, 16384);
	assert_int_equal(c->limits.h2_streams, 100);
	assert_int_equal(c->limits.secret_bytes, 4194304);
	assert_int_equal(c->timeouts.drain_ms, 30000);
	assert_int_equal(c->dns.n_zones, 1);
	assert_int_equal(c->dns.zones[0].servers[0].addr.b[0], 168);
	assert_int_equal(c->dns.zones[0].servers[0].port, 53);
	config_destroy(c);
}

static void
reads_every_section_of_a_full_file(void **state)
{
	struct config *c = parse(
	    "{\"version\": 1, \"name\": \"edge-1\", \"listen\": {\"proxy\": "
	    "[\"127.0.0.1:3180\", \"[::1]:3180\", \"unix:p.sock\"], "
	    "\"control\": \"/run/w/control.sock\", \"transparent\": [], "
	    "\"dns\": []}, \"workers\": 0, \"policy_file\": \"p/q.json\", "
	    "\"dns\": {\"servers\": [\"10.0.0.4\", \"10.0.0.5:5353\"], "
	    "\"zones\": [{\"suffix\": \"Corp.Example.\", \"servers\": "
	    "[\"10.0.0.6\"]}]}, \"identities\": [{\"name\": \"host\", "
	    "\"source\": \"imds\"}, {\"name\": \"b\", \"source\": \"imds\", "
	    "\"client_id\": \"00-1\"}], \"gateways\": [], \"audit\": "
	    "{\"file\": \"a.jsonl\", \"on_failure\": \"continue\"}, "
	    "\"limits\": {\"connections\": 9}, \"log\": {\"level\": "
	    "\"debug\"}, \"unlocked_memory\": \"refuse\"}");

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->proxy.n, 3);
	assert_string_equal(c->proxy.at[1].name, "[::1]:3180");
	assert_string_equal(c->proxy.at[2].path, "/etc/w/p.sock");
	assert_string_equal(c->proxy.at[2].name, "unix:/etc/w/p.sock");
	assert_string_equal(c->control.at[0].path, "/run/w/control.sock");
	assert_string_equal(c->policy_file, "/etc/w/p/q.json");
	assert_int_equal(c->dns.zones[0].n_servers, 2);
	assert_int_equal(c->dns.zones[0].servers[1].port, 5353);
	assert_string_equal(c->dns.zones[1].suffix, "corp.example");
	assert_int_equal(c->n_identities, 2);
	assert_int_equal(c->identities[1].selector, IDENTITY_CLIENT_ID);
	assert_string_equal(c->identities[1].selector_value, "00-1");
	assert_string_equal(
	    c->identities[0].endpoint, "http://169.254.169.254");
	assert_false(c->audit.deny_on_failure);
	assert_string_equal(c->audit.file, "/etc/w/a.jsonl");
	assert_int_equal(c->limits.connections, 9);
	assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(c->unlocked_memory, CONFIG_UNLOCKED_REFUSE);
	config_destroy(c);
}

static void
names_the_keys_that_need_a_restart(void **state)
{
	struct config *a = parse("{\"version\": 1}");
	struct config *b = parse("{\"version\": 1, \"workers\": 2, \"listen\": "
	                         "{\"admin\": [\"127.0.0.1:1\"]}, \"audit\": "
	                         "{\"on_failure\": \"continue\"}, \"limits\": "
	                         "{\"connections\": 5}}");
	char keys[256];

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	config_restart_keys(a, b, keys, sizeof keys);
	assert_string_equal(keys, "listen, workers, audit.on_failure");
	config_keep_fixed(b, a);
	config_restart_keys(a, b, keys, sizeof keys);
	assert_string_equal(keys, "");
	assert_int_equal(b->limits.connections, 5);
	assert_true(b->audit.deny_on_failure);
	config_destroy(a);
	config_destroy(b);
}

static void
put_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void
refuses_files_that_others_could_have_written(void **state)
{
	char dir[] = "/tmp/wayleave-config-XXXXXX";
	char path[128], link[128];
	struct config *c = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/w.json", dir);
	(void)snprintf(link, sizeof link, "%s/link.json", dir);
	put_file(path, "{\"version\": 1}", 0600);
	assert_int_equal(config_load(path, &c, &issues), OK);
	config_destroy(c);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(config_load(link, &c, &issues), E_DENIED);
	assert_non_null(strstr(issues.at[0].text, "symbolic link"));
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(config_load(path, &c, &issues), E_DENIED);
	assert_non_null(strstr(issues.at[0].text, "chmod go-w"));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(config_load(path, &c, &issues), E_DENIED);
	assert_int_equal(chmod(dir, 0700), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(config_load(path, &c, &issues), E_NOTFOUND);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void
a_key_file_is_made_once_and_must_be_ours_alone(void **state)
{
	char dir[] = "/tmp/wayleave-key-XXXXXX";
	char path[128];
	uint8_t first[32], again[32];
	struct status_detail detail;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/broker.key", dir);
	assert_int_equal(key_file_open(path, first, 32, &detail), OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(key_file_open(path, again, 32, &detail), OK);
	assert_memory_equal(first, again, 32);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(key_file_open(path, again, 32, &detail), E_DENIED);
	assert_non_null(strstr(detail.text, "0600"));
	put_file(path, "short", 0600);
	assert_int_equal(key_file_open(path, again, 32, &detail), E_DENIED);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void
what_is_not_json_is_refused_with_its_place(void **state)
{
	static const struct document good = VALUE("\"a\\u00e9\\/b\"");
	struct config *c = NULL;

	(void)state;
	assert_int_equal(
	    config_parse((struct slice){ good.p, good.n }, "w", &c, &issues),
	    OK);
	config_destroy(c);
	for (size_t i = 0; i < ARRAY_LEN(no_json); i++) {
		struct slice text = { no_json[i].p, no_json[i].n };

		if (config_parse(text, "w", &c, &issues) == OK)
			fail_msg("row %zu: %s", i, text.p);
		assert_true(issues.n_errors > 0);
		assert_true(issues.at[0].line > 0 && issues.at[0].column > 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_is_wrong_and_where),
		cmocka_unit_test(
		    refuses_duplicate_keys_and_broken_json_with_the_place),
		cmocka_unit_test(what_is_not_json_is_refused_with_its_place),
		cmocka_unit_test(collects_many_errors_and_never_overruns),
		cmocka_unit_test(
		    an_almost_empty_file_gives_the_documented_defaults),
		cmocka_unit_test(reads_every_section_of_a_full_file),
		cmocka_unit_test(names_the_keys_that_need_a_restart),
		cmocka_unit_test(refuses_files_that_others_could_have_written),
		cmocka_unit_test(
		    a_key_file_is_made_once_and_must_be_ours_alone),
	};
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
