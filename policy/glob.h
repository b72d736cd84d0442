/* Globs over units, cgroup paths, programs and the paths of requests. */
#ifndef POLICY_GLOB_H
#define POLICY_GLOB_H

#include "base/slice.h"

/**
 * '*' is any run without '/', "**" any run, '?' one byte but '/'; all else
 * stands for itself. Time is at most product of the lengths.
 */
bool glob_match(const char *glob, const char *text);
/** The same, where upper and lower case of ASCII letters are one. */
bool glob_match_nocase(const char *glob, const char *text);

#endif
