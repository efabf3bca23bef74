// SPDX-License-Identifier: GPL-2.0-or-later
#include "job.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct job {
	struct job *next;
	uint32_t id;
	pid_t pid;        /* also its process group; 0 once reaped */
	int fds[2];       /* its standard output and error, or -1 */
	int64_t deadline; /* CLOCK_MONOTONIC, milliseconds */
	bool timed_out;
	int32_t status;
};

struct jobs {
	struct link *link;
	struct job *first;
	int put_fd; /* the file that PUT frames are building, or -1 */
	char put_path[PATH_MAX];
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

struct jobs *jobs_new(struct link *link)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));

	if (!jobs)
		err(1, "jobs");
	jobs->link = link;
	jobs->put_fd = -1;
	return jobs;
}

static void answer(struct jobs *jobs, uint32_t id, uint8_t type, const void *payload, size_t len)
{
	struct frame_header header = { .len = (uint32_t)len, .id = id, .type = type };

	link_send(jobs->link, &header, payload);
}

static void answer_exit(struct jobs *jobs, uint32_t id, int32_t status)
{
	answer(jobs, id, FRAME_EXIT, &status, sizeof(status));
}

static void child(const char *command, int out, int error)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(error, 2) < 0)
		_exit(127);
	execl("/bin/sh", "sh", "-c", command, NULL);
	_exit(127);
}

static int start(struct jobs *jobs, uint32_t id, uint32_t timeout_ms, const char *command)
{
	int out[2] = { -1, -1 }, error[2] = { -1, -1 };
	struct job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(error, O_CLOEXEC) < 0)
		goto fail;
	job->pid = fork();
	if (job->pid < 0)
		goto fail;
	if (job->pid == 0)
		child(command, out[1], error[1]);
	close(out[1]);
	close(error[1]);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(error[0], F_SETFL, O_NONBLOCK);
	job->id = id;
	job->fds[0] = out[0];
	job->fds[1] = error[0];
	job->deadline = now_ms() + timeout_ms;
	job->next = jobs->first;
	jobs->first = job;
	return 0;
fail:
	r = -errno;
	for (int i = 0; i < 2; i++) {
		if (out[i] >= 0)
			close(out[i]);
		if (error[i] >= 0)
			close(error[i]);
	}
	free(job);
	return r;
}

static int write_full(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* One PUT frame. The file has its name only when all of it is there. */
static int put(struct jobs *jobs, uint8_t flags, const char *payload, size_t len)
{
	char partial[PATH_MAX + 8];
	size_t path_len;
	uint32_t mode;
	int r = 0;

	if (len < sizeof(mode))
		return -EPROTO;
	memcpy(&mode, payload, sizeof(mode));
	payload += sizeof(mode);
	len -= sizeof(mode);
	path_len = strnlen(payload, len);
	if (path_len == len || path_len >= sizeof(jobs->put_path))
		return -EPROTO;
	if (flags & PUT_FIRST) {
		if (jobs->put_fd >= 0)
			close(jobs->put_fd);
		strcpy(jobs->put_path, payload);
		snprintf(partial, sizeof(partial), "%s.labd", jobs->put_path);
		jobs->put_fd = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		if (jobs->put_fd < 0)
			return -errno;
	} else if (jobs->put_fd < 0 || strcmp(jobs->put_path, payload) != 0) {
		return -EPROTO;
	}
	r = write_full(jobs->put_fd, payload + path_len + 1, len - path_len - 1);
	if (r < 0 || flags & PUT_LAST) {
		snprintf(partial, sizeof(partial), "%s.labd", jobs->put_path);
		if (r == 0 &&
		    (fchmod(jobs->put_fd, mode & 07777) < 0 || rename(partial, jobs->put_path) < 0))
			r = -errno;
		close(jobs->put_fd);
		jobs->put_fd = -1;
	}
	return r;
}

static struct job *find(struct jobs *jobs, uint32_t id)
{
	for (struct job *job = jobs->first; job; job = job->next) {
		if (job->id == id)
			return job;
	}
	return NULL;
}

void jobs_request(struct jobs *jobs, const struct frame_header *header, const char *payload)
{
	const uint32_t version = LABD_VERSION;
	uint32_t timeout_ms;
	struct job *job;
	int r;

	switch (header->type) {
	case FRAME_HELLO:
		answer(jobs, header->id, FRAME_HELLO, &version, sizeof(version));
		return;
	case FRAME_RUN:
		if (header->len < sizeof(timeout_ms)) {
			r = -EPROTO;
			break;
		}
		memcpy(&timeout_ms, payload, sizeof(timeout_ms));
		r = start(jobs, header->id, timeout_ms, payload + sizeof(timeout_ms));
		if (r == 0)
			return;
		break;
	case FRAME_KILL:
		job = find(jobs, header->id);
		if (job && job->pid > 0)
			kill(-job->pid, SIGKILL);
		return;
	case FRAME_PUT:
		r = put(jobs, header->flags, payload, header->len);
		if (r == 0 && !(header->flags & PUT_LAST))
			return;
		break;
	default:
		r = -EOPNOTSUPP;
		break;
	}
	answer_exit(jobs, header->id, r);
}

size_t jobs_poll_fds(struct jobs *jobs, struct pollfd *fds, size_t max)
{
	size_t n = 0;

	if (link_pending(jobs->link) > LINK_HIGH)
		return 0;
	for (struct job *job = jobs->first; job; job = job->next) {
		for (int i = 0; i < 2; i++) {
			if (job->fds[i] >= 0 && n < max)
				fds[n++] = (struct pollfd){ job->fds[i], POLLIN, 0 };
		}
	}
	return n;
}

int jobs_timeout(const struct jobs *jobs)
{
	int64_t next = INT64_MAX, left;

	for (const struct job *job = jobs->first; job; job = job->next) {
		if (job->pid > 0 && !job->timed_out && job->deadline < next)
			next = job->deadline;
	}
	if (next == INT64_MAX)
		return -1;
	left = next - now_ms();
	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* Forward what a pipe holds; closes it at its end. Returns false when it must wait. */
static bool forward(struct jobs *jobs, struct job *job, int i)
{
	char data[16384];

	while (job->fds[i] >= 0) {
		ssize_t n;

		if (link_pending(jobs->link) > LINK_HIGH)
			return false;
		n = read(job->fds[i], data, sizeof(data));
		if (n > 0) {
			answer(jobs, job->id, i == 0 ? FRAME_OUT : FRAME_ERR, data, (size_t)n);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		close(job->fds[i]);
		job->fds[i] = -1;
	}
	return true;
}

static void reap(struct jobs *jobs, pid_t pid, int status)
{
	for (struct job *job = jobs->first; job; job = job->next) {
		if (job->pid != pid)
			continue;
		job->pid = 0;
		if (job->timed_out)
			job->status = EXIT_TIMED_OUT;
		else if (WIFSIGNALED(status))
			job->status = 128 + WTERMSIG(status);
		else
			job->status = WEXITSTATUS(status);
	}
}

void jobs_work(struct jobs *jobs)
{
	struct job **at = &jobs->first;
	int64_t now = now_ms();
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		reap(jobs, pid, status);
	while (*at) {
		struct job *job = *at;
		bool drained = forward(jobs, job, 0);

		drained = forward(jobs, job, 1) && drained;
		if (job->pid > 0 && !job->timed_out && now >= job->deadline) {
			job->timed_out = true;
			kill(-job->pid, SIGKILL);
		}
		/* A daemon that the command left behind may hold the pipes: do not wait for it. */
		if (job->pid > 0 || !drained) {
			at = &job->next;
			continue;
		}
		answer_exit(jobs, job->id, job->status);
		for (int i = 0; i < 2; i++) {
			if (job->fds[i] >= 0)
				close(job->fds[i]);
		}
		*at = job->next;
		free(job);
	}
}
