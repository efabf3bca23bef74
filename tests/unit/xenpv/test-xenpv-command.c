// SPDX-License-Identifier: GPL-2.0-or-later
/* What the command line means, for every subcommand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "xenpv/command.h"

static struct {
	bool flag;
	const char *text;
	struct opt_list list;
	bool json;
	int argc;
	char *argv[8];
} got;

static int run(int argc, char **argv, bool json)
{
	struct call call = { .path = "t sub", .words = "[A]", .summary = "S.", .json = json };
	const struct opt opts[] = {
		{ "flag", 'f', OPT_FLAG, &got.flag, NULL, "F" },
		{ "text", 't', OPT_TEXT, &got.text, "T", "T" },
		{ "list", 0, OPT_LIST, &got.list, "L", "L" },
		{ 0 },
	};
	int status;

	if (!parse_options(&call, opts, 1, 2, &argc, &argv, &status))
		return status;
	got.json = call.json;
	got.argc = argc;
	for (int i = 0; i < argc; i++)
		got.argv[i] = argv[i];
	return EXIT_DONE;
}

static const struct command table[] = { { "sub", "S", run }, { 0 } };

/* Run a command line; returns its status, with what went to stderr in @err. */
static int call(const char *line, char *err, size_t size)
{
	char copy[512], *argv[64], *save = NULL;
	int argc = 0, status, saved = dup(STDERR_FILENO), out = dup(STDOUT_FILENO);
	FILE *f = tmpfile();
	size_t n;

	memset(&got, 0, sizeof(got));
	strcpy(copy, line);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	argv[argc] = NULL;
	assert_non_null(f);
	fflush(stdout);
	dup2(fileno(f), STDERR_FILENO);
	dup2(fileno(f), STDOUT_FILENO);
	status = run_command("t", table, argc, argv, false);
	fflush(stdout);
	dup2(saved, STDERR_FILENO);
	dup2(out, STDOUT_FILENO);
	close(saved);
	close(out);
	rewind(f);
	n = fread(err, 1, size - 1, f);
	err[n] = '\0';
	fclose(f);
	return status;
}

static void test_good(void **state)
{
	char err[2048];

	(void)state;
	assert_int_equal(call("t sub a", err, sizeof(err)), EXIT_DONE);
	assert_int_equal(got.argc, 1);
	assert_false(got.json || got.flag);
	assert_int_equal(call("t --json sub a --flag -t x b --list=1 --list 2", err, sizeof(err)),
			 EXIT_DONE);
	assert_true(got.json && got.flag);
	assert_int_equal(got.argc, 2);
	assert_int_equal(got.list.n, 2);
	assert_int_equal(call("t sub --json -- -a", err, sizeof(err)), EXIT_DONE);
	assert_true(got.json);
	assert_int_equal(got.argc, 1);
	assert_string_equal(err, "");
}

static void test_help(void **state)
{
	static const char *const lines[] = { "t --help", "t -h", "t sub --help", "t sub -h a b c" };
	char err[2048];

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
		assert_int_equal(call(lines[i], err, sizeof(err)), EXIT_DONE);
		assert_non_null(strstr(err, "Usage: t"));
	}
	assert_int_equal(call("t --version", err, sizeof(err)), EXIT_DONE);
	assert_string_equal(err, "xenpv " XENPV_VERSION "\n");
	assert_int_equal(call("t sub -V", err, sizeof(err)), EXIT_DONE);
	assert_string_equal(err, "xenpv " XENPV_VERSION "\n");
}

static void test_bad(void **state)
{
	static const struct {
		const char *line, *error;
	} cases[] = {
		{ "t", "a command is missing" },
		{ "t --json", "a command is missing" },
		{ "t nosuch", "there is no command \"nosuch\"" },
		{ "t --nosuch sub", "unknown option \"--nosuch\"" },
		{ "t sub", "too few words" },
		{ "t sub a b c", "unexpected argument \"c\"" },
		{ "t sub --nosuch a", "t sub: unrecognized option '--nosuch'" },
		{ "t sub -x a", "t sub: invalid option -- 'x'" },
		{ "t sub a --text", "t sub: option '--text' requires an argument" },
		{ "t sub a --text x --text y", "--text is given twice" },
		{ "t sub a --list 1 --list 1 --list 1 --list 1 --list 1 --list 1 --list 1 --list 1 "
		  "--list 1 --list 1 --list 1 --list 1 --list 1 --list 1 --list 1 --list 1 --list "
		  "1",
		  "--list is given more than 16 times" },
	};
	char err[2048];

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		assert_int_equal(call(cases[i].line, err, sizeof(err)), EXIT_USAGE);
		if (!strstr(err, cases[i].error))
			fail_msg("%s: %s", cases[i].line, err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
