/* The last denials, so that `wayleave why ID` can tell more of them. */
#include "agent/denials.h"

#include "base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMBERS_MAX_BYTES = 16384, LINES_PER_S = 20 };

struct kept {
	char id[RECORD_ID_BYTES];
	uint64_t number; /**< from 1, in the order of their noting */
	struct denial_line line;
	bool peer_known;
	uint32_t uid;
	struct buf members;
	struct policy_explanation explanation;
};

struct denials {
	pthread_mutex_t lock;
	struct kept *at[DENIALS_KEPT];
	size_t next;
	uint64_t noted;
	/* The journal's share: no client may fill it. */
	int64_t second;
	unsigned lines, dropped;
};

static void
kept_free(struct kept *k)
{
	if (k == NULL)
		return;
	buf_release(&k->members);
	free(k);
}

enum status
denials_create(struct denials **out)
{
	struct denials *d = calloc(1, sizeof *d);

	if (d == NULL)
		return E_NOMEM;
	if (pthread_mutex_init(&d->lock, NULL) != 0) {
		free(d);
		return E_NOMEM;
	}
	*out = d;
	return OK;
}

void
denials_destroy(struct denials *d)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < DENIALS_KEPT; i++)
		kept_free(d->at[i]);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static const struct kept *
find_newest(const struct denials *d, struct slice id)
{
	for (size_t i = 1; i <= DENIALS_KEPT; i++) {
		const struct kept *k =
		    d->at[(d->next + DENIALS_KEPT - i) % DENIALS_KEPT];

		if (k == NULL)
			return NULL;
		if (slice_is(id, k->id))
			return k;
	}
	return NULL;
}

/* Under lock: whether this one gets a line; equal ones share their id and
 * are told once (contract 5). *dropped: how many before it got none. */
static bool
may_tell(struct denials *d, const char *id, unsigned *dropped)
{
	int64_t now = clock_unix_s(&clock_system);

	if (find_newest(d, slice_of(id)) != NULL)
		return false;
	if (now != d->second) {
		d->second = now;
		d->lines = 0;
	}
	if (d->lines == LINES_PER_S) {
		d->dropped++;
		return false;
	}
	d->lines++;
	*dropped = d->dropped;
	d->dropped = 0;
	return true;
}

/* An audience is whatever the client sent: one word of ASCII is told. */
static void
name_destination(const struct record *r, char out[DENIAL_DESTINATION_BYTES])
{
	bool has_host = r->host != NULL && *r->host != '\0';
	const char *audience = r->audience != NULL ? r->audience : "";
	size_t n = 0;

	if (has_host) {
		(void)snprintf(
		    out, DENIAL_DESTINATION_BYTES, "%s:%u", r->host, r->port);
		return;
	}
	for (; audience[n] != '\0' && n < DENIAL_DESTINATION_BYTES - 1; n++)
		out[n] =
		    audience[n] > ' ' && audience[n] <= '~' ? audience[n] : '?';
	out[n] = '\0';
	/* No token was asked for, nor anything else that has a name. */
	if (n == 0)
		(void)snprintf(out, DENIAL_DESTINATION_BYTES, "%s",
		    r->protocol != NULL && strcmp(r->protocol, "broker") == 0
		        ? "a request to the broker"
		        : "-");
}

static void
tell(const struct record *r, const char *id, unsigned dropped)
{
	char destination[DENIAL_DESTINATION_BYTES];
	const struct peer *p = r->peer;
	char who[96] = "an unknown workload";

	if (p != NULL && p->known)
		(void)snprintf(who, sizeof who, "uid %u (%s)", p->uid,
		    p->user != NULL && *p->user != '\0' ? p->user : "?");
	name_destination(r, destination);
	log_notice("denied %s id=%s: %s for %s", reason_code(r->code), id,
	    destination, who);
	if (dropped > 0)
		log_notice(
		    "%u denials before it are in the audit alone", dropped);
}

static struct kept *
kept_new(const struct proxy_denial *denial)
{
	struct kept *k = calloc(1, sizeof *k);

	if (k == NULL)
		return NULL; /* the audit has it all the same */
	memcpy(k->id, denial->id, sizeof k->id);
	buf_init(&k->members, MEMBERS_MAX_BYTES);
	record_write(&k->members, denial->record);
	memcpy(k->line.id, denial->id, sizeof k->line.id);
	k->line.code = denial->record->code;
	name_destination(denial->record, k->line.destination);
	if (denial->record->peer != NULL) {
		k->peer_known = denial->record->peer->known;
		k->uid = denial->record->peer->uid;
	}
	if (denial->explanation != NULL)
		k->explanation = *denial->explanation;
	if (buf_status(&k->members) == OK)
		return k;
	kept_free(k);
	return NULL;
}

void
denials_note(struct denials *d, const struct proxy_denial *denial)
{
	struct kept *k = kept_new(denial);
	struct kept *old = NULL;
	unsigned dropped = 0;
	bool told;

	pthread_mutex_lock(&d->lock);
	told = may_tell(d, denial->id, &dropped);
	d->noted++;
	if (k != NULL) {
		k->number = d->noted;
		old = d->at[d->next];
		d->at[d->next] = k;
		d->next = (d->next + 1) % DENIALS_KEPT;
	}
	pthread_mutex_unlock(&d->lock);
	kept_free(old);
	if (told)
		tell(denial->record, denial->id, dropped);
}

enum status
denials_find(struct denials *d, struct slice id, struct denial_found *out)
{
	const struct kept *k;
	enum status st = E_NOTFOUND;

	pthread_mutex_lock(&d->lock);
	k = find_newest(d, id);
	if (k != NULL) {
		out->peer_known = k->peer_known;
		out->uid = k->uid;
		out->explanation = k->explanation;
		buf_init(&out->members, MEMBERS_MAX_BYTES);
		buf_put_slice(&out->members, buf_slice(&k->members));
		st = buf_status(&out->members);
		if (st != OK)
			buf_release(&out->members);
	}
	pthread_mutex_unlock(&d->lock);
	return st;
}

static bool
has_line(const struct denial_line *lines, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(lines[i].id, id) == 0)
			return true;
	return false;
}

static void
turn_round(struct denial_line *lines, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		struct denial_line l = lines[i];

		lines[i] = lines[n - 1 - i];
		lines[n - 1 - i] = l;
	}
}

size_t
denials_of(struct denials *d, uint32_t uid, uint64_t after,
    struct denial_line out[DENIAL_LINES_MAX], uint64_t *last)
{
	size_t n = 0;

	pthread_mutex_lock(&d->lock);
	*last = d->noted;
	for (size_t i = 1; i <= DENIALS_KEPT && n < DENIAL_LINES_MAX; i++) {
		const struct kept *k =
		    d->at[(d->next + DENIALS_KEPT - i) % DENIALS_KEPT];

		if (k == NULL || k->number <= after)
			break;
		if (k->peer_known && k->uid == uid && !has_line(out, n, k->id))
			out[n++] = k->line;
	}
	pthread_mutex_unlock(&d->lock);
	turn_round(out, n);
	return n;
}

void
denials_put_own(
    struct jsonw *w, struct denials *d, uint32_t uid, uint64_t after)
{
	struct denial_line lines[DENIAL_LINES_MAX];
	uint64_t last;
	size_t n = denials_of(d, uid, after, lines, &last);

	jsonw_u64(w, "last", last);
	jsonw_array(w, "denials");
	for (size_t i = 0; i < n; i++) {
		jsonw_object(w, NULL);
		jsonw_str(w, "id", lines[i].id);
		jsonw_str(w, "code", reason_code(lines[i].code));
		jsonw_str(w, "destination", lines[i].destination);
		jsonw_str(w, "reason", reason_info(lines[i].code)->text);
		jsonw_object_end(w);
	}
	jsonw_array_end(w);
}
