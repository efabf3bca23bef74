/* SPDX-License-Identifier: GPL-2.0-or-later */
/* traffic: data over TCP and UDP whose arrival is proven, not assumed. See README.md. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traffic.h"

static const char usage[] =
	"Usage: traffic serve [--port N] [--seconds N]\n"
	"       traffic send|receive HOST [--proto tcp|udp] [--bytes N | --seconds N] [--size N]\n"
	"       traffic all HOST... [--bytes N] [--size N]\n"
	"       traffic pingpong HOST [--proto tcp|udp] [--count N] [--size N]\n"
	"       traffic stream HOST [--seconds N] [--rate BYTES] [--progress MS]\n"
	"       traffic blast HOST [--reverse] [--size N] [--seconds N]\n"
	"\n"
	"serve     answer all of the others, on TCP and UDP, IPv4 and IPv6; --port 0: any\n"
	"send      pseudo-random data to HOST, checksums of both ends compared\n"
	"receive   the same from HOST\n"
	"all       both over TCP and UDP with each HOST; a line for each\n"
	"pingpong  round trips\n"
	"stream    a TCP stream there and back, each byte checked, until SIGTERM or --seconds\n"
	"blast     UDP datagrams as fast as possible, counted by who receives them\n"
	"\n"
	"HOST is an IPv4 or IPv6 address, with %INTERFACE if it is link-local.\n"
	"--port N       7007\n"
	"--size N       bytes of UDP payload or of a round trip; 1400 and 64\n"
	"--timeout N    seconds without progress before giving up; 30\n"
	"--no-check     send and receive: no checksums, for measurements\n"
	"\n"
	"The last line printed is the result in JSON. Exit status: 0, 1 data lost or changed,\n"
	"2 usage, 3 time-out, 4 a system call failed.\n";

enum {
	OPT_PORT = 256,
	OPT_PROTO,
	OPT_BYTES,
	OPT_SECONDS,
	OPT_COUNT,
	OPT_SIZE,
	OPT_RATE,
	OPT_PROGRESS,
	OPT_TIMEOUT,
	OPT_REVERSE,
	OPT_NO_CHECK,
};

static const struct option options[] = {
	{ "port", required_argument, NULL, OPT_PORT },
	{ "proto", required_argument, NULL, OPT_PROTO },
	{ "bytes", required_argument, NULL, OPT_BYTES },
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "progress", required_argument, NULL, OPT_PROGRESS },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "reverse", no_argument, NULL, OPT_REVERSE },
	{ "no-check", no_argument, NULL, OPT_NO_CHECK },
	{ "help", no_argument, NULL, 'h' },
	{},
};

static void parse(int argc, char **argv, struct task *task)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case OPT_PORT:
			task->port = (uint16_t)number(optarg, "--port", 0, UINT16_MAX);
			break;
		case OPT_PROTO:
			task->udp = strcmp(optarg, "udp") == 0;
			if (!task->udp && strcmp(optarg, "tcp") != 0)
				die(EXIT_USAGE, "--proto is tcp or udp, not %s", optarg);
			break;
		case OPT_BYTES:
			task->bytes = number(optarg, "--bytes", 1, 1ull << 40);
			break;
		case OPT_SECONDS:
			task->seconds = (unsigned int)number(optarg, "--seconds", 1, 86400);
			break;
		case OPT_COUNT:
			task->count = (unsigned int)number(optarg, "--count", 1, 100000000);
			break;
		case OPT_SIZE:
			task->size = (unsigned int)number(optarg, "--size", 1, UDP_MAX);
			break;
		case OPT_RATE:
			task->rate = number(optarg, "--rate", 1, 1ull << 40);
			break;
		case OPT_PROGRESS:
			task->progress = (unsigned int)number(optarg, "--progress", 1, 60000);
			break;
		case OPT_TIMEOUT:
			task->timeout = (unsigned int)number(optarg, "--timeout", 1, 3600);
			break;
		case OPT_REVERSE:
			task->reverse = true;
			break;
		case OPT_NO_CHECK:
			task->unchecked = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_OK);
		default:
			fputs(usage, stderr);
			exit(EXIT_USAGE);
		}
	}
}

/* All transfers with one host, in one process as starting many takes long in some guests. */
static int transfer_all(const struct task *task)
{
	static int (*const runs[])(const struct task *) = { tcp_send, tcp_receive, udp_send,
							    udp_receive };
	int code = EXIT_OK;

	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]) && code == EXIT_OK; i++) {
		struct task one = *task;

		one.seed += i;
		code = runs[i](&one);
	}
	return code;
}

struct command {
	const char *name;
	int (*tcp)(const struct task *task);
	int (*udp)(const struct task *task);
	unsigned int size, seconds; /* unless the command line says so */
};

static const struct command commands[] = {
	{ "serve", traffic_serve, traffic_serve, 0, 3600 },
	{ "send", tcp_send, udp_send, 1400, 0 },
	{ "receive", tcp_receive, udp_receive, 1400, 0 },
	{ "all", transfer_all, transfer_all, 1400, 0 },
	{ "pingpong", tcp_pingpong, udp_pingpong, 64, 0 },
	{ "stream", tcp_stream, NULL, 0, 10 },
	{ "blast", udp_blast, udp_blast, 64, 5 },
};

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	die(EXIT_USAGE, "no such command: %s; see traffic --help", name);
}

/* Options that do not go together, or with this command. */
static void check(const struct task *task, const struct command *command)
{
	unsigned int min = sizeof(struct datagram) + 8;

	if (task->udp && !command->udp)
		die(EXIT_USAGE, "%s is for TCP", command->name);
	if (!task->udp && command->tcp != udp_blast && command->tcp != transfer_all)
		return;
	if (task->size < min)
		die(EXIT_USAGE, "--size is at least %u for UDP", min);
	if (task->reverse && task->size > 2048)
		die(EXIT_USAGE, "--size is at most 2048 with --reverse");
	if (task->seconds && command->tcp != udp_blast)
		die(EXIT_USAGE, "--seconds is for TCP here");
}

int main(int argc, char **argv)
{
	struct task task = { .port = TRAFFIC_PORT, .bytes = 1 << 20, .count = 100, .timeout = 30 };
	const struct command *command;
	int code = EXIT_OK, hosts;

	tool_name = "traffic";
	parse(argc, argv, &task);
	if (optind == argc)
		die(EXIT_USAGE, "what to do? See traffic --help");
	command = find(argv[optind++]);
	hosts = argc - optind;
	task.size = task.size ? task.size : command->size;
	task.seconds = task.seconds ? task.seconds : command->seconds;
	if (command->tcp == traffic_serve) {
		if (hosts)
			die(EXIT_USAGE, "serve takes no address; see traffic --help");
		return traffic_serve(&task);
	}
	if (hosts == 0 || (hosts > 1 && command->tcp != transfer_all))
		die(EXIT_USAGE, "%s: which address? See traffic --help", command->name);
	check(&task, command);
	for (; optind < argc && code == EXIT_OK; optind++) {
		task.host = argv[optind];
		if (!parse_address(task.host, task.port, &task.peer))
			die(EXIT_USAGE, "%s is no address", task.host);
		task.seed = now_ns() ^ (uint64_t)getpid() << 40;
		code = task.udp ? command->udp(&task) : command->tcp(&task);
	}
	return code;
}
