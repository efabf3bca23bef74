// SPDX-License-Identifier: GPL-2.0-or-later
#include "disks.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "drivers.h"
#include "file.h"
#include "fsprobe.h"
#include "lib/cleanup.h"
#include "lib/parse.h"
#include "mounts.h"
#include "words.h"

#define VBD_PATH "data/xenpv/device/vbd/"
#define SECTOR   512
#define USEC     ((uint64_t)1000000)

/* A file system on LVM on RAID on a partition is three deep. */
#define HOLDERS_MAX  4
#define CONTENTS_MAX (DISKS_MAX * (PARTITIONS_MAX + 1))

struct disk {
	uint32_t devid;
	char name[DISK_NAME_BYTES];
};

struct disk_list {
	struct disk list[DISKS_MAX];
	size_t n;
};

static int by_devid(const void *a, const void *b)
{
	const struct disk *x = a, *y = b;

	return (x->devid > y->devid) - (x->devid < y->devid);
}

/* The block devices whose driver serves device/vbd/<devid>, in the order of these. */
static void list_disks(const char *root, struct disk_list *ret)
{
	static const char prefix[] = "device/vbd/";
	struct dirent *entry;
	char path[PATH_MAX];
	DIR *dir;

	ret->n = 0;
	(void)snprintf(path, sizeof(path), "%s/sys/block", root);
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir)) && ret->n < DISKS_MAX) {
		_cleanup_free_ char *node = NULL;
		struct disk *disk = &ret->list[ret->n];

		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= sizeof(disk->name) ||
		    file_read_line(&node, "%s/sys/block/%s/device/nodename", root, entry->d_name) <
			    0 ||
		    strncmp(node, prefix, strlen(prefix)) != 0 ||
		    parse_u32(node + strlen(prefix), 0, UINT32_MAX, &disk->devid) < 0)
			continue;
		strcpy(disk->name, entry->d_name);
		ret->n++;
	}
	closedir(dir);
	qsort(ret->list, ret->n, sizeof(ret->list[0]), by_devid);
}

/* The kernel's documentation of block devices' "stat" gives the order of the fields. */
static bool read_sample(const char *root, const char *name, struct disk_sample *ret)
{
	_cleanup_free_ char *text = NULL;
	uint64_t field[11];

	if (file_read_line(&text, "%s/sys/block/%s/stat", root, name) < 0)
		return false;
	if (sscanf(text,
		   "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		   " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
		   &field[0], &field[1], &field[2], &field[3], &field[4], &field[5], &field[6],
		   &field[7], &field[8], &field[9], &field[10]) != 11)
		return false;
	*ret = (struct disk_sample){
		.reads = field[0],
		.read_bytes = field[2] * SECTOR,
		.writes = field[4],
		.written_bytes = field[6] * SECTOR,
		.in_flight = field[8],
		.busy_msec = field[9],
	};
	return true;
}

/* A counter that went back belongs to a device made anew. */
static uint64_t per_second(uint64_t now, uint64_t before, uint64_t usec)
{
	return now < before ? 0 : (uint64_t)((double)(now - before) * 1e6 / (double)usec + 0.5);
}

static void set_rate(struct disk_history *history, const struct disk_sample *sample, uint64_t now)
{
	const struct disk_sample *last = &history->last;
	uint64_t usec = now - history->when;

	if (history->when && now > history->when) {
		history->rate = (struct disk_sample){
			.reads = per_second(sample->reads, last->reads, usec),
			.writes = per_second(sample->writes, last->writes, usec),
			.read_bytes = per_second(sample->read_bytes, last->read_bytes, usec),
			.written_bytes =
				per_second(sample->written_bytes, last->written_bytes, usec),
			.busy_msec = per_second(sample->busy_msec, last->busy_msec, usec),
			.in_flight = sample->in_flight,
		};
		history->has_rate = true;
	}
	history->last = *sample;
	history->when = now;
}

static struct disk_history *find_history(struct disks *disks, uint32_t devid)
{
	for (size_t i = 0; i < disks->n_history; i++)
		if (disks->history[i].devid == devid)
			return &disks->history[i];
	return NULL;
}

void disks_sample(struct disks *disks, const char *root, uint64_t now)
{
	struct disk_list list;

	list_disks(root, &list);
	for (size_t i = 0; i < disks->n_history; i++)
		disks->history[i].seen = false;
	for (size_t i = 0; i < list.n; i++) {
		struct disk_history *history = find_history(disks, list.list[i].devid);
		struct disk_sample sample;

		if (!read_sample(root, list.list[i].name, &sample))
			continue;
		if (!history) {
			if (disks->n_history == DISKS_MAX)
				continue;
			history = &disks->history[disks->n_history++];
			*history = (struct disk_history){ .devid = list.list[i].devid };
		}
		history->seen = true;
		set_rate(history, &sample, now);
	}
	for (size_t i = disks->n_history; i-- > 0;)
		if (!disks->history[i].seen)
			disks->history[i] = disks->history[--disks->n_history];
}

void disks_forget(struct disks *disks, const char *name)
{
	for (size_t i = disks->n_contents; i-- > 0;) {
		if (name && strcmp(disks->contents[i].name, name) != 0)
			continue;
		free(disks->contents[i].words);
		disks->contents[i] = disks->contents[--disks->n_contents];
	}
}

/* What lies on the device, from memory unless its size changed. Words, or NULL. */
static int find_content(struct disks *disks, const char *root, const char *name, uint64_t size,
			const char **ret)
{
	_cleanup_(words_clear) struct words words = { 0 };
	struct disk_content *more;
	char path[PATH_MAX];

	for (size_t i = 0; i < disks->n_contents; i++) {
		if (strcmp(disks->contents[i].name, name) != 0)
			continue;
		if (disks->contents[i].size == size) {
			*ret = disks->contents[i].words;
			return 0;
		}
		disks_forget(disks, name);
		break;
	}
	if (disks->n_contents == CONTENTS_MAX)
		disks_forget(disks, NULL);
	more = reallocarray(disks->contents, disks->n_contents + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	disks->contents = more;
	(void)snprintf(path, sizeof(path), "%s/dev/%s", root, name);
	fsprobe(path, &words);
	if (words_result(&words) < 0)
		return words_result(&words);
	more = &disks->contents[disks->n_contents++];
	more->size = size;
	more->words = TAKE_PTR(words.text);
	(void)snprintf(more->name, sizeof(more->name), "%s", name);
	*ret = more->words;
	return 0;
}

/* The mount of the device, or of what stands on it. */
static const struct mount *find_mount(const struct mounts *mounts, const char *root,
				      const char *name, unsigned int depth)
{
	_cleanup_free_ char *number = NULL;
	const struct mount *mount = NULL;
	unsigned int major_number, minor_number;
	struct dirent *entry;
	char path[PATH_MAX];
	dev_t device = 0;
	DIR *dir;

	if (file_read_line(&number, "%s/sys/class/block/%s/dev", root, name) >= 0 &&
	    sscanf(number, "%u:%u", &major_number, &minor_number) == 2)
		device = makedev(major_number, minor_number);
	mount = mounts_find(mounts, device, name);
	if (mount || depth == HOLDERS_MAX)
		return mount;
	(void)snprintf(path, sizeof(path), "%s/sys/class/block/%s/holders", root, name);
	dir = opendir(path);
	while (dir && !mount && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			mount = find_mount(mounts, root, entry->d_name, depth + 1);
	if (dir)
		closedir(dir);
	return mount;
}

static void add_mount(struct words *words, const struct mounts *mounts, const char *root,
		      const char *name)
{
	const struct mount *mount = find_mount(mounts, root, name, 0);
	char path[PATH_MAX];
	struct statvfs st;

	if (!mount)
		return;
	words_add(words, "mount", mount->target);
	if (snprintf(path, sizeof(path), "%s%s", root, mount->target) >= (int)sizeof(path) ||
	    statvfs(path, &st) < 0)
		return;
	words_add_u64(words, "total", (uint64_t)st.f_blocks * st.f_frsize);
	words_add_u64(words, "free", (uint64_t)st.f_bavail * st.f_frsize);
}

/* Partition @number, 0 for the whole disk, which is reported if something lies on it. */
static int report_volume(struct disks *disks, const struct mounts *mounts, const char *root,
			 const struct disk *disk, const char *name, unsigned int number,
			 struct report *report)
{
	_cleanup_(words_clear) struct words words = { 0 };
	_cleanup_free_ char *text = NULL;
	const char *content;
	uint64_t size, errors;
	char path[64];
	int r;

	if (file_read_u64(&size, "%s/sys/class/block/%s/size", root, name) < 0)
		return 0;
	r = find_content(disks, root, name, size, &content);
	if (r < 0)
		return r;
	add_mount(&words, mounts, root, name);
	if (file_read_u64(&errors, "%s/sys/fs/ext4/%s/errors_count", root, name) >= 0)
		words_add_u64(&words, "fs-errors", errors);
	r = words_result(&words);
	if (r < 0 || (!number && !content && !words.text))
		return r;
	if (asprintf(&text, "name=%s size=%" PRIu64 "%s%s%s%s", name, size * SECTOR,
		     content ? " " : "", content ?: "", words.text ? " " : "",
		     words.text ?: "") < 0) {
		text = NULL; /* undefined after a failure */
		return -ENOMEM;
	}
	snprintf(path, sizeof(path), VBD_PATH "%" PRIu32 "/%u", disk->devid, number);
	return report_add(report, path, text);
}

static int report_volumes(struct disks *disks, const struct mounts *mounts, const char *root,
			  const struct disk *disk, struct report *report)
{
	unsigned int reported = 0;
	struct dirent *entry;
	char path[PATH_MAX];
	DIR *dir;
	int r = 0;

	(void)snprintf(path, sizeof(path), "%s/sys/block/%s", root, disk->name);
	dir = opendir(path);
	if (!dir)
		return 0;
	while (r >= 0 && (entry = readdir(dir)) && reported < PARTITIONS_MAX) {
		uint64_t number;

		if (strncmp(entry->d_name, disk->name, strlen(disk->name)) != 0 ||
		    strlen(entry->d_name) >= DISK_NAME_BYTES ||
		    file_read_u64(&number, "%s/%s/partition", path, entry->d_name) < 0 || !number ||
		    number > UINT16_MAX)
			continue;
		r = report_volume(disks, mounts, root, disk, entry->d_name, (unsigned int)number,
				  report);
		reported++;
	}
	closedir(dir);
	/* A disk with partitions has no content of its own. */
	if (r >= 0 && !reported)
		r = report_volume(disks, mounts, root, disk, disk->name, 0, report);
	return r;
}

/* What driver and backend agreed upon stands in the frontend's own directory. */
static int add_agreed(struct words *words, struct xs_conn *xs, const struct disk *disk)
{
	static const struct {
		const char *node, *key, *otherwise;
	} agreed[] = {
		{ "multi-queue-num-queues", "queues", "1" },
		{ "ring-page-order", "ring-order", "0" },
	};
	char dir[48];

	snprintf(dir, sizeof(dir), "device/vbd/%" PRIu32, disk->devid);
	for (size_t i = 0; xs && i < ELEMENTSOF(agreed); i++) {
		uint32_t value;
		int r = xsc_read_u32(xs, XBT_NULL, dir, agreed[i].node, 0, 4096, &value);

		if (xsc_is_fatal(r))
			return r;
		if (r >= 0)
			words_add_u64(words, agreed[i].key, value);
		else if (r == -ENOENT)
			words_add(words, agreed[i].key, agreed[i].otherwise);
	}
	return 0;
}

static int report_disk(const char *root, struct xs_conn *xs, const struct disk *disk,
		       struct report *report)
{
	_cleanup_(words_clear) struct words words = { 0 };
	_cleanup_free_ char *driver = NULL, *description = NULL;
	char device[32], path[64];
	uint64_t value;
	int r;

	words_add(&words, "name", disk->name);
	snprintf(device, sizeof(device), "vbd-%" PRIu32, disk->devid);
	r = driver_of(root, device, &driver);
	if (r >= 0)
		r = driver_describe(root, driver, &description);
	if (r == -ENOMEM)
		return r;
	words_add(&words, "driver", driver);
	words_add(&words, "version", description ? strrchr(description, ' ') + 1 : NULL);
	if (file_read_u64(&value, "%s/sys/block/%s/size", root, disk->name) >= 0)
		words_add_u64(&words, "size", value * SECTOR);
	if (file_read_u64(&value, "%s/sys/block/%s/ro", root, disk->name) >= 0)
		words_add_u64(&words, "read-only", value);
	r = add_agreed(&words, xs, disk);
	if (r >= 0)
		r = words_result(&words);
	snprintf(path, sizeof(path), VBD_PATH "%" PRIu32, disk->devid);
	return r < 0 ? r : report_add(report, path, words.text);
}

static int report_rate(const struct disk_history *history, struct report *report)
{
	_cleanup_(words_clear) struct words words = { 0 };
	char path[64];
	int r;

	if (!history || !history->has_rate)
		return 0;
	words_add_u64(&words, "read-ops", history->rate.reads);
	words_add_u64(&words, "write-ops", history->rate.writes);
	words_add_u64(&words, "read-bytes", history->rate.read_bytes);
	words_add_u64(&words, "write-bytes", history->rate.written_bytes);
	words_add_u64(&words, "busy-permille", history->rate.busy_msec);
	words_add_u64(&words, "in-flight", history->rate.in_flight);
	r = words_result(&words);
	snprintf(path, sizeof(path), VBD_PATH "%" PRIu32 "/rate", history->devid);
	return r < 0 ? r : report_add(report, path, words.text);
}

/* xenpv's driver counts, in debugfs, which a hardened guest hides. */
static int report_errors(const char *root, const struct disk *disk, struct report *report)
{
	static const char *const counters[][2] = {
		{ "\nio_errors ", "io" },
		{ "\nprotocol_errors ", "protocol" },
		{ "\ntimeouts ", "timeouts" },
	};
	_cleanup_(words_clear) struct words words = { 0 };
	_cleanup_free_ char *text = NULL;
	char path[64];
	int r;

	if (file_read(&text, "%s/sys/kernel/debug/xenpv/%s/stats", root, disk->name) < 0)
		return 0;
	for (size_t i = 0; i < ELEMENTSOF(counters); i++) {
		const char *line = strstr(text, counters[i][0]);
		uint64_t value;

		if (line && sscanf(line + strlen(counters[i][0]), "%" SCNu64, &value) == 1)
			words_add_u64(&words, counters[i][1], value);
	}
	r = words_result(&words);
	snprintf(path, sizeof(path), VBD_PATH "%" PRIu32 "/errors", disk->devid);
	return r < 0 || !words.text ? r : report_add(report, path, words.text);
}

int disks_report(struct disks *disks, const char *root, struct xs_conn *xs, struct report *report)
{
	_cleanup_(mounts_clear) struct mounts mounts = { 0 };
	struct disk_list list;
	int r;

	r = mounts_read(root, &mounts);
	if (r == -ENOMEM)
		return r;
	list_disks(root, &list);
	/* In turns, so that the first things to be left out are the last of every disk. */
	for (size_t i = 0; i < list.n; i++) {
		r = report_disk(root, xs, &list.list[i], report);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < list.n; i++) {
		r = report_volumes(disks, &mounts, root, &list.list[i], report);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < list.n; i++) {
		r = report_rate(find_history(disks, list.list[i].devid), report);
		if (r >= 0)
			r = report_errors(root, &list.list[i], report);
		if (r < 0)
			return r;
	}
	return 0;
}

void disks_clear(struct disks *disks)
{
	disks_forget(disks, NULL);
	free(disks->contents);
	*disks = (struct disks){ 0 };
}
