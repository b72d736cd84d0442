/* Which refusals are equal: those of ten seconds share an id. */
#ifndef IDENTITY_REFUSALS_H
#define IDENTITY_REFUSALS_H

#include "base/record.h"

enum { REFUSALS_KEPT = 256 };

struct refusals {
	struct refusal_kept {
		uint8_t key[32];
		int64_t until_ms;
		char id[RECORD_ID_BYTES];
	} at[REFUSALS_KEPT];
};

/** The id for a refusal that @rec describes; @rec's own is not looked at. */
void refusals_id(struct refusals *r, const struct record *rec, int64_t now_ms,
    char id[RECORD_ID_BYTES]);

#endif
