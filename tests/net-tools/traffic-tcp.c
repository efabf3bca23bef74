/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client over TCP: data each way, round trips, and a stream that outlives pauses. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pattern.h"
#include "traffic.h"

#define RETRY_MS    50
#define PIECE       16384u
#define OUTSTANDING (256u << 10) /* bytes of a stream under way */

/* The address may be new, the server not up yet: errors of the first moments are retried. */
static int open_connection(const struct task *task, const struct hello *hello)
{
	uint64_t end = now_ns() + task->timeout * 1000000000ull;
	struct hello wire = { .magic = htobe32(TRAFFIC_MAGIC),
			      .op = htobe32(hello->op),
			      .seed = htobe64(task->seed),
			      .bytes = htobe64(hello->bytes),
			      .ms = htobe32(hello->ms),
			      .flags = htobe32(task->unchecked ? HELLO_UNCHECKED : 0) };
	int on = 1;

	for (;;) {
		int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0)
			die_errno("socket");
		set_timeout(fd, task->timeout);
		if (connect(fd, (const struct sockaddr *)&task->peer, sizeof(task->peer)) == 0) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
			if (!write_all(fd, &wire, sizeof(wire)))
				die(EXIT_SYSTEM, "%s: the server hung up", task->host);
			return fd;
		}
		close(fd);
		if (now_ns() >= end || errno == EINPROGRESS || errno == EAGAIN)
			die(EXIT_TIMEOUT, "%s: no connection within %u s: %s", task->host,
			    task->timeout, strerror(errno));
		poll(NULL, 0, RETRY_MS);
	}
}

static bool read_verdict(int fd, struct verdict *v)
{
	if (!read_all(fd, v, sizeof(*v)))
		return false;
	v->bytes = be64toh(v->bytes);
	v->sum = be64toh(v->sum);
	v->wrong = be64toh(v->wrong);
	return true;
}

static int compare(const struct task *task, const struct verdict *sent, const struct verdict *got,
		   uint64_t begun)
{
	double seconds = (double)(now_ns() - begun) / 1e9;
	bool ok = sent->bytes == got->bytes && !sent->wrong && !got->wrong &&
		  (task->unchecked || sent->sum == got->sum);

	printf("{\"proto\": \"tcp\", \"bytes\": %" PRIu64 ", \"seconds\": %.6f, "
	       "\"mbit_s\": %.3f, \"sum_sent\": \"%016" PRIx64 "\", \"sum_received\": "
	       "\"%016" PRIx64 "\", \"intact\": %s}\n",
	       got->bytes, seconds, (double)got->bytes * 8 / 1e6 / seconds, sent->sum, got->sum,
	       ok ? "true" : "false");
	return ok ? EXIT_OK : EXIT_WRONG;
}

int tcp_send(const struct task *task)
{
	struct hello hello = { .op = TCP_SINK, .bytes = task->seconds ? FOREVER : task->bytes };
	int fd = open_connection(task, &hello);
	uint64_t begun = now_ns();
	struct verdict sent, got;

	if (!source_run(fd, task->seed, hello.bytes, begun + task->seconds * 1000000000ull,
			task->unchecked, &sent) ||
	    shutdown(fd, SHUT_WR) < 0 || !read_verdict(fd, &got))
		die(EXIT_WRONG, "%s: the connection broke", task->host);
	close(fd);
	return compare(task, &sent, &got, begun);
}

int tcp_receive(const struct task *task)
{
	struct hello hello = { .op = TCP_SOURCE,
			       .bytes = task->seconds ? FOREVER : task->bytes,
			       .ms = task->seconds * 1000 };
	int fd = open_connection(task, &hello);
	uint64_t begun = now_ns();
	struct verdict sent, got;

	if (!sink_run(fd, task->seed, hello.bytes, task->unchecked, &got))
		die(EXIT_WRONG, "%s: the connection broke", task->host);
	sent = got; /* with a time instead of a number the end of the stream says all there is */
	if (!task->seconds && !read_verdict(fd, &sent))
		die(EXIT_WRONG, "%s: the connection broke before its checksum", task->host);
	close(fd);
	return compare(task, &sent, &got, begun);
}

int tcp_pingpong(const struct task *task)
{
	struct hello hello = { .op = TCP_ECHO };
	int fd = open_connection(task, &hello);
	uint64_t begun = now_ns(), before = begun, min = UINT64_MAX, max = 0;
	char *out = malloc(task->size), *in = malloc(task->size);

	if (!out || !in)
		die(EXIT_SYSTEM, "no memory");
	for (unsigned int i = 0; i < task->count; i++) {
		uint64_t now, took;

		pattern_fill(task->seed, (uint64_t)i * task->size, out, task->size);
		if (!write_all(fd, out, task->size) || !read_all(fd, in, task->size))
			die(EXIT_WRONG, "%s: the connection broke", task->host);
		if (memcmp(in, out, task->size) != 0)
			die(EXIT_WRONG, "%s: round trip %u came back changed", task->host, i);
		now = now_ns();
		took = now - before;
		before = now;
		min = took < min ? took : min;
		max = took > max ? took : max;
	}
	printf("{\"proto\": \"tcp\", \"count\": %u, \"lost\": 0, \"seconds\": %.6f, "
	       "\"rtt_us\": {\"min\": %.1f, \"avg\": %.1f, \"max\": %.1f}}\n",
	       task->count, (double)(before - begun) / 1e9, (double)min / 1e3,
	       (double)(before - begun) / 1e3 / task->count, (double)max / 1e3);
	free(out);
	free(in);
	close(fd);
	return EXIT_OK;
}

static volatile sig_atomic_t stop_asked;

static void ask_stop(int sig)
{
	(void)sig;
	stop_asked = 1;
}

struct stream {
	const struct task *task;
	int fd;
	uint64_t sent, received;
	uint64_t begun, last, longest, next_line;
	bool ending; /* nothing more is sent */
};

static void stream_write(struct stream *s)
{
	static char buf[PIECE];
	ssize_t n;

	pattern_fill(s->task->seed, s->sent, buf, sizeof(buf));
	n = send(s->fd, buf, sizeof(buf), MSG_NOSIGNAL);
	if (n > 0)
		s->sent += (uint64_t)n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		die(EXIT_WRONG, "%s: the stream broke after %" PRIu64 " bytes: %s", s->task->host,
		    s->received, strerror(errno));
}

/* False when the server has ended its side. */
static bool stream_read(struct stream *s)
{
	static char buf[PIECE];
	ssize_t n = recv(s->fd, buf, sizeof(buf), 0);
	uint64_t now, where;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n < 0)
		die(EXIT_WRONG, "%s: the stream broke after %" PRIu64 " bytes: %s", s->task->host,
		    s->received, strerror(errno));
	if (n == 0)
		return false;
	if (!pattern_check(s->task->seed, s->received, buf, (size_t)n, &where))
		die(EXIT_WRONG, "%s: byte %" PRIu64 " of the stream is wrong", s->task->host,
		    where);
	s->received += (uint64_t)n;
	now = now_ns();
	if (now - s->last > s->longest)
		s->longest = now - s->last;
	s->last = now;
	return true;
}

static void stream_progress(struct stream *s)
{
	if (!s->task->progress || now_ns() < s->next_line)
		return;
	s->next_line = now_ns() + s->task->progress * 1000000ull;
	printf("{\"received\": %" PRIu64 "}\n", s->received);
	fflush(stdout);
}

/* Whether to send now: not too much under way, and not faster than asked. */
static bool stream_may_send(const struct stream *s)
{
	double seconds = (double)(now_ns() - s->begun) / 1e9;

	return !s->ending && s->sent - s->received < OUTSTANDING &&
	       (!s->task->rate || (double)s->sent < (double)s->task->rate * seconds + PIECE);
}

int tcp_stream(const struct task *task)
{
	struct hello hello = { .op = TCP_ECHO };
	struct stream s = { .task = task, .fd = open_connection(task, &hello) };
	uint64_t end, patience = task->timeout * 1000000000ull;

	signal(SIGTERM, ask_stop);
	signal(SIGINT, ask_stop);
	if (fcntl(s.fd, F_SETFL, O_NONBLOCK) < 0)
		die_errno("a socket");
	s.begun = s.last = now_ns();
	end = s.begun + task->seconds * 1000000000ull;
	for (;;) {
		struct pollfd pfd = { .fd = s.fd, .events = POLLIN };

		if (!s.ending && (stop_asked || now_ns() >= end)) {
			s.ending = true;
			shutdown(s.fd, SHUT_WR);
		}
		if (stream_may_send(&s))
			pfd.events |= POLLOUT;
		if (poll(&pfd, 1, 5) < 0 && errno != EINTR)
			die_errno("poll");
		if (pfd.revents & POLLOUT)
			stream_write(&s);
		if (pfd.revents & (POLLIN | POLLHUP | POLLERR) && !stream_read(&s))
			break;
		stream_progress(&s);
		/* With nothing under way nothing is to be expected. */
		if (s.sent == s.received && !s.ending)
			s.last = now_ns();
		else if (now_ns() - s.last > patience)
			die(EXIT_TIMEOUT, "%s: nothing came back for %u s, after %" PRIu64 " bytes",
			    task->host, task->timeout, s.received);
	}
	printf("{\"proto\": \"tcp\", \"sent\": %" PRIu64 ", \"received\": %" PRIu64
	       ", \"seconds\": %.6f, \"longest_stall_ms\": %.1f, \"intact\": %s}\n",
	       s.sent, s.received, (double)(now_ns() - s.begun) / 1e9, (double)s.longest / 1e6,
	       s.sent == s.received && s.ending ? "true" : "false");
	close(s.fd);
	return s.sent == s.received && s.ending ? EXIT_OK : EXIT_WRONG;
}
