/* The table of every key of wayleave.json, for the files of config*.c. */
#ifndef AGENT_CONFIG_KEYS_H
#define AGENT_CONFIG_KEYS_H

#include "agent/config.h"

#include <jansson.h>

enum config_kind {
	CONFIG_UINT,   /**< unsigned */
	CONFIG_UINT64, /**< uint64_t */
	CONFIG_BOOL,
	CONFIG_TEXT,    /**< char array of `size` bytes, not empty */
	CONFIG_PATH,    /**< likewise; made absolute by the file's folder */
	CONFIG_SECTION, /**< an object with keys of its own */
	CONFIG_CUSTOM,  /**< read() knows */
};

struct config_reader;

struct config_key {
	const char *name;
	enum config_kind kind;
	size_t offset; /**< in struct config */
	size_t size;
	uint64_t min, max, def;
	const char *text;              /**< default of texts and paths */
	const struct config_key *keys; /**< of a section; ends with no name */
	void (*read)(struct config_reader *r, json_t *value);
	const char *help;
};

/** The top of the table. */
extern const struct config_key config_keys[];

/** One reading: where we are and what was found so far. */
struct config_reader {
	struct slice text;
	struct policy_issues *issues;
	struct config *config;
	char pointer[128];
};

/** Descends to @name and back; long pointers are cut, never overrun. */
size_t reader_push(struct config_reader *r, const char *name);
size_t reader_push_index(struct config_reader *r, size_t index);
void reader_pop(struct config_reader *r, size_t mark);
/** Reads each element of a list at its own place; an error if it is none. */
void reader_each(struct config_reader *r, json_t *value,
    void (*read)(struct config_reader *r, json_t *value));
/** Notes an error at the current value, or at its key. */
void reader_error(struct config_reader *r, bool of_key, const char *fmt, ...)
    ATTR_PRINTF(3, 4);
/** Notes an error at a member of the current object. */
void reader_member_error(struct config_reader *r, const char *member,
    const char *fmt, ...) ATTR_PRINTF(3, 4);
/** An object whose keys are all in @keys (NULL-ended), else errors. */
bool reader_object(
    struct config_reader *r, json_t *value, const char *const *keys);
/** The text of a JSON string, or NULL after an error. */
const char *reader_text(struct config_reader *r, json_t *value);
/** Makes @text absolute into @out; an error when it does not fit. */
void reader_path(
    struct config_reader *r, const char *text, char *out, size_t out_bytes);

/* The readers of CONFIG_CUSTOM keys. */
void config_read_version(struct config_reader *r, json_t *value);
void config_read_name(struct config_reader *r, json_t *value);
void config_read_workers(struct config_reader *r, json_t *value);
void config_read_proxy(struct config_reader *r, json_t *value);
void config_read_broker(struct config_reader *r, json_t *value);
void config_read_admin(struct config_reader *r, json_t *value);
void config_read_control(struct config_reader *r, json_t *value);
void config_read_later(struct config_reader *r, json_t *value);
void config_read_servers(struct config_reader *r, json_t *value);
void config_read_zones(struct config_reader *r, json_t *value);
void config_read_identities(struct config_reader *r, json_t *value);
void config_read_on_failure(struct config_reader *r, json_t *value);
void config_read_inspection(struct config_reader *r, json_t *value);
void config_read_unlocked(struct config_reader *r, json_t *value);
void config_read_level(struct config_reader *r, json_t *value);
void config_read_gateways(struct config_reader *r, json_t *value);
/** One address to listen on; false after an error. */
bool config_read_listener(
    struct config_reader *r, json_t *value, struct config_listen *out);
/** Under which list of `listen` @name stands; NULL: under none. */
const char *config_listed_as(const struct config *c, const char *name);
/** What only the whole file can tell: public addresses, missing lists. */
void config_judge(struct config_reader *r);

#endif
