/* Two clocks and one token: what can be said to those who ask. */
#include "identity/entry.h"

#include <stdlib.h>
#include <string.h>

enum {
	CLOCK_JUMP_MS = 60 * 1000, /**< clocks that disagree by more */
	CLOCK_SKEW_S = 60,         /**< more: the source's clock is right */
};

struct cache_entry *
entry_create(size_t config, struct slice resource, int64_t now_ms)
{
	struct cache_entry *e = calloc(1, sizeof *e);

	if (e == NULL)
		return NULL;
	e->resource = malloc(resource.n + 1);
	if (e->resource == NULL ||
	    !slice_copy(resource, e->resource, resource.n + 1)) {
		free(e->resource);
		free(e);
		return NULL;
	}
	e->config = config;
	schedule_init(&e->schedule, now_ms);
	return e;
}

static void
held_drop(struct held *h)
{
	secret_unref(h->secret);
	*h = (struct held){ .secret = NULL };
}

void
entry_drop_token(struct cache_entry *e)
{
	held_drop(&e->held);
	e->schedule.expires_ms = 0;
}

void
entry_destroy(struct cache_entry *e)
{
	held_drop(&e->held);
	free(e->resource);
	free(e);
}

int64_t
entry_left_ms(struct cache_entry *e, const struct clock *clock)
{
	int64_t now_ms = clock_boot_ms(clock);
	int64_t unix_ms = clock_unix_ns(clock) / 1000000;
	int64_t boot_left, wall_left, apart;

	if (e->held.secret == NULL)
		return 0;
	boot_left = schedule_left(&e->schedule, now_ms);
	wall_left = (e->held.expires_unix_s - e->held.skew_s) * 1000 - unix_ms;
	apart = boot_left - wall_left;
	if ((apart > CLOCK_JUMP_MS || apart < -CLOCK_JUMP_MS) &&
	    boot_left > 0 && !e->held.jump_seen) {
		e->held.jump_seen = true;
		schedule_hurry(&e->schedule, now_ms);
	}
	return boot_left < wall_left ? boot_left : wall_left;
}

int64_t
entry_left_for_ms(struct cache_entry *e, const struct clock *clock,
    const struct cache_wait *w)
{
	return e->generation < w->generation ? 0 : entry_left_ms(e, clock);
}

void
entry_give_left(struct cache_entry *e, int64_t left_ms, struct cache_token *out)
{
	*out = (struct cache_token){
		.secret = secret_ref(e->held.secret),
		.expires_unix_s = e->held.expires_unix_s,
		.not_before_unix_s = e->held.not_before_unix_s,
		.left_s = left_ms / 1000,
	};
	memcpy(out->client_id, e->held.client_id, sizeof out->client_id);
}

bool
entry_give(
    struct cache_entry *e, const struct clock *clock, struct cache_token *out)
{
	int64_t left_ms = entry_left_ms(e, clock);

	if (left_ms < 1000)
		return false;
	entry_give_left(e, left_ms, out);
	return true;
}

void
wait_unlink(struct cache_wait *w)
{
	*w->link = w->next;
	if (w->next != NULL)
		w->next->link = w->link;
	w->next = NULL;
	w->link = NULL;
}

void
wait_link(struct cache_wait **head, struct cache_wait *w)
{
	w->link = head;
	w->next = *head;
	if (w->next != NULL)
		w->next->link = &w->next;
	*head = w;
}

enum status
entry_verdict(struct cache_entry *e, const struct clock *clock,
    const struct cache_wait *w)
{
	int64_t now_ms = clock_boot_ms(clock);
	int64_t left_ms = entry_left_for_ms(e, clock, w);
	bool late = now_ms >= w->deadline_ms;

	if (e->dead)
		return E_NOTFOUND;
	/* A token near its end is good enough once no better one comes. */
	if (left_ms >= SCHEDULE_LAST_MS ||
	    (left_ms >= 1000 && (late || !e->flying)))
		return OK;
	if (left_ms >= 1000)
		return E_PARTIAL;
	if (schedule_is_refused(&e->schedule, now_ms))
		return E_DENIED;
	if (late || (!e->flying && e->schedule.next_ms > w->deadline_ms))
		return E_TIMEOUT;
	return E_PARTIAL;
}

/*
 * IMDS caches, and may lag behind what it gave before: the longer life stays,
 * unless a new token was what we asked for.
 */
static bool
is_no_news(struct cache_entry *e, const struct clock *clock,
    const struct token_json *t)
{
	char old[SECRET_ID_BYTES], new[SECRET_ID_BYTES];

	if (entry_left_ms(e, clock) <= 0 || e->held.jump_seen ||
	    t->expires_unix_s > e->held.expires_unix_s)
		return false;
	secret_id(e->held.secret, old);
	secret_id(t->secret, new);
	return !e->schedule.stale || strcmp(old, new) == 0;
}

void
entry_take(struct cache_entry *e, const struct clock *clock,
    const struct cache_landing *l, uint32_t random)
{
	const struct token_json *t = l->token;
	int64_t now_ms = clock_boot_ms(clock);
	int64_t skew_s = l->now_unix_s - clock_unix_s(clock);
	struct schedule_token news = {
		.life_ms = (t->expires_unix_s - l->now_unix_s) * 1000,
		.refresh_in_ms =
		    t->refresh_in_s < 0 ? -1 : t->refresh_in_s * 1000,
	};

	if (is_no_news(e, clock, t)) {
		news.unchanged = true;
		news.life_ms = schedule_left(&e->schedule, now_ms);
		secret_unref(t->secret);
	} else {
		held_drop(&e->held);
		e->held.secret = t->secret;
		e->generation++;
		e->held.expires_unix_s = t->expires_unix_s;
		e->held.not_before_unix_s = t->not_before_unix_s;
		e->held.skew_s = skew_s > CLOCK_SKEW_S || skew_s < -CLOCK_SKEW_S
		    ? skew_s
		    : 0;
		memcpy(
		    e->held.client_id, t->client_id, sizeof e->held.client_id);
	}
	schedule_succeeded(&e->schedule, now_ms, &news, random);
	e->last_error[0] = '\0';
}
