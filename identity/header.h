/* The values that a caller proves itself with, derived from the state key. */
#ifndef IDENTITY_HEADER_H
#define IDENTITY_HEADER_H

#include "base/slice.h"

enum {
	HEADER_KEY_BYTES = 32,
	HEADER_TEXT_BYTES = 65, /**< 64 lower-case hex digits and a NUL */
};

/** Domain separation: one value never stands for the other. */
#define HEADER_PURPOSE_HEADER     "header"
#define HEADER_PURPOSE_CAPABILITY "capability"

/**
 * Hex HMAC-SHA256 under @key of @purpose and the uid in decimal: stable over
 * restarts, as clients keep it for their whole life. "" if libcrypto fails.
 */
void header_value(const uint8_t key[HEADER_KEY_BYTES], const char *purpose,
    uint32_t uid, char out[HEADER_TEXT_BYTES]);
/** Whether @given is that value; takes the same time whatever it is. */
bool header_fits(const uint8_t key[HEADER_KEY_BYTES], const char *purpose,
    uint32_t uid, struct slice given);

#endif
