/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lies on a block device: file system, label, UUID (libblkid). */
#pragma once

#include "words.h"

/*
 * fsprobe - add "type= label= uuid=" of the device at @path to @words
 *
 * Reads the device. What is not found, or a device that cannot be opened, adds nothing;
 * an ambiguous content adds "type=ambiguous", which no program would mount.
 */
void fsprobe(const char *path, struct words *words);
