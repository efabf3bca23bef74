/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vbdrig.h"

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
#include "storage/geometry.h"

#define DEVID 51712

void rig_die(const char *fmt, ...)
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
			rig_die("%s:%d: %s: %lld", __FILE__, __LINE__, #r, (long long)_must);      \
		_must;                                                                             \
	})

static int memory_file(const char *name, uint64_t size)
{
	int fd = MUST(memfd_create(name, MFD_CLOEXEC));

	MUST(ftruncate(fd, (off_t)size));
	return fd;
}

static void open_image(struct rig *rig)
{
	int flags = (rig->o.readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC;

	rig->image = (struct storage_image){ .kind = STORAGE_FILE,
					     .readonly = rig->o.readonly,
					     .direct = rig->o.direct };
	if (rig->o.image)
		rig->image_fd = open(rig->o.image, flags | (rig->o.direct ? O_DIRECT : 0));
	else
		rig->image_fd = memory_file("image", rig->o.size);
	MUST(rig->image_fd);
	rig->plain_fd = rig->o.image ? MUST(open(rig->o.image, O_RDWR | O_CLOEXEC))
				     : MUST(dup(rig->image_fd));
	rig->image.fd = rig->image_fd;
	MUST(geometry_read(&rig->image, rig->o.discard));
	if (rig->o.logical_block) {
		rig->image.logical_block = rig->o.logical_block;
		rig->image.physical_block = 4096;
	}
}

static void make_ring(struct rig *rig, struct rig_ring *ring)
{
	int64_t frame = MUST(loopfront_alloc(rig->lf, rig->o.ring_pages));

	ring->rig = rig;
	ring->pages = rig->o.ring_pages;
	ring->abi = abi_get(rig->o.abi);
	ring->slots = abi_ring_slots(ring->abi, ring->pages);
	ring->shared = loopfront_page(rig->lf, (uint64_t)frame);
	for (uint32_t i = 0; i < ring->pages; i++)
		ring->ref[i] = (uint32_t)MUST(loopfront_grant(rig->lf, (uint64_t)frame + i, false));
	ring->port = (uint32_t)MUST(loopfront_evtchn_alloc(rig->lf));
}

void rig_init(struct rig *rig, const struct rig_options *o)
{
	*rig = (struct rig){ .o = *o, .sock = -1 };
	rig->o.rings = o->rings ?: 1;
	rig->o.ring_pages = o->ring_pages ?: 1;
	rig->o.data_pages = o->data_pages ?: 512;
	rig->o.size = o->size ?: 16 << 20;

	MUST(loopfront_hub_start(&rig->hub));
	MUST(loopfront_open(NULL, rig->o.data_pages + 16 * RIG_MAX_RINGS + 256, &rig->lf));
	open_image(rig);
	rig->journal_fd = memory_file("journal", 0);
	rig->counters_fd = memory_file("counters", 0);
	for (uint32_t i = 0; i < rig->o.rings; i++)
		make_ring(rig, &rig->ring[i]);

	rig->data_frame = (uint64_t)MUST(loopfront_alloc(rig->lf, rig->o.data_pages));
	rig->data = loopfront_page(rig->lf, rig->data_frame);
	rig->data_ref = calloc(rig->o.data_pages, sizeof(*rig->data_ref));
	for (uint32_t i = 0; i < rig->o.data_pages; i++)
		rig->data_ref[i] =
			(uint32_t)MUST(loopfront_grant(rig->lf, rig->data_frame + i, false));
	rig_reset_rings(rig);
}

void rig_free(struct rig *rig)
{
	rig_stop_worker(rig);
	loopfront_close(rig->lf);
	loopfront_hub_stop(rig->hub);
	close_fd(&rig->image_fd);
	close_fd(&rig->plain_fd);
	close_fd(&rig->journal_fd);
	close_fd(&rig->counters_fd);
	free(rig->data_ref);
}

uint32_t *rig_index(struct rig_ring *ring, unsigned int which)
{
	return (uint32_t *)ring->shared + which;
}

void rig_reset_rings(struct rig *rig)
{
	for (uint32_t i = 0; i < rig->o.rings; i++) {
		struct rig_ring *ring = &rig->ring[i];

		memset(ring->shared, 0, (size_t)ring->pages * HOST_PAGE_SIZE);
		*rig_index(ring, 1) = 1;
		*rig_index(ring, 3) = 1;
		ring->req_prod = 0;
		ring->rsp_cons = 0;
	}
}

void rig_start_worker(struct rig *rig)
{
	const char *program = getenv("XENPV_WORKER_LOOP");
	int pair[2];

	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	rig->worker = MUST(fork());
	if (!rig->worker) {
		if (dup2(pair[1], WORKER_CONTROL_FD) < 0)
			_exit(126);
		if (pair[1] == WORKER_CONTROL_FD)
			fcntl(pair[1], F_SETFD, 0);
		/* the sandbox makes LeakSanitizer's ptrace impossible */
		setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
		execl(program ?: VBDRIG_WORKER, "xenpv-worker-loop", NULL);
		_exit(127);
	}
	close(pair[1]);
	rig->sock = pair[0];

	struct worker_msg msg = {
		.type = WORKER_HELLO,
		.hello = { .version = WORKER_PROTO_VERSION,
			   .domid = loopfront_domid(rig->lf),
			   .poll_us = rig->o.poll_us,
			   .copy_max = rig->o.copy_max,
			   .persistent_max = rig->o.persistent_max },
	};
	int r = rig_call(rig, &msg, NULL, 0);

	if (r < 0)
		rig_die("HELLO: %s", rig->error);
}

static void reap(struct rig *rig)
{
	int status;

	close_fd(&rig->sock);
	if (rig->worker > 0)
		waitpid(rig->worker, &status, 0);
	rig->worker = 0;
}

void rig_stop_worker(struct rig *rig)
{
	int status;

	close_fd(&rig->sock);
	if (rig->worker > 0) {
		waitpid(rig->worker, &status, 0);
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			rig_die("the worker ended with status %#x", (unsigned int)status);
	}
	rig->worker = 0;
}

void rig_kill_worker(struct rig *rig)
{
	if (rig->worker > 0)
		kill(rig->worker, SIGKILL);
	reap(rig);
}

bool rig_worker_gone(struct rig *rig)
{
	int status;

	if (waitpid(rig->worker, &status, WNOHANG) != rig->worker)
		return false;
	rig->worker = 0;
	return true;
}

/* 0, or -ECONNRESET when the worker is gone. */
static int receive(struct rig *rig, struct worker_msg *msg)
{
	struct pollfd p = { .fd = rig->sock, .events = POLLIN };
	size_t n;
	int r;

	if (poll(&p, 1, RIG_TIMEOUT * 4) <= 0)
		rig_die("the worker does not answer");
	r = fdpass_recv(rig->sock, msg, sizeof(*msg), NULL, 0, &n);
	if (r < 0 && r != -ECONNRESET)
		rig_die("the worker's socket: %s", strerror(-r));
	return r;
}

static int call(struct rig *rig, struct worker_msg *msg, const int *fds, size_t n)
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
		if (reply.type == WORKER_RING_ERROR) {
			rig->ring_error = reply.ring_error;
			rig->has_ring_error = true;
			continue;
		}
		if (reply.type != WORKER_REPLY || reply.seq != msg->seq)
			rig_die("answer of type %u, seq %u", reply.type, reply.seq);
		break;
	}
	snprintf(rig->error, sizeof(rig->error), "%s", reply.reply.text);
	rig->stats = reply.reply.stats;
	return reply.reply.error;
}

int rig_call(struct rig *rig, struct worker_msg *msg, const int *fds, size_t n)
{
	int r = call(rig, msg, fds, n);

	if (r == -ECONNRESET)
		rig_die("the worker died over a message of type %u", msg->type);
	return r;
}

int rig_attach(struct rig *rig)
{
	struct worker_msg msg = { .type = WORKER_ATTACH, .devid = DEVID };
	int fds[3] = { rig->image_fd, rig->journal_fd, rig->counters_fd };

	msg.attach.image = rig->image;
	return rig_call(rig, &msg, fds, 3);
}

int rig_try_connect(struct rig *rig, bool reattach)
{
	struct worker_msg msg = { .type = WORKER_CONNECT, .devid = DEVID };
	int fds[RIG_MAX_RINGS], r;

	msg.connect.rings = rig->o.rings;
	msg.connect.ring_pages = rig->o.ring_pages;
	msg.connect.abi = rig->o.abi;
	msg.connect.max_indirect = rig->o.max_indirect;
	msg.connect.persistent = rig->o.persistent;
	msg.connect.reattach = reattach;
	for (uint32_t i = 0; i < rig->o.rings; i++) {
		fds[i] = MUST(host_evtchn_open());
		msg.connect.evtchn[i] = rig->ring[i].port;
		memcpy(msg.connect.ring_ref[i], rig->ring[i].ref, sizeof(rig->ring[i].ref));
	}
	r = call(rig, &msg, fds, rig->o.rings);
	for (uint32_t i = 0; i < rig->o.rings; i++)
		close(fds[i]);
	return r;
}

int rig_connect(struct rig *rig, bool reattach)
{
	int r = rig_try_connect(rig, reattach);

	if (r == -ECONNRESET)
		rig_die("the worker died over CONNECT");
	return r;
}

static int simple(struct rig *rig, uint32_t type)
{
	struct worker_msg msg = { .type = type, .devid = DEVID };

	return rig_call(rig, &msg, NULL, 0);
}

int rig_disconnect(struct rig *rig)
{
	return simple(rig, WORKER_DISCONNECT);
}

int rig_try_disconnect(struct rig *rig)
{
	struct worker_msg msg = { .type = WORKER_DISCONNECT, .devid = DEVID };

	return call(rig, &msg, NULL, 0);
}

int rig_detach(struct rig *rig)
{
	return simple(rig, WORKER_DETACH);
}

int rig_stats(struct rig *rig)
{
	return simple(rig, WORKER_STATS);
}

int rig_resize(struct rig *rig, uint64_t size)
{
	struct worker_msg msg = { .type = WORKER_RESIZE, .devid = DEVID, .resize.size = size };

	return rig_call(rig, &msg, NULL, 0);
}

int rig_up(struct rig *rig, bool reattach)
{
	int r;

	rig_start_worker(rig);
	r = rig_attach(rig);
	return r < 0 ? r : rig_connect(rig, reattach);
}

bool rig_await_ring_error(struct rig *rig)
{
	struct pollfd p = { .fd = rig->sock, .events = POLLIN };
	struct worker_msg msg;

	if (rig->has_ring_error)
		return true;
	if (poll(&p, 1, RIG_TIMEOUT) <= 0 || receive(rig, &msg) < 0)
		return false;
	if (msg.type != WORKER_RING_ERROR)
		rig_die("message of type %u instead of RING_ERROR", msg.type);
	rig->ring_error = msg.ring_error;
	rig->has_ring_error = true;
	return true;
}

void rig_put_raw(struct rig_ring *ring, const void *slot, size_t size)
{
	uint8_t *to = ring->shared + ABI_RING_HEADER +
		      (size_t)(ring->req_prod & (ring->slots - 1)) * ring->abi->slot_size;

	memcpy(to, slot, size < ring->abi->slot_size ? size : ring->abi->slot_size);
	ring->req_prod++;
}

static void set(uint8_t *at, const void *value, size_t size)
{
	memcpy(at, value, size);
}

void rig_put_rw(struct rig_ring *ring, uint8_t op, uint64_t id, uint64_t sector,
		const struct rig_segment *seg, unsigned int n)
{
	uint8_t slot[ABI_MAX_SLOT] = { op, (uint8_t)n };

	set(slot + ring->abi->id, &id, 8);
	set(slot + ring->abi->sector, &sector, 8);
	if (n)
		memcpy(slot + ring->abi->segments, seg,
		       (n < ABI_MAX_DIRECT ? n : ABI_MAX_DIRECT) * sizeof(*seg));
	rig_put_raw(ring, slot, sizeof(slot));
}

void rig_put_discard(struct rig_ring *ring, uint64_t id, uint64_t sector, uint64_t nr, uint8_t flag)
{
	uint8_t slot[ABI_MAX_SLOT] = { 5, flag };

	set(slot + ring->abi->id, &id, 8);
	set(slot + ring->abi->sector, &sector, 8);
	set(slot + ring->abi->discard_sectors, &nr, 8);
	rig_put_raw(ring, slot, sizeof(slot));
}

void rig_put_indirect(struct rig_ring *ring, uint8_t op, uint64_t id, uint64_t sector, uint16_t n,
		      const uint32_t *refs)
{
	uint8_t slot[ABI_MAX_SLOT] = { 6, op };

	set(slot + 2, &n, 2);
	set(slot + ring->abi->id, &id, 8);
	set(slot + ring->abi->sector, &sector, 8);
	set(slot + ring->abi->indirect_refs, refs, ABI_MAX_INDIRECT_PAGES * 4);
	rig_put_raw(ring, slot, sizeof(slot));
}

bool rig_push(struct rig_ring *ring)
{
	_Atomic uint32_t *prod = (_Atomic uint32_t *)rig_index(ring, 0);
	_Atomic uint32_t *event = (_Atomic uint32_t *)rig_index(ring, 1);
	uint32_t old = atomic_load(prod);

	atomic_store(prod, ring->req_prod);
	if (ring->req_prod - atomic_load(event) >= ring->req_prod - old)
		return false;
	loopfront_notify(ring->rig->lf, ring->port);
	return true;
}

bool rig_take(struct rig_ring *ring, struct rig_response *ret)
{
	uint32_t prod = atomic_load((_Atomic uint32_t *)rig_index(ring, 2));
	const uint8_t *from;

	if (prod == ring->rsp_cons)
		return false;
	if (prod - ring->rsp_cons > ring->slots)
		rig_die("response index %u, %u were taken", prod, ring->rsp_cons);
	from = ring->shared + ABI_RING_HEADER +
	       (size_t)(ring->rsp_cons & (ring->slots - 1)) * ring->abi->slot_size;
	memcpy(&ret->id, from, 8);
	ret->op = from[ring->abi->response_op];
	memcpy(&ret->status, from + ring->abi->response_status, 2);
	ring->rsp_cons++;
	return true;
}

struct rig_response rig_await(struct rig_ring *ring)
{
	struct rig_response rsp;

	while (!rig_take(ring, &rsp)) {
		atomic_store((_Atomic uint32_t *)rig_index(ring, 3), ring->rsp_cons + 1);
		if (rig_take(ring, &rsp))
			break;
		if (loopfront_wait(ring->rig->lf, ring->port, RIG_TIMEOUT) < 0)
			rig_die("no event for %d ms; requests %u, responses taken %u", RIG_TIMEOUT,
				ring->req_prod, ring->rsp_cons);
	}
	return rsp;
}

int rig_do(struct rig_ring *ring, uint64_t id)
{
	struct rig_response rsp;

	rig_push(ring);
	rsp = rig_await(ring);
	if (rsp.id != id)
		rig_die("response for id %llu instead of %llu", (unsigned long long)rsp.id,
			(unsigned long long)id);
	return rsp.status;
}

bool rig_await_unbound(struct rig *rig)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (uint32_t i = 0; i < rig->o.rings; i++) {
		int left = RIG_TIMEOUT;

		while (loopfront_evtchn_bound(rig->lf, rig->ring[i].port)) {
			if (!left--)
				return false;
			nanosleep(&pause, NULL);
		}
	}
	return true;
}

unsigned int rig_mapped(struct rig *rig)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < rig->o.data_pages; i++)
		n += loopfront_grant_use(rig->lf, rig->data_ref[i]) != 0;
	for (uint32_t i = 0; i < rig->o.rings; i++) {
		for (uint32_t p = 0; p < rig->ring[i].pages; p++)
			n += loopfront_grant_use(rig->lf, rig->ring[i].ref[p]) != 0;
	}
	return n;
}
