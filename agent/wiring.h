/* Fills in the ports of proxy and identity: where the rooms meet. */
#ifndef AGENT_WIRING_H
#define AGENT_WIRING_H

#include "agent/audit_log.h"
#include "agent/denials.h"
#include "agent/mailbox.h"
#include "agent/userdb.h"
#include "identity/identity.h"
#include "proxy/proxy.h"

#include <event2/event_struct.h>

/** The control loop's end of the broker port. */
struct broker_desk;
/** The control loop's end of the credential port. */
struct credential_desk;
/** One loop's end of it: what it has at hand and what it waits for. */
struct credential_home;

struct phantom_desk;

/** What one loop's ports need; one a loop, all borrowed. */
struct wiring {
	struct audit_log *audit;
	struct userdb *userdb;
	struct denials *denials;
	struct mailbox *mailbox; /**< of this loop */
	struct broker_desk *desk;
	struct credential_desk *credentials;
	struct credential_home *home; /**< of this loop; NULL: no tokens */
	struct phantom_desk *phantoms;
	/* wiring_audit.c: what this loop's turn has queued for the writer. */
	struct event kick;
	unsigned awaited, seen, turns; /**< records since the last kick */
	bool opened;
	struct buf text; /**< a record's, kept from one to the next */
};

/** The same ports for another loop, which is to be opened. */
void wiring_share(const struct wiring *from, struct wiring *to);
/** On the loop of @base: from now on records can be handed over. */
void wiring_open(struct wiring *w, struct event_base *base);
/** Before the loop's base ends; also of one that was not opened. */
void wiring_close(struct wiring *w);

void wiring_fill_proxy(struct wiring *w, struct proxy_ports *out);

/** As the ctx of identity's ports; lives on the control loop. */
struct wiring_identity {
	struct wiring *loop;
	struct peer_source *peers;
	struct proxy_snapshot *snapshot; /**< the current one, borrowed */
};

void wiring_fill_identity(
    struct wiring_identity *w, struct identity_ports *out);

/* wiring_audit.c */
enum status wiring_audit_submit(
    void *ctx, const struct record *rec, struct proxy_wait *wait);
void wiring_audit_cancel(void *ctx, struct proxy_wait *wait);
bool wiring_audit_healthy(void *ctx);
enum status wiring_identity_audit_submit(
    void *ctx, const struct record *rec, struct identity_wait *wait);
void wiring_identity_audit_cancel(void *ctx, struct identity_wait *wait);
/** The `start` record: see audit_log_start(). */
enum status wiring_record_start(
    struct audit_log *audit, const struct record *rec) ATTR_MUST_USE;
/** A record nobody waits for (reload, stop). */
enum status wiring_record(
    struct audit_log *audit, const struct record *rec) ATTR_MUST_USE;

/* wiring_broker.c */
/** @box is the control loop's; @id may be set later, before any ask. */
enum status broker_desk_create(
    struct mailbox *box, struct broker_desk **out) ATTR_MUST_USE;
void broker_desk_set(struct broker_desk *desk, struct identity *id);
/** Cancels what identity still works on; on the control loop. NULL-safe. */
void broker_desk_close(struct broker_desk *desk);
void broker_desk_destroy(struct broker_desk *desk);
enum status wiring_broker_ask(void *ctx, struct proxy_broker_ask *ask);
void wiring_broker_cancel(void *ctx, struct proxy_broker_ask *ask);

/* wiring_credential.c */
/** As broker_desk_create(); @clock is kept. */
enum status credential_desk_create(struct mailbox *box,
    const struct clock *clock, struct credential_desk **out) ATTR_MUST_USE;
void credential_desk_set(struct credential_desk *desk, struct identity *id);
/** As broker_desk_close(). NULL-safe. */
void credential_desk_close(struct credential_desk *desk);
void credential_desk_destroy(struct credential_desk *desk);
/** Once @w has its mailbox and the desk: this loop's own table. E_NOMEM. */
enum status wiring_credentials_open(struct wiring *w) ATTR_MUST_USE;
/** On the loop, or when it has ended; late answers go nowhere. */
void wiring_credentials_close(struct wiring *w);
/** On the loop, with another snapshot: the identities may be others. */
void wiring_credentials_forget(struct wiring *w);
/** On the loop, now and then: ended tokens are let go. */
void wiring_credentials_sweep(struct wiring *w);
enum status wiring_credential_ask(void *ctx, struct proxy_credential_ask *ask);
void wiring_credential_cancel(void *ctx, struct proxy_credential_ask *ask);

#endif
