/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines. Under systemd they go to the journal with the fields
 * XENPV_DOMID=, XENPV_DEVID= and XENPV_DEVICE=, so that
 * "journalctl XENPV_DOMID=5" tells the story of one guest; otherwise to stderr.
 *
 * errno is preserved by every function here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

/* What a line is about; a member of the object it describes. */
struct log_about {
	uint32_t domid;
	uint32_t devid;
	char name[40]; /* for example vbd-5-51712 */
};

/*
 * log_open - set where lines go, once at the start of a program
 * @ident: program name, has to stay valid
 * @max_priority: LOG_ERR .. LOG_DEBUG; less important lines are dropped
 */
void log_open(const char *ident, int max_priority);
void log_set_max_priority(int max_priority);

/* log_about may be NULL. @err is a negative errno or 0; %m in @fmt prints it. */
__attribute__((format(printf, 4, 5))) void log_full(int priority, const struct log_about *about,
						    int err, const char *fmt, ...);

#define log_error(err, ...)   log_full(LOG_ERR, NULL, (err), __VA_ARGS__)
#define log_warning(err, ...) log_full(LOG_WARNING, NULL, (err), __VA_ARGS__)
#define log_notice(...)       log_full(LOG_NOTICE, NULL, 0, __VA_ARGS__)
#define log_info(...)         log_full(LOG_INFO, NULL, 0, __VA_ARGS__)
#define log_debug(...)        log_full(LOG_DEBUG, NULL, 0, __VA_ARGS__)
