// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/opener.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fdpass.h"
#include "lib/log.h"

#define CHILD_FD 3

struct opener {
	struct opener_pool *pool;
	TAILQ_ENTRY(opener) link;
	struct opener_request request;
	char path[PATH_MAX];
	opener_fn fn; /* NULL: cancelled or answered, only the child is left */
	void *userdata;
	pid_t pid; /* 0: waits in line */
	int sock;
	sd_event_source *io, *child, *timer;
};

struct opener_pool {
	sd_event *event;
	TAILQ_HEAD(opener_list, opener) waiting, running;
	unsigned int n_running;
	sd_event_source *kick; /* starts what waits, from the loop */
};

static void start_waiting(struct opener_pool *pool);

static void opener_free(struct opener *o)
{
	if (o->pid) {
		TAILQ_REMOVE(&o->pool->running, o, link);
		o->pool->n_running--;
	} else {
		TAILQ_REMOVE(&o->pool->waiting, o, link);
	}
	sd_event_source_disable_unref(o->io);
	sd_event_source_disable_unref(o->child);
	sd_event_source_disable_unref(o->timer);
	close_fd(&o->sock);
	free(o);
}

/* Answer the caller. The object stays until its child has been reaped. */
static void finish(struct opener *o, const struct opener_reply *reply)
{
	opener_fn fn = o->fn;

	o->fn = NULL;
	o->timer = sd_event_source_disable_unref(o->timer);
	o->io = sd_event_source_disable_unref(o->io);
	close_fd(&o->sock);
	if (fn)
		fn(o->userdata, reply);
	else if (reply->image.fd >= 0)
		close(reply->image.fd);
}

static void finish_error(struct opener *o, int err, const char *text)
{
	struct opener_reply reply = { .err = err, .image.fd = -1 };

	snprintf(reply.error, sizeof(reply.error), "%.300s: %s", o->path, text);
	finish(o, &reply);
}

static int on_reply(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct opener *o = userdata;
	struct opener_reply reply;
	size_t n = 0;
	int image_fd = -1, r;

	(void)s;
	(void)revents;
	r = fdpass_recv(fd, &reply, sizeof(reply), &image_fd, 1, &n);
	if (r == -EAGAIN)
		return 0;
	if (r < 0) {
		finish_error(o, -EIO, "the process that opens it died");
		return 0;
	}
	reply.image.fd = n == 1 ? image_fd : -1;
	reply.error[sizeof(reply.error) - 1] = '\0';
	finish(o, &reply);
	return 0;
}

static int on_timeout(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct opener *o = userdata;

	(void)s;
	(void)usec;
	if (o->pid)
		kill(o->pid, SIGKILL);
	finish_error(o, -ETIMEDOUT, "opening it takes too long, its storage may be unreachable");
	if (!o->pid)
		opener_free(o);
	return 0;
}

static int on_exit_child(sd_event_source *s, const siginfo_t *si, void *userdata)
{
	struct opener *o = userdata;
	struct opener_pool *pool = o->pool;

	(void)s;
	(void)si;
	/* The answer may be in the socket still. */
	if (o->fn)
		on_reply(NULL, o->sock, 0, o);
	if (o->fn)
		finish_error(o, -EIO, "the process that opens it died");
	opener_free(o);
	start_waiting(pool);
	return 0;
}

/* From here to run_child(): in the child process. */

static void child_fail(struct opener_reply *reply, const struct opener *o, int err)
{
	reply->err = err;
	errno = -err;
	snprintf(reply->error, sizeof(reply->error), "%.300s: %m", o->path);
}

/* A block device is the same behind whatever node. */
static void identify(const struct stat *st, uint64_t *ret_dev, uint64_t *ret_ino)
{
	bool block = S_ISBLK(st->st_mode);

	*ret_dev = block ? st->st_rdev : st->st_dev;
	*ret_ino = block ? 0 : st->st_ino;
}

static void child_open(const struct opener *o, struct opener_reply *reply)
{
	struct storage_params params = o->request.params;
	struct stat st;
	int r;

	params.path = o->path;
	r = storage_open(&params, &reply->image, reply->error, sizeof(reply->error));
	if (r < 0) {
		reply->err = r;
		reply->image.fd = -1;
		return;
	}
	if (fstat(reply->image.fd, &st) < 0) {
		child_fail(reply, o, -errno);
		return;
	}
	if (o->request.check_rdev &&
	    (!S_ISBLK(st.st_mode) || major(st.st_rdev) != o->request.major ||
	     minor(st.st_rdev) != o->request.minor)) {
		reply->err = -EINVAL;
		snprintf(reply->error, sizeof(reply->error),
			 "%.300s is not block device %u:%u, which physical-device names", o->path,
			 o->request.major, o->request.minor);
		return;
	}
	identify(&st, &reply->dev, &reply->ino);
}

static void child_refresh(const struct opener *o, struct opener_reply *reply)
{
	_cleanup_close_ int fd = open(o->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	uint64_t dev, ino;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		child_fail(reply, o, -errno);
		return;
	}
	identify(&st, &dev, &ino);
	if (dev != o->request.dev || ino != o->request.ino) {
		child_fail(reply, o, -ESTALE);
		return;
	}
	reply->image = o->request.image;
	reply->image.fd = fd;
	r = storage_refresh(&reply->image);
	reply->image.fd = -1;
	if (r < 0)
		child_fail(reply, o, r);
}

__attribute__((noreturn)) static void run_child(const struct opener *o, int sock)
{
	struct opener_reply reply;
	sigset_t none;

	/*
	 * Images of other devices must not stay open here: their locks would
	 * outlive their owners for as long as this process hangs.
	 */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(sock, CHILD_FD) < 0)
		_exit(1);
	close_range(CHILD_FD + 1, ~0U, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);

	memset(&reply, 0, sizeof(reply));
	reply.image.fd = -1;
	if (o->request.op == OPENER_OPEN)
		child_open(o, &reply);
	else
		child_refresh(o, &reply);
	if (reply.err < 0)
		fdpass_send(CHILD_FD, &reply, sizeof(reply), NULL, 0);
	else
		fdpass_send(CHILD_FD, &reply, sizeof(reply), &reply.image.fd,
			    reply.image.fd >= 0 ? 1 : 0);
	_exit(0);
}

static int spawn(struct opener *o)
{
	struct opener_pool *pool = o->pool;
	_cleanup_close_ int ours = -1, theirs = -1;
	int sv[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0)
		return -errno;
	ours = sv[0];
	theirs = sv[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		run_child(o, theirs);

	TAILQ_REMOVE(&pool->waiting, o, link);
	TAILQ_INSERT_TAIL(&pool->running, o, link);
	pool->n_running++;
	o->pid = pid;
	o->sock = TAKE_FD(ours);
	r = sd_event_add_child(pool->event, &o->child, pid, WEXITED, on_exit_child, o);
	if (r >= 0)
		r = sd_event_add_io(pool->event, &o->io, o->sock, EPOLLIN, on_reply, o);
	if (r < 0) {
		kill(pid, SIGKILL);
		if (!o->child)
			waitpid(pid, NULL, 0);
	}
	return r;
}

static void start_waiting(struct opener_pool *pool)
{
	while (pool->n_running < OPENER_MAX && !TAILQ_EMPTY(&pool->waiting)) {
		struct opener *o = TAILQ_FIRST(&pool->waiting);
		int r = spawn(o);

		if (r >= 0)
			continue;
		log_error(r, "cannot start a process to open %s: %m", o->path);
		finish_error(o, r, "cannot start a process to open it");
		if (!o->child)
			opener_free(o);
	}
}

int opener_start(struct opener_pool *pool, const struct opener_request *request,
		 unsigned int timeout_s, opener_fn fn, void *userdata, struct opener **ret)
{
	struct opener *o;
	int r;

	if (strlen(request->path) >= sizeof(o->path))
		return -ENAMETOOLONG;
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->pool = pool;
	o->request = *request;
	snprintf(o->path, sizeof(o->path), "%s", request->path);
	o->request.path = o->path;
	o->request.params.path = o->path;
	o->fn = fn;
	o->userdata = userdata;
	o->sock = -1;
	TAILQ_INSERT_TAIL(&pool->waiting, o, link);
	r = sd_event_add_time_relative(pool->event, &o->timer, CLOCK_MONOTONIC,
				       timeout_s * UINT64_C(1000000), 0, on_timeout, o);
	if (r < 0) {
		opener_free(o);
		return r;
	}
	r = sd_event_source_set_enabled(pool->kick, SD_EVENT_ONESHOT);
	if (r < 0) {
		opener_free(o);
		return r;
	}
	*ret = o;
	return 0;
}

void opener_cancel(struct opener *o)
{
	if (!o)
		return;
	o->fn = NULL;
	if (o->pid)
		kill(o->pid, SIGKILL);
	else
		opener_free(o);
}

static int on_kick(sd_event_source *s, void *userdata)
{
	(void)s;
	start_waiting(userdata);
	return 0;
}

int opener_pool_new(sd_event *event, struct opener_pool **ret)
{
	struct opener_pool *pool = calloc(1, sizeof(*pool));
	int r;

	if (!pool)
		return -ENOMEM;
	pool->event = sd_event_ref(event);
	TAILQ_INIT(&pool->waiting);
	TAILQ_INIT(&pool->running);
	r = sd_event_add_defer(event, &pool->kick, on_kick, pool);
	if (r >= 0)
		r = sd_event_source_set_enabled(pool->kick, SD_EVENT_OFF);
	if (r < 0) {
		opener_pool_free(pool);
		return r;
	}
	*ret = pool;
	return 0;
}

void opener_pool_free(struct opener_pool *pool)
{
	if (!pool)
		return;
	while (!TAILQ_EMPTY(&pool->running)) {
		struct opener *o = TAILQ_FIRST(&pool->running);

		kill(o->pid, SIGKILL);
		opener_free(o);
	}
	while (!TAILQ_EMPTY(&pool->waiting))
		opener_free(TAILQ_FIRST(&pool->waiting));
	sd_event_source_disable_unref(pool->kick);
	sd_event_unref(pool->event);
	free(pool);
}
