/* The inspection CA on disk.
 *
 * STATE/ca.key and STATE/ca.pem are the one that signs. A rotation makes
 * ca.next.key and ca.next.pem, which clients find in the bundle for
 * CA_OVERLAP_S before they take the place of the former two, of which then
 * ca.old.pem is left until the last leaf that it signed has ended. When that
 * is due is told by the certificates' own dates. Each step is one rename(2), so
 * that whatever is cut short goes on from where it was.
 *
 * With a key from the service manager only ca.pem is ours, and there is no
 * rotation but by another credential. */
#ifndef AGENT_CA_H
#define AGENT_CA_H

#include "agent/config.h"
#include "proxy/tls_mint.h"

enum {
	CA_OVERLAP_S = 86400,
	CA_RENEW_DAYS = 60, /**< before it expires it is rotated */
};

enum ca_role { CA_CURRENT, CA_NEXT, CA_OLD, CA_ROLES };

struct ca_settings {
	char state_dir[CONFIG_PATH_BYTES];
	char credential[CONFIG_PATH_BYTES]; /**< path of the key, or "" */
	char name[64];                      /**< the deployment's */
	int64_t now_unix_s;
};

/** What was read; immutable, but for its count. */
struct ca {
	unsigned refs; /**< of one thread at a time */
	struct tls_ca *signer;
	X509 *certs[CA_ROLES]; /**< NULL: there is none */
	int64_t due_unix_s;    /**< something is to be done then; 0: never */
};

/** "current", "next", "old". */
const char *ca_role_name(enum ca_role role);

/**
 * Makes what is missing, does what is due and reads the rest. @signer, where
 * not NULL, is kept if it is still the one. Reads and writes files, and makes
 * keys: not for a loop that serves. *out is owned. E_DENIED, E_INVALID, E_IO,
 * E_NOTFOUND (the credential), E_INTERNAL, E_NOMEM, with @detail.
 */
enum status ca_open(const struct ca_settings *s, struct tls_ca *signer,
    struct ca **out, struct status_detail *detail) ATTR_MUST_USE;
struct ca *ca_ref(struct ca *ca);
/** NULL-safe. */
void ca_unref(struct ca *ca);

/**
 * Makes the next one; @at_once: it signs from the next ca_open() on, and what
 * signed before is believed no more. E_BUSY: there is a next one already.
 * E_UNSUPPORTED: the key is a credential. Others as ca_open().
 */
enum status ca_rotate(const struct ca_settings *s, bool at_once,
    struct status_detail *detail) ATTR_MUST_USE;

#endif
