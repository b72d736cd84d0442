/* User and group names by uid, looked up off the loops and kept fresh. */
#include "agent/userdb.h"

#include "agent/mailbox.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

enum {
	USERDB_BUCKETS = 256,
	USERDB_ENTRIES_MAX = 16384,
	USERDB_GROUPS_FIRST = 64,
	USERDB_GROUPS_MAX = 65536, /* as the kernel: NGROUPS_MAX */
	USERDB_REFRESH_S = 60,
	USERDB_TEXT_BYTES = 65536,
};

/* Facts are freed with the database alone: peers borrow them, also the ones
 * that are no longer true. */
struct facts {
	bool failed; /* the database was out of order: unknown, not nameless */
	char *user;
	struct peer_group *groups;
	size_t n_groups;
	struct facts *older;
};

struct entry {
	uint32_t uid;
	struct facts *facts; /* NULL while the helper asks */
	struct entry *next;
	STAILQ_ENTRY(entry) link; /* in asked, while facts is NULL */
	TAILQ_HEAD(, userdb_wait) waits;
};

struct userdb_wait {
	struct mail mail; /* first */
	struct mailbox *box;
	void (*woken)(void *arg); /* NULL: cancelled; the loop's own */
	void *arg;
	TAILQ_ENTRY(userdb_wait) link;
};

struct userdb {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop; /* under lock, as all below */
	STAILQ_HEAD(, entry) asked;
	STAILQ_HEAD(, userdb_job) jobs;
	struct entry *buckets[USERDB_BUCKETS];
	size_t n_entries;
};

/* The name of a group, or "" when the database has none. */
static char *
group_name(gid_t gid, char *text)
{
	struct group gr, *found = NULL;

	if (getgrgid_r(gid, &gr, text, USERDB_TEXT_BYTES, &found) != 0 ||
	    found == NULL)
		return strdup("");
	return strdup(gr.gr_name);
}

static void
facts_free(struct facts *f)
{
	while (f != NULL) {
		struct facts *older = f->older;

		for (size_t i = 0; i < f->n_groups; i++)
			free((void *)(uintptr_t)f->groups[i].name);
		free(f->groups);
		free(f->user);
		free(f);
		f = older;
	}
}

/* All of them, or NULL: a deny rule may be for any. Owned. */
static gid_t *
group_list(const char *user, gid_t gid, int *n)
{
	int cap = USERDB_GROUPS_FIRST;
	gid_t *gids = NULL;

	for (;;) {
		gid_t *more = realloc(gids, (size_t)cap * sizeof *gids);

		if (more == NULL)
			break;
		gids = more;
		*n = cap;
		if (getgrouplist(user, gid, gids, n) >= 0)
			return gids;
		/* getgrouplist(3): *n is how many there are. */
		if (cap == USERDB_GROUPS_MAX)
			break;
		cap = *n > cap ? *n : cap * 2;
		if (cap > USERDB_GROUPS_MAX)
			cap = USERDB_GROUPS_MAX;
	}
	free(gids);
	return NULL;
}

static bool
facts_fill_groups(struct facts *f, const char *user, gid_t gid, char *text)
{
	int n = 0;
	gid_t *gids = group_list(user, gid, &n);
	bool ok = gids != NULL;

	if (ok)
		f->groups = calloc((size_t)n + 1, sizeof *f->groups);
	ok = ok && f->groups != NULL;
	for (int i = 0; i < n && ok; i++) {
		f->groups[i].gid = gids[i];
		f->groups[i].name = group_name(gids[i], text);
		ok = f->groups[i].name != NULL;
		f->n_groups += ok;
	}
	free(gids);
	return ok;
}

/* getpwuid_r(3): some systems say "not found" by one of these. */
static bool
is_failure(int e)
{
	return e != 0 && e != ENOENT && e != ESRCH && e != EBADF && e != EPERM;
}

/* What the system says now; NULL when it cannot say (try again later). */
static struct facts *
facts_ask(uint32_t uid)
{
	struct facts *f = calloc(1, sizeof *f);
	char *text = malloc(USERDB_TEXT_BYTES);
	char *group_text = malloc(USERDB_TEXT_BYTES);
	struct passwd pw, *found = NULL;
	bool ok = f != NULL && text != NULL && group_text != NULL;

	/* A database that is out of order is no word that nobody is there:
	 * what was known of the user, deny rules' workloads too, stays. */
	if (ok)
		ok = !is_failure(
		    getpwuid_r(uid, &pw, text, USERDB_TEXT_BYTES, &found));
	if (ok) {
		f->user = strdup(found != NULL ? pw.pw_name : "");
		ok = f->user != NULL;
	}
	if (ok && found != NULL)
		ok = facts_fill_groups(f, pw.pw_name, pw.pw_gid, group_text);
	free(text);
	free(group_text);
	if (!ok) {
		facts_free(f);
		return NULL;
	}
	return f;
}

static bool
facts_eq(const struct facts *a, const struct facts *b)
{
	if (a->failed != b->failed || strcmp(a->user, b->user) != 0 ||
	    a->n_groups != b->n_groups)
		return false;
	for (size_t i = 0; i < a->n_groups; i++)
		if (a->groups[i].gid != b->groups[i].gid ||
		    strcmp(a->groups[i].name, b->groups[i].name) != 0)
			return false;
	return true;
}

static void
facts_copy(const struct facts *f, struct peer *peer)
{
	if (f->failed)
		peer->known = false;
	peer->user = f->user;
	peer->groups = f->groups;
	peer->n_groups = f->n_groups;
}

/* Under lock: publishes, keeping the old one if nothing changed. */
static void
entry_set(struct entry *e, struct facts *f)
{
	if (e->facts != NULL && facts_eq(e->facts, f)) {
		facts_free(f);
		return;
	}
	f->older = e->facts;
	e->facts = f;
}

static struct entry *
entry_find(struct userdb *db, uint32_t uid)
{
	struct entry *e = db->buckets[uid % USERDB_BUCKETS];

	while (e != NULL && e->uid != uid)
		e = e->next;
	return e;
}

static struct entry *
entry_add(struct userdb *db, uint32_t uid)
{
	struct entry *e;

	if (db->n_entries == USERDB_ENTRIES_MAX)
		return NULL;
	e = calloc(1, sizeof *e);
	if (e == NULL)
		return NULL;
	e->uid = uid;
	e->next = db->buckets[uid % USERDB_BUCKETS];
	db->buckets[uid % USERDB_BUCKETS] = e;
	db->n_entries++;
	TAILQ_INIT(&e->waits);
	return e;
}

static void
wait_deliver(struct mail *m)
{
	struct userdb_wait *w = (struct userdb_wait *)m;

	if (w->woken != NULL)
		w->woken(w->arg);
	free(w);
}

static void
wake_all(struct entry *e)
{
	struct userdb_wait *w;

	while ((w = TAILQ_FIRST(&e->waits)) != NULL) {
		TAILQ_REMOVE(&e->waits, w, link);
		mailbox_answer(w->box, &w->mail);
	}
}

/* Takes the lock and lets it go while the system is asked. */
static void
answer_one(struct userdb *db)
{
	struct entry *e = STAILQ_FIRST(&db->asked);
	struct facts *f;

	pthread_mutex_unlock(&db->lock);
	f = facts_ask(e->uid);
	pthread_mutex_lock(&db->lock);
	STAILQ_REMOVE_HEAD(&db->asked, link);
	/* Without names a deny rule by name would not match: such a client is
	 * unknown, and denied, until a refresh brings its names. */
	if (f == NULL && (f = calloc(1, sizeof *f)) != NULL)
		f->failed = true;
	if (f != NULL && f->user == NULL)
		f->user = strdup("");
	if (f != NULL && f->user != NULL)
		entry_set(e, f);
	else
		free(f);
	wake_all(e);
}

/* Takes the lock and lets it go, as above. */
static void
run_one(struct userdb *db)
{
	struct userdb_job *job = STAILQ_FIRST(&db->jobs);

	STAILQ_REMOVE_HEAD(&db->jobs, link);
	pthread_mutex_unlock(&db->lock);
	job->run(job);
	mailbox_answer(job->box, &job->mail);
	pthread_mutex_lock(&db->lock);
}

static void
refresh_all(struct userdb *db)
{
	for (size_t i = 0; i < USERDB_BUCKETS; i++) {
		/* Entries are only ever put in front: the walk is safe. */
		for (struct entry *e = db->buckets[i]; e != NULL && !db->stop;
		     e = e->next) {
			struct facts *f;

			if (e->facts == NULL)
				continue;
			pthread_mutex_unlock(&db->lock);
			f = facts_ask(e->uid);
			pthread_mutex_lock(&db->lock);
			if (f != NULL)
				entry_set(e, f);
		}
	}
}

static void *
userdb_run(void *arg)
{
	struct userdb *db = arg;
	struct timespec next;

	clock_gettime(CLOCK_MONOTONIC, &next);
	next.tv_sec += USERDB_REFRESH_S;
	pthread_mutex_lock(&db->lock);
	while (!db->stop) {
		/* Clients first: at most one job, under way, is before them. */
		if (!STAILQ_EMPTY(&db->asked)) {
			answer_one(db);
			continue;
		}
		if (!STAILQ_EMPTY(&db->jobs)) {
			run_one(db);
			continue;
		}
		if (pthread_cond_timedwait(&db->wake, &db->lock, &next) !=
		    ETIMEDOUT)
			continue;
		refresh_all(db);
		clock_gettime(CLOCK_MONOTONIC, &next);
		next.tv_sec += USERDB_REFRESH_S;
	}
	pthread_mutex_unlock(&db->lock);
	return NULL;
}

enum status
userdb_create(struct userdb **out)
{
	struct userdb *db = calloc(1, sizeof *db);
	pthread_condattr_t attr;

	if (db == NULL)
		return E_NOMEM;
	STAILQ_INIT(&db->asked);
	STAILQ_INIT(&db->jobs);
	pthread_mutex_init(&db->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&db->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&db->thread, NULL, userdb_run, db) != 0) {
		free(db);
		return E_INTERNAL;
	}
	*out = db;
	return OK;
}

void
userdb_destroy(struct userdb *db)
{
	if (db == NULL)
		return;
	pthread_mutex_lock(&db->lock);
	db->stop = true;
	pthread_cond_signal(&db->wake);
	pthread_mutex_unlock(&db->lock);
	pthread_join(db->thread, NULL);
	while (!STAILQ_EMPTY(&db->jobs)) {
		struct userdb_job *job = STAILQ_FIRST(&db->jobs);

		STAILQ_REMOVE_HEAD(&db->jobs, link);
		mailbox_answer(job->box, &job->mail);
	}
	for (size_t i = 0; i < USERDB_BUCKETS; i++) {
		struct entry *e = db->buckets[i];

		while (e != NULL) {
			struct entry *next = e->next;

			wake_all(e);
			facts_free(e->facts);
			free(e);
			e = next;
		}
	}
	pthread_mutex_destroy(&db->lock);
	pthread_cond_destroy(&db->wake);
	free(db);
}

/* Under lock: @e has no facts yet. */
static enum status
wait_add(struct entry *e, struct userdb_wait *w)
{
	if (w == NULL)
		return E_NOMEM;
	w->mail.deliver = wait_deliver;
	TAILQ_INSERT_TAIL(&e->waits, w, link);
	return E_PARTIAL;
}

enum status
userdb_lookup(struct userdb *db, struct peer *peer, struct mailbox *box,
    void (*woken)(void *arg), void *arg, struct userdb_wait **wait)
{
	enum status st = OK;
	struct entry *e;

	pthread_mutex_lock(&db->lock);
	e = entry_find(db, peer->uid);
	if (e == NULL && (e = entry_add(db, peer->uid)) != NULL) {
		STAILQ_INSERT_TAIL(&db->asked, e, link);
		pthread_cond_signal(&db->wake);
	}
	if (e == NULL) {
		st = E_LIMIT;
	} else if (e->facts != NULL) {
		facts_copy(e->facts, peer);
	} else {
		struct userdb_wait *w = calloc(1, sizeof *w);

		st = wait_add(e, w);
		if (st == E_PARTIAL) {
			w->box = box;
			w->woken = woken;
			w->arg = arg;
			*wait = w;
		}
	}
	pthread_mutex_unlock(&db->lock);
	return st;
}

void
userdb_cancel(struct userdb_wait *wait)
{
	/* It is freed when its mail comes, on this same loop. */
	wait->woken = NULL;
}

void
userdb_run_job(struct userdb *db, struct userdb_job *job)
{
	pthread_mutex_lock(&db->lock);
	STAILQ_INSERT_TAIL(&db->jobs, job, link);
	pthread_cond_signal(&db->wake);
	pthread_mutex_unlock(&db->lock);
}

enum status
userdb_lookup_now(struct userdb *db, struct peer *peer)
{
	struct facts *f = facts_ask(peer->uid);
	struct entry *e;

	if (f == NULL)
		return E_NOMEM;
	pthread_mutex_lock(&db->lock);
	e = entry_find(db, peer->uid);
	if (e == NULL)
		e = entry_add(db, peer->uid);
	if (e != NULL) {
		entry_set(e, f);
		facts_copy(e->facts, peer);
	} else {
		facts_free(f);
	}
	pthread_mutex_unlock(&db->lock);
	return e != NULL ? OK : E_LIMIT;
}
