/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/vif-ahead.h"

#define RUN_MAX (1u << 16) /* longer is not counted */

void vif_ahead_found(struct vif_ahead *a, uint32_t n)
{
	a->run = n < RUN_MAX - a->run ? a->run + n : RUN_MAX;
}

void vif_ahead_end(struct vif_ahead *a)
{
	/* looked at, and nothing there: no run */
	if (!a->run)
		return;
	a->before = a->last;
	a->last = a->run;
	a->run = 0;
}

uint32_t vif_ahead_next(const struct vif_ahead *a, uint32_t most, bool freely)
{
	uint32_t usual = a->last < a->before ? a->last : a->before, n = 0;

	/* whether there is anything at all the first one tells */
	if (!a->run)
		return 0;
	if (usual > a->run)
		n = usual - a->run;
	else if (a->run >= 2 * usual)
		n = a->run;
	if (n < VIF_AHEAD_LEAST)
		return 0;
	if (freely)
		n *= 2;
	if (n > most)
		n = most;
	return n < VIF_AHEAD_LEAST ? 0 : n;
}
