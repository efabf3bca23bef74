/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The counters of devices as part of the status of xenpv-backendd. */
#pragma once

struct json_object;

/*
 * counters_add_json - complete a status document by what is counted now
 * @status: as in status.json; may be anything
 * @dir: the directory that it is in
 *
 * Each device that names a file with "counters" gets an object "io" in its place, with the
 * sums, and an array "queues" of the same for each ring. What cannot be read is left out.
 */
void counters_add_json(struct json_object *status, const char *dir);
