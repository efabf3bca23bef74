/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the test backends share: xenstore nodes as numbers, and giving up. */
#pragma once

#include <stdint.h>
#include <xenstore.h>

#define PATH_SIZE 256

/* Set once in main(): the name before each message. */
extern const char *program;

/* The only connection to xenstore, after xs_connect(). */
extern struct xs_handle *xs;

_Noreturn void fatal(const char *what, int error);

/* Open xs, or end. */
void xs_connect(void);

/* Node @name below @dir: its text, to be freed, or NULL. */
char *xs_get(const char *dir, const char *name);

/* The same as a number; @missing when there is no such node. */
uint32_t xs_get_number(const char *dir, const char *name, uint32_t missing);

void xs_put(const char *dir, const char *name, uint64_t number);
