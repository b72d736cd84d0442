/* Reads `gateways`: names, where each listens, and the one origin behind. */
#include "agent/config_keys.h"
#include "base/uri.h"
#include "policy/zones.h"
#include "proxy/forward_path.h"

#include <string.h>

static const char *const gateway_keys[] = { "name", "listen", "upstream",
	NULL };

/* The member @name, where it stands; an error where it does not. */
static json_t *
descend(
    struct config_reader *r, json_t *gateway, const char *name, size_t *mark)
{
	json_t *v = json_object_get(gateway, name);

	if (v == NULL) {
		reader_error(r, false, "\"%s\" is missing", name);
		return NULL;
	}
	*mark = reader_push(r, name);
	return v;
}

static void
read_name(struct config_reader *r, json_t *value, struct config_gateway *g)
{
	const struct config *c = r->config;
	const char *s = reader_text(r, value);

	if (s == NULL)
		return;
	for (const char *p = s; *p != '\0'; p++)
		if (!ascii_is_alnum(*p) && strchr("-._", *p) == NULL) {
			reader_error(r, false,
			    "may hold letters, digits, \"-\", \".\" and \"_\"");
			return;
		}
	if (!slice_copy(slice_of(s), g->name, sizeof g->name))
		reader_error(r, false, "has at most 63 bytes");
	for (size_t i = 0; i < c->n_gateways; i++)
		if (strcmp(c->gateways[i].name, s) == 0)
			reader_error(
			    r, false, "the name \"%s\" stands here twice", s);
}

/* Whoever reaches a gateway has a credential put in: nobody from outside
 * does, and no key lifts that. `listen` has been read before `gateways`. */
static void
judge_listen(struct config_reader *r, const struct config_listen *l)
{
	const struct config *c = r->config;
	const char *list = config_listed_as(c, l->name);

	if (l->path[0] == '\0' && !config_is_loopback(&l->addr))
		reader_error(r, false,
		    "\"%s\" is not a loopback address: others could use the "
		    "gateway's credential; use 127.0.0.1 or \"unix:/path\"",
		    l->name);
	if (list != NULL)
		reader_error(r, false, "\"%s\" stands under listen.%s already",
		    l->name, list);
	for (size_t i = 0; i < c->n_gateways; i++)
		if (strcmp(c->gateways[i].listen.name, l->name) == 0)
			reader_error(r, false,
			    "\"%s\" is the gateway \"%s\" already", l->name,
			    c->gateways[i].name);
}

static void
read_listen(struct config_reader *r, json_t *value, struct config_gateway *g)
{
	if (config_read_listener(r, value, &g->listen))
		judge_listen(r, &g->listen);
}

/* As a rule's host: the name that clients use, not the zone's own. */
static void
refuse_private_name(struct config_reader *r, const char *name)
{
	char public_name[HOST_BYTES];

	if (zones_public_name(name, public_name))
		reader_error(r, false,
		    "\"%s\" is the name in a private zone; use \"%s\", which "
		    "resolves through it",
		    name, public_name);
	else
		reader_error(r, false,
		    "\"%s\" is the name in a private zone; use the public "
		    "name, which resolves through it",
		    name);
}

static void
read_host(
    struct config_reader *r, const struct uri *u, struct config_gateway *g)
{
	const struct host *h = &u->authority.host;

	g->port = u->authority.port;
	if (h->kind != HOST_NAME)
		reader_error(r, false,
		    "must hold a host name: an address proves neither its "
		    "certificate nor a private route");
	else if (zones_is_private_name(h->name))
		refuse_private_name(r, h->name);
	else
		memcpy(g->host, h->name, sizeof g->host);
}

/* What stands before each request's path must read in one way only, as the
 * policy judges the whole. */
static void
read_prefix(
    struct config_reader *r, struct slice path, struct config_gateway *g)
{
	for (size_t i = 1; i < path.n; i++)
		if (path.p[i] == '/' && path.p[i - 1] == '/') {
			reader_error(r, false, "the path may not hold \"//\"");
			return;
		}
	if (path.n > 0 && path.p[path.n - 1] == '/')
		path.n--;
	if (!forward_path_ok(path, false))
		reader_error(r, false,
		    "the path may not hold \".\" or \"..\" as a segment, "
		    "\"\\\", or an escape of \"/\", \"\\\", \"%%\" and NUL");
	else if (!slice_copy(path, g->prefix, sizeof g->prefix))
		reader_error(r, false, "the path has at most %zu bytes",
		    sizeof g->prefix - 1);
}

static void
read_upstream(struct config_reader *r, json_t *value, struct config_gateway *g)
{
	const char *s = reader_text(r, value);
	struct uri u;

	if (s == NULL)
		return;
	if (uri_parse(slice_of(s), &u) != OK || u.scheme != URI_HTTPS) {
		reader_error(r, false,
		    "must be https://HOST[:PORT][/PATH], as in "
		    "\"https://ws.example/mlflow\"");
		return;
	}
	if (u.query.p != NULL)
		reader_error(
		    r, false, "may hold no query: each request brings its own");
	read_host(r, &u, g);
	read_prefix(r, u.path, g);
}

static void
read_gateway(struct config_reader *r, json_t *value)
{
	static const struct {
		const char *name;
		void (*read)(struct config_reader *r, json_t *value,
		    struct config_gateway *g);
	} members[] = {
		{ "name", read_name },
		{ "listen", read_listen },
		{ "upstream", read_upstream },
	};
	struct config *c = r->config;
	struct config_gateway g = { .port = 0 };
	size_t before, mark;

	if (!reader_object(r, value, gateway_keys))
		return;
	before = r->issues->n_errors;
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		json_t *v = descend(r, value, members[i].name, &mark);

		if (v == NULL)
			continue;
		members[i].read(r, v, &g);
		reader_pop(r, mark);
	}
	if (c->n_gateways == CONFIG_GATEWAYS_MAX)
		reader_error(
		    r, false, "at most %d gateways", CONFIG_GATEWAYS_MAX);
	else if (r->issues->n_errors == before)
		c->gateways[c->n_gateways++] = g;
}

void
config_read_gateways(struct config_reader *r, json_t *value)
{
	reader_each(r, value, read_gateway);
}
