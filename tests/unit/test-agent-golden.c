// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A view made for xe-guest-utilities keeps working: each node that its daemon writes is in
 * our report, in the same format, or its absence has a reason here.
 */
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "agent-root.h"
#include "agent.h"
#include "lib/cleanup.h"
#include "suspend.h"

#define DECIMAL "^[0-9]+$"

/*
 * What xe-daemon 8 writes (guestmetric_linux.go, xe-daemon.go), on a guest with one vif
 * and one disk; @why: for what differs on purpose.
 */
static const struct {
	const char *path;
	const char *format; /* extended regular expression; NULL: not ours */
	const char *why;
} golden[] = {
	{ "attr/PVAddons/Installed", "^1$", NULL },
	{ "attr/PVAddons/MajorVersion", DECIMAL, NULL },
	{ "attr/PVAddons/MinorVersion", DECIMAL, NULL },
	{ "attr/PVAddons/MicroVersion", DECIMAL, NULL },
	{ "attr/PVAddons/BuildVersion", DECIMAL, NULL },
	{ "data/os_name", "^Debian GNU/Linux 12 \\(bookworm\\)$", NULL },
	{ "data/os_distro", "^debian$", NULL },
	{ "data/os_majorver", DECIMAL, NULL },
	{ "data/os_minorver", DECIMAL, NULL },
	{ "data/os_uname", "^[0-9]+\\.[0-9]+", NULL },
	{ "data/meminfo_total", "^2015232$", NULL },
	{ "data/meminfo_free", "^1712344$", "MemAvailable, in both" },
	{ "attr/vif/3/ipv4/0", "^192\\.0\\.2\\.7$", NULL },
	{ "attr/vif/3/ipv6/0", "^2001:db8::7$", NULL },
	{ "data/updated",
	  "^[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]?[0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} "
	  "[0-9]{4}$",
	  "UTC without the zone's name, as the C library prints" },
	{ "control/feature-balloon", NULL, "the balloon driver says it; under xl read-only" },
	{ "data/volumes/0/name", NULL, "no toolstack reads it; data/xenpv/device/vbd has more" },
	{ "data/volumes/0/size", NULL, "likewise" },
	{ "data/volumes/0/free", NULL, "likewise" },
	{ "data/volumes/0/filesystem", NULL, "likewise" },
	{ "data/volumes/0/mount_points/0", NULL, "likewise" },
	{ "data/volumes/0/extents/0", NULL, "likewise; it is a path of the host" },
	{ "xenserver/attr/net-sriov-vf/0/ipv4/0", NULL, "passed-through cards are no vifs" },
};

/* Nodes of other agents and of the documentation that xe-daemon lacks. */
static const char *const also[] = {
	"attr/vif/3/name", "attr/vif/3/mac/0",    "data/host_name_dns",
	"drivers/0",       "feature/hotplug/vbd", "feature/hotplug/vif",
};

static void fill(const struct root *root)
{
	root_file(root, "etc/os-release",
		  "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=12\n");
	root_file(root, "etc/debian_version", "12.5\n");
	root_file(root, "proc/meminfo",
		  "MemTotal:        2015232 kB\nMemFree:          104204 kB\n"
		  "MemAvailable:    1712344 kB\nSwapTotal:        999420 kB\n");
	root_file(root, "sys/bus/xen/drivers/vif/uevent", "");
	root_file(root, "sys/bus/xen/drivers/xen-vbd/uevent", "");
	root_link(root, "sys/bus/xen/drivers/xen-vbd/module", "../../../../module/xen_vbd");
	root_file(root, "sys/module/xen_vbd/version", "1.2.3\n");
	root_link(root, "sys/bus/xen/devices/vbd-51712/driver", "../../drivers/xen-vbd");
	root_link(root, "sys/bus/xen/devices/vbd-51728/driver", "../../drivers/xen-vbd");
	root_link(root, "sys/bus/xen/devices/vif-3/driver", "../../drivers/vif");
	root_file(root, "sys/bus/xen/devices/console-0/nodename", "device/console/0\n");
}

/* netlink_read() of this machine is replaced by one interface of a guest. */
int __wrap_netlink_read(const char *root, struct net_table *table);
int __wrap_netlink_read(const char *root, struct net_table *table)
{
	const struct net_link link = {
		.index = 2, .vif = 3, .name = "enX3", .mac = "00:16:3e:00:00:03"
	};
	const struct net_address v4 = { 2, AF_INET, false, "192.0.2.7" };
	const struct net_address v6 = { 2, AF_INET6, false, "2001:db8::7" };

	(void)root;
	assert_int_equal(net_table_add_link(table, &link), 0);
	assert_int_equal(net_table_add_address(table, &v4), 0);
	return net_table_add_address(table, &v6);
}

static void gather(const struct root *root, struct report *report)
{
	struct settings settings;
	struct sources sources;

	fill(root);
	settings_default(&settings);
	sources_init(&sources, root->path, &settings);
	assert_int_equal(agent_report(&sources, report), 0);
	assert_int_equal(agent_mark_updated(report), 0);
	sources_clear(&sources);
}

static void test_golden(void **state)
{
	_cleanup_(report_clear) struct report report = { 0 };

	gather(*state, &report);
	for (size_t i = 0; i < ELEMENTSOF(golden); i++) {
		const char *value = report_find(&report, golden[i].path);
		regex_t format;

		if (!golden[i].format) {
			assert_null(value);
			assert_non_null(golden[i].why);
			continue;
		}
		if (!value)
			fail_msg("%s is not reported", golden[i].path);
		assert_int_equal(regcomp(&format, golden[i].format, REG_EXTENDED | REG_NOSUB), 0);
		if (regexec(&format, value, 0, NULL, 0) != 0)
			fail_msg("%s = \"%s\" is not of the form %s", golden[i].path, value,
				 golden[i].format);
		regfree(&format);
	}
	for (size_t i = 0; i < ELEMENTSOF(also); i++)
		if (!report_find(&report, also[i]))
			fail_msg("%s is not reported", also[i]);
	assert_string_equal(report.entries[report.n - 1].path, "data/updated");
}

static void test_drivers(void **state)
{
	_cleanup_(report_clear) struct report report = { 0 };

	gather(*state, &report);
	/* One for two disks; by name. */
	assert_int_equal(strncmp(report_find(&report, "drivers/0"), "Linux vif ", 10), 0);
	assert_string_equal(report_find(&report, "drivers/1"), "xenpv xen-vbd 1.2.3");
	assert_null(report_find(&report, "drivers/2"));
	assert_string_equal(report_find(&report, "feature/hotplug/vbd"), "1");
}

static void check_suspend(const struct root *root, const char *feature, bool frozen,
			  const char *expected)
{
	_cleanup_(report_clear) struct report report = { 0 };
	const char *reason;

	assert_int_equal(suspend_report(root->path, feature, true, frozen, &report), 0);
	reason = report_find(&report, "data/cant_suspend_reason");
	if (expected) {
		assert_non_null(reason);
		assert_non_null(strstr(reason, expected));
	} else {
		assert_null(reason);
	}
}

static void test_suspend(void **state)
{
	const struct root *root = *state;

	fill(root);
	check_suspend(root, "1", false, NULL);
	check_suspend(root, NULL, false, "feature-suspend");
	check_suspend(root, "0", false, "feature-suspend");
	check_suspend(root, "1", true, "frozen");
	root_file(root, "sys/bus/xen/devices/pci-0/nodename", "device/pci/0\n");
	check_suspend(root, "1", false, "PCI");
}

/* Nothing but what the toolstack lets a guest write, and no node twice. */
static void test_writable_places(void **state)
{
	static const char *const places[] = { "attr/", "data/", "drivers/", "feature/" };
	_cleanup_(report_clear) struct report report = { 0 };

	gather(*state, &report);
	for (size_t i = 0; i < report.n; i++) {
		bool known = false;

		for (size_t j = 0; j < ELEMENTSOF(places); j++)
			known |= strncmp(report.entries[i].path, places[j], strlen(places[j])) == 0;
		assert_true(known);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(report.entries[i].path, report.entries[j].path);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_golden, root_set_up, root_tear_down),
		cmocka_unit_test_setup_teardown(test_drivers, root_set_up, root_tear_down),
		cmocka_unit_test_setup_teardown(test_suspend, root_set_up, root_tear_down),
		cmocka_unit_test_setup_teardown(test_writable_places, root_set_up, root_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
