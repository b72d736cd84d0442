/* Hosts against the private-link table that zones.awk makes. */
#include "policy/zones.h"

#include <stdio.h>
#include <string.h>

struct public_host {
	const char *host; /**< may begin with "*." */
	const char *why;
};

/** The entries whose suffixes end in the same two labels. */
struct zone_group {
	const char *key;
	uint8_t n;
	uint16_t first, n_entries;
};

#include "policy/zones_table.h"

/** What the placeholders of a suffix matched. */
struct captures {
	struct {
		struct slice key, value;
	} at[4];

	size_t n;
	bool closed; /**< nothing new but {subzone} */
};

/* The last label of @s, which is cut off it. */
static struct slice
pop_label(struct slice *s)
{
	struct slice label;
	size_t i = s->n;

	while (i > 0 && s->p[i - 1] != '.')
		i--;
	label = slice_from(*s, i);
	s->n = i == 0 ? 0 : i - 1;
	return label;
}

static bool
value_fits(struct slice key, struct slice value)
{
	if (value.n == 0)
		return false;
	if (slice_is(key, "{00-99}"))
		return value.n == 2 && ascii_is_digit(value.p[0]) &&
		    ascii_is_digit(value.p[1]);
	if (slice_is(key, "{partitionId}"))
		return value.n <= 2 && ascii_is_digit(value.p[0]);
	return true;
}

static bool
capture(struct captures *c, struct slice key, struct slice value)
{
	for (size_t i = 0; i < c->n; i++)
		if (slice_eq(c->at[i].key, key))
			return slice_eq(c->at[i].value, value);
	if (c->closed && !slice_is(key, "{subzone}"))
		return false;
	if (c->n < ARRAY_LEN(c->at)) {
		c->at[c->n].key = key;
		c->at[c->n].value = value;
		c->n++;
	}
	return true;
}

/* "z{00-99}" against "z12": text before and after one placeholder. */
static bool
label_fits(struct slice pattern, struct slice label, struct captures *c)
{
	size_t open = slice_find(pattern, '{');
	size_t close = slice_find(pattern, '}');
	struct slice head, tail, value;

	if (open == pattern.n)
		return slice_eq(pattern, label);
	head = slice_head(pattern, open);
	tail = slice_from(pattern, close + 1);
	if (label.n < head.n + tail.n || !slice_starts(label, head) ||
	    !slice_ends(label, tail))
		return false;
	value =
	    slice_head(slice_from(label, head.n), label.n - head.n - tail.n);
	pattern = slice_head(slice_from(pattern, open), close + 1 - open);
	return value_fits(pattern, value) && capture(c, pattern, value);
}

/* Labels of @pattern against the last labels of @name; how many labels of
 * @name are left over is written to @rest. */
static bool
tail_fits(const char *pattern, size_t pattern_n, struct slice name,
    struct captures *c, struct slice *rest)
{
	struct slice p = { pattern, pattern_n };

	while (p.n > 0) {
		if (name.n == 0)
			return false;
		if (!label_fits(pop_label(&p), pop_label(&name), c))
			return false;
	}
	*rest = name;
	return true;
}

static size_t
placeholder_count(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += *s == '{';
	return n;
}

static bool
entry_covers(const struct zone_entry *e, struct slice host, struct captures *c)
{
	struct slice rest;

	/* Most entries are ruled out by their literal end alone. */
	if (host.n < e->tail_n ||
	    memcmp(host.p + host.n - e->tail_n,
	        e->suffix + e->suffix_n - e->tail_n, e->tail_n) != 0)
		return false;
	return tail_fits(e->suffix, e->suffix_n, host, c, &rest) &&
	    (rest.n > 0 || e->exact);
}

/* More labels first; at equal length, fewer placeholders. */
static int
entry_rank(const struct zone_entry *e)
{
	size_t labels = host_label_count(slice_of(e->suffix));

	return (int)(labels * 8 - placeholder_count(e->suffix));
}

static const struct zone_group *
group_of(struct slice host)
{
	struct slice rest = host, key;

	(void)pop_label(&rest);
	(void)pop_label(&rest);
	key = slice_from(host, rest.n == 0 ? 0 : rest.n + 1);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (key.n > 0 && groups[i].n == key.n &&
		    memcmp(groups[i].key, key.p, key.n) == 0)
			return &groups[i];
	return NULL;
}

void
zones_of_host(const char *host, struct zone_match *out)
{
	struct slice name = slice_of(host);
	const struct zone_group *g = group_of(name);
	int best = -1;

	out->n = 0;
	for (size_t i = 0; g != NULL && i < g->n_entries; i++) {
		const struct zone_entry *e = &entries[g->first + i];
		struct captures c = { .n = 0 };
		int rank;

		if (!entry_covers(e, name, &c))
			continue;
		rank = entry_rank(e);
		if (rank < best)
			continue;
		if (rank > best)
			out->n = 0;
		best = rank;
		if (out->n < ARRAY_LEN(out->entries))
			out->entries[out->n++] = e;
	}
}

/* The next word of a space-joined list; false at its end. */
static bool
next_word(const char **list, struct slice *word)
{
	size_t n = strcspn(*list, " ");

	if (n == 0)
		return false;
	*word = (struct slice){ *list, n };
	*list += n + ((*list)[n] == ' ');
	return true;
}

/* @zone with what @c knows put in for the placeholders. */
static void
fill_in(struct slice zone, const struct captures *c, char out[HOST_BYTES])
{
	size_t n = 0;

	for (size_t i = 0; i < zone.n && n + 1 < HOST_BYTES; i++) {
		struct slice rest = slice_from(zone, i), value = { NULL, 0 };

		if (zone.p[i] != '{') {
			out[n++] = zone.p[i];
			continue;
		}
		rest = slice_head(rest, slice_find(rest, '}') + 1);
		for (size_t k = 0; k < c->n; k++)
			if (slice_eq(c->at[k].key, rest))
				value = c->at[k].value;
		if (value.p == NULL)
			value = rest;
		value = slice_head(value, HOST_BYTES - 1 - n);
		memcpy(out + n, value.p, value.n);
		n += value.n;
		i += rest.n - 1;
	}
	out[n] = '\0';
}

/* The longest of the entry's zones that @name lies in. */
static size_t
entry_proves(const struct zone_entry *e, const char *host, const char *name,
    char zone[HOST_BYTES])
{
	const char *list = e->zones;
	struct slice word, rest;
	size_t best = 0;

	while (next_word(&list, &word)) {
		struct captures c = { .n = 0 };

		if (word.n <= best || !entry_covers(e, slice_of(host), &c))
			continue;
		/* The zone must be the one of the host's own region. */
		c.closed = true;
		if (!tail_fits(word.p, word.n, slice_of(name), &c, &rest))
			continue;
		/* A record is no zone of its own within a listed zone. */
		if (rest.n == 0 && best > 0)
			continue;
		fill_in(word, &c, zone);
		best = word.n;
	}
	return best;
}

bool
zones_prove(const struct zone_match *m, const char *host, const char *name,
    char zone[HOST_BYTES])
{
	for (size_t i = 0; i < m->n; i++)
		if (entry_proves(m->entries[i], host, name, zone) > 0)
			return true;
	return false;
}

/* Of several zones, the one named after the suffix. */
static struct slice
main_zone(const struct zone_entry *e)
{
	const char *list = e->zones;
	struct slice word, best = { NULL, 0 };

	while (next_word(&list, &word)) {
		if (slice_starts(word, SLICE("privatelink.")) &&
		    slice_ends(slice_of(e->suffix), slice_from(word, 12)))
			return word;
		if (best.p == NULL)
			best = word;
	}
	return best;
}

bool
zones_expected(const char *host, struct zone_place *out)
{
	struct zone_match m;
	struct captures c = { .n = 0 };
	struct slice rest;
	const struct zone_entry *e;

	zones_of_host(host, &m);
	if (m.n == 0)
		return false;
	e = m.entries[0];
	if (!tail_fits(e->suffix, e->suffix_n, slice_of(host), &c, &rest))
		return false;
	out->entry = e;
	fill_in(main_zone(e), &c, out->zone);
	if (rest.n == 0 || !slice_copy(rest, out->record, sizeof out->record))
		memcpy(out->record, "@", 2);
	return true;
}

bool
zones_is_private_name(const char *name)
{
	struct slice s = slice_of(name);

	return host_has_label(s, SLICE("privatelink")) ||
	    host_has_label(s, SLICE("privatelink-global"));
}

static bool
public_from_zone(const struct zone_entry *e, struct slice zone,
    struct slice name, char out[HOST_BYTES])
{
	struct captures c = { .n = 0 };
	struct slice rest;
	char suffix[HOST_BYTES];
	int n;

	if (e->alias || !tail_fits(zone.p, zone.n, name, &c, &rest) ||
	    rest.n == 0)
		return false;
	fill_in(slice_of(e->suffix), &c, suffix);
	if (strchr(suffix, '{') != NULL)
		return false;
	n = snprintf(out, HOST_BYTES, "%.*s.%s", (int)rest.n, rest.p, suffix);
	return n > 0 && n < HOST_BYTES;
}

bool
zones_public_name(const char *name, char out[HOST_BYTES])
{
	struct slice found = { NULL, 0 };

	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		const char *list = entries[i].zones;
		struct slice word;
		char text[HOST_BYTES];

		while (next_word(&list, &word)) {
			bool named = word.n > 12 &&
			    slice_is(slice_from(word, 12), entries[i].suffix);

			/* The entry named after the zone wins, else the
			 * first one of the longest zone. */
			if ((word.n < found.n ||
			        (word.n == found.n && !named)) ||
			    !public_from_zone(
			        &entries[i], word, slice_of(name), text))
				continue;
			memcpy(out, text, sizeof text);
			found = word;
		}
	}
	return found.p != NULL;
}

/* Whether a name directly under @suffix can lie under @tail: the labels
 * agree from the right, and @tail has no more of them. */
static bool
tail_spans(const char *tail, const char *suffix)
{
	struct slice t = slice_of(tail), s = slice_of(suffix);
	struct captures c = { .n = 0 };

	while (t.n > 0) {
		if (s.n == 0 || !label_fits(pop_label(&s), pop_label(&t), &c))
			return false;
	}
	return true;
}

static void
account_example(const char *tail, const char *suffix, char out[HOST_BYTES])
{
	struct slice t = slice_of(tail), s = slice_of(suffix);
	struct captures c = { .n = 0 };
	char filled[HOST_BYTES];
	size_t n = 0;

	while (t.n > 0 && s.n > 0)
		(void)label_fits(pop_label(&s), pop_label(&t), &c);
	(void)capture(&c, SLICE("{regionName}"), SLICE("westeurope"));
	(void)capture(&c, SLICE("{regionCode}"), SLICE("we"));
	(void)capture(&c, SLICE("{00-99}"), SLICE("01"));
	(void)capture(&c, SLICE("{dnsPrefix}"), SLICE("a1b2c3"));
	fill_in(slice_of(suffix), &c, filled);
	n = (size_t)snprintf(out, HOST_BYTES, "acct1.%s", filled);
	if (n >= HOST_BYTES)
		out[0] = '\0';
}

bool
zones_wildcard_spans_accounts(const char *tail, char example[HOST_BYTES])
{
	const struct zone_group *g = group_of(slice_of(tail));
	const char *suffix = NULL;
	size_t best = SIZE_MAX;

	/* The shortest suffix makes the plainest example. One that agrees
	 * with two labels or more of @tail has the same last two. */
	for (size_t i = 0; g != NULL && i < g->n_entries; i++) {
		const struct zone_entry *e = &entries[g->first + i];

		if (!e->account || e->suffix_n >= best ||
		    !tail_spans(tail, e->suffix))
			continue;
		suffix = e->suffix;
		best = e->suffix_n;
	}
	for (size_t i = 0; i < ARRAY_LEN(account_suffixes); i++)
		if (suffix == NULL && tail_spans(tail, account_suffixes[i]))
			suffix = account_suffixes[i];
	if (suffix == NULL)
		return false;
	account_example(tail, suffix, example);
	return true;
}

const char *
zones_public_reason(const char *host)
{
	for (size_t i = 0; i < ARRAY_LEN(public_hosts); i++) {
		const char *h = public_hosts[i].host;

		if (strcmp(host, h) == 0 ||
		    (h[0] == '*' &&
		        host_in_suffix(slice_of(host), slice_of(h + 2))))
			return public_hosts[i].why;
	}
	return NULL;
}
