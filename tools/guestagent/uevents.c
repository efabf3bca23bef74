// SPDX-License-Identifier: GPL-2.0-or-later
#include "uevents.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/netlink.h>

#include "nlsource.h"

/* Group of the kernel's messages; udevd's have another. */
#define GROUP_KERNEL 1
/* The kernel's own limit of an event. */
#define MESSAGE_BYTES 4096
/* Events taken before other sources of the loop get their turn. */
#define BURST 64

struct watch {
	uevents_fn fn;
	void *userdata;
};

const char *uevents_field(const char *message, size_t size, const char *key)
{
	size_t length = strlen(key);

	if (!size || message[size - 1])
		return NULL;
	for (const char *p = message; p < message + size; p += strlen(p) + 1)
		if (strncmp(p, key, length) == 0 && p[length] == '=')
			return p + length + 1;
	return NULL;
}

/* Returns false when there is no more. */
static bool take_one(int fd, const struct watch *watch)
{
	char buffer[MESSAGE_BYTES];
	struct sockaddr_nl from = { 0 };
	socklen_t length = sizeof(from);
	const char *subsystem;
	ssize_t n;

	n = recvfrom(fd, buffer, sizeof(buffer), MSG_DONTWAIT, (struct sockaddr *)&from, &length);
	if (n < 0) {
		if (errno != ENOBUFS)
			return errno == EINTR;
		watch->fn(watch->userdata, "", NULL);
		return true;
	}
	/* Processes may send to this group as well, but not in the kernel's name. */
	if (from.nl_pid != 0)
		return true;
	subsystem = uevents_field(buffer, (size_t)n, "SUBSYSTEM");
	if (subsystem)
		watch->fn(watch->userdata, subsystem, uevents_field(buffer, (size_t)n, "DEVNAME"));
	return true;
}

static int on_event(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)revents;
	for (int i = 0; i < BURST && take_one(fd, userdata);)
		i++;
	return 0;
}

int uevents_watch(sd_event *event, uevents_fn fn, void *userdata, sd_event_source **ret)
{
	struct watch *watch = malloc(sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	*watch = (struct watch){ fn, userdata };
	return nlsource_add(event, NETLINK_KOBJECT_UEVENT, GROUP_KERNEL, on_event, watch, ret);
}
