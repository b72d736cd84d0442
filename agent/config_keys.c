/* Every key of wayleave.json: type, default, range and what it is for. */
#include "agent/config_keys.h"

#define AT(field)                                 \
	.offset = offsetof(struct config, field), \
	.size = sizeof(((struct config *)0)->field)

/* clang-format off */
#define UINT(key, field, lo, hi, value, text) \
	{ .name = (key), .kind = CONFIG_UINT, AT(field), .min = (lo), \
	  .max = (hi), .def = (value), .help = (text) }
#define UINT64(key, field, lo, hi, value, text) \
	{ .name = (key), .kind = CONFIG_UINT64, AT(field), .min = (lo), \
	  .max = (hi), .def = (value), .help = (text) }
#define BOOLEAN(key, field, value, text) \
	{ .name = (key), .kind = CONFIG_BOOL, AT(field), .def = (value), \
	  .help = (text) }
#define PATH(key, field, value, words) \
	{ .name = (key), .kind = CONFIG_PATH, AT(field), .text = (value), \
	  .help = (words) }
#define SECTION(key, table, words) \
	{ .name = (key), .kind = CONFIG_SECTION, .keys = (table), .help = (words) }
#define CUSTOM(key, reader, words) \
	{ .name = (key), .kind = CONFIG_CUSTOM, .read = (reader), .help = (words) }
#define END { .name = NULL }

static const struct config_key listen_keys[] = {
	CUSTOM("proxy", config_read_proxy, "HTTP and SOCKS5, told apart by the first byte"),
	CUSTOM("broker", config_read_broker, "where workloads ask for tokens"),
	CUSTOM("admin", config_read_admin, "/livez /readyz /metrics /status"),
	CUSTOM("control", config_read_control, "Unix socket of the wayleave program"),
	CUSTOM("transparent", config_read_later, "not in this version"),
	CUSTOM("dns", config_read_later, "not in this version"),
	END,
};

static const struct config_key dns_keys[] = {
	CUSTOM("servers", config_read_servers, "ADDRESS or ADDRESS:PORT, asked in order"),
	UINT("timeout_ms", dns.timeout_ms, 100, 60000, 2000, "for one question to one server"),
	UINT("attempts", dns.attempts, 1, 10, 2, "rounds over the servers"),
	UINT("max_ttl_s", dns.max_ttl_s, 0, 60, 60, "an answer is kept no longer"),
	CUSTOM("zones", config_read_zones, "other servers for names under a suffix"),
	END,
};

static const struct config_key tls_keys[] = {
	PATH("ca_file", ca_file, "/etc/ssl/certs/ca-certificates.crt", "the only trust anchors"),
	CUSTOM("inspection", config_read_inspection, "\"auto\", \"credential\" or \"off\""),
	END,
};

static const struct config_key audit_keys[] = {
	PATH("file", audit.file, "/var/log/wayleave/audit.jsonl", "one JSON record a line"),
	CUSTOM("on_failure", config_read_on_failure, "\"deny\" or \"continue\""),
	UINT64("rotate_bytes", audit.rotate_bytes, 0, UINT64_C(1) << 40, UINT64_C(256) << 20, "0 is never"),
	UINT("keep", audit.keep, 0, 100000, 0, "rotated files to keep; 0 is all"),
	END,
};

static const struct config_key limit_keys[] = {
	UINT("connections", limits.connections, 1, 1000000, 16384, "client connections in total"),
	UINT("connections_per_uid", limits.connections_per_uid, 1, 1000000, 4096, "of one user"),
	UINT("request_head_bytes", limits.request_head_bytes, 1024, 262144, 16384, "a request's line, and its fields, each"),
	UINT("upstreams_idle", limits.upstreams_idle, 0, 100000, 256, "connections to destinations kept for the next request"),
	UINT("h2_streams", limits.h2_streams, 1, 10000, 100, "messages at a time on a connection that speaks HTTP/2"),
	UINT("broker_connections", limits.broker_connections, 1, 100000, 1024, "at the broker"),
	UINT("control_connections", limits.control_connections, 1, 10000, 64, "at the control socket"),
	UINT("admin_connections", limits.admin_connections, 1, 10000, 64, "at the admin listener"),
	UINT64("secret_bytes", limits.secret_bytes, 65536, UINT64_C(1) << 30, UINT64_C(4) << 20, "locked memory for tokens; rounded up to a power of two"),
	END,
};

static const struct config_key timeout_keys[] = {
	UINT("request_head_ms", timeouts.request_head_ms, 100, 600000, 10000, "for a whole request head"),
	UINT("connect_ms", timeouts.connect_ms, 100, 600000, 10000, "for all connection attempts of a request"),
	UINT("tls_ms", timeouts.tls_ms, 100, 600000, 10000, "for a TLS handshake with a destination"),
	UINT("idle_ms", timeouts.idle_ms, 1000, 86400000, 900000, "a tunnel without a byte either way"),
	UINT("hello_ms", timeouts.hello_ms, 100, 600000, 10000, "for the ClientHello after the CONNECT answer"),
	UINT("linger_ms", timeouts.linger_ms, 0, 60000, 2000, "silence that ends the reading on after an early answer"),
	UINT("upstream_idle_ms", timeouts.upstream_idle_ms, 1000, 3600000, 50000, "a connection to a destination kept for the next request"),
	UINT("broker_idle_ms", timeouts.broker_idle_ms, 1000, 3600000, 60000, "a kept connection at the broker"),
	UINT("drain_ms", timeouts.drain_ms, 0, 3600000, 30000, "for open tunnels after SIGTERM"),
	END,
};

static const struct config_key log_keys[] = {
	CUSTOM("level", config_read_level, "\"error\" \"warning\" \"notice\" \"info\" \"debug\""),
	END,
};

const struct config_key config_keys[] = {
	CUSTOM("version", config_read_version, "1"),
	CUSTOM("name", config_read_name, "the deployment's label in Via and Proxy-Status"),
	SECTION("listen", listen_keys, "where the daemon listens"),
	BOOLEAN("unsafe_listen", unsafe_listen, false, "lets listeners be reached from other machines"),
	BOOLEAN("unsafe_same_user", unsafe_same_user, false, "lets a workload have the daemon's own uid"),
	CUSTOM("unlocked_memory", config_read_unlocked, "\"warn\" or \"refuse\" when tokens could be swapped out"),
	CUSTOM("workers", config_read_workers, "\"auto\" or 0 to 64; 0 is everything on one loop"),
	PATH("policy_file", policy_file, "policy.json", "the policy"),
	PATH("state_dir", state_dir, "/var/lib/wayleave", "broker.key, audit.key and ca.key"),
	PATH("runtime_dir", runtime_dir, "/run/wayleave", "the lock file, and what clients read of the CA"),
	PATH("cgroup_root", cgroup_root, "/sys/fs/cgroup", "where cgroup2 is mounted"),
	SECTION("dns", dns_keys, "the name servers; no other source of names is used"),
	SECTION("tls", tls_keys, "trust"),
	CUSTOM("identities", config_read_identities, "whose tokens are handed out"),
	CUSTOM("gateways", config_read_gateways, "plain HTTP that goes to one https origin each"),
	SECTION("audit", audit_keys, "the record of what passed"),
	SECTION("limits", limit_keys, "ceilings"),
	SECTION("timeouts", timeout_keys, "deadlines"),
	SECTION("log", log_keys, "what goes to stderr"),
	END,
};
