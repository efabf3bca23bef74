/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places where a worker may die, for the test that dies at each of them in turn.
 * Nothing in a normal build.
 */
#pragma once

#ifdef WORKER_CRASH_POINTS
void crash_point(void);
#else
static inline void crash_point(void)
{
}
#endif
