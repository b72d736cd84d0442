/* Host names: what is canonical stays so, and nothing hostile passes. */
#include "base/uri.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static void
check_host(const struct host *h)
{
	struct host again;
	size_t n = strlen(h->name);

	check(n > 0 && n < HOST_BYTES);
	for (size_t i = 0; i < n; i++)
		check(ascii_is_alnum(h->name[i]) ||
		    strchr("-._:", h->name[i]) != NULL);
	if (h->kind == HOST_NAME) {
		check(host_parse(slice_of(h->name), &again) == OK);
		check(strcmp(again.name, h->name) == 0);
		check(slice_find(slice_of(h->name), ':') == n);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data, size };
	struct host h;
	struct authority a;
	char value[64];

	if (host_parse(in, &h) == OK)
		check_host(&h);
	if (authority_parse(in, &a) == OK) {
		check_host(&a.host);
		check(a.has_port == (a.port != 0));
	}
	if (query_get(in, "resource", value, sizeof value) == OK)
		check(strlen(value) < sizeof value);
	return 0;
}
