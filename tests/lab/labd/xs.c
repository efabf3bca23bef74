// SPDX-License-Identifier: GPL-2.0-or-later
#include "xs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

struct event {
	struct event *next;
	char *path;
	char *token;
};

struct xs {
	int fd;
	uint32_t req_id;
	struct event *first; /* oldest event not yet handed out */
	struct event **last;
};

int xs_open(struct xs **ret)
{
	struct xs *xs = calloc(1, sizeof(*xs));

	if (!xs)
		return -ENOMEM;
	xs->fd = open("/dev/xen/xenbus", O_RDWR | O_CLOEXEC);
	if (xs->fd < 0) {
		int r = -errno;

		free(xs);
		return r;
	}
	xs->last = &xs->first;
	*ret = xs;
	return 0;
}

int xs_fd(const struct xs *xs)
{
	return xs->fd;
}

static int read_full(int fd, void *data, size_t len)
{
	char *at = data;

	while (len > 0) {
		ssize_t n = read(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ECONNRESET;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int keep_event(struct xs *xs, const char *body, size_t len)
{
	size_t path_len = strnlen(body, len);
	struct event *event;

	if (path_len == len ||
	    strnlen(body + path_len + 1, len - path_len - 1) == len - path_len - 1)
		return -EPROTO;
	event = calloc(1, sizeof(*event));
	if (!event)
		return -ENOMEM;
	event->path = strdup(body);
	event->token = strdup(body + path_len + 1);
	if (!event->path || !event->token) {
		free(event->path);
		free(event->token);
		free(event);
		return -ENOMEM;
	}
	*xs->last = event;
	xs->last = &event->next;
	return 0;
}

/* Read one message. Returns 1 with a reply, 0 after an event, or a negative errno. */
static int read_message(struct xs *xs, struct xsd_sockmsg *ret, char body[XENSTORE_PAYLOAD_MAX + 1])
{
	int r;

	r = read_full(xs->fd, ret, sizeof(*ret));
	if (r < 0)
		return r;
	if (ret->len > XENSTORE_PAYLOAD_MAX)
		return -EPROTO;
	r = read_full(xs->fd, body, ret->len);
	if (r < 0)
		return r;
	body[ret->len] = '\0';
	if (ret->type != XS_WATCH_EVENT)
		return 1;
	return keep_event(xs, body, ret->len);
}

static int error_number(const char *name)
{
	for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++) {
		if (strcmp(name, xsd_errors[i].errstring) == 0)
			return -xsd_errors[i].errnum;
	}
	return -EIO;
}

/* Send path, NUL, value as one request and read its reply into body. */
static int request(struct xs *xs, uint32_t type, const char *path, const void *value, size_t len,
		   char body[XENSTORE_PAYLOAD_MAX + 1], size_t *ret_len)
{
	size_t path_len = strlen(path) + 1;
	struct xsd_sockmsg msg = {
		.type = type,
		.req_id = ++xs->req_id,
		.len = (uint32_t)(path_len + len),
	};
	char out[sizeof(msg) + XENSTORE_PAYLOAD_MAX];
	ssize_t n;
	int r;

	if (path_len + len > XENSTORE_PAYLOAD_MAX)
		return -E2BIG;
	memcpy(out, &msg, sizeof(msg));
	memcpy(out + sizeof(msg), path, path_len);
	if (len > 0)
		memcpy(out + sizeof(msg) + path_len, value, len);
	n = write(xs->fd, out, sizeof(msg) + msg.len);
	if (n != (ssize_t)(sizeof(msg) + msg.len))
		return n < 0 ? -errno : -EIO;
	do {
		r = read_message(xs, &msg, body);
		if (r < 0)
			return r;
	} while (r == 0 || msg.req_id != xs->req_id);
	if (msg.type == XS_ERROR)
		return error_number(body);
	*ret_len = msg.len;
	return 0;
}

int xs_read(struct xs *xs, const char *path, char **ret, size_t *ret_len)
{
	char body[XENSTORE_PAYLOAD_MAX + 1];
	size_t len = 0;
	char *copy;
	int r;

	r = request(xs, XS_READ, path, NULL, 0, body, &len);
	if (r < 0)
		return r;
	copy = malloc(len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, body, len + 1);
	*ret = copy;
	*ret_len = len;
	return 0;
}

int xs_write(struct xs *xs, const char *path, const void *value, size_t len)
{
	char body[XENSTORE_PAYLOAD_MAX + 1];
	size_t reply_len;

	return request(xs, XS_WRITE, path, value, len, body, &reply_len);
}

int xs_watch(struct xs *xs, const char *path, const char *token)
{
	char body[XENSTORE_PAYLOAD_MAX + 1];
	size_t reply_len;

	return request(xs, XS_WATCH, path, token, strlen(token) + 1, body, &reply_len);
}

int xs_unwatch(struct xs *xs, const char *path, const char *token)
{
	char body[XENSTORE_PAYLOAD_MAX + 1];
	size_t reply_len;

	return request(xs, XS_UNWATCH, path, token, strlen(token) + 1, body, &reply_len);
}

bool xs_pending(const struct xs *xs)
{
	return xs->first != NULL;
}

int xs_event(struct xs *xs, char **ret_path, char **ret_token)
{
	struct pollfd pollfd = { .fd = xs->fd, .events = POLLIN };
	struct event *event;

	while (!xs->first) {
		char body[XENSTORE_PAYLOAD_MAX + 1];
		struct xsd_sockmsg msg;
		int r;

		if (poll(&pollfd, 1, 0) <= 0)
			return 0;
		r = read_message(xs, &msg, body);
		if (r < 0)
			return r;
	}
	event = xs->first;
	xs->first = event->next;
	if (!xs->first)
		xs->last = &xs->first;
	*ret_path = event->path;
	*ret_token = event->token;
	free(event);
	return 1;
}
