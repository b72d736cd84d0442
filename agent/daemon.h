/* The running daemon, for the files of agent/ that make it up. */
#ifndef AGENT_DAEMON_H
#define AGENT_DAEMON_H

#include "agent/budget_file.h"
#include "agent/ca.h"
#include "agent/config.h"
#include "agent/listeners.h"
#include "agent/userdb.h"
#include "agent/wiring.h"
#include "agent/worker.h"

#include <pthread.h>

enum { DAEMON_WORKERS_MAX = 64, DAEMON_REASONS_MAX = 8 };

struct control;
struct admin;
struct interfaces;

/** What the last load of the files came to. */
struct daemon_reload {
	bool ok;
	int64_t unix_s;
	char message[1280];
};

/** Looks for names that nobody has here; the control loop's, but for what
 * the user database's thread reads and writes while it is busy. */
struct name_check {
	struct userdb_job job; /**< first */
	struct daemon *daemon;
	size_t next; /**< of the policy's names */
	bool busy;
	/* the helper's meanwhile */
	bool ran, is_group, missing;
	char name[256];
};

/** Reads the CA file; the control loop's, but for what is the thread's. */
struct trust_load {
	struct mail mail; /**< first */
	struct daemon *daemon;
	pthread_t thread;
	bool busy, joined;
	bool again; /**< it may have changed since this reading began */
	bool old;   /**< a newer one is believed already */
	bool over;  /**< the daemon ends */
	/* the thread's meanwhile */
	char ca_file[CONFIG_PATH_BYTES];
	enum status st;
	struct tls_trust *trust;
	struct status_detail problem;
};

/** Looks after the inspection CA's files; the control loop's, but for what is
 * the thread's. */
struct ca_work {
	struct mail mail; /**< first */
	struct daemon *daemon;
	pthread_t thread;
	bool busy, joined;
	bool again; /**< what is written may have changed since it began */
	bool over;  /**< the daemon ends */
	enum config_inspection inspection; /**< when it began */
	/* the thread's meanwhile */
	bool rotate, at_once;
	struct ca_settings settings;
	char runtime_dir[CONFIG_PATH_BYTES];
	char ca_file[CONFIG_PATH_BYTES];
	struct tls_ca *signer;
	struct ca *ca;
	enum status rotated, st;
	struct status_detail problem;
};

struct daemon {
	const char *config_path;
	const struct clock *clock;
	struct event_base *base;
	struct config *config;
	struct proxy_snapshot *snapshot;
	uint64_t generation;
	struct listeners listeners;
	struct mailbox *mailbox;
	struct audit_log *audit;
	struct userdb *userdb;
	struct denials *denials;
	struct proxy_shared *shared;
	struct peer_source *peers;
	struct broker_desk *desk;
	struct credential_desk *credentials;
	struct phantom_desk *phantoms;
	struct wiring wiring; /**< of the control loop */
	struct wiring_identity wiring_identity;
	struct identity *identity;
	struct worker *workers[DAEMON_WORKERS_MAX];
	size_t n_workers; /**< loops of traffic, at least one */
	struct control *control;
	struct admin *admin;
	struct interfaces *interfaces;
	struct event *signals[3];
	struct event *watchdog, *drain_timer, *settle, *ca_tick;
	bool settling;              /**< the last of the start is to come */
	enum status settled;        /**< what the last of the start gave */
	struct status_detail fault; /**< where it failed */
	uint8_t broker_key[32];
	int64_t start_boot_ms;
	bool memory_locked;
	bool started; /**< the start record is written, or will be first */
	bool draining;
	size_t undrained;
	struct daemon_reload reload;
	struct name_check names;
	struct trust_load trust;
	struct status_detail ca_problem; /**< "" when the CA file is good */
	struct ca *ca;                   /**< for inspection; NULL: none */
	struct budget_file *budgets;     /**< NULL: no rule had one yet */
	bool ca_ready;                   /**< clients find its files */
	struct ca_work ca_work;
	int exit_code;
};

/** Runs until a signal; the result is the exit code of the process. */
int daemon_run(const char *config_path);

/** Why it is not ready, as static English clauses; 0: it is ready. */
size_t daemon_reasons(
    const struct daemon *d, const char *reasons[DAEMON_REASONS_MAX]);
size_t daemon_connections(const struct daemon *d);

/* daemon_load.c */

/** Reads configuration and policy; issues go to stderr on this thread. */
enum status daemon_load(struct daemon *d, struct config **config,
    struct policy **policy) ATTR_MUST_USE;
/** SIGHUP: takes effect whole, or the last good state stays. */
enum status daemon_reload(struct daemon *d);
/** Takes up the machine's addresses as they are now; false: it could not. */
bool daemon_renew_self(struct daemon *d);
/** Takes up d->ca, which is another; false: it could not. */
bool daemon_renew_signer(struct daemon *d);
/** What the broker is to keep to by @c. */
struct identity_limits daemon_identity_limits(const struct config *c);
/** A record of our own (start, reload, stop); @extra is JSON members. E_IO:
 * it could not be written, and of a start record, is tried again. */
enum status daemon_record(
    struct daemon *d, enum record_event event, struct slice extra);

/* daemon_judge.c */

/**
 * Refuses a policy that names our own uid as a workload, or needs programs
 * that we may not see.
 */
enum status daemon_judge(const struct daemon *d, const struct config *c,
    const struct policy *p, struct status_detail *detail) ATTR_MUST_USE;
/** Has uploads counted where a rule of @p has a budget. */
enum status daemon_open_budgets(struct daemon *d, const struct policy *p,
    struct status_detail *detail) ATTR_MUST_USE;
/** The control loop's look-up of peers, with programs where @p needs them. */
enum status daemon_make_peers(const struct config *c, const struct policy *p,
    struct peer_source **out) ATTR_MUST_USE;

/* daemon_names.c */

/** Warns, later, of names in the policy in force that nobody has here. */
void daemon_check_names(struct daemon *d);

/* daemon_trust.c */

/** Reads the CA file again, later; what it has is believed from then on. */
void daemon_load_trust(struct daemon *d);
/** Believes @trust from now on: read by a reload, just now. */
void daemon_set_trust(struct daemon *d, struct tls_trust *trust);
/** Before the mailbox goes: nothing is read any more. */
void daemon_end_trust(struct daemon *d);

/* daemon_ca.c */

/**
 * The inspection CA that @c and @p need, made where there is none yet: *out
 * is owned, NULL where none is needed. Errors as ca_open().
 */
enum status daemon_open_ca(struct daemon *d, const struct config *c,
    const struct policy *p, struct ca **out,
    struct status_detail *detail) ATTR_MUST_USE;
/** Writes its files for the clients, later, and does what is due. */
void daemon_write_ca(struct daemon *d);
/** The same where something is due or was not written; rotates what is about
 * to expire. */
void daemon_watch_ca(struct daemon *d);
/**
 * Makes the next one, later: until then ca_work is busy. E_NOTFOUND: there is
 * none. E_BUSY: not now. E_UNSUPPORTED: its key is not ours.
 */
enum status daemon_rotate_ca(
    struct daemon *d, bool at_once, struct status_detail *detail) ATTR_MUST_USE;
/** Why clients cannot believe it yet; NULL: they can, or need not. */
const char *daemon_ca_reason(const struct daemon *d);
/** Before the mailbox goes: nothing is written any more. */
void daemon_end_ca(struct daemon *d);

/* daemon_parts.c: what is made at start, in order, and unmade. */
enum status daemon_make(
    struct daemon *d, struct policy *policy, struct status_detail *detail);
/** Workers serve from here on: the start record was tried before. */
enum status daemon_start(
    struct daemon *d, struct status_detail *detail) ATTR_MUST_USE;
void daemon_unmake(struct daemon *d);

#endif
