/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/moderate.h"

#define ROUND 16u /* wakes that are looked at together */
#define TRIAL 4u  /* and those that a trial takes */
#define FEW   4u  /* packets, on average, that are not worth a wakeup */
#define IDLE  16u /* times as long asleep as at work */
/* Traffic changes: a flood is noticed after this many wakes, whatever came before it. */
#define WAIT_MAX 256u

void moderate_init(struct moderate *m)
{
	*m = (struct moderate){ .wait = ROUND };
}

static void begin(struct moderate *m, int state)
{
	m->state = state;
	m->wakes = m->packets = 0;
	m->delay = 0;
}

static uint64_t delay(struct moderate *m)
{
	m->delay = 2 * m->cost < MODERATE_MAX ? 2 * m->cost : MODERATE_MAX;
	return m->delay;
}

/* It did not pay: not again for so many wakes. */
static void give_up(struct moderate *m)
{
	m->wait = m->wait * 2 < WAIT_MAX ? m->wait * 2 : WAIT_MAX;
	begin(m, MODERATE_OFF);
}

static void learn_cost(struct moderate *m, uint32_t packets, uint64_t worked)
{
	if (packets <= FEW)
		m->cost = m->cost ? m->cost - m->cost / 8 + worked / 8 : worked;
}

static uint64_t next_off(struct moderate *m, uint64_t worked, uint64_t slept)
{
	/* There is time enough, and nobody to share it with. */
	if (slept > IDLE * worked || m->packets > FEW * m->wakes) {
		begin(m, MODERATE_OFF);
		return 0;
	}
	if (m->wakes < m->wait)
		return 0;
	m->before = m->packets * ROUND / m->wakes;
	begin(m, MODERATE_TRIAL);
	return delay(m);
}

uint64_t moderate_next(struct moderate *m, uint32_t packets, uint64_t worked, uint64_t slept)
{
	if (!packets) {
		/* What the guest sends ends a moment early. */
		if (slept < m->delay)
			return m->delay;
		/* A moment passed and nothing came: the burst is over. */
		if (m->state == MODERATE_TRIAL)
			give_up(m);
		else if (m->state == MODERATE_ON)
			begin(m, MODERATE_OFF);
		return 0;
	}
	learn_cost(m, packets, worked);
	m->wakes++;
	m->packets += packets;
	if (m->state == MODERATE_OFF)
		return next_off(m, worked, slept);
	if (m->wakes == (m->state == MODERATE_TRIAL ? TRIAL : ROUND)) {
		if (m->packets * ROUND < 2 * m->before * m->wakes) {
			give_up(m);
			return 0;
		}
		m->wait = ROUND;
		begin(m, MODERATE_ON);
	}
	return delay(m);
}
