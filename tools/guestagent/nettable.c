// SPDX-License-Identifier: GPL-2.0-or-later
#include "nettable.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"

static int grow(void **array, size_t n, size_t *allocated, size_t size, size_t max)
{
	size_t want = *allocated ? 2 * *allocated : 16;
	void *more;

	if (n >= max)
		return -E2BIG;
	if (n < *allocated)
		return 0;
	more = reallocarray(*array, want, size);
	if (!more)
		return -ENOMEM;
	*array = more;
	*allocated = want;
	return 0;
}

int net_table_add_link(struct net_table *table, const struct net_link *link)
{
	int r = grow((void **)&table->links, table->n_links, &table->allocated_links, sizeof(*link),
		     NET_LINKS_MAX);

	if (r < 0)
		return r;
	table->links[table->n_links++] = *link;
	return 0;
}

int net_table_add_address(struct net_table *table, const struct net_address *address)
{
	int r = grow((void **)&table->addresses, table->n_addresses, &table->allocated_addresses,
		     sizeof(*address), NET_ADDRESSES_MAX);

	if (r < 0)
		return r;
	table->addresses[table->n_addresses++] = *address;
	return 0;
}

void net_table_clear(struct net_table *table)
{
	free(table->links);
	free(table->addresses);
	*table = (struct net_table){ 0 };
}

const struct net_link *net_table_link(const struct net_table *table, int index)
{
	for (size_t i = 0; i < table->n_links; i++)
		if (table->links[i].index == index)
			return &table->links[i];
	return NULL;
}

static bool stands_on(const struct net_link *upper, const struct net_link *lower)
{
	return upper->lower == lower->index || upper->index == lower->master;
}

/* Mark all links that stand on @vif, itself included; each is looked at once. */
static int mark_owned(const struct net_table *table, const struct net_link *vif, bool *owned)
{
	_cleanup_free_ size_t *queue = calloc(table->n_links, sizeof(*queue));
	size_t head = 0, tail = 0;

	if (!queue)
		return -ENOMEM;
	owned[vif - table->links] = true;
	queue[tail++] = (size_t)(vif - table->links);
	while (head < tail) {
		const struct net_link *lower = &table->links[queue[head++]];

		for (size_t i = 0; i < table->n_links; i++) {
			if (owned[i] || !stands_on(&table->links[i], lower))
				continue;
			owned[i] = true;
			queue[tail++] = i;
		}
	}
	return 0;
}

int net_table_owned(const struct net_table *table, const struct net_link *vif,
		    const struct net_address ***ret, size_t *ret_n)
{
	_cleanup_free_ const struct net_address **found = NULL;
	_cleanup_free_ bool *owned = calloc(table->n_links, sizeof(*owned));
	size_t n = 0;
	int r;

	found = calloc(table->n_addresses ?: 1, sizeof(*found));
	if (!owned || !found)
		return -ENOMEM;
	r = mark_owned(table, vif, owned);
	if (r < 0)
		return r;
	for (size_t i = 0; i < table->n_addresses; i++) {
		const struct net_link *link = net_table_link(table, table->addresses[i].index);

		if (link && owned[link - table->links])
			found[n++] = &table->addresses[i];
	}
	*ret = TAKE_PTR(found);
	*ret_n = n;
	return 0;
}
