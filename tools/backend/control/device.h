/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One vbd: what is known of it, and the steps of its handshake. Callbacks only
 * note what happened and call device_kick(); all acting is done by device_step()
 * from the loop, so no function here runs inside another's callback.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "control/broker.h"
#include "lib/handshake.h"
#include "lib/log.h"
#include "storage/storage.h"
#include "worker/proto.h"

enum device_kind {
	DEVICE_VBD,
	DEVICE_VBD3,
	_DEVICE_KIND_MAX,
};

struct device {
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
	char *params, *script, *vdev;
	bool readonly, shared, discard, cdrom, removable;
	bool hvm; /* a device model may have the image, too */

	struct hs_input hs;
	bool foreign; /* the kernel's backend has it */
	bool found;   /* was there when we started */
	char *error;  /* why it does not work, for status and xenstore; NULL: it does */

	/* the image; hs.image says whether it is open */
	char *path;      /* what is or was opened */
	bool check_rdev; /* it has to be block device major:minor */
	uint32_t major, minor;
	struct storage_image image;   /* .fd is -1 once the worker has it */
	struct storage_params opened; /* how it was opened; .path is unset */
	uint64_t image_dev, image_ino;
	struct opener *opener;
	struct opener *refresher;
	sd_event_source *retry; /* opens again, or connects again */
	bool link_waits;        /* it is a busy link that the retry timer ends */
	unsigned int tries;
	unsigned int unplug_tries; /* to take the image from the device model */
	uint64_t open_until;       /* CLOCK_MONOTONIC us: until when a held image is waited for */

	/* the data path; hs.link and hs.attached say where it stands */
	struct worker_connect *rings; /* of the connection, or of the one being made */
	bool reattach;
	bool journal_dropped;   /* a reattach went on without the journal */
	bool resize_wanted;     /* the size changed while the link was busy */
	sd_event_source *grace; /* sets hs.grace_over */
	sd_event_source *hold;  /* clears hs.held */
	unsigned int faults;    /* within the time since first_fault */
	uint64_t first_fault;   /* CLOCK_MONOTONIC us */
};

const char *device_kind_name(enum device_kind kind);

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

/* Do all that can be done now. May free the device. */
void device_step(struct device *dev);

/* Note an error for status and xenstore; @text is copied. */
void device_set_error(struct device *dev, const char *text);

/* The link failed: close the frontend. @text goes to the log and to xenstore. */
void device_fault(struct device *dev, const char *text);

/* device-image.c */
void device_choose_image(struct device *dev);
void device_open(struct device *dev);
void device_close_image(struct device *dev);
void device_look_at_size(struct device *dev);

/* device-link.c */
void device_connect(struct device *dev, bool reattach);
void device_disconnect(struct device *dev);
void device_detach(struct device *dev);
void device_resize(struct device *dev, uint64_t size);
void device_worker_died(struct device *dev);
void device_ring_error(struct device *dev, const struct worker_ring_error *error);

/* Try again after @delay_us: a busy link becomes down, an image that is being opened closed. */
void device_retry_later(struct device *dev, uint64_t delay_us);
