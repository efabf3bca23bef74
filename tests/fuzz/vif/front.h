/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A frontend that does what the input says, in memory and grants of vifrig.h: what a good
 * one would, nearly that, or anything. It also acts while the worker works: between the
 * copies of two slots, and around every copy of data.
 */
#pragma once

#include "fuzz.h"
#include "vifrig.h"

struct front {
	struct vifrig rig;
	struct input *in;
	uint32_t queues; /* of this connection; the rig may have more */
	bool control;
	/* A slot is overwritten as soon as it was copied. */
	bool poison;
	/* So many more times something happens while the worker works. */
	unsigned int meddle;
	/* data pages whose grant is not as it should be */
	unsigned int nr_spoiled;
	uint32_t spoiled[256];
	uint32_t first_frame; /* of the data pages */
};

/* The one that acts while the worker works. NULL: nobody does. */
extern struct front *front_now;

/* Each takes its arguments from the input. */
void front_send_frame(struct front *f);
void front_put_slots(struct front *f);
void front_put_extra(struct front *f);
void front_push(struct front *f);
void front_post_rx(struct front *f);
void front_scribble(struct front *f);
void front_set_index(struct front *f);
void front_spoil_grant(struct front *f);
void front_request(struct front *f);
void front_notify(struct front *f);
/* The network. What comes out of the tap has to be sound. */
void front_tap_send(struct front *f);
void front_tap_hang_up(struct front *f);
/* Take at most @n packets out of the tap. False: there was none. */
bool front_tap_drain(struct front *f, struct vifrig_queue *q, unsigned int n);

void front_notify_all(struct front *f);
/* All grants are good again. */
void front_restore(struct front *f);
