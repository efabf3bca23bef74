// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/counters-json.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/counters.h"

struct figure {
	const char *name;
	size_t offset; /* in union counters_block */
	uint64_t times, over;
};

static const struct figure disk_figures[] = {
	{ "reads", offsetof(struct disk_counts, reads), 1, 1 },
	{ "writes", offsetof(struct disk_counts, writes), 1, 1 },
	{ "flushes", offsetof(struct disk_counts, flushes), 1, 1 },
	{ "discards", offsetof(struct disk_counts, discards), 1, 1 },
	{ "read_bytes", offsetof(struct disk_counts, sectors_read), 512, 1 },
	{ "written_bytes", offsetof(struct disk_counts, sectors_written), 512, 1 },
	{ "errors", offsetof(struct disk_counts, errors), 1, 1 },
	{ "in_flight", offsetof(struct disk_counts, in_flight), 1, 1 },
	{ "busy_us", offsetof(struct disk_counts, busy_ns), 1, 1000 },
	{ "events_received", offsetof(struct disk_counts, events_received), 1, 1 },
	{ "events_sent", offsetof(struct disk_counts, events_sent), 1, 1 },
	{ "polls", offsetof(struct disk_counts, polls), 1, 1 },
	{ "grant_copies", offsetof(struct disk_counts, grant_copies), 1, 1 },
	{ "grant_maps", offsetof(struct disk_counts, grant_maps), 1, 1 },
	{ "grant_unmaps", offsetof(struct disk_counts, grant_unmaps), 1, 1 },
	{ "persistent_hits", offsetof(struct disk_counts, persistent_hits), 1, 1 },
	{ "replayed", offsetof(struct disk_counts, replayed), 1, 1 },
	{ NULL, 0, 1, 1 },
};

static const struct figure vif_figures[] = {
	{ "tx_packets", offsetof(struct vif_counts, tx_packets), 1, 1 },
	{ "tx_bytes", offsetof(struct vif_counts, tx_bytes), 1, 1 },
	{ "tx_dropped", offsetof(struct vif_counts, tx_dropped), 1, 1 },
	{ "tx_errors", offsetof(struct vif_counts, tx_errors), 1, 1 },
	{ "rx_packets", offsetof(struct vif_counts, rx_packets), 1, 1 },
	{ "rx_bytes", offsetof(struct vif_counts, rx_bytes), 1, 1 },
	{ "rx_dropped", offsetof(struct vif_counts, rx_dropped), 1, 1 },
	{ "rx_stalls", offsetof(struct vif_counts, rx_stalls), 1, 1 },
	{ "rx_stalled", offsetof(struct vif_counts, rx_stalled), 1, 1 },
	{ "events_received", offsetof(struct vif_counts, events_received), 1, 1 },
	{ "events_sent", offsetof(struct vif_counts, events_sent), 1, 1 },
	{ "polls", offsetof(struct vif_counts, polls), 1, 1 },
	{ "grant_copies", offsetof(struct vif_counts, grant_copies), 1, 1 },
	{ "static_hits", offsetof(struct vif_counts, static_hits), 1, 1 },
	{ "rate_delays", offsetof(struct vif_counts, rate_delays), 1, 1 },
	{ "delays", offsetof(struct vif_counts, delays), 1, 1 },
	{ NULL, 0, 1, 1 },
};

static struct json_object *block_json(const union counters_block *block, const struct figure *f)
{
	struct json_object *o = json_object_new_object();

	for (; f->name; f++) {
		uint64_t value = block->word[f->offset / sizeof(uint64_t)];

		json_object_object_add(o, f->name,
				       json_object_new_uint64(value * f->times / f->over));
	}
	return o;
}

static struct json_object *file_json(const struct counters_file *file, const struct figure *f)
{
	struct json_object *queues = json_object_new_array(), *o;
	union counters_block sum;

	counters_sum(file, &sum);
	o = block_json(&sum, f);
	for (uint32_t i = 0; i < file->head.blocks; i++)
		json_object_array_add(queues, block_json(&file->block[i], f));
	json_object_object_add(o, "queues", queues);
	return o;
}

static void complete(struct json_object *device, int dir)
{
	struct json_object *kind, *name;
	struct counters_file file;
	bool vif;

	if (!json_object_object_get_ex(device, "kind", &kind) ||
	    !json_object_object_get_ex(device, "counters", &name) ||
	    !json_object_is_type(name, json_type_string))
		return;
	vif = strcmp(json_object_get_string(kind) ?: "", "vif") == 0;
	if (counters_read(dir, json_object_get_string(name), vif ? COUNTERS_VIF : COUNTERS_DISK,
			  &file) >= 0)
		json_object_object_add(device, "io",
				       file_json(&file, vif ? vif_figures : disk_figures));
	json_object_object_del(device, "counters");
}

/* The array @key of an object, or NULL. */
static struct json_object *array_of(struct json_object *o, const char *key)
{
	struct json_object *array;

	return json_object_object_get_ex(o, key, &array) &&
			       json_object_is_type(array, json_type_array)
		       ? array
		       : NULL;
}

void counters_add_json(struct json_object *status, const char *dir)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct json_object *guests = array_of(status, "guests");

	for (size_t i = 0; fd >= 0 && guests && i < json_object_array_length(guests); i++) {
		struct json_object *devices =
			array_of(json_object_array_get_idx(guests, i), "devices");

		for (size_t k = 0; devices && k < json_object_array_length(devices); k++)
			complete(json_object_array_get_idx(devices, k), fd);
	}
}
