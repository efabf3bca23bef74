// SPDX-License-Identifier: GPL-2.0-or-later
#include "freezer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "fsfreeze.h"
#include "lib/cleanup.h"
#include "lib/log.h"

/* What the process tells the agent; one message each, so that it is read as a whole. */
struct message {
	enum freezer_event event;
	uint32_t n;
	int error;
	uint32_t failed; /* index of the file system */
};

struct freezer {
	freezer_fn fn;
	void *userdata;
	sd_event_source *source, *child;
	int channel; /* to the process; -1 when it is idle */
	bool told;   /* the final event was reported */
	uint32_t n;
	int fds[FREEZER_MAX]; /* in the order of freezing */
	char *targets[FREEZER_MAX];
};

static int64_t now_msec(void)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * (int64_t)1000 + ts.tv_nsec / 1000000;
}

/*
 * The process. Forked from one with threads: it allocates nothing, logs nothing and calls no
 * function of libxenstore.
 */

struct work {
	int channel;
	int64_t deadline; /* milliseconds of CLOCK_MONOTONIC */
	uint32_t n;
	const int *fds;
	bool *frozen; /* by this process */
};

static void thaw_all(const struct work *work)
{
	for (uint32_t i = work->n; i-- > 0;)
		if (work->frozen[i])
			(void)fsfreeze_thaw(work->fds[i]);
}

static void tell(const struct work *work, const struct message *message)
{
	(void)send(work->channel, message, sizeof(*message), MSG_NOSIGNAL);
}

/* Until the agent says so, or is gone (true), or for that long (false). */
static bool wait_for_word(const struct work *work, int64_t msec)
{
	struct pollfd poller = { .fd = work->channel, .events = POLLIN };
	int64_t end = now_msec() + msec;
	int r;

	do {
		int64_t left = end - now_msec();

		r = poll(&poller, 1, left > 0 ? (int)left : 0);
	} while (r < 0 && errno == EINTR);
	return r != 0;
}

/* Returns false if it should go no further; @message then holds why. */
static bool freeze_all(struct work *work, struct message *message)
{
	/* So that little is left to be written while others have to wait. */
	for (uint32_t i = 0; i < work->n; i++)
		(void)syncfs(work->fds[i]);
	for (uint32_t i = 0; i < work->n; i++) {
		int r;

		if (wait_for_word(work, 0)) {
			message->event = FREEZER_THAWED;
			return false;
		}
		if (now_msec() >= work->deadline) {
			message->event = FREEZER_TIMEOUT;
			return false;
		}
		r = fsfreeze_freeze(work->fds[i]);
		if (r == -EOPNOTSUPP || r == -EBUSY)
			continue;
		if (r < 0) {
			*message = (struct message){ FREEZER_FAILED, message->n, r, i };
			return false;
		}
		work->frozen[i] = true;
		message->n++;
	}
	return true;
}

static void do_work(struct work *work)
{
	struct message message = { .event = FREEZER_FROZEN };

	if (freeze_all(work, &message)) {
		int64_t left;

		tell(work, &message);
		left = work->deadline - now_msec();
		message.event =
			wait_for_word(work, left > 0 ? left : 0) ? FREEZER_THAWED : FREEZER_TIMEOUT;
	}
	thaw_all(work);
	tell(work, &message);
}

/* Signals that end the agent do not end this: the agent's end does. */
static void block_all_signals(void)
{
	sigset_t set;

	sigfillset(&set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

/* The agent. */

static const char *target_of(const struct freezer *freezer, const struct message *message)
{
	return message->event == FREEZER_FAILED && message->failed < freezer->n
		       ? freezer->targets[message->failed]
		       : NULL;
}

static void finish(struct freezer *freezer, const struct message *message)
{
	if (message->event != FREEZER_FROZEN) {
		if (freezer->told)
			return;
		freezer->told = true;
		(void)sd_event_source_set_enabled(freezer->source, SD_EVENT_OFF);
	}
	freezer->fn(freezer->userdata, message->event, message->n, message->error,
		    target_of(freezer, message));
}

/* Nobody else would. What is not frozen says so, and that is all. */
static void thaw_here(struct freezer *freezer)
{
	for (uint32_t i = freezer->n; i-- > 0;)
		(void)fsfreeze_thaw(freezer->fds[i]);
}

static int on_message(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct freezer *freezer = userdata;
	struct message message;
	ssize_t n;

	(void)source;
	(void)revents;
	n = recv(fd, &message, sizeof(message), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n != sizeof(message)) {
		thaw_here(freezer);
		message = (struct message){ .event = FREEZER_LOST };
	}
	finish(freezer, &message);
	return 0;
}

/* Its last message, if it sent one, is read first: the loop serves the socket before. */
static int on_child(sd_event_source *source, const siginfo_t *info, void *userdata)
{
	(void)source;
	(void)info;
	(void)userdata;
	return 0;
}

static int open_all(struct freezer *freezer, const struct mounts *mounts)
{
	for (size_t i = mounts->n; i-- > 0;) {
		const struct mount *mount = &mounts->list[i];

		if (mount->read_only)
			continue;
		if (freezer->n == FREEZER_MAX)
			return -E2BIG;
		freezer->fds[freezer->n] =
			open(mount->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
		if (freezer->fds[freezer->n] < 0) {
			int r = -errno;

			/* A file can be a mount point; another mount can hide this one. */
			if (r == -ENOENT || r == -ENOTDIR)
				continue;
			log_warning(r, "cannot open %s to freeze it: %m", mount->target);
			return r;
		}
		freezer->targets[freezer->n] = strdup(mount->target);
		freezer->n++;
		if (!freezer->targets[freezer->n - 1])
			return -ENOMEM;
	}
	return 0;
}

static int fork_process(struct freezer *freezer, sd_event *event, uint32_t seconds)
{
	bool frozen[FREEZER_MAX] = { false };
	struct work work = {
		.deadline = now_msec() + seconds * (int64_t)1000,
		.n = freezer->n,
		.fds = freezer->fds,
		.frozen = frozen,
	};
	int ends[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		block_all_signals();
		/* The other end has to be the agent's alone, so that its death is seen. */
		close(ends[0]);
		work.channel = ends[1];
		do_work(&work);
		_exit(0);
	}
	r = -errno;
	close(ends[1]);
	freezer->channel = ends[0];
	if (pid < 0)
		return r;
	r = sd_event_add_io(event, &freezer->source, freezer->channel, EPOLLIN, on_message,
			    freezer);
	if (r >= 0)
		r = sd_event_add_child(event, &freezer->child, pid, WEXITED, on_child, freezer);
	/* What it may have frozen by now, it thaws as soon as the channel is closed. */
	if (r < 0) {
		close_fd(&freezer->channel);
		(void)waitpid(pid, NULL, 0);
	}
	return r;
}

int freezer_start(sd_event *event, const struct mounts *mounts, uint32_t seconds, freezer_fn fn,
		  void *userdata, struct freezer **ret)
{
	struct freezer *freezer = calloc(1, sizeof(*freezer));
	int r;

	if (!freezer)
		return -ENOMEM;
	freezer->channel = -1;
	freezer->fn = fn;
	freezer->userdata = userdata;
	r = open_all(freezer, mounts);
	if (r >= 0)
		r = fork_process(freezer, event, seconds);
	if (r < 0) {
		freezer_free(freezer);
		return r;
	}
	*ret = freezer;
	return 0;
}

void freezer_thaw(struct freezer *freezer)
{
	/* Half a close is a word as well, and one that always gets through. */
	if (freezer->channel >= 0)
		(void)shutdown(freezer->channel, SHUT_WR);
}

void freezer_free(struct freezer *freezer)
{
	if (!freezer)
		return;
	sd_event_source_disable_unref(freezer->source);
	close_fd(&freezer->channel);
	if (freezer->child) {
		pid_t pid;

		if (sd_event_source_get_child_pid(freezer->child, &pid) >= 0 &&
		    sd_event_source_get_enabled(freezer->child, NULL) > 0)
			(void)waitpid(pid, NULL, 0);
		sd_event_source_disable_unref(freezer->child);
	}
	for (uint32_t i = 0; i < freezer->n; i++) {
		close(freezer->fds[i]);
		free(freezer->targets[i]);
	}
	free(freezer);
}
