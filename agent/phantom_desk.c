/* Tells the loops whether a phantom is ours, alive and not revoked. */
#include "agent/phantom_desk.h"

#include "agent/trusted_file.h"
#include "base/log.h"
#include "identity/phantom.h"
#include "identity/token_json.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, CLOCK_SLACK_S = 3600 };

struct phantom_desk {
	const struct clock *clock;
	uint8_t key[PHANTOM_KEY_BYTES];
	char path[PATH_BYTES];
	pthread_rwlock_t lock;
	struct revocations revoked; /* under the lock */
	_Atomic size_t n_revoked;   /* most of the time there are none */
	_Atomic int64_t epoch;
};

int64_t
phantom_desk_epoch(struct phantom_desk *desk)
{
	return atomic_load(&desk->epoch);
}

void
phantom_desk_revoke(
    struct phantom_desk *desk, const uint32_t *uid, const char *id)
{
	int64_t now_s = clock_unix_s(desk->clock);
	struct revocation r = { .everybody = uid == NULL,
		.uid = uid == NULL ? 0 : *uid,
		.ends_unix_s = now_s + TOKEN_LIFE_MAX_S + CLOCK_SLACK_S };

	/* Where it is too long it is the beginning that counts. */
	(void)snprintf(r.id, sizeof r.id, "%s", id);
	(void)pthread_rwlock_wrlock(&desk->lock);
	revocations_add(&desk->revoked, &r, now_s);
	atomic_store(&desk->epoch, desk->revoked.epoch);
	atomic_store(&desk->n_revoked, desk->revoked.n);
	(void)pthread_rwlock_unlock(&desk->lock);
}

static enum status
load(struct phantom_desk *desk, struct status_detail *detail)
{
	struct buf text;
	enum status st;

	buf_init(&text, REVOCATIONS_TEXT_MAX);
	st = trusted_file_read(desk->path, &text, detail);
	if (st == OK) {
		st = revocations_read(buf_slice(&text), &desk->revoked);
		if (st != OK)
			(void)status_set(
			    detail, st, "\"%s\" is damaged", desk->path);
	}
	buf_release(&text);
	atomic_store(&desk->epoch, desk->revoked.epoch);
	atomic_store(&desk->n_revoked, desk->revoked.n);
	return st;
}

enum status
phantom_desk_create(const struct clock *clock, const uint8_t *broker_key,
    const char *path, struct phantom_desk **out)
{
	struct phantom_desk *desk = calloc(1, sizeof *desk);
	struct status_detail detail = { "" };
	enum status st;

	if (desk == NULL)
		return E_NOMEM;
	desk->clock = clock;
	if (!slice_copy(slice_of(path), desk->path, sizeof desk->path) ||
	    !phantom_key(broker_key, desk->key) ||
	    pthread_rwlock_init(&desk->lock, NULL) != 0) {
		OPENSSL_cleanse(desk->key, sizeof desk->key);
		free(desk);
		return E_INTERNAL;
	}
	st = load(desk, &detail);
	if (st != OK && st != E_NOTFOUND) {
		log_error("%s: all phantoms that were given out before now "
		          "are taken to be revoked",
		    detail.text);
		/* As there were never so many revocations, it is later. */
		desk->revoked.epoch = clock_unix_ns(clock) / 1000000;
		phantom_desk_revoke(desk, NULL, "");
	}
	*out = desk;
	return OK;
}

void
phantom_desk_destroy(struct phantom_desk *desk)
{
	if (desk == NULL)
		return;
	(void)pthread_rwlock_destroy(&desk->lock);
	OPENSSL_cleanse(desk->key, sizeof desk->key);
	free(desk);
}

static bool
is_revoked(struct phantom_desk *desk, const struct phantom *p)
{
	bool found;

	if (atomic_load(&desk->n_revoked) == 0)
		return false;
	(void)pthread_rwlock_rdlock(&desk->lock);
	found = revocations_cover(&desk->revoked, p->uid, p->id, p->epoch);
	(void)pthread_rwlock_unlock(&desk->lock);
	return found;
}

enum status
phantom_desk_read(void *ctx, struct slice text, struct proxy_phantom *out)
{
	struct phantom_desk *desk = ctx;
	struct phantom p;
	enum status st = phantom_read(desk->key, text, &p);

	if (st != OK)
		return st;
	*out = (struct proxy_phantom){ .uid = p.uid,
		.expires_unix_s = p.expires_unix_s };
	memcpy(out->unit, p.unit, sizeof out->unit);
	memcpy(out->audience, p.audience, sizeof out->audience);
	memcpy(out->identity, p.identity, sizeof out->identity);
	memcpy(out->grant, p.grant, sizeof out->grant);
	memcpy(out->id, p.id, sizeof out->id);
	/* One of a later epoch than ours was given out before the list was
	 * lost: nothing says that it was not revoked. */
	if (clock_unix_s(desk->clock) >= p.expires_unix_s ||
	    p.epoch > phantom_desk_epoch(desk) || is_revoked(desk, &p))
		return E_DENIED;
	return OK;
}

/* The name, too, has to be on the disk. */
static bool
sync_folder(const char *path)
{
	char folder[PATH_BYTES];
	struct slice s = slice_of(path);
	bool good;
	int fd;

	while (s.n > 0 && s.p[s.n - 1] != '/')
		s.n--;
	if (!slice_copy(s, folder, sizeof folder))
		return false;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	good = fsync(fd) == 0;
	(void)close(fd);
	return good;
}

static bool
write_file(const char *path, struct slice text)
{
	bool good;
	int fd =
	    open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
	        S_IRUSR | S_IWUSR);

	if (fd < 0)
		return false;
	good = write(fd, text.p, text.n) == (ssize_t)text.n && fsync(fd) == 0;
	return close(fd) == 0 && good;
}

enum status
phantom_desk_save(struct phantom_desk *desk, struct status_detail *detail)
{
	char next[PATH_BYTES + 8];
	struct buf text;
	enum status st;

	(void)snprintf(next, sizeof next, "%s.next", desk->path);
	buf_init(&text, REVOCATIONS_TEXT_MAX);
	(void)pthread_rwlock_rdlock(&desk->lock);
	revocations_put(&desk->revoked, &text);
	(void)pthread_rwlock_unlock(&desk->lock);
	st = buf_status(&text);
	if (st != OK)
		(void)status_set(detail, st, "out of memory");
	else if (!write_file(next, buf_slice(&text)) ||
	    rename(next, desk->path) != 0 || !sync_folder(desk->path))
		st = status_set(detail, E_IO, "\"%s\" cannot be written: %s",
		    desk->path, strerror(errno));
	buf_release(&text);
	return st;
}
