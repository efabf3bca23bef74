/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frames: raw Ethernet frames, sent and counted, each one known again by its content. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <ifaddrs.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pattern.h"
#include "tool.h"

#define OUR_TYPE  0x88b5 /* for local experiments, IEEE 802 */
#define MAGIC     0x78706672u
#define MAX_FRAME (ETH_HLEN + 4 + 65536)

static const char usage[] =
	"Usage: frames send INTERFACE --dst MAC [--src MAC] [--size N] [--count N] [--vlan ID]\n"
	"                   [--type 0xNNNN] [--id N]\n"
	"       frames count INTERFACE [--count N] [--seconds N] [--join MAC] [--promiscuous]\n"
	"                   [--type 0xNNNN] [--id N]\n"
	"\n"
	"send   frames of --size bytes behind the header (and the tag): 46 to 65535\n"
	"count  such frames until --count of them came, or --seconds passed; prints \"ready\" "
	"first\n"
	"\n"
	"--join MAC     receive a multicast address\n"
	"--id N         only frames of this number are counted; 0\n"
	"The last line printed is the result in JSON. Exit status: 0, 1 a frame was changed, 2 "
	"usage,\n"
	"3 fewer frames than --count, 4 a system call failed.\n";

/* Behind the Ethernet header; the pattern with seed seq follows. */
struct mark {
	uint32_t magic, id, seq, size;
} __attribute__((packed));

struct task {
	const char *interface;
	unsigned int index;
	unsigned char dst[ETH_ALEN], src[ETH_ALEN], join[ETH_ALEN];
	bool have_dst, have_src, have_join, promiscuous;
	unsigned int size, count, seconds, vlan, type, id;
};

static bool parse_mac(const char *text, unsigned char *mac)
{
	char rest;

	return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &mac[0], &mac[1], &mac[2],
		      &mac[3], &mac[4], &mac[5], &rest) == 6;
}

static int packet_socket(const struct task *task, unsigned int protocol)
{
	struct sockaddr_ll sa = { .sll_family = AF_PACKET,
				  .sll_protocol = htons((uint16_t)protocol),
				  .sll_ifindex = (int)task->index };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), space = 4 << 20;

	if (fd < 0)
		die_errno("packet socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &space, sizeof(space));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		die_errno("%s", task->interface);
	return fd;
}

static void own_mac(int fd, const struct task *task, unsigned char *mac)
{
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", task->interface);
	if (ioctl(fd, SIOCGIFHWADDR, &ifr) < 0)
		die_errno("%s: address", task->interface);
	memcpy(mac, ifr.ifr_hwaddr.sa_data, ETH_ALEN);
}

/* Put the header there; returns its length. */
static size_t put_header(const struct task *task, unsigned char *frame)
{
	uint16_t words[2];
	size_t len = 2 * ETH_ALEN;

	memcpy(frame, task->dst, ETH_ALEN);
	memcpy(frame + ETH_ALEN, task->src, ETH_ALEN);
	if (task->vlan) {
		words[0] = htons(ETH_P_8021Q);
		words[1] = htons((uint16_t)task->vlan);
		memcpy(frame + len, words, 4);
		len += 4;
	}
	words[0] = htons((uint16_t)task->type);
	memcpy(frame + len, words, 2);
	return len + 2;
}

static int frames_send(struct task *task)
{
	static unsigned char frame[MAX_FRAME];
	int fd = packet_socket(task, 0);
	unsigned int refused = 0;
	size_t header;

	if (!task->have_dst)
		die(EXIT_USAGE, "send: to which --dst?");
	if (!task->have_src)
		own_mac(fd, task, task->src);
	header = put_header(task, frame);
	for (unsigned int i = 0; i < task->count;) {
		struct mark mark = { htonl(MAGIC), htonl(task->id), htonl(i), htonl(task->size) };

		memcpy(frame + header, &mark, sizeof(mark));
		pattern_fill(i, 0, frame + header + sizeof(mark), task->size - sizeof(mark));
		if (send(fd, frame, header + task->size, 0) >= 0) {
			i++;
		} else if (errno == ENOBUFS && ++refused < 1000) {
			poll(NULL, 0, 10); /* the queue is full */
		} else if (errno != EINTR) {
			die_errno("%s: frame of %zu bytes", task->interface, header + task->size);
		}
	}
	printf("{\"sent\": %u}\n", task->count);
	return EXIT_OK;
}

static void join(int fd, const struct task *task, unsigned short type, const unsigned char *mac)
{
	struct packet_mreq mreq = { .mr_ifindex = (int)task->index,
				    .mr_type = type,
				    .mr_alen = ETH_ALEN };

	if (mac)
		memcpy(mreq.mr_address, mac, ETH_ALEN);
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mreq, sizeof(mreq)) < 0)
		die_errno("%s: membership", task->interface);
}

struct counts {
	unsigned int matched, wrong, other;
	unsigned int vlan; /* of the last one */
	unsigned int min, max;
};

static unsigned int tag_of(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct tpacket_auxdata aux;

		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (aux.tp_status & TP_STATUS_VLAN_VALID)
			return aux.tp_vlan_tci & 0xfffu;
	}
	return 0;
}

static void count_frame(const struct task *task, struct counts *n, const unsigned char *frame,
			size_t len, unsigned int vlan)
{
	struct mark mark;
	uint64_t where;
	uint32_t size;

	if (len < ETH_HLEN + sizeof(mark)) {
		n->other++;
		return;
	}
	memcpy(&mark, frame + ETH_HLEN, sizeof(mark));
	size = ntohl(mark.size);
	if (ntohl(mark.magic) != MAGIC || ntohl(mark.id) != task->id) {
		n->other++;
		return;
	}
	/* Only a frame at its least may have something behind it, of padding. */
	if (size < sizeof(mark) || len - ETH_HLEN < size ||
	    (len - ETH_HLEN > size && size >= ETH_ZLEN - ETH_HLEN) ||
	    !pattern_check(ntohl(mark.seq), 0, frame + ETH_HLEN + sizeof(mark), size - sizeof(mark),
			   &where)) {
		n->wrong++;
		return;
	}
	n->min = !n->matched || size < n->min ? size : n->min;
	n->max = size > n->max ? size : n->max;
	n->matched++;
	n->vlan = vlan;
}

static int frames_count(const struct task *task)
{
	static unsigned char frame[MAX_FRAME];
	uint64_t end = now_ns() + task->seconds * 1000000000ull;
	int fd = packet_socket(task, ETH_P_ALL), on = 1;
	struct counts n = { 0 };

	if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) < 0)
		die_errno("auxdata");
	if (task->have_join)
		join(fd, task, PACKET_MR_MULTICAST, task->join);
	if (task->promiscuous)
		join(fd, task, PACKET_MR_PROMISC, NULL);
	puts("ready");
	fflush(stdout);
	while (n.matched < task->count && now_ns() < end) {
		char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		struct iovec iov = { frame, sizeof(frame) };
		struct sockaddr_ll from;
		struct msghdr msg = { .msg_name = &from,
				      .msg_namelen = sizeof(from),
				      .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };
		uint16_t type;
		ssize_t len;

		poll(&pfd, 1, 50);
		len = recvmsg(fd, &msg, MSG_DONTWAIT);
		if (len < 0 && errno != EAGAIN && errno != EINTR && errno != ENETDOWN)
			die_errno("%s: receive", task->interface);
		if (len < ETH_HLEN || from.sll_pkttype == PACKET_OUTGOING)
			continue;
		memcpy(&type, frame + 2 * ETH_ALEN, sizeof(type));
		if (ntohs(type) != task->type)
			n.other++;
		else
			count_frame(task, &n, frame, (size_t)len, tag_of(&msg));
	}
	printf("{\"matched\": %u, \"wrong\": %u, \"other\": %u, \"vlan\": %u, "
	       "\"size\": {\"min\": %u, \"max\": %u}}\n",
	       n.matched, n.wrong, n.other, n.vlan, n.min, n.max);
	if (n.wrong)
		return EXIT_WRONG;
	return n.matched >= task->count ? EXIT_OK : EXIT_TIMEOUT;
}

enum {
	OPT_DST = 256,
	OPT_SRC,
	OPT_JOIN,
	OPT_SIZE,
	OPT_COUNT,
	OPT_SECONDS,
	OPT_VLAN,
	OPT_TYPE,
	OPT_ID,
	OPT_PROMISCUOUS,
};

static const struct option options[] = {
	{ "dst", required_argument, NULL, OPT_DST },
	{ "src", required_argument, NULL, OPT_SRC },
	{ "join", required_argument, NULL, OPT_JOIN },
	{ "size", required_argument, NULL, OPT_SIZE },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "vlan", required_argument, NULL, OPT_VLAN },
	{ "type", required_argument, NULL, OPT_TYPE },
	{ "id", required_argument, NULL, OPT_ID },
	{ "promiscuous", no_argument, NULL, OPT_PROMISCUOUS },
	{ "help", no_argument, NULL, 'h' },
	{},
};

static void need_mac(const char *text, unsigned char *mac, bool *have)
{
	*have = parse_mac(text, mac);
	if (!*have)
		die(EXIT_USAGE, "%s is no MAC address", text);
}

static void parse(int argc, char **argv, struct task *task)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (opt) {
		case OPT_DST:
			need_mac(optarg, task->dst, &task->have_dst);
			break;
		case OPT_SRC:
			need_mac(optarg, task->src, &task->have_src);
			break;
		case OPT_JOIN:
			need_mac(optarg, task->join, &task->have_join);
			break;
		case OPT_SIZE:
			task->size = (unsigned int)number(optarg, "--size", 46, 65535);
			break;
		case OPT_COUNT:
			task->count = (unsigned int)number(optarg, "--count", 1, 100000000);
			break;
		case OPT_SECONDS:
			task->seconds = (unsigned int)number(optarg, "--seconds", 1, 3600);
			break;
		case OPT_VLAN:
			task->vlan = (unsigned int)number(optarg, "--vlan", 1, 4094);
			break;
		case OPT_TYPE:
			task->type = (unsigned int)number(optarg, "--type", 0x600, 0xffff);
			break;
		case OPT_ID:
			task->id = (unsigned int)number(optarg, "--id", 0, UINT32_MAX);
			break;
		case OPT_PROMISCUOUS:
			task->promiscuous = true;
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

int main(int argc, char **argv)
{
	struct task task = { .size = 64, .count = 1, .seconds = 30, .type = OUR_TYPE };
	const char *command;

	tool_name = "frames";
	parse(argc, argv, &task);
	if (argc - optind != 2)
		die(EXIT_USAGE, "a command and an interface are needed; see frames --help");
	command = argv[optind];
	task.interface = argv[optind + 1];
	task.index = if_nametoindex(task.interface);
	if (!task.index)
		die_errno("%s", task.interface);
	if (strcmp(command, "send") == 0)
		return frames_send(&task);
	if (strcmp(command, "count") == 0)
		return frames_count(&task);
	die(EXIT_USAGE, "no such command: %s; see frames --help", command);
}
