/* What single clients want beyond the common environment. */
#include "agent/env_clients.h"

#include <string.h>

/** "127.0.0.1:3180" as Java's system properties. */
static bool
add_java(struct env_list *l, const struct env_input *in)
{
	const char *old = in->get(in->ctx, "JAVA_TOOL_OPTIONS");
	const char *colon = strrchr(in->proxy, ':');
	const char *store = in->ca_store != NULL ? in->ca_store : "";
	int n = colon == NULL ? 0 : (int)(colon - in->proxy);

	if (n == 0)
		return true;
	if (*store != '\0' && old != NULL &&
	    strstr(old, "-Djavax.net.ssl.trustStore=") != NULL)
		env_list_warn(l,
		    "JAVA_TOOL_OPTIONS named another trust store; the agent's, "
		    "with its own CA, takes its place");
	return env_list_set(l, "JAVA_TOOL_OPTIONS",
	    "%s%s-Dhttp.proxyHost=%.*s -Dhttp.proxyPort=%s "
	    "-Dhttps.proxyHost=%.*s -Dhttps.proxyPort=%s "
	    "-Dhttp.nonProxyHosts=localhost|127.0.0.1|169.254.169.254|"
	    "168.63.129.16%s%s%s",
	    old != NULL ? old : "", old != NULL && *old != '\0' ? " " : "", n,
	    in->proxy, colon + 1, n, in->proxy, colon + 1,
	    *store != '\0' ? " -Djavax.net.ssl.trustStore=" : "", store,
	    *store != '\0' ? " -Djavax.net.ssl.trustStoreType=PKCS12" : "");
}

static bool
add_az(struct env_list *l, const struct env_input *in)
{
	(void)in;
	return env_list_set(l, "AZURE_CORE_COLLECT_TELEMETRY", "false");
}

static bool
add_azcopy(struct env_list *l, const struct env_input *in)
{
	(void)in;
	return env_list_set(l, "AZCOPY_AUTO_LOGIN_TYPE", "MSI");
}

static bool
add_azureml(struct env_list *l, const struct env_input *in)
{
	if (in->broker[0] == '\0')
		return true;
	return env_list_set(
	           l, "MSI_ENDPOINT", "http://%s/msi/token", in->broker) &&
	    env_list_set(l, "MSI_SECRET", "%s", in->header);
}

static bool
add_databricks(struct env_list *l, const struct env_input *in)
{
	(void)in;
	return env_list_set(l, "DATABRICKS_AUTH_TYPE", "metadata-service");
}

static bool
add_grpc(struct env_list *l, const struct env_input *in)
{
	return in->proxy[0] == '\0' ||
	    env_list_set(l, "grpc_proxy", "http://%s", in->proxy);
}

static bool
add_node(struct env_list *l, const struct env_input *in)
{
	(void)in;
	return env_list_set(l, "NODE_USE_ENV_PROXY", "1");
}

static bool
add_socks(struct env_list *l, const struct env_input *in)
{
	return in->proxy[0] == '\0' ||
	    (env_list_set(l, "ALL_PROXY", "socks5h://%s", in->proxy) &&
	        env_list_set(l, "all_proxy", "socks5h://%s", in->proxy));
}

/* The driver of abfss:// wants a tenant and a client id, if only empty ones:
 * the policy's first identity is used. */
#define ABFS     "--conf spark.hadoop.fs.azure."
#define PROVIDER "org.apache.hadoop.fs.azurebfs.oauth2.MsiTokenProvider"

static bool
add_spark(struct env_list *l, const struct env_input *in)
{
	const char *old = in->get(in->ctx, "PYSPARK_SUBMIT_ARGS");

	if (!add_java(l, in))
		return false;
	if (in->broker[0] == '\0')
		return true;
	return env_list_set(l, "PYSPARK_SUBMIT_ARGS",
	    ABFS "account.auth.type=OAuth " ABFS
	         "account.oauth.provider.type=" PROVIDER " " ABFS
	         "account.oauth2.msi.endpoint="
	         "http://%s/metadata/identity/oauth2/token " ABFS
	         "account.oauth2.msi.tenant= " ABFS
	         "account.oauth2.client.id= " ABFS
	         "ssl.channel.mode=Default_JSSE %s",
	    in->broker, old != NULL && *old != '\0' ? old : "pyspark-shell");
}

static bool
add_terraform(struct env_list *l, const struct env_input *in)
{
	(void)in;
	return env_list_set(l, "ARM_USE_MSI", "true");
}

static bool
add_websocket(struct env_list *l, const struct env_input *in)
{
	return in->proxy[0] == '\0' ||
	    (env_list_set(l, "WSS_PROXY", "http://%s", in->proxy) &&
	        env_list_set(l, "wss_proxy", "http://%s", in->proxy));
}

/* name, what adds its variables, what no variable can do */
// clang-format off
#define ENV_CLIENTS(X) \
	X("aiohttp", add_websocket, \
	    "reads these variables with ClientSession(trust_env=True) only") \
	X("az", add_az, \
	    "az login --identity; its telemetry has no private endpoint and " \
	    "is off") \
	X("azcopy", add_azcopy, \
	    "logs in with the identity at its first command") \
	X("azureml", add_azureml, \
	    "for what knows Azure ML's own variables only") \
	X("curl", NULL, \
	    "a refusal reads \"response 403\", its code is shown by -i: " \
	    "wayleave run says why") \
	X("databricks", add_databricks, \
	    "set DATABRICKS_HOST; a refusal is retried for five minutes and " \
	    "reads \"Timed out\", one of a token \"empty token\": wayleave " \
	    "run says why") \
	X("deltalake", NULL, \
	    "keep credentials out of storage_options, else AZURE_MSI_ENDPOINT " \
	    "is not read; a refusal reads \"tunnel error\": wayleave run says " \
	    "why") \
	X("git", NULL, \
	    "not for ssh remotes; a refusal reads \"response 403\": wayleave " \
	    "run says why") \
	X("go", NULL, \
	    "azidentity reads IDENTITY_ENDPOINT and no other host of the " \
	    "metadata service") \
	X("grpc", add_grpc, \
	    "a refusal reads \"response code 403\": wayleave run says why") \
	X("java", add_java, \
	    "reads no proxy variable but this one; a refusal of HttpClient has " \
	    "no code: wayleave run says why") \
	X("mlflow", NULL, \
	    "MLFLOW_TRACKING_URI=azureml://... and the package " \
	    "azureml-mlflow, or the address of a gateway and no package") \
	X("node", add_node, \
	    "fetch reads it from Node 24 on (before: undici's " \
	    "EnvHttpProxyAgent) and tunnels http:// too, which is refused; a " \
	    "refusal has no code: wayleave run says why") \
	X("socks", add_socks, \
	    "for what speaks SOCKS5; the agent resolves the names") \
	X("spark", add_spark, \
	    "pyspark reads PYSPARK_SUBMIT_ARGS, spark-submit takes the same " \
	    "options; a refusal is retried for minutes, see " \
	    "fs.azure.io.retry.max.retries") \
	X("terraform", add_terraform, \
	    "the provider asks the agent for its tokens") \
	X("urllib3", NULL, \
	    "reads no variable: " \
	    "urllib3.proxy_from_url(os.environ[\"HTTPS_PROXY\"])") \
	X("websocket", add_websocket, \
	    "for what reads a proxy of wss:// from a variable of its own")
// clang-format on

const struct env_client env_clients[] = {
#define ENTRY(name, add, note) { name, note, add },
	ENV_CLIENTS(ENTRY)
#undef ENTRY
	    { NULL, NULL, NULL },
};

const char *const env_client_names[] = {
#define ENTRY(name, add, note) name,
	ENV_CLIENTS(ENTRY)
#undef ENTRY
	    NULL,
};

const struct env_client *
env_client_find(const char *name)
{
	for (const struct env_client *c = env_clients; c->name != NULL; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}
