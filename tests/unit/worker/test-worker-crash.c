/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The worker dies at each instant that there is, and the next one takes over:
 * every request is answered exactly once, and every write is on the disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xen/io/blkif.h>

#include "lib/cleanup.h"
#include "lib/counters.h"
#include "vbdrig.h"

#define PAGE     4096u
#define REQUESTS 14u

static struct rig rig;
static struct rig_ring *ring = &rig.ring[0];
static struct {
	bool sent, answered;
} seen[4096];

static void start_worker(unsigned long crash_at)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", crash_at);
	setenv("XENPV_WORKER_LOOP", CRASH_WORKER, 1);
	setenv("XENPV_CRASH_AT", text, 1);
	rig_start_worker(&rig);
}

static struct rig_segment page(unsigned int n)
{
	return (struct rig_segment){ rig.data_ref[n], 0, 7, { 0 } };
}

/* Bring up the next worker on the same rings, which may die at once. False: it did. */
static bool take_over(unsigned long crash_at)
{
	int r;

	start_worker(crash_at);
	if (rig_attach(&rig) < 0)
		rig_die("attach: %s", rig.error);
	r = rig_try_connect(&rig, true);
	if (r == -ECONNRESET)
		return false;
	if (r < 0)
		rig_die("re-attach: %s", rig.error);
	return true;
}

static void note_response(const struct rig_response *rsp)
{
	if (rsp->id >= ELEMENTSOF(seen) || !seen[rsp->id].sent)
		rig_die("response for id %llu, which was not asked", (unsigned long long)rsp->id);
	if (seen[rsp->id].answered)
		rig_die("id %llu was answered twice", (unsigned long long)rsp->id);
	if (rsp->status != BLKIF_RSP_OKAY)
		rig_die("id %llu: status %d", (unsigned long long)rsp->id, rsp->status);
	seen[rsp->id].answered = true;
}

static void put(uint8_t op, uint64_t id, uint64_t sector, unsigned int data_page)
{
	struct rig_segment seg = page(data_page);

	seen[id].sent = true;
	rig_put_rw(ring, op, id, sector, &seg, 1);
}

/* A death may cost the count of the one request that was being answered; none counts twice. */
static void check_counts(unsigned int deaths)
{
	struct counters_file file;
	union counters_block sum;
	uint64_t n;

	assert_int_equal(pread(rig.counters_fd, &file, sizeof(file), 0), sizeof(file));
	counters_sum(&file, &sum);
	n = sum.disk.reads + sum.disk.writes;
	if (n > 2 * REQUESTS || n + deaths < 2 * REQUESTS)
		rig_die("%llu requests were counted of %u, with %u deaths", (unsigned long long)n,
			2 * REQUESTS, deaths);
	assert_int_equal(sum.disk.errors, 0);
	assert_int_equal(sum.disk.in_flight, 0);
}

/*
 * Two rounds of writes, reads, a barrier and a flush, more than the ring holds at
 * once. When the worker dies, another takes over, dying in turn at @second.
 */
static unsigned int run(unsigned long first, unsigned long second)
{
	unsigned int deaths = 0, answered = 0, sent = 0, idle = 0;
	struct rig_response rsp;
	bool woken = true;

	memset(seen, 0, sizeof(seen));
	rig_reset_rings(&rig);
	*rig_index(ring, 0) = *rig_index(ring, 2) = ring->req_prod = ring->rsp_cons =
		UINT32_MAX - 5;
	*rig_index(ring, 1) = *rig_index(ring, 3) = UINT32_MAX - 4;
	memset(rig.data + 64 * PAGE, 0, 64 * PAGE);
	if (ftruncate(rig.image_fd, 0) < 0 || ftruncate(rig.image_fd, 16 << 20) < 0)
		rig_die("truncate");

	if (ftruncate(rig.counters_fd, 0) < 0)
		rig_die("truncate");

	start_worker(first);
	assert_int_equal(rig_attach(&rig), 0);
	if (rig_try_connect(&rig, false) < 0) {
		/* died within CONNECT; the frontend is not connected yet in this case */
		rig_kill_worker(&rig);
		deaths++;
		start_worker(0);
		assert_int_equal(rig_attach(&rig), 0);
		assert_int_equal(rig_try_connect(&rig, false), 0);
	}

	while (answered < 2 * REQUESTS) {
		if (sent < 2 * REQUESTS && sent - answered <= 2) {
			for (unsigned int i = 0; i < REQUESTS; i++, sent++) {
				if (i == 6)
					put(BLKIF_OP_WRITE_BARRIER, sent, sent * 8, sent);
				else if (i == 9)
					put(BLKIF_OP_FLUSH_DISKCACHE, sent, sent * 8, sent);
				else if (i > 9)
					/* what a write of this round has put there */
					put(BLKIF_OP_READ, sent, (sent - 10) * 8, 64 + sent - 10);
				else
					put(BLKIF_OP_WRITE, sent, sent * 8, sent);
			}
			rig_push(ring);
		}
		if (rig_worker_gone(&rig)) {
			rig_kill_worker(&rig);
			deaths++;
			while (!take_over(second)) {
				rig_kill_worker(&rig);
				deaths++;
				second = 0;
			}
			second = 0;
		}
		/* as a driver: look only when an event came, and again after asking for one */
		while (woken && *(volatile uint32_t *)rig_index(ring, 2) != ring->rsp_cons) {
			while (rig_take(ring, &rsp)) {
				note_response(&rsp);
				answered++;
			}
			*rig_index(ring, 3) = ring->rsp_cons + 1;
			__sync_synchronize();
		}
		if (answered == 2 * REQUESTS)
			break;
		woken = sent - answered <= 2 || loopfront_wait(rig.lf, ring->port, 5) == 0;
		idle = woken ? 0 : idle + 5;
		if (idle > RIG_TIMEOUT)
			rig_die("an event was lost: %u of %u answered, response index %u of %u",
				answered, sent, *rig_index(ring, 2), ring->req_prod);
	}

	/* it may still die after the last response, also while it disconnects */
	while (rig_try_disconnect(&rig) == -ECONNRESET) {
		rig_kill_worker(&rig);
		deaths++;
		if (!take_over(0))
			rig_die("a worker that was not told to died");
	}
	rig_stop_worker(&rig);
	assert_false(rig_take(ring, &rsp));
	assert_int_equal(*rig_index(ring, 2), ring->req_prod);
	assert_int_equal(rig_mapped(&rig), 0);
	check_counts(deaths);

	for (unsigned int i = 0; i < 2 * REQUESTS; i++) {
		uint8_t disk[PAGE];

		if (i % REQUESTS > 9)
			continue;
		assert_int_equal(pread(rig.image_fd, disk, PAGE, i * PAGE), PAGE);
		assert_memory_equal(disk, rig.data + i * PAGE, PAGE);
	}
	return deaths;
}

static void fill(void)
{
	for (unsigned int i = 0; i < 64; i++) {
		for (unsigned int b = 0; b < PAGE; b++)
			rig.data[i * PAGE + b] = (uint8_t)(i * 31 + b * 7 + 1);
	}
}

static void every_instant(const struct rig_options *o)
{
	unsigned long first = 1;

	rig_init(&rig, o);
	fill();
	while (run(first, 0))
		first++;
	printf("# died at each of %lu instants\n", first - 1);
	/* each request passes several of them */
	assert_true(first > 2 * REQUESTS * 4);
	rig_free(&rig);
}

static void test_every_instant_copy(void **state)
{
	(void)state;
	every_instant(&(struct rig_options){ .copy_max = 1 << 20 });
}

static void test_every_instant_map(void **state)
{
	(void)state;
	every_instant(&(struct rig_options){ .abi = WORKER_ABI_X86_32 });
}

/* The second worker dies too, while it recovers or right after. */
static void test_death_in_recovery(void **state)
{
	(void)state;
	rig_init(&rig, &(struct rig_options){ .persistent = true, .persistent_max = 64 });
	fill();
	for (unsigned long first = 3; first < 120; first += 17) {
		for (unsigned long second = 1; second < 40; second += 3)
			run(first, second);
	}
	rig_free(&rig);
}

/* SIGKILL from outside, at no instant in particular, under load on two large rings. */
static void test_kill_at_random(void **state)
{
	unsigned int sent[2] = { 0 }, answered[2] = { 0 };
	const unsigned int total = 20000;
	unsigned int kills = 0;
	struct rig_response rsp;
	uint64_t next_kill = 0;

	(void)state;
	srand(1);
	unsetenv("XENPV_CRASH_AT");
	rig_init(&rig, &(struct rig_options){
			       .rings = 2, .ring_pages = 4, .copy_max = 4096, .poll_us = 20 });
	start_worker(0);
	assert_int_equal(rig_attach(&rig), 0);
	assert_int_equal(rig_connect(&rig, false), 0);
	while (answered[0] < total || answered[1] < total) {
		for (unsigned int r = 0; r < 2; r++) {
			struct rig_ring *rg = &rig.ring[r];

			while (sent[r] < total && sent[r] - answered[r] < rg->slots) {
				/* ids are reused as a driver does: only when they are free again */
				struct rig_segment seg = page(sent[r] % 256 + r * 256);

				rig_put_rw(rg, sent[r] % 3 ? BLKIF_OP_WRITE : BLKIF_OP_READ,
					   sent[r], (sent[r] % 1000) * 8 + r * 8000, &seg, 1);
				sent[r]++;
			}
			rig_push(rg);
			*rig_index(rg, 3) = rg->rsp_cons + 1;
			__sync_synchronize();
			while (rig_take(rg, &rsp)) {
				assert_int_equal(rsp.status, BLKIF_RSP_OKAY);
				assert_true(rsp.id < sent[r]);
				answered[r]++;
			}
		}
		if (answered[0] + answered[1] >= next_kill) {
			rig_kill_worker(&rig);
			kills++;
			assert_true(take_over(0));
			next_kill = answered[0] + answered[1] + 100 + (unsigned int)rand() % 1000;
		}
		loopfront_wait(rig.lf, rig.ring[0].port, 1);
	}
	assert_int_equal(rig_disconnect(&rig), 0);
	printf("# killed %u times\n", kills);
	assert_true(kills >= 20);
	rig_free(&rig);
}

/* A journal that is damaged, or of another connection, is refused by name. */
static void test_bad_journal(void **state)
{
	struct rig_segment seg;
	uint32_t saved, value;

	(void)state;
	unsetenv("XENPV_CRASH_AT");
	rig_init(&rig, &(struct rig_options){ 0 });
	seg = page(0);
	start_worker(0);
	assert_int_equal(rig_attach(&rig), 0);
	assert_int_equal(rig_connect(&rig, false), 0);
	rig_put_rw(ring, BLKIF_OP_WRITE, 1, 0, &seg, 1);
	assert_int_equal(rig_do(ring, 1), BLKIF_RSP_OKAY);
	rig_kill_worker(&rig);

	/* other event channel: another connection */
	start_worker(0);
	assert_int_equal(rig_attach(&rig), 0);
	saved = ring->port;
	ring->port = (uint32_t)loopfront_evtchn_alloc(rig.lf);
	assert_int_equal(rig_connect(&rig, true), -ESTALE);
	assert_non_null(strstr(rig.error, "event channels"));
	loopfront_evtchn_close(rig.lf, ring->port);
	ring->port = saved;

	/* the request index of the ring's journal */
	assert_int_equal(pread(rig.journal_fd, &saved, 4, 4096 + 8), 4);
	value = saved + 7;
	assert_int_equal(pwrite(rig.journal_fd, &value, 4, 4096 + 8), 4);
	assert_int_equal(rig_connect(&rig, true), -EBADMSG);
	assert_non_null(strstr(rig.error, "journal"));
	assert_int_equal(rig_mapped(&rig), 0);
	assert_int_equal(pwrite(rig.journal_fd, &saved, 4, 4096 + 8), 4);

	/* the response index, by the guest */
	*rig_index(ring, 2) -= 1;
	assert_int_equal(rig_connect(&rig, true), -EBADMSG);
	*rig_index(ring, 2) += 1;

	/* cut short */
	assert_int_equal(ftruncate(rig.journal_fd, 4096), 0);
	assert_int_equal(rig_connect(&rig, true), -EBADMSG);
	assert_non_null(strstr(rig.error, "short"));

	/* none at all: the backend before us kept none, and the ring goes on */
	assert_int_equal(ftruncate(rig.journal_fd, 0), 0);
	assert_int_equal(rig_connect(&rig, true), 0);
	rig_put_rw(ring, BLKIF_OP_WRITE, 2, 0, &seg, 1);
	assert_int_equal(rig_do(ring, 2), BLKIF_RSP_OKAY);
	assert_int_equal(rig_disconnect(&rig), 0);
	rig_free(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_instant_copy), cmocka_unit_test(test_every_instant_map),
		cmocka_unit_test(test_death_in_recovery),  cmocka_unit_test(test_kill_at_random),
		cmocka_unit_test(test_bad_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
