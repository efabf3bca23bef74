/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xdp: an XDP program of a dozen instructions on an interface for a while, and what it counted. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tool.h"

static const char usage[] =
	"Usage: xdp INTERFACE pass|drop|tx|abort|redirect=INTERFACE [--type 0xNNNN] [--generic]\n"
	"           [--seconds N]\n"
	"\n"
	"Attaches a program that does this to each frame (of --type only, others pass), prints\n"
	"\"ready\", and detaches after --seconds (30), or on SIGTERM. tx sends a frame back to "
	"its\n"
	"sender. --generic: not in the driver, but behind it.\n"
	"\n"
	"The last line printed is the result in JSON. Exit status: 0, 2 usage, 4 a system call "
	"failed.\n";

/* The value of the only key of the map. */
struct counters {
	uint64_t packets, bytes, passed_by;
};

struct program {
	struct bpf_insn insns[64];
	int n;
};

static long bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

/* op dst, src, off, imm as the kernel's instruction set has them; returns where it is. */
static int emit(struct program *p, int code, int dst, int src, int off, int imm)
{
	if (p->n == sizeof(p->insns) / sizeof(p->insns[0]))
		die(EXIT_SYSTEM, "the program is too long");
	p->insns[p->n] = (struct bpf_insn){ .code = (uint8_t)code,
					    .dst_reg = (uint8_t)(dst & 15),
					    .src_reg = (uint8_t)(src & 15),
					    .off = (int16_t)off,
					    .imm = imm };
	return p->n++;
}

/* The jump at @from goes to what comes next. */
static void land(struct program *p, int from)
{
	p->insns[from].off = (int16_t)(p->n - from - 1);
}

#define MOV_IMM(p, dst, imm)      emit(p, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm)
#define MOV(p, dst, src)          emit(p, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define ADD_IMM(p, dst, imm)      emit(p, BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, imm)
#define LOAD(p, size, d, s, off)  emit(p, BPF_LDX | BPF_MEM | (size), d, s, off, 0)
#define STORE(p, size, d, s, off) emit(p, BPF_STX | BPF_MEM | (size), d, s, off, 0)
#define COUNT(p, dst, src, off)   emit(p, BPF_STX | BPF_ATOMIC | BPF_DW, dst, src, off, BPF_ADD)

/* Swap the addresses at the start of the frame in r7, in halves: nothing there is aligned. */
static void emit_swap(struct program *p)
{
	for (int at = 0; at < ETH_ALEN; at += 2) {
		LOAD(p, BPF_H, 1, 7, at);
		LOAD(p, BPF_H, 2, 7, at + ETH_ALEN);
		STORE(p, BPF_H, 7, 2, at);
		STORE(p, BPF_H, 7, 1, at + ETH_ALEN);
	}
}

/*
 * r6 context, r7 start and r8 end of the frame, r9 the counters. @type: an Ethernet type, or 0
 * for all; @target: the interface to redirect to, or 0.
 */
static void build(struct program *p, int map, int action, unsigned int type, unsigned int target)
{
	int none, small, other = -1;

	MOV(p, 6, 1);
	LOAD(p, BPF_W, 7, 6, offsetof(struct xdp_md, data));
	LOAD(p, BPF_W, 8, 6, offsetof(struct xdp_md, data_end));
	MOV_IMM(p, 1, 0);
	STORE(p, BPF_W, BPF_REG_10, 1, -4);
	emit(p, BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map);
	emit(p, 0, 0, 0, 0, 0);
	MOV(p, 2, BPF_REG_10);
	ADD_IMM(p, 2, -4);
	emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem);
	none = emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 0, 0);
	MOV(p, 9, 0);
	MOV(p, 1, 7);
	ADD_IMM(p, 1, ETH_HLEN);
	small = emit(p, BPF_JMP | BPF_JGT | BPF_X, 1, 8, 0, 0);
	if (type) {
		LOAD(p, BPF_H, 1, 7, 2 * ETH_ALEN);
		other = emit(p, BPF_JMP | BPF_JNE | BPF_K, 1, 0, 0, htons((uint16_t)type));
	}
	MOV_IMM(p, 1, 1);
	COUNT(p, 9, 1, offsetof(struct counters, packets));
	MOV(p, 1, 8);
	emit(p, BPF_ALU64 | BPF_SUB | BPF_X, 1, 7, 0, 0);
	COUNT(p, 9, 1, offsetof(struct counters, bytes));
	if (action == XDP_TX)
		emit_swap(p);
	if (action == XDP_REDIRECT) {
		MOV_IMM(p, 1, (int)target);
		MOV_IMM(p, 2, 0);
		emit(p, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect);
	} else {
		MOV_IMM(p, 0, action);
	}
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	land(p, small);
	if (other >= 0)
		land(p, other);
	MOV_IMM(p, 1, 1);
	COUNT(p, 9, 1, offsetof(struct counters, passed_by));
	land(p, none);
	MOV_IMM(p, 0, XDP_PASS);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static int make_map(void)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY,
				.key_size = 4,
				.value_size = sizeof(struct counters),
				.max_entries = 1 };
	int fd = (int)bpf(BPF_MAP_CREATE, &attr);

	if (fd < 0)
		die_errno("map");
	return fd;
}

static int load(const struct program *p)
{
	static char log[65536];
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_XDP,
				.insns = (uintptr_t)p->insns,
				.insn_cnt = (uint32_t)p->n,
				.license = (uintptr_t) "GPL",
				.log_buf = (uintptr_t)log,
				.log_size = sizeof(log),
				.log_level = 1,
				.expected_attach_type = BPF_XDP };
	int fd = (int)bpf(BPF_PROG_LOAD, &attr);

	if (fd < 0)
		die_errno("the kernel does not take the program: %s", log);
	return fd;
}

/* The program is on the interface as long as the returned descriptor is open. */
static int attach(const char *interface, int program, bool generic)
{
	unsigned int index = if_nametoindex(interface);
	union bpf_attr attr = { .link_create = { .prog_fd = (uint32_t)program,
						 .target_ifindex = index,
						 .attach_type = BPF_XDP,
						 .flags = generic ? XDP_FLAGS_SKB_MODE
								  : XDP_FLAGS_DRV_MODE } };
	int fd;

	if (!index)
		die_errno("%s", interface);
	fd = (int)bpf(BPF_LINK_CREATE, &attr);
	if (fd < 0)
		die_errno("%s takes no program", interface);
	return fd;
}

static void read_counters(int map, struct counters *ret)
{
	uint32_t key = 0;
	union bpf_attr attr = { .map_fd = (uint32_t)map,
				.key = (uintptr_t)&key,
				.value = (uintptr_t)ret };

	if (bpf(BPF_MAP_LOOKUP_ELEM, &attr) < 0)
		die_errno("counters");
}

static int action_of(const char *word, unsigned int *target)
{
	static const char *const names[] = {
		[XDP_ABORTED] = "abort", [XDP_DROP] = "drop", [XDP_PASS] = "pass", [XDP_TX] = "tx"
	};

	for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++) {
		if (strcmp(names[i], word) == 0)
			return i;
	}
	if (strncmp(word, "redirect=", 9) != 0)
		die(EXIT_USAGE, "no such action: %s; see xdp --help", word);
	*target = if_nametoindex(word + 9);
	if (!*target)
		die_errno("%s", word + 9);
	return XDP_REDIRECT;
}

static const struct option options[] = {
	{ "type", required_argument, NULL, 't' },
	{ "generic", no_argument, NULL, 'g' },
	{ "seconds", required_argument, NULL, 's' },
	{ "help", no_argument, NULL, 'h' },
	{},
};

int main(int argc, char **argv)
{
	struct program program = { .n = 0 };
	unsigned int type = 0, seconds = 30, target = 0;
	struct counters counters;
	bool generic = false;
	sigset_t set;
	int opt, map, link, action;

	tool_name = "xdp";
	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case 't':
			type = (unsigned int)number(optarg, "--type", 1, 0xffff);
			break;
		case 'g':
			generic = true;
			break;
		case 's':
			seconds = (unsigned int)number(optarg, "--seconds", 1, 3600);
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_OK;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (argc - optind != 2)
		die(EXIT_USAGE, "an interface and an action are needed; see xdp --help");
	/* Before the program is there: no signal may end us without the counters. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	map = make_map();
	action = action_of(argv[optind + 1], &target);
	build(&program, map, action, type, target);
	link = attach(argv[optind], load(&program), generic);
	puts("ready");
	fflush(stdout);
	sigtimedwait(&set, NULL, &(struct timespec){ .tv_sec = seconds });
	close(link);
	read_counters(map, &counters);
	printf("{\"packets\": %llu, \"bytes\": %llu, \"passed_by\": %llu}\n",
	       (unsigned long long)counters.packets, (unsigned long long)counters.bytes,
	       (unsigned long long)counters.passed_by);
	return EXIT_OK;
}
