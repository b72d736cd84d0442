/* Names of outcomes. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const texts[] = {
	[OK] = "ok",
	[E_PARTIAL] = "more input needed",
	[E_NOMEM] = "out of memory",
	[E_LIMIT] = "limit reached",
	[E_SYNTAX] = "malformed",
	[E_INVALID] = "invalid value",
	[E_UNSUPPORTED] = "not in this version",
	[E_NOTFOUND] = "not found",
	[E_DENIED] = "denied",
	[E_BUSY] = "busy",
	[E_CLOSED] = "closed",
	[E_TIMEOUT] = "timed out",
	[E_IO] = "input/output error",
	[E_INTERNAL] = "internal error",
};

const char *
status_text(enum status st)
{
	return (size_t)st < ARRAY_LEN(texts) ? texts[st] : "unknown status";
}

enum status
status_set(struct status_detail *detail, enum status st, const char *fmt, ...)
{
	va_list ap;

	if (detail == NULL)
		return st;
	va_start(ap, fmt);
	(void)vsnprintf(detail->text, sizeof detail->text, fmt, ap);
	va_end(ap);
	return st;
}
