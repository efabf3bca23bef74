// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/vif-frontend.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"

static int read_flag(struct keys *k, const char *key, bool fallback, bool *ret)
{
	uint32_t value = fallback;
	int r = keys_number(k, key, 0, 1, &value);

	if (r < 0)
		return r;
	*ret = value;
	return 0;
}

static int read_change(struct keys *k, const struct vif_limits *limits, struct worker_headroom *ret)
{
	uint32_t headroom = 0;
	bool multicast;
	int r;

	r = keys_number(k, "xdp-headroom", 0, VIF_HEADROOM_MAX, &headroom);
	if (r < 0)
		return r;
	r = read_flag(k, "request-multicast-control", false, &multicast);
	if (r < 0)
		return r;
	ret->bytes = (uint16_t)headroom;
	ret->multicast = limits->multicast && multicast;
	return 0;
}

static int read_features(struct keys *k, uint32_t *ret)
{
	static const struct {
		const char *key;
		uint32_t bit;
		bool fallback;
		bool inverse; /* the key turns the feature off */
	} features[] = {
		{ "feature-sg", WORKER_VIF_SG, false, false },
		{ "feature-gso-tcpv4", WORKER_VIF_GSO_TCPV4, false, false },
		{ "feature-gso-tcpv6", WORKER_VIF_GSO_TCPV6, false, false },
		{ "feature-no-csum-offload", WORKER_VIF_CSUM_V4, false, true },
		{ "feature-ipv6-csum-offload", WORKER_VIF_CSUM_V6, false, false },
		{ "feature-rx-notify", WORKER_VIF_RX_NOTIFY, false, false },
	};
	uint32_t bits = 0;

	for (size_t i = 0; i < ELEMENTSOF(features); i++) {
		bool value;
		int r = read_flag(k, features[i].key, features[i].fallback, &value);

		if (r < 0)
			return r;
		if (value != features[i].inverse)
			bits |= features[i].bit;
	}
	*ret = bits;
	return 0;
}

/* Both of event-channel-tx and -rx, or event-channel for both. */
static int read_ports(struct keys *k, const char *prefix, struct worker_vif_queue *q)
{
	char key[48];
	int r;

	snprintf(key, sizeof(key), "%sevent-channel-tx", prefix);
	r = keys_number(k, key, 1, UINT32_MAX, &q->tx_evtchn);
	if (r < 0)
		return r;
	if (r > 0) {
		snprintf(key, sizeof(key), "%sevent-channel-rx", prefix);
		return keys_require(k, key, 1, UINT32_MAX, &q->rx_evtchn);
	}
	snprintf(key, sizeof(key), "%sevent-channel", prefix);
	r = keys_require(k, key, 1, UINT32_MAX, &q->tx_evtchn);
	q->rx_evtchn = q->tx_evtchn;
	return r;
}

static int read_queue(struct keys *k, bool several, uint32_t i, struct worker_vif_queue *q)
{
	char prefix[24] = "", key[48];
	int r;

	if (several)
		snprintf(prefix, sizeof(prefix), "queue-%u/", i);
	snprintf(key, sizeof(key), "%stx-ring-ref", prefix);
	r = keys_require(k, key, 0, UINT32_MAX, &q->tx_ref);
	if (r < 0)
		return r;
	snprintf(key, sizeof(key), "%srx-ring-ref", prefix);
	r = keys_require(k, key, 0, UINT32_MAX, &q->rx_ref);
	if (r < 0)
		return r;
	return read_ports(k, prefix, q);
}

static int read_control(struct keys *k, struct worker_connect_vif *c)
{
	int r = keys_number(k, "ctrl-ring-ref", 0, UINT32_MAX, &c->control_ref);

	if (r <= 0)
		return r;
	c->has_control = true;
	return keys_require(k, "event-channel-ctrl", 1, UINT32_MAX, &c->control_evtchn);
}

int vif_frontend_parse(keys_read_fn read, void *userdata, const struct vif_limits *limits,
		       struct worker_connect_vif *ret, char *error, size_t error_size)
{
	struct keys k = { read, userdata, error, error_size };
	struct worker_connect_vif c;
	struct worker_headroom change;
	bool rx_copy;
	int r;

	memset(&c, 0, sizeof(c));
	c.queues = 1;
	r = read_flag(&k, "request-rx-copy", false, &rx_copy);
	if (r < 0)
		return r;
	if (!rx_copy) {
		snprintf(error, error_size,
			 "the frontend did not write request-rx-copy = 1, and nothing else is "
			 "offered");
		return -EINVAL;
	}
	if ((r = keys_number(&k, "multi-queue-num-queues", 1, limits->max_queues, &c.queues)) < 0 ||
	    (r = read_features(&k, &c.features)) < 0 || (r = read_change(&k, limits, &change)) < 0)
		return r;
	c.xdp_headroom = change.bytes;
	if (change.multicast)
		c.features |= WORKER_VIF_MULTICAST;
	for (uint32_t i = 0; i < c.queues; i++) {
		/* A single queue keeps its keys at the top level. */
		r = read_queue(&k, c.queues > 1, i, &c.queue[i]);
		if (r < 0)
			return r;
	}
	if (limits->control) {
		r = read_control(&k, &c);
		if (r < 0)
			return r;
	}
	*ret = c;
	return 0;
}

int vif_frontend_parse_change(keys_read_fn read, void *userdata, const struct vif_limits *limits,
			      struct worker_headroom *ret, char *error, size_t error_size)
{
	struct keys k = { read, userdata, error, error_size };

	return read_change(&k, limits, ret);
}
