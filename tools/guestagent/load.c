// SPDX-License-Identifier: GPL-2.0-or-later
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "file.h"
#include "lib/cleanup.h"
#include "ownsource.h"
#include "words.h"

/* Stalled for a tenth of the time, over two seconds: the shortest window for everybody. */
#define TRIGGER "some 200000 2000000"

unsigned int load_count_cpus(const char *list)
{
	unsigned int n = 0;

	while (*list && *list != '\n') {
		unsigned int first, last;
		int used = 0;

		if (sscanf(list, "%u-%u%n", &first, &last, &used) != 2 || !used) {
			if (sscanf(list, "%u%n", &first, &used) != 1)
				return 0;
			last = first;
		}
		if (last < first || last > UINT16_MAX)
			return 0;
		n += last - first + 1;
		list += used;
		if (*list == ',')
			list++;
		else if (*list && *list != '\n')
			return 0;
	}
	return n;
}

static void add_cpus(struct words *words, const char *root, const char *name)
{
	_cleanup_free_ char *list = NULL;

	if (file_read_line(&list, "%s/sys/devices/system/cpu/%s", root, name) >= 0)
		words_add_u64(words, name, load_count_cpus(list));
}

static int report_cpu(const char *root, struct report *report)
{
	_cleanup_(words_clear) struct words words = { 0 };
	_cleanup_free_ char *text = NULL;
	double load[3];
	int r;

	add_cpus(&words, root, "online");
	add_cpus(&words, root, "present");
	if (file_read_line(&text, "%s/proc/loadavg", root) >= 0 &&
	    sscanf(text, "%lf %lf %lf", &load[0], &load[1], &load[2]) == 3) {
		words_addf(&words, "load1", "%.2f", load[0]);
		words_addf(&words, "load5", "%.2f", load[1]);
		words_addf(&words, "load15", "%.2f", load[2]);
	}
	r = words_result(&words);
	return r < 0 || !words.text ? r : report_add(report, "data/xenpv/device/cpu", words.text);
}

/* "some avg10=1.23 ..." */
static void add_pressure(struct words *words, const char *text, const char *line, const char *key)
{
	const char *found = strstr(text, line);
	double percent;

	if (found && sscanf(found + strlen(line), " avg10=%lf", &percent) == 1)
		words_addf(words, key, "%.2f", percent);
}

static int report_pressure(const char *root, struct report *report)
{
	static const struct {
		const char *file, *some, *full;
	} kinds[] = {
		{ "cpu", "cpu-some", NULL }, /* its "full" is always 0 */
		{ "memory", "memory-some", "memory-full" },
		{ "io", "io-some", "io-full" },
	};
	_cleanup_(words_clear) struct words words = { 0 };
	int r;

	for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
		_cleanup_free_ char *text = NULL;

		if (file_read(&text, "%s/proc/pressure/%s", root, kinds[i].file) < 0)
			continue;
		add_pressure(&words, text, "some", kinds[i].some);
		if (kinds[i].full)
			add_pressure(&words, text, "full", kinds[i].full);
	}
	r = words_result(&words);
	if (r < 0 || !words.text)
		return r;
	return report_add(report, "data/xenpv/device/pressure", words.text);
}

int load_report(const char *root, struct report *report)
{
	int r = report_cpu(root, report);

	return r < 0 ? r : report_pressure(root, report);
}

struct watch {
	void (*changed)(void *userdata);
	void *userdata;
};

static int on_pressure(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	const struct watch *watch = userdata;

	(void)fd;
	/* The kernel ends a trigger whose cgroup went; the system's own never does. */
	if (revents & EPOLLERR)
		return sd_event_source_set_enabled(source, SD_EVENT_OFF);
	watch->changed(watch->userdata);
	return 0;
}

static int watch_one(sd_event *event, const char *path, void (*changed)(void *userdata),
		     void *userdata, sd_event_source **ret)
{
	_cleanup_free_ struct watch *watch = malloc(sizeof(*watch));
	_cleanup_close_ int fd = -1;

	if (!watch)
		return -ENOMEM;
	*watch = (struct watch){ changed, userdata };
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || write(fd, TRIGGER, sizeof(TRIGGER)) < 0)
		return -errno;
	return ownsource_add(event, TAKE_FD(fd), EPOLLPRI, on_pressure, TAKE_PTR(watch), ret);
}

int load_watch(sd_event *event, void (*changed)(void *userdata), void *userdata,
	       sd_event_source *sources[static 2])
{
	int r = watch_one(event, "/proc/pressure/memory", changed, userdata, &sources[0]);

	return r < 0 ? r : watch_one(event, "/proc/pressure/io", changed, userdata, &sources[1]);
}
