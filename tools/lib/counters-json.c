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

#define DISK(field)                                                                                \
	{                                                                                          \
#field, offsetof(struct disk_counts, field), 1, 1                                  \
	}
#define VIF(field)                                                                                 \
	{                                                                                          \
#field, offsetof(struct vif_counts, field), 1, 1                                   \
	}
#define SECTORS(to, from)                                                                          \
	{                                                                                          \
#to, offsetof(struct disk_counts, from), 512, 1                                    \
	}
#define END                                                                                        \
	{                                                                                          \
		NULL, 0, 1, 1                                                                      \
	}

static const struct figure disk_figures[] = {
	DISK(reads),
	DISK(writes),
	DISK(flushes),
	DISK(discards),
	SECTORS(read_bytes, sectors_read),
	SECTORS(written_bytes, sectors_written),
	DISK(errors),
	DISK(in_flight),
	{ "busy_us", offsetof(struct disk_counts, busy_ns), 1, 1000 },
	DISK(events_received),
	DISK(events_sent),
	DISK(polls),
	DISK(grant_copies),
	DISK(grant_maps),
	DISK(grant_unmaps),
	DISK(persistent_hits),
	DISK(replayed),
	END,
};

static const struct figure vif_figures[] = {
	VIF(tx_packets),   VIF(tx_bytes),        VIF(tx_dropped),  VIF(tx_errors),
	VIF(rx_packets),   VIF(rx_bytes),        VIF(rx_dropped),  VIF(rx_stalls),
	VIF(rx_stalled),   VIF(events_received), VIF(events_sent), VIF(polls),
	VIF(grant_copies), VIF(static_hits),     VIF(rate_delays), END,
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
