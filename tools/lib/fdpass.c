// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/fdpass.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(FDPASS_MAX * sizeof(int))];
};

int fdpass_send(int sock, const void *msg, size_t size, const int *fds, size_t n)
{
	union control control;
	struct iovec iov = { .iov_base = (void *)msg, .iov_len = size };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t len;

	if (n > FDPASS_MAX)
		return -EINVAL;

	if (n > 0) {
		struct cmsghdr *cmsg;

		memset(&control, 0, sizeof(control));
		mh.msg_control = control.buf;
		mh.msg_controllen = CMSG_SPACE(n * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&mh);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n * sizeof(int));
	}

	do {
		len = sendmsg(sock, &mh, MSG_NOSIGNAL);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	return (size_t)len == size ? 0 : -EBADMSG;
}

static size_t collect_fds(struct msghdr *mh, int *fds)
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t m;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		m = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds + n, CMSG_DATA(c), m * sizeof(int));
		n += m;
	}
	return n;
}

int fdpass_recv(int sock, void *msg, size_t size, int *fds, size_t max_fds, size_t *ret_n)
{
	union control control;
	struct iovec iov = { .iov_base = msg, .iov_len = size };
	struct msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	int got[FDPASS_MAX];
	size_t n;
	ssize_t len;

	do {
		/* MSG_TRUNC returns the real length, so that a longer message is told apart. */
		len = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC | MSG_TRUNC);
	} while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;

	n = collect_fds(&mh, got);
	if (len == 0 && n == 0)
		return -ECONNRESET;
	if ((size_t)len != size || (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || n > max_fds) {
		for (size_t i = 0; i < n; i++)
			close(got[i]);
		return -EBADMSG;
	}
	if (n > 0)
		memcpy(fds, got, n * sizeof(int));
	*ret_n = n;
	return 0;
}
