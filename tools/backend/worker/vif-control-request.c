/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each control request does (netif.h, "Control messages"). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "worker/vif-control.h"

#define GREFS_PER_PAGE (HOST_PAGE_SIZE / sizeof(struct xen_netif_gref))

_Static_assert(sizeof(struct xen_netif_gref) == 8, "netif.h: entry of the mapping list");

/* Between the start of a page of the guest and our memory. */
static int copy_page(struct vif_common *c, uint32_t ref, void *local, size_t len, bool to_guest)
{
	struct host_gnt_copy piece = {
		.ref = ref,
		.len = (uint16_t)len,
		.local = local,
		.to_guest = to_guest,
	};
	int r = host_gnt_copy(c->gnt, &piece, 1);

	return r < 0 ? r : piece.status;
}

static void set_hash(struct vif_queue *q, void *arg)
{
	vif_hash_init(vif_queue_hash(q), arg);
}

/* All queues compute with the new configuration before the frontend is answered. */
static void change_hash(struct vif_common *c, const struct vif_hash_config *hash)
{
	struct vif_hash_config copy = *hash;

	c->state.data->hash = copy;
	for (uint32_t i = 0; i < c->nr_queues; i++)
		vif_queue_call(c->queue[i], set_hash, &copy);
}

static uint32_t set_algorithm(struct vif_common *c, uint32_t algorithm)
{
	struct vif_hash_config hash = c->state.data->hash;

	if (algorithm > XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	hash.algorithm = algorithm;
	change_hash(c, &hash);
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_flags(struct vif_common *c, uint32_t flags)
{
	struct vif_hash_config hash = c->state.data->hash;

	if (!hash.algorithm || flags & ~VIF_HASH_FLAGS)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	hash.flags = flags;
	change_hash(c, &hash);
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_key(struct vif_common *c, uint32_t ref, uint32_t len)
{
	struct vif_hash_config hash = c->state.data->hash;

	if (len > sizeof(hash.key))
		return XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW;
	memset(hash.key, 0, sizeof(hash.key));
	if (len && copy_page(c, ref, hash.key, len, false) < 0)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	change_hash(c, &hash);
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_mapping_size(struct vif_common *c, uint32_t size)
{
	struct vif_hash_config hash = c->state.data->hash;

	if (size > VIF_HASH_MAX_MAPPING)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	hash.mapping_size = size;
	memset(hash.mapping, 0, sizeof(hash.mapping));
	change_hash(c, &hash);
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_mapping(struct vif_common *c, uint32_t ref, uint32_t n, uint32_t offset)
{
	struct vif_hash_config hash = c->state.data->hash;
	uint32_t entry[VIF_HASH_MAX_MAPPING];

	if (n > VIF_HASH_MAX_MAPPING)
		return XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW;
	if (n > hash.mapping_size || offset > hash.mapping_size - n)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	if (n && copy_page(c, ref, entry, n * sizeof(*entry), false) < 0)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	for (uint32_t i = 0; i < n; i++) {
		if (entry[i] >= c->nr_queues)
			return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
		hash.mapping[offset + i] = (uint8_t)entry[i];
	}
	change_hash(c, &hash);
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

/* Pages that join or leave the table of a queue in one go. */
struct grant_change {
	uint32_t n;
	struct xen_netif_gref *list;
	void *addr[GREFS_PER_PAGE];
	int error;
};

static void add_grants(struct vif_queue *q, void *arg)
{
	struct vif_grants *g = vif_queue_grants(q);
	struct grant_change *change = arg;

	for (uint32_t i = 0; i < change->n; i++) {
		bool readonly = change->list[i].flags & XEN_NETIF_CTRLF_GREF_readonly;

		change->error = vif_grants_add(g, change->list[i].ref, readonly, change->addr[i]);
		if (change->error < 0) {
			while (i--)
				vif_grants_remove(g, change->list[i].ref);
			return;
		}
	}
}

static void remove_grants(struct vif_queue *q, void *arg)
{
	struct grant_change *change = arg;

	for (uint32_t i = 0; i < change->n; i++)
		change->addr[i] = vif_grants_remove(vif_queue_grants(q), change->list[i].ref);
}

static int map_grant(struct vif_common *c, uint32_t ref, bool readonly, void **ret)
{
	return host_gnt_map(c->gnt, &ref, 1, readonly ? PROT_READ : PROT_READ | PROT_WRITE, ret);
}

/* Map all of the list and hand it to the queue, or nothing. */
static int map_all(struct vif_common *c, uint32_t queue, struct grant_change *change)
{
	uint32_t n = change->n, done;
	int r = 0;

	for (done = 0; done < n; done++) {
		const struct xen_netif_gref *e = &change->list[done];

		r = e->flags & ~XEN_NETIF_CTRLF_GREF_readonly
			    ? -EINVAL
			    : map_grant(c, e->ref, e->flags & XEN_NETIF_CTRLF_GREF_readonly,
					&change->addr[done]);
		if (r < 0)
			break;
	}
	if (r == 0) {
		vif_queue_call(c->queue[queue], add_grants, change);
		r = change->error;
	}
	if (r < 0) {
		while (done--)
			host_gnt_unmap(c->gnt, change->addr[done], 1);
	}
	return r;
}

static uint32_t add_mapping(struct vif_common *c, uint32_t queue, struct grant_change *change)
{
	struct vif_state_data *d = c->state.data;
	uint32_t in_queue = 0;
	int r;

	for (uint32_t i = 0; i < d->nr_grants; i++)
		in_queue += d->grant[i].queue == queue;
	if (change->n > VIF_GRANTS_MAX - in_queue)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	r = vif_state_reserve(&c->state, d->nr_grants + change->n);
	if (r < 0) {
		/* the guest may try as often as it likes */
		if (!c->said_full)
			log_full(LOG_WARNING, &c->about, r,
				 "static grants are refused, the state file cannot grow: %m");
		c->said_full = true;
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	}
	if (map_all(c, queue, change) < 0)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	for (uint32_t i = 0; i < change->n; i++)
		d->grant[d->nr_grants++] = (struct vif_state_grant){
			.ref = change->list[i].ref,
			.queue = (uint16_t)queue,
			.readonly = change->list[i].flags & XEN_NETIF_CTRLF_GREF_readonly,
		};
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static void forget(struct vif_state_data *d, uint32_t queue, uint32_t ref)
{
	for (uint32_t i = 0; i < d->nr_grants; i++) {
		if (d->grant[i].queue == queue && d->grant[i].ref == ref) {
			d->grant[i] = d->grant[--d->nr_grants];
			return;
		}
	}
}

static uint32_t del_mapping(struct vif_common *c, uint32_t queue, uint32_t list_ref,
			    struct grant_change *change, uint32_t *ret_n)
{
	*ret_n = 0;
	vif_queue_call(c->queue[queue], remove_grants, change);
	for (uint32_t i = 0; i < change->n; i++) {
		change->list[i].status = XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
		if (!change->addr[i])
			continue;
		change->list[i].status = XEN_NETIF_CTRL_STATUS_SUCCESS;
		host_gnt_unmap(c->gnt, change->addr[i], 1);
		forget(c->state.data, queue, change->list[i].ref);
		(*ret_n)++;
	}
	/* what was unmapped is unmapped, even if the list cannot be written */
	if (copy_page(c, list_ref, change->list, change->n * sizeof(*change->list), true) < 0)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t change_mapping(struct vif_common *c, const struct xen_netif_ctrl_request *req,
			       uint32_t *ret_data)
{
	uint32_t queue = req->data[0], n = req->data[2];
	struct xen_netif_gref list[GREFS_PER_PAGE];
	struct grant_change change = { .n = n, .list = list };

	if (queue >= c->nr_queues || n < 1 || n > GREFS_PER_PAGE)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	if (copy_page(c, req->data[1], list, n * sizeof(*list), false) < 0)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	if (req->type == XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING)
		return add_mapping(c, queue, &change);
	return del_mapping(c, queue, req->data[1], &change, ret_data);
}

void vif_control_execute(struct vif_common *c, bool static_grants,
			 const struct xen_netif_ctrl_request *req,
			 struct xen_netif_ctrl_response *ret)
{
	const uint32_t *data = req->data;

	*ret = (struct xen_netif_ctrl_response){
		.id = req->id,
		.type = req->type,
		.status = XEN_NETIF_CTRL_STATUS_SUCCESS,
	};
	switch (req->type) {
	case XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM:
		ret->status = set_algorithm(c, data[0]);
		return;
	case XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS:
		if (c->state.data->hash.algorithm)
			ret->data = VIF_HASH_FLAGS;
		else
			ret->status = XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
		return;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS:
		ret->status = set_flags(c, data[0]);
		return;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_KEY:
		ret->status = set_key(c, data[0], data[1]);
		return;
	case XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE:
		ret->data = VIF_HASH_MAX_MAPPING;
		return;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE:
		ret->status = set_mapping_size(c, data[0]);
		return;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING:
		ret->status = set_mapping(c, data[0], data[1], data[2]);
		return;
	case XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE:
		if (!static_grants)
			break;
		if (data[0] < c->nr_queues)
			ret->data = VIF_GRANTS_MAX;
		else
			ret->status = XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
		return;
	case XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING:
	case XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING:
		if (!static_grants)
			break;
		ret->status = change_mapping(c, req, &ret->data);
		return;
	default:
		break;
	}
	ret->status = XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
}

void vif_control_remap(struct vif_common *c)
{
	struct vif_state_data *d = c->state.data;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < d->nr_grants; i++) {
		const struct vif_state_grant e = d->grant[i];
		struct vif_grants *g = vif_queue_grants(c->queue[e.queue]);
		void *addr;

		if (map_grant(c, e.ref, e.readonly, &addr) < 0)
			continue;
		if (vif_grants_add(g, e.ref, e.readonly, addr) < 0) {
			host_gnt_unmap(c->gnt, addr, 1);
			continue;
		}
		d->grant[kept++] = e;
	}
	if (kept != d->nr_grants)
		log_full(LOG_WARNING, &c->about, 0,
			 "%u of %u static grants cannot be mapped again; they are copied",
			 d->nr_grants - kept, d->nr_grants);
	d->nr_grants = kept;
}
