// SPDX-License-Identifier: GPL-2.0-or-later
#include "vifstat.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "drivers.h"
#include "lib/cleanup.h"
#include "words.h"

#define VIF_PATH "data/xenpv/device/vif/"

static uint64_t per_second(uint64_t now, uint64_t before, uint64_t usec)
{
	return now < before ? 0 : (uint64_t)((double)(now - before) * 1e6 / (double)usec + 0.5);
}

static void set_rate(struct vif_history *history, const struct net_counters *counters, uint64_t now)
{
	const struct net_counters *last = &history->last;
	uint64_t usec = now - history->when;

	if (history->when && now > history->when) {
		history->rate = (struct net_counters){
			.rx_bytes = per_second(counters->rx_bytes, last->rx_bytes, usec),
			.tx_bytes = per_second(counters->tx_bytes, last->tx_bytes, usec),
			.rx_packets = per_second(counters->rx_packets, last->rx_packets, usec),
			.tx_packets = per_second(counters->tx_packets, last->tx_packets, usec),
		};
		history->has_rate = true;
	}
	history->last = *counters;
	history->when = now;
}

static const struct vif_history *find_history(const struct vif_histories *histories, uint32_t vif)
{
	for (size_t i = 0; i < histories->n; i++)
		if (histories->list[i].vif == vif)
			return &histories->list[i];
	return NULL;
}

void vifstat_sample(struct vif_histories *histories, const struct net_table *table, uint64_t now)
{
	for (size_t i = 0; i < histories->n; i++)
		histories->list[i].seen = false;
	for (size_t i = 0; i < table->n_links; i++) {
		const struct net_link *link = &table->links[i];
		struct vif_history *history;

		if (link->vif < 0)
			continue;
		history = (struct vif_history *)find_history(histories, (uint32_t)link->vif);
		if (!history) {
			if (histories->n == VIFS_MAX)
				continue;
			history = &histories->list[histories->n++];
			*history = (struct vif_history){ .vif = (uint32_t)link->vif };
		}
		history->seen = true;
		set_rate(history, &link->counters, now);
	}
	for (size_t i = histories->n; i-- > 0;)
		if (!histories->list[i].seen)
			histories->list[i] = histories->list[--histories->n];
}

/*
 * The queues in use, as driver and backend agreed upon them: the kernel shows no others here,
 * while over netlink it tells those that the driver has room for.
 */
static void add_queues(struct words *words, const char *root, const struct net_link *link)
{
	uint64_t tx = 0, rx = 0;
	struct dirent *entry;
	char path[PATH_MAX];
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/sys/class/net/%s/queues", root, link->name);
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		tx += strncmp(entry->d_name, "tx-", 3) == 0;
		rx += strncmp(entry->d_name, "rx-", 3) == 0;
	}
	closedir(dir);
	words_add_u64(words, "tx-queues", tx);
	words_add_u64(words, "rx-queues", rx);
}

static int report_vif(const struct net_link *link, const char *root, struct report *report)
{
	_cleanup_(words_clear) struct words words = { 0 };
	_cleanup_free_ char *driver = NULL, *description = NULL;
	char device[32], path[64];
	int r;

	snprintf(device, sizeof(device), "vif-%" PRId64, link->vif);
	r = driver_of(root, device, &driver);
	if (r >= 0)
		r = driver_describe(root, driver, &description);
	if (r == -ENOMEM)
		return r;
	words_add(&words, "name", link->name);
	words_add(&words, "driver", driver);
	words_add(&words, "version", description ? strrchr(description, ' ') + 1 : NULL);
	words_add(&words, "link", link->up && link->carrier ? "up" : "down");
	words_add_u64(&words, "mtu", link->mtu);
	add_queues(&words, root, link);
	r = words_result(&words);
	snprintf(path, sizeof(path), VIF_PATH "%" PRId64, link->vif);
	return r < 0 ? r : report_add(report, path, words.text);
}

static int report_rate(const struct vif_history *history, struct report *report)
{
	_cleanup_(words_clear) struct words words = { 0 };
	char path[64];
	int r;

	if (!history || !history->has_rate)
		return 0;
	words_add_u64(&words, "rx-bytes", history->rate.rx_bytes);
	words_add_u64(&words, "tx-bytes", history->rate.tx_bytes);
	words_add_u64(&words, "rx-packets", history->rate.rx_packets);
	words_add_u64(&words, "tx-packets", history->rate.tx_packets);
	r = words_result(&words);
	snprintf(path, sizeof(path), VIF_PATH "%" PRIu32 "/rate", history->vif);
	return r < 0 ? r : report_add(report, path, words.text);
}

static int report_errors(const struct net_link *link, struct report *report)
{
	_cleanup_(words_clear) struct words words = { 0 };
	char path[64];
	int r;

	words_add_u64(&words, "rx", link->counters.rx_errors);
	words_add_u64(&words, "tx", link->counters.tx_errors);
	words_add_u64(&words, "rx-dropped", link->counters.rx_dropped);
	words_add_u64(&words, "tx-dropped", link->counters.tx_dropped);
	r = words_result(&words);
	snprintf(path, sizeof(path), VIF_PATH "%" PRId64 "/errors", link->vif);
	return r < 0 ? r : report_add(report, path, words.text);
}

int vifstat_report(const struct vif_histories *histories, const struct net_table *table,
		   const char *root, struct report *report)
{
	size_t n = 0;

	for (size_t i = 0; i < table->n_links && n < VIFS_MAX; i++) {
		const struct net_link *link = &table->links[i];
		int r;

		if (link->vif < 0)
			continue;
		n++;
		r = report_vif(link, root, report);
		if (r >= 0)
			r = report_rate(find_history(histories, (uint32_t)link->vif), report);
		if (r >= 0)
			r = report_errors(link, report);
		if (r < 0)
			return r;
	}
	return 0;
}
