/* Which private zones prove the way to a public name. */
#ifndef POLICY_ZONES_H
#define POLICY_ZONES_H

#include "base/host.h"

/** One public suffix of one service; static. */
struct zone_entry {
	const char *suffix;  /**< pattern, see zones.txt */
	uint8_t suffix_n;    /**< its length */
	uint8_t tail_n;      /**< of its end without placeholders */
	const char *zones;   /**< patterns, joined by spaces */
	const char *service; /**< "Azure Storage" */
	const char *groups;  /**< "blob,blob_secondary" */
	bool exact;          /**< the suffix itself is a host too */
	bool account;        /**< labels below it are somebody's own */
	bool alias;          /**< no usable name by itself */
};

/** The entries of the longest suffix that covers a host. */
struct zone_match {
	const struct zone_entry *entries[8];
	size_t n; /**< 0: no service is known for this host */
};

void zones_of_host(const char *host, struct zone_match *out);
/**
 * Whether @name lies in one of the match's zones for @host; writes the
 * zone's name with its placeholders filled in.
 */
bool zones_prove(const struct zone_match *m, const char *host, const char *name,
    char zone[HOST_BYTES]);

/** Where a host's private record belongs. */
struct zone_place {
	char zone[HOST_BYTES];
	char record[HOST_BYTES]; /**< "acct1"; "@" for the zone itself */
	const struct zone_entry *entry;
};

/** False when no service is known for @host. */
bool zones_expected(const char *host, struct zone_place *out);
/** Whether a label of @name marks a private-link zone of any service. */
bool zones_is_private_name(const char *name);
/** The public name for a name within a private zone; false if unknown. */
bool zones_public_name(const char *name, char out[HOST_BYTES]);
/**
 * Whether "*.@tail", of two labels or more, can match any name directly under
 * a suffix whose labels are somebody's accounts; writes an example such as
 * "acct1.blob.core.windows.net".
 */
bool zones_wildcard_spans_accounts(const char *tail, char example[HOST_BYTES]);
/** Why @host never has a private endpoint, or NULL. */
const char *zones_public_reason(const char *host);

#endif
