/* What clients read to believe the inspection CA: files in the runtime dir. */
#ifndef AGENT_CA_FILES_H
#define AGENT_CA_FILES_H

#include "agent/ca.h"

#define CA_FILE_PEM    "ca.pem"
#define CA_FILE_BUNDLE "ca-bundle.pem"
#define CA_FILE_STORE  "ca.p12"

/**
 * Writes into @dir, each by rename and for everybody to read: ours alone
 * (CA_FILE_PEM), the certificates of @roots_file and ours (CA_FILE_BUNDLE),
 * and these as a PKCS#12 store that Java trusts without a password
 * (CA_FILE_STORE; RFC 7292). Takes tens of ms. Errors as ca_open().
 */
enum status ca_files_write(const char *dir, const char *roots_file,
    const struct ca *ca, struct status_detail *detail) ATTR_MUST_USE;

/** Appends those of @ca as PEM. E_INTERNAL, or the buffer's. */
enum status ca_files_put_own(
    struct buf *out, const struct ca *ca) ATTR_MUST_USE;

/**
 * Appends the certificates of @text and nothing else that stands there: a key
 * in a file of anchors must not get into one that all may read. RFC 7468 2.
 */
void ca_files_put_roots(struct buf *out, struct slice text);

/** Appends the certificates of @pem as a store. E_INTERNAL, E_NOMEM. */
enum status ca_files_put_store(struct buf *out, struct slice pem) ATTR_MUST_USE;

#endif
