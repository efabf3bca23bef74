/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * status.json in the runtime directory: what is served, for people and tools.
 * Replaced as a whole, at most a few times a second, when something has changed. What devices
 * do is not in it: it names the files with their counters (lib/counters.h).
 */
#pragma once

#include "control/broker.h"

#define STATUS_FILE "status.json"

int status_start(struct broker *b);
/* Something that the file tells has changed. */
void status_changed(struct broker *b);
/* Write it now. */
int status_write(struct broker *b);

/* Print the file, with what is counted now, on stdout; -ESRCH: no broker runs on @runtime_dir. */
int status_print(const char *runtime_dir);

/* Hold the runtime directory's lock: -EBUSY when another broker has it. Returns a descriptor. */
int status_lock(const char *runtime_dir);

/* Members of a device's object. A NULL string becomes null. */
struct json_object;
void status_add_string(struct json_object *o, const char *key, const char *value);
void status_add_number(struct json_object *o, const char *key, uint64_t value);
void status_add_bool(struct json_object *o, const char *key, bool value);
