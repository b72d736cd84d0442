/* The words for the ends of connections. */
#include "proxy/close.h"

static const char *const words[CLOSE_COUNT] = {
#define CLOSE_WORD(name, word) [CLOSE_##name] = (word),
	CLOSE_TABLE(CLOSE_WORD)
#undef CLOSE_WORD
};

const char *
close_word(enum close_reason why)
{
	return words[(unsigned)why < CLOSE_COUNT ? why : CLOSE_ERROR];
}
