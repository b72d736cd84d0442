/* Reads `identities`: names, sources and the one selector of each. */
#include "agent/config_keys.h"
#include "base/jsonpos.h"
#include "base/uri.h"

#include <stdio.h>
#include <string.h>

static const char *const identity_keys[] = { "name", "source", "endpoint",
	"client_id", "object_id", "mi_res_id", "header_file", "secret_file",
	"key_dir", "tenant_id", "token_file", "authority", NULL };
static const char *const imds_keys[] = { "name", "source", "endpoint",
	"client_id", "object_id", "mi_res_id", NULL };
static const char *const sources[] = { "imds", "app-service", "azureml", "arc",
	"workload-identity", "user" };

static bool
is_listed(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], s) == 0)
			return true;
	return false;
}

static const char *
member_text(struct config_reader *r, json_t *value, const char *name)
{
	json_t *v = json_object_get(value, name);
	size_t mark;
	const char *s;

	if (v == NULL)
		return NULL;
	mark = reader_push(r, name);
	s = reader_text(r, v);
	reader_pop(r, mark);
	return s;
}

static void
read_name(struct config_reader *r, json_t *value, struct identity_config *id)
{
	const char *s = member_text(r, value, "name");

	if (s == NULL) {
		if (json_object_get(value, "name") == NULL)
			reader_error(r, false, "\"name\" is missing");
		return;
	}
	for (const char *p = s; *p != '\0'; p++)
		if (!ascii_is_alnum(*p) && strchr("-._", *p) == NULL) {
			reader_member_error(r, "name",
			    "may hold letters, digits, \"-\", \".\" and "
			    "\"_\"");
			return;
		}
	if (!slice_copy(slice_of(s), id->name, sizeof id->name))
		reader_member_error(r, "name", "has at most 63 bytes");
	for (size_t i = 0; i < r->config->n_identities; i++)
		if (strcmp(r->config->identities[i].name, s) == 0)
			reader_member_error(
			    r, "name", "the name \"%s\" stands here twice", s);
}

static bool
read_source(struct config_reader *r, json_t *value)
{
	const char *s = member_text(r, value, "source");
	const char *near;

	if (s == NULL) {
		if (json_object_get(value, "source") == NULL)
			reader_error(r, false, "\"source\" is missing");
		return false;
	}
	if (strcmp(s, "imds") == 0)
		return true;
	if (is_listed(s, sources, ARRAY_LEN(sources))) {
		reader_member_error(r, "source",
		    "source \"%s\" is not in this version; \"imds\" is", s);
		return false;
	}
	near = nearest_name(slice_of(s), sources, ARRAY_LEN(sources));
	reader_member_error(r, "source", "unknown source; did you mean \"%s\"?",
	    near != NULL ? near : "imds");
	return false;
}

static void
read_endpoint(
    struct config_reader *r, json_t *value, struct identity_config *id)
{
	const char *s = member_text(r, value, "endpoint");
	struct uri u;

	if (s == NULL)
		s = "http://169.254.169.254";
	if (uri_parse(slice_of(s), &u) != OK || u.scheme != URI_HTTP ||
	    u.path_query.n != 0) {
		reader_member_error(
		    r, "endpoint", "must be http://HOST[:PORT] without a path");
		return;
	}
	if (!slice_copy(slice_of(s), id->endpoint, sizeof id->endpoint))
		reader_member_error(r, "endpoint", "has at most 255 bytes");
}

static void
read_selector(
    struct config_reader *r, json_t *value, struct identity_config *id)
{
	static const struct {
		const char *name;
		enum identity_selector selector;
	} kinds[] = {
		{ "client_id", IDENTITY_CLIENT_ID },
		{ "object_id", IDENTITY_OBJECT_ID },
		{ "mi_res_id", IDENTITY_MI_RES_ID },
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const char *s = member_text(r, value, kinds[i].name);

		if (s == NULL)
			continue;
		if (id->selector != IDENTITY_SELECTOR_NONE)
			reader_member_error(r, kinds[i].name,
			    "only one of client_id, object_id and mi_res_id "
			    "may stand here");
		id->selector = kinds[i].selector;
		if (!slice_copy(slice_of(s), id->selector_value,
		        sizeof id->selector_value))
			reader_member_error(
			    r, kinds[i].name, "has at most 511 bytes");
	}
}

bool
config_has_identity(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_identities; i++)
		if (strcmp(c->identities[i].name, name) == 0)
			return true;
	return false;
}

static void
read_identity(struct config_reader *r, json_t *value)
{
	struct config *c = r->config;
	struct identity_config id = { .source = IDENTITY_IMDS };

	if (!reader_object(r, value, identity_keys))
		return;
	read_name(r, value, &id);
	if (!read_source(r, value))
		return;
	if (!reader_object(r, value, imds_keys))
		return;
	read_endpoint(r, value, &id);
	read_selector(r, value, &id);
	if (c->n_identities == CONFIG_IDENTITIES_MAX) {
		reader_error(
		    r, false, "at most %d identities", CONFIG_IDENTITIES_MAX);
		return;
	}
	c->identities[c->n_identities++] = id;
}

void
config_read_identities(struct config_reader *r, json_t *value)
{
	reader_each(r, value, read_identity);
}
