/* Any bytes as wayleave.json: refused with a place, or a valid value. */
#include "agent/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy_issues issues;
	struct slice text = { (const char *)data, size };
	struct config *c = NULL;
	enum status st = config_parse(text, "/etc/w/w.json", &c, &issues);

	if ((st == OK) != (issues.n_errors == 0) || (st == OK) != (c != NULL))
		abort();
	for (size_t i = 0; i < issues.n; i++)
		if (issues.at[i].line == 0 || issues.at[i].column == 0)
			abort();
	config_destroy(c);
	return 0;
}
