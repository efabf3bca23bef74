/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images are opened by a short-lived child process: open(2) on a dead NFS server
 * sleeps for as long as it likes, and the broker must not. The child opens,
 * locks, and sends the descriptor back.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "storage/storage.h"

#define OPENER_ERROR_SIZE 512
/* Children at a time; more requests wait in line, within their own time limit. */
#define OPENER_MAX 32

enum opener_op {
	OPENER_OPEN,    /* storage_open() */
	OPENER_REFRESH, /* size of what is at the path now, without lock or descriptor */
};

struct opener_request {
	enum opener_op op;
	const char *path;
	struct storage_params params; /* .path is ignored */
	bool check_rdev;              /* must be block device major:minor */
	uint32_t major, minor;
	/* OPENER_REFRESH: what is open; another inode is answered with -ESTALE */
	uint64_t dev, ino; /* as in the reply to OPENER_OPEN */
	struct storage_image image;
};

struct opener_reply {
	int32_t err;                /* 0 or a negative errno, -ETIMEDOUT when the time was over */
	struct storage_image image; /* OPENER_OPEN: owner of .fd is the receiver */
	uint64_t dev, ino;          /* identity of what was opened */
	char error[OPENER_ERROR_SIZE];
};

struct opener_pool; /* one per broker */
struct opener;      /* one request */

/* Called once, from the loop, unless the request was cancelled; the opener is gone then. */
typedef void (*opener_fn)(void *userdata, const struct opener_reply *reply);

/* SIGCHLD has to be blocked, in all threads. */
int opener_pool_new(sd_event *event, struct opener_pool **ret);
void opener_pool_free(struct opener_pool *pool);

/* Queue a request; all is copied. @timeout_s counts from now. */
int opener_start(struct opener_pool *pool, const struct opener_request *request,
		 unsigned int timeout_s, opener_fn fn, void *userdata, struct opener **ret);
void opener_cancel(struct opener *o);
