/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the subcommands of xenpv share: the table that leads to them, their
 * options, their exit statuses, and how they say what went wrong.
 *
 * A subcommand is one file with one function and one entry in a table. It
 * writes results to stdout, as text or (--json) as one JSON value, and nothing
 * else; what went wrong goes to stderr as "xenpv: <object>: <what>; <remedy>".
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

struct json_object;

/* Exit statuses, the same for every subcommand. */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,  /* something failed; what had been changed was changed back */
	EXIT_USAGE = 2,   /* wrong words on the command line */
	EXIT_REFUSED = 3, /* a check said no; nothing was changed */
	EXIT_ABSENT = 4,  /* the object named on the command line does not exist */
	EXIT_BROKEN = 5,  /* something failed, and not all could be changed back */
	/* of commands that wait for a guest */
	EXIT_LATE = 6,      /* it is on its way, but not within the time given */
	EXIT_SILENT = 7,    /* it took no notice; what was asked was withdrawn */
	EXIT_OTHERWISE = 8, /* something else happened than was asked */
};

/* The first thing that went wrong, ready to be printed. */
struct problem {
	int status; /* one of the above */
	char text[1024];
};

/*
 * problem_set - note what went wrong
 * @status: exit status
 * @err: negative errno; %m in @fmt prints it
 *
 * Returns @err, so that a function can end with "return problem_set(...)".
 */
__attribute__((format(printf, 4, 5))) int problem_set(struct problem *p, int status, int err,
						      const char *fmt, ...);

/* Print a problem, or a warning that changes no exit status, to stderr. */
void problem_print(const struct problem *p);
__attribute__((format(printf, 1, 2))) void complain(const char *fmt, ...);

/* Options. A table ends with an entry without a name. */
enum opt_type {
	OPT_FLAG, /* bool, set to true */
	OPT_TEXT, /* const char *, points into argv */
	OPT_LIST, /* struct opt_list, grows with each use */
};

#define OPT_LIST_MAX 16

struct opt_list {
	const char *item[OPT_LIST_MAX];
	size_t n;
};

struct opt {
	const char *name; /* long name, without dashes */
	char letter;      /* short name, or 0 */
	enum opt_type type;
	void *value;
	const char *arg; /* name of the argument in the help, NULL for OPT_FLAG */
	const char *help;
};

struct call {
	const char *path;    /* "xenpv bridge create", for messages and help */
	const char *words;   /* "NAME [--netdev IF]", for the help */
	const char *summary; /* one line */
	const char *more;    /* further lines of the help, or NULL */
	bool json;           /* --json was given, here or before the subcommand */
};

/*
 * parse_options - read a subcommand's options
 * @opts: its own; --json, --help and --version are added to every table
 * @min_args, @max_args: how many words may follow the options
 * @ret_status: what to exit with if false is returned: help was printed, or a
 *              complaint
 *
 * argv[0] is the subcommand. Options and words may be mixed. On success *argc
 * and *argv are the words alone.
 */
bool parse_options(struct call *call, const struct opt *opts, int min_args, int max_args, int *argc,
		   char ***argv, int *ret_status);

struct command {
	const char *name;
	const char *summary;
	/* argv[0] is the name; returns the exit status */
	int (*run)(int argc, char **argv, bool json);
};

/*
 * run_command - find argv's command in a table and run it
 * @path: what was typed up to here, "xenpv" or "xenpv bridge"
 * @table: ends with an entry without a name
 */
int run_command(const char *path, const struct command *table, int argc, char **argv, bool json);

/* Print a value and a newline to stdout, and drop the reference. Returns the exit status. */
int print_json(struct json_object *value, int status);

/* The subcommands. */
int cmd_bridge(int argc, char **argv, bool json);
int cmd_check(int argc, char **argv, bool json);
int cmd_freeze(int argc, char **argv, bool json);
int cmd_list(int argc, char **argv, bool json);
int cmd_metrics(int argc, char **argv, bool json);
int cmd_reboot(int argc, char **argv, bool json);
int cmd_show(int argc, char **argv, bool json);
int cmd_shutdown(int argc, char **argv, bool json);
int cmd_size(int argc, char **argv, bool json);
int cmd_thaw(int argc, char **argv, bool json);
int cmd_top(int argc, char **argv, bool json);
