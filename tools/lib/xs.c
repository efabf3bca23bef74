// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/xs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <xen/io/xs_wire.h>

#include "lib/cleanup.h"
#include "lib/parse.h"

/* Watch events handled before other sources of the loop get their turn. */
#define WATCH_BURST    128
#define WATCH_BUCKETS  256
#define XS_PATH_BUFFER (XENSTORE_ABS_PATH_MAX + 1)

struct xs_watch {
	struct xs_conn *xs;
	LIST_ENTRY(xs_watch) link;
	uint64_t id;
	char *path;
	xsc_watch_fn fn;
	void *userdata;
};

struct xs_conn {
	struct xs_handle *h;
	sd_event *event;
	sd_event_source *source;
	uint64_t next_id;
	LIST_HEAD(watch_list, xs_watch) watches[WATCH_BUCKETS]; /* by id, which is also the token */
};

static void watch_free(struct xs_watch *w)
{
	LIST_REMOVE(w, link);
	free(w->path);
	free(w);
}

static struct xs_watch *watch_find(struct xs_conn *xs, const char *token)
{
	struct xs_watch *w;
	uint64_t id;

	if (parse_u64(token, 0, UINT64_MAX, &id) < 0)
		return NULL;
	LIST_FOREACH (w, &xs->watches[id % WATCH_BUCKETS], link)
		if (w->id == id)
			return w;
	return NULL;
}

static int on_readable(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct xs_conn *xs = userdata;

	(void)s;
	(void)fd;
	(void)revents;
	for (unsigned int i = 0; i < WATCH_BURST; i++) {
		_cleanup_free_ char **event = xs_check_watch(xs->h);
		struct xs_watch *w;

		if (!event) {
			if (errno == EAGAIN || errno == EINTR)
				return 0;
			/* xenstored is gone for good: let the program end and be restarted. */
			return sd_event_exit(xs->event, -errno);
		}
		/* An unknown token: the watch was removed while this event was queued. */
		w = watch_find(xs, event[XS_WATCH_TOKEN]);
		if (w)
			w->fn(w->userdata, event[XS_WATCH_PATH]);
	}
	return 0;
}

int xsc_open(sd_event *event, struct xs_conn **ret)
{
	struct xs_conn *xs = calloc(1, sizeof(*xs));

	if (!xs)
		return -ENOMEM;
	for (size_t i = 0; i < WATCH_BUCKETS; i++)
		LIST_INIT(&xs->watches[i]);
	xs->h = xs_open(XS_UNWATCH_FILTER);
	if (!xs->h) {
		int r = errno ? -errno : -EIO;

		free(xs);
		return r;
	}
	xs->event = event ? sd_event_ref(event) : NULL;
	*ret = xs;
	return 0;
}

void xsc_close(struct xs_conn *xs)
{
	if (!xs)
		return;
	sd_event_source_disable_unref(xs->source);
	for (size_t i = 0; i < WATCH_BUCKETS; i++)
		while (!LIST_EMPTY(&xs->watches[i]))
			watch_free(LIST_FIRST(&xs->watches[i]));
	xs_close(xs->h);
	sd_event_unref(xs->event);
	free(xs);
}

bool xsc_is_fatal(int err)
{
	return err == -EPIPE || err == -EBADF || err == -ENOTCONN || err == -ECONNRESET;
}

int xsc_watch(struct xs_conn *xs, const char *path, xsc_watch_fn fn, void *userdata,
	      struct xs_watch **ret)
{
	struct xs_watch *w;
	char token[24];
	int r;

	if (!xs->event)
		return -EINVAL;
	if (!xs->source) {
		r = sd_event_add_io(xs->event, &xs->source, xs_fileno(xs->h), EPOLLIN, on_readable,
				    xs);
		if (r < 0)
			return r;
	}
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->xs = xs;
	w->id = xs->next_id++;
	w->fn = fn;
	w->userdata = userdata;
	w->path = strdup(path);
	LIST_INSERT_HEAD(&xs->watches[w->id % WATCH_BUCKETS], w, link);
	if (!w->path) {
		watch_free(w);
		return -ENOMEM;
	}
	snprintf(token, sizeof(token), "%" PRIu64, w->id);
	if (!xs_watch(xs->h, path, token)) {
		r = -errno;
		watch_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void xsc_unwatch(struct xs_watch *w)
{
	char token[24];

	if (!w)
		return;
	snprintf(token, sizeof(token), "%" PRIu64, w->id);
	xs_unwatch(w->xs->h, w->path, token);
	watch_free(w);
}

static int make_path(char buf[static XS_PATH_BUFFER], const char *dir, const char *key)
{
	int n = *key ? snprintf(buf, XS_PATH_BUFFER, "%s/%s", dir, key)
		     : snprintf(buf, XS_PATH_BUFFER, "%s", dir);

	return n >= XS_PATH_BUFFER ? -ENAMETOOLONG : 0;
}

int xsc_read(struct xs_conn *xs, xs_transaction_t t, const char *dir, const char *key, char **ret)
{
	_cleanup_free_ char *value = NULL;
	char path[XS_PATH_BUFFER];
	unsigned int len = 0;
	int r;

	r = make_path(path, dir, key);
	if (r < 0)
		return r;
	value = xs_read(xs->h, t, path, &len);
	if (!value)
		return -errno;
	if (strlen(value) != len)
		return -EBADMSG;
	*ret = TAKE_PTR(value);
	return 0;
}

int xsc_read_u32(struct xs_conn *xs, xs_transaction_t t, const char *dir, const char *key,
		 uint32_t min, uint32_t max, uint32_t *ret)
{
	_cleanup_free_ char *value = NULL;
	int r;

	r = xsc_read(xs, t, dir, key, &value);
	if (r < 0)
		return r;
	return parse_u32(value, min, max, ret);
}

bool xsc_exists(struct xs_conn *xs, xs_transaction_t t, const char *dir, const char *key)
{
	_cleanup_free_ char *value = NULL;

	return xsc_read(xs, t, dir, key, &value) >= 0;
}

int xsc_write(struct xs_conn *xs, xs_transaction_t t, const char *dir, const char *key,
	      const char *value)
{
	char path[XS_PATH_BUFFER];
	int r;

	r = make_path(path, dir, key);
	if (r < 0)
		return r;
	if (!xs_write(xs->h, t, path, value, (unsigned int)strlen(value)))
		return -errno;
	return 0;
}

int xsc_printf(struct xs_conn *xs, xs_transaction_t t, const char *dir, const char *key,
	       const char *fmt, ...)
{
	char value[XENSTORE_PAYLOAD_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(value))
		return -E2BIG;
	return xsc_write(xs, t, dir, key, value);
}

int xsc_remove(struct xs_conn *xs, xs_transaction_t t, const char *dir, const char *key)
{
	char path[XS_PATH_BUFFER];
	int r;

	r = make_path(path, dir, key);
	if (r < 0)
		return r;
	if (!xs_rm(xs->h, t, path) && errno != ENOENT)
		return -errno;
	return 0;
}

int xsc_list(struct xs_conn *xs, xs_transaction_t t, const char *dir, char ***ret,
	     unsigned int *ret_n)
{
	unsigned int n = 0;
	char **list;

	errno = 0;
	list = xs_directory(xs->h, t, dir, &n);
	if (!list)
		return errno ? -errno : -ENOMEM;
	*ret = list;
	*ret_n = n;
	return 0;
}

/* Conflicts get likelier the busier xenstored is; step aside a little longer each time. */
static void transaction_pause(unsigned int try)
{
	struct timespec ts = {.tv_nsec = (try < 20 ? try : 20) * 500000L };

	nanosleep(&ts, NULL);
}

int xsc_transaction(struct xs_conn *xs, xsc_body_fn body, void *userdata)
{
	for (unsigned int try = 0; try < XSC_TRANSACTION_TRIES; try++) {
		xs_transaction_t t;
		int r;

		t = xs_transaction_start(xs->h);
		if (t == XBT_NULL)
			return -errno;
		r = body(xs, t, userdata);
		if (r < 0) {
			xs_transaction_end(xs->h, t, true);
			return r;
		}
		if (xs_transaction_end(xs->h, t, false))
			return 0;
		if (errno != EAGAIN)
			return -errno;
		transaction_pause(try);
	}
	return -EAGAIN;
}

int xsc_own_domid(struct xs_conn *xs, uint32_t *ret)
{
	int r;

	r = xsc_read_u32(xs, XBT_NULL, "domid", "", 0, 0x7fef, ret);
	if (r == -ENOENT) {
		*ret = 0;
		return 0;
	}
	return r;
}
