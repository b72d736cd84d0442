/* Judges a path as the policy does: one reading of escapes for both. */
#include "proxy/forward_path.h"

#include "policy/target.h"

#include <stdlib.h>

bool
forward_path_ok(struct slice path, bool coded_slash)
{
	char small[1024], *out = small;
	struct slice normal;
	bool ok;

	if (path.n + 2 > sizeof small)
		out = malloc(path.n + 2);
	ok = out != NULL && (coded_slash || !path_has_coded_slash(path)) &&
	    path_normal(path, true, out, &normal);
	if (out != small)
		free(out);
	return ok;
}
