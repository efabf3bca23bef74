/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file system of the state file is full. Skipped where none can be mounted, which takes
 * root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "vifrig.h"

#define OK      XEN_NETIF_CTRL_STATUS_SUCCESS
#define INVALID XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER
#define GRANTS  512u /* of a page of the list */
#define PAGE    4096

static struct vifrig rig;
static struct vifrig_queue *q = &rig.queue[0];
static uint8_t frame[VIFRIG_MAX_FRAME], got[VIFRIG_MAX_FRAME];
static char dir[] = "/tmp/xenpv-full-XXXXXX";
static int filler = -1;

/* Take all that is left of the file system. */
static void fill(void)
{
	char page[PAGE] = { 1 };

	assert_true(lseek(filler, 0, SEEK_END) >= 0);
	while (write(filler, page, sizeof(page)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
}

static void make_room(void)
{
	assert_int_equal(ftruncate(filler, 0), 0);
}

static off_t state_size(void)
{
	struct stat st;

	assert_int_equal(fstat(rig.state_fd, &st), 0);
	return st.st_size;
}

static int set_up(void **state)
{
	char path[sizeof(dir) + 16];

	(void)state;
	vifrig_init(&rig, &(struct vifrig_options){ .features = VIFRIG_ALL,
						    .control = true,
						    .static_grants = true,
						    .queues = 2 });
	snprintf(path, sizeof(path), "%s/state", dir);
	close(rig.state_fd);
	rig.state_fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	snprintf(path, sizeof(path), "%s/filler", dir);
	filler = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return rig.state_fd < 0 || filler < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	vifrig_free(&rig);
	close_fd(&filler);
	return 0;
}

static void next_worker(void)
{
	vifrig_kill_worker(&rig);
	vifrig_up(&rig, true);
}

/* Through all slots of the rings, so that all of what is kept of them is written. */
static void traffic(void)
{
	static struct vifrig_packet packet;
	struct virtio_net_hdr hdr;
	size_t len;

	for (unsigned int k = 0; k < 2; k++) {
		for (unsigned int i = 0; i < VIFRIG_SLOTS + 10; i++) {
			memset(frame, (int)i & 0xfe, 100);
			vifrig_send(&q[k], frame, 100, 0, NULL, NETIF_RSP_OKAY);
			assert_true(vifrig_tap_recv(&q[k], &hdr, got, &len, VIFRIG_TIMEOUT));
			assert_int_equal(len, 100);
			vifrig_post_rx(&q[k], 1);
			vifrig_tap_send(&q[k], NULL, frame, 100);
			vifrig_await_rx(&q[k], &packet);
			assert_memory_equal(packet.data, frame, 100);
		}
	}
}

/* Pages of the second queue, listed in the last transmit page of the first. */
static uint32_t grants(uint16_t type)
{
	struct xen_netif_gref *l = (void *)(rig.data + (size_t)(VIFRIG_SLOTS - 1) * PAGE);

	for (unsigned int i = 0; i < GRANTS; i++)
		l[i] = (struct xen_netif_gref){ rig.data_ref[2 * VIFRIG_SLOTS + i], 0, 0xffff };
	return vifrig_control(&rig, type, 1, rig.data_ref[VIFRIG_SLOTS - 1], GRANTS, NULL);
}

static uint32_t set_algorithm(uint32_t algorithm)
{
	return vifrig_control(&rig, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, algorithm, 0, 0, NULL);
}

static void check_end(void)
{
	assert_int_equal(vifrig_simple(&rig, WORKER_DISCONNECT), 0);
	assert_int_equal(vifrig_mapped(&rig), 0);
	assert_false(rig.has_ring_error);
}

/* No room for a file: the guest is served without one, and with one as soon as there is. */
static void test_from_the_start(void **state)
{
	(void)state;
	fill();
	vifrig_up(&rig, false);
	assert_int_equal(set_algorithm(1), OK);
	assert_int_equal(grants(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING), OK);
	traffic();
	assert_int_equal(state_size(), 0);
	next_worker();
	traffic();
	assert_int_equal(state_size(), 0);
	make_room();
	next_worker();
	assert_int_equal(set_algorithm(1), OK);
	traffic();
	assert_true(state_size() > 0);
	check_end();
}

/* What a connection has it keeps, and what it cannot have it is told. */
static void test_later(void **state)
{
	unsigned int mapped;

	(void)state;
	vifrig_up(&rig, false);
	mapped = vifrig_mapped(&rig);
	fill();
	assert_int_equal(grants(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING), INVALID);
	assert_int_equal(vifrig_mapped(&rig), mapped);
	assert_int_equal(set_algorithm(1), OK);
	assert_int_equal(set_algorithm(0), OK);
	traffic();
	make_room();
	assert_int_equal(grants(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING), OK);
	assert_int_equal(vifrig_mapped(&rig), mapped + GRANTS);
	fill();
	assert_int_equal(set_algorithm(1), OK);
	traffic();
	/* the room is found again by the next one */
	next_worker();
	assert_int_equal(vifrig_mapped(&rig), mapped + GRANTS);
	assert_int_equal(set_algorithm(0), OK);
	assert_int_equal(set_algorithm(1), OK);
	traffic();
	assert_int_equal(grants(XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING), OK);
	assert_int_equal(grants(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING), OK);
	check_end();
}

/* A file with holes, as versions before had it. */
static void test_holes(void **state)
{
	off_t size;

	(void)state;
	vifrig_up(&rig, false);
	size = state_size();
	vifrig_kill_worker(&rig);
	assert_int_equal(fallocate(rig.state_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   2 * PAGE, size - 2 * PAGE),
			 0);
	fill();
	vifrig_up(&rig, true);
	assert_int_equal(set_algorithm(1), OK);
	traffic();
	check_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_from_the_start, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_holes, set_up, tear_down),
	};
	int r;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    !mkdtemp(dir)) {
		printf("no mount namespace here: %s\n", strerror(errno));
		return 77;
	}
	if (mount("full", dir, "tmpfs", 0, "size=512k") < 0) {
		printf("no tmpfs here: %s\n", strerror(errno));
		rmdir(dir);
		return 77;
	}
	r = cmocka_run_group_tests(tests, NULL, NULL);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
	return r;
}
