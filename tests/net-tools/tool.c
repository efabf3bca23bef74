/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

const char *tool_name = "net-tools";

static void complain(const char *format, va_list args, const char *why)
{
	fprintf(stderr, "%s: ", tool_name);
	vfprintf(stderr, format, args);
	fprintf(stderr, "%s%s\n", why ? ": " : "", why ? why : "");
}

void die(enum exit_code code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(format, args, NULL);
	va_end(args);
	exit(code);
}

void die_errno(const char *format, ...)
{
	const char *why = strerror(errno);
	va_list args;

	va_start(args, format);
	complain(format, args, why);
	va_end(args);
	exit(EXIT_SYSTEM);
}

uint64_t number(const char *text, const char *what, uint64_t min, uint64_t max)
{
	unsigned int shift = 0;
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (*end == 'K')
		shift = 10;
	else if (*end == 'M')
		shift = 20;
	else if (*end == 'G')
		shift = 30;
	if (shift)
		end++;
	if (errno || end == text || *end || text[0] == '-' || n > UINT64_MAX >> shift ||
	    n << shift < min || n << shift > max)
		die(EXIT_USAGE, "%s: %s is not a number from %llu to %llu", what, text,
		    (unsigned long long)min, (unsigned long long)max);
	return n << shift;
}

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

bool parse_address(const char *text, uint16_t port, struct sockaddr_in6 *ret)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct in_addr v4;
	char copy[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
	char *scope;

	if (strlen(text) >= sizeof(copy))
		return false;
	strcpy(copy, text);
	scope = strchr(copy, '%');
	if (scope)
		*scope++ = '\0';
	if (inet_pton(AF_INET, copy, &v4) == 1) {
		sa.sin6_addr.s6_addr[10] = sa.sin6_addr.s6_addr[11] = 0xff;
		memcpy(&sa.sin6_addr.s6_addr[12], &v4, sizeof(v4));
	} else if (inet_pton(AF_INET6, copy, &sa.sin6_addr) != 1) {
		return false;
	}
	if (scope) {
		sa.sin6_scope_id = if_nametoindex(scope);
		if (!sa.sin6_scope_id)
			return false;
	}
	*ret = sa;
	return true;
}

static bool transfer(int fd, char *data, size_t len, bool out)
{
	while (len > 0) {
		ssize_t n = out ? send(fd, data, len, MSG_NOSIGNAL) : recv(fd, data, len, 0);

		if (n > 0) {
			data += n;
			len -= (size_t)n;
		} else if (n == 0) {
			return false;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			die(EXIT_TIMEOUT, "nothing could be %s for too long",
			    out ? "sent" : "received");
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

bool write_all(int fd, const void *data, size_t len)
{
	return transfer(fd, (char *)(uintptr_t)data, len, true);
}

bool read_all(int fd, void *data, size_t len)
{
	return transfer(fd, data, len, false);
}

void set_timeout(int fd, unsigned int seconds)
{
	struct timeval tv = { .tv_sec = seconds };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0)
		die_errno("timeout of a socket");
}
