/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What guests do in a second, from two views. No side effects. */
#pragma once

#include "xenpv/host/view.h"

/* One disk in a second. Negative: not known. */
struct disk_rates {
	double reads, writes;         /* requests */
	double read_rate, write_rate; /* bytes */
	double requests, busy_us;     /* of all kinds since before; 0 if times are not counted */
	double latency_us;            /* mean time of a request */
	double queue;                 /* requests in flight now */
};

/* One interface in a second, as the guest sees it. */
struct vif_rates {
	double sent_packets, received_packets;
	double sent_rate, received_rate; /* bytes */
};

struct rates {
	uint32_t domid;
	double cpu;                   /* percent of one CPU */
	double reads, writes;         /* requests a second */
	double read_rate, write_rate; /* bytes a second */
	double latency_us;            /* mean time of a request; negative: not known */
	double queue;                 /* requests in flight; negative: not known */
	uint64_t others, errors;      /* sums since the devices were connected */
	uint64_t n_reads, n_writes;
	uint64_t sent, received;         /* bytes */
	double sent_rate, received_rate; /* bytes a second */
	uint32_t rings;
	bool has_errors;
};

/*
 * rates_of - compare a guest with itself before
 * @before: NULL, or the same domain: then all rates are 0
 * @seconds: between the two, more than 0
 *
 * When any counter of a device went backwards it is another device, and all of them count
 * from 0.
 */
void rates_of(const struct guest_view *before, const struct guest_view *now, double seconds,
	      struct rates *ret);

/* The same for one device; @before is the guest, or NULL. */
void rates_of_vbd(const struct guest_view *before, const struct vbd_view *now, double seconds,
		  struct disk_rates *ret);
void rates_of_vif(const struct guest_view *before, const struct vif_view *now, double seconds,
		  struct vif_rates *ret);

/* The same domain in another view, or NULL. */
const struct guest_view *rates_before(const struct view *before, const struct guest_view *now);
