/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backend's half of the xenbus handshake of one device, as pure code: from
 * what is known now, which one thing is to be done next. The caller does it,
 * looks again, and goes on until there is nothing to do; every change of an
 * input is a reason to ask again. No state is kept here, so a backend that was
 * restarted goes on from wherever its predecessor was.
 *
 * States are those of xen/io/xenbus.h. XenbusStateUnknown stands for a node that
 * is not there.
 *
 * What the other parties do, and this code relies on:
 *  - libxl creates both ends in Initialising (1), waits for us to read exactly
 *    InitWait (2), and only then runs the hotplug script. So 1 -> 2 is done at
 *    once and 2 is kept until the script has reported.
 *  - libxl removes a device by writing online=0 and state=5, and waits 10 s for
 *    our 6; then it deletes the frontend and waits 10 s more.
 *  - a frontend that closes goes to 5, waits for our 5, goes to 6, and waits for
 *    our 6; a frontend that starts over goes to 1 and waits for our 2.
 *  - an interface that wants something changed while connected goes to
 *    Reconfiguring (7), waits for our Reconfigured (8), and goes back to 4. So do
 *    we then: a frontend that asks again has to wait again.
 *
 * The "image" is what the device stands upon: a disk's file or block device, an
 * interface's tap.
 */
#pragma once

#include <stdbool.h>
#include <xen/io/xenbus.h>

/* What stands in a `state` node is no state at all: nothing follows from it. */
#define HS_STATE_NONSENSE ((enum xenbus_state)(XenbusStateReconfigured + 1))

enum hs_hotplug {
	HS_HOTPLUG_WAITING, /* the script has not reported */
	HS_HOTPLUG_DONE,
	HS_HOTPLUG_FAILED,
	_HS_HOTPLUG_MAX,
};

enum hs_image {
	HS_IMAGE_LATER,   /* only the hotplug script will tell what to open */
	HS_IMAGE_CLOSED,  /* known, not opened */
	HS_IMAGE_OPENING, /* being opened */
	HS_IMAGE_READY,
	HS_IMAGE_REFUSED, /* cannot be opened, or is another's */
	_HS_IMAGE_MAX,
};

enum hs_link {
	HS_LINK_DOWN,
	HS_LINK_BUSY,   /* being connected or disconnected */
	HS_LINK_UP,     /* the data path serves the frontend's rings */
	HS_LINK_BROKEN, /* up, but a ring was stopped for an error */
	_HS_LINK_MAX,
};

struct hs_input {
	enum xenbus_state ours;     /* backend `state` */
	enum xenbus_state frontend; /* frontend `state` */
	bool online;                /* backend `online` */
	enum hs_hotplug hotplug;
	enum hs_image image;
	enum hs_link link;
	bool refusal_told; /* the reason of HS_IMAGE_REFUSED stands in xenstore */
	bool fault;        /* the data path failed; the frontend is to be closed */
	bool grace_over;   /* the frontend had its time to close after online=0 */
	bool attached;     /* the worker holds the image, with or without rings */
	bool held;         /* reconnects are being held back for a while */
	bool released;     /* HS_RELEASE was done */
	bool reconfigures; /* 7 and 8 mean something for this class of devices */
	bool changed;      /* the frontend asks for something that the data path does not know */
};

enum hs_action {
	HS_NOTHING,
	HS_OPEN,       /* open the image: image becomes OPENING */
	HS_TELL,       /* write why the image is refused: refusal_told */
	HS_OFFER,      /* write what the frontend may negotiate, then state 2 */
	HS_CONNECT,    /* take the frontend's rings: link becomes BUSY, then UP with state 4 */
	HS_REATTACH,   /* the same for a frontend that is connected already: no state is written */
	HS_DISCONNECT, /* take the data path down: link becomes BUSY, then DOWN */
	HS_DETACH,     /* take the image back from the worker: link BUSY, then DOWN, not attached */
	HS_RECONFIGURE, /* tell the data path what has changed: link BUSY, then UP; not changed */
	HS_SET_RECONFIGURED, /* write state 8 */
	HS_SET_CONNECTED,    /* write state 4 again */
	HS_SET_CLOSING,      /* write state 5 */
	HS_SET_CLOSED, /* write state 6, with the image closed before if offline; fault is over */
	HS_RELEASE,    /* detached: give up image and journal, clean the nodes: released */
	HS_FORGET,     /* the nodes are gone: release and free the device */
	_HS_ACTION_MAX,
};

enum hs_action hs_next(const struct hs_input *in);

const char *hs_action_name(enum hs_action action);
const char *hs_state_name(enum xenbus_state state);
