/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands that labd runs and files that it stores, here. */
#pragma once

#include <poll.h>
#include <stddef.h>

#include "link.h"

struct jobs;

/* Answers go to @link, which outlives the jobs. */
struct jobs *jobs_new(struct link *link);

/* Carry out one request addressed to this labd. */
void jobs_request(struct jobs *jobs, const struct frame_header *header, const char *payload);

/* Fill @fds with what to poll for; returns how many. */
size_t jobs_poll_fds(struct jobs *jobs, struct pollfd *fds, size_t max);

/* Milliseconds until the next time limit, or -1. */
int jobs_timeout(const struct jobs *jobs);

/* Move output along, reap and kill. Call after every poll. */
void jobs_work(struct jobs *jobs);
