/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client over UDP: what is lost is sent again, so that all of the data can be compared. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traffic.h"

#define WINDOW      16u
#define AGAIN_NS    300000000ull /* before something is sent or asked for again */
#define MAX_PACKETS (1u << 24)

/*
 * A socket from a link-local address to another kind: the address meant for this is still being
 * checked for duplicates, and what answers will come from elsewhere.
 */
static bool provisional(int fd, const struct sockaddr_in6 *peer)
{
	struct sockaddr_in6 own;
	socklen_t len = sizeof(own);

	return getsockname(fd, (struct sockaddr *)&own, &len) == 0 &&
	       IN6_IS_ADDR_LINKLOCAL(&own.sin6_addr) && !IN6_IS_ADDR_LINKLOCAL(&peer->sin6_addr);
}

static int open_socket(const struct task *task)
{
	uint64_t end = now_ns() + task->timeout * 1000000000ull;
	int space = 4 << 20;

	for (;;) {
		int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

		if (fd < 0)
			die_errno("socket");
		if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &space, sizeof(space)) < 0)
			setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &space, sizeof(space));
		r = connect(fd, (const struct sockaddr *)&task->peer, sizeof(task->peer));
		if (r == 0 && !provisional(fd, &task->peer))
			return fd;
		if (now_ns() >= end)
			die(EXIT_TIMEOUT, "%s: no address to send from: %s", task->host,
			    r < 0 ? strerror(errno) : "only a link-local one");
		close(fd);
		poll(NULL, 0, 50);
	}
}

/* What a lossy network may do to a datagram is no error here. */
static void put(int fd, const void *data, size_t len)
{
	if (send(fd, data, len, 0) < 0 && errno != EAGAIN && errno != ENOBUFS &&
	    errno != ECONNREFUSED && errno != ENETUNREACH && errno != EHOSTUNREACH &&
	    errno != ENETDOWN && errno != EADDRNOTAVAIL && errno != EINTR)
		die_errno("send of %zu bytes", len);
}

/* A datagram of this task within @ms; its length, or 0. */
static size_t get(int fd, const struct task *task, struct datagram *ret, void *buf, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (poll(&pfd, 1, ms) <= 0)
		return 0;
	n = recv(fd, buf, UDP_MAX, MSG_DONTWAIT);
	if (n < (ssize_t)sizeof(*ret))
		return 0;
	memcpy(ret, buf, sizeof(*ret));
	ret->magic = be32toh(ret->magic);
	ret->op = be32toh(ret->op);
	ret->seed = be64toh(ret->seed);
	ret->seq = be64toh(ret->seq);
	ret->arg = be64toh(ret->arg);
	return ret->magic == TRAFFIC_MAGIC && ret->seed == task->seed ? (size_t)n : 0;
}

/* A transfer: datagrams first..total are to be done, of which WINDOW at a time are under way. */
struct transfer {
	uint64_t total, base; /* all before base are done */
	uint64_t asked[WINDOW];
	bool done[WINDOW];
	uint64_t again;
	uint64_t moved; /* when something got done last */
	uint64_t begun;
	uint64_t sum_sent, sum_received;
};

static void transfer_begin(struct transfer *t, const struct task *task)
{
	unsigned int data = task->size - (unsigned int)sizeof(struct datagram);

	memset(t, 0, sizeof(*t));
	t->total = (task->bytes + data - 1) / data;
	if (t->total > MAX_PACKETS)
		die(EXIT_USAGE, "more than %u datagrams", MAX_PACKETS);
	t->begun = t->moved = now_ns();
}

static bool transfer_done(struct transfer *t, uint64_t seq)
{
	if (seq < t->base || seq >= t->base + WINDOW || seq >= t->total || t->done[seq % WINDOW])
		return false;
	t->done[seq % WINDOW] = true;
	t->moved = now_ns();
	while (t->base < t->total && t->done[t->base % WINDOW]) {
		t->done[t->base % WINDOW] = false;
		t->asked[t->base % WINDOW] = 0;
		t->base++;
	}
	return true;
}

/* Call @ask for what has not been asked for, or too long ago. */
static void transfer_ask(struct transfer *t, int fd, const struct task *task,
			 void (*ask)(int fd, const struct task *task, uint64_t seq))
{
	uint64_t now = now_ns();

	if (now - t->moved > task->timeout * 1000000000ull)
		die(EXIT_TIMEOUT, "%s: nothing moved for %u s, at datagram %" PRIu64 " of %" PRIu64,
		    task->host, task->timeout, t->base, t->total);
	for (uint64_t seq = t->base; seq < t->base + WINDOW && seq < t->total; seq++) {
		uint64_t *asked = &t->asked[seq % WINDOW];

		if (t->done[seq % WINDOW] || (*asked && now - *asked < AGAIN_NS))
			continue;
		t->again += *asked != 0;
		*asked = now;
		ask(fd, task, seq);
	}
}

static int transfer_end(const struct transfer *t, const struct task *task)
{
	double seconds = (double)(now_ns() - t->begun) / 1e9;
	uint64_t bytes = t->total * (task->size - sizeof(struct datagram));
	bool ok = t->sum_sent == t->sum_received;

	printf("{\"proto\": \"udp\", \"bytes\": %" PRIu64 ", \"datagrams\": %" PRIu64
	       ", \"again\": %" PRIu64 ", \"seconds\": %.6f, \"mbit_s\": %.3f, \"sum_sent\": "
	       "\"%016" PRIx64 "\", \"sum_received\": \"%016" PRIx64 "\", \"intact\": %s}\n",
	       bytes, t->total, t->again, seconds, (double)bytes * 8 / 1e6 / seconds, t->sum_sent,
	       t->sum_received, ok ? "true" : "false");
	return ok ? EXIT_OK : EXIT_WRONG;
}

static char packet[UDP_MAX], incoming[UDP_MAX];

static void send_data(int fd, const struct task *task, uint64_t seq)
{
	datagram_make(packet, UDP_DATA, task->seed, seq, 0, task->size);
	put(fd, packet, task->size);
}

static void ask_data(int fd, const struct task *task, uint64_t seq)
{
	struct datagram d;

	datagram_make(&d, UDP_GET, task->seed, seq, 1ull << 32 | task->size, sizeof(d));
	put(fd, &d, sizeof(d));
}

/* The checksum that the data of datagram @seq has to have. */
static uint64_t sum_of(const struct task *task, uint64_t seq)
{
	datagram_make(packet, UDP_DATA, task->seed, seq, 0, task->size);
	return datagram_sum(packet + sizeof(struct datagram),
			    task->size - (unsigned int)sizeof(struct datagram));
}

int udp_send(const struct task *task)
{
	int fd = open_socket(task);
	struct transfer t;
	struct datagram d;

	transfer_begin(&t, task);
	while (t.base < t.total) {
		transfer_ask(&t, fd, task, send_data);
		if (!get(fd, task, &d, incoming, 20) || d.op != UDP_ACK)
			continue;
		if (transfer_done(&t, d.seq)) {
			t.sum_sent += sum_of(task, d.seq);
			t.sum_received += d.arg;
		}
	}
	close(fd);
	return transfer_end(&t, task);
}

int udp_receive(const struct task *task)
{
	int fd = open_socket(task);
	struct transfer t;
	struct datagram d;

	transfer_begin(&t, task);
	while (t.base < t.total) {
		size_t n;

		transfer_ask(&t, fd, task, ask_data);
		n = get(fd, task, &d, incoming, 20);
		if (!n || d.op != UDP_DATA || !transfer_done(&t, d.seq))
			continue;
		t.sum_sent += sum_of(task, d.seq);
		t.sum_received += datagram_sum(incoming + sizeof(d), (unsigned int)(n - sizeof(d)));
	}
	close(fd);
	return transfer_end(&t, task);
}

int udp_pingpong(const struct task *task)
{
	int fd = open_socket(task);
	uint64_t begun = now_ns(), min = UINT64_MAX, max = 0, total = 0;
	unsigned int lost = 0;

	for (unsigned int i = 0; i < task->count; i++) {
		uint64_t sent = now_ns(), end = sent + 1000000000ull, took;
		struct datagram d;
		size_t n = 0;

		datagram_make(packet, UDP_ECHO, task->seed, i, 0, task->size);
		put(fd, packet, task->size);
		while (now_ns() < end) {
			n = get(fd, task, &d, incoming, 100);
			if (n && d.op == UDP_ECHO && d.seq == i)
				break;
			n = 0;
		}
		if (!n) {
			lost++;
			continue;
		}
		if (n != task->size || memcmp(packet, incoming, n) != 0)
			die(EXIT_WRONG, "%s: round trip %u came back changed", task->host, i);
		took = now_ns() - sent;
		total += took;
		min = took < min ? took : min;
		max = took > max ? took : max;
	}
	if (lost == task->count)
		die(EXIT_TIMEOUT, "%s: none of %u datagrams came back", task->host, lost);
	printf("{\"proto\": \"udp\", \"count\": %u, \"lost\": %u, \"seconds\": %.6f, "
	       "\"rtt_us\": {\"min\": %.1f, \"avg\": %.1f, \"max\": %.1f}}\n",
	       task->count, lost, (double)(now_ns() - begun) / 1e9, (double)min / 1e3,
	       (double)total / 1e3 / (task->count - lost), (double)max / 1e3);
	close(fd);
	return EXIT_OK;
}

/* What both ends counted. */
struct blast {
	uint64_t sent, received, wrong;
	double seconds;
};

static int blast_end(const struct task *task, const struct blast *b)
{
	printf("{\"proto\": \"udp\", \"size\": %u, \"sent\": %" PRIu64 ", \"received\": %" PRIu64
	       ", \"wrong\": %" PRIu64 ", \"seconds\": %.6f, \"sent_pps\": %.0f, "
	       "\"received_pps\": %.0f}\n",
	       task->size, b->sent, b->received, b->wrong, b->seconds, (double)b->sent / b->seconds,
	       (double)b->received / b->seconds);
	if (b->wrong || b->received > b->sent)
		return EXIT_WRONG;
	return b->received ? EXIT_OK : EXIT_TIMEOUT;
}

static int blast_out(const struct task *task, int fd)
{
	uint64_t begun = now_ns(), end;
	struct blast b = { 0 };
	struct datagram d;

	b.sent = blast_run(fd, &task->peer, task->seed, task->size,
			   begun + task->seconds * 1000000000ull);
	b.seconds = (double)(now_ns() - begun) / 1e9;
	end = now_ns() + task->timeout * 1000000000ull;
	for (;;) {
		datagram_make(&d, UDP_REPORT, task->seed, 0, 0, sizeof(d));
		put(fd, &d, sizeof(d));
		if (get(fd, task, &d, incoming, 200) && d.op == UDP_REPORT)
			break;
		if (now_ns() >= end)
			die(EXIT_TIMEOUT, "%s: no report of what came", task->host);
	}
	b.received = d.seq;
	b.wrong = d.arg;
	return blast_end(task, &b);
}

static int blast_in(const struct task *task, int fd)
{
	static char bufs[UDP_BATCH][2048];
	struct iovec iov[UDP_BATCH];
	struct mmsghdr msgs[UDP_BATCH];
	uint64_t moved = now_ns(), first = 0;
	struct blast b = { 0 };
	struct datagram d;
	bool ended = false;

	datagram_make(&d, UDP_FLOOD, task->seed, 0,
		      (uint64_t)task->seconds * 1000 << 32 | task->size, sizeof(d));
	put(fd, &d, sizeof(d));
	for (int i = 0; i < (int)UDP_BATCH; i++)
		iov[i] = (struct iovec){ bufs[i], sizeof(bufs[i]) };
	while (!ended) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		int n;

		if (now_ns() - moved > task->timeout * 1000000000ull)
			die(EXIT_TIMEOUT, "%s: nothing came for %u s", task->host, task->timeout);
		memset(msgs, 0, sizeof(msgs));
		for (int i = 0; i < (int)UDP_BATCH; i++) {
			msgs[i].msg_hdr.msg_iov = &iov[i];
			msgs[i].msg_hdr.msg_iovlen = 1;
		}
		poll(&pfd, 1, 200);
		n = recvmmsg(fd, msgs, UDP_BATCH, MSG_DONTWAIT, NULL);
		if (n > 0)
			moved = now_ns();
		for (int i = 0; i < n; i++) {
			if (msgs[i].msg_len < sizeof(d))
				continue;
			memcpy(&d, bufs[i], sizeof(d));
			if (be32toh(d.magic) != TRAFFIC_MAGIC || be64toh(d.seed) != task->seed)
				continue;
			if (be32toh(d.op) == UDP_BLAST) {
				first = first ? first : moved;
				b.seconds = (double)(moved - first) / 1e9;
				b.received++;
				b.wrong += !blast_whole(bufs[i], msgs[i].msg_len);
			} else if (be32toh(d.op) == UDP_REPORT) {
				b.sent = be64toh(d.seq);
				ended = true;
			}
		}
	}
	if (b.seconds <= 0)
		b.seconds = task->seconds;
	return blast_end(task, &b);
}

int udp_blast(const struct task *task)
{
	int fd = open_socket(task);
	int rc = task->reverse ? blast_in(task, fd) : blast_out(task, fd);

	close(fd);
	return rc;
}
