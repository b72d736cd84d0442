/* The environment for clients: merged, quoted, and warned about. */
#include "tests/unit/test.h"

#include "agent/env_clients.h"
#include "agent/env_list.h"
#include "agent/env_noproxy.h"

#include <string.h>

struct pair {
	const char *name, *value;
};

static const char *
get_pair(void *ctx, const char *name)
{
	const struct pair *p = ctx;

	for (; p->name != NULL; p++)
		if (strcmp(p->name, name) == 0)
			return p->value;
	return NULL;
}

static struct env_list
build(struct pair *env, const char *client)
{
	struct env_list l;
	const struct env_input in = { "127.0.0.1:3180", "127.0.0.1:3181",
		"c0ffee", client, get_pair, env, NULL, NULL, NULL, NULL, NULL };

	assert_int_equal(env_list_build(&in, &l), OK);
	return l;
}

static bool
warned(const struct env_list *l, const char *text)
{
	for (size_t i = 0; i < l->n_warnings; i++)
		if (strstr(l->warnings[i], text) != NULL)
			return true;
	return false;
}

static void
an_empty_environment_gets_the_whole_set(void **state)
{
	static const struct pair want[] = {
		{ "HTTP_PROXY", "http://127.0.0.1:3180" },
		{ "HTTPS_PROXY", "http://127.0.0.1:3180" },
		{ "http_proxy", "http://127.0.0.1:3180" },
		{ "https_proxy", "http://127.0.0.1:3180" },
		{ "NO_PROXY",
		    "127.0.0.1,localhost,169.254.169.254,168.63.129.16" },
		{ "no_proxy",
		    "127.0.0.1,localhost,169.254.169.254,168.63.129.16" },
		{ "IDENTITY_ENDPOINT", "http://127.0.0.1:3181/msi/token" },
		{ "IDENTITY_HEADER", "c0ffee" },
		{ "AZURE_POD_IDENTITY_AUTHORITY_HOST",
		    "http://127.0.0.1:3181" },
		{ "AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential" },
		{ "DATABRICKS_METADATA_SERVICE_URL",
		    "http://127.0.0.1:3181/databricks/token" },
	};
	struct pair none[] = { { NULL, NULL } };
	struct env_list l = build(none, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_string_equal(
		    env_list_get(&l, want[i].name), want[i].value);
	assert_null(env_list_get(&l, "MSI_ENDPOINT"));
	assert_null(env_list_get(&l, "ALL_PROXY"));
	assert_int_equal(l.n_warnings, 0);
	env_list_release(&l);
}

static void
no_proxy_is_merged_and_never_clobbered(void **state)
{
	static const struct {
		const char *upper, *lower, *want;
	} table[] = {
		{ "corp.example", NULL,
		    "corp.example,127.0.0.1,localhost,169.254.169.254,"
		    "168.63.129.16" },
		{ "a, b", "b,c",
		    "a,b,c,127.0.0.1,localhost,169.254.169.254,"
		    "168.63.129.16" },
		{ "LOCALHOST,127.0.0.1,,", "",
		    "LOCALHOST,127.0.0.1,169.254.169.254,168.63.129.16" },
		{ "169.254.169.254,168.63.129.16,localhost,127.0.0.1", NULL,
		    "169.254.169.254,168.63.129.16,localhost,127.0.0.1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct pair env[] = { { "NO_PROXY", table[i].upper },
			{ "no_proxy", table[i].lower }, { NULL, NULL } };
		struct env_list l = build(env, NULL);
		assert_string_equal(
		    env_list_get(&l, "NO_PROXY"), table[i].want);
		assert_string_equal(
		    env_list_get(&l, "no_proxy"), table[i].want);
		env_list_release(&l);
	}
}

static void
entries_that_let_a_governed_host_slip_past_are_known(void **state)
{
	static const char *const slip[] = { "*", ".core.windows.net",
		"windows.net", "*.blob.core.windows.net",
		"acct1.blob.core.windows.net", "ACCT1.blob.core.windows.net.",
		".net", "net", "acct1.blob.core.windows.net:443", "10.0.0.0/8",
		"10.20.0.5", "0.0.0.0/0", "::/0", "fd00::1", "ms",
		".workspace.westeurope.api.azureml.ms" };
	static const char *const fine[] = { "microsoft.com", "127.0.0.1",
		"localhost", "169.254.169.254", "168.63.129.16", "127.0.0.0/8",
		"::1", "corp.example", ".svc.cluster.local", "notwindows.net",
		"windows.net.example" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(slip); i++)
		if (env_noproxy_slips(slice_of(slip[i])) == NULL)
			fail_msg("not seen: %s", slip[i]);
	for (size_t i = 0; i < ARRAY_LEN(fine); i++)
		if (env_noproxy_slips(slice_of(fine[i])) != NULL)
			fail_msg("seen: %s", fine[i]);
}

static bool
governs_corp(void *ctx, struct slice entry)
{
	char suffix[HOST_BYTES];

	(*(unsigned *)ctx)++;
	return env_noproxy_suffix(entry, suffix) &&
	    strcmp(suffix, "corp.example") == 0;
}

static void
what_the_policy_governs_is_warned_about_and_what_it_does_not_is_not(
    void **state)
{
	struct pair env[] = { { "NO_PROXY",
		                  "*.Corp.Example.:443,free.example" },
		{ NULL, NULL } };
	unsigned asked = 0;
	const struct env_input in = { "127.0.0.1:3180", "127.0.0.1:3181",
		"c0ffee", NULL, get_pair, env, governs_corp, &asked, NULL, NULL,
		NULL };
	struct env_list l;

	(void)state;
	assert_int_equal(env_list_build(&in, &l), OK);
	assert_true(warned(&l,
	    "\"*.Corp.Example.:443\": a host that the "
	    "policy governs"));
	assert_false(warned(&l, "free.example"));
	assert_true(asked > 0);
	env_list_release(&l);
}

static void
an_entry_is_read_as_a_suffix(void **state)
{
	static const char *const names[][2] = { { ".a.example", "a.example" },
		{ "*.a.example", "a.example" }, { "A.example.", "a.example" },
		{ "a.example:443", "a.example" }, { "net", "net" } };
	static const char *const none[] = { "10.0.0.0/8", "10.0.0.1", "::1",
		"*", ".", "a b", "a..b" };
	char out[HOST_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_true(env_noproxy_suffix(slice_of(names[i][0]), out));
		assert_string_equal(out, names[i][1]);
	}
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_false(env_noproxy_suffix(slice_of(none[i]), out));
}

static void
what_gets_in_the_way_is_warned_about_or_unset(void **state)
{
	struct pair env[] = { { "NO_PROXY", ".core.windows.net,10.0.0.0/8" },
		{ "AZURE_CLIENT_SECRET", "hunter2" }, { "AZURE_CLIENT_ID", "" },
		{ "IDENTITY_SERVER_THUMBPRINT", "00" },
		{ "https_proxy", "http://user:hunter2@corp:8080" },
		{ NULL, NULL } };
	struct env_list l = build(env, NULL);
	struct buf out;

	(void)state;
	assert_true(warned(&l, "\".core.windows.net\""));
	assert_true(warned(&l, "\"10.0.0.0/8\""));
	assert_true(warned(&l, "AZURE_CLIENT_SECRET is set"));
	assert_true(warned(&l, "https_proxy named another proxy"));
	assert_false(warned(&l, "hunter2"));
	buf_init(&out, 16384);
	env_list_print(&out, &l, ENV_SH);
	buf_putc(&out, '\0');
	assert_non_null(strstr(out.p, "\nunset AZURE_CLIENT_ID\n"));
	assert_non_null(strstr(out.p, "\nunset IDENTITY_SERVER_THUMBPRINT\n"));
	assert_null(strstr(out.p, "hunter2"));
	buf_release(&out);
	env_list_release(&l);
}

static void
each_shell_gets_its_own_quotes(void **state)
{
	static const struct {
		enum env_shell shell;
		const char *want;
	} table[] = {
		{ ENV_SH, "export NO_PROXY='it'\\''s\\a," },
		{ ENV_FISH, "set -gx NO_PROXY 'it\\'s\\\\a," },
		{ ENV_POWERSHELL, "$env:NO_PROXY = 'it''s\\a," },
		{ ENV_JSON, "\"NO_PROXY\":\"it's\\\\a," },
	};
	struct pair env[] = { { "NO_PROXY", "it's\\a" }, { NULL, NULL } };
	struct env_list l = build(env, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct buf out;
		buf_init(&out, 16384);
		env_list_print(&out, &l, table[i].shell);
		buf_putc(&out, '\0');
		assert_int_equal(buf_status(&out), OK);
		assert_non_null(strstr(out.p, table[i].want));
		buf_release(&out);
	}
	env_list_release(&l);
}

static void
a_client_gets_what_only_it_wants(void **state)
{
	static const struct {
		const char *client, *name, *value;
	} table[] = {
		{ "azureml", "MSI_ENDPOINT",
		    "http://127.0.0.1:3181/msi/token" },
		{ "azureml", "MSI_SECRET", "c0ffee" },
		{ "socks", "ALL_PROXY", "socks5h://127.0.0.1:3180" },
		{ "az", "AZURE_CORE_COLLECT_TELEMETRY", "false" },
		{ "databricks", "DATABRICKS_AUTH_TYPE", "metadata-service" },
		{ "aiohttp", "WSS_PROXY", "http://127.0.0.1:3180" },
		{ "azcopy", "AZCOPY_AUTO_LOGIN_TYPE", "MSI" },
		{ "grpc", "grpc_proxy", "http://127.0.0.1:3180" },
		{ "node", "NODE_USE_ENV_PROXY", "1" },
		{ "terraform", "ARM_USE_MSI", "true" },
		{ "websocket", "WSS_PROXY", "http://127.0.0.1:3180" },
	};
	struct pair java[] = { { "JAVA_TOOL_OPTIONS", "-Xmx1g" },
		{ NULL, NULL } };
	struct env_list l;
	struct env_input in = { "", "", "", "toaster", get_pair, java, NULL,
		NULL, NULL, NULL, NULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct pair none[] = { { NULL, NULL } };
		l = build(none, table[i].client);
		assert_string_equal(
		    env_list_get(&l, table[i].name), table[i].value);
		env_list_release(&l);
	}
	l = build(java, "java");
	assert_ptr_equal(strstr(env_list_get(&l, "JAVA_TOOL_OPTIONS"),
	                     "-Xmx1g -Dhttp.proxyHost=127.0.0.1 "
	                     "-Dhttp.proxyPort=3180 "),
	    env_list_get(&l, "JAVA_TOOL_OPTIONS"));
	env_list_release(&l);
	assert_int_equal(env_list_build(&in, &l), E_INVALID);
}

static void
an_inspected_client_is_told_whom_to_believe(void **state)
{
	static const char bundle[] = "/run/wayleave/ca-bundle.pem";
	static const char *const names[] = { "SSL_CERT_FILE",
		"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
		"PIP_CERT", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH" };
	struct pair env[] = { { "PIP_CERT", "/etc/pip.pem" },
		{ "SSL_CERT_FILE", bundle },
		{ "JAVA_TOOL_OPTIONS", "-Djavax.net.ssl.trustStore=/other" },
		{ NULL, NULL } };
	struct env_input in = { .proxy = "127.0.0.1:3180",
		.broker = "127.0.0.1:3181",
		.header = "c0ffee",
		.get = get_pair,
		.ctx = env,
		.ca_bundle = bundle,
		.ca_pem = "/run/wayleave/ca.pem",
		.ca_store = "/run/wayleave/ca.p12" };
	struct env_list l;

	(void)state;
	for (const struct env_client *c = env_clients; c->name != NULL; c++) {
		in.client = c->name;
		assert_int_equal(env_list_build(&in, &l), OK);
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			assert_string_equal(env_list_get(&l, names[i]), bundle);
		assert_string_equal(env_list_get(&l, "NODE_EXTRA_CA_CERTS"),
		    "/run/wayleave/ca.pem");
		assert_true(warned(&l, "PIP_CERT named another file"));
		assert_false(warned(&l, "SSL_CERT_FILE named"));
		env_list_release(&l);
	}
	in.client = "java";
	assert_int_equal(env_list_build(&in, &l), OK);
	assert_non_null(strstr(env_list_get(&l, "JAVA_TOOL_OPTIONS"),
	    " -Djavax.net.ssl.trustStore=/run/wayleave/ca.p12 "
	    "-Djavax.net.ssl.trustStoreType=PKCS12"));
	assert_true(warned(&l, "named another trust store"));
	env_list_release(&l);
	/* By no proxy there is no inspection. */
	in.client = NULL;
	in.proxy = "";
	assert_int_equal(env_list_build(&in, &l), OK);
	assert_null(env_list_get(&l, "SSL_CERT_FILE"));
	env_list_release(&l);
	in.proxy = "127.0.0.1:3180";
	in.ca_bundle = in.ca_pem = in.ca_store = "";
	in.client = "java";
	assert_int_equal(env_list_build(&in, &l), OK);
	assert_null(env_list_get(&l, "SSL_CERT_FILE"));
	assert_null(
	    strstr(env_list_get(&l, "JAVA_TOOL_OPTIONS"), "trustStoreType"));
	env_list_release(&l);
}

static void
comments_stand_last_and_on_one_line_each(void **state)
{
	static const char last[] = "# gateway g: http://127.0.0.1:3190\n"
	                           "# gateway h: unix:/run/h.sock\n"
	                           "# i: unix:/run/\xc3\xa9.sock\n";
	struct pair none[] = { { NULL, NULL } };
	struct env_list l = build(none, "curl");
	struct buf out;

	(void)state;
	assert_true(
	    env_list_comment(&l, "gateway g: %s", "http://127.0.0.1:3190"));
	assert_true(env_list_comment(&l, "gateway %s", "h: unix:/run/h.sock"));
	assert_true(env_list_comment(&l, "i: unix:/run/\xc3\xa9.sock"));
	assert_false(env_list_comment(&l, "two\nlines"));
	assert_false(env_list_comment(&l, "an \x1b[1mescape"));
	for (int i = 0; i < 3; i++) {
		buf_init(&out, 65536);
		env_list_print(&out, &l, (enum env_shell)i);
		buf_putc(&out, '\0');
		assert_int_equal(buf_status(&out), OK);
		assert_string_equal(out.p + out.n - 1 - strlen(last), last);
		buf_release(&out);
	}
	buf_init(&out, 65536);
	env_list_print(&out, &l, ENV_JSON);
	buf_putc(&out, '\0');
	assert_null(strstr(out.p, "gateway"));
	buf_release(&out);
	for (int i = 3; i < ENV_COMMENTS_MAX; i++)
		assert_true(env_list_comment(&l, "more"));
	assert_false(env_list_comment(&l, "one too many"));
	env_list_release(&l);
}

static void
spark_gets_its_options_before_the_users(void **state)
{
	struct pair none[] = { { NULL, NULL } };
	struct pair own[] = { { "PYSPARK_SUBMIT_ARGS",
		                  "--master local[2] pyspark-shell" },
		{ NULL, NULL } };
	struct env_list l;
	const char *v;

	(void)state;
	l = build(none, "spark");
	v = env_list_get(&l, "PYSPARK_SUBMIT_ARGS");
	assert_non_null(strstr(v,
	    "oauth2.msi.endpoint="
	    "http://127.0.0.1:3181/metadata/identity/oauth2/token "));
	assert_non_null(strstr(v, "Default_JSSE pyspark-shell"));
	assert_non_null(env_list_get(&l, "JAVA_TOOL_OPTIONS"));
	env_list_release(&l);
	l = build(own, "spark");
	v = env_list_get(&l, "PYSPARK_SUBMIT_ARGS");
	assert_non_null(
	    strstr(v, "Default_JSSE --master local[2] pyspark-shell"));
	env_list_release(&l);
}

static void
a_clients_note_is_the_last_line_and_never_in_json(void **state)
{
	struct pair none[] = { { NULL, NULL } };
	struct env_list l = build(none, "urllib3");
	const char *last;
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 16);
	env_list_print(&out, &l, ENV_SH);
	buf_putc(&out, '\0');
	last = strstr(out.p, "\n# reads no variable: ");
	assert_non_null(last);
	assert_string_equal(strchr(last + 1, '\n'), "\n");
	buf_release(&out);
	buf_init(&out, 1 << 16);
	env_list_print(&out, &l, ENV_JSON);
	buf_putc(&out, '\0');
	assert_null(strstr(out.p, "reads no variable"));
	buf_release(&out);
	env_list_release(&l);
}

static void
every_client_is_found_and_has_its_note(void **state)
{
	struct pair none[] = { { NULL, NULL } };
	size_t n = 0;

	(void)state;
	for (const struct env_client *c = env_clients; c->name != NULL; c++) {
		struct env_list l = build(none, c->name);
		assert_string_equal(env_client_names[n++], c->name);
		assert_ptr_equal(env_client_find(c->name), c);
		assert_string_equal(l.note, c->note);
		env_list_release(&l);
	}
	assert_null(env_client_names[n]);
	assert_null(env_client_find("toaster"));
}

static void
without_a_listener_its_variables_are_left_alone(void **state)
{
	struct pair none[] = { { NULL, NULL } };
	struct env_input in = { "", "127.0.0.1:3181", "x", NULL, get_pair, none,
		NULL, NULL, NULL, NULL, NULL };
	struct env_list l;

	(void)state;
	assert_int_equal(env_list_build(&in, &l), OK);
	assert_null(env_list_get(&l, "HTTPS_PROXY"));
	assert_non_null(env_list_get(&l, "IDENTITY_ENDPOINT"));
	env_list_release(&l);
	in.proxy = "127.0.0.1:3180";
	in.broker = "";
	assert_int_equal(env_list_build(&in, &l), OK);
	assert_null(env_list_get(&l, "IDENTITY_ENDPOINT"));
	assert_null(env_list_get(&l, "AZURE_TOKEN_CREDENTIALS"));
	env_list_release(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_environment_gets_the_whole_set),
		cmocka_unit_test(no_proxy_is_merged_and_never_clobbered),
		cmocka_unit_test(
		    entries_that_let_a_governed_host_slip_past_are_known),
		cmocka_unit_test(
		    what_the_policy_governs_is_warned_about_and_what_it_does_not_is_not),
		cmocka_unit_test(an_entry_is_read_as_a_suffix),
		cmocka_unit_test(what_gets_in_the_way_is_warned_about_or_unset),
		cmocka_unit_test(each_shell_gets_its_own_quotes),
		cmocka_unit_test(a_client_gets_what_only_it_wants),
		cmocka_unit_test(an_inspected_client_is_told_whom_to_believe),
		cmocka_unit_test(comments_stand_last_and_on_one_line_each),
		cmocka_unit_test(spark_gets_its_options_before_the_users),
		cmocka_unit_test(
		    a_clients_note_is_the_last_line_and_never_in_json),
		cmocka_unit_test(every_client_is_found_and_has_its_note),
		cmocka_unit_test(
		    without_a_listener_its_variables_are_left_alone),
	};
	return cmocka_run_group_tests_name("env list", tests, NULL, NULL);
}
