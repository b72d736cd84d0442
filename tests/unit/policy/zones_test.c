/* The private-link table: every entry of the data file, in every region. */
#include "tests/unit/test.h"

#include "policy/zones.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct region {
	char name[32], code[16];
};

struct entry {
	char suffixes[16][HOST_BYTES], zones[16][HOST_BYTES];
	size_t n_suffixes, n_zones;
	bool exact;
};

static struct region regions[128];
static size_t n_regions;
static size_t n_proved;

/* @pattern with every placeholder replaced. */
static void
fill(const char *pattern, const struct region *r, char *out)
{
	static const struct {
		const char *key, *value;
	} fixed[] = { { "{dnsPrefix}", "a1b2c3" }, { "{partitionId}", "2" },
		{ "{00-99}", "07" }, { "{subzone}", "sub" } };

	size_t n = 0;

	while (*pattern != '\0' && n + 40 < HOST_BYTES) {
		const char *value = NULL;
		size_t key_n = 0;

		for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
			if (strncmp(pattern, fixed[i].key,
			        strlen(fixed[i].key)) == 0) {
				value = fixed[i].value;
				key_n = strlen(fixed[i].key);
			}
		if (strncmp(pattern, "{regionName}", 12) == 0) {
			value = r->name;
			key_n = 12;
		} else if (strncmp(pattern, "{regionCode}", 12) == 0) {
			value = r->code;
			key_n = 12;
		}
		if (value != NULL)
			n += (size_t)snprintf(out + n, 40, "%s", value);
		else
			out[n++] = *pattern;
		pattern += value != NULL ? key_n : 1;
	}
	out[n] = '\0';
}

static void
prove(const char *suffix, const char *zone, const struct region *r)
{
	char host[2 * HOST_BYTES], name[2 * HOST_BYTES];
	char filled[HOST_BYTES], got[HOST_BYTES];
	struct zone_match m;

	fill(suffix, r, filled);
	(void)snprintf(host, sizeof host, "acct1.%s", filled);
	fill(zone, r, filled);
	(void)snprintf(name, sizeof name, "acct1.%s", filled);
	zones_of_host(host, &m);
	if (!zones_prove(&m, host, name, got) || strcmp(got, filled) != 0)
		fail_msg("%s is not proved by %s", host, name);
	/* The edge of a label is the edge of the zone. */
	(void)snprintf(name, sizeof name, "acct1.x%s", filled);
	if (zones_prove(&m, host, name, got) && strcmp(got, filled) == 0)
		fail_msg("%s is proved by %s", host, name);
	n_proved++;
}

static void
check_entry(const struct entry *e)
{
	for (size_t s = 0; s < e->n_suffixes; s++)
		for (size_t z = 0; z < e->n_zones; z++) {
			bool regional =
			    strstr(e->suffixes[s], "{region") != NULL;

			/* A zone may only repeat what the suffix has. */
			if (!regional && strstr(e->zones[z], "{region") != NULL)
				continue;
			if (strstr(e->suffixes[s], "{p") == NULL &&
			    strstr(e->zones[z], "{p") != NULL)
				continue;
			for (size_t r = 0; r < (regional ? n_regions : 1); r++)
				prove(e->suffixes[s], e->zones[z], &regions[r]);
		}
}

static char *
word(char **line)
{
	char *w = strsep(line, " \n");

	return w == NULL ? (char *)(uintptr_t) "" : w;
}

static void
take_line(char *line, struct entry *e)
{
	char *key = word(&line);

	if (strcmp(key, "region") == 0) {
		struct region *r = &regions[n_regions++];

		(void)snprintf(r->name, sizeof r->name, "%s", word(&line));
		(void)snprintf(r->code, sizeof r->code, "%s", word(&line));
	} else if (strcmp(key, "entry") == 0) {
		check_entry(e);
		memset(e, 0, sizeof *e);
	} else if (strcmp(key, "suffix") == 0 || strcmp(key, "alias") == 0) {
		(void)snprintf(e->suffixes[e->n_suffixes++], HOST_BYTES, "%s",
		    word(&line));
	} else if (strcmp(key, "zone") == 0) {
		(void)snprintf(
		    e->zones[e->n_zones++], HOST_BYTES, "%s", word(&line));
	}
}

static void
every_entry_proves_its_own_suffixes_in_every_region(void **state)
{
	const char *dir = getenv("SRCDIR");
	struct entry e = { .n_zones = 0 };
	char path[512], line[2048];
	FILE *f;

	(void)state;
	(void)snprintf(
	    path, sizeof path, "%s/policy/zones.txt", dir == NULL ? "." : dir);
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("no %s", path);
	else
		while (fgets(line, sizeof line, f) != NULL)
			take_line(line, &e);
	check_entry(&e);
	(void)fclose(f);
	assert_true(n_regions > 70);
	assert_true(n_proved > 2000);
}

static void
the_longest_suffix_decides(void **state)
{
	static const struct {
		const char *host, *name;
		bool proved;
	} want[] = {
		{ "srv.database.windows.net",
		    "srv.privatelink.database.windows.net", true },
		{ "mi.abc.database.windows.net",
		    "mi.privatelink.abc.database.windows.net", true },
		{ "mi.abc.database.windows.net",
		    "mi.privatelink.xyz.database.windows.net", false },
		{ "mi.abc.database.windows.net",
		    "mi.privatelink.database.windows.net", false },
		{ "management.azure.com", "management.privatelink.azure.com",
		    true },
		{ "w.workspace.westeurope.api.azureml.ms",
		    "w.workspace.westeurope.privatelink.api.azureml.ms", true },
		{ "e.westeurope.inference.ml.azure.com",
		    "e.w.inference.westeurope.privatelink.api.azureml.ms",
		    true },
		{ "acct1.z1.blob.storage.azure.net",
		    "acct1.privatelink.blob.core.windows.net", false },
		{ "evilblob.core.windows.net",
		    "evil.privatelink.blob.core.windows.net", false },
		{ "x.example", "x.privatelink.blob.core.windows.net", false },
	};

	char zone[HOST_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct zone_match m;

		zones_of_host(want[i].host, &m);
		if (zones_prove(&m, want[i].host, want[i].name, zone) !=
		    want[i].proved)
			fail_msg("%s by %s", want[i].host, want[i].name);
	}
}

static void
knows_where_a_record_belongs(void **state)
{
	static const struct {
		const char *host, *zone, *record;
	} want[] = {
		{ "acct1.blob.core.windows.net",
		    "privatelink.blob.core.windows.net", "acct1" },
		{ "kv1.vault.azure.net", "privatelink.vaultcore.azure.net",
		    "kv1" },
		{ "c.westeurope.kusto.windows.net",
		    "privatelink.westeurope.kusto.windows.net", "c" },
		{ "x.openai.azure.com", "privatelink.openai.azure.com", "x" },
		{ "management.azure.com", "privatelink.azure.com", "@" },
		{ "w.workspace.westeurope.api.azureml.ms",
		    "privatelink.api.azureml.ms", "w.workspace.westeurope" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct zone_place place;

		assert_true(zones_expected(want[i].host, &place));
		assert_string_equal(place.zone, want[i].zone);
		assert_string_equal(place.record, want[i].record);
	}
	assert_false(
	    zones_expected("x.example", &(struct zone_place){ .record = "" }));
}

static void
wildcards_over_accounts_are_found(void **state)
{
	static const struct {
		const char *tail;
		bool spans;
	} want[] = {
		{ "blob.core.windows.net", true },
		{ "core.windows.net", true },
		{ "windows.net", true },
		{ "vault.azure.net", true },
		{ "azurecr.io", true },
		{ "westeurope.data.azurecr.io", true },
		{ "data.azurecr.io", true },
		{ "workspace.westeurope.api.azureml.ms", true },
		{ "westeurope.instances.azureml.ms", true },
		{ "z12.blob.storage.azure.net", true },
		{ "blob.core.usgovcloudapi.net", true },
		{ "azurewebsites.net", true },
		{ "azureedge.net", true },
		{ "acct1.blob.core.windows.net", false },
		{ "g.workspace.westeurope.api.azureml.ms", false },
		{ "corp.example", false },
		{ "login.microsoftonline.com", false },
		{ "management.azure.com", false },
		{ "data.mcr.microsoft.com", false },
	};

	char example[HOST_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		if (zones_wildcard_spans_accounts(want[i].tail, example) !=
		    want[i].spans)
			fail_msg("%s", want[i].tail);
	assert_true(zones_wildcard_spans_accounts("azurecr.io", example));
	assert_string_equal(example, "acct1.azurecr.io");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    every_entry_proves_its_own_suffixes_in_every_region),
		cmocka_unit_test(the_longest_suffix_decides),
		cmocka_unit_test(knows_where_a_record_belongs),
		cmocka_unit_test(wildcards_over_accounts_are_found),
	};
	return cmocka_run_group_tests_name("zones", tests, NULL, NULL);
}
