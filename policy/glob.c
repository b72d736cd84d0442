/* Globs, without backtracking over more than two stars. */
#include "policy/glob.h"

#include "base/slice.h"

/* Two restart points suffice: a later '*' makes an earlier one needless
 * within a path part, and a later "**" makes all earlier ones needless. */
struct restart {
	const char *glob, *text;
};

static bool
is_same(char a, char b, bool fold)
{
	return a == b || (fold && ascii_lower(a) == ascii_lower(b));
}

static bool
match(const char *glob, const char *text, bool fold)
{
	struct restart part = { NULL, NULL }, path = { NULL, NULL };

	for (;;) {
		if (glob[0] == '*' && glob[1] == '*') {
			glob += 2;
			path = (struct restart){ glob, text };
			part.glob = NULL;
		} else if (*glob == '*') {
			part = (struct restart){ ++glob, text };
		} else if (*text == '\0' && *glob == '\0') {
			return true;
		} else if (*text != '\0' &&
		    (is_same(*glob, *text, fold) ||
		        (*glob == '?' && *text != '/'))) {
			glob++;
			text++;
		} else if (part.glob != NULL && *part.text != '\0' &&
		    *part.text != '/') {
			glob = part.glob;
			text = ++part.text;
		} else if (path.glob != NULL && *path.text != '\0') {
			part.glob = NULL;
			glob = path.glob;
			text = ++path.text;
		} else {
			return false;
		}
	}
}

bool
glob_match(const char *glob, const char *text)
{
	return match(glob, text, false);
}

bool
glob_match_nocase(const char *glob, const char *text)
{
	return match(glob, text, true);
}
