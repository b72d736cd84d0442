/* The inspection CA of the running daemon: opened at the start or by a reload,
 * when the policy first needs it, and looked after from then on. The files for
 * the clients, which take tens of ms, and rotations, are made on a thread of
 * their own. */
#include "agent/daemon.h"

#include "agent/ca_files.h"
#include "agent/ca_make.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void work_start(struct ca_work *w);

static bool
needs_ca(const struct config *c, const struct policy *p)
{
	return c->inspection != CONFIG_INSPECTION_OFF && policy_inspects(p);
}

/* systemd.exec(5), "Credentials". */
static enum status
find_credential(char out[CONFIG_PATH_BYTES], struct status_detail *detail)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	int n = dir == NULL
	    ? -1
	    : snprintf(out, CONFIG_PATH_BYTES, "%s/wayleave-ca.key", dir);

	if (n > 0 && n < CONFIG_PATH_BYTES)
		return OK;
	return status_set(detail, E_NOTFOUND,
	    "/tls/inspection is \"credential\", but the service manager gave "
	    "none: LoadCredential=wayleave-ca.key:/path/of/the.key in the "
	    "unit");
}

static enum status
fill_settings(const struct daemon *d, const struct config *c,
    struct ca_settings *out, struct status_detail *detail)
{
	memset(out, 0, sizeof *out);
	(void)snprintf(
	    out->state_dir, sizeof out->state_dir, "%s", c->state_dir);
	(void)snprintf(out->name, sizeof out->name, "%s", c->name);
	out->now_unix_s = clock_unix_s(d->clock);
	if (c->inspection == CONFIG_INSPECTION_CREDENTIAL)
		return find_credential(out->credential, detail);
	return OK;
}

/* What the thread has begun on disk is whole before another looks. */
static void
work_join(struct ca_work *w)
{
	if (w->busy && !w->joined)
		(void)pthread_join(w->thread, NULL);
	w->joined = true;
}

enum status
daemon_open_ca(struct daemon *d, const struct config *c, const struct policy *p,
    struct ca **out, struct status_detail *detail)
{
	struct ca_settings s;
	enum status st;

	if (!needs_ca(c, p)) {
		*out = NULL;
		return OK;
	}
	if (d->ca != NULL && d->config->inspection == c->inspection) {
		*out = ca_ref(d->ca);
		return OK;
	}
	work_join(&d->ca_work);
	st = fill_settings(d, c, &s, detail);
	return st == OK ? ca_open(&s, NULL, out, detail) : st;
}

static void
work_run(struct ca_work *w)
{
	struct status_detail *why = &w->problem;

	why->text[0] = '\0';
	w->ca = NULL;
	w->rotated = w->rotate ? ca_rotate(&w->settings, w->at_once, why) : OK;
	w->st = w->rotated;
	if (w->st == OK)
		w->st = ca_open(&w->settings, w->signer, &w->ca, why);
	if (w->st == OK)
		w->st = ca_files_write(w->runtime_dir, w->ca_file, w->ca, why);
}

static void *
work_thread(void *arg)
{
	struct ca_work *w = arg;

	work_run(w);
	mailbox_answer(w->daemon->mailbox, &w->mail);
	return NULL;
}

/* It signs once its files are there: whoever reads them believes it. But for
 * one that is to sign at once: its forerunner was stolen. */
static void
work_take(struct ca_work *w)
{
	struct daemon *d = w->daemon;
	bool is_other = w->ca->signer != d->ca->signer;
	struct ca *before = d->ca;

	d->ca = ca_ref(w->ca);
	if (is_other && !daemon_renew_signer(d)) {
		log_error("the inspection CA that is next cannot be taken up");
		ca_unref(d->ca);
		d->ca = before;
		return;
	}
	ca_unref(before);
	if (is_other)
		log_notice("another inspection CA signs from now on");
}

static void
work_finish(struct ca_work *w)
{
	struct daemon *d = w->daemon;
	bool counts =
	    !w->over && d->ca != NULL && w->inspection == d->config->inspection;

	if (counts && w->ca != NULL && (w->st == OK || w->at_once))
		work_take(w);
	if (counts && w->st == OK)
		d->ca_ready = true;
	else if (counts)
		log_error("inspection CA: %s", w->problem.text);
	if (counts && w->st != OK && w->at_once && w->rotated == OK)
		d->ca_ready = false;
	ca_unref(w->ca);
	w->ca = NULL;
	tls_ca_unref(w->signer);
	w->signer = NULL;
	w->busy = false;
	if (!w->over && w->again)
		daemon_write_ca(d);
}

static void
work_deliver(struct mail *m)
{
	struct ca_work *w = (struct ca_work *)m;

	work_join(w);
	work_finish(w);
}

/* Signals are the control loop's alone. */
static bool
work_spawn(struct ca_work *w)
{
	sigset_t all, before;
	int error;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &before);
	error = pthread_create(&w->thread, NULL, work_thread, w);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error == 0;
}

static void
work_start(struct ca_work *w)
{
	struct daemon *d = w->daemon;
	const struct config *c = d->config;

	w->mail.deliver = work_deliver;
	w->again = false;
	w->inspection = c->inspection;
	w->st = fill_settings(d, c, &w->settings, &w->problem);
	(void)snprintf(
	    w->runtime_dir, sizeof w->runtime_dir, "%s", c->runtime_dir);
	(void)snprintf(w->ca_file, sizeof w->ca_file, "%s", c->ca_file);
	w->signer = tls_ca_ref(d->ca->signer);
	w->busy = true;
	w->joined = false;
	if (w->st == OK && work_spawn(w))
		return;
	w->joined = true;
	if (w->st == OK)
		w->st = status_set(&w->problem, E_NOMEM, "no thread");
	work_finish(w);
}

void
daemon_write_ca(struct daemon *d)
{
	struct ca_work *w = &d->ca_work;

	if (d->ca == NULL)
		return;
	if (w->busy) {
		w->again = true;
		return;
	}
	w->daemon = d;
	w->rotate = w->at_once = false;
	work_start(w);
}

enum status
daemon_rotate_ca(struct daemon *d, bool at_once, struct status_detail *detail)
{
	struct ca_work *w = &d->ca_work;

	if (d->ca == NULL)
		return status_set(detail, E_NOTFOUND,
		    "no rule needs an inspection CA, so there is none");
	if (d->config->inspection == CONFIG_INSPECTION_CREDENTIAL)
		return status_set(detail, E_UNSUPPORTED,
		    "the key of the inspection CA is a credential of the "
		    "service manager: change that, and restart");
	if (w->busy)
		return status_set(detail, E_BUSY,
		    "the files of the inspection CA are being written: try "
		    "again");
	if (d->ca->certs[CA_NEXT] != NULL && !at_once)
		return status_set(detail, E_BUSY,
		    "a rotation is under way already: wayleave ca show says "
		    "when the next one signs");
	w->daemon = d;
	w->rotate = true;
	w->at_once = at_once;
	work_start(w);
	return OK;
}

static bool
is_due(const struct daemon *d)
{
	return d->ca->due_unix_s != 0 &&
	    d->ca->due_unix_s <= clock_unix_s(d->clock);
}

/* Nobody thinks of it after ten years, and a start would fail. */
static bool
expires_soon(const struct daemon *d)
{
	const int64_t ends = ca_ends_unix_s(d->ca->certs[CA_CURRENT]);

	return d->config->inspection == CONFIG_INSPECTION_AUTO &&
	    d->ca->certs[CA_NEXT] == NULL &&
	    ends - (int64_t)CA_RENEW_DAYS * 86400 <= clock_unix_s(d->clock);
}

void
daemon_watch_ca(struct daemon *d)
{
	struct status_detail why = { "" };

	if (d->ca == NULL || d->ca_work.busy)
		return;
	if (is_due(d) || !d->ca_ready || d->ca_work.st != OK)
		daemon_write_ca(d);
	else if (expires_soon(d) && daemon_rotate_ca(d, false, &why) != OK)
		log_error("inspection CA: %s", why.text);
}

const char *
daemon_ca_reason(const struct daemon *d)
{
	if (d->ca == NULL || d->ca_ready)
		return NULL;
	return d->ca_work.busy
	    ? "the files of the inspection CA are being written"
	    : "the files of the inspection CA cannot be written";
}

void
daemon_end_ca(struct daemon *d)
{
	struct ca_work *w = &d->ca_work;

	w->over = true;
	if (w->busy)
		work_join(w);
}
