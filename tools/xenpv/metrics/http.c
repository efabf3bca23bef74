// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/metrics/http.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"

struct connection {
	LIST_ENTRY(connection) link;
	struct http *http;
	int fd;
	sd_event_source *io, *limit;
	char request[HTTP_REQUEST_MAX + 1];
	size_t got;
	char *answer; /* NULL: still reading */
	size_t size, sent;
};

struct http {
	sd_event *event;
	int fd;
	sd_event_source *listener;
	const char *path;
	http_page_fn page;
	void *userdata;
	LIST_HEAD(, connection) connections;
	unsigned int n;
};

static void drop(struct connection *c)
{
	struct http *h = c->http;

	LIST_REMOVE(c, link);
	/* a connection more is welcome again */
	if (h->n-- == HTTP_CONNECTIONS_MAX)
		(void)sd_event_source_set_enabled(h->listener, SD_EVENT_ON);
	sd_event_source_disable_unref(c->io);
	sd_event_source_disable_unref(c->limit);
	close_fd(&c->fd);
	free(c->answer);
	free(c);
}

static int answer(struct connection *c, const char *status, const char *type, const char *body,
		  size_t size, int with_body)
{
	int n = asprintf(&c->answer,
			 "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
			 "Connection: close\r\n\r\n",
			 status, type, size);
	char *all;

	if (n < 0) {
		c->answer = NULL;
		return -ENOMEM;
	}
	c->size = (size_t)n;
	if (!with_body)
		return 0;
	all = realloc(c->answer, c->size + size);
	if (!all)
		return -ENOMEM;
	memcpy(all + c->size, body, size);
	c->answer = all;
	c->size += size;
	return 0;
}

static int answer_text(struct connection *c, const char *status, const char *text, int with_body)
{
	return answer(c, status, "text/plain; charset=utf-8", text, strlen(text), with_body);
}

static int answer_page(struct connection *c, int with_body)
{
	_cleanup_free_ char *page = NULL;
	char why[256] = "";
	size_t size = 0;

	if (c->http->page(c->http->userdata, &page, &size, why, sizeof(why) - 1) < 0) {
		strcat(why, "\n");
		return answer_text(c, "503 Service Unavailable", why, with_body);
	}
	return answer(c, "200 OK", "text/plain; version=0.0.4; charset=utf-8", page, size,
		      with_body);
}

/* "GET /metrics?x HTTP/1.1\r\n..." */
static int respond(struct connection *c)
{
	char *line = c->request, *path, *version;
	int is_get;

	line[strcspn(line, "\r\n")] = '\0';
	path = strchr(line, ' ');
	version = path ? strchr(path + 1, ' ') : NULL;
	if (!version || strncmp(version, " HTTP/1.", 8) != 0)
		return answer_text(c, "400 Bad Request", "this is no HTTP request\n", 1);
	*path++ = '\0';
	*version = '\0';
	path[strcspn(path, "?")] = '\0';
	is_get = !strcmp(line, "GET");
	if (!is_get && strcmp(line, "HEAD") != 0)
		return answer_text(c, "405 Method Not Allowed", "GET and HEAD are allowed\n", 1);
	if (strcmp(path, c->http->path) != 0)
		return answer_text(c, "404 Not Found", "the page is /metrics\n", is_get);
	return answer_page(c, is_get);
}

static int begin_answer(struct connection *c)
{
	int r = c->got == HTTP_REQUEST_MAX ? answer_text(c, "431 Request Header Fields Too Large",
							 "the request is too long\n", 1)
					   : respond(c);

	if (r >= 0)
		r = sd_event_source_set_io_events(c->io, EPOLLOUT);
	return r;
}

/* 1: the header is whole, 0: not yet, negative: the connection is of no use */
static int read_some(struct connection *c)
{
	ssize_t n = recv(c->fd, c->request + c->got, HTTP_REQUEST_MAX - c->got, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -EPIPE;
	if (memchr(c->request + c->got, '\0', (size_t)n))
		return -EPROTO;
	c->got += (size_t)n;
	c->request[c->got] = '\0';
	return c->got == HTTP_REQUEST_MAX || strstr(c->request, "\r\n\r\n") ||
	       strstr(c->request, "\n\n");
}

/* 1: all is out */
static int write_some(struct connection *c)
{
	ssize_t n = send(c->fd, c->answer + c->sent, c->size - c->sent, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	c->sent += (size_t)n;
	return c->sent == c->size;
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct connection *c = userdata;
	int r;

	(void)source;
	(void)fd;
	(void)events;
	if (c->answer) {
		if (write_some(c) != 0)
			drop(c);
		return 0;
	}
	r = read_some(c);
	if (r > 0)
		r = begin_answer(c);
	if (r < 0)
		drop(c);
	return 0;
}

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	drop(userdata);
	return 0;
}

static int on_listener(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct http *h = userdata;
	struct connection *c;
	int r, client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (client < 0)
		return 0;
	c = calloc(1, sizeof(*c));
	if (!c) {
		close(client);
		return 0;
	}
	c->http = h;
	c->fd = client;
	LIST_INSERT_HEAD(&h->connections, c, link);
	if (++h->n == HTTP_CONNECTIONS_MAX)
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF); /* they wait in line */
	r = sd_event_add_io(h->event, &c->io, client, EPOLLIN, on_connection, c);
	if (r >= 0)
		r = sd_event_add_time_relative(h->event, &c->limit, CLOCK_MONOTONIC,
					       UINT64_C(1000000) * HTTP_SECONDS_MAX, 100000,
					       on_limit, c);
	if (r < 0)
		drop(c);
	return 0;
}

/* "host:port" with a numeric host, which may be empty. */
static int resolve(const char *address, struct addrinfo **ret)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
					.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE };
	_cleanup_free_ char *copy = strdup(address);
	char *host = copy, *port;
	size_t n;

	if (!copy)
		return -ENOMEM;
	port = strrchr(copy, ':');
	if (!port || !port[1])
		return -EINVAL;
	*port++ = '\0';
	n = strlen(host);
	if (host[0] == '[' && n > 1 && host[n - 1] == ']') {
		host[n - 1] = '\0';
		host++;
	} else if (strchr(host, ':')) {
		return -EINVAL; /* an IPv6 address without brackets */
	}
	return getaddrinfo(*host ? host : NULL, port, &hints, ret) == 0 ? 0 : -EINVAL;
}

static int listen_on(const struct addrinfo *a)
{
	_cleanup_close_ int fd =
		socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, HTTP_CONNECTIONS_MAX) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int http_open(sd_event *event, const char *address, const char *path, http_page_fn page,
	      void *userdata, struct http **ret)
{
	struct addrinfo *a = NULL;
	struct http *h;
	int r = resolve(address, &a);

	if (r < 0)
		return r;
	h = calloc(1, sizeof(*h));
	r = h ? listen_on(a) : -ENOMEM;
	freeaddrinfo(a);
	if (r < 0) {
		free(h);
		return r;
	}
	h->event = event;
	h->fd = r;
	h->path = path;
	h->page = page;
	h->userdata = userdata;
	r = sd_event_add_io(event, &h->listener, h->fd, EPOLLIN, on_listener, h);
	if (r < 0) {
		http_close(h);
		return r;
	}
	*ret = h;
	return 0;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	while (!LIST_EMPTY(&h->connections))
		drop(LIST_FIRST(&h->connections));
	sd_event_source_disable_unref(h->listener);
	close_fd(&h->fd);
	free(h);
}

void http_address(const struct http *h, char *ret, size_t size)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);
	char host[64] = "?", port[16] = "?";

	if (getsockname(h->fd, (struct sockaddr *)&a, &n) == 0)
		(void)getnameinfo((struct sockaddr *)&a, n, host, sizeof(host), port, sizeof(port),
				  NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(ret, size, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}
