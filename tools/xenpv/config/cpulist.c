// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/parse.h"
#include "xenpv/config/domcfg.h"

static int range(char *word, uint32_t *ret_first, uint32_t *ret_last)
{
	char *dash = strchr(word, '-');
	int r;

	if (dash)
		*dash = '\0';
	r = parse_u32(word, 0, CPULIST_MAX - 1, ret_first);
	if (r < 0)
		return r;
	*ret_last = *ret_first;
	if (dash)
		r = parse_u32(dash + 1, 0, CPULIST_MAX - 1, ret_last);
	if (r >= 0 && *ret_last < *ret_first)
		r = -EINVAL;
	return r;
}

int cpulist_parse(const char *text, uint32_t cpus, uint64_t ret_mask[CPULIST_MAX / 64])
{
	_cleanup_free_ char *copy = strdup(text);
	uint64_t mask[CPULIST_MAX / 64] = { 0 };
	char *save = NULL, *word;
	size_t n = 0;

	if (!copy)
		return -ENOMEM;
	/* two commas, or one at an end, are no list */
	if (!*text || *text == ',' || text[strlen(text) - 1] == ',' || strstr(text, ",,"))
		return -EINVAL;
	for (word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save), n++) {
		uint32_t first = 0, last = cpus - 1;
		bool without;
		int r;

		word += strspn(word, " \t");
		word[strcspn(word, " \t")] = '\0';
		without = *word == '^';
		word += without;
		if (!strncmp(word, "node", 4) || !strcmp(word, "hard") || !strcmp(word, "soft"))
			return -ENOTSUP;
		if (strcmp(word, "all") != 0) {
			r = range(word, &first, &last);
			if (r < 0)
				return r;
		}
		for (uint32_t cpu = 0; without && n == 0 && cpu < cpus; cpu++)
			mask[cpu / 64] |= UINT64_C(1) << cpu % 64;
		for (uint32_t cpu = first; cpu <= last; cpu++) {
			if (without)
				mask[cpu / 64] &= ~(UINT64_C(1) << cpu % 64);
			else
				mask[cpu / 64] |= UINT64_C(1) << cpu % 64;
		}
	}
	memcpy(ret_mask, mask, sizeof(mask));
	return 0;
}
