/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * testback-vif: a backend for interfaces that misbehaves on request. It serves vifs as plainly
 * as the protocol allows (netif.h): one queue, split event channels, scatter/gather, grant copy
 * of one slot after the other, a tap; no segmentation. It trusts its frontend to be Linux's or
 * ours.
 *
 * A word written to the node "fault" below the backend's path makes the next answer of that
 * kind wrong in that way, see faults[]; it is written back as "none" when that has been done.
 * A control ring is offered from the first word on that begins with "ctrl-". Such a word may go
 * on with @ and the type of the request that is meant, and with ! if the fault is to stay.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "testback-vif.h"

#define VIFS_MAX 64

static const char *const faults[] = {
	[FAULT_NONE] = "none",
	[FAULT_TX_BAD_ID] = "tx-bad-id",
	[FAULT_TX_FREE_ID] = "tx-free-id",
	[FAULT_TX_SAME_ID] = "tx-same-id",
	[FAULT_TX_BAD_STATUS] = "tx-bad-status",
	[FAULT_TX_BAD_INDEX] = "tx-bad-index",
	[FAULT_TX_ERROR] = "tx-error",
	[FAULT_TX_DROPPED] = "tx-dropped",
	[FAULT_TX_MUTE] = "tx-mute",
	[FAULT_TX_LOST] = "tx-lost",
	[FAULT_TX_MAPPED] = "tx-mapped",
	[FAULT_TX_STALL] = "tx-stall",
	[FAULT_RX_BAD_ID] = "rx-bad-id",
	[FAULT_RX_BAD_OFFSET] = "rx-bad-offset",
	[FAULT_RX_BAD_SIZE] = "rx-bad-size",
	[FAULT_RX_ZERO_SIZE] = "rx-zero-size",
	[FAULT_RX_TINY] = "rx-tiny",
	[FAULT_RX_TINY_CHAIN] = "rx-tiny-chain",
	[FAULT_RX_ZERO_CHAIN] = "rx-zero-chain",
	[FAULT_RX_ERROR] = "rx-error",
	[FAULT_RX_ERROR_CHAIN] = "rx-error-chain",
	[FAULT_RX_BAD_INDEX] = "rx-bad-index",
	[FAULT_RX_LONG_CHAIN] = "rx-long-chain",
	[FAULT_RX_CUT_CHAIN] = "rx-cut-chain",
	[FAULT_RX_BAD_FLAGS] = "rx-bad-flags",
	[FAULT_RX_EXTRA_TYPE] = "rx-extra-type",
	[FAULT_RX_EXTRA_CHAIN] = "rx-extra-chain",
	[FAULT_RX_EXTRA_CUT] = "rx-extra-cut",
	[FAULT_RX_EXTRA_GSO] = "rx-extra-gso",
	[FAULT_RX_EXTRA_SIZE] = "rx-extra-size",
	[FAULT_RX_MUTE] = "rx-mute",
	[FAULT_RX_STALL] = "rx-stall",
	[FAULT_RX_PEEK] = "rx-peek",
	[FAULT_CTRL_NONE] = "ctrl-none",
	[FAULT_CTRL_BAD_ID] = "ctrl-bad-id",
	[FAULT_CTRL_BAD_TYPE] = "ctrl-bad-type",
	[FAULT_CTRL_BAD_STATUS] = "ctrl-bad-status",
	[FAULT_CTRL_BAD_INDEX] = "ctrl-bad-index",
	[FAULT_CTRL_TWICE] = "ctrl-twice",
	[FAULT_CTRL_EARLY] = "ctrl-early",
	[FAULT_CTRL_LATE] = "ctrl-late",
	[FAULT_CTRL_LOST] = "ctrl-lost",
	[FAULT_CTRL_MUTE] = "ctrl-mute",
	[FAULT_CTRL_EVENTS] = "ctrl-events",
	[FAULT_CTRL_UNSUPPORTED] = "ctrl-unsupported",
	[FAULT_CTRL_INVALID] = "ctrl-invalid",
	[FAULT_CTRL_OVERFLOW] = "ctrl-overflow",
	[FAULT_CTRL_HUGE] = "ctrl-huge",
	[FAULT_CTRL_TX_ONLY] = "ctrl-tx-only",
	[FAULT_CTRL_TINY] = "ctrl-tiny",
	[FAULT_CTRL_SCRIBBLE] = "ctrl-scribble",
	[FAULT_CTRL_MAPPED] = "ctrl-mapped",
	[FAULT_DEAF] = "deaf",
};

struct host_evtchn *ev;
static TAILQ_HEAD(, vif) vifs = TAILQ_HEAD_INITIALIZER(vifs);

/* Not twice: the node may be that of the next device of this name by then. */
static void set_state(struct vif *v, enum xenbus_state state)
{
	if (v->state == state)
		return;
	v->state = state;
	xs_put(v->path, "state", state);
}

static void disconnect(struct vif *v)
{
	if (!v->connected)
		return;
	host_evtchn_unbind(ev, (uint32_t)v->tx_port);
	if (v->rx_port != v->tx_port)
		host_evtchn_unbind(ev, (uint32_t)v->rx_port);
	if (v->ctrl_port >= 0)
		host_evtchn_unbind(ev, (uint32_t)v->ctrl_port);
	v->ctrl_port = -1;
	v->is_late = false;
	if (v->left_mapped)
		host_gnt_unmap(v->gnt, v->left_mapped, 1);
	v->left_mapped = NULL;
	/* With it goes all that is mapped. */
	host_gnt_close(v->gnt);
	v->gnt = NULL;
	v->connected = false;
}

static int map_rings(struct vif *v)
{
	uint32_t tx = xs_get_number(v->frontend, "tx-ring-ref", 0);
	uint32_t rx = xs_get_number(v->frontend, "rx-ring-ref", 0);
	void *page;
	int r = host_gnt_map(v->gnt, &tx, 1, PROT_READ | PROT_WRITE, &page);

	if (r < 0)
		return r;
	/* After a restart of ours, go on where responses end. */
	BACK_RING_ATTACH(&v->tx, (netif_tx_sring_t *)page, ((netif_tx_sring_t *)page)->rsp_prod,
			 HOST_PAGE_SIZE);
	r = host_gnt_map(v->gnt, &rx, 1, PROT_READ | PROT_WRITE, &page);
	if (r < 0)
		return r;
	BACK_RING_ATTACH(&v->rx, (netif_rx_sring_t *)page, ((netif_rx_sring_t *)page)->rsp_prod,
			 HOST_PAGE_SIZE);
	return 0;
}

static int bind_ports(struct vif *v)
{
	uint32_t both = xs_get_number(v->frontend, "event-channel", 0);

	v->tx_port = host_evtchn_bind(
		ev, v->domid, both ? both : xs_get_number(v->frontend, "event-channel-tx", 0));
	if (v->tx_port < 0)
		return v->tx_port;
	v->rx_port = v->tx_port;
	if (both)
		return 0;
	v->rx_port =
		host_evtchn_bind(ev, v->domid, xs_get_number(v->frontend, "event-channel-rx", 0));
	if (v->rx_port >= 0)
		return 0;
	host_evtchn_unbind(ev, (uint32_t)v->tx_port);
	return v->rx_port;
}

/* Faults that happen once say so, so that a test knows that it met its packet. */
static void report_fault(struct vif *v, enum fault before)
{
	if (before != FAULT_NONE && v->fault == FAULT_NONE) {
		char path[2 * PATH_SIZE];

		snprintf(path, sizeof(path), "%s/fault", v->path);
		xs_write(xs, XBT_NULL, path, "none", 4);
	}
}

/* A frontend need not have one. */
static int connect_ctrl(struct vif *v)
{
	uint32_t ref = xs_get_number(v->frontend, "ctrl-ring-ref", 0);
	void *page;
	int r;

	v->ctrl_port = -1;
	if (!v->offers_ctrl || !ref)
		return 0;
	r = host_gnt_map(v->gnt, &ref, 1, PROT_READ | PROT_WRITE, &page);
	if (r < 0)
		return r;
	BACK_RING_ATTACH(&v->ctrl, (xen_netif_ctrl_sring_t *)page,
			 ((xen_netif_ctrl_sring_t *)page)->rsp_prod, HOST_PAGE_SIZE);
	v->ctrl_port =
		host_evtchn_bind(ev, v->domid, xs_get_number(v->frontend, "event-channel-ctrl", 0));
	return v->ctrl_port < 0 ? v->ctrl_port : 0;
}

static void connect_rings(struct vif *v)
{
	enum fault before = v->fault;
	int r = host_gnt_open(v->domid, &v->gnt);

	if (r < 0)
		fatal("host_gnt_open", -r);
	r = map_rings(v);
	if (r == 0)
		r = bind_ports(v);
	if (r == 0)
		r = connect_ctrl(v);
	if (r < 0) {
		fprintf(stderr, "%s: %s: cannot connect: %s\n", program, v->path, strerror(-r));
		host_gnt_close(v->gnt);
		v->gnt = NULL;
		set_state(v, XenbusStateClosing);
		return;
	}
	v->connected = true;
	if (v->ctrl_port >= 0)
		ctrl_begin(v);
	report_fault(v, before);
	set_state(v, XenbusStateConnected);
	before = v->fault;
	tx_serve(v);
	report_fault(v, before);
}

static void watch_token(const struct vif *v, char *buf, size_t size)
{
	snprintf(buf, size, "front %s", v->path);
}

static void forget(struct vif *v)
{
	char state[PATH_SIZE + 8], token[PATH_SIZE + 8];

	disconnect(v);
	snprintf(state, sizeof(state), "%s/state", v->frontend);
	watch_token(v, token, sizeof(token));
	xs_unwatch(xs, state, token);
	close(v->tap);
	TAILQ_REMOVE(&vifs, v, link);
	free(v);
}

static struct vif *find(const char *path)
{
	struct vif *v;

	TAILQ_FOREACH (v, &vifs, link) {
		if (strcmp(v->path, path) == 0)
			return v;
	}
	return NULL;
}

static void discover(const char *path, uint32_t domid, uint32_t handle)
{
	char *front = xs_get(path, "frontend");
	char state[PATH_SIZE + 8], token[PATH_SIZE + 8];
	struct vif *v = calloc(1, sizeof(*v));

	if (!v || !front)
		goto out;
	snprintf(v->path, sizeof(v->path), "%s", path);
	snprintf(v->frontend, sizeof(v->frontend), "%s", front);
	v->domid = domid;
	v->handle = handle;
	v->ctrl_port = -1;
	v->tap = tap_open(domid, handle);
	if (v->tap < 0) {
		fprintf(stderr, "%s: %s: tap: %s\n", program, path, strerror(-v->tap));
		goto out;
	}
	TAILQ_INSERT_TAIL(&vifs, v, link);
	xs_put(path, "feature-rx-copy", 1);
	xs_put(path, "feature-rx-flip", 0);
	xs_put(path, "feature-sg", 1);
	xs_put(path, "feature-split-event-channels", 1);
	if (xs_get_number(path, "state", 0) == XenbusStateInitialising)
		set_state(v, XenbusStateInitWait);
	snprintf(state, sizeof(state), "%s/state", front);
	watch_token(v, token, sizeof(token));
	xs_watch(xs, state, token);
	v = NULL;
out:
	free(v);
	free(front);
}

/* xl has to see state 2 before its hotplug script runs: until then we stay there. */
static bool hotplug_done(const struct vif *v)
{
	char *status = xs_get(v->path, "hotplug-status");
	bool done = status && strcmp(status, "connected") == 0;

	free(status);
	return done;
}

static void frontend_changed(struct vif *v)
{
	uint32_t state = xs_get_number(v->frontend, "state", XenbusStateUnknown);

	if (v->fault == FAULT_DEAF)
		return;
	switch (state) {
	case XenbusStateInitialising:
		/* The frontend came back after it had closed. */
		disconnect(v);
		if (xs_get_number(v->path, "state", 0) == XenbusStateClosed)
			set_state(v, XenbusStateInitWait);
		break;
	case XenbusStateInitialised:
	case XenbusStateConnected:
		if (!v->connected && hotplug_done(v))
			connect_rings(v);
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

static void read_fault(struct vif *v)
{
	char *word = xs_get(v->path, "fault");
	size_t len = word ? strcspn(word, "@!") : 0;
	enum fault before = v->fault, now;

	for (unsigned int i = 0; word && i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (faults[i] && strlen(faults[i]) == len && strncmp(word, faults[i], len) == 0)
			v->fault = (enum fault)i;
	}
	v->fault_stays = word && strchr(word, '!');
	v->fault_type = word && word[len] == '@' ? (unsigned int)atoi(word + len + 1) : 0;
	free(word);
	if (v->fault > _FAULT_RX_MAX && v->fault < _FAULT_CTRL_MAX && !v->offers_ctrl) {
		v->offers_ctrl = true;
		xs_put(v->path, "feature-ctrl-ring", 1);
	}
	now = v->fault;
	if (v->connected)
		ctrl_late(v);
	/* Somebody else wrote our state to see what comes of it. */
	if (before != v->fault)
		v->state = (enum xenbus_state)xs_get_number(v->path, "state", 0);
	/* What was missed meanwhile. */
	frontend_changed(v);
	if (v->connected) {
		ctrl_serve(v);
		tx_serve(v);
		rx_serve(v);
	}
	report_fault(v, now);
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

/* A node below backend/vif changed: @path is as deep as it goes. */
static void backend_changed(const char *path)
{
	char dir[PATH_SIZE], domid[16], handle[16];
	size_t len = strlen(path);
	struct vif *v;

	if (strcmp(path, "backend/vif") == 0) {
		look_below(path, 2);
		return;
	}
	if (sscanf(path, "backend/vif/%15[0-9]/%15[0-9]", domid, handle) != 2)
		return;
	snprintf(dir, sizeof(dir), "backend/vif/%s/%s", domid, handle);
	v = find(dir);
	if (xs_get_number(dir, "state", 0) == 0 && !xs_get_number(dir, "frontend-id", 0)) {
		if (v)
			forget(v);
	} else if (!v || (xs_get_number(dir, "state", 0) == XenbusStateInitialising &&
			  !hotplug_done(v))) {
		/* New, or removed and made again since we looked last. */
		if (v)
			forget(v);
		discover(dir, (uint32_t)strtoul(domid, NULL, 10),
			 (uint32_t)strtoul(handle, NULL, 10));
	} else if (len > 6 && strcmp(path + len - 6, "/fault") == 0) {
		read_fault(v);
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
			struct vif *v = find(event[XS_WATCH_TOKEN] + 6);

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
		struct vif *v;

		host_evtchn_unmask(ev, (uint32_t)port);
		TAILQ_FOREACH (v, &vifs, link) {
			enum fault before = v->fault;

			if (v->connected && v->ctrl_port == port) {
				ctrl_serve(v);
				report_fault(v, before);
				continue;
			}
			if (!v->connected || (v->tx_port != port && v->rx_port != port))
				continue;
			tx_serve(v);
			rx_serve(v);
			report_fault(v, before);
		}
	}
}

int main(void)
{
	int fd = host_evtchn_open(), r = fd < 0 ? fd : host_evtchn_fdopen(fd, &ev);
	struct pollfd pfd[2 + VIFS_MAX] = { { .events = POLLIN }, { .events = POLLIN } };

	program = "testback-vif";
	if (r < 0)
		fatal("event channels", -r);
	xs_connect();
	if (!xs_watch(xs, "backend/vif", "back"))
		fatal("xenstore", errno);
	pfd[0].fd = xs_fileno(xs);
	pfd[1].fd = host_evtchn_fd(ev);
	for (;;) {
		nfds_t n = 2;
		struct vif *v;

		read_watches();
		TAILQ_FOREACH (v, &vifs, link) {
			if (n < 2 + VIFS_MAX && rx_may_read(v))
				pfd[n++] = (struct pollfd){ .fd = v->tap, .events = POLLIN };
		}
		if (poll(pfd, n, -1) < 0 && errno != EINTR)
			fatal("poll", errno);
		read_events();
		for (nfds_t i = 2; i < n; i++) {
			TAILQ_FOREACH (v, &vifs, link) {
				enum fault before = v->fault;

				if (v->tap != pfd[i].fd || !pfd[i].revents)
					continue;
				rx_serve(v);
				report_fault(v, before);
			}
		}
		if (pfd[0].revents & (POLLHUP | POLLERR))
			return 0;
	}
}
