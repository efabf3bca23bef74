// SPDX-License-Identifier: GPL-2.0-or-later
/* The message carries its own fields; the place in the source is of no use to a reader. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "lib/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <systemd/sd-journal.h>

#include "lib/parse.h"

static struct {
	const char *ident;
	int max_priority;
	bool journal;
} log_state = { .ident = "xenpv", .max_priority = LOG_INFO };

/* JOURNAL_STREAM=<dev>:<inode> is set by systemd and names our stderr if it is the journal. */
static bool stderr_is_journal(void)
{
	const char *e = getenv("JOURNAL_STREAM");
	char ours[64];
	struct stat st;

	if (!e || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(ours, sizeof(ours), "%" PRIuMAX ":%" PRIuMAX, (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino);
	return !strcmp(e, ours);
}

void log_open(const char *ident, int max_priority)
{
	log_state.ident = ident;
	log_state.max_priority = max_priority;
	log_state.journal = stderr_is_journal();
}

void log_set_max_priority(int max_priority)
{
	log_state.max_priority = max_priority;
}

void log_full(int priority, const struct log_about *about, int err, const char *fmt, ...)
{
	int saved = errno;
	char text[2048];
	va_list ap;

	if (priority > log_state.max_priority)
		return;

	errno = -err;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	if (log_state.journal && about)
		sd_journal_send("MESSAGE=%s: %s", about->name, text, "PRIORITY=%i", priority,
				"SYSLOG_IDENTIFIER=%s", log_state.ident, "XENPV_DOMID=%" PRIu32,
				about->domid, "XENPV_DEVID=%" PRIu32, about->devid,
				"XENPV_DEVICE=%s", about->name, NULL);
	else if (log_state.journal)
		sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", priority, "SYSLOG_IDENTIFIER=%s",
				log_state.ident, NULL);
	else
		fprintf(stderr, "%s: %s%s%s\n", log_state.ident, about ? about->name : "",
			about ? ": " : "", text);
	errno = saved;
}
