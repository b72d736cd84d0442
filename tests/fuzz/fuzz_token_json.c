/* A token source's answer: whatever comes, no crash and no nonsense. */
#include "identity/token_json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { NOW = 1800000000 };

	static bool ready;
	const void *p = data;
	struct slice body = { .p = p, .n = size };
	struct token_json t = { .secret = NULL };
	char word[64];
	bool locked;

	if (!ready && secret_arena_init(1 << 20, false, &locked) != OK)
		abort();
	ready = true;
	token_json_error(body, word);
	if (token_json_parse(body, NOW, &t, NULL) != OK)
		return 0;
	if (t.secret == NULL || secret_bytes(t.secret).n == 0 ||
	    t.expires_unix_s <= NOW ||
	    t.expires_unix_s > NOW + TOKEN_LIFE_MAX_S)
		abort();
	secret_unref(t.secret);
	return 0;
}
