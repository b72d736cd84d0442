/* The SOCKS5 readers: no reader uses more than there is. */
#include "proxy/socks5.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct slice all = { .p = (const char *)data, .n = size };
	struct socks5_request r;
	uint8_t method;
	size_t used = 0;

	if (socks5_read_greeting(all, &used, &method) == OK && used > size)
		abort();
	if (socks5_read_password(all, &used) == OK && used > size)
		abort();
	if (socks5_read_request(all, &used, &r) == OK &&
	    (used > size || (r.refusal == SOCKS5_OK && r.port == 0)))
		abort();
	return 0;
}
