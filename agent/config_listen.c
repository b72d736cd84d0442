/* Reads `listen`, and judges every address that is listened on. */
#include "agent/config_keys.h"

#include <stdio.h>
#include <string.h>

/* "unix:/path" of a listener. */
static bool
read_unix(struct config_reader *r, const char *path, struct config_listen *out)
{
	char whole[CONFIG_PATH_BYTES];

	if (*path == '\0') {
		reader_error(r, false, "the socket's path is missing");
		return false;
	}
	whole[0] = '\0';
	reader_path(r, path, whole, sizeof whole);
	if (!slice_copy(slice_of(whole), out->path, sizeof out->path)) {
		reader_error(r, false,
		    "a Unix socket's path has at most %zu bytes",
		    sizeof out->path - 1);
		return false;
	}
	(void)snprintf(out->name, sizeof out->name, "unix:%s", out->path);
	return true;
}

bool
config_read_listener(
    struct config_reader *r, json_t *value, struct config_listen *out)
{
	const char *s = reader_text(r, value);
	struct config_listen l = { 0 };
	char text[ADDR_TEXT_BYTES];

	if (s == NULL)
		return false;
	if (strncmp(s, "unix:", 5) == 0) {
		if (!read_unix(r, s + 5, &l))
			return false;
	} else if (addr_port_parse(slice_of(s), &l.addr, &l.port) != OK) {
		reader_error(r, false,
		    "must be \"ADDRESS:PORT\" (such as \"127.0.0.1:3180\") or "
		    "\"unix:/path\"");
		return false;
	} else {
		(void)snprintf(l.name, sizeof l.name, "%s",
		    addr_port_text(&l.addr, l.port, text));
	}
	*out = l;
	return true;
}

static void
read_one_listener(
    struct config_reader *r, json_t *value, struct config_listeners *list)
{
	struct config_listen l;

	if (!config_read_listener(r, value, &l))
		return;
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->at[i].name, l.name) == 0) {
			reader_error(r, false, "stands here twice");
			return;
		}
	if (list->n == CONFIG_LISTEN_MAX) {
		reader_error(
		    r, false, "at most %d listeners", CONFIG_LISTEN_MAX);
		return;
	}
	list->at[list->n++] = l;
}

static void
read_listeners(
    struct config_reader *r, json_t *value, struct config_listeners *list)
{
	size_t i;
	json_t *v;

	if (!json_is_array(value)) {
		reader_error(r, false, "must be a list of addresses");
		return;
	}
	json_array_foreach(value, i, v) {
		size_t mark = reader_push_index(r, i);

		read_one_listener(r, v, list);
		reader_pop(r, mark);
	}
}

void
config_read_proxy(struct config_reader *r, json_t *value)
{
	read_listeners(r, value, &r->config->proxy);
}

void
config_read_broker(struct config_reader *r, json_t *value)
{
	read_listeners(r, value, &r->config->broker);
}

void
config_read_admin(struct config_reader *r, json_t *value)
{
	read_listeners(r, value, &r->config->admin);
}

void
config_read_control(struct config_reader *r, json_t *value)
{
	const char *s = reader_text(r, value);
	struct config_listeners *list = &r->config->control;

	if (s == NULL)
		return;
	if (strncmp(s, "unix:", 5) == 0)
		s += 5;
	if (read_unix(r, s, &list->at[0]))
		list->n = 1;
}

bool
config_is_loopback(const struct addr *a)
{
	struct addr plain = addr_unmap(a);

	if (plain.family == ADDR_V4)
		return plain.b[0] == 127;
	for (size_t i = 0; i < 15; i++)
		if (plain.b[i] != 0)
			return false;
	return plain.b[15] == 1;
}

static void
judge_listeners(struct config_reader *r, const char *name,
    const struct config_listeners *list)
{
	size_t mark = reader_push(r, "listen");

	(void)reader_push(r, name);
	for (size_t i = 0; i < list->n; i++) {
		const struct config_listen *l = &list->at[i];
		size_t inner = reader_push_index(r, i);

		if (l->path[0] == '\0' && !config_is_loopback(&l->addr) &&
		    !r->config->unsafe_listen)
			reader_error(r, false,
			    "\"%s\" is not a loopback address: others could "
			    "reach it; use 127.0.0.1, or set "
			    "\"unsafe_listen\": true if that is meant",
			    l->name);
		reader_pop(r, inner);
	}
	reader_pop(r, mark);
}

static bool
list_has(const struct config_listeners *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->at[i].name, name) == 0)
			return true;
	return false;
}

/* One address serves one purpose. */
static void
judge_apart(struct config_reader *r, const char *name,
    const struct config_listeners *list, const char *other_name,
    const struct config_listeners *other)
{
	size_t mark = reader_push(r, "listen");

	(void)reader_push(r, name);
	for (size_t i = 0; i < list->n; i++) {
		size_t inner;

		if (!list_has(other, list->at[i].name))
			continue;
		inner = reader_push_index(r, i);
		reader_error(r, false, "\"%s\" stands under %s already",
		    list->at[i].name, other_name);
		reader_pop(r, inner);
	}
	reader_pop(r, mark);
}

const char *
config_listed_as(const struct config *c, const char *name)
{
	if (list_has(&c->proxy, name))
		return "proxy";
	if (list_has(&c->broker, name))
		return "broker";
	if (list_has(&c->admin, name))
		return "admin";
	return list_has(&c->control, name) ? "control" : NULL;
}

void
config_judge(struct config_reader *r)
{
	const struct config *c = r->config;

	judge_listeners(r, "proxy", &c->proxy);
	judge_listeners(r, "broker", &c->broker);
	judge_listeners(r, "admin", &c->admin);
	judge_apart(r, "broker", &c->broker, "proxy", &c->proxy);
	judge_apart(r, "admin", &c->admin, "proxy", &c->proxy);
	judge_apart(r, "admin", &c->admin, "broker", &c->broker);
}
