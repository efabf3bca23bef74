/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is frozen, file system by file system: memory that the agent shares with the processes
 * that freeze and thaw for it. It is a file in /run, so that the agent's next start finds what
 * a killed one left.
 */
#pragma once

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FROZEN_FILE "frozen"
/* File systems frozen at most; a guest with more is not frozen at all. */
#define FROZEN_MAX 256

/*
 *	NOT ---> BEGUN ---> YES ---> ENDING ---> NOT
 *	           |
 *	           +------> GIVEN_UP ----------> NOT
 *
 * Whoever makes BEGUN or YES something else has to act on it: the kernel is called once.
 */
enum frozen_state {
	FROZEN_NOT,      /* never was, or is thawed */
	FROZEN_BEGUN,    /* a process is freezing it */
	FROZEN_YES,      /* to be thawed by who takes it on */
	FROZEN_ENDING,   /* a process is thawing it */
	FROZEN_GIVEN_UP, /* as BEGUN; the process that freezes it thaws it at once */
};

struct frozen_entry {
	_Atomic uint32_t state; /* enum frozen_state */
	uint32_t reserved;
	uint64_t device; /* st_dev of the mount point */
	char target[PATH_MAX];
};

struct frozen_table {
	uint32_t magic;
	uint32_t n;
	_Atomic uint32_t stop; /* nothing more is to be frozen */
	int32_t error;         /* negative errno of the one that could not be frozen */
	uint32_t failed;       /* its index */
	uint32_t reserved;
	struct frozen_entry entries[];
};

/*
 * @lock is locked, shared, by the processes that freeze, all of which inherit it: when the
 * last has ended it can be locked by others.
 */
struct frozen {
	struct frozen_table *table;
	size_t size; /* of the table, bytes */
	int dir;     /* of the file, and of who opens the file anew; -1 if it is not in a file */
	int lock;    /* the file; -1 likewise */
};

/*
 * frozen_create - a table of @n file systems, none of them frozen
 *
 * Replaces the file. Without one (-errno in @ret_kept, else 0) the table is in memory alone
 * and is lost with the processes. Errors: -ENOMEM.
 */
int frozen_create(uint32_t n, struct frozen *ret, int *ret_kept);

/*
 * frozen_load - the table that is in the file
 *
 * Errors: -ENOENT (there is none), -EBADMSG (not one of ours: it is removed), negative errno.
 */
int frozen_load(struct frozen *ret);

/* Remove the file, if it is this one's. No memory is allocated. */
void frozen_remove(const struct frozen *frozen);

/*
 * frozen_reopen - give @frozen a @lock of its own, to see whether others hold theirs
 *
 * Errors: negative errno; @lock is closed then.
 */
int frozen_reopen(struct frozen *frozen);

/* Is nobody else there who has it locked? Waits until that is so if @wait. */
bool frozen_is_ours(const struct frozen *frozen, bool wait);

/* Number of file systems in @state. */
uint32_t frozen_count(const struct frozen *frozen, enum frozen_state state);

/* Index of the first that is anything but FROZEN_NOT, or the number of all. */
uint32_t frozen_first(const struct frozen *frozen);

/* If it is in state @from, make that @to and return true. */
bool frozen_change(struct frozen_entry *entry, enum frozen_state from, enum frozen_state to);

/* Start with { .dir = -1, .lock = -1 }; the file stays. */
void frozen_clear(struct frozen *frozen);
