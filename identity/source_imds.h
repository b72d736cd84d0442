/* The metadata service of a VM, as a source of tokens. */
#ifndef IDENTITY_SOURCE_IMDS_H
#define IDENTITY_SOURCE_IMDS_H

#include "base/buf.h"
#include "identity/identity.h"

/**
 * Writes the URL and a NUL. E_INVALID when the endpoint is not plain http to
 * an IP literal (names are never resolved here). Source: how-to-use-vm-token
 * (learn.microsoft.com), api-version 2018-02-01.
 */
enum status imds_url(const struct identity_config *config,
    struct slice resource, bool bypass, struct buf *out) ATTR_MUST_USE;

#endif
