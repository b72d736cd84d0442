/* The one vocabulary of outcomes, and the detail a human will read. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include "base/compiler.h"

/** What a function that can fail returns; OK is 0. */
enum status {
	OK = 0,
	E_PARTIAL,     /**< more input is needed */
	E_NOMEM,       /**< an allocation failed */
	E_LIMIT,       /**< a configured ceiling was reached */
	E_SYNTAX,      /**< the bytes break their grammar */
	E_INVALID,     /**< well-formed, but not an allowed value */
	E_UNSUPPORTED, /**< known, but not in this version */
	E_NOTFOUND,
	E_DENIED,
	E_BUSY,
	E_CLOSED,
	E_TIMEOUT,
	E_IO, /**< a system call failed; errno is kept in the detail */
	E_INTERNAL,
};

/** Room for a sentence that teaches: what, where, what to do. */
struct status_detail {
	char text[640];
};

/** Never NULL; a short English name such as "limit reached". */
const char *status_text(enum status st);

/** Fills @detail (may be NULL) by printf rules, truncating, and returns @st. */
enum status status_set(struct status_detail *detail, enum status st,
    const char *fmt, ...) ATTR_PRINTF(3, 4);

#endif
