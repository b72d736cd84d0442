/* wayleave.json as a value: read strictly, judged whole, then immutable.
 *
 * config_load() is the one reader for the daemon, for its reload and for
 * `wayleave check`: it needs no network and no privileges, and says of each
 * problem where it stands. What the keys are, with type, default and range,
 * is one table in config_keys.c, which the manual page follows. */
#ifndef AGENT_CONFIG_H
#define AGENT_CONFIG_H

#include "base/log.h"
#include "identity/identity.h"
#include "proxy/proxy.h"
#include "proxy/tls_trust.h"

#include <sys/un.h>

enum {
	CONFIG_PATH_BYTES = 512,
	CONFIG_LISTEN_MAX = 16,
	CONFIG_IDENTITIES_MAX = 64,
	CONFIG_GATEWAYS_MAX = 32,
	CONFIG_ZONES_MAX = 32,
	CONFIG_WORKERS_AUTO = -1,
};

/** One listener: an address and a port, or a Unix socket's path. */
struct config_listen {
	char name[CONFIG_PATH_BYTES]; /**< as the records name it */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /**< or "" */
	struct addr addr;
	uint16_t port;
};

struct config_listeners {
	struct config_listen at[CONFIG_LISTEN_MAX];
	size_t n;
};

/** Plain HTTP on @listen, which goes on to one https origin. */
struct config_gateway {
	char name[64];
	struct config_listen listen;
	char host[HOST_BYTES]; /**< canonical */
	uint16_t port;
	char prefix[256]; /**< "" or "/path", put before each request's */
};

/** Where the inspection CA's key is; off: nothing is inspected. */
enum config_inspection {
	CONFIG_INSPECTION_AUTO,
	CONFIG_INSPECTION_CREDENTIAL,
	CONFIG_INSPECTION_OFF,
};

enum config_unlocked { CONFIG_UNLOCKED_WARN, CONFIG_UNLOCKED_REFUSE };

struct config_limits {
	unsigned connections;
	unsigned connections_per_uid;
	unsigned request_head_bytes;
	unsigned upstreams_idle;
	unsigned h2_streams;
	unsigned broker_connections;
	unsigned control_connections;
	unsigned admin_connections;
	uint64_t secret_bytes;
};

struct config_timeouts {
	unsigned request_head_ms;
	unsigned connect_ms;
	unsigned tls_ms;
	unsigned idle_ms;
	unsigned hello_ms;
	unsigned linger_ms;
	unsigned upstream_idle_ms;
	unsigned broker_idle_ms;
	unsigned drain_ms;
};

struct config_audit {
	char file[CONFIG_PATH_BYTES];
	bool deny_on_failure;
	uint64_t rotate_bytes;
	unsigned keep;
};

struct config {
	char file[CONFIG_PATH_BYTES]; /**< absolute path of wayleave.json */
	char dir[CONFIG_PATH_BYTES];  /**< its folder */
	char name[64];
	unsigned version;
	bool unsafe_listen;
	bool unsafe_same_user;
	enum config_unlocked unlocked_memory;
	struct config_listeners proxy, broker, admin;
	struct config_listeners control; /**< none or one */
	int workers;                     /**< 0..64 or CONFIG_WORKERS_AUTO */
	char policy_file[CONFIG_PATH_BYTES];
	char cgroup_root[256];
	char state_dir[CONFIG_PATH_BYTES];
	char runtime_dir[CONFIG_PATH_BYTES];
	char ca_file[CONFIG_PATH_BYTES];
	enum config_inspection inspection;
	struct proxy_dns_config dns; /**< zones point at dns_zones */
	struct proxy_dns_zone dns_zones[CONFIG_ZONES_MAX];
	struct identity_config identities[CONFIG_IDENTITIES_MAX];
	size_t n_identities;
	struct config_gateway gateways[CONFIG_GATEWAYS_MAX];
	size_t n_gateways;
	struct config_audit audit;
	struct config_limits limits;
	struct config_timeouts timeouts;
	enum log_level log_level;
};

/**
 * Reads and judges the file at @path. OK: *out is owned (warnings may stand
 * in @issues). E_NOTFOUND, E_DENIED, E_IO: it could not be read or is not to
 * be trusted. E_SYNTAX, E_INVALID, E_UNSUPPORTED: @issues says where.
 */
enum status config_load(const char *path, struct config **out,
    struct policy_issues *issues) ATTR_MUST_USE;
void config_destroy(struct config *c);

/** The same from text; @path gives the folder of relative paths. */
enum status config_parse(struct slice text, const char *path,
    struct config **out, struct policy_issues *issues) ATTR_MUST_USE;

/** Reads and loads @c's policy file. Errors as config_load(). */
enum status config_load_policy(const struct config *c, struct policy **out,
    struct policy_issues *issues) ATTR_MUST_USE;

/** Whether @name is one of `identities`. */
bool config_has_identity(const struct config *c, const char *name);
/** Whether @a is reached from this machine alone. */
bool config_is_loopback(const struct addr *a);
/** Takes tens of ms; any thread. E_INVALID, E_NOMEM with @detail. */
enum status config_load_trust(const char *ca_file, struct tls_trust **out,
    struct status_detail *detail) ATTR_MUST_USE;

/** As the configuration names it. */
const char *config_inspection_name(enum config_inspection inspection);
/** E_INVALID where @p needs an inspection CA that @c does not want. */
enum status config_judge_inspection(const struct config *c,
    const struct policy *p, struct status_detail *detail) ATTR_MUST_USE;

/** Appends "FILE:LINE:COL: [warning: ]TEXT\n" for each issue. */
void config_put_issues(
    struct buf *out, const char *file, const struct policy_issues *issues);

/**
 * Names of changed keys that need a restart, comma separated; "" if none.
 * Bounded by @out_bytes.
 */
void config_restart_keys(const struct config *old, const struct config *new,
    char *out, size_t out_bytes);
/** Takes over from @old what only a restart may change. */
void config_keep_fixed(struct config *new, const struct config *old);

#endif
