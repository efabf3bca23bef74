// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xenpv-backendd - serves the virtual disks and network interfaces of Xen guests
 *
 * The broker: talks to xenstore, opens images, and starts one worker for each
 * guest, which moves the data.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <systemd/sd-daemon.h>

#include "control/broker.h"
#include "control/check.h"
#include "control/device.h"
#include "control/kernel.h"
#include "control/links.h"
#include "control/registry.h"
#include "control/resize.h"
#include "control/status.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "worker/proto.h"

#define DEFAULT_CONFIG "/etc/xenpv/backendd.conf"
/* How soon the end of xenstored is noticed while nothing happens. */
#define ALIVE_INTERVAL_US UINT64_C(5000000)

#define EXIT_USAGE        2
#define EXIT_NOT_RUNNING  3

enum mode {
	MODE_RUN,
	MODE_CHECK,
	MODE_STATUS,
	MODE_EXIT
};

struct command_line {
	enum mode mode;
	const char *config;
	const char *worker;
	const char *worker_user;
	const char *runtime_dir;
	const char *sysfs;
	const char *host_root;
	const char *log_level;
};

static void print_help(void)
{
	printf("Usage: xenpv-backendd [options]\n"
	       "\n"
	       "Serves the virtual disks (vbd) of Xen guests from files and block devices, and "
	       "their\n"
	       "network interfaces (vif) by taps.\n"
	       "\n"
	       "  -c, --config FILE        read FILE and FILE.d/*.conf [%s]\n"
	       "      --check              check configuration and environment, then exit\n"
	       "      --status             print what a running xenpv-backendd serves, as JSON\n"
	       "      --worker PATH        use this worker program\n"
	       "      --worker-user NAME   run workers as this user, \"\" for no change\n"
	       "      --runtime-dir DIR    keep journals and status here [/run/xenpv-backend]\n"
	       "      --sysfs DIR          where sysfs is mounted [/sys]\n"
	       "      --host-root DIR      where /dev and /proc are, for tell-labels [/]\n"
	       "      --log-level LEVEL    error, warning, notice, info or debug\n"
	       "  -h, --help               print this\n"
	       "      --version            print the version\n",
	       DEFAULT_CONFIG);
}

enum {
	OPT_CHECK = 256,
	OPT_STATUS,
	OPT_WORKER,
	OPT_USER,
	OPT_RUNTIME,
	OPT_SYSFS,
	OPT_HOST_ROOT,
	OPT_LOG,
	OPT_VERSION
};

static int parse_command_line(int argc, char **argv, struct command_line *ret)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, OPT_CHECK },
		{ "status", no_argument, NULL, OPT_STATUS },
		{ "worker", required_argument, NULL, OPT_WORKER },
		{ "worker-user", required_argument, NULL, OPT_USER },
		{ "runtime-dir", required_argument, NULL, OPT_RUNTIME },
		{ "sysfs", required_argument, NULL, OPT_SYSFS },
		{ "host-root", required_argument, NULL, OPT_HOST_ROOT },
		{ "log-level", required_argument, NULL, OPT_LOG },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ NULL },
	};
	struct command_line c = { .mode = MODE_RUN, .config = DEFAULT_CONFIG };
	int o;

	while ((o = getopt_long(argc, argv, "c:h", options, NULL)) >= 0) {
		switch (o) {
		case 'c':
			c.config = optarg;
			break;
		case OPT_CHECK:
			c.mode = MODE_CHECK;
			break;
		case OPT_STATUS:
			c.mode = MODE_STATUS;
			break;
		case OPT_WORKER:
			c.worker = optarg;
			break;
		case OPT_USER:
			c.worker_user = optarg;
			break;
		case OPT_RUNTIME:
			c.runtime_dir = optarg;
			break;
		case OPT_SYSFS:
			c.sysfs = optarg;
			break;
		case OPT_HOST_ROOT:
			c.host_root = optarg;
			break;
		case OPT_LOG:
			c.log_level = optarg;
			break;
		case 'h':
			print_help();
			c.mode = MODE_EXIT;
			*ret = c;
			return 0;
		case OPT_VERSION:
			printf("xenpv-backendd %s\n", XENPV_VERSION);
			c.mode = MODE_EXIT;
			*ret = c;
			return 0;
		default:
			return -EINVAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "xenpv-backendd: unexpected argument \"%s\", see --help\n",
			argv[optind]);
		return -EINVAL;
	}
	*ret = c;
	return 0;
}

static int override(char **option, const char *value)
{
	char *copy;

	if (!value)
		return 0;
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free(*option);
	*option = copy;
	return 0;
}

/* Defaults, then the file, then the command line. */
static int load_options(const struct command_line *c, struct options *o)
{
	char error[PATH_MAX + 512];
	int r;

	r = options_init(o);
	if (r < 0)
		return r;
	r = options_load(o, c->config, error, sizeof(error));
	if (r < 0) {
		fprintf(stderr, "xenpv-backendd: %s\n", error);
		return -EINVAL;
	}
	if ((r = override(&o->worker_path, c->worker)) < 0 ||
	    (r = override(&o->worker_user, c->worker_user)) < 0 ||
	    (r = override(&o->runtime_dir, c->runtime_dir)) < 0 ||
	    (r = override(&o->sysfs, c->sysfs)) < 0 ||
	    (r = override(&o->host_root, c->host_root)) < 0 ||
	    (r = override(&o->log_level, c->log_level)) < 0)
		return r;
	if (options_log_level(o->log_level) < 0) {
		fprintf(stderr, "xenpv-backendd: unknown log level \"%s\", see --help\n",
			o->log_level);
		return -EINVAL;
	}
	return 0;
}

/* The worker in the directory of the program at @self, if there is one. */
static char *worker_beside(const char *self)
{
	const char *slash = strrchr(self, '/');
	char path[PATH_MAX];

	if (!slash || (size_t)snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - self), self,
				       XENPV_WORKER_NAME) >= sizeof(path))
		return NULL;
	return access(path, X_OK) == 0 ? strdup(path) : NULL;
}

static char *find_worker(const struct options *o, const char *argv0)
{
	char self[PATH_MAX];
	char *found;
	ssize_t n;

	if (o->worker_path)
		return strdup(o->worker_path);
	found = worker_beside(argv0);
	if (found)
		return found;
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = '\0';
		found = worker_beside(self);
		if (found)
			return found;
	}
	return worker_beside(XENPV_LIBEXECDIR "/");
}

void broker_xs_failed(struct broker *b, const struct device *dev, int err, const char *doing)
{
	if (!xsc_is_fatal(err)) {
		log_full(LOG_ERR, dev ? &dev->about : NULL, err, "xenstore: %s: %m", doing);
		return;
	}
	log_error(err, "lost the connection to xenstored: %m");
	sd_event_exit(b->event, err);
}

static int on_terminate(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
	(void)s;
	(void)userdata;
	log_notice("ending for signal %u; guests wait for the next start", si->ssi_signo);
	return sd_event_exit(((struct broker *)userdata)->event, 0);
}

static int on_hangup(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
	(void)s;
	(void)si;
	resize_look(userdata);
	return 0;
}

/* All signals that the loop handles; before the first thread starts, so that it inherits this. */
static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? -errno : 0;
}

static int setup_loop(struct broker *b)
{
	int r;

	r = block_signals();
	if (r < 0)
		return r;
	if ((r = sd_event_default(&b->event)) < 0 ||
	    (r = sd_event_add_signal(b->event, NULL, SIGTERM, on_terminate, b)) < 0 ||
	    (r = sd_event_add_signal(b->event, NULL, SIGINT, on_terminate, b)) < 0 ||
	    (r = sd_event_add_signal(b->event, NULL, SIGHUP, on_hangup, b)) < 0)
		return r;
	r = sd_event_set_watchdog(b->event, true);
	return r < 0 ? r : 0;
}

/* libxenstore's reader thread keeps the end of the connection to itself. */
static int on_alive(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct broker *b = userdata;
	uint32_t domid;
	int r;

	(void)usec;
	r = xsc_own_domid(b->xs, &domid);
	if (r < 0)
		broker_xs_failed(b, NULL, r, "asking for a sign of life");
	sd_event_source_set_time_relative(s, ALIVE_INTERVAL_US);
	sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
	return 0;
}

static uint32_t default_queues(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > 8 ? 8 : (uint32_t)n;
}

static int setup(struct broker *b)
{
	int r;

	b->max_queues = b->options.max_queues ? b->options.max_queues : default_queues();
	r = opener_pool_new(b->event, &b->openers);
	if (r < 0)
		return r;
	r = xsc_open(b->event, &b->xs);
	if (r < 0) {
		log_error(r, "cannot connect to xenstored: %m");
		return r;
	}
	r = xsc_own_domid(b->xs, &b->own_domid);
	if (r < 0) {
		log_error(r, "cannot read the own domain id from xenstore: %m");
		return r;
	}
	if (kernel_backend_loaded(b->options.sysfs, "vbd"))
		log_warning(0, "the kernel's xen-blkback is loaded: disks that it takes are left "
			       "to it; blacklist it in /etc/modprobe.d");
	if (b->options.vif && kernel_backend_loaded(b->options.sysfs, "vif"))
		log_warning(0, "the kernel's xen-netback is loaded: interfaces that it takes are "
			       "left to it; blacklist it in /etc/modprobe.d, or say vif = no in "
			       "backendd.conf");
	r = links_start(b);
	if (r < 0)
		return r;
	if ((r = sd_event_add_time_relative(b->event, &b->alive, CLOCK_MONOTONIC, ALIVE_INTERVAL_US,
					    1000000, on_alive, b)) < 0 ||
	    (r = registry_start(b)) < 0 || (r = status_start(b)) < 0 || (r = resize_start(b)) < 0) {
		log_error(r, "cannot start: %m");
		return r;
	}
	return 0;
}

/* Reverse of setup(). Sockets close, which ends the workers; nothing is written to xenstore. */
static void teardown(struct broker *b)
{
	if (b->status)
		status_write(b);
	b->status = sd_event_source_disable_unref(b->status);
	sd_event_source_disable_unref(b->alive);
	resize_stop(b);
	registry_stop(b);
	links_stop(b);
	xsc_close(b->xs);
	opener_pool_free(b->openers);
	sd_event_unref(b->event);
}

static int run(struct broker *b)
{
	_cleanup_close_ int lock = -1;
	int r;

	/* Journals tell of guests' data. */
	if (mkdir(b->options.runtime_dir, 0700) < 0 && errno != EEXIST) {
		log_error(-errno, "cannot make %s: %m", b->options.runtime_dir);
		return -errno;
	}
	lock = status_lock(b->options.runtime_dir);
	if (lock < 0) {
		log_error(lock,
			  lock == -EBUSY ? "another xenpv-backendd runs on %s"
					 : "cannot lock %s: %m",
			  b->options.runtime_dir);
		return lock;
	}
	r = setup_loop(b);
	if (r < 0)
		log_error(r, "cannot set up the event loop: %m");
	if (r >= 0)
		r = setup(b);
	if (r >= 0) {
		log_notice("xenpv-backendd %s serves domain %u's backends", XENPV_VERSION,
			   b->own_domid);
		sd_notify(0, "READY=1\nSTATUS=Serving virtual devices");
		r = sd_event_loop(b->event);
		sd_notify(0, "STOPPING=1");
	}
	teardown(b);
	return r;
}

int main(int argc, char **argv)
{
	struct command_line c;
	struct broker b = { 0 };
	int r, status = EXIT_FAILURE;

	log_open("xenpv-backendd", LOG_INFO);
	if (parse_command_line(argc, argv, &c) < 0)
		return EXIT_USAGE;
	if (c.mode == MODE_EXIT)
		return EXIT_SUCCESS;
	r = load_options(&c, &b.options);
	if (r < 0) {
		status = r == -EINVAL ? EXIT_USAGE : EXIT_FAILURE;
		goto out;
	}
	log_set_max_priority(options_log_level(b.options.log_level));
	b.worker_path = find_worker(&b.options, argv[0]);

	switch (c.mode) {
	case MODE_CHECK:
		status = check_environment(&b.options, b.worker_path) ? EXIT_FAILURE : EXIT_SUCCESS;
		break;
	case MODE_STATUS:
		r = status_print(b.options.runtime_dir);
		if (r == -ESRCH)
			fprintf(stderr, "xenpv-backendd: not running\n");
		else if (r < 0)
			fprintf(stderr, "xenpv-backendd: cannot read the status: %s\n",
				strerror(-r));
		status = r == -ESRCH ? EXIT_NOT_RUNNING : r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
		break;
	default:
		if (!b.worker_path) {
			log_error(0,
				  "no %s beside the broker or in %s: install it, or give --worker",
				  XENPV_WORKER_NAME, XENPV_LIBEXECDIR);
			break;
		}
		r = run(&b);
		status = r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
	}
out:
	free(b.worker_path);
	options_free(&b.options);
	return status;
}
