/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control requests, any number in any order, with whatever lies in the pages that they
 * name; grants come and go, copies fail. What is mapped is exactly what the table has and
 * what the state remembers, and the state can be read back.
 *
 * Input: queues, then requests with their pages.
 */
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "host/host.h"
#include "lib/log.h"
#include "worker/vif-control.h"
#include "worker/vif-queue.h"

/* Queues without threads, and a hypervisor that knows a few pages. */
struct vif_queue {
	struct vif_grants grants;
	struct vif_hash hash;
};

static struct vif_queue queue[3];
static struct input *now;
static int mapped;

void log_full(int priority, const struct log_about *about, int err, const char *fmt, ...)
{
	(void)priority, (void)about, (void)err, (void)fmt;
}

struct vif_grants *vif_queue_grants(struct vif_queue *q)
{
	return &q->grants;
}

struct vif_hash *vif_queue_hash(struct vif_queue *q)
{
	return &q->hash;
}

void vif_queue_call(struct vif_queue *q, void (*f)(struct vif_queue *q, void *arg), void *arg)
{
	f(q, arg);
}

int host_gnt_copy(struct host_gnt *gnt, struct host_gnt_copy *pieces, size_t n)
{
	(void)gnt;
	for (size_t i = 0; i < n; i++) {
		pieces[i].status = pieces[i].ref % 8 ? 0 : -EINVAL;
		if (!pieces[i].to_guest)
			take_bytes(now, pieces[i].local, pieces[i].len);
	}
	return 0;
}

int host_gnt_map(struct host_gnt *gnt, const uint32_t *refs, size_t n, int prot, void **ret)
{
	(void)gnt, (void)prot;
	MUST_HOLD(n == 1);
	if (refs[0] % 16 == 15)
		return -EINVAL;
	/* told apart from others, and never looked at */
	*ret = malloc(1);
	mapped++;
	return 0;
}

int host_gnt_unmap(struct host_gnt *gnt, void *addr, size_t n)
{
	(void)gnt;
	MUST_HOLD(n == 1);
	free(addr);
	mapped--;
	return 0;
}

static void check(const struct vif_common *c)
{
	const struct vif_state_data *d = c->state.data;
	uint32_t used = 0;

	MUST_HOLD(vif_hash_valid(&d->hash, c->nr_queues));
	for (uint32_t i = 0; i < c->nr_queues; i++) {
		MUST_HOLD(queue[i].grants.used <= VIF_GRANTS_MAX);
		MUST_HOLD(memcmp(&queue[i].hash.config, &d->hash, sizeof(d->hash)) == 0);
		used += queue[i].grants.used;
	}
	MUST_HOLD(used == d->nr_grants && (uint32_t)mapped == used);
	for (uint32_t i = 0; i < d->nr_grants; i++)
		MUST_HOLD(
			vif_grants_find(&queue[d->grant[i].queue].grants, d->grant[i].ref, false));
}

static void unmap_all(void)
{
	for (unsigned int i = 0; i < 3; i++) {
		for (uint32_t g = 0; g < VIF_GRANTS_MAX; g++) {
			if (queue[i].grants.grant[g].addr)
				host_gnt_unmap(NULL, queue[i].grants.grant[g].addr, 1);
		}
		vif_grants_init(&queue[i].grants);
	}
	MUST_HOLD(mapped == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct vif_common c = { .nr_queues = 1 + take_u8(&in) % 3 };
	struct vif_state_identity id = { .queues = c.nr_queues };
	int fd = memfd_create("state", MFD_CLOEXEC);
	const char *why;

	now = &in;
	for (unsigned int i = 0; i < 3; i++) {
		c.queue[i] = &queue[i];
		vif_grants_init(&queue[i].grants);
		memset(&queue[i].hash, 0, sizeof(queue[i].hash));
	}
	MUST_HOLD(fd >= 0 && vif_state_init(&c.state) == 0);
	MUST_HOLD(vif_state_create(&c.state, fd, &id) == 0);
	for (unsigned int n = 0; in.size && n < 40; n++) {
		struct xen_netif_ctrl_request req;
		struct xen_netif_ctrl_response rsp;
		uint8_t small = take_u8(&in);

		take_bytes(&in, &req, sizeof(req));
		req.type = small % 12;
		/* within reach of what is valid, mostly */
		if (small & 16)
			req.data[0] %= 4;
		if (small & 32)
			req.data[2] %= 520;
		if (small & 64)
			req.data[1] %= 200;
		vif_control_execute(&c, small & 128, &req, &rsp);
		MUST_HOLD(rsp.id == req.id && rsp.type == req.type && rsp.status <= 3);
		vif_state_commit(&c.state);
		check(&c);
	}
	/* the next worker reads the same, and maps it */
	unmap_all();
	MUST_HOLD(vif_state_open(&c.state, fd, &id, &why) == 0);
	vif_control_remap(&c);
	for (uint32_t i = 0; i < c.nr_queues; i++)
		vif_hash_init(&queue[i].hash, &c.state.data->hash);
	check(&c);
	unmap_all();

	/* and what nobody has written does not confuse it */
	for (unsigned int n = 0; n < 8; n++) {
		uint32_t at = take_u32(&in) % 4096, word = take_u32(&in);

		MUST_HOLD(pwrite(fd, &word, sizeof(word), at) == sizeof(word));
	}
	if (vif_state_open(&c.state, fd, &id, &why) == 0) {
		MUST_HOLD(vif_hash_valid(&c.state.data->hash, c.nr_queues));
		MUST_HOLD(c.state.data->nr_grants <= VIF_STATE_MAX_GRANTS);
		vif_control_remap(&c);
		unmap_all();
	}
	vif_state_free(&c.state);
	close(fd);
	return 0;
}
