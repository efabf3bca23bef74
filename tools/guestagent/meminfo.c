// SPDX-License-Identifier: GPL-2.0-or-later
#include "meminfo.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "file.h"
#include "lib/cleanup.h"
#include "lib/parse.h"
#include "words.h"

#define BALLOON "/sys/devices/system/xen_memory/xen_memory0"

struct meminfo {
	uint64_t total, available, swap_total, swap_free; /* KiB */
};

/* The number in a line "Key:   123 kB"; 0 if there is none. */
static uint64_t value_of(const char *text, const char *key)
{
	size_t length = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		char number[24];
		uint64_t value;
		size_t n;

		line += *line == '\n';
		if (strncmp(line, key, length) != 0 || line[length] != ':')
			continue;
		line += length + 1;
		line += strspn(line, " ");
		n = strspn(line, "0123456789");
		if (n >= sizeof(number))
			return 0;
		memcpy(number, line, n);
		number[n] = '\0';
		return parse_u64(number, 0, UINT64_MAX, &value) < 0 ? 0 : value;
	}
	return 0;
}

static bool read_meminfo(const char *root, struct meminfo *ret)
{
	_cleanup_free_ char *text = NULL;

	if (file_read(&text, "%s/proc/meminfo", root) < 0)
		return false;
	*ret = (struct meminfo){
		.total = value_of(text, "MemTotal"),
		.available = value_of(text, "MemAvailable"),
		.swap_total = value_of(text, "SwapTotal"),
		.swap_free = value_of(text, "SwapFree"),
	};
	return ret->total > 0;
}

int meminfo_report(const char *root, struct report *report)
{
	struct meminfo info;
	int r;

	if (!read_meminfo(root, &info))
		return 0;
	r = report_addf(report, "data/meminfo_total", "%" PRIu64, info.total);
	if (r < 0)
		return r;
	return report_addf(report, "data/meminfo_free", "%" PRIu64, info.available);
}

int memory_report(const char *root, struct report *report)
{
	_cleanup_(words_clear) struct words words = { 0 };
	struct meminfo info;
	uint64_t value;
	int r;

	if (!read_meminfo(root, &info))
		return 0;
	words_add_u64(&words, "total", info.total);
	words_add_u64(&words, "available", info.available);
	words_add_u64(&words, "swap-total", info.swap_total);
	words_add_u64(&words, "swap-free", info.swap_free);
	if (file_read_u64(&value, "%s" BALLOON "/info/current_kb", root) >= 0)
		words_add_u64(&words, "current", value);
	if (file_read_u64(&value, "%s" BALLOON "/target_kb", root) >= 0)
		words_add_u64(&words, "target", value);
	r = words_result(&words);
	return r < 0 ? r : report_add(report, "data/xenpv/device/memory", words.text);
}
