// SPDX-License-Identifier: GPL-2.0-or-later
#include "freezework.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fsfreeze.h"

/* Milliseconds after which a call that has not returned is taken to hang. */
#define PATIENCE 2000
/* Milliseconds between two looks at the children if nothing tells of their ends. */
#define WITHOUT_SIGNALS 100
/* Processes at a time; see TasksMax= of the unit. */
#define HANDS_MAX 9

int64_t freezework_now(void)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * (int64_t)1000 + ts.tv_nsec / 1000000;
}

/* The hands. */

static void thaw_one(const struct freezework *work, uint32_t i)
{
	int r = work->fds[i] < 0 ? -EINVAL : fsfreeze_thaw(work->fds[i]);

	/* What is not frozen, or not there, is -EINVAL. Another error leaves it frozen. */
	atomic_store(&work->frozen->table->entries[i].state,
		     r < 0 && r != -EINVAL ? FROZEN_YES : FROZEN_NOT);
}

/* Returns the exit status: 1 if one of them cannot be frozen. */
static int freeze_hand(const struct freezework *work)
{
	struct frozen_table *table = work->frozen->table;

	/* So that little is left to be written while others have to wait. */
	for (uint32_t i = 0; i < table->n; i++)
		(void)syncfs(work->fds[i]);
	for (uint32_t i = 0; i < table->n; i++) {
		struct frozen_entry *entry = &table->entries[i];
		int r;

		/* Said before the word to stop is looked for: one of both sides sees the other. */
		atomic_store(&entry->state, FROZEN_BEGUN);
		if (atomic_load(&table->stop)) {
			atomic_store(&entry->state, FROZEN_NOT);
			break;
		}
		r = fsfreeze_freeze(work->fds[i]);
		if (r < 0) {
			atomic_store(&entry->state, FROZEN_NOT);
			if (r == -EOPNOTSUPP || r == -EBUSY)
				continue;
			table->error = r;
			table->failed = i;
			return 1;
		}
		if (!frozen_change(entry, FROZEN_BEGUN, FROZEN_YES)) {
			thaw_one(work, i);
			break;
		}
	}
	return 0;
}

static int thaw_hand(const struct freezework *work)
{
	for (uint32_t i = work->frozen->table->n; i-- > 0;)
		if (frozen_change(&work->frozen->table->entries[i], FROZEN_YES, FROZEN_ENDING))
			thaw_one(work, i);
	return 0;
}

static pid_t fork_hand(struct freezework *work, int (*hand)(const struct freezework *work))
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(hand(work));
	if (pid > 0)
		work->hands++;
	return pid;
}

/* The watch. */

static void tell(const struct freezework *work, const struct freezework_message *message)
{
	(void)send(work->channel, message, sizeof(*message), MSG_NOSIGNAL);
}

/* Has @pid ended (true, with its wait status)? Any other that has is taken note of. */
static bool reap(struct freezework *work, pid_t pid, int *ret_status)
{
	bool found = false;
	int status;
	pid_t ended;

	while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
		work->hands--;
		if (ended != pid)
			continue;
		*ret_status = status;
		found = true;
	}
	return found;
}

/* Until a child has ended, @fd says something (true) or it is @until; -1: for ever. */
static bool await(const struct freezework *work, int fd, int64_t until)
{
	struct pollfd pollers[] = { { .fd = work->signals, .events = POLLIN },
				    { .fd = fd, .events = POLLIN } };
	struct signalfd_siginfo info;
	int64_t left = until < 0 ? -1 : until - freezework_now();

	if (until >= 0 && left < 0)
		left = 0;
	if (work->signals < 0 && (left < 0 || left > WITHOUT_SIGNALS))
		left = WITHOUT_SIGNALS;
	if (poll(pollers, 2, (int)left) <= 0)
		return false;
	if (pollers[0].revents)
		(void)!read(work->signals, &info, sizeof(info));
	return pollers[1].revents != 0;
}

/* Wait until all children have ended (true), or until @until. */
static bool await_hands(struct freezework *work, int64_t until)
{
	int status;

	for (;;) {
		(void)reap(work, 0, &status);
		if (!work->hands)
			return true;
		if (until >= 0 && freezework_now() >= until)
			return false;
		(void)await(work, -1, until);
	}
}

/* As long as it gets on: false if @pid hangs, true when it has ended. */
static bool watch_thaw(struct freezework *work, pid_t pid)
{
	uint32_t left = frozen_count(work->frozen, FROZEN_YES);
	int64_t until = freezework_now() + PATIENCE;
	int status;

	while (!reap(work, pid, &status)) {
		uint32_t now = frozen_count(work->frozen, FROZEN_YES);

		if (now != left)
			until = freezework_now() + PATIENCE;
		else if (freezework_now() >= until)
			return false;
		left = now;
		(void)await(work, -1, until);
	}
	return true;
}

static void thaw(struct freezework *work)
{
	while (frozen_count(work->frozen, FROZEN_YES) && work->hands < HANDS_MAX) {
		pid_t pid = fork_hand(work, thaw_hand);

		if (pid < 0) {
			(void)thaw_hand(work);
			return;
		}
		/* What it could not thaw, another could neither. */
		if (watch_thaw(work, pid))
			return;
	}
}

static void stop(const struct freezework *work)
{
	struct frozen_table *table = work->frozen->table;

	atomic_store(&table->stop, 1);
	for (uint32_t i = 0; i < table->n; i++)
		(void)frozen_change(&table->entries[i], FROZEN_BEGUN, FROZEN_GIVEN_UP);
}

/* Nobody is at work on them: what one that was killed has left half done is to be thawed. */
static void take_over(const struct freezework *work)
{
	struct frozen_table *table = work->frozen->table;

	for (uint32_t i = 0; i < table->n; i++)
		if (!frozen_change(&table->entries[i], FROZEN_GIVEN_UP, FROZEN_YES))
			(void)frozen_change(&table->entries[i], FROZEN_ENDING, FROZEN_YES);
}

/* Everything is thawed that can be; then the agent is told, and the rest waited for. */
static void finish(struct freezework *work, struct freezework_message *message)
{
	uint32_t first;

	thaw(work);
	if (await_hands(work, freezework_now() + PATIENCE) && frozen_is_ours(work->frozen, false)) {
		take_over(work);
		thaw(work);
	}
	(void)await_hands(work, freezework_now());
	first = frozen_first(work->frozen);
	message->hangs = work->hands || first < work->frozen->table->n;
	message->hung = first < work->frozen->table->n ? first : FROZEN_MAX;
	if (!message->hangs)
		frozen_remove(work->frozen);
	tell(work, message);
	if (!message->hangs)
		return;
	/* Not before all of them have returned: the one that hangs may leave others. */
	(void)await_hands(work, -1);
	(void)frozen_is_ours(work->frozen, true);
	take_over(work);
	thaw(work);
	(void)await_hands(work, -1);
	if (frozen_first(work->frozen) == work->frozen->table->n)
		frozen_remove(work->frozen);
}

/* Until it is to be thawed; @message tells why. */
static void freeze(struct freezework *work, struct freezework_message *message)
{
	pid_t pid = fork_hand(work, freeze_hand);
	int status;

	if (pid < 0) {
		*message = (struct freezework_message){
			.event = FREEZER_FAILED,
			.error = -errno,
			.failed = FROZEN_MAX,
		};
		return;
	}
	message->event = FREEZER_THAWED;
	while (!reap(work, pid, &status)) {
		if (await(work, work->channel, work->deadline))
			return;
		if (freezework_now() >= work->deadline) {
			message->event = FREEZER_TIMEOUT;
			return;
		}
	}
	if (!WIFEXITED(status)) {
		message->event = FREEZER_LOST;
		return;
	}
	if (WEXITSTATUS(status) != 0) {
		message->event = FREEZER_FAILED;
		message->error = work->frozen->table->error;
		message->failed = work->frozen->table->failed;
		return;
	}
	message->event = FREEZER_FROZEN;
	message->n = frozen_count(work->frozen, FROZEN_YES);
	tell(work, message);
	message->event = FREEZER_THAWED;
	while (!await(work, work->channel, work->deadline)) {
		if (freezework_now() >= work->deadline) {
			message->event = FREEZER_TIMEOUT;
			return;
		}
	}
}

/* Signals that end the agent do not end this: the agent's end does. */
static int block_all_signals(void)
{
	sigset_t set;

	sigfillset(&set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void freezework_run(struct freezework *work)
{
	struct freezework_message message = { .event = FREEZER_LOST };

	work->signals = block_all_signals();
	work->hands = 0;
	if (!work->thaw_only && work->signals < 0)
		message = (struct freezework_message){
			.event = FREEZER_FAILED,
			.error = -errno,
			.failed = FROZEN_MAX,
		};
	else if (!work->thaw_only)
		freeze(work, &message);
	stop(work);
	if (work->thaw_only && frozen_is_ours(work->frozen, false))
		take_over(work);
	message.n = frozen_count(work->frozen, FROZEN_YES);
	finish(work, &message);
	_exit(0);
}
