/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --check: would a broker with these settings work here? */
#pragma once

#include "control/options.h"

/*
 * check_environment - look, print one line for each thing looked at
 * @worker_path: the worker that would be used, NULL: none was found
 *
 * Returns the number of things that would keep the broker from working.
 */
unsigned int check_environment(const struct options *o, const char *worker_path);
