/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Closes to dom0 what others made: guests' ports come and go, and bridges that
 * networkd made at boot lack the filters.
 *
 *  - bridges of the four shapes, and the ports of those that are apart from dom0, get
 *    their filters, see guard.h;
 *  - on all of them IPv6 is disabled: dom0 speaks on a bridge through its own interface
 *    alone, and would else look for routers and neighbours with an address of the port.
 *
 * An event tells of the past. While a command makes or unmakes a bridge, its lock is
 * waited for, and then the kernel is asked what is true now: an interface that was taken
 * off a bridge meanwhile is left alone.
 */
#pragma once

#include <systemd/sd-event.h>

#include "xenpv/bridge/site.h"

struct guards;

/*
 * guards_new
 * @site: with its lock open, see site_open_lock(); outlives the guards
 * @first: called once, when all interfaces that were added until then have been looked at
 */
int guards_new(sd_event *event, struct site *site, void (*first)(void), struct guards **ret);
void guards_free(struct guards *g);

/* guards_add - look at an interface that is new, or has another name or master */
int guards_add(struct guards *g, int index);
