/* What the tests of the audit share: a folder of their own and its files. */
#ifndef TESTS_UNIT_AGENT_AUDIT_FIXTURE_H
#define TESTS_UNIT_AGENT_AUDIT_FIXTURE_H

#include "agent/audit_log.h"
#include "base/buf.h"

/** A fresh folder, and settings for FOLDER/audit.jsonl in it. */
struct audit_fixture {
	char dir[64];
	struct audit_settings settings;
};

/** One record's members. */
extern const struct slice audit_fixture_one;

/** Of cmocka: *state is a struct audit_fixture. */
int audit_fixture_setup(void **state);
int audit_fixture_teardown(void **state);
void audit_fixture_sleep_ms(long ms);
void audit_fixture_init(struct audit_fixture *f);
/** Removes the folder and the plain files in it. */
void audit_fixture_release(struct audit_fixture *f);

/** FOLDER/NAME into @out, which holds AUDIT_PATH_BYTES. Returns @out. */
char *audit_fixture_path(
    const struct audit_fixture *f, const char *name, char *out);
/** The whole of FOLDER/NAME; released by the caller. */
struct buf audit_fixture_read(const struct audit_fixture *f, const char *name);
/** Replaces FOLDER/NAME. */
void audit_fixture_write(
    const struct audit_fixture *f, const char *name, struct slice s);
/** How many names in the folder start so. */
size_t audit_fixture_count(const struct audit_fixture *f, const char *prefix);

/** Opens a log on f->settings or fails the test. */
struct audit_log *audit_fixture_open(struct audit_fixture *f);
/** Appends @n records and waits until each was written. */
void audit_fixture_append(struct audit_log *log, unsigned n);
/** Appends one record and waits; E_* of append or of written(). */
enum status audit_fixture_append_one(
    struct audit_log *log, struct slice members);

/** Line @i of @file, counted from 0, without newline; fails when absent. */
struct slice audit_fixture_line(struct slice file, size_t i);
/** Number of newlines. */
size_t audit_fixture_lines(struct slice file);
/** Fails the test unless every line links to the one before. */
void audit_fixture_assert_chain(struct slice file, uint64_t first_seq);

#endif
