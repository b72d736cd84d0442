/* Files of anchors: what all may read holds certificates and nothing else. */
#include "agent/ca_files.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice
line_of(struct slice *rest)
{
	struct slice line = slice_head(*rest, slice_find(*rest, '\n'));

	*rest = slice_from(*rest, line.n + 1);
	while (line.n > 0 && strchr(" \t\r", line.p[line.n - 1]) != NULL &&
	    line.p[line.n - 1] != '\0')
		line.n--;
	return line;
}

/* Said once more, and simply: BEGIN, lines of base64, END, and so on. */
static void
check(struct slice text)
{
	bool inside = false;

	while (text.n > 0) {
		struct slice line = line_of(&text);

		if (slice_is(line, "-----BEGIN CERTIFICATE-----") ||
		    slice_is(line, "-----END CERTIFICATE-----")) {
			if (inside != (line.p[5] == 'E'))
				abort();
			inside = !inside;
			continue;
		}
		for (size_t i = 0; i < line.n; i++)
			if (!inside ||
			    (!ascii_is_alnum(line.p[i]) &&
			        (line.p[i] == '\0' ||
			            strchr("+/=", line.p[i]) == NULL)))
				abort();
	}
	if (inside)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	struct buf roots, again, store;

	buf_init(&roots, 2 * size + 64);
	buf_init(&again, 2 * size + 64);
	buf_init(&store, 16 * size + 65536);
	ca_files_put_roots(&roots, text);
	if (buf_status(&roots) != OK)
		abort();
	check(buf_slice(&roots));
	ca_files_put_roots(&again, buf_slice(&roots));
	if (!slice_eq(buf_slice(&again), buf_slice(&roots)))
		abort();
	if (ca_files_put_store(&store, buf_slice(&roots)) == OK && store.n == 0)
		abort();
	buf_release(&roots);
	buf_release(&again);
	buf_release(&store);
	return 0;
}
