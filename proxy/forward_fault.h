/* Why a request cannot be forwarded. */
#ifndef PROXY_FORWARD_FAULT_H
#define PROXY_FORWARD_FAULT_H

#include "base/reason.h"
#include "base/status.h"

struct forward_fault {
	enum reason code;
	int status;         /**< 0: the table's */
	const char *detail; /**< static clause, or NULL */
};

/** Fills @fault. Always E_SYNTAX. */
static inline enum status
forward_fault_set(struct forward_fault *fault, enum reason code, int status,
    const char *detail)
{
	*fault = (struct forward_fault){ code, status, detail };
	return E_SYNTAX;
}

#endif
