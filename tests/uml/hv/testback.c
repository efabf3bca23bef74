/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * testback: the peer of the shim's own tests. It serves vbds as plainly as the protocol
 * allows (blkif.h): one ring of up to eight pages, reads by grant copy, writes by grant
 * mapping, flush; no indirect or persistent grants. Not a model for a backend: it serves
 * one request after the other and trusts its frontend to be Linux's.
 *
 * It misbehaves on request: a word written to the node "fault" below the backend's path
 * makes the next answer wrong in that way, see faults[].
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/io/xenbus.h>

/* ring.h wants barriers of its user; the other side is another processor. */
#define mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#include <xen/io/blkif.h>

#include "host.h"
#include "testback-xs.h"

#define RING_PAGES 8

enum fault {
	FAULT_NONE,
	FAULT_BAD_ID,      /* an id nobody gives out */
	FAULT_FREE_ID,     /* an id that is not in flight */
	FAULT_SAME_ID,     /* the answer before, once more */
	FAULT_BAD_OP,      /* another operation */
	FAULT_BAD_STATUS,  /* a status blkif.h does not know */
	FAULT_BAD_INDEX,   /* more answers than requests */
	FAULT_MUTE,        /* no notification */
	FAULT_LOST,        /* no answer */
	FAULT_MAPPED,      /* an answer to a write whose page stays mapped */
	FAULT_ERROR,       /* BLKIF_RSP_ERROR */
	FAULT_UNSUPPORTED, /* BLKIF_RSP_EOPNOTSUPP to a flush; stays */
	FAULT_DEAF,        /* the frontend's state is not looked at; stays */
};

static const char *const faults[] = {
	[FAULT_NONE] = "none",           [FAULT_BAD_ID] = "bad-id",
	[FAULT_FREE_ID] = "free-id",     [FAULT_SAME_ID] = "same-id",
	[FAULT_BAD_OP] = "bad-op",       [FAULT_BAD_STATUS] = "bad-status",
	[FAULT_BAD_INDEX] = "bad-index", [FAULT_MUTE] = "mute",
	[FAULT_LOST] = "lost",           [FAULT_MAPPED] = "mapped",
	[FAULT_ERROR] = "error",         [FAULT_UNSUPPORTED] = "unsupported",
	[FAULT_DEAF] = "deaf",
};

struct vbd {
	TAILQ_ENTRY(vbd) link;
	char path[PATH_SIZE]; /* backend/vbd/<domid>/<devid> */
	char frontend[PATH_SIZE];
	uint32_t domid;
	int fd;
	enum xenbus_state state; /* as we wrote it last */
	uint64_t sectors;
	bool connected;
	struct host_gnt *gnt;
	void *ring_pages;
	unsigned int n_ring_pages;
	blkif_back_ring_t ring;
	int port;
	enum fault fault;
	uint64_t last_id; /* of the answer before */
	char *left_mapped;
};

static TAILQ_HEAD(, vbd) vbds = TAILQ_HEAD_INITIALIZER(vbds);
static struct host_evtchn *ev;

/* Not twice: the node may be that of the next device of this name by then. */
static void set_state(struct vbd *v, enum xenbus_state state)
{
	if (v->state == state)
		return;
	v->state = state;
	xs_put(v->path, "state", state);
}

static uint8_t transfer(struct vbd *v, const blkif_request_t *req)
{
	uint64_t offset = req->sector_number * 512;

	for (int i = 0; i < req->nr_segments; i++) {
		const struct blkif_request_segment *seg = &req->seg[i];
		uint16_t begin = (uint16_t)(seg->first_sect * 512);
		uint16_t len = (uint16_t)((seg->last_sect - seg->first_sect + 1) * 512);
		char buf[4096], *page;

		if (seg->last_sect > 7 || seg->first_sect > seg->last_sect ||
		    offset + len > v->sectors * 512)
			return (uint8_t)BLKIF_RSP_ERROR;
		if (req->operation == BLKIF_OP_READ) {
			struct host_gnt_copy piece = { .ref = seg->gref,
						       .offset = begin,
						       .len = len,
						       .local = buf,
						       .to_guest = 1 };

			if (pread(v->fd, buf, len, (off_t)offset) != len ||
			    host_gnt_copy(v->gnt, &piece, 1) < 0 || piece.status < 0)
				return (uint8_t)BLKIF_RSP_ERROR;
		} else {
			ssize_t n;

			if (host_gnt_map(v->gnt, &seg->gref, 1, PROT_READ, (void **)&page) < 0)
				return (uint8_t)BLKIF_RSP_ERROR;
			n = pwrite(v->fd, page + begin, len, (off_t)offset);
			if (v->fault == FAULT_MAPPED && !v->left_mapped) {
				v->left_mapped = page;
				v->fault = FAULT_NONE;
			} else {
				host_gnt_unmap(v->gnt, page, 1);
			}
			if (n != len)
				return (uint8_t)BLKIF_RSP_ERROR;
		}
		offset += len;
	}
	return BLKIF_RSP_OKAY;
}

/* Spoil an answer as asked; false when there is to be none. */
static bool spoil(struct vbd *v, blkif_response_t *rsp)
{
	enum fault fault = v->fault;

	switch (fault) {
	case FAULT_UNSUPPORTED:
		if (rsp->operation == BLKIF_OP_FLUSH_DISKCACHE)
			rsp->status = BLKIF_RSP_EOPNOTSUPP;
		return true;
	case FAULT_NONE:
	case FAULT_MUTE:
	case FAULT_MAPPED:
	case FAULT_DEAF:
		return true;
	case FAULT_BAD_ID:
		rsp->id = 0xdeadbeef;
		break;
	case FAULT_FREE_ID:
		rsp->id ^= 0x80;
		break;
	case FAULT_SAME_ID:
		rsp->id = v->last_id;
		break;
	case FAULT_BAD_OP:
		rsp->operation ^= 1;
		break;
	case FAULT_BAD_STATUS:
		rsp->status = 7;
		break;
	case FAULT_BAD_INDEX:
		v->ring.rsp_prod_pvt += 1000;
		break;
	case FAULT_ERROR:
		rsp->status = BLKIF_RSP_ERROR;
		break;
	case FAULT_LOST:
		break;
	}
	v->fault = FAULT_NONE;
	return fault != FAULT_LOST;
}

static void serve_ring(struct vbd *v)
{
	int more, notify;

	do {
		RING_IDX last = v->ring.sring->req_prod;

		rmb();
		while (v->ring.req_cons != last) {
			blkif_request_t req;
			blkif_response_t *rsp;
			int status;

			RING_COPY_REQUEST(&v->ring, v->ring.req_cons, &req);
			v->ring.req_cons++;
			if ((req.operation == BLKIF_OP_READ || req.operation == BLKIF_OP_WRITE) &&
			    req.nr_segments <= BLKIF_MAX_SEGMENTS_PER_REQUEST)
				status = (int8_t)transfer(v, &req);
			else if (req.operation == BLKIF_OP_FLUSH_DISKCACHE)
				status = fdatasync(v->fd) ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY;
			else
				status = BLKIF_RSP_EOPNOTSUPP;
			rsp = RING_GET_RESPONSE(&v->ring, v->ring.rsp_prod_pvt);
			rsp->id = req.id;
			rsp->operation = req.operation;
			rsp->status = (int16_t)status;
			if (spoil(v, rsp))
				v->ring.rsp_prod_pvt++;
			v->last_id = req.id;
		}
		RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&v->ring, notify);
		if (notify && v->fault == FAULT_MUTE)
			v->fault = FAULT_NONE;
		else if (notify)
			host_evtchn_notify(ev, (uint32_t)v->port);
		RING_FINAL_CHECK_FOR_REQUESTS(&v->ring, more);
	} while (more);
}

static void disconnect(struct vbd *v)
{
	if (!v->connected)
		return;
	host_evtchn_unbind(ev, (uint32_t)v->port);
	if (v->left_mapped)
		host_gnt_unmap(v->gnt, v->left_mapped, 1);
	v->left_mapped = NULL;
	host_gnt_unmap(v->gnt, v->ring_pages, v->n_ring_pages);
	host_gnt_close(v->gnt);
	v->gnt = NULL;
	v->connected = false;
}

static int map_ring(struct vbd *v)
{
	uint32_t order = xs_get_number(v->frontend, "ring-page-order", 0), refs[RING_PAGES];
	blkif_sring_t *sring;
	char name[24];
	int r;

	v->n_ring_pages = 1u << order;
	if (v->n_ring_pages > RING_PAGES)
		return -EINVAL;
	if (order == 0)
		refs[0] = xs_get_number(v->frontend, "ring-ref", 0);
	for (unsigned int i = 0; order && i < v->n_ring_pages; i++) {
		snprintf(name, sizeof(name), "ring-ref%u", i);
		refs[i] = xs_get_number(v->frontend, name, 0);
	}
	r = host_gnt_map(v->gnt, refs, v->n_ring_pages, PROT_READ | PROT_WRITE, &v->ring_pages);
	if (r < 0)
		return r;
	sring = v->ring_pages;
	/* After a restart of ours, go on where responses end: what is beyond is asked again. */
	BACK_RING_ATTACH(&v->ring, sring, sring->rsp_prod, v->n_ring_pages * HOST_PAGE_SIZE);
	return 0;
}

static void connect_ring(struct vbd *v)
{
	int r = host_gnt_open(v->domid, &v->gnt);

	if (r < 0)
		fatal("host_gnt_open", -r);
	r = map_ring(v);
	if (r == 0) {
		v->port = host_evtchn_bind(ev, v->domid,
					   xs_get_number(v->frontend, "event-channel", 0));
		if (v->port < 0) {
			host_gnt_unmap(v->gnt, v->ring_pages, v->n_ring_pages);
			r = v->port;
		}
	}
	if (r < 0) {
		fprintf(stderr, "testback: %s: cannot connect: %s\n", v->path, strerror(-r));
		host_gnt_close(v->gnt);
		v->gnt = NULL;
		set_state(v, XenbusStateClosing);
		return;
	}
	v->connected = true;
	xs_put(v->path, "sectors", v->sectors);
	xs_put(v->path, "info", 0);
	xs_put(v->path, "sector-size", 512);
	xs_put(v->path, "physical-sector-size", 512);
	set_state(v, XenbusStateConnected);
}

static void watch_token(const struct vbd *v, char *buf, size_t size)
{
	snprintf(buf, size, "front %s", v->path);
}

static void forget(struct vbd *v)
{
	char state[PATH_SIZE + 8], token[PATH_SIZE + 8];

	disconnect(v);
	snprintf(state, sizeof(state), "%s/state", v->frontend);
	watch_token(v, token, sizeof(token));
	xs_unwatch(xs, state, token);
	close(v->fd);
	TAILQ_REMOVE(&vbds, v, link);
	free(v);
}

static struct vbd *find(const char *path)
{
	struct vbd *v;

	TAILQ_FOREACH (v, &vbds, link) {
		if (strcmp(v->path, path) == 0)
			return v;
	}
	return NULL;
}

static void discover(const char *path, uint32_t domid)
{
	char *image = xs_get(path, "params"), *front = xs_get(path, "frontend");
	char state[PATH_SIZE + 8], token[PATH_SIZE + 8];
	struct vbd *v = calloc(1, sizeof(*v));
	struct stat st;

	if (!v || !image || !front)
		goto out;
	snprintf(v->path, sizeof(v->path), "%s", path);
	snprintf(v->frontend, sizeof(v->frontend), "%s", front);
	v->domid = domid;
	v->fd = open(image, O_RDWR | O_CLOEXEC);
	if (v->fd < 0 || fstat(v->fd, &st) < 0) {
		fprintf(stderr, "testback: %s: %s\n", image, strerror(errno));
		goto out;
	}
	v->sectors = (uint64_t)st.st_size / 512;
	TAILQ_INSERT_TAIL(&vbds, v, link);
	xs_put(path, "feature-flush-cache", 1);
	xs_put(path, "max-ring-page-order", 3);
	if (xs_get_number(path, "state", 0) == XenbusStateInitialising)
		set_state(v, XenbusStateInitWait);
	snprintf(state, sizeof(state), "%s/state", front);
	watch_token(v, token, sizeof(token));
	xs_watch(xs, state, token);
	v = NULL;
out:
	free(v);
	free(image);
	free(front);
}

/* xl has to see state 2 before its hotplug script runs: until then we stay there. */
static bool hotplug_done(const struct vbd *v)
{
	char *status = xs_get(v->path, "hotplug-status");
	bool done = status && strcmp(status, "connected") == 0;

	free(status);
	return done;
}

static void frontend_changed(struct vbd *v)
{
	uint32_t state = xs_get_number(v->frontend, "state", XenbusStateUnknown);

	if (v->fault == FAULT_DEAF)
		return;
	switch (state) {
	case XenbusStateInitialising:
		/* The frontend came back after it had closed, perhaps while we were deaf. */
		disconnect(v);
		if (xs_get_number(v->path, "state", 0) == XenbusStateClosed)
			set_state(v, XenbusStateInitWait);
		break;
	case XenbusStateInitialised:
	case XenbusStateConnected:
		if (!v->connected && hotplug_done(v))
			connect_ring(v);
		break;
	case XenbusStateClosing:
		disconnect(v);
		set_state(v, XenbusStateClosing);
		break;
	case XenbusStateClosed:
		disconnect(v);
		set_state(v, XenbusStateClosed);
		break;
	case XenbusStateUnknown:
		/* Its directory is gone, or the domain is. */
		disconnect(v);
		if (xs_get_number(v->path, "state", 0) > XenbusStateInitWait)
			set_state(v, XenbusStateClosed);
		break;
	default:
		break;
	}
}

static void read_fault(struct vbd *v)
{
	char *word = xs_get(v->path, "fault");

	for (unsigned int i = 0; word && i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (strcmp(word, faults[i]) == 0)
			v->fault = (enum fault)i;
	}
	free(word);
	/* What was missed meanwhile. */
	frontend_changed(v);
}

static void backend_changed(const char *path);

/* What is there already when we start. */
static void look_below(const char *path, int depth)
{
	char below[PATH_SIZE], **names;
	unsigned int n = 0;

	names = xs_directory(xs, XBT_NULL, path, &n);
	for (unsigned int i = 0; names && i < n; i++) {
		snprintf(below, sizeof(below), "%.200s/%.20s", path, names[i]);
		if (depth > 1)
			look_below(below, depth - 1);
		else
			backend_changed(below);
	}
	free(names);
}

/* A node below backend/vbd changed: @path is as deep as it goes. */
static void backend_changed(const char *path)
{
	char dir[PATH_SIZE], domid[16], devid[16];
	struct vbd *v;

	if (strcmp(path, "backend/vbd") == 0) {
		look_below(path, 2);
		return;
	}
	if (sscanf(path, "backend/vbd/%15[0-9]/%15[0-9]", domid, devid) != 2)
		return;
	snprintf(dir, sizeof(dir), "backend/vbd/%s/%s", domid, devid);
	v = find(dir);
	if (v && strcmp(path + strlen(path) - strlen("/fault"), "/fault") == 0) {
		read_fault(v);
	} else if (v && v->fault == FAULT_DEAF &&
		   xs_get_number(dir, "frontend-id", UINT32_MAX) != UINT32_MAX) {
		/* Whatever others write there, it is no start for us. */
		return;
	} else if (xs_get_number(dir, "state", 0) == 0) {
		if (v)
			forget(v);
	} else if (!v || xs_get_number(dir, "state", 0) == XenbusStateInitialising) {
		/* New, or removed and made again since we looked last. */
		if (v)
			forget(v);
		discover(dir, (uint32_t)strtoul(domid, NULL, 10));
	} else if (xs_get_number(dir, "online", 1) == 0 &&
		   xs_get_number(dir, "state", 0) == XenbusStateClosing && !v->connected) {
		set_state(v, XenbusStateClosed);
	} else if (!v->connected) {
		frontend_changed(v);
	}
}

static void read_watches(void)
{
	char **event;

	while ((event = xs_check_watch(xs))) {
		if (strncmp(event[XS_WATCH_TOKEN], "front ", 6) == 0) {
			struct vbd *v = find(event[XS_WATCH_TOKEN] + 6);

			if (v)
				frontend_changed(v);
		} else {
			backend_changed(event[XS_WATCH_PATH]);
		}
		free(event);
	}
}

static void read_events(void)
{
	int port;

	while ((port = host_evtchn_pending(ev)) >= 0) {
		struct vbd *v;

		host_evtchn_unmask(ev, (uint32_t)port);
		TAILQ_FOREACH (v, &vbds, link) {
			if (v->connected && v->port == port)
				serve_ring(v);
		}
	}
}

int main(void)
{
	int fd = host_evtchn_open(), r = fd < 0 ? fd : host_evtchn_fdopen(fd, &ev);
	struct pollfd pfd[2] = { { .events = POLLIN }, { .events = POLLIN } };

	program = "testback";
	if (r < 0)
		fatal("event channels", -r);
	xs_connect();
	if (!xs_watch(xs, "backend/vbd", "back"))
		fatal("xenstore", errno);
	pfd[0].fd = xs_fileno(xs);
	pfd[1].fd = host_evtchn_fd(ev);
	for (;;) {
		read_watches();
		if (poll(pfd, 2, -1) < 0 && errno != EINTR)
			fatal("poll", errno);
		read_events();
		if (pfd[0].revents & (POLLHUP | POLLERR))
			return 0;
	}
}
