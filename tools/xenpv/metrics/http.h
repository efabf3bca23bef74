/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small HTTP server on an event loop, for one page: GET and HEAD, one request a connection.
 * Bounded in everything: connections, length of a request, time of each.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#define HTTP_CONNECTIONS_MAX 16
#define HTTP_REQUEST_MAX     4096
#define HTTP_SECONDS_MAX     10

struct http;

/*
 * What the page is now: allocated, the server frees it. On failure a negative errno, and in @why a
 * line for the client, who gets a 503.
 */
typedef int (*http_page_fn)(void *userdata, char **ret, size_t *ret_size, char *why,
			    size_t why_size);

/*
 * http_open - listen
 * @address: "127.0.0.1:9709", "[::1]:9709", or ":9709" for all; port 0 takes any
 * @path: of the page, "/metrics"; any other is answered by a 404
 *
 * Errors: -EINVAL (no such address), and those of bind(2).
 */
int http_open(sd_event *event, const char *address, const char *path, http_page_fn page,
	      void *userdata, struct http **ret);
void http_close(struct http *h);

/* The address it listens on, with its port. */
void http_address(const struct http *h, char *ret, size_t size);
