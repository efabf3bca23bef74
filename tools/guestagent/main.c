// SPDX-License-Identifier: GPL-2.0-or-later
/* xenpv-agent: tell the Xen host what this guest runs and how its shutdown goes. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent.h"
#include "freeze.h"
#include "hooks.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/xs.h"
#include "logind.h"
#include "manager.h"
#include "publish.h"
#include "settings.h"
#include "shutdown.h"
#include "sources.h"
#include "stamp.h"

/* The last act of a shutdown waits no longer than this for xenstore, in seconds. */
#define STOPPED_LIMIT 10

enum mode {
	MODE_RUN,
	MODE_ONCE,
	MODE_JSON,
	MODE_STOPPED,
	MODE_HOOKS,
	MODE_THAW,
};

static void usage(FILE *file)
{
	fputs("Usage: xenpv-agent [--once | --json | --stopped | --hooks=NAME | --thaw]\n"
	      "                   [--config=FILE] [--verbose]\n"
	      "\n"
	      "Tell the Xen host what this guest runs and how its shutdown goes.\n"
	      "\n"
	      "      --once     write the report to xenstore once and exit\n"
	      "      --json     print the report and change nothing in xenstore\n"
	      "      --stopped  tell the host that everything was stopped; for systemd-shutdown\n"
	      "      --hooks=NAME  run the hooks for shutdown, freeze or thaw; for systemd\n"
	      "      --thaw     thaw what a killed agent left frozen; for systemd\n"
	      "  -c, --config=FILE  settings, instead of " SETTINGS_PATH "\n"
	      "  -v, --verbose  log more\n"
	      "  -h, --help     print this and exit\n"
	      "  -V, --version  print the version and exit\n",
	      file);
}

static int run(const struct settings *settings)
{
	return agent_run(settings, MANAGER_ADDRESS, LOGIND_BUS_ADDRESS);
}

/* @xs: NULL without xenstore, whose facts are then left out */
static int gather(const struct settings *settings, struct xs_conn *xs, struct report *report)
{
	struct sources sources;
	int r;

	sources_init(&sources, "", settings);
	sources.xs = xs;
	r = agent_report(&sources, report);
	sources_clear(&sources);
	return r;
}

/* xenstore is read where there is one; that it cannot be, or ends meanwhile, is no failure. */
static int gather_readable(const struct settings *settings, struct report *report)
{
	_cleanup_(xsc_closep) struct xs_conn *xs = NULL;
	int r;

	r = xsc_open(NULL, &xs);
	if (r < 0)
		log_debug("xenstore cannot be read: %s", strerror(-r));
	r = gather(settings, xs, report);
	if (!xsc_is_fatal(r))
		return r;
	report_clear(report);
	return gather(settings, NULL, report);
}

static int run_json(const struct settings *settings)
{
	_cleanup_(report_clear) struct report report = { 0 };
	const struct shutdown running = { 0 };
	int r;

	r = gather_readable(settings, &report);
	if (r >= 0)
		r = freeze_report_feature(settings, &report);
	if (r >= 0)
		r = shutdown_report(&running, &report);
	if (r >= 0)
		r = agent_mark_updated(&report);
	if (r >= 0)
		r = report_print_json(&report, stdout);
	if (r < 0)
		log_error(r, "cannot print the report: %m");
	return r;
}

static enum hooks hooks = HOOKS_MAX; /* --hooks */

static int run_hooks(const struct settings *settings)
{
	uint32_t limit =
		hooks == HOOKS_SHUTDOWN ? settings->shutdown_timeout : settings->freeze_timeout;
	sigset_t set;
	int r;

	/* Its unit is also stopped by an upgrade, or by hand. */
	if (hooks == HOOKS_SHUTDOWN && manager_says_running(MANAGER_ADDRESS)) {
		log_info("the system is not stopping: no hooks are run");
		return 0;
	}
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	r = hooks_run(hooks, limit);
	if (r < 0)
		log_error(r, "hooks for %s did not end: %m; the limit is %u s", hooks_name(hooks),
			  limit);
	return r > 0 ? -EIO : r;
}

static int connect_xenstore(struct xs_conn **ret)
{
	int r = xsc_open(NULL, ret);

	if (r < 0)
		log_error(r, "cannot connect to xenstore: %m; is this a Xen guest, and may "
			     "/dev/xen/xenbus be opened?");
	return r;
}

static int publish_once(struct xs_conn *xs, const struct report *report)
{
	struct publisher publisher = { .xs = xs };
	int r;

	r = publish(&publisher, report);
	if (r < 0)
		log_error(r, "cannot write to xenstore: %m");
	publisher_forget(&publisher);
	return r;
}

/* Says nothing of shutdowns: nobody stays to follow one. */
static int run_once(const struct settings *settings)
{
	_cleanup_(report_clear) struct report report = { 0 };
	_cleanup_(xsc_closep) struct xs_conn *xs = NULL;
	int r;

	r = connect_xenstore(&xs);
	if (r < 0)
		return r;
	r = gather(settings, xs, &report);
	if (r >= 0)
		r = agent_mark_updated(&report);
	if (r < 0) {
		log_error(r, "cannot gather the report: %m");
		return r;
	}
	return publish_once(xs, &report);
}

static int run_stopped(const struct settings *settings)
{
	_cleanup_(report_clear) struct report report = { 0 };
	_cleanup_(xsc_closep) struct xs_conn *xs = NULL;
	uint64_t since, taken;
	bool known;
	int r;

	(void)settings;
	/* Nothing is left to stop us but this. */
	alarm(STOPPED_LIMIT);
	r = stamp_load(&since);
	if (r < 0)
		log_warning(r, "it is not known when the shutdown began: %m");
	known = r >= 0;
	taken = known ? stamp_now() - since : 0;
	r = shutdown_report_stopped(known ? &taken : NULL, &report);
	if (r < 0) {
		log_error(r, "cannot gather the report: %m");
		return r;
	}
	r = connect_xenstore(&xs);
	return r < 0 ? r : publish_once(xs, &report);
}

static int run_thaw(const struct settings *settings)
{
	(void)settings;
	return freeze_recover();
}

/* Choose @chosen in *mode; false if another mode was chosen before. */
static bool choose(enum mode *mode, enum mode chosen)
{
	if (*mode != MODE_RUN && *mode != chosen)
		return false;
	*mode = chosen;
	return true;
}

int main(int argc, char **argv)
{
	enum {
		OPT_ONCE = 256,
		OPT_JSON,
		OPT_STOPPED,
		OPT_HOOKS,
		OPT_THAW,
	};
	static const struct option options[] = {
		{ "once", no_argument, NULL, OPT_ONCE },
		{ "json", no_argument, NULL, OPT_JSON },
		{ "stopped", no_argument, NULL, OPT_STOPPED },
		{ "hooks", required_argument, NULL, OPT_HOOKS },
		{ "thaw", no_argument, NULL, OPT_THAW },
		{ "config", required_argument, NULL, 'c' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	static int (*const runs[])(const struct settings *settings) = {
		[MODE_RUN] = run,         [MODE_ONCE] = run_once,
		[MODE_JSON] = run_json,   [MODE_STOPPED] = run_stopped,
		[MODE_HOOKS] = run_hooks, [MODE_THAW] = run_thaw,
	};
	const char *config = SETTINGS_PATH;
	enum mode mode = MODE_RUN;
	struct settings settings;
	char error[512];
	bool ok = true;
	int c;

	log_open("xenpv-agent", LOG_INFO);
	while ((c = getopt_long(argc, argv, "c:vhV", options, NULL)) != -1) {
		switch (c) {
		case OPT_ONCE:
			ok = ok && choose(&mode, MODE_ONCE);
			break;
		case OPT_JSON:
			ok = ok && choose(&mode, MODE_JSON);
			break;
		case OPT_STOPPED:
			ok = ok && choose(&mode, MODE_STOPPED);
			break;
		case OPT_HOOKS:
			ok = ok && choose(&mode, MODE_HOOKS);
			hooks = hooks_by_name(optarg);
			if (hooks == HOOKS_MAX) {
				fprintf(stderr, "xenpv-agent: no such occasion for hooks: %s\n",
					optarg);
				return EX_USAGE;
			}
			break;
		case OPT_THAW:
			ok = ok && choose(&mode, MODE_THAW);
			break;
		case 'c':
			config = optarg;
			break;
		case 'v':
			log_set_max_priority(LOG_DEBUG);
			break;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		case 'V':
			puts("xenpv-agent " XENPV_VERSION);
			return EXIT_SUCCESS;
		default:
			return EX_USAGE;
		}
	}
	if (!ok) {
		fputs("xenpv-agent: --once, --json, --stopped, --hooks and --thaw exclude each "
		      "other\n",
		      stderr);
		return EX_USAGE;
	}
	if (optind < argc) {
		fprintf(stderr, "xenpv-agent: unexpected argument: %s\n", argv[optind]);
		return EX_USAGE;
	}
	/* Thawing is not kept from it by an error in the settings. */
	settings_default(&settings);
	if (mode != MODE_THAW && settings_load(config, &settings, error, sizeof(error)) < 0) {
		log_error(0, "%s", error);
		return EX_CONFIG;
	}
	return runs[mode](&settings) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
