/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vifrig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/host.h"
#include "lib/cleanup.h"
#include "lib/fdpass.h"

#define DEVID   3
#define HEADER  64u /* indices and padding before the first slot, ring.h */
#define TX_SLOT 12u
#define RX_SLOT 8u

void vifrig_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

#define MUST(r)                                                                                    \
	({                                                                                         \
		__typeof__(r) _must = (r);                                                         \
		if (_must < 0)                                                                     \
			vifrig_die("%s:%d: %s: %lld (errno %d)", __FILE__, __LINE__, #r,           \
				   (long long)_must, errno);                                       \
		_must;                                                                             \
	})

static void *shared_page(struct vifrig *rig, uint32_t *ret_ref)
{
	int64_t frame = MUST(loopfront_alloc(rig->lf, 1));

	*ret_ref = (uint32_t)MUST(loopfront_grant(rig->lf, (uint64_t)frame, false));
	return loopfront_page(rig->lf, (uint64_t)frame);
}

static void make_queue(struct vifrig *rig, uint32_t number)
{
	struct vifrig_queue *q = &rig->queue[number];
	int pair[2], size = 1 << 20;

	q->rig = rig;
	q->number = number;
	q->tx = shared_page(rig, &q->where.tx_ref);
	q->rx = shared_page(rig, &q->where.rx_ref);
	q->where.tx_evtchn = (uint32_t)MUST(loopfront_evtchn_alloc(rig->lf));
	q->where.rx_evtchn = rig->o.one_channel ? q->where.tx_evtchn
						: (uint32_t)MUST(loopfront_evtchn_alloc(rig->lf));
	q->data_page = number * 2 * VIFRIG_SLOTS;
	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
	for (unsigned int i = 0; i < 2; i++)
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	q->tap = pair[0];
	q->tap_worker = pair[1];
}

void vifrig_init(struct vifrig *rig, const struct vifrig_options *o)
{
	uint64_t frame;

	*rig = (struct vifrig){ .o = *o, .sock = -1 };
	rig->o.queues = o->queues ?: 1;
	rig->nr_data = rig->o.queues * 2 * VIFRIG_SLOTS;
	MUST(loopfront_hub_start(&rig->hub));
	MUST(loopfront_open(NULL, rig->nr_data + 128, &rig->lf));
	rig->state_fd = MUST(memfd_create("state", MFD_CLOEXEC));
	rig->counters_fd = MUST(memfd_create("counters", MFD_CLOEXEC));
	frame = (uint64_t)MUST(loopfront_alloc(rig->lf, rig->nr_data));
	rig->data = loopfront_page(rig->lf, frame);
	rig->data_ref = calloc(rig->nr_data, sizeof(*rig->data_ref));
	for (uint32_t i = 0; i < rig->nr_data; i++)
		rig->data_ref[i] = (uint32_t)MUST(loopfront_grant(rig->lf, frame + i, false));
	for (uint32_t i = 0; i < rig->o.queues; i++)
		make_queue(rig, i);
	if (rig->o.control) {
		rig->control = shared_page(rig, &rig->control_ref);
		rig->control_port = (uint32_t)MUST(loopfront_evtchn_alloc(rig->lf));
	}
	vifrig_reset_rings(rig, 0);
}

void vifrig_free(struct vifrig *rig)
{
	vifrig_stop_worker(rig);
	loopfront_close(rig->lf);
	loopfront_hub_stop(rig->hub);
	for (uint32_t i = 0; i < rig->o.queues; i++) {
		close_fd(&rig->queue[i].tap);
		close_fd(&rig->queue[i].tap_worker);
	}
	close_fd(&rig->state_fd);
	close_fd(&rig->counters_fd);
	free(rig->data_ref);
}

uint32_t *vifrig_index(void *ring, unsigned int which)
{
	return (uint32_t *)ring + which;
}

static void reset(void *ring, uint32_t index)
{
	memset(ring, 0, VIFRIG_PAGE);
	*vifrig_index(ring, 0) = *vifrig_index(ring, 2) = index;
	*vifrig_index(ring, 1) = *vifrig_index(ring, 3) = index + 1;
}

void vifrig_reset_rings(struct vifrig *rig, uint32_t index)
{
	for (uint32_t i = 0; i < rig->o.queues; i++) {
		struct vifrig_queue *q = &rig->queue[i];

		reset(q->tx, index);
		reset(q->rx, index);
		q->tx_prod = q->tx_cons = q->rx_prod = q->rx_cons = index;
	}
	if (rig->control)
		reset(rig->control, index);
	rig->control_prod = rig->control_cons = index;
}

void vifrig_start_worker(struct vifrig *rig, const char *path)
{
	int pair[2], r;

	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	rig->worker = MUST(fork());
	if (!rig->worker) {
		if (dup2(pair[1], WORKER_CONTROL_FD) < 0)
			_exit(126);
		if (pair[1] == WORKER_CONTROL_FD)
			fcntl(pair[1], F_SETFD, 0);
		/* the sandbox makes LeakSanitizer's ptrace impossible */
		setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
		execl(path ?: VIFRIG_WORKER, "xenpv-worker-loop", NULL);
		_exit(127);
	}
	close(pair[1]);
	rig->sock = pair[0];
	rig->has_ring_error = false;

	struct worker_msg msg = {
		.type = WORKER_HELLO,
		.hello = { .version = WORKER_PROTO_VERSION, .domid = loopfront_domid(rig->lf) },
	};
	r = vifrig_call(rig, &msg, NULL, 0);
	if (r < 0 && r != -ECONNRESET)
		vifrig_die("HELLO: %s", rig->error);
}

static void reap(struct vifrig *rig, bool must_be_well)
{
	int status;

	close_fd(&rig->sock);
	if (rig->worker > 0) {
		waitpid(rig->worker, &status, 0);
		if (must_be_well && (!WIFEXITED(status) || WEXITSTATUS(status)))
			vifrig_die("the worker ended with status %#x", (unsigned int)status);
	}
	rig->worker = 0;
}

void vifrig_stop_worker(struct vifrig *rig)
{
	reap(rig, true);
}

void vifrig_kill_worker(struct vifrig *rig)
{
	if (rig->worker > 0)
		kill(rig->worker, SIGKILL);
	reap(rig, false);
}

bool vifrig_worker_gone(struct vifrig *rig)
{
	int status;

	if (waitpid(rig->worker, &status, WNOHANG) != rig->worker)
		return false;
	rig->worker = 0;
	return true;
}

/* 0, or -ECONNRESET when the worker is gone. */
static int receive(struct vifrig *rig, struct worker_msg *msg)
{
	struct pollfd p = { .fd = rig->sock, .events = POLLIN };
	size_t n;
	int r;

	if (poll(&p, 1, VIFRIG_TIMEOUT * 4) <= 0)
		vifrig_die("the worker does not answer");
	r = fdpass_recv(rig->sock, msg, sizeof(*msg), NULL, 0, &n);
	if (r < 0 && r != -ECONNRESET)
		vifrig_die("the worker's socket: %s", strerror(-r));
	return r;
}

static void note_ring_error(struct vifrig *rig, const struct worker_msg *msg)
{
	if (msg->class != WORKER_VIF || msg->devid != DEVID)
		vifrig_die("RING_ERROR of class %u, device %u", msg->class, msg->devid);
	rig->ring_error = msg->ring_error;
	rig->has_ring_error = true;
}

int vifrig_call(struct vifrig *rig, struct worker_msg *msg, const int *fds, size_t n)
{
	struct worker_msg reply;
	int r;

	msg->seq = ++rig->seq;
	r = fdpass_send(rig->sock, msg, sizeof(*msg), fds, n);
	if (r == -EPIPE)
		return -ECONNRESET;
	MUST(r);
	for (;;) {
		if (receive(rig, &reply) < 0)
			return -ECONNRESET;
		if (reply.type != WORKER_RING_ERROR)
			break;
		note_ring_error(rig, &reply);
	}
	if (reply.type != WORKER_REPLY || reply.seq != msg->seq || reply.class != msg->class)
		vifrig_die("answer of type %u, seq %u, class %u", reply.type, reply.seq,
			   reply.class);
	snprintf(rig->error, sizeof(rig->error), "%s", reply.reply.text);
	rig->stats = reply.reply.vif_stats;
	return reply.reply.error;
}

int vifrig_attach(struct vifrig *rig)
{
	struct worker_msg msg = {
		.type = WORKER_ATTACH_VIF,
		.class = WORKER_VIF,
		.devid = DEVID,
		.attach_vif = { .mac = { 0x00, 0x16, 0x3e, 0, 0, 1 },
				.multicast = rig->o.multicast,
				.static_grants = rig->o.static_grants,
				.queues = rig->o.queues,
				.poll_us = rig->o.poll_us,
				.rate_bytes = rig->o.rate_bytes,
				.rate_us = rig->o.rate_us },
	};
	int fds[WORKER_MAX_VIF_QUEUES + 2] = { rig->state_fd };

	for (uint32_t i = 0; i < rig->o.queues; i++)
		fds[i + 1] = rig->queue[i].tap_worker;
	fds[rig->o.queues + 1] = rig->counters_fd;
	return vifrig_call(rig, &msg, fds, rig->o.queues + 2);
}

int vifrig_connect(struct vifrig *rig, bool reattach)
{
	struct worker_msg msg = {
		.type = WORKER_CONNECT_VIF,
		.class = WORKER_VIF,
		.devid = DEVID,
		.connect_vif = { .queues = rig->o.queues,
				 .features = rig->o.features,
				 .reattach = reattach,
				 .has_control = rig->o.control,
				 .xdp_headroom = (uint16_t)rig->o.headroom,
				 .control_ref = rig->control_ref,
				 .control_evtchn = rig->control_port },
	};
	int fds[WORKER_MAX_VIF_QUEUES + 1] = { 0 }, r;
	uint32_t n = rig->o.queues + rig->o.control;

	for (uint32_t i = 0; i < n; i++)
		fds[i] = MUST(host_evtchn_open());
	for (uint32_t i = 0; i < rig->o.queues; i++)
		msg.connect_vif.queue[i] = rig->queue[i].where;
	r = vifrig_call(rig, &msg, fds, n);
	for (uint32_t i = 0; i < n; i++)
		close(fds[i]);
	return r;
}

int vifrig_simple(struct vifrig *rig, uint32_t type)
{
	struct worker_msg msg = { .type = type, .class = WORKER_VIF, .devid = DEVID };

	return vifrig_call(rig, &msg, NULL, 0);
}

int vifrig_adjust(struct vifrig *rig, uint16_t headroom, bool multicast)
{
	struct worker_msg msg = { .type = WORKER_HEADROOM,
				  .class = WORKER_VIF,
				  .devid = DEVID,
				  .headroom = { headroom, multicast } };

	return vifrig_call(rig, &msg, NULL, 0);
}

void vifrig_stats(struct vifrig *rig)
{
	int r = vifrig_simple(rig, WORKER_STATS);

	if (r < 0)
		vifrig_die("STATS: %s (%s)", strerror(-r), rig->error);
}

void vifrig_up(struct vifrig *rig, bool reattach)
{
	int r;

	vifrig_start_worker(rig, NULL);
	r = vifrig_attach(rig);
	if (r == 0)
		r = vifrig_connect(rig, reattach);
	if (r < 0)
		vifrig_die("%s (%s)", rig->error, strerror(-r));
}

bool vifrig_await_ring_error(struct vifrig *rig)
{
	struct pollfd p = { .fd = rig->sock, .events = POLLIN };
	struct worker_msg msg;

	if (rig->has_ring_error)
		return true;
	if (poll(&p, 1, VIFRIG_TIMEOUT) <= 0 || receive(rig, &msg) < 0)
		return false;
	if (msg.type != WORKER_RING_ERROR)
		vifrig_die("message of type %u instead of RING_ERROR", msg.type);
	note_ring_error(rig, &msg);
	return true;
}

/* Publish requests, and send an event if the backend asked for one. */
static void push(struct vifrig *rig, void *ring, uint32_t prod, uint32_t port)
{
	_Atomic uint32_t *shared = (_Atomic uint32_t *)vifrig_index(ring, 0);
	_Atomic uint32_t *event = (_Atomic uint32_t *)vifrig_index(ring, 1);
	uint32_t old = atomic_load(shared);

	atomic_store(shared, prod);
	if ((uint32_t)(prod - atomic_load(event)) < (uint32_t)(prod - old))
		loopfront_notify(rig->lf, port);
}

/* Responses that are there; after asking for an event when there are none. */
static uint32_t available(void *ring, uint32_t cons, uint32_t slots)
{
	_Atomic uint32_t *prod = (_Atomic uint32_t *)vifrig_index(ring, 2);
	uint32_t n = atomic_load(prod) - cons;

	if (!n) {
		atomic_store((_Atomic uint32_t *)vifrig_index(ring, 3), cons + 1);
		n = atomic_load(prod) - cons;
	}
	if (n > slots)
		vifrig_die("response index %u, %u were taken", cons + n, cons);
	return n;
}

void vifrig_put_tx(struct vifrig_queue *q, const void *slot)
{
	memcpy(q->tx + HEADER + (q->tx_prod++ % VIFRIG_SLOTS) * TX_SLOT, slot, TX_SLOT);
}

void vifrig_push_tx(struct vifrig_queue *q)
{
	push(q->rig, q->tx, q->tx_prod, q->where.tx_evtchn);
}

void vifrig_put_frame(struct vifrig_queue *q, const void *frame, size_t len, const uint16_t *sizes,
		      unsigned int slots, uint16_t flags, const struct netif_extra_info *extra,
		      unsigned int extras)
{
	const uint8_t *from = frame;

	for (unsigned int i = 0; i < slots; i++) {
		uint32_t id = q->tx_prod % VIFRIG_SLOTS, page = q->data_page + id;
		/* anywhere in the page */
		uint16_t offset = (uint16_t)((id * 37) % (VIFRIG_PAGE - sizes[i] + 1));
		struct netif_tx_request req = {
			.gref = q->rig->data_ref[page],
			.offset = offset,
			.id = (uint16_t)id,
			.size = i ? sizes[i] : (uint16_t)len,
		};

		if (i == 0)
			req.flags = flags | (extras ? NETTXF_extra_info : 0);
		if (i + 1 < slots)
			req.flags |= NETTXF_more_data;
		memcpy(q->rig->data + (size_t)page * VIFRIG_PAGE + offset, from, sizes[i]);
		from += sizes[i];
		vifrig_put_tx(q, &req);
		for (unsigned int e = 0; i == 0 && e < extras; e++) {
			uint8_t slot[TX_SLOT] = { 0 };

			memcpy(slot, &extra[e], sizeof(extra[e]));
			if (e + 1 < extras)
				slot[1] |= XEN_NETIF_EXTRA_FLAG_MORE;
			vifrig_put_tx(q, slot);
		}
	}
}

bool vifrig_take_tx(struct vifrig_queue *q, struct netif_tx_response *ret)
{
	if (!available(q->tx, q->tx_cons, VIFRIG_SLOTS))
		return false;
	memcpy(ret, q->tx + HEADER + (q->tx_cons++ % VIFRIG_SLOTS) * TX_SLOT, sizeof(*ret));
	return true;
}

struct netif_tx_response vifrig_await_tx(struct vifrig_queue *q)
{
	struct netif_tx_response rsp;

	while (!vifrig_take_tx(q, &rsp)) {
		if (loopfront_wait(q->rig->lf, q->where.tx_evtchn, VIFRIG_TIMEOUT) < 0)
			vifrig_die("no event for %d ms; %u requests, %u responses taken",
				   VIFRIG_TIMEOUT, q->tx_prod, q->tx_cons);
	}
	return rsp;
}

void vifrig_send(struct vifrig_queue *q, const void *frame, size_t len, uint16_t flags,
		 const struct netif_extra_info *extra, int status)
{
	uint32_t first = q->tx_cons, id = first % VIFRIG_SLOTS;
	struct netif_tx_response rsp;
	uint16_t sizes[18] = { 0 };
	unsigned int slots = 0;
	size_t left = len;

	do {
		sizes[slots] = (uint16_t)(left < VIFRIG_PAGE ? left : VIFRIG_PAGE);
		left -= sizes[slots++];
	} while (left);
	vifrig_put_frame(q, frame, len, sizes, slots, flags, extra, extra ? 1 : 0);
	vifrig_push_tx(q);
	for (uint32_t i = 0; i < slots + (extra ? 1 : 0); i++) {
		rsp = vifrig_await_tx(q);
		if (extra && i == 1) {
			if (rsp.status != NETIF_RSP_NULL)
				vifrig_die("status %d of an extra info", rsp.status);
		} else if (rsp.id != (id + i) % VIFRIG_SLOTS || rsp.status != status) {
			vifrig_die("slot %u: id %u instead of %u, status %d instead of %d", i,
				   rsp.id, (id + i) % VIFRIG_SLOTS, rsp.status, status);
		}
	}
}

static void put_rx(struct vifrig_queue *q, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		uint32_t slot = q->rx_prod++ % VIFRIG_SLOTS;
		struct netif_rx_request req = {
			.id = (uint16_t)slot,
			.gref = q->rig->data_ref[q->data_page + VIFRIG_SLOTS + slot],
		};

		memcpy(q->rx + HEADER + slot * RX_SLOT, &req, sizeof(req));
	}
}

void vifrig_post_rx(struct vifrig_queue *q, unsigned int n)
{
	put_rx(q, n);
	push(q->rig, q->rx, q->rx_prod, q->where.rx_evtchn);
}

void vifrig_post_rx_silently(struct vifrig_queue *q, unsigned int n)
{
	put_rx(q, n);
	atomic_store((_Atomic uint32_t *)vifrig_index(q->rx, 0), q->rx_prod);
}

static void take_extra(struct vifrig_packet *p, const struct netif_extra_info *extra)
{
	switch (extra->type) {
	case XEN_NETIF_EXTRA_TYPE_GSO:
		p->has_gso = true;
		p->gso = *extra;
		break;
	case XEN_NETIF_EXTRA_TYPE_HASH:
		p->has_hash = true;
		p->hash = *extra;
		break;
	case 5:
		p->has_xdp = true;
		p->headroom = extra->u.pad[0];
		break;
	default:
		vifrig_die("extra info of type %u", extra->type);
	}
}

static void *next_rx(struct vifrig_queue *q, uint32_t *ret_slot)
{
	if (!available(q->rx, q->rx_cons, VIFRIG_SLOTS))
		vifrig_die("half of a packet was published");
	*ret_slot = q->rx_cons++ % VIFRIG_SLOTS;
	return q->rx + HEADER + *ret_slot * RX_SLOT;
}

bool vifrig_take_rx(struct vifrig_queue *q, struct vifrig_packet *ret)
{
	struct netif_rx_response rsp;
	struct netif_extra_info extra;
	uint32_t slot;

	if (!available(q->rx, q->rx_cons, VIFRIG_SLOTS))
		return false;
	memset(ret, 0, offsetof(struct vifrig_packet, data));
	do {
		memcpy(&rsp, next_rx(q, &slot), sizeof(rsp));
		if (rsp.id != slot)
			vifrig_die("receive id %u in slot %u", rsp.id, slot);
		if (rsp.status < 0) {
			ret->status = ret->status ?: rsp.status;
		} else {
			if (rsp.offset + rsp.status > (int)VIFRIG_PAGE ||
			    ret->len + (size_t)rsp.status > sizeof(ret->data))
				vifrig_die("%d bytes at %u", rsp.status, rsp.offset);
			memcpy(ret->data + ret->len,
			       q->rig->data +
				       (size_t)(q->data_page + VIFRIG_SLOTS + slot) * VIFRIG_PAGE +
				       rsp.offset,
			       (size_t)rsp.status);
			ret->len += (size_t)rsp.status;
		}
		if (ret->slots++ == 0) {
			ret->flags = rsp.flags;
			ret->offset = rsp.offset;
			extra.flags = rsp.flags & NETRXF_extra_info ? XEN_NETIF_EXTRA_FLAG_MORE : 0;
			while (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE) {
				memcpy(&extra, next_rx(q, &slot), sizeof(extra));
				take_extra(ret, &extra);
			}
		}
	} while (rsp.flags & NETRXF_more_data);
	return true;
}

void vifrig_await_rx(struct vifrig_queue *q, struct vifrig_packet *ret)
{
	while (!vifrig_take_rx(q, ret)) {
		if (loopfront_wait(q->rig->lf, q->where.rx_evtchn, VIFRIG_TIMEOUT) < 0)
			vifrig_die("nothing received for %d ms; %u buffers, %u used",
				   VIFRIG_TIMEOUT, q->rx_prod, q->rx_cons);
	}
}

bool vifrig_tap_recv(struct vifrig_queue *q, struct virtio_net_hdr *hdr, void *frame, size_t *len,
		     int ms)
{
	static __thread uint8_t buf[sizeof(*hdr) + VIFRIG_MAX_FRAME];
	struct pollfd p = { .fd = q->tap, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, ms) <= 0)
		return false;
	n = MUST(read(q->tap, buf, sizeof(buf)));
	if ((size_t)n < sizeof(*hdr))
		vifrig_die("%zd bytes in the tap", n);
	memcpy(hdr, buf, sizeof(*hdr));
	*len = (size_t)n - sizeof(*hdr);
	memcpy(frame, buf + sizeof(*hdr), *len);
	return true;
}

void vifrig_tap_send(struct vifrig_queue *q, const struct virtio_net_hdr *hdr, const void *frame,
		     size_t len)
{
	static __thread uint8_t buf[sizeof(*hdr) + VIFRIG_MAX_FRAME];
	struct pollfd p = { .fd = q->tap, .events = POLLOUT };

	memset(buf, 0, sizeof(*hdr));
	if (hdr)
		memcpy(buf, hdr, sizeof(*hdr));
	memcpy(buf + sizeof(*hdr), frame, len);
	while (write(q->tap, buf, sizeof(*hdr) + len) < 0) {
		if (errno != EAGAIN || poll(&p, 1, VIFRIG_TIMEOUT) <= 0)
			vifrig_die("tap: %m");
	}
}

void vifrig_control_put(struct vifrig *rig, uint16_t type, uint32_t d0, uint32_t d1, uint32_t d2)
{
	struct xen_netif_ctrl_request req = {
		.id = (uint16_t)(rig->control_prod * 3),
		.type = type,
		.data = { d0, d1, d2 },
	};

	memcpy(rig->control + HEADER + (rig->control_prod++ % 128) * sizeof(req), &req,
	       sizeof(req));
	push(rig, rig->control, rig->control_prod, rig->control_port);
}

uint32_t vifrig_control_await(struct vifrig *rig, uint32_t *ret_data)
{
	struct xen_netif_ctrl_response rsp;
	uint32_t at = rig->control_cons;

	while (!available(rig->control, at, 128)) {
		if (loopfront_wait(rig->lf, rig->control_port, VIFRIG_TIMEOUT) < 0)
			vifrig_die("control request %u is not answered", at);
	}
	memcpy(&rsp, rig->control + HEADER + (at % 128) * sizeof(struct xen_netif_ctrl_request),
	       sizeof(rsp));
	if (rsp.id != (uint16_t)(at * 3))
		vifrig_die("control response with id %u instead of %u", rsp.id, (uint16_t)(at * 3));
	rig->control_cons++;
	if (ret_data)
		*ret_data = rsp.data;
	return rsp.status;
}

uint32_t vifrig_control(struct vifrig *rig, uint16_t type, uint32_t d0, uint32_t d1, uint32_t d2,
			uint32_t *ret_data)
{
	vifrig_control_put(rig, type, d0, d1, d2);
	return vifrig_control_await(rig, ret_data);
}

unsigned int vifrig_mapped(struct vifrig *rig)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < rig->nr_data; i++)
		n += loopfront_grant_use(rig->lf, rig->data_ref[i]) != 0;
	for (uint32_t i = 0; i < rig->o.queues; i++) {
		n += loopfront_grant_use(rig->lf, rig->queue[i].where.tx_ref) != 0;
		n += loopfront_grant_use(rig->lf, rig->queue[i].where.rx_ref) != 0;
	}
	if (rig->control)
		n += loopfront_grant_use(rig->lf, rig->control_ref) != 0;
	return n;
}

static bool await_unbound(struct vifrig *rig, uint32_t port)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (int left = VIFRIG_TIMEOUT; loopfront_evtchn_bound(rig->lf, port); left--) {
		if (!left)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

bool vifrig_await_unbound(struct vifrig *rig)
{
	for (uint32_t i = 0; i < rig->o.queues; i++) {
		if (!await_unbound(rig, rig->queue[i].where.tx_evtchn) ||
		    !await_unbound(rig, rig->queue[i].where.rx_evtchn))
			return false;
	}
	return !rig->control || await_unbound(rig, rig->control_port);
}
