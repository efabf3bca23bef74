/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One device: what is known of it, and the steps of its handshake. Callbacks only
 * note what happened and call device_kick(); all acting is done by device_step()
 * from the loop, so no function here runs inside another's callback.
 *
 * What a disk and an interface differ in is the business of their device_class.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "control/broker.h"
#include "lib/handshake.h"
#include "lib/log.h"
#include "worker/proto.h"

struct json_object;

/* Directories below backend/ in which devices are looked for. */
enum device_kind {
	DEVICE_VBD,
	DEVICE_VBD3,
	DEVICE_VIF,
	_DEVICE_KIND_MAX,
};

/* Room for what is said about a device that fails. */
#define DEVICE_TEXT 512

/*
 * What devices of a class differ in. Functions that may be NULL say so. "The
 * image" is what the device stands upon, see lib/handshake.h.
 */
struct device_class {
	enum worker_class worker;     /* numbering of the devids */
	enum worker_msg_type attach;  /* first word about a device to a worker */
	enum worker_msg_type connect; /* and about its rings */
	size_t size;                  /* of the structure that begins with struct device */
	const char *frontends;        /* name of the guest's directory: device/<this> */
	const char *const *asks;      /* the frontend's keys, beside state, that may change later;
				       * ends with NULL */
	const char *kept;             /* suffix of the file that outlives a worker */
	const char *kernel;           /* the kernel's backend, which must not serve it, too */
	bool reconfigures;            /* see lib/handshake.h */

	/* The class's part of the structure is zero: set what is not. */
	void (*init)(struct device *dev);
	/* Read the nodes that only this class has. Errors: as device_new(). */
	int (*read)(struct device *dev);
	/* Release what the class's part of the structure holds. */
	void (*free)(struct device *dev);
	/* For the log: one line about a new device. */
	void (*describe)(const struct device *dev, char *buf, size_t size);
	void (*status)(const struct device *dev, struct json_object *o);
	/* A node of ours was written, and of no concern to others. May be NULL. */
	void (*touched)(struct device *dev, const char *key);
	/* Look at what the frontend may change while connected; sets hs.changed. May be NULL. */
	int (*refresh)(struct device *dev);

	/* Find out what the image is: hs.image becomes LATER, CLOSED or REFUSED. */
	void (*choose)(struct device *dev);
	/* Open it: hs.image becomes OPENING, READY or REFUSED. */
	void (*open)(struct device *dev);
	/* Is it being opened by somebody who is going to report? May be NULL. */
	bool (*opening)(const struct device *dev);
	/* Close it; @gone: there is no device any more, so nothing is left behind. */
	void (*close)(struct device *dev, bool gone);
	/* The worker does not hold it any more: set hs.image. */
	void (*returned)(struct device *dev);

	/* Bodies of transactions: what the frontend may negotiate, and what it is then told. */
	int (*put_offer)(struct device *dev, xs_transaction_t t);
	int (*put_connected)(struct device *dev, xs_transaction_t t);
	/* Before the script has run: have libxl fail the attach, with hotplug-error as reason. */
	int (*tell_refusal)(struct device *dev);

	/*
	 * Read and check what the frontend wants for a connection, within what was
	 * offered to it. Errors: negative errno, with @text.
	 */
	int (*parse)(struct device *dev, char *text, size_t size);
	/* Has what the worker holds to be attached anew for this? May be NULL. */
	bool (*outgrown)(const struct device *dev);
	/*
	 * Is it possible to attach now? If not, device_retry_later() or
	 * device_connect_failed() has been called. May be NULL.
	 */
	bool (*ready)(struct device *dev);
	/*
	 * The message of attach. @kept is the file that outlives the worker. The
	 * descriptors, room for WORKER_MAX_RINGS, go to the caller, and @kept is one of
	 * them. Errors: negative errno, with @text, and @kept left to the caller.
	 */
	int (*attach_msg)(struct device *dev, struct worker_msg *msg, int kept, int *fds,
			  size_t *ret_n, char *text, size_t size);
	/* The message of connect. Returns how many event channel devices go with it. */
	size_t (*connect_msg)(struct device *dev, struct worker_msg *msg);
	/* The link is up. */
	void (*connected)(struct device *dev);
	/* The link is down, or its worker dead. */
	void (*disconnected)(struct device *dev);
	/* The message that tells what has changed, and the answer to it. NULL unless
	 * `reconfigures`. */
	void (*change_msg)(struct device *dev, struct worker_msg *msg);
	void (*changed)(struct device *dev);
};

struct device {
	const struct device_class *class;
	struct broker *broker;
	struct guest *guest;
	LIST_ENTRY(device) in_guest;
	TAILQ_ENTRY(device) in_dirty;
	bool dirty;

	/* identity, fixed */
	enum device_kind kind;
	uint32_t domid, devid;
	struct log_about about;
	char dir[64];           /* backend/vbd/<domid>/<devid>, relative to our home */
	char *frontend;         /* absolute path */
	struct xs_watch *watch; /* of a frontend outside of the guest's usual place */

	struct hs_input hs;
	bool settling;           /* libxl has to read the state that was just written */
	sd_event_source *settle; /* clears it, or removes the nodes of what is released */
	bool foreign;            /* the kernel's backend has it */
	bool found;              /* was there when we started */
	bool seen;               /* its nodes were there once */
	bool replaced;           /* its nodes are those of another device by now */
	char *error;             /* why it does not work, for status and xenstore; NULL: it does */

	/* trying again */
	sd_event_source *retry; /* opens again, or connects again */
	bool link_waits;        /* it is a busy link that the retry timer ends */
	unsigned int tries;

	/* the data path; hs.link and hs.attached say where it stands */
	bool reattach;
	bool changing;   /* busy with telling the worker what the frontend changed */
	bool connecting; /* busy, and its rings may be served already */
	/* a ring that broke meanwhile, "" for none */
	char early_fault[WORKER_ERROR_SIZE + 32];
	bool kept_dropped;      /* a reattach went on without the kept file */
	bool counted;           /* its counters file is of this device */
	sd_event_source *grace; /* sets hs.grace_over */
	sd_event_source *hold;  /* clears hs.held */
	unsigned int faults;    /* within the time since first_fault */
	uint64_t first_fault;   /* CLOCK_MONOTONIC us */
};

const char *device_kind_name(enum device_kind kind);
const struct device_class *device_kind_class(enum device_kind kind);

/*
 * device_new - take up the device at backend/<kind>/<domid>/<devid>
 *
 * Errors: -ENOENT (not, or not completely, there yet), others of xenstore.
 */
int device_new(struct broker *b, enum device_kind kind, uint32_t domid, uint32_t devid,
	       struct device **ret);

/* Release everything, without a word to xenstore. */
void device_free(struct device *dev);

/* Something happened: look at the device in this turn of the loop. */
void device_kick(struct device *dev);

/*
 * Do all that can be done now. May free the device.
 *
 * Returns whether it is gone and another device has its number by now, to be taken up.
 */
bool device_step(struct device *dev);

/* Note an error for status and xenstore; @text is copied. */
void device_set_error(struct device *dev, const char *text);

/* All is well again: forget the error, here and in xenstore. */
void device_clear_error(struct device *dev);

/* Something is wrong and may become right again: note it, and tell it in xenstore. */
void device_tell_trouble(struct device *dev, const char *what, const char *text);

/* The image cannot be had: the attach is going to fail, with @text as its reason. */
void device_refuse(struct device *dev, const char *text);

/* The link failed: close the frontend. @text goes to the log and to xenstore. */
void device_fault(struct device *dev, const char *text);

/* The same for a link that was up and has to be taken down. */
void device_fault_up(struct device *dev, const char *text);

/* Read a node of ours that need not be there: 0, also when it is not, or a fatal error. */
int device_read_optional(struct device *dev, const char *key, char **ret);

/* device-link.c */
/* The counters file, without directory; is there if dev->counted. */
void device_counters_name(const struct device *dev, char *buf, size_t size);

void device_connect(struct device *dev, bool reattach);
void device_disconnect(struct device *dev);
void device_detach(struct device *dev);
void device_reconfigure(struct device *dev);
void device_worker_died(struct device *dev);
void device_ring_error(struct device *dev, const struct worker_ring_error *error);

/* Remove the files that outlive a worker. */
void device_remove_kept(struct device *dev);

/* Connecting failed. A frontend that is connected already waits with us; another is closed. */
void device_connect_failed(struct device *dev, const char *text);

/* Try again after @delay_us: a busy link becomes down, an image that is being opened closed. */
void device_retry_later(struct device *dev, uint64_t delay_us);
