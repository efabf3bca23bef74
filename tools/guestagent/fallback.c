// SPDX-License-Identifier: GPL-2.0-or-later
#include "fallback.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "file.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/parse.h"
#include "words.h"

static const char *const kinds[FALLBACK_MAX] = { [FALLBACK_VBD] = "vbd", [FALLBACK_VIF] = "vif" };

/*
 * Take "key=value " off the line at *p, which is cut up for it. NULL, *p untouched, if it does
 * not begin like that.
 */
static char *take_word(char **p, const char *key)
{
	size_t length = strlen(key);
	char *value, *end;

	if (strncmp(*p, key, length) != 0 || (*p)[length] != '=')
		return NULL;
	value = *p + length + 1;
	end = strchr(value, ' ');
	if (!end)
		return NULL;
	*end = '\0';
	*p = end + 1;
	return value;
}

/* Names of modules consist of these. */
static bool is_driver(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return length > 0 && length < FALLBACK_DRIVER_SIZE && !text[length];
}

/* Take a line, which is cut up for it; false if it is not of the form. */
static bool take_line(char *line, struct fallback *fallback)
{
	static const char reason[] = "reason=";
	struct fallback_entry entry = { .present = true };
	const char *device, *driver, *result, *uptime;
	int kind = 0;

	device = take_word(&line, "device");
	driver = device ? take_word(&line, "driver") : NULL;
	result = driver ? take_word(&line, "result") : NULL;
	uptime = result ? take_word(&line, "uptime") : NULL;
	if (!uptime || strncmp(line, reason, strlen(reason)) != 0)
		return false;
	while (kind < FALLBACK_MAX && strcmp(device, kinds[kind]) != 0)
		kind++;
	if (kind == FALLBACK_MAX || !is_driver(driver) ||
	    parse_u64(uptime, 0, UINT64_MAX, &entry.uptime) < 0)
		return false;
	entry.loaded = strcmp(result, "loaded") == 0;
	if (!entry.loaded && strcmp(result, "failed") != 0)
		return false;
	(void)snprintf(entry.driver, sizeof(entry.driver), "%s", driver);
	(void)snprintf(entry.reason, sizeof(entry.reason), "%s", line + strlen(reason));
	fallback->entry[kind] = entry;
	return true;
}

int fallback_read(const char *root, struct fallback *ret)
{
	_cleanup_free_ char *text = NULL;
	char *save = NULL;
	int r;

	*ret = (struct fallback){ 0 };
	r = file_read(&text, "%s" FALLBACK_FILE, root);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!take_line(line, ret))
			ret->malformed++;
	return 0;
}

static int report_entry(const char *kind, const struct fallback_entry *entry, struct report *report)
{
	_cleanup_(words_clear) struct words words = { 0 };
	char path[64];
	int r;

	words_add(&words, "driver", entry->driver);
	words_add(&words, "result", entry->loaded ? "loaded" : "failed");
	words_add_u64(&words, "uptime", entry->uptime);
	r = words_result(&words);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), FALLBACK_PATH "/%s", kind);
	r = report_add(report, path, words.text);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), FALLBACK_PATH "/%s/reason", kind);
	return report_add(report, path, entry->reason);
}

int fallback_report(const struct fallback *fallback, struct report *report)
{
	int r = 0;

	for (int kind = 0; kind < FALLBACK_MAX && r >= 0; kind++)
		if (fallback->entry[kind].present)
			r = report_entry(kinds[kind], &fallback->entry[kind], report);
	return r;
}

void fallback_log(const struct fallback *before, const struct fallback *fallback)
{
	static const char *const devices[FALLBACK_MAX] = {
		[FALLBACK_VBD] = "disks", [FALLBACK_VIF] = "interfaces"
	};

	for (int kind = 0; kind < FALLBACK_MAX; kind++) {
		const struct fallback_entry *is = &fallback->entry[kind];
		const struct fallback_entry *was = &before->entry[kind];

		if (!is->present || (was->present && was->loaded == is->loaded &&
				     strcmp(was->reason, is->reason) == 0))
			continue;
		/* The file's text is fit for a log, which escapes what is not printable. */
		log_warning(0, "%s do not have xenpv's driver: %s; %s %s. See xenpv-setup(8)",
			    devices[kind], is->reason, is->driver,
			    is->loaded ? "was loaded instead" : "could not be loaded either");
	}
	if (fallback->malformed && !before->malformed)
		log_warning(0, "%s: %u lines are not of the form \"device=... reason=...\"",
			    FALLBACK_FILE, fallback->malformed);
}
