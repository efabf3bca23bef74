/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which hash a frontend wants of received packets and which queue follows from it
 * (netif.h, "Hash types" and "Control messages"). Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/packet.h"
#include "net/toeplitz.h"

#define VIF_HASH_MAX_MAPPING 128u /* entries */
#define VIF_HASH_FLAGS       15u  /* all four types of netif.h */

/* As the frontend has set it; this is what survives a crash. */
struct vif_hash_config {
	uint32_t algorithm; /* XEN_NETIF_CTRL_HASH_ALGORITHM_* */
	uint32_t flags;     /* XEN_NETIF_CTRL_HASH_TYPE_* */
	uint32_t mapping_size;
	uint8_t key[TOEPLITZ_MAX_KEY];
	uint8_t mapping[VIF_HASH_MAX_MAPPING]; /* queue numbers */
};

struct vif_hash {
	struct vif_hash_config config;
	struct toeplitz table;
};

/* Is @c something that vif_hash_*() can work with, for @queues queues? */
bool vif_hash_valid(const struct vif_hash_config *c, uint32_t queues);

void vif_hash_init(struct vif_hash *h, const struct vif_hash_config *c);

/* Are hashes wanted at all? */
static inline bool vif_hash_wanted(const struct vif_hash *h)
{
	return h->config.algorithm && h->config.flags;
}

/*
 * vif_hash_packet - the hash of the maximal type that is wanted
 * @ret_type: _XEN_NETIF_CTRL_HASH_TYPE_*
 *
 * False: none of the types fits, and the hash is 0.
 */
bool vif_hash_packet(const struct vif_hash *h, const uint8_t *frame, const struct packet *p,
		     uint32_t *ret_hash, uint8_t *ret_type);

/* The queue that @hash belongs to. */
uint32_t vif_hash_queue(const struct vif_hash *h, uint32_t hash, uint32_t queues);
