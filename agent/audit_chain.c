/* The chain of records: what is in the file is whole, linked and signed. */
#include "agent/audit_chain.h"

#include "agent/audit_rotated.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
chain_fail(struct audit_chain *c, const char *what, int error)
{
	(void)snprintf(c->last_error, sizeof c->last_error, "%s: %s", what,
	    strerror(error));
	if (c->healthy)
		log_error(
		    "audit: %s: %s: %s", c->file.path, what, strerror(error));
	c->healthy = false;
}

static void
chain_recover(struct audit_chain *c)
{
	if (!c->healthy)
		log_notice("audit: %s can be written again", c->file.path);
	c->healthy = true;
	c->last_error[0] = '\0';
}

/** The line in STATE/audit.head; E_NOTFOUND when there is none. */
static enum status
head_read(const struct audit_chain *c, uint64_t *seq, char hash[])
{
	char path[AUDIT_PATH_BYTES + 16], line[AUDIT_LINE_MAX];
	struct audit_line parsed;
	struct slice s = { line, 0 };
	ssize_t n;
	int fd;

	(void)snprintf(
	    path, sizeof path, "%s/audit.head", c->settings.state_dir);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return E_NOTFOUND;
	n = read(fd, line, sizeof line);
	(void)close(fd);
	if (n <= 0)
		return E_NOTFOUND;
	s.n = (size_t)n;
	s = slice_head(s, slice_find(s, '\n'));
	if (audit_line_parse(s, &parsed) != OK)
		return E_NOTFOUND;
	*seq = parsed.seq;
	audit_line_hash(s, hash);
	return OK;
}

/** Replaces STATE/audit.head in one step. */
static bool
head_write(const struct audit_chain *c, struct slice line)
{
	char path[AUDIT_PATH_BYTES + 16], tmp[AUDIT_PATH_BYTES + 16];
	bool ok;
	int fd;

	(void)snprintf(
	    path, sizeof path, "%s/audit.head", c->settings.state_dir);
	(void)snprintf(
	    tmp, sizeof tmp, "%s/audit.head.new", c->settings.state_dir);
	(void)unlink(tmp);
	fd = open(
	    tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	ok = write(fd, line.p, line.n) == (ssize_t)line.n;
	if (close(fd) != 0)
		ok = false;
	if (ok && rename(tmp, path) == 0)
		return true;
	(void)unlink(tmp);
	return false;
}

/*
 * The signed head may be ahead of the file: records were lost with the
 * machine's power, or somebody cut them off. The chain goes on from the
 * head, so that the gap stays visible to verify for ever.
 */
static void
chain_catch_up(struct audit_chain *c)
{
	char hash[AUDIT_HASH_BYTES];
	uint64_t seq;

	if (head_read(c, &seq, hash) != OK || seq <= c->seq)
		return;
	if (c->seq > 0)
		log_error("audit: %s ends at record %llu, but record %llu was "
		          "signed: records are missing",
		    c->file.path, (unsigned long long)c->seq,
		    (unsigned long long)seq);
	c->seq = seq;
	memcpy(c->head, hash, sizeof c->head);
}

enum status
audit_chain_open(struct audit_chain *c, const struct audit_settings *settings,
    struct status_detail *detail)
{
	struct audit_tail tail;
	enum status st;

	*c = (struct audit_chain){
		.settings = *settings,
		.clock =
		    settings->clock != NULL ? settings->clock : &clock_system,
		.file = { .fd = -1 },
		.healthy = true,
	};
	/* a batch is full beyond AUDIT_BATCH_BYTES; a checkpoint still fits */
	buf_init(&c->batch, AUDIT_BATCH_BYTES + 2 * AUDIT_LINE_MAX);
	st = audit_file_open(&c->file, settings->file, detail);
	if (st == OK)
		st = audit_file_tail(&c->file, &tail, detail);
	if (st == OK)
		st = audit_key_open(settings->state_dir, &c->key, detail);
	if (st == OK && (c->hasher = audit_hasher_create()) == NULL)
		st = status_set(detail, E_NOMEM, "audit: out of memory");
	if (st != OK) {
		audit_key_destroy(c->key);
		c->key = NULL;
		audit_file_close(&c->file);
		return st;
	}
	c->seq = tail.seq;
	memcpy(c->head, tail.hash, sizeof c->head);
	c->torn_bytes = tail.torn_bytes;
	memcpy(c->torn_hash, tail.torn_hash, sizeof c->torn_hash);
	c->checkpoint_at_ms = clock_boot_ms(c->clock);
	c->journal_at_ms = c->checkpoint_at_ms - AUDIT_CHECKPOINT_MS;
	chain_catch_up(c);
	return OK;
}

/** Composes one line at the batch's end. */
static bool
batch_put(struct audit_chain *c, int64_t now_ns, struct slice members)
{
	char time[CLOCK_RFC3339_BYTES];
	size_t start = c->batch.n, i = c->n_marks;
	struct slice prev = slice_of(i == 0 ? c->head : c->marks[i - 1].hash);

	clock_rfc3339(now_ns, time);
	audit_line_compose(&c->batch,
	    &(struct audit_line){
	        slice_of(time), c->seq + i + 1, prev, members });
	if (buf_status(&c->batch) != OK)
		return false;
	audit_hasher_line(c->hasher,
	    (struct slice){ c->batch.p + start, c->batch.n - start - 1 },
	    c->marks[i].hash);
	c->marks[i].end = c->batch.n;
	c->n_marks++;
	return true;
}

bool
audit_chain_add(struct audit_chain *c, struct slice members)
{
	if (c->n_marks == AUDIT_BATCH_RECORDS || c->batch.n > AUDIT_BATCH_BYTES)
		return false;
	if (batch_put(c, clock_unix_ns(c->clock), members))
		return true;
	/* An empty batch is never flushed, so nothing else would clear it. */
	if (c->n_marks == 0)
		buf_clear(&c->batch);
	return false;
}

/** Counts the first @n records of the batch as written and empties it. */
static void
batch_commit(struct audit_chain *c, size_t n)
{
	if (n > 0) {
		memcpy(c->head, c->marks[n - 1].hash, sizeof c->head);
		c->seq += n;
	}
	c->n_marks = 0;
	buf_clear(&c->batch);
}

static enum status
batch_write(struct audit_chain *c, size_t *written)
{
	uint64_t before = c->file.size;
	size_t done = 0, n = 0;
	int error;

	if (buf_status(&c->batch) == OK &&
	    audit_file_write(&c->file, buf_slice(&c->batch), &done) == OK) {
		*written = c->n_marks;
		batch_commit(c, c->n_marks);
		chain_recover(c);
		return OK;
	}
	error = buf_status(&c->batch) == OK ? errno : ENOMEM;
	while (n < c->n_marks && c->marks[n].end <= done)
		n++;
	if (done > 0 &&
	    audit_file_cut(
	        &c->file, before + (n > 0 ? c->marks[n - 1].end : 0)) != OK)
		log_error("audit: %s: a torn line could not be cut off yet: %s",
		    c->file.path, strerror(errno));
	chain_fail(c, "write", error);
	*written = n;
	batch_commit(c, n);
	return E_IO;
}

static void
chain_journal(struct audit_chain *c, struct slice head, int64_t now_ms)
{
	if (now_ms - c->journal_at_ms < AUDIT_CHECKPOINT_MS)
		return;
	c->journal_at_ms = now_ms;
	log_info("audit: checkpoint %llu, head %.*s, key %s",
	    (unsigned long long)c->checkpoint_seq, (int)head.n, head.p,
	    audit_key_id(c->key));
}

/** The batch must be empty. */
static enum status
chain_checkpoint(struct audit_chain *c)
{
	char time[CLOCK_RFC3339_BYTES], signature[AUDIT_SIGNATURE_BYTES];
	char line_text[1024];
	int64_t now_ns = clock_unix_ns(c->clock);
	struct audit_line line = { .seq = c->seq + 1,
		.prev = slice_of(c->head) };
	struct slice text = { line_text, 0 };
	char signed_head[AUDIT_HASH_BYTES];
	struct buf b;
	enum status st;
	size_t n;

	memcpy(signed_head, c->head, sizeof signed_head);
	clock_rfc3339(now_ns, time);
	line.time = slice_of(time);
	buf_init(&b, sizeof line_text);
	audit_checkpoint_message(&b, &line);
	st = buf_status(&b);
	if (st == OK)
		st = audit_key_sign(c->key, buf_slice(&b), signature);
	buf_clear(&b);
	audit_checkpoint_compose(&b,
	    &(struct audit_checkpoint){ line.prev,
	        slice_of(audit_key_id(c->key)), slice_of(signature) });
	if (st == OK)
		st = buf_status(&b);
	if (st == OK && !batch_put(c, now_ns, buf_slice(&b)))
		st = E_NOMEM;
	buf_release(&b);
	if (st != OK || c->batch.n > sizeof line_text) {
		batch_commit(c, 0);
		chain_fail(c, "checkpoint", ENOMEM);
		return E_IO;
	}
	text.n = c->batch.n;
	memcpy(line_text, c->batch.p, text.n);
	st = batch_write(c, &n);
	if (st != OK)
		return st;
	c->unsigned_records = 0;
	c->checkpoint_at_ms = clock_boot_ms(c->clock);
	c->checkpoint_seq = c->seq;
	if (!head_write(c, text))
		log_warning("audit: %s/audit.head: %s", c->settings.state_dir,
		    strerror(errno));
	chain_journal(c, slice_of(signed_head), c->checkpoint_at_ms);
	return OK;
}

/** Signs the old file's end, then begins a new one. */
static void
chain_rotate(struct audit_chain *c)
{
	if (c->unsigned_records > 0 && chain_checkpoint(c) != OK)
		return;
	if (audit_file_rotate(&c->file, clock_unix_ns(c->clock), c->seq) !=
	    OK) {
		int error = errno;
		c->rotate_after_ms = clock_boot_ms(c->clock) + 1000;
		if (c->file.fd < 0)
			chain_fail(c, "new file after rotation", error);
		else
			log_warning("audit: %s: not rotated: %s", c->file.path,
			    strerror(error));
		return;
	}
	c->rotations++;
	audit_rotated_prune(c->file.path, c->settings.keep);
}

size_t
audit_chain_flush(struct audit_chain *c)
{
	size_t written = 0;

	if (c->n_marks > 0)
		(void)batch_write(c, &written);
	c->unsigned_records += written;
	return written;
}

void
audit_chain_reopen(struct audit_chain *c)
{
	struct audit_file next;
	struct status_detail why;

	if (c->file.fd < 0 || audit_file_in_place(&c->file))
		return;
	if (c->unsigned_records > 0)
		(void)chain_checkpoint(c);
	if (audit_file_open(&next, c->settings.file, &why) != OK) {
		log_error("audit: %s; still writing the old file", why.text);
		return;
	}
	audit_file_close(&c->file);
	c->file = next;
	c->rotations++;
	log_notice("audit: %s opened anew", c->file.path);
}

/** Once a second: records in a file without a name would be lost. */
static void
chain_look(struct audit_chain *c)
{
	int64_t now = clock_boot_ms(c->clock);

	if (now < c->look_at_ms)
		return;
	c->look_at_ms = now + 1000;
	if (!audit_file_was_removed(&c->file))
		return;
	log_error("audit: %s was removed", c->file.path);
	audit_chain_reopen(c);
}

void
audit_chain_tick(struct audit_chain *c)
{
	if (!c->healthy)
		return;
	chain_look(c);
	if (audit_chain_due_ms(c) == 0)
		(void)chain_checkpoint(c);
	if (c->healthy && c->settings.rotate_bytes > 0 &&
	    c->file.size >= c->settings.rotate_bytes &&
	    clock_boot_ms(c->clock) >= c->rotate_after_ms)
		chain_rotate(c);
}

int64_t
audit_chain_due_ms(const struct audit_chain *c)
{
	int64_t left =
	    c->checkpoint_at_ms + AUDIT_CHECKPOINT_MS - clock_boot_ms(c->clock);

	if (c->unsigned_records == 0)
		return -1;
	if (c->unsigned_records >= AUDIT_CHECKPOINT_RECORDS || left < 0)
		return 0;
	return left;
}

void
audit_chain_probe(struct audit_chain *c)
{
	if (c->file.fd < 0) {
		char path[AUDIT_PATH_BYTES];
		memcpy(path, c->file.path, sizeof path);
		if (audit_file_open(&c->file, path, NULL) != OK)
			return;
		c->rotations++;
	}
	if (c->file.dirty && audit_file_cut(&c->file, c->file.size) != OK)
		return;
	(void)chain_checkpoint(c);
}

void
audit_chain_release(struct audit_chain *c)
{
	if (c->unsigned_records > 0 || !c->healthy) {
		c->journal_at_ms -= AUDIT_CHECKPOINT_MS;
		audit_chain_probe(c);
		if (!c->healthy)
			log_error("audit: %s: no checkpoint at the stop: %s",
			    c->file.path, c->last_error);
	}
	if (c->file.fd >= 0)
		(void)fdatasync(c->file.fd);
	audit_file_close(&c->file);
	audit_key_destroy(c->key);
	c->key = NULL;
	audit_hasher_destroy(c->hasher);
	c->hasher = NULL;
	buf_release(&c->batch);
}
