// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "control/image.h"

static void test_choices(void **state)
{
	static const struct {
		struct image_nodes nodes;
		int result;
		const char *path; /* or part of the error */
		bool check_rdev;
	} cases[] = {
		{ { "/etc/xen/scripts/block", "/a.img", NULL, NULL }, 1, "/a.img", false },
		/* the loop device that the stock script makes is not used */
		{ { "/etc/xen/scripts/block", "/a.img", "7:0", "/dev/loop0" }, 1, "/a.img", false },
		{ { NULL, "/a.img", NULL, NULL }, 1, "/a.img", false },
		{ { "", "/a.img", NULL, NULL }, 1, "/a.img", false },
		{ { "block", "aio:/a.img", NULL, NULL }, 1, "/a.img", false },
		{ { "block", "relative.img", NULL, NULL }, -EINVAL, "relative.img", false },
		{ { "block", "", NULL, NULL }, -EINVAL, "empty", false },
		{ { "block", NULL, NULL, NULL }, -EINVAL, "params", false },
		{ { "/x/block-iscsi", "iqn", NULL, NULL }, 0, NULL, false },
		{ { "/x/block-iscsi", "iqn", NULL, "/dev/sda" }, 1, "/dev/sda", false },
		{ { "/x/block-iscsi", "iqn", "8:0", "/dev/sda" }, 1, "/dev/sda", true },
		{ { "/x/block-iscsi", "iqn", "8:10", NULL }, 1, "/dev/block/8:16", true },
		{ { "/x/block-iscsi", "iqn", "8", NULL }, -EINVAL, "physical-device", false },
		{ { "/x/block-iscsi", "iqn", NULL, "sda" },
		  -EINVAL,
		  "physical-device-path",
		  false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct image_choice c;
		char error[256] = "";

		assert_int_equal(image_choose(&cases[i].nodes, &c, error, sizeof(error)),
				 cases[i].result);
		if (cases[i].result == 1) {
			assert_string_equal(c.path, cases[i].path);
			assert_int_equal(c.check_rdev, cases[i].check_rdev);
		} else if (cases[i].result < 0) {
			assert_non_null(strstr(error, cases[i].path));
		} else {
			assert_null(c.path);
		}
	}
}

static void test_longest_path(void **state)
{
	char path[PATH_MAX + 1];
	struct image_nodes nodes = { NULL, path, NULL, NULL };
	struct image_choice c;
	char error[256];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[PATH_MAX - 1] = '\0';
	assert_int_equal(image_choose(&nodes, &c, error, sizeof(error)), 1);
	path[PATH_MAX - 1] = 'x';
	path[PATH_MAX] = '\0';
	assert_int_equal(image_choose(&nodes, &c, error, sizeof(error)), -EINVAL);
}

static void test_modes(void **state)
{
	static const struct {
		const char *mode;
		bool readonly, shared;
	} cases[] = {
		{ "r", true, false },   { "ro", true, false }, { "w", false, false },
		{ "rw", false, false }, { "w!", false, true }, { "rw!", false, true },
		{ "r!", true, false },  { "", true, false },   { NULL, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool readonly, shared;

		image_parse_mode(cases[i].mode, &readonly, &shared);
		assert_int_equal(readonly, cases[i].readonly);
		assert_int_equal(shared, cases[i].shared);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_longest_path),
		cmocka_unit_test(test_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
