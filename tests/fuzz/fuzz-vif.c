/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An interface as the worker serves it, over host/loop, and a frontend that does what it
 * likes (vif/front.h) while its threads run step by step (vif/step.h). The input is a
 * program: what kind of interface, then one operation after the other. Built once for each of
 * its rings, which then sees more of them than the others.
 *
 * Whatever it was: once the frontend is quiet all threads come to rest, every request of
 * a ring that was not refused is answered, nothing waits for ever, and the memory is
 * bounded. After a disconnect nothing is mapped, bound or open any more; LeakSanitizer
 * looks for what is still allocated.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "host/host.h"
#include "lib/cleanup.h"
#include "vif/events.h"
#include "vif/front.h"
#include "vif/step.h"
#include "worker/vif.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN
#endif
#ifdef HAVE_ASAN
/* not every compiler has its header */
size_t __sanitizer_get_current_allocated_bytes(void);

/* What is freed need not be kept for long: an input leaves nothing behind. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "quarantine_size_mb=8:clear_shadow_mmap_threshold=1048576";
}
#else
static size_t __sanitizer_get_current_allocated_bytes(void)
{
	return 0;
}
#endif

#define QUEUES    3u
#define DEVID     3u
#define MAX_OPS   400
#define MAX_FDS   64
#define MAX_ROUND 20000 /* until all threads sleep for good */
#define SECOND    UINT64_C(1000000000)
/* Of a queue: two arenas, what is read ahead, one packet that is cut up, the box between queues,
 * itself. */
#define QUEUE_MEMORY                                                                               \
	(2 * VIF_ARENA_SIZE + VIF_STAGE_PACKETS * VIF_BUFFER_SIZE + PACKET_MAX + VIF_INBOX_SIZE +  \
	 (200u << 10))

static struct front front;
static struct device_env env;

/* The interface of this input. */
static struct vif *vif;
static struct worker_attach_vif attach;
static struct worker_connect_vif connect_msg;
static int small_tap;
static bool failed;

void log_full(int priority, const struct log_about *about, int err, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	(void)priority;
	MUST_HOLD(about && err <= 0);
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (getenv("FUZZ_VERBOSE"))
		fprintf(stderr, "%s\n", line);
}

static void ring_failed(void *arg, uint32_t class, uint32_t devid, uint32_t ring, int error,
			const char *text)
{
	(void)arg;
	MUST_HOLD(class == WORKER_VIF && devid == DEVID && ring <= QUEUES && error == -EPROTO);
	MUST_HOLD(strlen(text) > 10 && strlen(text) < WORKER_ERROR_SIZE);
	failed = true;
}

static unsigned int open_descriptors(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < MAX_FDS; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* The fuzzer's own threads may have some open as well, for a moment. */
static void check_descriptors(unsigned int before)
{
	for (int left = 1000; open_descriptors() > before; left--) {
		MUST_HOLD(left);
		usleep(1000);
	}
}

static void set_up(void)
{
	static const struct vifrig_options o = { .queues = QUEUES, .control = true };
	struct vifrig *rig = &front.rig;
	void *page;

	vifrig_init(rig, &o);
	front.first_frame =
		(uint32_t)((rig->data - (uint8_t *)loopfront_page(rig->lf, 0)) / VIFRIG_PAGE);
	for (unsigned int i = 0; i < QUEUES; i++) {
		close_fd(&rig->queue[i].tap);
		close_fd(&rig->queue[i].tap_worker);
	}
	env.hello.domid = loopfront_domid(rig->lf);
	env.ring_failed = ring_failed;
	MUST_HOLD(host_gnt_open(env.hello.domid, &env.gnt) == 0);
	/* the handle gets hold of the domain's memory when it is first used */
	MUST_HOLD(host_gnt_map(env.gnt, &rig->control_ref, 1, PROT_READ, &page) == 0);
	host_gnt_unmap(env.gnt, page, 1);
}

static void make_tap(struct vifrig_queue *q)
{
	int pair[2], size = small_tap ? 5000 : 1 << 18;

	MUST_HOLD(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	q->tap = pair[0];
	q->tap_worker = pair[1];
}

static void new_interface(void)
{
	int fds[QUEUES + 2] = { fcntl(front.rig.state_fd, F_DUPFD_CLOEXEC, 0) };
	char error[WORKER_ERROR_SIZE] = "";

	for (uint32_t i = 0; i < front.queues; i++) {
		make_tap(&front.rig.queue[i]);
		fds[1 + i] = front.rig.queue[i].tap_worker;
	}
	fds[1 + front.queues] = fcntl(front.rig.counters_fd, F_DUPFD_CLOEXEC, 0);
	MUST_HOLD(vif_new(&env, DEVID, &attach, fds, &vif, error) == 0);
}

static void free_interface(void)
{
	vif_free(vif);
	vif = NULL;
	for (uint32_t i = 0; i < front.queues; i++)
		close_fd(&front.rig.queue[i].tap);
}

static void nothing_held(void)
{
	MUST_HOLD(vifrig_mapped(&front.rig) == 0);
	MUST_HOLD(events_mapped() == 0 && events_bound() == 0);
}

static void bring_up(bool reattach)
{
	uint32_t n = front.queues + front.control;
	char error[WORKER_ERROR_SIZE] = "";
	int fds[QUEUES + 1], r;

	for (uint32_t i = 0; i < n; i++) {
		fds[i] = host_evtchn_open();
		MUST_HOLD(fds[i] >= 0);
	}
	connect_msg.reattach = reattach;
	failed = false;
	r = vif_connect(vif, &connect_msg, fds, error);
	MUST_HOLD(vif->connected == (r == 0));
	if (r < 0) {
		MUST_HOLD(strlen(error) > 10);
		front_restore(&front);
		nothing_held();
	}
}

/* As the control ring has left it. */
static void check_grants(void)
{
	const struct vif_state_data *d = vif->common.state.data;
	uint32_t used = 0;

	for (uint32_t i = 0; i < vif->common.nr_queues; i++)
		used += vif_queue_grants(vif->common.queue[i])->used;
	MUST_HOLD(used == d->nr_grants);
	MUST_HOLD(vif_hash_valid(&d->hash, vif->common.nr_queues));
}

static bool step_all(void)
{
	bool any = false;

	if (!vif->connected)
		return false;
	for (uint32_t i = 0; i < vif->common.nr_queues; i++)
		any |= step_queue(vif->common.queue[i]);
	if (step_control()) {
		any = true;
		check_grants();
	}
	return any;
}

/*
 * The worker dies, or ends in order, and the next one takes over. The input says how, and
 * may write into the state file that is left behind.
 */
static void come_again(struct input *in)
{
	static uint8_t state[1 << 18];
	uint8_t how = take_u8(in);
	ssize_t len = pread(front.rig.state_fd, state, sizeof(state), 0);

	MUST_HOLD(len >= 0 && len < (ssize_t)sizeof(state));
	vif_disconnect(vif);
	if (how & 1) {
		MUST_HOLD(pwrite(front.rig.state_fd, state, (size_t)len, 0) == len);
		for (unsigned int i = 0; how & 2 && i < 3; i++) {
			uint32_t at = take_u32(in) % 8192, word = take_u32(in);

			MUST_HOLD(pwrite(front.rig.state_fd, &word, sizeof(word), at) == 4);
		}
	}
	if (how & 4) {
		free_interface();
		new_interface();
	}
	step_reset();
	if (how & 8)
		vifrig_reset_rings(&front.rig, take_u32(in));
	if (how & 16)
		step_fail_create(1 + take_u8(in) % 4);
	bring_up(how & 1);
}

static void adjust(struct input *in)
{
	struct worker_headroom wish = {
		.bytes = (uint16_t)(take_u8(in) * 20),
		.multicast = take_u8(in) & 1,
	};
	char error[WORKER_ERROR_SIZE] = "";

	MUST_HOLD(vif_adjust(vif, &wish, error) == 0 || strlen(error) > 10);
}

static void step_one(struct input *in)
{
	uint8_t which = take_u8(in);

	if (which & 4 || !vif->connected) {
		step_all();
	} else if ((which & 3) == 3) {
		if (step_control())
			check_grants();
	} else {
		step_queue(vif->common.queue[which % 3u % vif->common.nr_queues]);
	}
}

/* Operations of one ring that come more often. */
#if defined(FUZZ_TX)
#define MORE front_send_frame, front_put_slots, front_put_extra, front_push
#elif defined(FUZZ_RX)
#define MORE front_post_rx, front_tap_send, front_post_rx, front_tap_send
#elif defined(FUZZ_CTRL)
#define MORE front_request, front_request, front_request, front_request
#else
#define MORE front_send_frame, front_tap_send, front_post_rx, front_request
#endif

static void operation(struct input *in)
{
	static void (*const by_frontend[])(struct front * f) = {
		front_send_frame,
		front_put_slots,
		front_put_extra,
		front_push,
		front_post_rx,
		front_scribble,
		front_set_index,
		front_spoil_grant,
		front_request,
		front_notify,
		front_tap_send,
		front_tap_hang_up,
		MORE,
	};
	uint8_t op = take_u8(in) % 24;

	if (op < ELEMENTSOF(by_frontend)) {
		by_frontend[op](&front);
		return;
	}
	switch (op) {
	case 16:
		come_again(in);
		break;
	case 17:
		adjust(in);
		break;
	case 18:
		front.meddle = take_u8(in);
		break;
	case 19:
		step_advance(UINT64_C(1000) << take_u8(in) % 26);
		break;
	case 20:
		front_tap_drain(&front, &front.rig.queue[take_u8(in) % front.queues], 3);
		break;
	case 21:
		front_restore(&front);
		break;
	default:
		step_one(in);
		break;
	}
}

static bool drain_all(void)
{
	bool any = false;

	for (uint32_t i = 0; i < front.queues; i++)
		any |= front_tap_drain(&front, &front.rig.queue[i], UINT32_MAX);
	return any;
}

/* The frontend is quiet and the network takes everything: how long is there something to do? */
static void come_to_rest(void)
{
	uint64_t until;

	front_notify_all(&front);
	for (unsigned int round = 0;; round++) {
		bool any = drain_all();

		any |= step_all();
		MUST_HOLD(round < MAX_ROUND);
		if (any)
			continue;
		until = step_deadline();
		if (until == UINT64_MAX)
			break;
		if (until > step_now())
			step_advance(until - step_now());
		/* nobody said that a sleeper wakes up in time */
		if (until - step_now() < SECOND / 100)
			step_advance(SECOND);
	}
}

static void check_queue(struct vif_queue *q)
{
	int left = 0;

	MUST_HOLD(q->tx.ring.published == *vifrig_index(q->tx_page, 0));
	MUST_HOLD(!q->tx.nr_packets && !q->tx.hold && !q->tx.nr_pieces);
	MUST_HOLD(!vif_rx_waits(q) && !q->rx.nr_replies && !atomic_load(&q->inbox.count));
	MUST_HOLD(!vif_stage_left(&q->rx.stage) && !q->rx.stage.in_use);
	MUST_HOLD(q->tap_gone || (ioctl(q->tap, FIONREAD, &left) == 0 && !left));
}

static void check_rest(void)
{
	if (!vif->connected)
		return;
	if (failed) {
		MUST_HOLD(step_running() == 0);
		return;
	}
	MUST_HOLD(step_running() == vif->common.nr_queues);
	for (uint32_t i = 0; i < vif->common.nr_queues; i++)
		check_queue(vif->common.queue[i]);
}

static void read_options(struct input *in)
{
	static const struct {
		uint64_t bytes;
		uint32_t us;
	} rates[] = { { 0, 0 },      { 0, 0 },  { 1000000, 50000 }, { 131072, 1000000 },
		      { 200, 1000 }, { 1, 10 }, { 5000, 10000000 }, { UINT64_MAX, 1 } };
	uint8_t kind = take_u8(in), more = take_u8(in), rate = take_u8(in), features = take_u8(in);
	struct vifrig *rig = &front.rig;

	front.queues = kind & 32 ? 1 + kind % QUEUES : 1;
	front.control = !(kind & 128);
	front.poison = (more & 7) == 7;
	front.meddle = 0;
	small_tap = more & 8;
	attach = (struct worker_attach_vif){
		.mac = { 0x00, 0x16, 0x3e, 0, 0, 1 },
		.queues = front.queues,
		.multicast = !(more & 16),
		.static_grants = !(more & 32),
		.poll_us = more & 64 ? 20 : 0,
		.rate_bytes = rates[rate % 8].bytes,
		.rate_us = rates[rate % 8].us,
	};
	connect_msg = (struct worker_connect_vif){
		.queues = front.queues,
		.features = VIFRIG_ALL ^ (features & 127u),
		.has_control = front.control,
		.xdp_headroom = rate & 128 ? 256 : 0,
		.control_ref = rig->control_ref,
		.control_evtchn = rig->control_port,
	};
	for (uint32_t i = 0; i < front.queues; i++) {
		connect_msg.queue[i] = rig->queue[i].where;
		if (more & 128)
			connect_msg.queue[i].rx_evtchn = connect_msg.queue[i].tx_evtchn;
	}
	vifrig_reset_rings(rig, kind & 64 ? UINT32_MAX - 100 : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	size_t before, allocated;
	unsigned int descriptors;

	if (!env.gnt)
		set_up();
	descriptors = open_descriptors();
	before = __sanitizer_get_current_allocated_bytes();
	step_reset();
	front.in = &in;
	front_now = &front;
	read_options(&in);
	new_interface();
	bring_up(false);
	for (unsigned int n = 0; in.size && n < MAX_OPS; n++)
		operation(&in);

	come_to_rest();
	check_rest();
	allocated = __sanitizer_get_current_allocated_bytes() - before;
	MUST_HOLD(allocated <
		  front.queues * QUEUE_MEMORY + sizeof(struct vif_state_data) + (1u << 20));
	vif_disconnect(vif);
	free_interface();
	front_now = NULL;
	front_restore(&front);
	nothing_held();
	check_descriptors(descriptors);
	return 0;
}
