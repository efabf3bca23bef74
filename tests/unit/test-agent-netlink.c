// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel's own answers, in a network namespace with veths that stand for vifs. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <cmocka.h>

#include "agent-root.h"
#include "lib/cleanup.h"
#include "netlink.h"
#include "vif.h"
#include "vifstat.h"

#define LIMIT_USEC ((uint64_t)20 * 1000000)

static void ip(const char *arguments)
{
	char command[200];

	snprintf(command, sizeof(command), "ip %s", arguments);
	assert_int_equal(system(command), 0);
}

static void test_dump(void **state)
{
	const struct root *root = *state;
	_cleanup_(net_table_clear) struct net_table table = { 0 };
	_cleanup_(report_clear) struct report report = { 0 };
	struct vif_memory memory = { 0 };
	bool seen = false;

	ip("link set lo up");
	ip("link add lan type veth peer name far");
	ip("link set lan address 00:16:3e:00:00:01 mtu 1400");
	ip("link add other type veth peer name off");
	ip("link add br0 type bridge");
	ip("link set other master br0");
	ip("link add link lan name mac0 type macvlan");
	for (const char *const *link =
		     (const char *const[]){ "lan", "far", "other", "off", "br0", "mac0", NULL };
	     *link; link++) {
		char command[64];

		snprintf(command, sizeof(command), "link set %s up", *link);
		ip(command);
	}
	ip("address add 192.0.2.5/24 dev mac0");
	ip("address add 192.0.2.6 peer 192.0.2.9/32 dev lan");
	ip("address add 192.0.2.7/24 dev br0");
	ip("address add 192.0.2.8/24 dev far"); /* the peer of a veth is no part of it */
	ip("address add 2001:db8::1/64 dev lan nodad");
	root_file(root, "sys/class/net/lan/device/nodename", "device/vif/0\n");
	root_file(root, "sys/class/net/other/device/nodename", "device/vif/12\n");
	root_file(root, "sys/class/net/far/device/nodename", "device/vif/x\n");
	root_file(root, "sys/class/net/off/device/nodename", "device/vbd/3\n");

	assert_int_equal(netlink_read(root->path, &table), 0);
	for (size_t i = 0; i < table.n_links; i++) {
		const struct net_link *link = &table.links[i];

		if (strcmp(link->name, "lan") != 0)
			continue;
		seen = true;
		assert_int_equal(link->vif, 0);
		assert_int_equal(link->mtu, 1400);
		assert_true(link->up && link->carrier);
	}
	assert_true(seen);
	assert_int_equal(vif_report(&table, &memory, &report), 0);
	assert_string_equal(report_find(&report, "attr/vif/0/name"), "lan");
	assert_string_equal(report_find(&report, "attr/vif/0/mac/0"), "00:16:3e:00:00:01");
	assert_string_equal(report_find(&report, "attr/vif/0/ipv6/0"), "2001:db8::1");
	assert_string_equal(report_find(&report, "attr/vif/12/ipv4/0"), "192.0.2.7");
	assert_null(report_find(&report, "attr/vif/12/ipv4/1"));
	for (int i = 0; i < 3; i++) {
		static const char *const expected[] = { "192.0.2.6", "192.0.2.5", NULL };
		char path[32];
		const char *value;

		snprintf(path, sizeof(path), "attr/vif/0/ipv4/%d", i);
		value = report_find(&report, path);
		if (expected[i])
			assert_string_equal(value, expected[i]);
		else
			assert_null(value);
	}
}

/* A veth has room for a queue of each CPU, and uses one until it is told otherwise. */
static void test_queues(void **state)
{
	_cleanup_(report_clear) struct report report = { 0 };
	struct net_link links[] = { { .vif = 0, .name = "one" }, { .vif = 1, .name = "three" } };
	const struct net_table table = { .links = links, .n_links = ELEMENTSOF(links) };
	const struct vif_histories histories = { 0 };

	(void)state;
	/* sysfs shows the network namespace that it was mounted in. */
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("sysfs", "/sys", "sysfs", 0, NULL), 0);
	ip("link add one type veth peer name one2");
	ip("link add three numtxqueues 3 numrxqueues 2 type veth peer name three2");
	assert_int_equal(vifstat_report(&histories, &table, "", &report), 0);
	assert_string_equal(report_find(&report, "data/xenpv/device/vif/0"),
			    "name=one link=down mtu=0 tx-queues=1 rx-queues=1");
	assert_string_equal(report_find(&report, "data/xenpv/device/vif/1"),
			    "name=three link=down mtu=0 tx-queues=3 rx-queues=2");
}

struct watching {
	sd_event *event;
	int calls;
};

static void on_changed(void *userdata)
{
	struct watching *watching = userdata;

	watching->calls++;
	sd_event_exit(watching->event, 0);
}

static void test_watch(void **state)
{
	static const char *const changes[] = {
		"link add watched type veth peer name watched2",
		"link set watched up",
		"address add 192.0.2.1/24 dev watched",
		"address add 2001:db8::2/64 dev watched",
		"address del 192.0.2.1/24 dev watched",
		"link del watched",
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(changes); i++) {
		struct watching watching = { 0 };
		sd_event_source *source = NULL;

		assert_true(sd_event_new(&watching.event) >= 0);
		assert_int_equal(netlink_watch(watching.event, on_changed, &watching, &source), 0);
		assert_true(sd_event_add_time_relative(watching.event, NULL, CLOCK_MONOTONIC,
						       LIMIT_USEC, 0, NULL, (void *)-1) >= 0);
		ip(changes[i]);
		sd_event_loop(watching.event);
		assert_true(watching.calls >= 1);
		sd_event_source_disable_unref(source);
		sd_event_unref(watching.event);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_dump, root_set_up, root_tear_down),
		cmocka_unit_test(test_queues),
		cmocka_unit_test(test_watch),
	};

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0) {
		perror("needs root, for a network namespace");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
