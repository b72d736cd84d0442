/* Tells the loops whether a phantom is ours, alive and not revoked.
 *
 * What was revoked is in force as soon as phantom_desk_revoke() returns; it
 * outlives a restart once phantom_desk_save() has returned OK. Any thread may
 * read. */
#ifndef AGENT_PHANTOM_DESK_H
#define AGENT_PHANTOM_DESK_H

#include "agent/revocations.h"
#include "base/clock.h"
#include "proxy/proxy.h"

struct phantom_desk;

/**
 * With the revocations that are kept in @path. Where they cannot be read all
 * that was given out before is taken to be revoked: that is said in the log.
 * @clock is kept; @broker_key has 32 bytes. E_NOMEM, E_INTERNAL.
 */
enum status phantom_desk_create(const struct clock *clock,
    const uint8_t *broker_key, const char *path,
    struct phantom_desk **out) ATTR_MUST_USE;
/** NULL-safe. */
void phantom_desk_destroy(struct phantom_desk *desk);

/** identity_ports.phantom_epoch; any thread. */
int64_t phantom_desk_epoch(struct phantom_desk *desk);
/** proxy_phantom_port.read; @ctx is the desk. */
enum status phantom_desk_read(
    void *ctx, struct slice text, struct proxy_phantom *out) ATTR_MUST_USE;

/**
 * Those given out until now: to @uid, or to everybody where that is NULL; of
 * them the one whose id is @id, or that stand for the token of that id, or
 * all where it is "".
 */
void phantom_desk_revoke(
    struct phantom_desk *desk, const uint32_t *uid, const char *id);
/** Writes them to the disk: not on a loop. E_NOMEM, E_IO with @detail. */
enum status phantom_desk_save(
    struct phantom_desk *desk, struct status_detail *detail) ATTR_MUST_USE;

#endif
