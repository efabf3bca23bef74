/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What guests do in a second, from two views. No side effects. */
#pragma once

#include "xenpv/host/view.h"

struct rates {
	uint32_t domid;
	double cpu;                   /* percent of one CPU */
	double reads, writes;         /* requests a second */
	double read_rate, write_rate; /* bytes a second */
	double latency_us;            /* mean time of a request; negative: not known */
	double queue;                 /* requests in flight; negative: not known */
	uint64_t others, errors;      /* sums since the devices were connected */
	uint64_t n_reads, n_writes;
	uint64_t sent, received; /* bytes */
	uint32_t rings;
	bool has_errors;
};

/*
 * rates_of - compare a guest with itself before
 * @before: NULL, or the same domain: then all rates are 0
 * @seconds: between the two, more than 0
 *
 * Counters that went backwards (a device that was connected anew) count from 0.
 */
void rates_of(const struct guest_view *before, const struct guest_view *now, double seconds,
	      struct rates *ret);

/* The same domain in another view, or NULL. */
const struct guest_view *rates_before(const struct view *before, const struct guest_view *now);
