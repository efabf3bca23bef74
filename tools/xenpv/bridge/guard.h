/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What keeps guests out of dom0's network stack.
 *
 * The bridge interface itself would hand frames for its own address, for the
 * addresses of its ports, broadcast and multicast to dom0, which answers on any
 * of its IP addresses, whatever interface they are on. So it is deaf: a filter
 * at its ingress drops everything, and one at its egress what dom0 sends
 * (net/bridge/br_input.c, br_pass_frame_up(), delivers through both).
 *
 * A port hands frames to 01:80:C2:00:00:02 to :0F, which a bridge does not
 * forward (IEEE 802.1D table 7-10), to dom0 with the port as their interface,
 * whatever protocol they carry (br_handle_frame()). So the ports of a bridge
 * that is to be apart from dom0 drop them.
 *
 * Both are classic BPF programs in direct-action mode on a clsact qdisc, so the
 * kernel needs sch_ingress and cls_bpf, and nothing else; firewalls do not
 * touch them.
 */
#pragma once

#include <stdbool.h>

#include "lib/rtnl.h"

enum guard {
	GUARD_BRIDGE,
	GUARD_PORT,
};

/* Does the interface have an ingress or clsact qdisc? Returns 0, 1 or a negative errno. */
int guard_has_qdisc(struct rtnl *rt, int index);

/*
 * guard_qdisc - put a clsact qdisc on an interface
 *
 * -EEXIST: there is one already, or an ingress qdisc, which takes filters, too.
 */
int guard_qdisc(struct rtnl *rt, int index);
int guard_qdisc_remove(struct rtnl *rt, int index);

/* The filters; -EEXIST: they are there. A bridge has two, so one may be left on failure. */
int guard_filter(struct rtnl *rt, int index, enum guard guard);
/* Nothing to remove is no error. */
int guard_filter_remove(struct rtnl *rt, int index, enum guard guard);
