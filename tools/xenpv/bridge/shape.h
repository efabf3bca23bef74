/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The four shapes of a virtual bridge, their names and numbers.
 *
 *	shape  name        outside  dom0
 *	1      xenbr<N>    yes      yes
 *	2      gextbr<N>   yes      no
 *	3      intbr<N>    no       yes
 *	4      gintbr<N>   no       no
 *
 * Guests reach each other on all of them. N is unique over all four.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

enum shape {
	SHAPE_NONE, /* not one of ours */
	SHAPE_XENBR,
	SHAPE_GEXTBR,
	SHAPE_INTBR,
	SHAPE_GINTBR,
	_SHAPE_MAX,
};

/* Numbers are 0 to 127, so there are at most 128 bridges. */
#define BRIDGES_MAX 128
/* VNIFs on one bridge, and of one guest. */
#define BRIDGE_VNIFS_MAX 64
#define GUEST_VNIFS_MAX  10

bool shape_outside(enum shape shape);
bool shape_dom0(enum shape shape);
const char *shape_prefix(enum shape shape);

/*
 * shape_parse - shape and number of a bridge's name
 *
 * Returns SHAPE_NONE, *ret_number untouched, for any other name: leading zeroes
 * and numbers beyond the limit included.
 */
enum shape shape_parse(const char *name, uint32_t *ret_number);

/* Does @name look like one of ours, with whatever number? For better messages. */
bool shape_resembles(const char *name);

/*
 * port_parse - domain and handle of a guest's interface in dom0
 *
 * Names are vif<domid>.<handle>, as the backend makes it, and vif<domid>.<handle>-emu
 * or tap<domid>.<handle> for the emulated twin. Domain 0 is dom0's own end.
 */
bool port_parse(const char *name, uint32_t *ret_domid, uint32_t *ret_handle);

/* dom0's port on bridge number @number: vif0.<number>. */
void port_of_dom0(uint32_t number, char ret[IFNAMSIZ]);
