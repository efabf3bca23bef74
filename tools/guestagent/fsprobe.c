// SPDX-License-Identifier: GPL-2.0-or-later
#include "fsprobe.h"

#include <fcntl.h>
#include <blkid/blkid.h>

#include "lib/cleanup.h"

static void free_probep(blkid_probe *probe)
{
	if (*probe)
		blkid_free_probe(*probe);
}

static void add(blkid_probe probe, const char *name, struct words *words, const char *key)
{
	const char *value;

	if (blkid_probe_lookup_value(probe, name, &value, NULL) == 0)
		words_add(words, key, value);
}

void fsprobe(const char *path, struct words *words)
{
	_cleanup_(free_probep) blkid_probe probe = NULL;
	_cleanup_close_ int fd = -1;
	int r;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return;
	probe = blkid_new_probe();
	if (!probe || blkid_probe_set_device(probe, fd, 0, 0) != 0)
		return;
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL |
							 BLKID_SUBLKS_UUID);
	r = blkid_do_safeprobe(probe);
	if (r == -2)
		words_add(words, "type", "ambiguous");
	if (r != 0)
		return;
	add(probe, "TYPE", words, "type");
	add(probe, "LABEL", words, "label");
	add(probe, "UUID", words, "uuid");
}
