/* The pipes of a worker's tunnels: some idle ones are kept. */
#include "proxy/relay_pipe.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* Two descriptors each, of those that connections leave to the rest. */
static size_t
pipes_at_most(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) != 0 ||
	    rl.rlim_cur / RELAY_PIPES_SHARE >= RELAY_PIPES_MOST)
		return RELAY_PIPES_MOST;
	return (size_t)rl.rlim_cur / RELAY_PIPES_SHARE;
}

static void
pipe_close(struct relay_pipe *p)
{
	(void)close(p->out);
	(void)close(p->in);
	free(p);
}

/* NULL: there are none to spare. */
static struct relay_pipe *
pipe_create(void)
{
	struct relay_pipe *p = malloc(sizeof *p);
	int fds[2];

	if (p == NULL || pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) {
		free(p);
		return NULL;
	}
	/* Refused past the user's allowance: 64 KiB does as well. */
	(void)fcntl(fds[1], F_SETPIPE_SZ, RELAY_TURN_BYTES);
	*p = (struct relay_pipe){ .out = fds[0], .in = fds[1] };
	return p;
}

struct relay_pipe *
relay_pipe_borrow(struct relay_pool *p)
{
	struct relay_pipe *pipe;

	if (p->n_lent >= p->most_lent)
		return NULL;
	pipe = p->n_pipes > 0 ? p->pipes[--p->n_pipes] : pipe_create();
	if (pipe != NULL)
		p->n_lent++;
	return pipe;
}

/* A pipe that still holds somebody's bytes must never serve another. */
void
relay_pipe_return(struct relay_pool *p, struct relay_pipe *pipe)
{
	if (pipe == NULL)
		return;
	p->n_lent--;
	if (pipe->n == 0 && p->n_pipes < RELAY_PIPES_KEPT)
		p->pipes[p->n_pipes++] = pipe;
	else
		pipe_close(pipe);
}

void
relay_pipes_init(struct relay_pool *p)
{
	p->n_pipes = 0;
	p->n_lent = 0;
	p->most_lent = pipes_at_most();
}

void
relay_pipes_release(struct relay_pool *p)
{
	while (p->n_pipes > 0)
		pipe_close(p->pipes[--p->n_pipes]);
}
