/* One line a message to stderr: journald priorities when it listens. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/compiler.h"

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR = 3, /**< syslog severities */
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/** Messages above @level are dropped. Thread-safe after the first call. */
void log_set_level(enum log_level level);
/** With true each line starts with "<N>" (sd-daemon(3)). */
void log_set_priorities(bool on);
bool log_level_from_text(const char *text, enum log_level *out) ATTR_MUST_USE;

/**
 * Writes one line with one write(2); control bytes and non-ASCII are escaped
 * as \xNN, so that no input can forge a line. Never pass a secret.
 */
void log_write(enum log_level level, const char *fmt, ...) ATTR_PRINTF(2, 3);

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...)  log_write(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
