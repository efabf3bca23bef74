// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration that is shipped says what the defaults are. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/options.h"

/* The shipped file with its settings made active, as an administrator would. */
static void uncomment(const char *from, const char *to)
{
	FILE *in = fopen(from, "re"), *out = fopen(to, "we");
	char line[1024];

	assert_non_null(in);
	assert_non_null(out);
	while (fgets(line, sizeof(line), in)) {
		/* "#key = value" is a setting, "# words" are words */
		bool setting = line[0] == '#' && line[1] != ' ' && line[1] != '\n';

		fputs(line + setting, out);
	}
	fclose(in);
	fclose(out);
}

static void test_shipped(void **state)
{
	struct options defaults, shipped, active;
	char path[] = "/tmp/test-control-options-XXXXXX", error[512] = "";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(options_init(&defaults), 0);
	assert_int_equal(options_init(&shipped), 0);
	assert_int_equal(options_init(&active), 0);
	assert_int_equal(options_load(&shipped, SHIPPED_CONFIG, error, sizeof(error)), 0);
	uncomment(SHIPPED_CONFIG, path);
	assert_int_equal(options_load(&active, path, error, sizeof(error)), 0);
	unlink(path);
	for (int i = 0; i < 2; i++) {
		struct options *o = i ? &active : &shipped;

		assert_int_equal(o->vif, defaults.vif);
		assert_int_equal(o->tell_labels, defaults.tell_labels);
		assert_int_equal(o->max_queues, defaults.max_queues);
		assert_int_equal(o->max_ring_page_order, defaults.max_ring_page_order);
		assert_int_equal(o->max_indirect_segments, defaults.max_indirect_segments);
		assert_int_equal(o->persistent_grants, defaults.persistent_grants);
		assert_int_equal(o->hotplug_scripts, defaults.hotplug_scripts);
		assert_int_equal(o->detach_timeout, defaults.detach_timeout);
		assert_int_equal(o->open_timeout, defaults.open_timeout);
		assert_int_equal(o->resize_interval, defaults.resize_interval);
		assert_int_equal(o->direct, defaults.direct);
		assert_int_equal(o->discard, defaults.discard);
		assert_int_equal(o->poll_us, defaults.poll_us);
		assert_int_equal(o->copy_max, defaults.copy_max);
		assert_int_equal(o->persistent_max, defaults.persistent_max);
		assert_int_equal(o->drain_timeout, defaults.drain_timeout);
		assert_string_equal(o->worker_user, defaults.worker_user);
		assert_string_equal(o->log_level, defaults.log_level);
	}
	options_free(&defaults);
	options_free(&shipped);
	options_free(&active);
}

static void test_levels(void **state)
{
	(void)state;
	assert_int_equal(options_log_level("error"), LOG_ERR);
	assert_int_equal(options_log_level("debug"), LOG_DEBUG);
	assert_int_equal(options_log_level("loud"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_levels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
