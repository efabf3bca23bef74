/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text that others wrote. */
#pragma once

#include <stddef.h>

/*
 * text_fit - make text of a guest, or of a file, fit for a terminal and for JSON
 *
 * Cuts it at @max bytes between two characters; control characters and what is not UTF-8 become
 * '?'.
 */
void text_fit(char *text, size_t max);
