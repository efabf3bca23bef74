// SPDX-License-Identifier: GPL-2.0-or-later
#include "freezer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "freezework.h"
#include "frozen.h"
#include "fsfreeze.h"
#include "lib/cleanup.h"
#include "lib/log.h"

/* freezer_free() waits this long, in milliseconds. */
#define FREE_LIMIT 10000
/* One that is killed more often than this takes no other with it. */
#define REPLACED_MAX 5

struct freezer {
	sd_event *event;
	freezer_fn fn;
	void *userdata;
	sd_event_source *source, *child;
	int channel;           /* to the process */
	bool told;             /* the event that ends the freeze was reported */
	bool hangs;            /* and FREEZER_ENDED is to follow */
	unsigned int replaced; /* how often the process was killed */
	int64_t deadline;
	struct frozen frozen;
	int fds[FROZEN_MAX]; /* in the order of freezing */
};

static const char *target_of(const struct freezer *freezer, uint32_t i)
{
	const struct frozen_table *table = freezer->frozen.table;

	return i < table->n ? table->entries[i].target : NULL;
}

/* The freezer may be gone afterwards. */
static void finish(struct freezer *freezer, const struct freezework_message *message)
{
	const struct freezer_news news = {
		.event = message->event,
		.n = message->n,
		.error = message->error,
		.target = message->event == FREEZER_FAILED ? target_of(freezer, message->failed)
							   : NULL,
		.hangs = message->hangs,
		.hung = message->hangs ? target_of(freezer, message->hung) : NULL,
	};

	if (message->event != FREEZER_FROZEN) {
		if (freezer->told)
			return;
		freezer->told = true;
		freezer->hangs = message->hangs;
		(void)sd_event_source_set_enabled(freezer->source, SD_EVENT_OFF);
	}
	freezer->fn(freezer->userdata, &news);
}

/* Returns false if there is no message. */
static bool receive(struct freezer *freezer, struct freezework_message *message)
{
	return recv(freezer->channel, message, sizeof(*message), MSG_DONTWAIT) ==
	       (ssize_t)sizeof(*message);
}

static int on_message(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct freezer *freezer = userdata;
	struct freezework_message message;

	(void)fd;
	(void)revents;
	if (receive(freezer, &message))
		finish(freezer, &message);
	else
		/* The end: that of the process tells the rest. */
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

static void end(struct freezer *freezer)
{
	uint32_t first = frozen_first(&freezer->frozen);
	const struct freezer_news news = {
		.event = FREEZER_ENDED,
		.hung = target_of(freezer, first),
	};

	freezer->hangs = false;
	freezer->fn(freezer->userdata, &news);
}

static int fork_process(struct freezer *freezer, bool thaw_only);

/* Nobody else would. What is not frozen says so, and that is all. */
static void thaw_here(struct freezer *freezer)
{
	for (uint32_t i = freezer->frozen.table->n; i-- > 0;)
		if (freezer->fds[i] >= 0)
			(void)fsfreeze_thaw(freezer->fds[i]);
}

/* It was killed. What it left frozen is another's to thaw now. */
static void replace(struct freezer *freezer)
{
	int r = 0;

	if (freezer->frozen.dir >= 0)
		r = frozen_reopen(&freezer->frozen);
	if (r < 0 && r != -ENOENT)
		log_warning(r, "cannot open the record of what is frozen: %m");
	r = freezer->replaced++ < REPLACED_MAX ? fork_process(freezer, true) : -ECHILD;
	if (r < 0) {
		log_warning(r, "cannot fork to thaw: %m");
		thaw_here(freezer);
		if (freezer->told)
			end(freezer);
		else
			finish(freezer, &(struct freezework_message){ .event = FREEZER_LOST });
	}
}

static int on_child(sd_event_source *source, const siginfo_t *info, void *userdata)
{
	struct freezer *freezer = userdata;
	struct freezework_message message;

	(void)source;
	while (!freezer->told && receive(freezer, &message)) {
		bool last = message.event != FREEZER_FROZEN && !message.hangs;

		finish(freezer, &message);
		if (last)
			return 0;
	}
	if (!freezer->told || (freezer->hangs && info->si_code != CLD_EXITED))
		replace(freezer);
	else if (freezer->hangs)
		end(freezer);
	return 0;
}

static int open_one(struct freezer *freezer, const struct mount *mount)
{
	struct frozen_table *table = freezer->frozen.table;
	struct frozen_entry *entry = &table->entries[table->n];
	struct stat st;
	int fd;

	fd = open(mount->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0) {
		int r = -errno;

		/* A file can be a mount point; another mount can hide this one. */
		if (r == -ENOENT || r == -ENOTDIR)
			return 0;
		log_warning(r, "cannot open %s to freeze it: %m", mount->target);
		if (fd >= 0)
			close(fd);
		return r;
	}
	freezer->fds[table->n++] = fd;
	entry->device = st.st_dev;
	strncpy(entry->target, mount->target, sizeof(entry->target) - 1);
	return 0;
}

static int open_all(struct freezer *freezer, const struct mounts *mounts)
{
	uint32_t n = 0;
	int r, kept;

	for (size_t i = 0; i < mounts->n; i++)
		n += !mounts->list[i].read_only;
	if (n > FROZEN_MAX)
		return -E2BIG;
	r = frozen_create(n, &freezer->frozen, &kept);
	if (r < 0)
		return r;
	if (kept < 0)
		log_warning(kept, "cannot keep a record of what is frozen: %m; if the agent and "
				  "its processes are killed, it stays so");
	freezer->frozen.table->n = 0;
	for (size_t i = mounts->n; i-- > 0;) {
		if (mounts->list[i].read_only)
			continue;
		r = open_one(freezer, &mounts->list[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What an earlier agent has frozen; what is mounted there now may be something else. */
static void reopen_all(struct freezer *freezer)
{
	for (uint32_t i = 0; i < freezer->frozen.table->n; i++) {
		struct frozen_entry *entry = &freezer->frozen.table->entries[i];
		struct stat st;

		(void)frozen_change(entry, FROZEN_BEGUN, FROZEN_GIVEN_UP);
		freezer->fds[i] = -1;
		if (atomic_load(&entry->state) == FROZEN_NOT)
			continue;
		freezer->fds[i] =
			open(entry->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
		if (freezer->fds[i] >= 0 &&
		    (fstat(freezer->fds[i], &st) < 0 || st.st_dev != entry->device))
			close_fd(&freezer->fds[i]);
	}
}

void freezer_thaw(struct freezer *freezer)
{
	/* Half a close is a word as well, and one that always gets through. */
	if (freezer->channel >= 0)
		(void)shutdown(freezer->channel, SHUT_WR);
}

/* Until the process and its children have ended: the other end is all of theirs. */
static bool wait_for_end(struct freezer *freezer)
{
	struct pollfd poller = { .fd = freezer->channel };
	int64_t until = freezework_now() + FREE_LIMIT;
	int64_t left;

	while ((left = until - freezework_now()) > 0)
		if (poll(&poller, 1, (int)left) > 0)
			return true;
	return false;
}

static void work(struct freezer *freezer, int channel, bool thaw_only)
{
	struct freezework freezework = {
		.channel = channel,
		.deadline = freezer->deadline,
		.fds = freezer->fds,
		.frozen = &freezer->frozen,
		.thaw_only = thaw_only,
	};

	/* The other end has to be the agent's alone, so that its death is seen. */
	close_fd(&freezer->channel);
	freezework_run(&freezework);
}

static int fork_process(struct freezer *freezer, bool thaw_only)
{
	int ends[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	freezer->source = sd_event_source_disable_unref(freezer->source);
	freezer->child = sd_event_source_disable_unref(freezer->child);
	close_fd(&freezer->channel);
	freezer->channel = ends[0];
	pid = fork();
	if (pid == 0)
		work(freezer, ends[1], thaw_only);
	r = -errno;
	close(ends[1]);
	if (pid < 0)
		return r;
	/* The process and its children have it locked. */
	close_fd(&freezer->frozen.lock);
	r = sd_event_add_io(freezer->event, &freezer->source, freezer->channel, EPOLLIN, on_message,
			    freezer);
	if (r >= 0)
		r = sd_event_add_child(freezer->event, &freezer->child, pid, WEXITED, on_child,
				       freezer);
	/* What it may have frozen by now, it thaws. */
	if (r < 0) {
		freezer_thaw(freezer);
		if (wait_for_end(freezer))
			(void)waitpid(pid, NULL, 0);
	}
	return r;
}

static struct freezer *new (sd_event *event, freezer_fn fn, void *userdata)
{
	struct freezer *freezer = malloc(sizeof(*freezer));

	if (freezer)
		*freezer = (struct freezer){
			.event = event,
			.fn = fn,
			.userdata = userdata,
			.channel = -1,
			.frozen = { .dir = -1, .lock = -1 },
		};
	return freezer;
}

int freezer_start(sd_event *event, const struct mounts *mounts, uint32_t seconds, freezer_fn fn,
		  void *userdata, struct freezer **ret)
{
	struct freezer *freezer = new (event, fn, userdata);
	int r;

	if (!freezer)
		return -ENOMEM;
	freezer->deadline = freezework_now() + seconds * (int64_t)1000;
	r = open_all(freezer, mounts);
	if (r >= 0)
		r = fork_process(freezer, false);
	if (r < 0) {
		frozen_remove(&freezer->frozen);
		freezer_free(freezer);
		return r;
	}
	*ret = freezer;
	return 0;
}

int freezer_recover(sd_event *event, freezer_fn fn, void *userdata, struct freezer **ret)
{
	struct freezer *freezer = new (event, fn, userdata);
	int r;

	*ret = NULL;
	if (!freezer)
		return -ENOMEM;
	r = frozen_load(&freezer->frozen);
	if (r < 0) {
		freezer_free(freezer);
		return r == -ENOENT ? 0 : r;
	}
	if (frozen_first(&freezer->frozen) == freezer->frozen.table->n) {
		frozen_remove(&freezer->frozen);
		freezer_free(freezer);
		return 0;
	}
	reopen_all(freezer);
	r = fork_process(freezer, true);
	if (r < 0) {
		freezer_free(freezer);
		return r;
	}
	*ret = freezer;
	return 1;
}

void freezer_free(struct freezer *freezer)
{
	pid_t pid;

	if (!freezer)
		return;
	sd_event_source_disable_unref(freezer->source);
	freezer_thaw(freezer);
	if (freezer->child && sd_event_source_get_child_pid(freezer->child, &pid) >= 0 &&
	    sd_event_source_get_enabled(freezer->child, NULL) > 0 && !freezer->hangs &&
	    wait_for_end(freezer))
		(void)waitpid(pid, NULL, 0);
	sd_event_source_disable_unref(freezer->child);
	close_fd(&freezer->channel);
	for (uint32_t i = 0; freezer->frozen.table && i < freezer->frozen.table->n; i++)
		if (freezer->fds[i] >= 0)
			close(freezer->fds[i]);
	frozen_clear(&freezer->frozen);
	free(freezer);
}
