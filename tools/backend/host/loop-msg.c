/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "loop-msg.h"

#define CALL_TIMEOUT_MS 10000

int loop_connect(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd, r;

	if (!path)
		path = getenv(LOOP_SOCKET_ENV);
	if (!path || strlen(path) >= sizeof(sa.sun_path))
		return -EINVAL;
	strcpy(sa.sun_path, path);

	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

int loop_send(int sock, const struct loop_msg *msg, const int *fds, int nfds)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(LOOP_MAX_FDS * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)msg, .iov_len = sizeof(*msg) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (nfds < 0 || nfds > LOOP_MAX_FDS)
		return -EINVAL;
	if (nfds) {
		struct cmsghdr *cm;

		mh.msg_control = control.buf;
		mh.msg_controllen = CMSG_SPACE((size_t)nfds * sizeof(int));
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN((size_t)nfds * sizeof(int));
		memcpy(CMSG_DATA(cm), fds, (size_t)nfds * sizeof(int));
	}
	do
		n = sendmsg(sock, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == (ssize_t)sizeof(*msg) ? 0 : -EMSGSIZE;
}

static void take_control(struct msghdr *mh, int fds[LOOP_MAX_FDS], pid_t *ret_pid)
{
	struct cmsghdr *cm;
	int have = 0;

	for (cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm)) {
		if (cm->cmsg_level != SOL_SOCKET)
			continue;
		if (cm->cmsg_type == SCM_CREDENTIALS && ret_pid) {
			struct ucred cred;

			memcpy(&cred, CMSG_DATA(cm), sizeof(cred));
			*ret_pid = cred.pid;
		} else if (cm->cmsg_type == SCM_RIGHTS) {
			size_t n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);

			for (size_t i = 0; i < n; i++) {
				int fd;

				memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(fd));
				if (have < LOOP_MAX_FDS)
					fds[have++] = fd;
				else
					close(fd);
			}
		}
	}
}

int loop_recv(int sock, struct loop_msg *ret, int fds[LOOP_MAX_FDS], pid_t *ret_pid, int flags)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(LOOP_MAX_FDS * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct loop_msg msg;
	struct iovec iov = { .iov_base = &msg, .iov_len = sizeof(msg) };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.buf,
			     .msg_controllen = sizeof(control.buf) };
	ssize_t n;

	for (int i = 0; i < LOOP_MAX_FDS; i++)
		fds[i] = -1;
	do
		n = recvmsg(sock, &mh, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	take_control(&mh, fds, ret_pid);
	if (n == 0) {
		loop_close_fds(fds);
		return -ECONNRESET;
	}
	if (n != (ssize_t)sizeof(msg) || (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		loop_close_fds(fds);
		return -EBADMSG;
	}
	*ret = msg;
	return 0;
}

static int wait_readable(int sock, const struct timespec *start)
{
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	struct timespec now;
	long spent;
	int r;

	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
		spent = (now.tv_sec - start->tv_sec) * 1000 +
			(now.tv_nsec - start->tv_nsec) / 1000000;
		if (spent >= CALL_TIMEOUT_MS)
			return -ETIMEDOUT;
		r = poll(&pfd, 1, (int)(CALL_TIMEOUT_MS - spent));
	} while (r == 0 || (r < 0 && errno == EINTR));
	return r < 0 ? -errno : 0;
}

int loop_call(int sock, struct loop_msg *msg, int fds[LOOP_MAX_FDS])
{
	static uint32_t counter;
	uint32_t seq = __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
	struct timespec start;
	struct loop_msg answer;
	int got[LOOP_MAX_FDS], r;

	msg->seq = seq;
	clock_gettime(CLOCK_MONOTONIC, &start);
	r = loop_send(sock, msg, NULL, 0);
	if (r < 0)
		return r;
	/* An answer to an earlier call that timed out may still come: skip it. */
	for (;;) {
		r = wait_readable(sock, &start);
		if (r < 0)
			return r;
		r = loop_recv(sock, &answer, got, NULL, MSG_DONTWAIT);
		if (r == -EAGAIN)
			continue;
		if (r < 0)
			return r;
		if (answer.op == msg->op && answer.seq == seq)
			break;
		loop_close_fds(got);
	}
	if (answer.result < 0 || !fds)
		loop_close_fds(got);
	else
		memcpy(fds, got, sizeof(got));
	if (answer.result < 0)
		return answer.result;
	*msg = answer;
	return 0;
}

void loop_close_fds(int fds[LOOP_MAX_FDS])
{
	for (int i = 0; i < LOOP_MAX_FDS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}
