/* Whom outgoing TLS believes. The file is read on a thread of its own: that
 * takes tens of ms, which no loop has, nor the clients who wait for a name. */
#include "agent/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void trust_start(struct trust_load *l);

static void
trust_read(struct trust_load *l)
{
	l->problem.text[0] = '\0';
	l->st = config_load_trust(l->ca_file, &l->trust, &l->problem);
}

static void *
trust_run(void *arg)
{
	struct trust_load *l = arg;

	trust_read(l);
	mailbox_answer(l->daemon->mailbox, &l->mail);
	return NULL;
}

/* A file that went bad takes nothing away from who was believed before. */
static void
trust_take(struct trust_load *l)
{
	struct daemon *d = l->daemon;

	d->ca_problem = l->problem;
	if (l->st == OK)
		proxy_shared_set_trust(d->shared, l->trust);
	else
		log_error("%s", d->ca_problem.text);
}

/* It counts while the file is the one that is configured, also where that may
 * have changed meanwhile: reloads that come often put nobody off. */
static void
trust_finish(struct trust_load *l)
{
	bool other = strcmp(l->ca_file, l->daemon->config->ca_file) != 0;
	bool again = l->again || (other && !l->old);

	if (!l->over && !other && !l->old)
		trust_take(l);
	l->busy = l->again = l->old = false;
	if (l->st == OK)
		tls_trust_unref(l->trust);
	l->trust = NULL;
	if (!l->over && again)
		trust_start(l);
}

static void
trust_deliver(struct mail *m)
{
	struct trust_load *l = (struct trust_load *)m;

	if (!l->joined)
		(void)pthread_join(l->thread, NULL);
	trust_finish(l);
}

/* Signals are the control loop's alone. */
static bool
trust_spawn(struct trust_load *l)
{
	sigset_t all, before;
	int error;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &before);
	error = pthread_create(&l->thread, NULL, trust_run, l);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error == 0;
}

static void
trust_start(struct trust_load *l)
{
	l->busy = true;
	l->joined = false;
	(void)snprintf(
	    l->ca_file, sizeof l->ca_file, "%s", l->daemon->config->ca_file);
	if (trust_spawn(l))
		return;
	trust_read(l);
	trust_finish(l);
}

void
daemon_load_trust(struct daemon *d)
{
	struct trust_load *l = &d->trust;

	if (l->busy) {
		l->again = true;
		return;
	}
	l->daemon = d;
	l->mail.deliver = trust_deliver;
	trust_start(l);
}

void
daemon_set_trust(struct daemon *d, struct tls_trust *trust)
{
	d->trust.old = d->trust.busy;
	proxy_shared_set_trust(d->shared, trust);
}

void
daemon_end_trust(struct daemon *d)
{
	struct trust_load *l = &d->trust;

	l->over = true;
	if (!l->busy)
		return;
	(void)pthread_join(l->thread, NULL);
	l->joined = true;
}
