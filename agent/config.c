/* Reads wayleave.json by the table of config_keys.c and says what is wrong. */
#include "agent/config.h"

#include "agent/config_keys.h"
#include "agent/trusted_file.h"
#include "base/jsonpos.h"
#include "base/wiping.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONFIG_FILE_MAX_BYTES = 1 << 20 };

/* Adds one issue; past the last slot they are only counted. */
static void
issue_add(struct policy_issues *issues, struct json_place at,
    const char *pointer, const char *text)
{
	struct policy_issue *i;

	issues->n_errors++;
	if (issues->n == ARRAY_LEN(issues->at))
		return;
	i = &issues->at[issues->n++];
	*i = (struct policy_issue){ .is_error = true };
	i->line = at.line;
	i->column = at.column;
	(void)snprintf(i->pointer, sizeof i->pointer, "%s", pointer);
	(void)snprintf(i->text, sizeof i->text, "%s", text);
}

size_t
reader_push(struct config_reader *r, const char *name)
{
	size_t mark = strlen(r->pointer), n = mark;

	if (n + 1 < sizeof r->pointer)
		r->pointer[n++] = '/';
	for (; *name != '\0' && n + 2 < sizeof r->pointer; name++) {
		/* RFC 6901 3: "~" is "~0" and "/" is "~1". */
		bool escape = *name == '~' || *name == '/';

		r->pointer[n++] = escape ? '~' : *name;
		if (escape)
			r->pointer[n++] = *name == '~' ? '0' : '1';
	}
	r->pointer[n] = '\0';
	return mark;
}

size_t
reader_push_index(struct config_reader *r, size_t index)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%zu", index);
	return reader_push(r, text);
}

void
reader_pop(struct config_reader *r, size_t mark)
{
	r->pointer[mark] = '\0';
}

void
reader_each(struct config_reader *r, json_t *value,
    void (*read)(struct config_reader *r, json_t *value))
{
	size_t i;
	json_t *v;

	if (!json_is_array(value)) {
		reader_error(r, false, "must be a list");
		return;
	}
	json_array_foreach(value, i, v) {
		size_t mark = reader_push_index(r, i);

		read(r, v);
		reader_pop(r, mark);
	}
}

static void ATTR_PRINTF(3, 0) error_here(
    struct config_reader *r, bool of_key, const char *fmt, va_list ap)
{
	char text[sizeof r->issues->at[0].text];

	/* A cut message is still a message. */
	(void)vsnprintf(text, sizeof text, fmt, ap);
	issue_add(r->issues, json_place(r->text, r->pointer, of_key),
	    r->pointer, text);
}

void
reader_error(struct config_reader *r, bool of_key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_here(r, of_key, fmt, ap);
	va_end(ap);
}

void
reader_member_error(
    struct config_reader *r, const char *member, const char *fmt, ...)
{
	size_t mark = reader_push(r, member);
	va_list ap;

	va_start(ap, fmt);
	error_here(r, false, fmt, ap);
	va_end(ap);
	reader_pop(r, mark);
}

const char *
reader_text(struct config_reader *r, json_t *value)
{
	const char *s = json_string_value(value);

	if (s == NULL || *s == '\0') {
		reader_error(r, false, "must be a text that is not empty");
		return NULL;
	}
	return s;
}

void
reader_path(
    struct config_reader *r, const char *text, char *out, size_t out_bytes)
{
	int n;

	if (*text == '/')
		n = snprintf(out, out_bytes, "%s", text);
	else
		n = snprintf(out, out_bytes, "%s/%s", r->config->dir, text);
	if (n < 0 || (size_t)n >= out_bytes)
		reader_error(r, false,
		    "the path is too long: at most %zu bytes", out_bytes - 1);
}

/* Names the nearest of @names for a key that is not among them. */
static void
unknown_key(struct config_reader *r, const char *name, const char *const *names,
    size_t n)
{
	const char *near = nearest_name(slice_of(name), names, n);
	size_t mark = reader_push(r, name);

	if (near != NULL)
		reader_error(
		    r, true, "unknown key; did you mean \"%s\"?", near);
	else
		reader_error(r, true, "unknown key");
	reader_pop(r, mark);
}

bool
reader_object(struct config_reader *r, json_t *value, const char *const *keys)
{
	size_t before = r->issues->n_errors;
	size_t n = 0;
	const char *name;
	json_t *v;

	if (!json_is_object(value)) {
		reader_error(r, false, "must be an object");
		return false;
	}
	while (keys[n] != NULL)
		n++;
	json_object_foreach(value, name, v) {
		size_t i = 0;

		while (i < n && strcmp(keys[i], name) != 0)
			i++;
		if (i == n)
			unknown_key(r, name, keys, n);
	}
	return r->issues->n_errors == before;
}

static void
read_number(struct config_reader *r, const struct config_key *k, json_t *value)
{
	char *at = (char *)r->config + k->offset;
	json_int_t v = json_integer_value(value);

	if (!json_is_integer(value) || v < 0 || (uint64_t)v < k->min ||
	    (uint64_t)v > k->max) {
		reader_error(r, false,
		    "must be a whole number from %llu to %llu",
		    (unsigned long long)k->min, (unsigned long long)k->max);
		return;
	}
	if (k->kind == CONFIG_UINT) {
		unsigned u = (unsigned)v;
		memcpy(at, &u, sizeof u);
	} else {
		uint64_t u = (uint64_t)v;
		memcpy(at, &u, sizeof u);
	}
}

static void
read_bool(struct config_reader *r, const struct config_key *k, json_t *value)
{
	bool b = json_is_true(value);

	if (!json_is_boolean(value)) {
		reader_error(r, false, "must be true or false");
		return;
	}
	memcpy((char *)r->config + k->offset, &b, sizeof b);
}

static void read_section(
    struct config_reader *r, const struct config_key *keys, json_t *value);

static void
read_key(struct config_reader *r, const struct config_key *k, json_t *value)
{
	char *at = (char *)r->config + k->offset;
	const char *s;

	switch (k->kind) {
	case CONFIG_UINT:
	case CONFIG_UINT64:
		read_number(r, k, value);
		break;
	case CONFIG_BOOL:
		read_bool(r, k, value);
		break;
	case CONFIG_TEXT:
		s = reader_text(r, value);
		if (s != NULL && !slice_copy(slice_of(s), at, k->size))
			reader_error(r, false, "too long: at most %zu bytes",
			    k->size - 1);
		break;
	case CONFIG_PATH:
		s = reader_text(r, value);
		if (s != NULL)
			reader_path(r, s, at, k->size);
		break;
	case CONFIG_SECTION:
		read_section(r, k->keys, value);
		break;
	case CONFIG_CUSTOM:
		k->read(r, value);
		break;
	}
}

/* Reads one object by its part of the table. */
static void
read_section(
    struct config_reader *r, const struct config_key *keys, json_t *value)
{
	const char *names[32];
	const struct config_key *k;
	size_t n = 0;
	json_t *v;

	for (k = keys; k->name != NULL && n < ARRAY_LEN(names) - 1; k++)
		names[n++] = k->name;
	names[n] = NULL;
	(void)reader_object(r, value, names);
	for (k = keys; k->name != NULL; k++) {
		size_t mark = reader_push(r, k->name);

		v = json_object_get(value, k->name);
		if (v != NULL)
			read_key(r, k, v);
		reader_pop(r, mark);
	}
}

/* Sets the defaults of a section, paths as they stand in the table. */
static void
set_defaults(struct config_reader *r, const struct config_key *k)
{
	for (; k->name != NULL; k++) {
		char *at = (char *)r->config + k->offset;
		unsigned u = (unsigned)k->def;
		bool b = k->def != 0;

		if (k->kind == CONFIG_UINT)
			memcpy(at, &u, sizeof u);
		else if (k->kind == CONFIG_UINT64)
			memcpy(at, &k->def, sizeof k->def);
		else if (k->kind == CONFIG_BOOL)
			memcpy(at, &b, sizeof b);
		else if (k->kind == CONFIG_PATH)
			reader_path(r, k->text, at, k->size);
		else if (k->kind == CONFIG_SECTION)
			set_defaults(r, k->keys);
	}
}

static void
set_custom_defaults(struct config *c)
{
	c->workers = CONFIG_WORKERS_AUTO;
	c->audit.deny_on_failure = true;
	c->unlocked_memory = CONFIG_UNLOCKED_WARN;
	c->log_level = LOG_LEVEL_INFO;
	(void)snprintf(c->name, sizeof c->name, "wayleave");
	c->dns.zones = c->dns_zones;
	c->dns.n_zones = 1;
	c->dns_zones[0].n_servers = 1;
	c->dns_zones[0].servers[0].port = 53;
	/* Azure's own resolver, the same in every virtual network. */
	c->dns_zones[0].servers[0].addr.family = ADDR_V4;
	memcpy(c->dns_zones[0].servers[0].addr.b,
	    (const uint8_t[]){ 168, 63, 129, 16 }, 4);
}

/* The folder of @path, absolute, without following the last component. */
static enum status
set_folder(struct config *c, const char *path)
{
	char cwd[PATH_MAX] = "";
	char *slash;
	int n;

	if (*path != '/' && getcwd(cwd, sizeof cwd) == NULL)
		return E_IO;
	n = snprintf(c->file, sizeof c->file, "%s%s%s", cwd,
	    *path != '/' ? "/" : "", path);
	if (n < 0 || (size_t)n >= sizeof c->file)
		return E_LIMIT;
	(void)snprintf(c->dir, sizeof c->dir, "%s", c->file);
	slash = strrchr(c->dir, '/');
	slash[slash == c->dir ? 1 : 0] = '\0';
	return OK;
}

static enum status
parse_text(struct config_reader *r)
{
	json_error_t err;
	struct json_place at = { 1, 1 };
	json_t *root;

	/* jansson would only say that its arguments are wrong. */
	if (r->text.n == 0) {
		issue_add(r->issues, at, "",
		    "the file is empty: at least {\"version\": 1} must stand "
		    "in it");
		return E_INVALID;
	}
	(void)wiping_starved();
	root = json_loadb(r->text.p, r->text.n, JSON_REJECT_DUPLICATES, &err);
	if (wiping_starved()) {
		json_decref(root);
		return E_NOMEM;
	}
	if (root == NULL) {
		at.line = err.line > 0 ? (unsigned)err.line : 1;
		at.column = err.column > 0 ? (unsigned)err.column : 1;
		issue_add(r->issues, at, "", err.text);
		return E_INVALID;
	}
	read_section(r, config_keys, root);
	if (json_object_get(root, "version") == NULL)
		reader_error(r, false,
		    "\"version\" is missing: add "
		    "\"version\": 1");
	config_judge(r);
	json_decref(root);
	return r->issues->n_errors > 0 ? E_INVALID : OK;
}

enum status
config_parse(struct slice text, const char *path, struct config **out,
    struct policy_issues *issues)
{
	struct config_reader r = { .text = text, .issues = issues };
	enum status st;

	issues->n = issues->n_errors = 0;
	r.config = calloc(1, sizeof *r.config);
	if (r.config == NULL)
		return E_NOMEM;
	st = set_folder(r.config, path);
	if (st != OK) {
		config_destroy(r.config);
		return st;
	}
	set_defaults(&r, config_keys);
	set_custom_defaults(r.config);
	st = parse_text(&r);
	if (st != OK) {
		config_destroy(r.config);
		return st;
	}
	*out = r.config;
	return OK;
}

enum status
config_load(const char *path, struct config **out, struct policy_issues *issues)
{
	struct status_detail detail;
	struct buf text;
	enum status st;

	issues->n = issues->n_errors = 0;
	buf_init(&text, CONFIG_FILE_MAX_BYTES);
	st = trusted_file_read(path, &text, &detail);
	if (st != OK)
		issue_add(issues, (struct json_place){ 1, 1 }, "", detail.text);
	else
		st = config_parse(buf_slice(&text), path, out, issues);
	buf_release(&text);
	return st;
}

void
config_destroy(struct config *c)
{
	free(c);
}

enum status
config_load_trust(
    const char *ca_file, struct tls_trust **out, struct status_detail *detail)
{
	enum status st = tls_trust_load(ca_file, out);

	if (st == OK)
		return OK;
	if (st != E_INVALID)
		return status_set(
		    detail, st, "/tls/ca_file: %s", status_text(st));
	return status_set(detail, st,
	    "/tls/ca_file: no certificate could be read from \"%s\"; "
	    "name a PEM file of CA certificates",
	    ca_file);
}

void
config_put_issues(
    struct buf *out, const char *file, const struct policy_issues *issues)
{
	for (size_t i = 0; i < issues->n; i++) {
		const struct policy_issue *p = &issues->at[i];

		buf_printf(out, "%s:%u:%u: %s%s%s%s\n", file, p->line,
		    p->column, p->is_error ? "" : "warning: ", p->pointer,
		    p->pointer[0] != '\0' ? ": " : "", p->text);
	}
}
