/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of a frontend's connection, as one table. Pure.
 *
 * The first nine events are the backend's states of xen/io/xenbus.h, in their
 * numeric order. A frontend moves only by this table, so a test can walk every
 * cell of it.
 */
#ifndef XENPV_STATE_H
#define XENPV_STATE_H

#include <linux/types.h>

/**
 * enum xenpv_state - what the frontend is waiting for
 * @XENPV_INITIALISING: the backend's InitWait. Node: Initialising
 * @XENPV_INITIALISED: rings published; the backend's Connected. Node: Initialised,
 *	or what the driver writes instead
 * @XENPV_CONNECTED: nothing, I/O flows. Node: Connected
 * @XENPV_RECLOSING: reconnecting, I/O kept; the backend's Closing. Node: Closing
 * @XENPV_RECLOSED: reconnecting, I/O kept; the backend's Closed. Node: Closed
 * @XENPV_SHUT: detached, I/O failed; the backend's Closed. Node: Closed
 * @XENPV_CLOSED: detached and released; removal. Node: Closed
 * @XENPV_FAILED: no backend in time, I/O fails; any sign of a new backend
 * @XENPV_BROKEN: too many faults, I/O fails; detach, or resume elsewhere. Node: Closed
 * @XENPV_NR_STATES: number of states
 */
enum xenpv_state {
	XENPV_INITIALISING,
	XENPV_INITIALISED,
	XENPV_CONNECTED,
	XENPV_RECLOSING,
	XENPV_RECLOSED,
	XENPV_SHUT,
	XENPV_CLOSED,
	XENPV_FAILED,
	XENPV_BROKEN,
	XENPV_NR_STATES
};

/**
 * enum xenpv_event - what can happen to a connection
 * @XENPV_EV_BACK_UNKNOWN: the backend's state cannot be read: it is gone
 * @XENPV_EV_BACK_INITIALISING: XenbusStateInitialising
 * @XENPV_EV_BACK_INITWAIT: XenbusStateInitWait
 * @XENPV_EV_BACK_INITIALISED: XenbusStateInitialised
 * @XENPV_EV_BACK_CONNECTED: XenbusStateConnected, or poked again while so
 * @XENPV_EV_BACK_CLOSING: XenbusStateClosing while the device is online: a restart
 * @XENPV_EV_BACK_CLOSED: XenbusStateClosed while the device is online
 * @XENPV_EV_BACK_RECONFIGURING: XenbusStateReconfiguring
 * @XENPV_EV_BACK_RECONFIGURED: XenbusStateReconfigured
 * @XENPV_EV_OFFLINE_CLOSING: XenbusStateClosing, online is 0: a detach
 * @XENPV_EV_OFFLINE_CLOSED: XenbusStateClosed, online is 0
 * @XENPV_EV_FAULT: the driver found the connection unusable
 * @XENPV_EV_REFUSED: the same, once too often
 * @XENPV_EV_EXPIRE: the wait of this state took too long
 * @XENPV_EV_OUTAGE: all waits since I/O last flowed took too long
 * @XENPV_EV_KICK: look at the ring again and notify once more
 * @XENPV_EV_RESUME: the domain runs again after save, restore or migration
 * @XENPV_EV_RENEW: the driver wants another connection, with other features
 * @XENPV_NR_EVENTS: number of events
 */
enum xenpv_event {
	XENPV_EV_BACK_UNKNOWN,
	XENPV_EV_BACK_INITIALISING,
	XENPV_EV_BACK_INITWAIT,
	XENPV_EV_BACK_INITIALISED,
	XENPV_EV_BACK_CONNECTED,
	XENPV_EV_BACK_CLOSING,
	XENPV_EV_BACK_CLOSED,
	XENPV_EV_BACK_RECONFIGURING,
	XENPV_EV_BACK_RECONFIGURED,
	XENPV_EV_OFFLINE_CLOSING,
	XENPV_EV_OFFLINE_CLOSED,
	XENPV_EV_FAULT,
	XENPV_EV_REFUSED,
	XENPV_EV_EXPIRE,
	XENPV_EV_OUTAGE,
	XENPV_EV_KICK,
	XENPV_EV_RESUME,
	XENPV_EV_RENEW,
	XENPV_NR_EVENTS
};

/**
 * enum xenpv_action - what to do before entering the next state
 * @XENPV_ACT_UNDEFINED: no cell has it
 * @XENPV_ACT_NONE: nothing; the state stays
 * @XENPV_ACT_PATIENCE: give the backend some time to leave its state
 * @XENPV_ACT_SETUP: make rings, publish them, write Initialised or what stands for it
 * @XENPV_ACT_CONNECT: read the backend's features, write Connected, start I/O
 * @XENPV_ACT_REREAD: read again what the backend may change while connected
 * @XENPV_ACT_KICK: consume responses, notify the backend
 * @XENPV_ACT_RECOVER: stop I/O and keep it, write Closing
 * @XENPV_ACT_CLOSE: write Closed
 * @XENPV_ACT_RESTART: release rings and grants, keep I/O, write Initialising
 * @XENPV_ACT_RESUME: stop I/O and keep it, release, learn the new backend
 * @XENPV_ACT_SHUTDOWN: finish or fail all I/O, write Closed
 * @XENPV_ACT_RELEASE: release rings and grants
 * @XENPV_ACT_GIVEUP: fail all I/O; the node stays
 * @XENPV_ACT_BREAK: fail all I/O, write Closed
 */
enum xenpv_action {
	XENPV_ACT_UNDEFINED,
	XENPV_ACT_NONE,
	XENPV_ACT_PATIENCE,
	XENPV_ACT_SETUP,
	XENPV_ACT_CONNECT,
	XENPV_ACT_REREAD,
	XENPV_ACT_KICK,
	XENPV_ACT_RECOVER,
	XENPV_ACT_CLOSE,
	XENPV_ACT_RESTART,
	XENPV_ACT_RESUME,
	XENPV_ACT_SHUTDOWN,
	XENPV_ACT_RELEASE,
	XENPV_ACT_GIVEUP,
	XENPV_ACT_BREAK,
};

/**
 * struct xenpv_step - one cell of the table
 * @action: what to do
 * @next: state to enter when @action succeeds; the state itself for
 *	%XENPV_ACT_NONE
 */
struct xenpv_step {
	enum xenpv_action action;
	enum xenpv_state next;
};

#define XENPV_BUDGET_MAX 32

/**
 * struct xenpv_budget - how often something may happen within a window
 * @when: times of the latest occurrences, oldest overwritten first
 * @head: where the next time is written
 * @count: valid entries in @when
 */
struct xenpv_budget {
	u64 when[XENPV_BUDGET_MAX];
	u32 head;
	u32 count;
};

struct xenpv_step xenpv_state_next(enum xenpv_state state, enum xenpv_event event);
enum xenpv_event xenpv_backend_event(unsigned int xenbus_state, bool online);
const char *xenpv_state_name(enum xenpv_state state);
const char *xenpv_event_name(enum xenpv_event event);
bool xenpv_state_settled(enum xenpv_state state);
bool xenpv_budget_take(struct xenpv_budget *budget, u64 now, u32 max, u64 window);
u32 xenpv_budget_recent(const struct xenpv_budget *budget, u64 now, u64 window);
u64 xenpv_backoff(u32 recent, u64 first, u64 most);

#endif /* XENPV_STATE_H */
