// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/handshake.h"

#include "lib/cleanup.h"

/* The frontend's rings are valid and it expects, or is about to expect, answers. */
static bool frontend_has_rings(const struct hs_input *in)
{
	switch (in->frontend) {
	case XenbusStateInitialised:
	case XenbusStateConnected:
		return true;
	case XenbusStateReconfiguring:
	case XenbusStateReconfigured:
		return in->reconfigures;
	default:
		return false;
	}
}

/* After 6 the image of a removed disk may go to another guest: it has to be free by then. */
static enum hs_action close_down(const struct hs_input *in)
{
	if (!in->online && in->attached)
		return HS_DETACH;
	if (!in->online && in->image == HS_IMAGE_OPENING)
		return HS_NOTHING;
	return HS_SET_CLOSED;
}

/* A new device: offer at once, but not before it is known whether it must be refused. */
static enum hs_action from_initialising(const struct hs_input *in)
{
	switch (in->image) {
	case HS_IMAGE_CLOSED:
		return HS_OPEN;
	case HS_IMAGE_OPENING:
		return HS_NOTHING;
	case HS_IMAGE_REFUSED:
		return in->refusal_told ? HS_OFFER : HS_TELL;
	default:
		return HS_OFFER;
	}
}

/* Offered: needs the hotplug script, the image and the frontend, in any order. */
static enum hs_action from_initwait(const struct hs_input *in)
{
	if (in->image == HS_IMAGE_REFUSED && !in->refusal_told)
		return HS_TELL;
	/* Keep 2 until libxl has surely read it; its script is the witness. */
	if (in->hotplug == HS_HOTPLUG_WAITING)
		return HS_NOTHING;
	if (in->image == HS_IMAGE_REFUSED)
		return HS_SET_CLOSING;
	if (in->hotplug == HS_HOTPLUG_FAILED)
		return HS_NOTHING;
	if (in->image == HS_IMAGE_CLOSED)
		return HS_OPEN;
	if (in->frontend == XenbusStateClosing)
		return HS_SET_CLOSING;
	if (in->frontend == XenbusStateClosed)
		return close_down(in);
	if (in->image == HS_IMAGE_READY && frontend_has_rings(in))
		return HS_CONNECT;
	return HS_NOTHING;
}

/* Connected, but without a data path: we were restarted, or the worker died. */
static enum hs_action from_connected_down(const struct hs_input *in)
{
	if (in->frontend == XenbusStateClosing)
		return HS_SET_CLOSING;
	if (!frontend_has_rings(in))
		return close_down(in);
	switch (in->image) {
	case HS_IMAGE_CLOSED:
		return HS_OPEN;
	case HS_IMAGE_READY:
		return HS_REATTACH;
	case HS_IMAGE_REFUSED:
		/* The guest waits; closing would lose its disk. The caller tries again. */
		return in->refusal_told ? HS_NOTHING : HS_TELL;
	default:
		return HS_NOTHING;
	}
}

static enum hs_action reconfigure(const struct hs_input *in)
{
	if (!in->reconfigures)
		return HS_NOTHING;
	if (in->changed)
		return HS_RECONFIGURE;
	if (in->ours == XenbusStateConnected && in->frontend == XenbusStateReconfiguring)
		return HS_SET_RECONFIGURED;
	if (in->ours == XenbusStateReconfigured && in->frontend == XenbusStateConnected)
		return HS_SET_CONNECTED;
	return HS_NOTHING;
}

static enum hs_action from_connected_sound(const struct hs_input *in)
{
	if (in->link == HS_LINK_DOWN)
		return from_connected_down(in);
	if (frontend_has_rings(in))
		return reconfigure(in);
	if (in->frontend == XenbusStateClosing)
		return HS_SET_CLOSING;
	/* Closed, started over, or gone: the rings are no longer the frontend's word. */
	return HS_DISCONNECT;
}

static enum hs_action from_connected(const struct hs_input *in)
{
	if (in->fault)
		return in->link == HS_LINK_UP ? HS_DISCONNECT : HS_SET_CLOSING;
	return from_connected_sound(in);
}

static enum hs_action from_closing(const struct hs_input *in)
{
	if (in->link == HS_LINK_DOWN)
		return close_down(in);
	/* The frontend flushes and closes by itself, but a removal does not wait for ever. */
	if (frontend_has_rings(in) || in->frontend == XenbusStateClosing)
		return !in->online && in->grace_over ? HS_DISCONNECT : HS_NOTHING;
	return HS_DISCONNECT;
}

static enum hs_action from_closed(const struct hs_input *in)
{
	if (in->link != HS_LINK_DOWN)
		return HS_DISCONNECT;
	if (!in->online) {
		if (in->attached)
			return HS_DETACH;
		return in->released ? HS_NOTHING : HS_RELEASE;
	}
	if (in->frontend != XenbusStateInitialising || in->held)
		return HS_NOTHING;
	/* Prepare for reconnect: driver reload, kexec, recovery after an error. */
	switch (in->image) {
	case HS_IMAGE_CLOSED:
		return HS_OPEN;
	case HS_IMAGE_READY:
		return HS_OFFER;
	case HS_IMAGE_REFUSED:
		return in->refusal_told ? HS_NOTHING : HS_TELL;
	default:
		return HS_NOTHING;
	}
}

enum hs_action hs_next(const struct hs_input *in)
{
	/* Whatever is under way comes to an end, within its own time limit. */
	if (in->link == HS_LINK_BUSY)
		return HS_NOTHING;
	if (in->ours == XenbusStateUnknown) {
		if (in->link != HS_LINK_DOWN)
			return HS_DISCONNECT;
		return in->attached ? HS_DETACH : HS_FORGET;
	}
	if (in->link == HS_LINK_BROKEN)
		return HS_DISCONNECT;

	switch (in->ours) {
	case XenbusStateInitialising:
	case XenbusStateInitWait:
		if (in->link == HS_LINK_UP)
			return HS_DISCONNECT;
		if (in->fault)
			return HS_SET_CLOSING;
		if (in->ours == XenbusStateInitialising)
			return from_initialising(in);
		return from_initwait(in);
	case XenbusStateReconfigured:
		if (!in->reconfigures)
			return HS_NOTHING;
		return from_connected(in);
	case XenbusStateConnected:
		return from_connected(in);
	case XenbusStateClosing:
		return from_closing(in);
	case XenbusStateClosed:
		return from_closed(in);
	default:
		/* Initialised and Reconfiguring are no states of a backend. */
		return HS_NOTHING;
	}
}

const char *hs_action_name(enum hs_action action)
{
	static const char *const names[_HS_ACTION_MAX] = {
		[HS_NOTHING] = "nothing",
		[HS_OPEN] = "open",
		[HS_TELL] = "tell",
		[HS_OFFER] = "offer",
		[HS_CONNECT] = "connect",
		[HS_REATTACH] = "reattach",
		[HS_DISCONNECT] = "disconnect",
		[HS_DETACH] = "detach",
		[HS_RECONFIGURE] = "reconfigure",
		[HS_SET_RECONFIGURED] = "set-reconfigured",
		[HS_SET_CONNECTED] = "set-connected",
		[HS_SET_CLOSING] = "set-closing",
		[HS_SET_CLOSED] = "set-closed",
		[HS_RELEASE] = "release",
		[HS_FORGET] = "forget",
	};

	return (unsigned int)action < ELEMENTSOF(names) ? names[action] : "?";
}

const char *hs_state_name(enum xenbus_state state)
{
	static const char *const names[] = {
		[XenbusStateUnknown] = "Unknown",
		[XenbusStateInitialising] = "Initialising",
		[XenbusStateInitWait] = "InitWait",
		[XenbusStateInitialised] = "Initialised",
		[XenbusStateConnected] = "Connected",
		[XenbusStateClosing] = "Closing",
		[XenbusStateClosed] = "Closed",
		[XenbusStateReconfiguring] = "Reconfiguring",
		[XenbusStateReconfigured] = "Reconfigured",
	};

	return (unsigned int)state < ELEMENTSOF(names) ? names[state] : "?";
}
