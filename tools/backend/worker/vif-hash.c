/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/vif-hash.h"

#include <netinet/in.h>
#include <string.h>

#include <xen/io/netif.h>

bool vif_hash_valid(const struct vif_hash_config *c, uint32_t queues)
{
	if (c->algorithm > XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ || c->flags & ~VIF_HASH_FLAGS ||
	    c->mapping_size > VIF_HASH_MAX_MAPPING)
		return false;
	for (uint32_t i = 0; i < c->mapping_size; i++) {
		if (c->mapping[i] >= queues)
			return false;
	}
	return true;
}

void vif_hash_init(struct vif_hash *h, const struct vif_hash_config *c)
{
	h->config = *c;
	toeplitz_init(&h->table, c->key, sizeof(c->key));
}

bool vif_hash_packet(const struct vif_hash *h, const uint8_t *frame, const struct packet *p,
		     uint32_t *ret_hash, uint8_t *ret_type)
{
	bool v4 = p->family == 4;
	uint8_t plain = v4 ? _XEN_NETIF_CTRL_HASH_TYPE_IPV4 : _XEN_NETIF_CTRL_HASH_TYPE_IPV6;
	uint8_t tcp = v4 ? _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP : _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP;
	size_t addresses = v4 ? 8 : 32;
	uint8_t data[TOEPLITZ_MAX_DATA];

	*ret_hash = 0;
	if (!p->family)
		return false;
	memcpy(data, frame + p->l3 + (v4 ? 12 : 8), addresses);
	if (p->protocol == IPPROTO_TCP && h->config.flags & 1u << tcp) {
		memcpy(data + addresses, frame + p->l4, 4);
		*ret_hash = toeplitz_hash(&h->table, data, addresses + 4);
		*ret_type = tcp;
		return true;
	}
	if (!(h->config.flags & 1u << plain))
		return false;
	*ret_hash = toeplitz_hash(&h->table, data, addresses);
	*ret_type = plain;
	return true;
}

uint32_t vif_hash_queue(const struct vif_hash *h, uint32_t hash, uint32_t queues)
{
	if (!h->config.mapping_size)
		return hash % queues;
	return h->config.mapping[hash % h->config.mapping_size];
}
