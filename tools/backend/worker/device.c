/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "worker/device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

__attribute__((format(printf, 3, 4))) static int refuse(char *error, int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error, WORKER_ERROR_SIZE, fmt, ap);
	va_end(ap);
	return r;
}

static bool power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

static int check_image(const struct storage_image *image, char *error)
{
	if (image->kind != STORAGE_FILE)
		return refuse(error, -EOPNOTSUPP, "storage kind %d is unknown", image->kind);
	if (image->logical_block != 512 && image->logical_block != 4096)
		return refuse(error, -EINVAL, "logical block of %u bytes", image->logical_block);
	if (image->direct && (!power_of_two(image->dio_align) || image->dio_align > 4096))
		return refuse(error, -EINVAL, "direct I/O alignment of %u bytes", image->dio_align);
	if (image->size < image->logical_block || image->size > INT64_MAX)
		return refuse(error, -EINVAL, "size of %" PRIu64 " bytes", image->size);
	return 0;
}

/* Whole logical blocks, in sectors. */
static uint64_t to_sectors(const struct device *d, uint64_t size)
{
	return size / d->image.logical_block * (d->image.logical_block / ABI_SECTOR_SIZE);
}

int device_new(const struct device_env *env, uint32_t devid, const struct worker_attach *attach,
	       const int fds[DEVICE_FDS], struct device **ret, char error[WORKER_ERROR_SIZE])
{
	struct device *d = NULL;
	int r;

	r = check_image(&attach->image, error);
	if (r < 0)
		goto fail;
	d = calloc(1, sizeof(*d));
	if (!d) {
		r = refuse(error, -ENOMEM, "out of memory");
		goto fail;
	}
	d->env = env;
	d->image = attach->image;
	d->image.fd = fds[0];
	d->journal_fd = fds[1];
	d->counters_fd = fds[2];
	d->sectors = to_sectors(d, d->image.size);
	d->about.domid = env->hello.domid;
	d->about.devid = devid;
	snprintf(d->about.name, sizeof(d->about.name), "vbd-%" PRIu32 "-%" PRIu32, env->hello.domid,
		 devid);
	*ret = d;
	return 0;

fail:
	for (int i = 0; i < DEVICE_FDS; i++)
		close(fds[i]);
	return r;
}

void device_free(struct device *d)
{
	if (!d)
		return;
	journal_close(&d->journal);
	counters_close(&d->counters);
	close(d->image.fd);
	close(d->journal_fd);
	close(d->counters_fd);
	free(d);
}

static int check_connect(const struct device *d, const struct worker_connect *c, char *error)
{
	if (d->state != DEVICE_ATTACHED)
		return refuse(error, -EBUSY, "the disk is %s",
			      d->state == DEVICE_CONNECTED ? "connected already"
							   : "still being disconnected");
	if (c->rings < 1 || c->rings > WORKER_MAX_RINGS)
		return refuse(error, -EINVAL, "%u rings, not 1..%u", c->rings, WORKER_MAX_RINGS);
	if (!power_of_two(c->ring_pages) || c->ring_pages > WORKER_MAX_RING_PAGES)
		return refuse(error, -EINVAL, "%u ring pages", c->ring_pages);
	if (!abi_get(c->abi))
		return refuse(error, -EINVAL, "ring ABI %u is unknown", c->abi);
	if (c->max_indirect > ABI_MAX_SEGMENTS)
		return refuse(error, -EINVAL, "%u indirect segments, at most %u can be served",
			      c->max_indirect, ABI_MAX_SEGMENTS);
	return 0;
}

static void ring_failed(void *arg, uint32_t number, int error, const char *text)
{
	struct device *d = arg;

	d->env->ring_failed(d->env->arg, WORKER_VBD, d->about.devid, number, error, text);
}

static void make_identity(const struct device *d, const struct worker_connect *c,
			  struct journal_identity *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->domid = d->env->hello.domid;
	ret->rings = c->rings;
	ret->ring_pages = c->ring_pages;
	ret->abi = abi_get(c->abi) == abi_get(WORKER_ABI_X86_32) ? WORKER_ABI_X86_32
								 : WORKER_ABI_X86_64;
	for (uint32_t i = 0; i < c->rings; i++) {
		ret->evtchn[i] = c->evtchn[i];
		memcpy(ret->ring_ref[i], c->ring_ref[i], c->ring_pages * sizeof(uint32_t));
	}
}

/* The journal of a connection that goes on, or a new one. @ret_recover tells which. */
static int prepare_journal(struct device *d, const struct worker_connect *c, bool *ret_recover,
			   char *error)
{
	uint32_t slots = abi_ring_slots(abi_get(c->abi), c->ring_pages);
	uint32_t first[WORKER_MAX_RINGS];
	struct journal_identity identity;
	const char *why = NULL;
	int r;

	make_identity(d, c, &identity);
	/*
	 * A connected frontend without any journal comes from a backend that kept
	 * none and left nothing in flight (xen-blkback, unbound): go on where the
	 * responses stand.
	 */
	*ret_recover = c->reattach && journal_exists(d->journal_fd);
	if (*ret_recover) {
		r = journal_open(&d->journal, d->journal_fd, &identity, slots, &why);
		if (r < 0)
			return refuse(
				error, r,
				"the in-flight journal %s; the guest has to reconnect the disk",
				why);
		return 0;
	}

	for (uint32_t i = 0; i < c->rings; i++)
		first[i] = queue_first_index(d->queue[i]);
	r = journal_create(&d->journal, d->journal_fd, &identity, slots, first);
	if (r < 0)
		return refuse(error, r, "cannot create the in-flight journal: %s", strerror(-r));
	return 0;
}

static int make_queues(struct device *d, const struct worker_connect *c, const int *evtchn_fds,
		       char *error)
{
	const struct worker_hello *hello = &d->env->hello;
	const char *why = NULL;
	int r;

	r = counters_open(&d->counters, d->counters_fd, COUNTERS_DISK, c->rings, &d->about);
	if (r < 0) {
		for (uint32_t i = 0; i < c->rings; i++)
			close(evtchn_fds[i]);
		return refuse(error, r, "no memory for the counters");
	}
	for (uint32_t i = 0; i < c->rings; i++) {
		struct queue_config config = {
			.about = &d->about,
			.gnt = d->env->gnt,
			.domid = hello->domid,
			.number = i,
			.abi = abi_get(c->abi),
			.ring_pages = c->ring_pages,
			.ring_ref = c->ring_ref[i],
			.remote_port = c->evtchn[i],
			.max_indirect = c->max_indirect,
			.persistent = c->persistent,
			.persistent_max = hello->persistent_max,
			.copy_max = hello->copy_max,
			.poll_us = hello->poll_us,
			.image = &d->image,
			.sectors = &d->sectors,
			.counts = &d->counters.file->block[i].disk,
			.ended_event = d->env->ended_event,
			.failed = ring_failed,
			.arg = d,
		};

		r = queue_new(&config, evtchn_fds[i], &d->queue[i], &why);
		if (r < 0) {
			for (i++; i < c->rings; i++)
				close(evtchn_fds[i]);
			return refuse(error, r, "ring %u: %s (ring-ref %u, event channel %u): %s",
				      config.number, why, config.ring_ref[0], config.remote_port,
				      strerror(-r));
		}
		d->nr_queues++;
	}
	return 0;
}

static void free_queues(struct device *d)
{
	for (uint32_t i = 0; i < d->nr_queues; i++) {
		queue_free(d->queue[i]);
		d->queue[i] = NULL;
	}
	d->nr_queues = 0;
	journal_close(&d->journal);
}

int device_connect(struct device *d, const struct worker_connect *connect, const int *evtchn_fds,
		   char error[WORKER_ERROR_SIZE])
{
	const char *why = NULL;
	bool recover;
	int r;

	r = check_connect(d, connect, error);
	if (r < 0) {
		for (uint32_t i = 0; i < connect->rings && i < WORKER_MAX_RINGS; i++)
			close(evtchn_fds[i]);
		return r;
	}
	r = make_queues(d, connect, evtchn_fds, error);
	if (r < 0)
		goto fail;
	r = prepare_journal(d, connect, &recover, error);
	if (r < 0)
		goto fail;

	for (uint32_t i = 0; i < d->nr_queues; i++) {
		struct journal_view view;

		journal_get_ring(&d->journal, i, &view);
		r = queue_run(d->queue[i], &view, recover, &why);
		if (r < 0) {
			refuse(error, r, "ring %u: %s%s: %s", i,
			       r == -EBADMSG ? "the in-flight journal " : "", why, strerror(-r));
			if (i == 0)
				goto fail;
			/* some are at work: what they have begun has to end in order */
			d->state = DEVICE_CONNECTED;
			device_disconnect(d);
			return r;
		}
	}
	d->state = DEVICE_CONNECTED;
	return 0;

fail:
	free_queues(d);
	return r;
}

void device_disconnect(struct device *d)
{
	if (d->state != DEVICE_CONNECTED)
		return;
	for (uint32_t i = 0; i < d->nr_queues; i++)
		queue_stop(d->queue[i]);
	d->state = DEVICE_DRAINING;
}

bool device_drained(struct device *d)
{
	if (d->state == DEVICE_ATTACHED)
		return true;
	for (uint32_t i = 0; i < d->nr_queues; i++) {
		if (!queue_ended(d->queue[i]))
			return false;
	}
	/* a connection that has ended in order is nothing to recover */
	journal_wipe(&d->journal);
	free_queues(d);
	d->state = DEVICE_ATTACHED;
	return true;
}

uint32_t device_in_flight(const struct device *d)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->nr_queues; i++)
		n += queue_in_flight(d->queue[i]);
	return n;
}

void device_resize(struct device *d, uint64_t size)
{
	d->image.size = size;
	__atomic_store_n(&d->sectors, to_sectors(d, size), __ATOMIC_RELAXED);
}

void device_stats(const struct device *d, struct disk_counts *ret)
{
	union counters_block sum = { .word = { 0 } };

	if (d->counters.file)
		counters_sum(d->counters.file, &sum);
	*ret = sum.disk;
}
