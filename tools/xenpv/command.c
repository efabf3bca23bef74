// SPDX-License-Identifier: GPL-2.0-or-later
#include "xenpv/command.h"

#include <getopt.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"

#define OPTS_MAX 32

int problem_set(struct problem *p, int status, int err, const char *fmt, ...)
{
	va_list ap;

	p->status = status;
	errno = -err;
	va_start(ap, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, ap);
	va_end(ap);
	return err;
}

void problem_print(const struct problem *p)
{
	fprintf(stderr, "xenpv: %s\n", p->text);
}

void complain(const char *fmt, ...)
{
	va_list ap;

	fputs("xenpv: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static const struct opt common[] = {
	{ "json", 0, OPT_FLAG, NULL, NULL, "print the result as JSON" },
	{ "help", 'h', OPT_FLAG, NULL, NULL, "print this" },
	{ "version", 'V', OPT_FLAG, NULL, NULL, "print the version" },
	{ 0 },
};

static void print_opts(const struct opt *opts)
{
	for (const struct opt *o = opts; o->name; o++) {
		char left[64];
		char letter[5] = "    ";

		if (o->letter)
			snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name, o->arg ? " " : "",
			 o->arg ?: "");
		printf("  %-28s %s\n", left, o->help);
	}
}

static void print_help(const struct call *call, const struct opt *opts)
{
	printf("Usage: %s [options] %s\n\n%s\n", call->path, call->words, call->summary);
	if (call->more)
		printf("\n%s\n", call->more);
	putchar('\n');
	print_opts(opts);
	print_opts(common);
}

/* Returns false if the option may not be used so. */
static bool take(const struct call *call, const struct opt *o, const char *arg)
{
	switch (o->type) {
	case OPT_FLAG:
		*(bool *)o->value = true;
		return true;
	case OPT_TEXT:
		if (*(const char **)o->value) {
			complain("%s: --%s is given twice", call->path, o->name);
			return false;
		}
		*(const char **)o->value = arg;
		return true;
	case OPT_LIST: {
		struct opt_list *list = o->value;

		if (list->n == OPT_LIST_MAX) {
			complain("%s: --%s is given more than %d times", call->path, o->name,
				 OPT_LIST_MAX);
			return false;
		}
		list->item[list->n++] = arg;
		return true;
	}
	}
	return false;
}

bool parse_options(struct call *call, const struct opt *opts, int min_args, int max_args, int *argc,
		   char ***argv, int *ret_status)
{
	const struct opt *all[OPTS_MAX];
	struct option longs[OPTS_MAX + 1] = { 0 };
	char shorts[2 * OPTS_MAX + 2] = "";
	size_t n = 0, len = 0;
	int c;

	for (const struct opt *o = opts; o->name; o++)
		all[n++] = o;
	for (const struct opt *o = common; o->name; o++)
		all[n++] = o;
	for (size_t i = 0; i < n; i++) {
		longs[i].name = all[i]->name;
		longs[i].has_arg = all[i]->arg ? required_argument : no_argument;
		longs[i].val = (int)(256 + i);
		if (all[i]->letter) {
			shorts[len++] = all[i]->letter;
			if (all[i]->arg)
				shorts[len++] = ':';
		}
	}
	/* What getopt says of a wrong option begins with this. */
	(*argv)[0] = (char *)call->path;
	*ret_status = EXIT_USAGE;
	optind = 0;
	while ((c = getopt_long(*argc, *argv, shorts, longs, NULL)) != -1) {
		const struct opt *o = NULL;

		if (c == '?')
			return false;
		for (size_t i = 0; i < n; i++)
			if (c == (int)(256 + i) || c == all[i]->letter)
				o = all[i];
		if (o->value) {
			if (!take(call, o, optarg))
				return false;
		} else if (!strcmp(o->name, "json")) {
			call->json = true;
		} else if (!strcmp(o->name, "help")) {
			print_help(call, opts);
			*ret_status = EXIT_DONE;
			return false;
		} else {
			puts("xenpv " XENPV_VERSION);
			*ret_status = EXIT_DONE;
			return false;
		}
	}
	*argc -= optind;
	*argv += optind;
	if (*argc < min_args) {
		complain("%s: too few words; it is \"%s %s\"", call->path, call->path, call->words);
		return false;
	}
	if (max_args >= 0 && *argc > max_args) {
		complain("%s: unexpected argument \"%s\"", call->path, (*argv)[max_args]);
		return false;
	}
	*ret_status = EXIT_DONE;
	return true;
}

static void print_commands(const char *path, const struct command *table)
{
	printf("Usage: %s [--json] COMMAND [...]\n\n", path);
	for (const struct command *c = table; c->name; c++)
		printf("  %-10s %s\n", c->name, c->summary);
	printf("\n      --json     print results as JSON\n"
	       "  -h, --help     print this; after a command, its own help\n"
	       "  -V, --version  print the version\n");
}

int run_command(const char *path, const struct command *table, int argc, char **argv, bool json)
{
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--json")) {
			json = true;
		} else if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			print_commands(path, table);
			return EXIT_DONE;
		} else if (!strcmp(argv[i], "--version") || !strcmp(argv[i], "-V")) {
			puts("xenpv " XENPV_VERSION);
			return EXIT_DONE;
		} else {
			complain("%s: unknown option \"%s\"; see \"%s --help\"", path, argv[i],
				 path);
			return EXIT_USAGE;
		}
	}
	if (i == argc) {
		complain("%s: a command is missing; see \"%s --help\"", path, path);
		return EXIT_USAGE;
	}
	for (const struct command *c = table; c->name; c++)
		if (!strcmp(c->name, argv[i]))
			return c->run(argc - i, argv + i, json);
	complain("%s: there is no command \"%s\"; see \"%s --help\"", path, argv[i], path);
	return EXIT_USAGE;
}

int print_json(struct json_object *value, int status)
{
	int flags = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE;

	if (puts(json_object_to_json_string_ext(value, flags)) < 0 || fflush(stdout)) {
		complain("cannot write to the standard output: %m");
		status = status == EXIT_DONE ? EXIT_FAILED : status;
	}
	json_object_put(value);
	return status;
}
