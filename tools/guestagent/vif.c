// SPDX-License-Identifier: GPL-2.0-or-later
#include "vif.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"

static struct vif_slots *find_slots(struct vif_memory *memory, uint32_t vif)
{
	struct vif_slots *slots;

	for (size_t i = 0; i < memory->n; i++)
		if (memory->slots[i].vif == vif)
			return &memory->slots[i];
	if (memory->n == VIFS_MAX)
		return NULL;
	slots = &memory->slots[memory->n++];
	*slots = (struct vif_slots){ .vif = vif };
	return slots;
}

static void forget_gone(const struct net_table *table, struct vif_memory *memory)
{
	for (size_t i = memory->n; i-- > 0;) {
		bool there = false;

		for (size_t j = 0; j < table->n_links && !there; j++)
			there = table->links[j].vif == memory->slots[i].vif;
		if (!there)
			memory->slots[i] = memory->slots[--memory->n];
	}
}

struct owned {
	const struct net_address **addresses;
	size_t n;
};

static bool has_address(const struct owned *owned, int family, const char *text)
{
	for (size_t i = 0; i < owned->n; i++)
		if (owned->addresses[i]->family == family &&
		    strcmp(owned->addresses[i]->text, text) == 0)
			return true;
	return false;
}

static void keep(char slots[VIF_ADDRESSES_MAX][INET6_ADDRSTRLEN], const char *text)
{
	int unused = -1;

	for (int i = 0; i < VIF_ADDRESSES_MAX; i++) {
		if (strcmp(slots[i], text) == 0)
			return;
		if (unused < 0 && !slots[i][0])
			unused = i;
	}
	if (unused >= 0)
		snprintf(slots[unused], INET6_ADDRSTRLEN, "%s", text);
}

static void update(const struct owned *owned, int family,
		   char slots[VIF_ADDRESSES_MAX][INET6_ADDRSTRLEN])
{
	for (int i = 0; i < VIF_ADDRESSES_MAX; i++)
		if (slots[i][0] && !has_address(owned, family, slots[i]))
			slots[i][0] = '\0';
	for (int link_local = 0; link_local <= 1; link_local++) {
		for (size_t i = 0; i < owned->n; i++) {
			const struct net_address *address = owned->addresses[i];

			if (address->family == family && address->link_local == link_local)
				keep(slots, address->text);
		}
	}
}

static int report_family(uint32_t vif, const char *family,
			 char slots[VIF_ADDRESSES_MAX][INET6_ADDRSTRLEN], struct report *report)
{
	for (int i = 0; i < VIF_ADDRESSES_MAX; i++) {
		char path[64];
		int r;

		if (!slots[i][0])
			continue;
		snprintf(path, sizeof(path), "attr/vif/%" PRIu32 "/%s/%d", vif, family, i);
		r = report_add(report, path, slots[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

static int report_vif(const struct net_link *link, struct vif_slots *slots, struct report *report)
{
	uint32_t vif = (uint32_t)link->vif;
	char path[64];
	int r;

	r = report_family(vif, "ipv4", slots->ipv4, report);
	if (r < 0)
		return r;
	r = report_family(vif, "ipv6", slots->ipv6, report);
	if (r < 0)
		return r;
	if (link->mac[0]) {
		snprintf(path, sizeof(path), "attr/vif/%" PRIu32 "/mac/0", vif);
		r = report_add(report, path, link->mac);
		if (r < 0)
			return r;
	}
	snprintf(path, sizeof(path), "attr/vif/%" PRIu32 "/name", vif);
	return report_add(report, path, link->name);
}

int vif_report(const struct net_table *table, struct vif_memory *memory, struct report *report)
{
	forget_gone(table, memory);
	for (size_t i = 0; i < table->n_links; i++) {
		const struct net_link *link = &table->links[i];
		_cleanup_free_ const struct net_address **addresses = NULL;
		struct vif_slots *slots;
		struct owned owned;
		int r;

		if (link->vif < 0)
			continue;
		slots = find_slots(memory, (uint32_t)link->vif);
		if (!slots)
			break;
		r = net_table_owned(table, link, &addresses, &owned.n);
		if (r < 0)
			return r;
		owned.addresses = addresses;
		update(&owned, AF_INET, slots->ipv4);
		update(&owned, AF_INET6, slots->ipv6);
		r = report_vif(link, slots, report);
		if (r < 0)
			return r;
	}
	return 0;
}
