/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/poller.h"

#define START 2000 /* the first window; about the price of one sleep and wakeup */

void poller_init(struct poller *p, uint32_t max_us, unsigned int cpus)
{
	p->max = cpus > 1 ? max_us * UINT64_C(1000) : 0;
	p->window = 0;
}

void poller_learn(struct poller *p, uint64_t waited, bool slept)
{
	if (!slept) {
		/* it paid; keep a margin of two over what was needed, and give back the rest */
		if (p->window > 4 * waited && p->window / 2 >= START)
			p->window -= p->window / 8;
		return;
	}
	if (waited <= p->max) {
		p->window = p->window ? p->window * 2 : START;
		if (p->window > p->max)
			p->window = p->max;
	} else {
		p->window = p->window / 2 < START ? 0 : p->window / 2;
	}
}
