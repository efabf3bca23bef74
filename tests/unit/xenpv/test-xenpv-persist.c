// SPDX-License-Identifier: GPL-2.0-or-later
/* Files for networkd: which of them asks for a VLAN. */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "xenpv/bridge/files.h"
#include "xenpv/bridge/persist.h"

/* No interface has this index, so networkd knows nothing of it. */
#define NOBODY 0x7ffffff0

static char directory[] = "/tmp/test-xenpv-persist-XXXXXX";
static struct site site = { .network = directory, .lock = -1 };

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int setup(void **state)
{
	(void)state;
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const struct link eth1 = { .index = NOBODY, .name = "eth1", .mtu = 1500 };
static const struct link peth0 = { .index = NOBODY, .name = "peth0", .mtu = 1500 };
static const struct link eth0 = { .index = NOBODY, .name = "eth0", .mtu = 1500 };

static void carry_out(struct plan *plan)
{
	struct problem p = { 0 };

	assert_int_equal(plan_run(plan, NULL, "test", &p), 0);
	plan_clear(plan);
}

static void create(const char *name, const struct link *nic, uint16_t vlan)
{
	struct blueprint b = { .name = name, .nic = nic, .vlan = vlan };
	struct plan plan = { 0 };
	struct problem p = { 0 };

	b.shape = shape_parse(name, &b.number);
	if (b.shape == SHAPE_XENBR)
		snprintf(b.record.port, sizeof(b.record.port), "p%.10s", nic->name);
	else if (vlan)
		snprintf(b.record.port, sizeof(b.record.port), "%.8s.%u", nic->name,
			 (unsigned int)vlan & 0xfff);
	else
		snprintf(b.record.port, sizeof(b.record.port), "%.10s", nic->name);
	assert_int_equal(persist_plan(&site, &b, &plan, &p), 0);
	carry_out(&plan);
}

static void delete_files(const char *name)
{
	struct plan plan = { 0 };
	struct problem p = { 0 };

	assert_int_equal(persist_remove_plan(&site, name, false, &plan, &p), 0);
	carry_out(&plan);
	assert_false(persist_exists(&site, name));
}

static bool is_there(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

/* Is this line in the file? */
static bool says(const char *name, const char *line)
{
	char path[PATH_MAX], wanted[256];
	_cleanup_free_ char *text = NULL;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (file_read(path, FILE_TEXT_MAX, &text) < 0)
		return false;
	snprintf(wanted, sizeof(wanted), "\n%s\n", line);
	return strstr(text, wanted);
}

/* Two VLANs on an interface that is nobody's: one file for it, as long as it has one of them. */
static void test_shared_parent(void **state)
{
	(void)state;
	create("gextbr1", &eth1, 10);
	create("gextbr2", &eth1, 20);
	assert_true(says("06-xenpv-eth1.network", "Name=eth1"));
	assert_true(says("06-xenpv-eth1.network.d/xenpv-gextbr1.conf", "VLAN=eth1.10"));
	assert_true(says("06-xenpv-eth1.network.d/xenpv-gextbr2.conf", "VLAN=eth1.20"));
	assert_false(is_there("05-xenpv-gextbr1-parent.network"));
	delete_files("gextbr1");
	assert_true(is_there("06-xenpv-eth1.network"));
	assert_true(is_there("06-xenpv-eth1.network.d/xenpv-gextbr2.conf"));
	delete_files("gextbr2");
	assert_false(is_there("06-xenpv-eth1.network"));
}

/* networkd would not look at a second file for a bridge's port. */
static void test_parent_is_port(void **state)
{
	(void)state;
	create("xenbr0", &eth0, 0);
	create("gextbr1", &peth0, 10);
	assert_true(says("05-xenpv-xenbr0-port.network.d/xenpv-gextbr1.conf", "VLAN=peth0.10"));
	assert_false(is_there("06-xenpv-peth0.network"));
	delete_files("gextbr1");
	assert_true(is_there("05-xenpv-xenbr0-port.network"));
	assert_false(is_there("05-xenpv-xenbr0-port.network.d/xenpv-gextbr1.conf"));
	delete_files("xenbr0");
	/* a name that is the beginning of another is another */
	create("xenbr0", &(struct link){ .index = NOBODY, .name = "eth00", .mtu = 1500 }, 0);
	create("gextbr1", &peth0, 10);
	assert_true(is_there("06-xenpv-peth0.network.d/xenpv-gextbr1.conf"));
	delete_files("xenbr0");
	delete_files("gextbr1");
	assert_false(is_there("06-xenpv-peth0.network"));
}

/* The port's file comes later, and before the one that had the VLAN. */
static void test_port_after_vlan(void **state)
{
	(void)state;
	create("gextbr1", &peth0, 10);
	create("xenbr0", &eth0, 0);
	assert_true(says("05-xenpv-xenbr0-port.network", "Name=peth0 vif0.0"));
	assert_true(says("05-xenpv-xenbr0-port.network.d/xenpv-gextbr1.conf", "VLAN=peth0.10"));
	delete_files("xenbr0");
	assert_true(says("06-xenpv-peth0.network.d/xenpv-gextbr1.conf", "VLAN=peth0.10"));
	create("xenbr0", &eth0, 0);
	delete_files("gextbr1");
	assert_false(is_there("05-xenpv-xenbr0-port.network.d/xenpv-gextbr1.conf"));
	assert_false(is_there("06-xenpv-peth0.network"));
	delete_files("xenbr0");
}

/* A VLAN is not to be lost with the bridge whose file it stands in. */
static void test_port_before_vlan(void **state)
{
	struct plan plan = { 0 };
	struct problem p = { 0 };

	(void)state;
	create("gextbr1", &eth1, 0);
	create("gextbr2", &eth1, 20);
	assert_int_equal(persist_remove_plan(&site, "gextbr1", false, &plan, &p), -EBUSY);
	assert_int_equal(p.status, EXIT_REFUSED);
	assert_non_null(strstr(p.text, "delete gextbr2 first"));
	plan_clear(&plan);
	assert_int_equal(persist_remove_plan(&site, "gextbr1", true, &plan, &p), 0);
	carry_out(&plan);
	assert_false(is_there("05-xenpv-gextbr1-port.network"));
	delete_files("gextbr2");
	assert_false(is_there("05-xenpv-gextbr1-port.network.d/xenpv-gextbr2.conf"));
	create("gextbr1", &eth1, 0);
	create("gextbr2", &eth1, 20);
	delete_files("gextbr2");
	delete_files("gextbr1");
}

static int try_xenbr(const struct link *nic, struct problem *p)
{
	struct blueprint b = { .name = "xenbr0", .shape = SHAPE_XENBR, .nic = nic };
	struct plan plan = { 0 };
	int r;

	snprintf(b.record.port, sizeof(b.record.port), "p%.10s", nic->name);
	r = persist_plan(&site, &b, &plan, p);
	plan_clear(&plan);
	return r;
}

/* After a boot, the NIC's name is that of dom0's interface. */
static void test_vlan_on_nic(void **state)
{
	static const struct link eth00 = { .index = NOBODY, .name = "eth00", .mtu = 1500 };
	static const struct link vlan = { .index = NOBODY, .name = "eth0.5", .mtu = 1500 };
	struct problem p = { 0 };

	(void)state;
	/* others' VLANs, and one on a VLAN */
	create("gextbr3", &eth00, 10);
	create("gextbr4", &eth1, 10);
	create("gextbr5", &vlan, 10);
	assert_int_equal(try_xenbr(&eth0, &p), 0);
	create("gextbr1", &eth0, 10);
	assert_true(is_there("06-xenpv-eth0.network.d/xenpv-gextbr1.conf"));
	assert_int_equal(try_xenbr(&eth0, &p), -EBUSY);
	assert_int_equal(p.status, EXIT_REFUSED);
	assert_non_null(strstr(p.text, "eth0.10 of gextbr1"));
	assert_non_null(strstr(p.text, "delete gextbr1, create xenbr0, and make gextbr1 anew with "
				       "--netdev peth0"));
	delete_files("gextbr1");
	assert_int_equal(try_xenbr(&eth0, &p), 0);
	/* in the file of a port */
	create("gextbr2", &eth0, 0);
	create("gextbr1", &eth0, 20);
	assert_true(is_there("05-xenpv-gextbr2-port.network.d/xenpv-gextbr1.conf"));
	assert_int_equal(try_xenbr(&eth0, &p), -EBUSY);
	assert_non_null(strstr(p.text, "eth0.20 of gextbr1"));
	delete_files("gextbr1");
	delete_files("gextbr2");
	assert_int_equal(try_xenbr(&eth0, &p), 0);
}

/* It stood in a file that networkd does not use any more. */
static void test_mtu(void **state)
{
	struct link nic = { .index = NOBODY, .name = "eth5", .mtu = 9000 };

	(void)state;
	create("xenbr0", &nic, 0);
	assert_true(says("05-xenpv-xenbr0-port.network", "MTUBytes=9000"));
	assert_true(says("05-xenpv-xenbr0-dom0.netdev", "MTUBytes=9000"));
	create("gextbr1", &nic, 10);
	assert_true(says("05-xenpv-gextbr1-port.network", "MTUBytes=9000"));
	create("gextbr2", &eth1, 0);
	assert_false(says("05-xenpv-gextbr2-port.network", "MTUBytes=1500"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_shared_parent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parent_is_port, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port_after_vlan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port_before_vlan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vlan_on_nic, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mtu, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
