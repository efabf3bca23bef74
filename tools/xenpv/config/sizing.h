/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much memory what takes, by the formulas for hosts of paravirtual guests:
 *
 *	for guests  = installed - hypervisor - firmware - dom0
 *	hypervisor  = 32 MB + installed / 64
 *	a guest     = its memory + 8 MB + 1 MB per vCPU + 8 MB per GB of its memory
 *	its drivers = 2.7 MB + 0.6 MB per VBD + 1.2 MB per VNIF, within its memory
 *	dom0        = its own system + 16 MB per guest + the drivers' part of every guest,
 *	              and not less than 1024 MB
 *
 * Everything is in tenths of a MB (1 MB = 1048576 bytes), so that nothing is lost; sums of what
 * is needed are rounded up. No figure overflows while memory is below SIZING_MAX_MB.
 */
#pragma once

#include <stdint.h>

#define SIZING_MB              10 /* tenths */
#define SIZING_MAX_MB          (UINT64_C(1) << 40)
#define SIZING_FIRMWARE_MB     48
#define SIZING_DOM0_MIN_MB     1024
#define SIZING_GUEST_MAX_MB    (256 * UINT64_C(1024))
#define SIZING_GUESTS_MAX      60
#define SIZING_VCPUS_MAX       120 /* dom0's and all guests' */
#define SIZING_GUEST_VCPUS_MAX 32
#define SIZING_GUEST_VBDS_MAX  16
#define SIZING_GUEST_VNIFS_MAX 10

/*
 * What xenpv-backendd has been measured to take, in KiB, for programs that are in use: the
 * proportional set size of broker and workers without the guests' own pages, which they map.
 * Each is what one more guest, ring or interface added, after large requests on every disk at
 * once and traffic on every interface; the figures are rounded up to 64 KiB. The measurement:
 *
 *	tests/run --bench uml --slow memory_of_the_daemon
 *
 * A disk has a ring, and an interface a queue, for each vCPU, up to SIZING_RINGS_MAX.
 */
#define SIZING_BROKER_KIB 1088
#define SIZING_WORKER_KIB 1280 /* for a guest, whatever it has */
#define SIZING_RING_KIB   704  /* of a VBD */
#define SIZING_QUEUE_KIB  512  /* of a VNIF */
#define SIZING_RINGS_MAX  8
/* The bound of the buffers of a ring, in use while it is full of large requests that are bounced.
 */
#define SIZING_RING_MAX_MB 8

struct sizing_guest {
	uint64_t memory_mb; /* as configured */
	uint32_t vcpus, vbds, vnifs;
	uint32_t count; /* guests like this one */
};

/* Tenths of MB. */
uint64_t sizing_hypervisor(uint64_t installed_mb);
uint64_t sizing_drivers(const struct sizing_guest *g);
uint64_t sizing_overhead(const struct sizing_guest *g);

/*
 * What xenpv-backendd takes for the @n kinds of guests together, in tenths of MB, rounded up: as
 * measured, and with all buffers of all rings full. It is part of dom0's memory.
 */
uint64_t sizing_backend(const struct sizing_guest *guests, uint32_t n);
uint64_t sizing_backend_max(const struct sizing_guest *guests, uint32_t n);

struct sizing {
	uint64_t hypervisor, firmware, dom0, dom0_devices; /* tenths of MB */
	uint64_t guests;                                   /* memory and overhead of all */
	uint64_t assignable; /* what is left for guests; 0 if nothing is */
	uint64_t n_guests, vcpus;
	int64_t left; /* assignable - guests; negative: too little is installed */
};

/*
 * sizing_host - add all up
 * @installed_mb: 0 if it is asked for; then assignable and left are 0
 * @dom0_mb: dom0's memory as it is set, or 0: what the formula says
 * @dom0_native_mb: what dom0's own system takes without guests
 */
void sizing_host(const struct sizing_guest *guests, uint32_t n, uint64_t installed_mb,
		 uint64_t dom0_mb, uint64_t dom0_native_mb, struct sizing *ret);

/* The least installed memory, in MB, in which all of this has room. */
uint64_t sizing_installed_min(const struct sizing *s);
