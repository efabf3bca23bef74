/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One measurement of xenpv-worker at native speed: a frontend in user space keeps
 * a number of requests in flight for some seconds. Prints one JSON object: I/Os per
 * second and the worker's CPU time for each.
 */
#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xen/io/blkif.h>

#include "lib/parse.h"
#include "vbdrig.h"

#define PAGE 4096u

struct load {
	uint32_t block; /* bytes */
	uint32_t depth;
	uint32_t seconds;
	bool write;
	bool sequential;
};

struct result {
	uint64_t ios;
	double seconds;
	double server_cpu; /* seconds */
};

static uint64_t random_state = 88172645463325252;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* User and system time of a process so far, in seconds. */
static double cpu_time(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts) < 0)
		rig_die("no CPU clock of pid %d", pid);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Request @id: its pages are its own, so that no data is shared between two in flight. */
static void submit(struct rig *rig, struct rig_ring *ring, const struct load *l, uint32_t id,
		   uint64_t *sequence)
{
	uint64_t blocks = rig->image.size / l->block;
	uint64_t sector = (l->sequential ? (*sequence)++ % blocks : next_random() % blocks) *
			  (l->block / 512);
	uint32_t pages = (l->block + PAGE - 1) / PAGE;
	uint8_t op = l->write ? BLKIF_OP_WRITE : BLKIF_OP_READ;
	/* behind the data: a page of descriptors for each request */
	uint32_t descriptors = rig->o.data_pages - 1 - id;
	struct rig_segment seg[ABI_MAX_DIRECT], *list = seg;

	if (pages > ABI_MAX_DIRECT)
		list = (struct rig_segment *)(rig->data + (size_t)descriptors * PAGE);
	for (uint32_t i = 0; i < pages; i++)
		list[i] = (struct rig_segment){
			rig->data_ref[id * pages + i],
			0,
			(uint8_t)((l->block < PAGE ? l->block : PAGE) / 512 - 1),
			{ 0 }
		};
	if (pages > ABI_MAX_DIRECT) {
		uint32_t refs[ABI_MAX_INDIRECT_PAGES] = { rig->data_ref[descriptors] };

		rig_put_indirect(ring, op, id, sector, (uint16_t)pages, refs);
	} else {
		rig_put_rw(ring, op, id, sector, seg, pages);
	}
}

static void run(struct rig *rig, const struct load *l, uint32_t seconds, struct result *ret)
{
	struct rig_ring *ring = &rig->ring[0];
	uint32_t in_flight = 0;
	struct rig_response rsp;
	uint64_t sequence = 0;
	double start, end, cpu;

	start = now();
	end = start + seconds;
	cpu = cpu_time(rig->worker);
	*ret = (struct result){ 0 };
	for (uint32_t id = 0; id < l->depth; id++, in_flight++)
		submit(rig, ring, l, id, &sequence);
	rig_push(ring);
	while (in_flight) {
		bool more = now() < end;

		/* what a driver does: take all there is, refill, one push; sleep when idle */
		rsp = rig_await(ring);
		do {
			if (rsp.status != BLKIF_RSP_OKAY)
				rig_die("request %u failed: %d", (unsigned int)rsp.id, rsp.status);
			ret->ios++;
			if (more)
				submit(rig, ring, l, (uint32_t)rsp.id, &sequence);
			else
				in_flight--;
		} while (rig_take(ring, &rsp));
		rig_push(ring);
	}
	ret->seconds = now() - start;
	ret->server_cpu = cpu_time(rig->worker) - cpu;
}

static void usage(FILE *f)
{
	fprintf(f,
		"Usage: %s [OPTION]...\n"
		"  --image=PATH       file to serve; without it, memory\n"
		"  --size=BYTES       of the memory (268435456)\n"
		"  --direct           open the file with O_DIRECT\n"
		"  --block=BYTES      of each request (4096)\n"
		"  --depth=N          requests in flight (32)\n"
		"  --write            instead of reading\n"
		"  --sequential       instead of random\n"
		"  --seconds=N        to measure, after one to warm up (5)\n"
		"  --copy-max=BYTES   requests up to this many bytes are copied (0)\n"
		"  --persistent       persistent grants\n"
		"  --poll-us=N        bound of the worker's polling (0)\n"
		"  --help\n",
		program_invocation_short_name);
}

static uint32_t number(const char *option, const char *text, uint32_t min, uint32_t max)
{
	uint32_t v;

	if (parse_u32(text, min, max, &v) < 0) {
		fprintf(stderr, "%s: --%s: %s is no number from %u to %u\n",
			program_invocation_short_name, option, text, min, max);
		exit(2);
	}
	return v;
}

static void parse(int argc, char **argv, struct rig_options *o, struct load *l)
{
	enum {
		IMAGE = 256,
		SIZE,
		DIRECT,
		BLOCK,
		DEPTH,
		WRITE,
		SEQUENTIAL,
		SECONDS,
		COPY_MAX,
		PERSISTENT,
		POLL_US,
		HELP
	};
	static const struct option options[] = {
		{ "image", required_argument, NULL, IMAGE },
		{ "size", required_argument, NULL, SIZE },
		{ "direct", no_argument, NULL, DIRECT },
		{ "block", required_argument, NULL, BLOCK },
		{ "depth", required_argument, NULL, DEPTH },
		{ "write", no_argument, NULL, WRITE },
		{ "sequential", no_argument, NULL, SEQUENTIAL },
		{ "seconds", required_argument, NULL, SECONDS },
		{ "copy-max", required_argument, NULL, COPY_MAX },
		{ "persistent", no_argument, NULL, PERSISTENT },
		{ "poll-us", required_argument, NULL, POLL_US },
		{ "help", no_argument, NULL, HELP },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case IMAGE:
			o->image = optarg;
			break;
		case SIZE:
			o->size = number("size", optarg, 1 << 20, 1 << 30);
			break;
		case DIRECT:
			o->direct = true;
			break;
		case BLOCK:
			l->block = number("block", optarg, 512, 1 << 20);
			break;
		case DEPTH:
			l->depth = number("depth", optarg, 1, 256);
			break;
		case WRITE:
			l->write = true;
			break;
		case SEQUENTIAL:
			l->sequential = true;
			break;
		case SECONDS:
			l->seconds = number("seconds", optarg, 1, 3600);
			break;
		case COPY_MAX:
			o->copy_max = number("copy-max", optarg, 0, 1 << 20);
			break;
		case PERSISTENT:
			o->persistent = true;
			break;
		case POLL_US:
			o->poll_us = number("poll-us", optarg, 0, 100000);
			break;
		case HELP:
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		usage(stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct rig_options o = {
		.size = 256 << 20,
		.ring_pages = 16,
		.max_indirect = 256,
		.persistent_max = 1 << 16,
	};
	struct load l = { .block = 4096, .depth = 32, .seconds = 5 };
	struct disk_counts stats;
	struct result r;
	struct rig rig;

	parse(argc, argv, &o, &l);
	o.data_pages = l.depth * ((l.block + PAGE - 1) / PAGE + 1);
	rig_init(&rig, &o);
	if (rig_up(&rig, false) < 0)
		rig_die("%s", rig.error);
	run(&rig, &l, 1, &r);
	run(&rig, &l, l.seconds, &r);
	if (rig_stats(&rig) < 0)
		rig_die("%s", rig.error);
	stats = rig.stats;
	if (rig_disconnect(&rig) < 0)
		rig_die("%s", rig.error);
	printf("{\"iops\": %.0f, \"cpu_us_per_io\": %.3f, \"ios\": %llu, \"events_sent\": %llu, "
	       "\"events_received\": %llu}\n",
	       (double)r.ios / r.seconds, r.server_cpu * 1e6 / (double)r.ios,
	       (unsigned long long)r.ios, (unsigned long long)stats.events_sent,
	       (unsigned long long)stats.events_received);
	rig_free(&rig);
	return 0;
}
