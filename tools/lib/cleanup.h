/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Variables that release what they hold when they leave scope.
 *
 *	_cleanup_free_ char *s = NULL;
 *	_cleanup_close_ int fd = -1;
 *
 * Every such variable is initialised where it is declared. To hand the value
 * on, use TAKE_PTR() or TAKE_FD(), which leave an empty variable behind.
 */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* Define a cleanup function <func>p for a type whose release function is <func>. */
#define DEFINE_CLEANUP(type, func)                                                                 \
	static inline void func##p(type *p)                                                        \
	{                                                                                          \
		if (*p)                                                                            \
			func(*p);                                                                  \
	}                                                                                          \
	struct cleanup_needs_semicolon_##func

static inline void cleanup_freep(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cleanup_fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_free_   _cleanup_(cleanup_freep)
#define _cleanup_close_  _cleanup_(cleanup_closep)
#define _cleanup_fclose_ _cleanup_(cleanup_fclosep)

#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__typeof__(p) *_take_p = &(p);                                                     \
		__typeof__(p) _take_v = *_take_p;                                                  \
		*_take_p = NULL;                                                                   \
		_take_v;                                                                           \
	})

#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int *_take_p = &(fd);                                                              \
		int _take_v = *_take_p;                                                            \
		*_take_p = -1;                                                                     \
		_take_v;                                                                           \
	})

/* Close *fd if it is open and mark it closed. */
static inline void close_fd(int *fd)
{
	cleanup_closep(fd);
	*fd = -1;
}

#define ELEMENTSOF(a) (sizeof(a) / sizeof((a)[0]))
