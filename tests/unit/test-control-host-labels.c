// SPDX-License-Identifier: GPL-2.0-or-later
/* The labels of a host that is a directory. */
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
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/host-labels.h"

static char root[] = "/tmp/test-control-host-labels-XXXXXX";

static const char *in_root(const char *path)
{
	static char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", root, path);
	return full;
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(in_root(path), "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void put_link(const char *directory, const char *name, const char *device)
{
	char path[PATH_MAX], target[PATH_MAX];

	snprintf(path, sizeof(path), "%s/dev/disk/%s/%s", root, directory, name);
	snprintf(target, sizeof(target), "../../%s", device);
	assert_int_equal(symlink(target, path), 0);
}

static int make_host(void **state)
{
	static const char *const directories[] = {
		"/dev",
		"/dev/mapper",
		"/dev/disk",
		"/dev/disk/by-label",
		"/dev/disk/by-uuid",
		"/dev/disk/by-partuuid",
		"/proc",
		"/proc/self",
	};

	(void)state;
	strcpy(root + sizeof(root) - 7, "XXXXXX");
	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		assert_int_equal(mkdir(in_root(directories[i]), 0700), 0);
	put("/dev/sda1", "");
	put("/dev/sda2", "");
	put("/dev/dm-0", "");
	put("/dev/dm-1", ""); /* a guest's */
	assert_int_equal(symlink("../dm-0", in_root("/dev/mapper/vg-ro ot")), 0);
	put("/proc/self/mountinfo",
	    "21 26 0:20 / /proc rw,relatime - proc proc rw\n"
	    "26 1 254:0 / / rw shared:1 - ext4 /dev/mapper/vg-ro\\040ot rw\n"
	    "27 26 8:1 / /boot rw - ext4 /dev/sda1 rw\n"
	    "28 26 8:1 /efi /srv rw - ext4 /dev/sda1 rw\n"
	    "29 26 0:44 / /gone rw - ext4 /dev/gone rw\n"
	    "nonsense\n");
	put("/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n"
			   "/dev/sda2                               partition\t975868\t0\t-2\n");
	put_link("by-label", "\\x2f", "dm-0");
	put_link("by-label", "my\\x20b\\x5coot", "sda1");
	put_link("by-label", "guest", "dm-1");
	put_link("by-label", "gone", "nothing");
	put_link("by-uuid", "11-22", "sda2");
	put_link("by-uuid", "00-11", "dm-0");
	put_link("by-uuid", "99-99", "dm-1");
	put_link("by-partuuid", "abc-01", "sda1");
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int remove_host(void **state)
{
	(void)state;
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void test_own_only(void **state)
{
	char labels[HOST_LABELS_BYTES];

	(void)state;
	assert_int_equal(host_labels_read(root, labels), 0);
	assert_string_equal(labels, "LABEL=/\nLABEL=my b\\oot\nUUID=00-11\nUUID=11-22\n"
				    "PARTUUID=abc-01\n");
}

/* A label must not pass for two. */
static void test_two_lines(void **state)
{
	char labels[HOST_LABELS_BYTES];

	(void)state;
	put_link("by-label", "x\\x0aLABEL=y", "sda1");
	put_link("by-label", "del\\x7f", "sda1");
	/* none of these is an escape */
	put_link("by-label", "z\\x0", "sda1");
	put_link("by-label", "z\\x00", "sda1");
	put_link("by-label", "z\\xg1", "sda1");
	put_link("by-label", "z\\", "sda1");
	assert_int_equal(host_labels_read(root, labels), 0);
	assert_null(strstr(labels, "LABEL=y"));
	assert_null(strstr(labels, "del"));
	assert_non_null(strstr(labels, "LABEL=z\\x0\n"));
	assert_non_null(strstr(labels, "LABEL=z\\x00\n"));
	assert_non_null(strstr(labels, "LABEL=z\\xg1\n"));
	assert_non_null(strstr(labels, "LABEL=z\\\n"));
}

static void test_bounds(void **state)
{
	char labels[HOST_LABELS_BYTES], name[256];
	size_t lines = 0;

	(void)state;
	for (unsigned int i = 0; i < 2 * HOST_LABELS_MAX; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		put_link("by-label", name, "sda1");
	}
	assert_int_equal(host_labels_read(root, labels), 1);
	for (const char *s = labels; *s; s++)
		lines += *s == '\n';
	assert_int_equal(lines, HOST_LABELS_MAX);

	/* long ones: what has no room is left out as a whole */
	remove_host(NULL);
	make_host(NULL);
	for (unsigned int i = 0; i < 16; i++) {
		memset(name, 'a' + (int)i, 240);
		name[240] = '\0';
		put_link("by-label", name, "sda1");
	}
	assert_int_equal(host_labels_read(root, labels), 1);
	assert_true(strlen(labels) < HOST_LABELS_BYTES);
	assert_int_equal(labels[strlen(labels) - 1], '\n');
	lines = 0;
	for (const char *s = labels; *s; s = strchr(s, '\n') + 1, lines++)
		assert_true(!strncmp(s, "LABEL=", 6) || !strncmp(s, "UUID=", 5) ||
			    !strncmp(s, "PARTUUID=", 9));
	assert_true(lines > 10);
}

static void test_missing(void **state)
{
	char labels[HOST_LABELS_BYTES];

	(void)state;
	assert_int_equal(unlink(in_root("/proc/swaps")), 0);
	assert_int_equal(host_labels_read(root, labels), 0);
	assert_null(strstr(labels, "11-22"));
	assert_non_null(strstr(labels, "00-11"));
	assert_int_equal(unlink(in_root("/proc/self/mountinfo")), 0);
	assert_int_equal(host_labels_read(root, labels), -ENOENT);
	assert_string_equal(labels, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_own_only, make_host, remove_host),
		cmocka_unit_test_setup_teardown(test_two_lines, make_host, remove_host),
		cmocka_unit_test_setup_teardown(test_bounds, make_host, remove_host),
		cmocka_unit_test_setup_teardown(test_missing, make_host, remove_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
