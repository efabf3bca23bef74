// SPDX-License-Identifier: GPL-2.0-or-later
#include "nlsource.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <linux/netlink.h>

#include "lib/cleanup.h"
#include "ownsource.h"

int nlsource_add(sd_event *event, int protocol, uint32_t groups, sd_event_io_handler_t handler,
		 void *userdata, sd_event_source **ret)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
	_cleanup_free_ void *owned = userdata;
	_cleanup_close_ int fd = -1;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return ownsource_add(event, TAKE_FD(fd), EPOLLIN, handler, TAKE_PTR(owned), ret);
}
