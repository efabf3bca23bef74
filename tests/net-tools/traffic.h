/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of traffic, and what goes over the wire between two of them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <netinet/in.h>

#include "tool.h"

#define TRAFFIC_PORT  7007
#define TRAFFIC_MAGIC 0x78707674u /* "xpvt" */
#define UDP_BATCH     32
#define UDP_MAX       65507u
#define FOREVER       UINT64_MAX /* in hello.bytes: until the sender ends the connection */

/* All numbers on the wire are big-endian. A TCP connection begins with this. */
struct hello {
	uint32_t magic;
	uint32_t op; /* enum tcp_op */
	uint64_t seed;
	uint64_t bytes;
	uint32_t ms;    /* TCP_SOURCE with FOREVER: how long */
	uint32_t flags; /* HELLO_UNCHECKED */
};

#define HELLO_UNCHECKED 1u /* any data: speed is what is wanted */

enum tcp_op {
	TCP_SINK = 1,   /* client sends; the server ends with struct verdict */
	TCP_SOURCE = 2, /* the server sends, and struct verdict behind the data */
	TCP_ECHO = 3,   /* all comes back, until the client ends its side */
};

/* What one end has to say of the data. */
struct verdict {
	uint64_t bytes;
	uint64_t sum;
	uint64_t wrong; /* 1: a byte was not that of the pattern */
};

/* Each datagram begins with this. */
struct datagram {
	uint32_t magic;
	uint32_t op; /* enum udp_op */
	uint64_t seed;
	uint64_t seq;
	uint64_t arg;
};

enum udp_op {
	UDP_DATA = 1, /* number seq of the data: answered by UDP_ACK with its checksum in arg */
	UDP_ACK = 2,
	UDP_GET = 3,    /* asks for UDP_DATA of seq..; arg: count << 32 | size */
	UDP_ECHO = 4,   /* comes back as it is */
	UDP_BLAST = 5,  /* is counted */
	UDP_REPORT = 6, /* asks how many UDP_BLAST of this seed came; answer: seq, wrong ones arg */
	UDP_FLOOD = 7,  /* asks for UDP_BLAST; arg: ms << 32 | size; answered by UDP_REPORT too */
};

/* A command line. */
struct task {
	const char *host;
	struct sockaddr_in6 peer;
	uint16_t port;
	uint64_t bytes;
	bool udp;
	bool unchecked;
	bool reverse;
	unsigned int count;
	unsigned int size;
	unsigned int seconds;
	unsigned int timeout;  /* seconds in which something has to move */
	unsigned int progress; /* ms between lines of progress, 0: none */
	uint64_t rate;         /* bytes/s of a stream, 0: no limit */
	uint64_t seed;
};

/* Each does one task, prints its result as a line of JSON and returns an exit code. */
int traffic_serve(const struct task *task);
int tcp_send(const struct task *task);
int tcp_receive(const struct task *task);
int tcp_pingpong(const struct task *task);
int tcp_stream(const struct task *task);
int udp_send(const struct task *task);
int udp_receive(const struct task *task);
int udp_pingpong(const struct task *task);
int udp_blast(const struct task *task);

/* Both ends: send @bytes of the pattern of @seed over TCP, or until @end (ns); false: peer gone. */
bool source_run(int fd, uint64_t seed, uint64_t bytes, uint64_t end, bool unchecked,
		struct verdict *ret);

/* Both ends: receive @bytes, or with FOREVER until the peer ends its side. */
bool sink_run(int fd, uint64_t seed, uint64_t bytes, bool unchecked, struct verdict *ret);

/* Checksum of the data of one datagram. */
uint64_t datagram_sum(const void *data, unsigned int len);

/* Fill in a whole datagram of @size bytes in all, its data being number @seq of the pattern. */
void datagram_make(void *buf, enum udp_op op, uint64_t seed, uint64_t seq, uint64_t arg,
		   unsigned int size);

/* Send UDP_BLAST of @size to @peer until @end; returns how many the socket took. */
uint64_t blast_run(int fd, const struct sockaddr_in6 *peer, uint64_t seed, unsigned int size,
		   uint64_t end);

/* Whether @buf is a whole UDP_BLAST: its last bytes say its number again. */
bool blast_whole(const void *buf, unsigned int len);
