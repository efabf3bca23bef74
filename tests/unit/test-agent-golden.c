// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A view made for xe-guest-utilities keeps working: each node that its daemon writes is
 * written by us, in the same format, or its absence has a reason in agent-golden.list; and
 * what else we write is there, too.
 */
#include <errno.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "agent-root.h"
#include "agent.h"
#include "lib/cleanup.h"
#include "publish.h"
#include "suspend.h"

/* agent-golden.list: what is compared, and how. */
enum when {
	WHEN_MUST,
	WHEN_NIC,
	WHEN_NEVER,
	WHEN_ALSO,
	WHEN_MAX
};

struct golden {
	enum when when;
	char path[100], value[200];
	regex_t path_form, value_form;
	unsigned int found;
};

#define GOLDEN_MAX 40
#define NODES_MAX  200

static struct {
	struct golden golden[GOLDEN_MAX];
	size_t n_golden;
	/* the xenstore */
	struct {
		char path[100], value[REPORT_VALUE_MAX + 1];
	} nodes[NODES_MAX];
	size_t n_nodes;
} t;

/* The toolstack lets a guest write there, and nowhere else. */
static bool is_writable(const char *path)
{
	static const char *const places[] = { "attr/", "data/", "drivers/", "feature/" };

	for (size_t i = 0; i < ELEMENTSOF(places); i++)
		if (strncmp(path, places[i], strlen(places[i])) == 0)
			return true;
	return false;
}

int __wrap_xsc_write(struct xs_conn *xs, xs_transaction_t tid, const char *dir, const char *key,
		     const char *value);
int __wrap_xsc_write(struct xs_conn *xs, xs_transaction_t tid, const char *dir, const char *key,
		     const char *value)
{
	(void)xs;
	(void)tid;
	assert_string_equal(key, "");
	if (!is_writable(dir))
		return -EACCES;
	for (size_t i = 0; i < t.n_nodes; i++)
		if (strcmp(t.nodes[i].path, dir) == 0)
			fail_msg("%s is written twice", dir);
	assert_true(t.n_nodes < NODES_MAX);
	snprintf(t.nodes[t.n_nodes].path, sizeof(t.nodes[0].path), "%s", dir);
	snprintf(t.nodes[t.n_nodes++].value, sizeof(t.nodes[0].value), "%s", value);
	return 0;
}

int __wrap_xsc_remove(struct xs_conn *xs, xs_transaction_t tid, const char *dir, const char *key);
int __wrap_xsc_remove(struct xs_conn *xs, xs_transaction_t tid, const char *dir, const char *key)
{
	(void)xs;
	(void)tid;
	(void)dir;
	(void)key;
	return 0;
}

static void compile(regex_t *form, const char *text)
{
	char whole[256];

	assert_true(snprintf(whole, sizeof(whole), "^(%s)$", text) < (int)sizeof(whole));
	if (regcomp(form, whole, REG_EXTENDED | REG_NOSUB) != 0)
		fail_msg("not a regular expression: %s", text);
}

static void load_line(char *line)
{
	static const char *const names[WHEN_MAX] = { "must", "nic", "never", "also" };
	struct golden *g = &t.golden[t.n_golden++];
	const char *when = strsep(&line, "\t"), *path = strsep(&line, "\t");
	const char *value = line ? strsep(&line, "\t") : "";

	assert_true(t.n_golden <= GOLDEN_MAX);
	while (g->when < WHEN_MAX && strcmp(names[g->when], when) != 0)
		g->when++;
	if (g->when == WHEN_MAX || !path)
		fail_msg("a line begins with %s", when);
	/* A difference has its reason. */
	if (g->when == WHEN_NEVER || g->when == WHEN_ALSO)
		assert_true(line && *line);
	snprintf(g->path, sizeof(g->path), "%s", path);
	snprintf(g->value, sizeof(g->value), "%s", value);
	compile(&g->path_form, g->path);
	compile(&g->value_form, g->value);
}

static void load_golden(void)
{
	FILE *file = fopen(GOLDEN_LIST, "re");
	char line[400];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] && line[0] != '#')
			load_line(line);
	}
	fclose(file);
	assert_true(t.n_golden > 15);
}

static int set_up(void **state)
{
	memset(&t, 0, sizeof(t));
	load_golden();
	return root_set_up(state);
}

static int tear_down(void **state)
{
	for (size_t i = 0; i < t.n_golden; i++) {
		regfree(&t.golden[i].path_form);
		regfree(&t.golden[i].value_form);
	}
	return root_tear_down(state);
}

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

/* The entry for @path, or NULL. */
static struct golden *golden_for(const char *path)
{
	for (size_t i = 0; i < t.n_golden; i++)
		if (regexec(&t.golden[i].path_form, path, 0, NULL, 0) == 0)
			return &t.golden[i];
	return NULL;
}

static void compare(void)
{
	for (size_t i = 0; i < t.n_nodes; i++) {
		const char *path = t.nodes[i].path, *value = t.nodes[i].value;
		struct golden *g;

		if (strncmp(path, "data/xenpv/", strlen("data/xenpv/")) == 0)
			continue;
		g = golden_for(path);
		if (!g || g->when == WHEN_NEVER)
			fail_msg("%s is written, and not in the list", path);
		if (regexec(&g->value_form, value, 0, NULL, 0) != 0)
			fail_msg("%s = \"%s\" is not of the form %s", path, value, g->value);
		g->found++;
	}
	/* This guest has all: drivers, an interface with addresses of both families. */
	for (size_t i = 0; i < t.n_golden; i++) {
		const struct golden *g = &t.golden[i];

		if (g->when != WHEN_NEVER && !g->found &&
		    strcmp(g->path, "data/cant_suspend_reason"))
			fail_msg("%s is not written", g->path);
	}
}

static const char *node(const char *path)
{
	for (size_t i = 0; i < t.n_nodes; i++)
		if (strcmp(t.nodes[i].path, path) == 0)
			return t.nodes[i].value;
	return NULL;
}

static void test_golden(void **state)
{
	static const char *const exactly[][2] = {
		{ "data/os_name", "Debian GNU/Linux 12 (bookworm)" },
		{ "data/os_distro", "debian" },
		{ "data/os_majorver", "12" },
		{ "data/os_minorver", "5" },
		{ "data/meminfo_total", "2015232" },
		{ "data/meminfo_free", "1712344" },
		{ "attr/vif/3/name", "enX3" },
		{ "attr/vif/3/mac/0", "00:16:3e:00:00:03" },
		{ "attr/vif/3/ipv4/0", "192.0.2.7" },
		{ "attr/vif/3/ipv6/0", "2001:db8::7" },
	};
	_cleanup_(report_clear) struct report report = { 0 };
	struct publisher publisher = { .xs = (struct xs_conn *)&t };

	gather(*state, &report);
	assert_true(publish(&publisher, &report) > 20);
	/* Nothing was refused: all is where a guest may write. */
	for (enum refusal refusal = 0; refusal < REFUSAL_MAX; refusal++)
		assert_false(publisher.refused[refusal]);
	publisher_forget(&publisher);
	compare();
	assert_int_equal(golden_for("attr/PVAddons/MajorVersion")->found, 4);
	for (size_t i = 0; i < ELEMENTSOF(exactly); i++) {
		assert_non_null(node(exactly[i][0]));
		assert_string_equal(node(exactly[i][0]), exactly[i][1]);
	}
	assert_string_equal(t.nodes[t.n_nodes - 1].path, "data/updated");
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
	check_suspend(root, "", false, NULL);
	check_suspend(root, "1", true, "frozen");
	root_file(root, "sys/bus/xen/devices/pci-0/nodename", "device/pci/0\n");
	check_suspend(root, "1", false, "PCI");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_golden, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_drivers, root_set_up, root_tear_down),
		cmocka_unit_test_setup_teardown(test_suspend, root_set_up, root_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
