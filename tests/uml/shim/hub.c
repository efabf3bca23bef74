// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>
#include <linux/poll.h>
#include <linux/socket.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <asm/unistd.h>

#include <irq_kern.h>
#include <os.h>

#include "shim.h"

static int hub_fd = -1;
static DEFINE_SPINLOCK(hub_lock); /* held while messages are received and handled */

/* What shim_hub_wait() waits for may come before it waits. Guarded by hub_lock. */
static struct {
	struct loop_msg msg; /* op is 0 when there is none */
	int fd;
} early;

union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(LOOP_MAX_FDS * sizeof(int))];
};

int shim_hub_send(const struct loop_msg *msg, int fd)
{
	union control control = { };
	struct iovec iov = { .iov_base = (void *)msg, .iov_len = sizeof(*msg) };
	struct user_msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	long n;

	if (fd >= 0) {
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
		mh.msg_control = &control;
		mh.msg_controllen = CMSG_SPACE(sizeof(int));
	}
	do {
		n = syscall(__NR_sendmsg, hub_fd, &mh, MSG_NOSIGNAL);
	} while (n < 0 && *__errno_location() == EINTR);
	return n < 0 ? -*__errno_location() : 0;
}

/* Receive one message and the descriptor that came with it, if any. */
static int receive(struct loop_msg *msg, int *ret_fd, int flags)
{
	union control control = { };
	struct iovec iov = { .iov_base = msg, .iov_len = sizeof(*msg) };
	struct user_msghdr mh = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	long n;

	*ret_fd = -1;
	do {
		n = syscall(__NR_recvmsg, hub_fd, &mh, flags | MSG_CMSG_CLOEXEC);
	} while (n < 0 && *__errno_location() == EINTR);
	if (n < 0)
		return -*__errno_location();
	if (mh.msg_controllen >= CMSG_LEN(sizeof(int)) &&
	    control.header.cmsg_level == SOL_SOCKET && control.header.cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(&control.header), sizeof(int));
	if (n != sizeof(*msg)) {
		if (*ret_fd >= 0)
			os_close_file(*ret_fd);
		return n ? -EBADMSG : -ECONNRESET;
	}
	return 0;
}

/* What the hub may say at any time; @fd is taken over. */
static void handle(struct loop_msg *msg, int fd)
{
	switch (msg->op) {
	case LOOP_BOUND:
		msg->result = shim_port_bound(msg->port, msg->gen, msg->arg[0], fd);
		shim_hub_send(msg, -1);
		break;
	case LOOP_UNBOUND:
		shim_port_unbound(msg->port, msg->gen);
		shim_hub_send(msg, -1);
		break;
	default:
		early.msg = *msg;
		early.fd = fd;
	}
}

static irqreturn_t hub_interrupt(int irq, void *dev)
{
	struct loop_msg msg;
	unsigned long flags;
	int fd, err;

	/* The descriptor is edge triggered: read until there is nothing left. */
	spin_lock_irqsave(&hub_lock, flags);
	while (!(err = receive(&msg, &fd, MSG_DONTWAIT)))
		handle(&msg, fd);
	spin_unlock_irqrestore(&hub_lock, flags);
	if (err != -EAGAIN)
		panic("xenshim: the hub is gone (%d)", err);
	return IRQ_HANDLED;
}

/* The kernel made the descriptor non-blocking. */
static void wait_readable(void)
{
	struct {
		int fd;
		short events, revents;
	} pfd = { .fd = hub_fd, .events = POLLIN };

	syscall(__NR_poll, &pfd, 1, -1);
}

int shim_hub_wait(u32 op, struct loop_msg *ret, int *ret_fd)
{
	struct loop_msg msg;
	unsigned long flags;
	int fd, err;

	spin_lock_irqsave(&hub_lock, flags);
	for (;;) {
		if (early.msg.op == op) {
			msg = early.msg;
			fd = early.fd;
			early.msg.op = 0;
			err = 0;
			break;
		}
		err = receive(&msg, &fd, MSG_DONTWAIT);
		if (err == -EAGAIN) {
			wait_readable();
			continue;
		}
		if (err)
			break;
		handle(&msg, fd);
	}
	spin_unlock_irqrestore(&hub_lock, flags);
	if (err)
		return err;
	*ret = msg;
	if (ret_fd)
		*ret_fd = fd;
	else if (fd >= 0)
		os_close_file(fd);
	return 0;
}

int shim_hub_init(int fd)
{
	int irq;

	hub_fd = fd;
	irq = um_request_irq(UM_IRQ_ALLOC, fd, IRQ_READ, hub_interrupt, 0, "xenshim-hub", &hub_fd);
	return irq < 0 ? irq : 0;
}
