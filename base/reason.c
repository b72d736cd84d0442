/* The table of reason codes, made from its X-macro. */
#include "base/reason.h"

static const struct reason_info infos[REASON_COUNT] = {
	[REASON_NONE] = { "", 200, "", "allowed" },
#define REASON_INFO(code, status, token, text) \
	[REASON_##code] = { #code, status, token, text },
	REASON_TABLE(REASON_INFO)
#undef REASON_INFO
};

const struct reason_info *
reason_info(enum reason r)
{
	return &infos[(unsigned)r < REASON_COUNT ? r : REASON_NONE];
}

const char *
reason_code(enum reason r)
{
	return reason_info(r)->code;
}

enum reason
reason_from_code(struct slice code)
{
	for (unsigned r = 1; r < REASON_COUNT; r++)
		if (slice_is(code, infos[r].code))
			return (enum reason)r;
	return REASON_NONE;
}

bool
reason_is_transient(enum reason r)
{
	int status = reason_info(r)->status;

	return status == 429 || status >= 500;
}
