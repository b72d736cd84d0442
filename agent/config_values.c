/* Readers of the keys whose values are more than a number or a text. */
#include "agent/config_keys.h"
#include "base/host.h"
#include "base/uri.h"

#include <stdio.h>
#include <string.h>

void
config_read_version(struct config_reader *r, json_t *value)
{
	if (!json_is_integer(value) || json_integer_value(value) != 1)
		reader_error(r, false, "must be 1");
	r->config->version = 1;
}

/* The label stands in header fields: a token of RFC 9110 5.6.2. */
void
config_read_name(struct config_reader *r, json_t *value)
{
	const char *s = reader_text(r, value);

	if (s == NULL)
		return;
	for (const char *p = s; *p != '\0'; p++)
		if (!ascii_is_alnum(*p) && strchr("-._", *p) == NULL) {
			reader_error(r, false,
			    "may hold letters, digits, \"-\", \".\" and \"_\"");
			return;
		}
	if (!slice_copy(slice_of(s), r->config->name, sizeof r->config->name))
		reader_error(r, false, "too long: at most 63 bytes");
}

void
config_read_workers(struct config_reader *r, json_t *value)
{
	json_int_t v = json_integer_value(value);

	if (json_is_string(value) &&
	    strcmp(json_string_value(value), "auto") == 0)
		r->config->workers = CONFIG_WORKERS_AUTO;
	else if (json_is_integer(value) && v >= 0 && v <= 64)
		r->config->workers = (int)v;
	else
		reader_error(r, false,
		    "must be \"auto\" or a whole number from 0 to 64");
}

/* Keys of later capabilities: an empty list keeps the file's one shape. */
void
config_read_later(struct config_reader *r, json_t *value)
{
	if (!json_is_array(value))
		reader_error(r, false, "must be a list");
	else if (json_array_size(value) > 0)
		reader_error(
		    r, false, "not in this version: leave the list empty");
}

static void
read_server(struct config_reader *r, json_t *value, struct proxy_dns_zone *zone)
{
	const char *s = reader_text(r, value);
	struct addr addr;
	uint16_t port = 53;

	if (s == NULL)
		return;
	if (addr_port_parse(slice_of(s), &addr, &port) != OK &&
	    addr_parse(slice_of(s), &addr) != OK) {
		reader_error(r, false,
		    "must be ADDRESS or ADDRESS:PORT of a name server");
		return;
	}
	if (zone->n_servers == ARRAY_LEN(zone->servers)) {
		reader_error(
		    r, false, "at most %zu servers", ARRAY_LEN(zone->servers));
		return;
	}
	zone->servers[zone->n_servers].addr = addr;
	zone->servers[zone->n_servers].port = port;
	zone->n_servers++;
}

static void
read_server_list(
    struct config_reader *r, json_t *value, struct proxy_dns_zone *zone)
{
	size_t i;
	json_t *v;

	if (!json_is_array(value) || json_array_size(value) == 0) {
		reader_error(r, false, "must be a list of name servers");
		return;
	}
	zone->n_servers = 0;
	json_array_foreach(value, i, v) {
		size_t mark = reader_push_index(r, i);

		read_server(r, v, zone);
		reader_pop(r, mark);
	}
}

void
config_read_servers(struct config_reader *r, json_t *value)
{
	read_server_list(r, value, &r->config->dns_zones[0]);
}

static void
read_zone_suffix(
    struct config_reader *r, json_t *value, struct proxy_dns_zone *zone)
{
	const char *s;
	const struct config *c = r->config;

	if (value == NULL) {
		reader_error(r, false, "\"suffix\" is missing");
		return;
	}
	s = reader_text(r, value);
	if (s == NULL)
		return;
	if (host_parse_name(slice_of(s), zone->suffix) != OK) {
		reader_member_error(r, "suffix",
		    "must be a domain name, as in \"corp.example\"");
		return;
	}
	for (size_t i = 1; i < c->dns.n_zones; i++)
		if (&c->dns_zones[i] != zone &&
		    strcmp(c->dns_zones[i].suffix, zone->suffix) == 0)
			reader_member_error(
			    r, "suffix", "the suffix stands here twice");
}

static void
read_zone(struct config_reader *r, json_t *value)
{
	static const char *const keys[] = { "suffix", "servers", NULL };
	struct config *c = r->config;
	struct proxy_dns_zone *zone;
	json_t *servers;
	size_t mark;

	if (!reader_object(r, value, keys))
		return;
	if (c->dns.n_zones == CONFIG_ZONES_MAX) {
		reader_error(
		    r, false, "at most %d zones", CONFIG_ZONES_MAX - 1);
		return;
	}
	zone = &c->dns_zones[c->dns.n_zones++];
	read_zone_suffix(r, json_object_get(value, "suffix"), zone);
	servers = json_object_get(value, "servers");
	if (servers == NULL) {
		reader_error(r, false, "\"servers\" is missing");
		return;
	}
	mark = reader_push(r, "servers");
	read_server_list(r, servers, zone);
	reader_pop(r, mark);
}

void
config_read_zones(struct config_reader *r, json_t *value)
{
	reader_each(r, value, read_zone);
}

void
config_read_on_failure(struct config_reader *r, json_t *value)
{
	const char *s = json_string_value(value);

	if (s != NULL && strcmp(s, "deny") == 0)
		r->config->audit.deny_on_failure = true;
	else if (s != NULL && strcmp(s, "continue") == 0)
		r->config->audit.deny_on_failure = false;
	else
		reader_error(r, false, "must be \"deny\" or \"continue\"");
}

void
config_read_unlocked(struct config_reader *r, json_t *value)
{
	const char *s = json_string_value(value);

	if (s != NULL && strcmp(s, "warn") == 0)
		r->config->unlocked_memory = CONFIG_UNLOCKED_WARN;
	else if (s != NULL && strcmp(s, "refuse") == 0)
		r->config->unlocked_memory = CONFIG_UNLOCKED_REFUSE;
	else
		reader_error(r, false, "must be \"warn\" or \"refuse\"");
}

static const char *const inspections[] = {
	[CONFIG_INSPECTION_AUTO] = "auto",
	[CONFIG_INSPECTION_CREDENTIAL] = "credential",
	[CONFIG_INSPECTION_OFF] = "off",
};

const char *
config_inspection_name(enum config_inspection inspection)
{
	return inspections[inspection];
}

void
config_read_inspection(struct config_reader *r, json_t *value)
{
	const char *s = json_string_value(value);

	for (size_t i = 0; s != NULL && i < ARRAY_LEN(inspections); i++)
		if (strcmp(s, inspections[i]) == 0) {
			r->config->inspection = (enum config_inspection)i;
			return;
		}
	reader_error(r, false, "must be \"auto\", \"credential\" or \"off\"");
}

void
config_read_level(struct config_reader *r, json_t *value)
{
	const char *s = json_string_value(value);
	enum log_level level;

	if (s == NULL || !log_level_from_text(s, &level)) {
		reader_error(r, false,
		    "must be \"error\", \"warning\", \"notice\", \"info\" or "
		    "\"debug\"");
		return;
	}
	r->config->log_level = level;
}
