/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the programs of this directory share: how they end, numbers, addresses, time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum exit_code {
	EXIT_OK = 0,
	EXIT_WRONG = 1,   /* what came is not what was sent, or was expected */
	EXIT_USAGE = 2,   /* the command line */
	EXIT_TIMEOUT = 3, /* nothing moved for too long */
	EXIT_SYSTEM = 4,  /* a system call failed */
};

/* Set once in main(): the name before each message. */
extern const char *tool_name;

/* Print "name: message" on standard error and end with @code. */
_Noreturn void die(enum exit_code code, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same, with the text of errno behind it. */
_Noreturn void die_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A decimal, 0x or size (K, M, G) number within @min..@max, or the end with EXIT_USAGE. */
uint64_t number(const char *text, const char *what, uint64_t min, uint64_t max);

/* Monotonic time in nanoseconds. */
uint64_t now_ns(void);

/* "10.0.0.1", "fd00::1" or "fe80::1%eth0" as an IPv6 address (v4-mapped for IPv4). */
bool parse_address(const char *text, uint16_t port, struct sockaddr_in6 *ret);

/* Write or read all of it; false when the peer has gone, EXIT_TIMEOUT by the socket's timeout. */
bool write_all(int fd, const void *data, size_t len);
bool read_all(int fd, void *data, size_t len);

/* Bound each read and write of @fd to @seconds. */
void set_timeout(int fd, unsigned int seconds);
