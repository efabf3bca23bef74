/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stand-ins for systemd's own socket and for a message bus with logind on it, served from
 * the event loop of the agent under test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "shutdown.h"

struct peer;

/* Listen on @path; @bus: be a message bus with logind, else systemd. Asserts on failure. */
struct peer *peer_new(sd_event *event, const char *path, bool bus);
void peer_free(struct peer *peer);

/* Has the agent connected, and made its first calls? */
bool peer_ready(const struct peer *peer);

/* End the connection, as a restart does. */
void peer_drop(struct peer *peer);

/* systemd: what ListJobs() answers from now on; @jobs has to stay valid. */
void peer_set_jobs(struct peer *peer, const struct job_info *jobs, size_t n);
void peer_emit_job_new(struct peer *peer, uint32_t id, const char *unit);
void peer_emit_job_removed(struct peer *peer, uint32_t id, const char *unit, const char *result);
void peer_emit_job_running(struct peer *peer, uint32_t id);

/* logind: does somebody hold the delay lock that Inhibit() gave out last? */
bool peer_lock_held(const struct peer *peer);
void peer_refuse_lock(struct peer *peer);
void peer_emit_prepare(struct peer *peer, bool start);
void peer_emit_sleep(struct peer *peer, bool start);
