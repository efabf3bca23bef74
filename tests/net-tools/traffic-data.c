/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What client and server do alike: the data itself. */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pattern.h"
#include "traffic.h"

#define PIECE 65536u

bool source_run(int fd, uint64_t seed, uint64_t bytes, uint64_t end, bool unchecked,
		struct verdict *ret)
{
	struct verdict v = { 0 };
	struct sum sum = SUM_INIT;
	static char buf[PIECE];

	pattern_fill(seed, 0, buf, sizeof(buf));
	while (v.bytes < bytes && (bytes != FOREVER || now_ns() < end)) {
		size_t n = bytes - v.bytes < PIECE ? bytes - v.bytes : PIECE;

		if (!unchecked) {
			pattern_fill(seed, v.bytes, buf, n);
			sum_add(&sum, buf, n);
		}
		if (!write_all(fd, buf, n))
			return false;
		v.bytes += n;
	}
	v.sum = sum_end(&sum);
	*ret = v;
	return true;
}

bool sink_run(int fd, uint64_t seed, uint64_t bytes, bool unchecked, struct verdict *ret)
{
	struct verdict v = { 0 };
	struct sum sum = SUM_INIT;
	static char buf[PIECE];

	while (v.bytes < bytes) {
		size_t want = bytes - v.bytes < PIECE ? bytes - v.bytes : PIECE;
		ssize_t n = recv(fd, buf, want, 0);
		uint64_t where;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			die(EXIT_TIMEOUT, "nothing came for too long, after %llu bytes",
			    (unsigned long long)v.bytes);
		if (n == 0 && bytes == FOREVER)
			break;
		if (n <= 0)
			return false;
		if (!unchecked) {
			sum_add(&sum, buf, (size_t)n);
			if (!v.wrong && !pattern_check(seed, v.bytes, buf, (size_t)n, &where))
				v.wrong = 1;
		}
		v.bytes += (uint64_t)n;
	}
	v.sum = sum_end(&sum);
	*ret = v;
	return true;
}

uint64_t datagram_sum(const void *data, unsigned int len)
{
	struct sum sum = SUM_INIT;

	sum_add(&sum, data, len);
	return sum_end(&sum);
}

void datagram_make(void *buf, enum udp_op op, uint64_t seed, uint64_t seq, uint64_t arg,
		   unsigned int size)
{
	struct datagram head = { .magic = htobe32(TRAFFIC_MAGIC),
				 .op = htobe32(op),
				 .seed = htobe64(seed),
				 .seq = htobe64(seq),
				 .arg = htobe64(arg) };

	memcpy(buf, &head, sizeof(head));
	if (size > sizeof(head))
		pattern_fill(seed, seq * UDP_MAX, (char *)buf + sizeof(head), size - sizeof(head));
}

bool blast_whole(const void *buf, unsigned int len)
{
	const char *p = buf;

	/* The pattern of seed and number is too slow for a measurement; head and tail do. */
	return len >= sizeof(struct datagram) + 8 &&
	       memcmp(p + len - 8, p + offsetof(struct datagram, seq), 8) == 0;
}

uint64_t blast_run(int fd, const struct sockaddr_in6 *peer, uint64_t seed, unsigned int size,
		   uint64_t end)
{
	char *buf = malloc((size_t)UDP_BATCH * size);
	struct mmsghdr msgs[UDP_BATCH] = { 0 };
	struct iovec iov[UDP_BATCH];
	struct sockaddr_in6 to = *peer;
	uint64_t sent = 0;

	if (!buf)
		die(EXIT_SYSTEM, "no memory");
	memset(buf, 0, (size_t)UDP_BATCH * size);
	for (int i = 0; i < UDP_BATCH; i++) {
		iov[i] = (struct iovec){ buf + (size_t)i * size, size };
		msgs[i].msg_hdr = (struct msghdr){ .msg_name = &to,
						   .msg_namelen = sizeof(to),
						   .msg_iov = &iov[i],
						   .msg_iovlen = 1 };
	}
	while (now_ns() < end) {
		int n;

		for (unsigned int i = 0; i < UDP_BATCH; i++) {
			uint64_t seq = htobe64(sent + i);

			datagram_make(iov[i].iov_base, UDP_BLAST, seed, sent + i, 0, 0);
			memcpy((char *)iov[i].iov_base + size - 8, &seq, 8);
		}
		n = sendmmsg(fd, msgs, UDP_BATCH, 0);
		if (n > 0) {
			sent += (uint64_t)n;
		} else if (errno == EAGAIN || errno == ENOBUFS || errno == ENETDOWN) {
			struct pollfd pfd = { .fd = fd, .events = POLLOUT };

			poll(&pfd, 1, 10);
		} else if (errno != EINTR && errno != ECONNREFUSED) {
			die_errno("sendmmsg");
		}
	}
	free(buf);
	return sent;
}
