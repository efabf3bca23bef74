/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenpv-worker: serves the disks and interfaces of one guest. Started by xenpv-backendd with a
 * socket on descriptor 3; see proto.h. Of no use by hand.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "worker/control.h"
#include "worker/sandbox.h"

#define EXIT_USAGE 2

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SECCOMP_DEFAULT false /* their runtimes call what the filter refuses */
#else
#define SECCOMP_DEFAULT true
#endif

static void usage(FILE *f)
{
	fprintf(f,
		"Usage: %s [OPTION]...\n"
		"Serve the disks and interfaces of one Xen guest. Started by xenpv-backendd, with "
		"a\n"
		"socket on descriptor %d.\n"
		"\n"
		"  --domid=N       the guest, for whoever reads the process list\n"
		"  --user=NAME     run as this user, by name or number (xenpv-worker)\n"
		"  --no-seccomp    do not restrict system calls\n"
		"  --debug         log more\n"
		"  --help          show this and exit\n"
		"  --version       show the version and exit\n",
		program_invocation_short_name, WORKER_CONTROL_FD);
}

static int parse_options(int argc, char **argv, struct sandbox *sandbox)
{
	enum {
		OPT_DOMID = 256,
		OPT_USER,
		OPT_NO_SECCOMP,
		OPT_DEBUG,
		OPT_HELP,
		OPT_VERSION
	};
	static const struct option options[] = {
		{ "domid", required_argument, NULL, OPT_DOMID },
		{ "user", required_argument, NULL, OPT_USER },
		{ "no-seccomp", no_argument, NULL, OPT_NO_SECCOMP },
		{ "debug", no_argument, NULL, OPT_DEBUG },
		{ "help", no_argument, NULL, OPT_HELP },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case OPT_DOMID:
			break; /* HELLO has the last word */
		case OPT_USER:
			sandbox->user = *optarg ? optarg : NULL;
			break;
		case OPT_NO_SECCOMP:
			sandbox->seccomp = false;
			break;
		case OPT_DEBUG:
			log_set_max_priority(LOG_DEBUG);
			break;
		case OPT_HELP:
			usage(stdout);
			exit(EXIT_SUCCESS);
		case OPT_VERSION:
			printf("xenpv-worker " XENPV_VERSION "\n");
			exit(EXIT_SUCCESS);
		default:
			usage(stderr);
			return -EINVAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: unexpected argument: %s\n", program_invocation_short_name,
			argv[optind]);
		return -EINVAL;
	}
	return 0;
}

static int serve(struct control *c, const struct sandbox *sandbox)
{
	const char *why = "";
	struct worker_msg hello;
	int r;

	r = control_hello(c, &hello);
	if (r < 0) {
		if (r != -ECONNRESET)
			log_error(r, "no HELLO from the broker: %m");
		return r;
	}
	r = host_gnt_open(c->env.hello.domid, &c->env.gnt);
	if (r < 0) {
		log_error(r, "cannot open the grant device: %m");
		control_reply(c, &hello, r, "cannot open the grant device");
		return r;
	}
	r = sandbox_enter(sandbox, &why);
	if (r < 0) {
		log_error(r, "%s: %m", why);
		control_reply(c, &hello, r, why);
		return r;
	}
	r = control_reply(c, &hello, 0, NULL);
	if (r < 0)
		return r;
	return control_run(c);
}

int main(int argc, char **argv)
{
	struct sandbox sandbox = { .seccomp = SECCOMP_DEFAULT };
	struct control c = { .sock = WORKER_CONTROL_FD };
	socklen_t len = sizeof(int);
	int type, r;

	/* the journal's socket is out of reach once the file system is gone */
	unsetenv("JOURNAL_STREAM");
	log_open("xenpv-worker", LOG_INFO);
	if (parse_options(argc, argv, &sandbox) < 0)
		return EXIT_USAGE;
	if (getsockopt(c.sock, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET) {
		fprintf(stderr,
			"%s: descriptor %d is no SOCK_SEQPACKET socket; this program is started by "
			"xenpv-backendd\n",
			program_invocation_short_name, c.sock);
		return EXIT_USAGE;
	}
	fcntl(c.sock, F_SETFD, FD_CLOEXEC);
	fcntl(c.sock, F_SETFL, fcntl(c.sock, F_GETFL) | O_NONBLOCK);
	c.ended_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c.ended_event < 0) {
		log_error(-errno, "cannot create an eventfd: %m");
		return EXIT_FAILURE;
	}

	r = serve(&c, &sandbox);
	/*
	 * At once, whatever the rings are doing: the journals know what is in
	 * flight, and the kernel lets go of grants and event channels.
	 */
	_exit(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}
