/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's network interfaces, as far as they are taps of ours: followed by
 * index, since scripts and administrators rename them, and found again after a
 * restart.
 */
#pragma once

#include <stdint.h>

#include "control/broker.h"
#include "lib/rtnl.h"

/* Without the setting `vif` there is nothing to do. Errors are logged. */
int links_start(struct broker *b);
void links_stop(struct broker *b);

/* For requests. */
struct rtnl *links_rtnl(struct broker *b);

/* The index of the tap that an earlier instance made for this device, 0: none. Told once. */
int links_take(struct broker *b, uint32_t domid, uint32_t devid);

/* All devices have been found: taps that nobody has taken are of guests that are gone. */
void links_scan_over(struct broker *b);
