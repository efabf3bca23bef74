/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the nodes of a vbd say about its image. Pure code. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Prefix that we give to `params` when we refuse it; see nodes_tell_refusal(). */
#define IMAGE_REFUSED_PREFIX "refused:"

/* Values of backend nodes; NULL where a node is missing. */
struct image_nodes {
	const char *script;               /* path of the hotplug script */
	const char *params;               /* the target as configured */
	const char *physical_device;      /* "<major>:<minor>", written by the script */
	const char *physical_device_path; /* written by the script */
};

struct image_choice {
	const char *path; /* points into the nodes, or at devnode; NULL: not known yet */
	bool check_rdev;  /* path has to be this block device */
	uint32_t major, minor;
	char devnode[40];
};

/*
 * image_choose - find what is to be opened
 *
 * The stock script "block" puts a loop device between; the file itself is
 * opened instead, and before the script has run. What other scripts make of
 * their `params` only they know: their `physical-device-path` is opened.
 *
 * Returns 1 when ret->path is set, 0 when the script has to report first, or
 * -EINVAL with one line in @error when the nodes can never name an image.
 */
int image_choose(const struct image_nodes *nodes, struct image_choice *ret, char *error,
		 size_t error_size);

/* Mode of a vbd as the stock scripts read it: r, w, or w! (share with other writers). */
void image_parse_mode(const char *mode, bool *ret_readonly, bool *ret_shared);
