// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/config/sizing.h"

static uint64_t up(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

uint64_t sizing_hypervisor(uint64_t installed_mb)
{
	return 32 * SIZING_MB + up(installed_mb * SIZING_MB, 64);
}

uint64_t sizing_drivers(const struct sizing_guest *g)
{
	return (g->vbds ? 27 + UINT64_C(6) * g->vbds : 0) + UINT64_C(12) * g->vnifs;
}

uint64_t sizing_overhead(const struct sizing_guest *g)
{
	return (8 + (uint64_t)g->vcpus) * SIZING_MB + up(8 * g->memory_mb * SIZING_MB, 1024);
}

static uint64_t rings(const struct sizing_guest *g)
{
	return g->vcpus < SIZING_RINGS_MAX ? g->vcpus : SIZING_RINGS_MAX;
}

uint64_t sizing_backend(const struct sizing_guest *guests, uint32_t n)
{
	uint64_t kib = SIZING_BROKER_KIB;

	for (uint32_t i = 0; i < n; i++) {
		const struct sizing_guest *g = &guests[i];

		kib += g->count * (SIZING_WORKER_KIB + rings(g) * (g->vbds * SIZING_RING_KIB +
								   g->vnifs * SIZING_QUEUE_KIB));
	}
	return up(kib * SIZING_MB, 1024);
}

uint64_t sizing_backend_max(const struct sizing_guest *guests, uint32_t n)
{
	uint64_t buffers = 0;

	for (uint32_t i = 0; i < n; i++)
		buffers += rings(&guests[i]) * guests[i].vbds * guests[i].count;
	return sizing_backend(guests, n) + buffers * SIZING_RING_MAX_MB * SIZING_MB;
}

void sizing_host(const struct sizing_guest *guests, uint32_t n, uint64_t installed_mb,
		 uint64_t dom0_mb, uint64_t dom0_native_mb, struct sizing *ret)
{
	struct sizing s = { .firmware = SIZING_FIRMWARE_MB * SIZING_MB };
	uint64_t taken;

	for (uint32_t i = 0; i < n; i++) {
		const struct sizing_guest *g = &guests[i];

		s.n_guests += g->count;
		s.vcpus += (uint64_t)g->vcpus * g->count;
		s.dom0_devices += sizing_drivers(g) * g->count;
		s.guests += (g->memory_mb * SIZING_MB + sizing_overhead(g)) * g->count;
	}
	s.dom0 = dom0_mb * SIZING_MB;
	if (!dom0_mb) {
		s.dom0 = (dom0_native_mb + 16 * s.n_guests) * SIZING_MB + s.dom0_devices;
		if (s.dom0 < SIZING_DOM0_MIN_MB * SIZING_MB)
			s.dom0 = SIZING_DOM0_MIN_MB * SIZING_MB;
	}
	if (installed_mb) {
		s.hypervisor = sizing_hypervisor(installed_mb);
		taken = s.hypervisor + s.firmware + s.dom0;
		if (installed_mb * SIZING_MB > taken)
			s.assignable = installed_mb * SIZING_MB - taken;
		s.left = (int64_t)(installed_mb * SIZING_MB) - (int64_t)(taken + s.guests);
	}
	*ret = s;
}

uint64_t sizing_installed_min(const struct sizing *s)
{
	uint64_t all = s->firmware + s->dom0 + s->guests;
	uint64_t mb = all / SIZING_MB; /* too little: the hypervisor's part is missing */

	mb += mb / 63;
	while (mb * SIZING_MB < sizing_hypervisor(mb) + all)
		mb++;
	return mb;
}
