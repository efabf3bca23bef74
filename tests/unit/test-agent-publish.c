// SPDX-License-Identifier: GPL-2.0-or-later
/* The publisher against a list of the changes that it asks xenstore for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "publish.h"

static struct {
	char log[16384]; /* "path=value;" for a write, "-path;" for a removal */
	size_t used;
	const char *refuse; /* path whose change fails with @err */
	int err;
} t;

static int change(const char *path, const char *value)
{
	t.used += (size_t)snprintf(t.log + t.used, sizeof(t.log) - t.used,
				   value ? "%s=%s;" : "-%s;", path, value ?: "");
	assert_true(t.used < sizeof(t.log));
	return t.refuse && strcmp(path, t.refuse) == 0 ? t.err : 0;
}

int __wrap_xsc_write(struct xs_conn *xs, xs_transaction_t tid, const char *dir, const char *key,
		     const char *value);
int __wrap_xsc_write(struct xs_conn *xs, xs_transaction_t tid, const char *dir, const char *key,
		     const char *value)
{
	(void)xs;
	(void)tid;
	(void)key;
	return change(dir, value);
}

int __wrap_xsc_remove(struct xs_conn *xs, xs_transaction_t tid, const char *dir, const char *key);
int __wrap_xsc_remove(struct xs_conn *xs, xs_transaction_t tid, const char *dir, const char *key)
{
	(void)xs;
	(void)tid;
	(void)key;
	return change(dir, NULL);
}

/* Publish "path=value" words, "path=" for absence; check what was asked for. */
static int check(struct publisher *publisher, unsigned int section, const char *words,
		 const char *expected)
{
	_cleanup_(report_clear) struct report report = { 0 };
	_cleanup_free_ char *copy = strdup(words);
	char *state = NULL;
	int r;

	assert_non_null(copy);
	for (char *word = strtok_r(copy, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
		char *value = strchr(word, '=');

		assert_non_null(value);
		*value++ = '\0';
		assert_int_equal(report_add(&report, word, value), 0);
	}
	t.used = 0;
	t.log[0] = '\0';
	r = publish_section(publisher, section, &report);
	assert_string_equal(t.log, expected);
	return r;
}

static int set_up(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	return 0;
}

static void test_only_changes_are_written(void **state)
{
	_cleanup_(publisher_forget) struct publisher p = { 0 };

	(void)state;
	assert_int_equal(check(&p, 1, "data/a=1 data/b=2", "data/a=1;data/b=2;"), 2);
	assert_int_equal(check(&p, 1, "data/a=1 data/b=2", ""), 0);
	assert_int_equal(check(&p, 1, "data/a=1 data/b=3", "data/b=3;"), 1);
	assert_string_equal(publisher_value(&p, "data/b"), "3");
	publisher_forget(&p);
	assert_int_equal(check(&p, 1, "data/a=1 data/b=3", "data/a=1;data/b=3;"), 2);
}

static void test_gone_nodes_go_with_their_directories(void **state)
{
	_cleanup_(publisher_forget) struct publisher p = { 0 };

	(void)state;
	check(&p, 1, "attr/vif/0/ipv4/0=x attr/vif/0/ipv6/0=y attr/vif/1/name=z",
	      "attr/vif/0/ipv4/0=x;attr/vif/0/ipv6/0=y;attr/vif/1/name=z;");
	check(&p, 2, "data/other=1", "data/other=1;");
	assert_int_equal(publisher_count(&p), 9);
	assert_int_equal(check(&p, 1, "attr/vif/0/ipv4/0=x attr/vif/1/name=z", "-attr/vif/0/ipv6;"),
			 1);
	check(&p, 1, "attr/vif/1/name=z", "-attr/vif/0;");
	/* "attr" itself is the toolstack's, and a guest could not make it again. */
	check(&p, 1, "", "-attr/vif;");
	assert_int_equal(publisher_count(&p), 1);
	/* What has a like name is no neighbour. */
	check(&p, 1, "data/ab/c=1 data/a/c=1", "data/ab/c=1;data/a/c=1;");
	check(&p, 1, "data/ab/c=1", "-data/a;");
	check(&p, 2, "", "-data/other;");
}

/* The room of what goes is there for what comes, in one report. */
static void test_limit(void **state)
{
	_cleanup_(publisher_forget) struct publisher p = { 0 };
	_cleanup_(report_clear) struct report many = { 0 }, others = { 0 };

	(void)state;
	for (int i = 0; i < PUBLISH_NODES_MAX + 10; i++) {
		char path[32];

		snprintf(path, sizeof(path), "data/many/%d", i);
		assert_int_equal(report_add(&many, path, "1"), 0);
		snprintf(path, sizeof(path), "data/other/%d", i);
		assert_int_equal(report_add(&others, path, "1"), 0);
	}
	/* One for the directory. */
	assert_int_equal(publish_section(&p, 1, &many), PUBLISH_NODES_SECTIONS - 1);
	assert_int_equal(publisher_count(&p), PUBLISH_NODES_SECTIONS);
	assert_true(p.refused[REFUSAL_OWN]);
	/* A known one may still change, a new one may not come. */
	t.used = 0;
	check(&p, 2, "attr/new=1", "");
	t.used = 0;
	assert_true(publish_section(&p, 1, &others) > PUBLISH_NODES_SECTIONS - 1);
	assert_int_equal(publisher_count(&p), PUBLISH_NODES_SECTIONS);
	assert_null(publisher_value(&p, "data/many/0"));
	assert_non_null(publisher_value(&p, "data/other/0"));
}

/* However many devices there are: freezes, shutdowns and the time of the report are told. */
static void test_reserve(void **state)
{
	static const char own[] =
		"data/xenpv/feature-freeze=1 data/xenpv/freeze/id=1 data/xenpv/freeze/seconds=1 "
		"data/xenpv/freeze/filesystems=1 data/xenpv/freeze/error=1 "
		"data/xenpv/freeze/reason=1 data/xenpv/freeze/state=1 "
		"data/xenpv/shutdown/seconds=1 data/xenpv/shutdown/unit=1 "
		"data/xenpv/shutdown/action=1 data/xenpv/shutdown/state=1 data/updated=1";
	_cleanup_(publisher_forget) struct publisher p = { 0 };
	_cleanup_(report_clear) struct report many = { 0 };
	char expected[sizeof(own) + 1];
	size_t n;

	(void)state;
	for (int i = 0; i < PUBLISH_NODES_MAX; i++) {
		char path[32];

		snprintf(path, sizeof(path), "attr/many/%d", i);
		assert_int_equal(report_add(&many, path, "1"), 0);
	}
	publish_section(&p, 1, &many);
	snprintf(expected, sizeof(expected), "%s;", own);
	for (char *c = expected; *c; c++)
		if (*c == ' ')
			*c = ';';
	assert_int_equal(check(&p, 0, own, expected), 12);
	assert_true(publisher_count(&p) <= PUBLISH_NODES_MAX);
	/* Nor do they take the room of what replaces a device. */
	check(&p, 2, "attr/other/0=1", "");
	n = many.n;
	many.n = PUBLISH_NODES_SECTIONS - 3;
	t.used = 0;
	publish_section(&p, 1, &many);
	many.n = n;
	check(&p, 2, "attr/other/0=1 attr/other/1=1", "attr/other/0=1;");
}

static void test_refusals_are_tried_again(void **state)
{
	_cleanup_(publisher_forget) struct publisher p = { 0 };

	(void)state;
	t.refuse = "data/b";
	t.err = -ENOSPC;
	assert_int_equal(check(&p, 1, "data/a=1 data/b=2 data/c=3", "data/a=1;data/b=2;data/c=3;"),
			 2);
	assert_null(publisher_value(&p, "data/b"));
	assert_true(p.refused[REFUSAL_QUOTA]);
	t.refuse = NULL;
	assert_int_equal(check(&p, 1, "data/a=1 data/b=2 data/c=3", "data/b=2;"), 1);
	/* A refused change leaves the old value, and both are known. */
	t.refuse = "data/b";
	assert_int_equal(check(&p, 1, "data/b=9 data/a=1 data/c=3", "data/b=9;"), 0);
	assert_string_equal(publisher_value(&p, "data/b"), "2");
	t.err = -EPIPE;
	assert_int_equal(check(&p, 1, "data/b=9 data/a=1 data/c=3", "data/b=9;"), -EPIPE);
}

static void test_absence(void **state)
{
	_cleanup_(publisher_forget) struct publisher p = { 0 };

	(void)state;
	/* Of an earlier agent, so it has to be asked for, but once. */
	assert_int_equal(check(&p, 1, "data/xenpv= data/x=", "-data/xenpv;-data/x;"), 2);
	assert_int_equal(check(&p, 1, "data/xenpv= data/x=", ""), 0);
	assert_int_equal(publisher_count(&p), 0);
	check(&p, 2, "data/xenpv/y=1", "data/xenpv/y=1;");
	assert_int_equal(check(&p, 1, "data/xenpv= data/x=", "-data/xenpv;"), 1);
	assert_null(publisher_value(&p, "data/xenpv/y"));
	check(&p, 2, "data/xenpv/y=1", "data/xenpv/y=1;");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_only_changes_are_written, set_up),
		cmocka_unit_test_setup(test_gone_nodes_go_with_their_directories, set_up),
		cmocka_unit_test_setup(test_limit, set_up),
		cmocka_unit_test_setup(test_reserve, set_up),
		cmocka_unit_test_setup(test_refusals_are_tried_again, set_up),
		cmocka_unit_test_setup(test_absence, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
