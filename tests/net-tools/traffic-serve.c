/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server: a process for each TCP connection, and datagrams answered without memory of them. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "pattern.h"
#include "traffic.h"

#define SESSIONS  64
#define MAX_COUNT 64u
#define MAX_MS    60000u

/* How much of a blast has come. */
struct session {
	uint64_t seed, count, wrong, used;
};

static struct session sessions[SESSIONS];
static uint64_t clock_of_use;

static void send_verdict(int fd, const struct verdict *v)
{
	struct verdict wire = { htobe64(v->bytes), htobe64(v->sum), htobe64(v->wrong) };

	write_all(fd, &wire, sizeof(wire));
}

static void echo_run(int fd)
{
	static char buf[65536];
	ssize_t n;

	for (;;) {
		n = recv(fd, buf, sizeof(buf), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || !write_all(fd, buf, (size_t)n))
			return;
	}
}

static void serve_connection(int fd)
{
	struct hello h;
	struct verdict v;
	bool unchecked;

	if (!read_all(fd, &h, sizeof(h)) || be32toh(h.magic) != TRAFFIC_MAGIC)
		return;
	unchecked = be32toh(h.flags) & HELLO_UNCHECKED;
	h.seed = be64toh(h.seed);
	h.bytes = be64toh(h.bytes);
	h.ms = be32toh(h.ms);
	switch (be32toh(h.op)) {
	case TCP_SINK:
		if (sink_run(fd, h.seed, h.bytes, unchecked, &v))
			send_verdict(fd, &v);
		break;
	case TCP_SOURCE:
		if (h.ms > MAX_MS)
			h.ms = MAX_MS;
		if (source_run(fd, h.seed, h.bytes, now_ns() + h.ms * 1000000ull, unchecked, &v) &&
		    h.bytes != FOREVER)
			send_verdict(fd, &v);
		break;
	case TCP_ECHO:
		echo_run(fd);
		break;
	}
}

static pid_t fork_child(void)
{
	pid_t pid = fork();

	if (pid < 0)
		fprintf(stderr, "%s: fork: %s\n", tool_name, strerror(errno));
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void accept_one(int listener, int udp, unsigned int timeout)
{
	int fd = accept(listener, NULL, NULL);

	if (fd < 0)
		return;
	if (fork_child() == 0) {
		close(listener);
		close(udp);
		set_timeout(fd, timeout);
		serve_connection(fd);
		/* What the peer has not read yet is not to be lost to a reset. */
		shutdown(fd, SHUT_WR);
		_exit(0);
	}
	close(fd);
}

static struct session *session_of(uint64_t seed)
{
	struct session *oldest = sessions;

	for (struct session *s = sessions; s < sessions + SESSIONS; s++) {
		if (s->used && s->seed == seed) {
			s->used = ++clock_of_use;
			return s;
		}
		if (s->used < oldest->used)
			oldest = s;
	}
	*oldest = (struct session){ .seed = seed, .used = ++clock_of_use };
	return oldest;
}

static void answer(int fd, const struct sockaddr_in6 *to, const void *data, size_t len)
{
	if (sendto(fd, data, len, 0, (const struct sockaddr *)to, sizeof(*to)) < 0 &&
	    errno != EAGAIN && errno != ENOBUFS)
		fprintf(stderr, "%s: sendto: %s\n", tool_name, strerror(errno));
}

static void answer_get(int fd, const struct sockaddr_in6 *from, uint64_t seed, uint64_t seq,
		       uint64_t arg)
{
	unsigned int count = (unsigned int)(arg >> 32), size = (unsigned int)arg;
	static char buf[UDP_MAX];

	if (count > MAX_COUNT || size < sizeof(struct datagram) || size > UDP_MAX)
		return;
	for (unsigned int i = 0; i < count; i++) {
		datagram_make(buf, UDP_DATA, seed, seq + i, 0, size);
		answer(fd, from, buf, size);
	}
}

static void flood(int fd, const struct sockaddr_in6 *to, uint64_t seed, uint64_t arg)
{
	unsigned int ms = (unsigned int)(arg >> 32), size = (unsigned int)arg;
	struct datagram report;
	uint64_t sent;

	if (ms > MAX_MS || size < sizeof(report) + 8 || size > UDP_MAX || fork_child() != 0)
		return;
	sent = blast_run(fd, to, seed, size, now_ns() + ms * 1000000ull);
	/* The flood itself may have filled the queues that this goes through. */
	for (int i = 0; i < 5; i++) {
		poll(NULL, 0, 20);
		datagram_make(&report, UDP_REPORT, seed, sent, 0, sizeof(report));
		answer(fd, to, &report, sizeof(report));
	}
	_exit(0);
}

static void serve_datagram(int fd, const struct sockaddr_in6 *from, const char *buf, size_t len)
{
	struct datagram d, reply;
	struct session *s;

	if (len < sizeof(d))
		return;
	memcpy(&d, buf, sizeof(d));
	if (be32toh(d.magic) != TRAFFIC_MAGIC)
		return;
	d.seed = be64toh(d.seed);
	d.seq = be64toh(d.seq);
	d.arg = be64toh(d.arg);
	switch (be32toh(d.op)) {
	case UDP_DATA:
		datagram_make(&reply, UDP_ACK, d.seed, d.seq,
			      datagram_sum(buf + sizeof(d), (unsigned int)(len - sizeof(d))),
			      sizeof(reply));
		answer(fd, from, &reply, sizeof(reply));
		break;
	case UDP_GET:
		answer_get(fd, from, d.seed, d.seq, d.arg);
		break;
	case UDP_ECHO:
		answer(fd, from, buf, len);
		break;
	case UDP_BLAST:
		s = session_of(d.seed);
		s->count++;
		s->wrong += !blast_whole(buf, (unsigned int)len);
		break;
	case UDP_REPORT:
		s = session_of(d.seed);
		datagram_make(&reply, UDP_REPORT, d.seed, s->count, s->wrong, sizeof(reply));
		answer(fd, from, &reply, sizeof(reply));
		break;
	case UDP_FLOOD:
		flood(fd, from, d.seed, d.arg);
		break;
	}
}

static void read_datagrams(int fd)
{
	static char bufs[UDP_BATCH][UDP_MAX];
	static struct sockaddr_in6 from[UDP_BATCH];
	struct mmsghdr msgs[UDP_BATCH];
	struct iovec iov[UDP_BATCH];
	int n;

	for (int i = 0; i < UDP_BATCH; i++) {
		iov[i] = (struct iovec){ bufs[i], UDP_MAX };
		msgs[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
						   .msg_namelen = sizeof(from[i]),
						   .msg_iov = &iov[i],
						   .msg_iovlen = 1 };
	}
	n = recvmmsg(fd, msgs, UDP_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		serve_datagram(fd, &from[i], bufs[i], msgs[i].msg_len);
}

static int bound_socket(int type, uint16_t *port)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = htons(*port) };
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0), on = 1, off = 0, space = 4 << 20;
	socklen_t len = sizeof(sa);

	if (fd < 0)
		die_errno("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* As much as we are allowed to have. */
	if (type == SOCK_DGRAM &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &space, sizeof(space)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &space, sizeof(space));
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		die_errno("port %u", *port);
	*port = ntohs(sa.sin6_port);
	return fd;
}

int traffic_serve(const struct task *task)
{
	uint16_t port = task->port;
	int tcp = bound_socket(SOCK_STREAM, &port), udp = bound_socket(SOCK_DGRAM, &port);
	struct pollfd pfd[2] = { { .fd = tcp, .events = POLLIN }, { .fd = udp, .events = POLLIN } };
	uint64_t end = now_ns() + task->seconds * 1000000000ull;

	signal(SIGCHLD, SIG_IGN);
	if (listen(tcp, 64) < 0)
		die_errno("listen");
	printf("{\"port\": %u}\n", port);
	fflush(stdout);
	while (now_ns() < end) {
		if (poll(pfd, 2, 1000) < 0 && errno != EINTR)
			die_errno("poll");
		if (pfd[0].revents)
			accept_one(tcp, udp, task->timeout);
		if (pfd[1].revents)
			read_datagrams(udp);
	}
	return EXIT_OK;
}
