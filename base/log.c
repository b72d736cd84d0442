/* Log lines: level, escape, one write. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LOG_TEXT_BYTES = 1024 };

static atomic_int log_level = LOG_LEVEL_INFO;
static atomic_bool log_priorities;

void
log_set_level(enum log_level level)
{
	atomic_store(&log_level, (int)level);
}

void
log_set_priorities(bool on)
{
	atomic_store(&log_priorities, on);
}

struct level_name {
	const char *name;
	enum log_level level;
};

bool
log_level_from_text(const char *text, enum log_level *out)
{
	static const struct level_name names[] = {
		{ "error", LOG_LEVEL_ERROR },
		{ "warning", LOG_LEVEL_WARNING },
		{ "notice", LOG_LEVEL_NOTICE },
		{ "info", LOG_LEVEL_INFO },
		{ "debug", LOG_LEVEL_DEBUG },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(text, names[i].name) == 0) {
			*out = names[i].level;
			return true;
		}
	}
	return false;
}

/* Escapes @in into @out; the caller gives four times the room. */
static size_t
log_escape(const char *in, char *out)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	for (; *in != '\0'; in++) {
		unsigned char c = (unsigned char)*in;
		if (c >= 0x20 && c < 0x7f) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	return n;
}

void
log_write(enum log_level level, const char *fmt, ...)
{
	char text[LOG_TEXT_BYTES];
	char line[4 + 4 * LOG_TEXT_BYTES];
	size_t n = 0;
	va_list ap;

	if ((int)level > atomic_load_explicit(&log_level, memory_order_relaxed))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (atomic_load_explicit(&log_priorities, memory_order_relaxed)) {
		line[n++] = '<';
		line[n++] = (char)('0' + (int)level);
		line[n++] = '>';
	}
	n += log_escape(text, line + n);
	line[n++] = '\n';
	/* Nobody is left to tell when stderr itself fails. */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}
