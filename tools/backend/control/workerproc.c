// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/workerproc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fdpass.h"
#include "lib/log.h"

/* A worker that is being started has this much more time: the host may be busy, and a restart
 * would not make that better. */
#define START_GRACE_US UINT64_C(15000000)

/* Patience with a killed worker, us. */
#define UNKILLABLE_US UINT64_C(1000000)

struct request {
	TAILQ_ENTRY(request) link;
	struct worker_msg msg;
	int fds[WORKER_MAX_RINGS];
	size_t n_fds;
	uint64_t deadline; /* CLOCK_MONOTONIC, us */
	workerproc_reply_fn fn;
	void *userdata;
};
TAILQ_HEAD(request_list, request);

struct workerproc {
	sd_event *event;
	pid_t pid;
	int sock;
	uint64_t answer_timeout; /* us */
	bool greeted;            /* it has answered once */
	uint32_t next_seq;
	struct request_list unsent, sent; /* both in the order of their deadlines */
	sd_event_source *io, *child, *timer;
	struct workerproc_events events;
	void *userdata;
	char why[128]; /* reason of our killing it */
};

static void request_free(struct request *q)
{
	for (size_t i = 0; i < q->n_fds; i++)
		close(q->fds[i]);
	free(q);
}

static void drop_list(struct request_list *list)
{
	while (!TAILQ_EMPTY(list)) {
		struct request *q = TAILQ_FIRST(list);

		TAILQ_REMOVE(list, q, link);
		request_free(q);
	}
}

/* The source floats, which means that the loop owns it: no longer floating, it is freed. */
static int on_reaped(sd_event_source *s, const siginfo_t *si, void *userdata)
{
	(void)si;
	(void)userdata;
	sd_event_source_set_floating(s, false);
	return 0;
}

void workerproc_free(struct workerproc *w)
{
	if (!w)
		return;
	if (w->child) {
		/* Still running: it sees the end of the socket. Someone has to reap it. */
		w->child = sd_event_source_disable_unref(w->child);
		/* Fails when the loop is over; then init does it. */
		sd_event_add_child(w->event, NULL, w->pid, WEXITED, on_reaped, NULL);
	}
	drop_list(&w->unsent);
	drop_list(&w->sent);
	sd_event_source_disable_unref(w->io);
	sd_event_source_disable_unref(w->timer);
	close_fd(&w->sock);
	sd_event_unref(w->event);
	free(w);
}

pid_t workerproc_pid(const struct workerproc *w)
{
	return w->pid;
}

static void answer(struct request *q, const struct worker_reply *reply)
{
	if (q->fn)
		q->fn(q->userdata, reply);
	request_free(q);
}

/* Answer everything, then tell the owner, who frees us. */
static void finish(struct workerproc *w, const char *why)
{
	struct worker_reply reply = { .error = -ECONNRESET, .text = "the worker died" };
	struct request_list all = TAILQ_HEAD_INITIALIZER(all);

	w->io = sd_event_source_disable_unref(w->io);
	w->timer = sd_event_source_disable_unref(w->timer);
	TAILQ_CONCAT(&all, &w->sent, link);
	TAILQ_CONCAT(&all, &w->unsent, link);
	while (!TAILQ_EMPTY(&all)) {
		struct request *q = TAILQ_FIRST(&all);

		TAILQ_REMOVE(&all, q, link);
		answer(q, &reply);
	}
	w->events.died(w->userdata, why);
}

static int on_child_exit(sd_event_source *s, const siginfo_t *si, void *userdata)
{
	struct workerproc *w = userdata;
	char why[192];

	(void)s;
	if (si->si_code == CLD_EXITED)
		snprintf(why, sizeof(why), "exit status %d%s%s", si->si_status, *w->why ? ", " : "",
			 w->why);
	else
		snprintf(why, sizeof(why), "signal %d, %s%s%s", si->si_status,
			 strsignal(si->si_status), *w->why ? ", " : "", w->why);
	w->child = sd_event_source_disable_unref(w->child);
	finish(w, why);
	return 0;
}

/* A killed process stays while a disk does not answer its last I/O. */
static int on_unkillable(sd_event_source *s, uint64_t usec, void *userdata)
{
	(void)s;
	(void)usec;
	finish(userdata, "it cannot be killed, its storage does not answer");
	return 0;
}

static void kill_worker(struct workerproc *w, const char *why)
{
	if (!*w->why)
		snprintf(w->why, sizeof(w->why), "%s", why);
	w->io = sd_event_source_disable_unref(w->io);
	w->timer = sd_event_source_disable_unref(w->timer);
	kill(w->pid, SIGKILL);
	sd_event_add_time_relative(w->event, &w->timer, CLOCK_MONOTONIC, UNKILLABLE_US, 0,
				   on_unkillable, w);
}

static int on_deadline(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct workerproc *w = userdata;

	(void)s;
	(void)usec;
	kill_worker(w, "it did not answer in time");
	return 0;
}

static void arm_timer(struct workerproc *w)
{
	struct request *q = TAILQ_FIRST(&w->sent);

	/* Dying: the timer serves another purpose. */
	if (!w->io)
		return;
	if (!q)
		q = TAILQ_FIRST(&w->unsent);
	if (!q) {
		sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time(w->timer, q->deadline);
	sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
}

static void send_waiting(struct workerproc *w)
{
	while (!TAILQ_EMPTY(&w->unsent)) {
		struct request *q = TAILQ_FIRST(&w->unsent);
		int r = fdpass_send(w->sock, &q->msg, sizeof(q->msg), q->fds, q->n_fds);

		if (r == -EAGAIN)
			break;
		if (r < 0) {
			/* EPIPE: it is dying, and its exit is going to be reported. */
			if (r != -EPIPE && r != -ECONNRESET)
				kill_worker(w, strerror(-r));
			return;
		}
		TAILQ_REMOVE(&w->unsent, q, link);
		TAILQ_INSERT_TAIL(&w->sent, q, link);
		/* The receiver has its own copies; ours would keep images locked. */
		for (size_t i = 0; i < q->n_fds; i++)
			close(q->fds[i]);
		q->n_fds = 0;
	}
	if (w->io)
		sd_event_source_set_io_events(w->io, TAILQ_EMPTY(&w->unsent) ? EPOLLIN
									     : EPOLLIN | EPOLLOUT);
}

static void cut_deadlines(struct request_list *list, uint64_t latest)
{
	struct request *q;

	TAILQ_FOREACH (q, list, link)
		if (q->deadline > latest)
			q->deadline = latest;
}

/* It has started: from now on it is to be as quick as any. */
static void end_grace(struct workerproc *w)
{
	uint64_t now;

	w->greeted = true;
	sd_event_now(w->event, CLOCK_MONOTONIC, &now);
	cut_deadlines(&w->sent, now + w->answer_timeout);
	cut_deadlines(&w->unsent, now + w->answer_timeout);
}

static void on_answer(struct workerproc *w, struct worker_msg *msg)
{
	struct request *q;

	TAILQ_FOREACH (q, &w->sent, link)
		if (q->msg.seq == msg->seq)
			break;
	if (!q) {
		log_warning(0, "worker %d answered a request that nobody made (%u)", w->pid,
			    msg->seq);
		return;
	}
	TAILQ_REMOVE(&w->sent, q, link);
	if (!w->greeted)
		end_grace(w);
	arm_timer(w);
	msg->reply.text[sizeof(msg->reply.text) - 1] = '\0';
	if (msg->reply.error > 0)
		msg->reply.error = -EIO;
	answer(q, &msg->reply);
}

/* Messages taken per turn, so that one worker cannot starve the others. */
#define RECEIVE_BURST 16

static int on_socket(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct workerproc *w = userdata;

	(void)s;
	if (revents & EPOLLOUT)
		send_waiting(w);
	for (unsigned int i = 0; i < RECEIVE_BURST && w->io; i++) {
		struct worker_msg msg;
		size_t n;
		int r = fdpass_recv(fd, &msg, sizeof(msg), NULL, 0, &n);

		if (r == -EAGAIN)
			return 0;
		if (r == -ECONNRESET) {
			/* The end of it: make sure, and wait for its exit status. */
			kill_worker(w, "");
			return 0;
		}
		if (r < 0) {
			kill_worker(w, "it sent a malformed message");
			return 0;
		}
		if (msg.type == WORKER_REPLY) {
			on_answer(w, &msg);
		} else if (msg.type == WORKER_RING_ERROR) {
			msg.ring_error.text[sizeof(msg.ring_error.text) - 1] = '\0';
			w->events.ring_error(w->userdata, msg.class, msg.devid, &msg.ring_error);
		} else {
			kill_worker(w, "it sent a message of an unknown type");
		}
	}
	return 0;
}

static void on_hello(void *userdata, const struct worker_reply *reply)
{
	struct workerproc *w = userdata;

	if (reply->error == -ECONNRESET)
		return;
	if (reply->error < 0) {
		log_error(reply->error, "worker %d does not start: %s: %m", w->pid, reply->text);
		kill_worker(w, "it could not start");
	}
}

__attribute__((noreturn)) static void exec_worker(const struct workerproc_settings *settings,
						  int sock)
{
	char user[64], domid[24];
	char *argv[] = { (char *)"xenpv-worker", domid, user, NULL };
	sigset_t none;

	/* For ps and pgrep; and without --user the worker would look for its usual one. */
	snprintf(domid, sizeof(domid), "--domid=%u", settings->hello.domid);
	if (*settings->user)
		snprintf(user, sizeof(user), "--user=%s", settings->user);
	else
		snprintf(user, sizeof(user), "--user=%u", geteuid());

	/* Without CLOEXEC; the socket may happen to be at that number already. */
	if (sock == WORKER_CONTROL_FD) {
		if (fcntl(sock, F_SETFD, 0) < 0)
			_exit(126);
	} else if (dup2(sock, WORKER_CONTROL_FD) < 0) {
		_exit(126);
	}
	close_range(WORKER_CONTROL_FD + 1, ~0U, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* sd_notify and the watchdog are the broker's own business */
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	execv(settings->path, argv);
	fprintf(stderr, "cannot execute %s: %s\n", settings->path, strerror(errno));
	_exit(127);
}

static int spawn(struct workerproc *w, const struct workerproc_settings *settings)
{
	_cleanup_close_ int theirs = -1;
	int sv[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	w->sock = sv[0];
	theirs = sv[1];
	/* Only our end: the worker may as well block. */
	if (fcntl(w->sock, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return -errno;
	w->pid = fork();
	if (w->pid < 0)
		return -errno;
	if (w->pid == 0)
		exec_worker(settings, theirs);

	r = sd_event_add_child(w->event, &w->child, w->pid, WEXITED, on_child_exit, w);
	if (r < 0) {
		kill(w->pid, SIGKILL);
		waitpid(w->pid, NULL, 0);
		return r;
	}
	return sd_event_add_io(w->event, &w->io, w->sock, EPOLLIN, on_socket, w);
}

int workerproc_start(sd_event *event, const struct workerproc_settings *settings,
		     const struct workerproc_events *events, void *userdata,
		     struct workerproc **ret)
{
	struct worker_msg hello = { .type = WORKER_HELLO, .hello = settings->hello };
	struct workerproc *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->event = sd_event_ref(event);
	w->sock = -1;
	w->answer_timeout = settings->answer_timeout_s * UINT64_C(1000000);
	w->events = *events;
	w->userdata = userdata;
	TAILQ_INIT(&w->unsent);
	TAILQ_INIT(&w->sent);

	r = sd_event_add_time(event, &w->timer, CLOCK_MONOTONIC, 0, 0, on_deadline, w);
	if (r >= 0)
		r = sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = spawn(w, settings);
	if (r >= 0)
		r = workerproc_request(w, &hello, NULL, 0, on_hello, w);
	if (r < 0) {
		workerproc_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

int workerproc_request(struct workerproc *w, struct worker_msg *msg, int *fds, size_t n,
		       workerproc_reply_fn fn, void *userdata)
{
	struct request *q = NULL;
	uint64_t now;
	int r = 0;

	if (n > WORKER_MAX_RINGS)
		r = -EINVAL;
	else if (!w->io)
		r = -ECONNRESET;
	else if (!(q = calloc(1, sizeof(*q))))
		r = -ENOMEM;
	if (r < 0) {
		for (size_t i = 0; i < n; i++)
			close(fds[i]);
		return r;
	}

	msg->seq = w->next_seq++;
	q->msg = *msg;
	if (n > 0)
		memcpy(q->fds, fds, n * sizeof(int));
	q->n_fds = n;
	q->fn = fn;
	q->userdata = userdata;
	sd_event_now(w->event, CLOCK_MONOTONIC, &now);
	q->deadline = now + w->answer_timeout + (w->greeted ? 0 : START_GRACE_US);
	TAILQ_INSERT_TAIL(&w->unsent, q, link);
	send_waiting(w);
	arm_timer(w);
	return 0;
}

void workerproc_cancel(struct workerproc *w, const void *userdata)
{
	struct request *q;

	TAILQ_FOREACH (q, &w->unsent, link)
		if (q->userdata == userdata)
			q->fn = NULL;
	TAILQ_FOREACH (q, &w->sent, link)
		if (q->userdata == userdata)
			q->fn = NULL;
}
