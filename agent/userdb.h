/* User and group names by uid, looked up off the loops and kept fresh. */
#ifndef AGENT_USERDB_H
#define AGENT_USERDB_H

#include "agent/mailbox.h"
#include "base/peer.h"

#include <sys/queue.h>

struct userdb;

/** Somebody who waits for a uid; owned by the asker until woken. */
struct userdb_wait;

/** Starts the thread that asks the system. E_NOMEM, E_INTERNAL. */
enum status userdb_create(struct userdb **out) ATTR_MUST_USE;
/** Ends the thread, frees all names: no peer may live. NULL-safe. */
void userdb_destroy(struct userdb *db);

/**
 * Fills user and groups of @peer by its uid. OK when known; E_PARTIAL: the
 * helper asks, and woken(arg) comes by @box; *wait is a handle till then.
 * E_NOMEM, E_LIMIT. Thread-safe.
 */
enum status userdb_lookup(struct userdb *db, struct peer *peer,
    struct mailbox *box, void (*woken)(void *arg), void *arg,
    struct userdb_wait **wait) ATTR_MUST_USE;
/** On the loop of the mailbox: woken() does not come any more. */
void userdb_cancel(struct userdb_wait *wait);

/** A question of another kind; stands inside the asker's own struct. */
struct userdb_job {
	struct mail mail; /**< first; delivered by @box when run() returned */
	struct mailbox *box;
	void (*run)(struct userdb_job *job); /**< on the helper's thread */
	STAILQ_ENTRY(userdb_job) link;       /**< private */
};

/**
 * Runs it when nobody waits for a name; who asks for one meanwhile waits until
 * it is done. The mail comes in any case: not run, when the database ends
 * before.
 */
void userdb_run_job(struct userdb *db, struct userdb_job *job);

/** Asks the system on this thread, for start and tests. */
enum status userdb_lookup_now(
    struct userdb *db, struct peer *peer) ATTR_MUST_USE;

#endif
