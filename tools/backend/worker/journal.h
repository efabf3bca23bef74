/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The in-flight journal: what a ring has consumed and not yet answered, in a
 * shared file mapping that outlives the process. After a crash the next worker
 * goes on from here: nothing is lost, nothing is answered twice.
 *
 * It guards against the death of the process, not of the host: a store that was
 * executed is there afterwards, in program order. So plain stores in the right
 * order, kept apart by compiler barriers, are all it takes.
 *
 * File layout, native byte order; part N starts at a multiple of 4096:
 *
 *	struct journal_header		one page
 *	ring 0: struct journal_ring, then `slots` struct journal_slot
 *	ring 1: ...
 *
 * The life of one request, and what a crash after each step means:
 *
 *	consume		slot: copy, index, seq; state ACTIVE	not consumed: index is not
 *							below req_cons; taken from the ring again
 *			ring: req_cons = index + 1	consumed: executed again
 *	answer		slot: status, rsp_index;	only the answer is missing, as long as
 *			state ANSWERING			rsp_index is not below the shared rsp_prod:
 *							answered with that status, not executed
 *			ring: rsp_intent
 *			shared ring: rsp_prod		answered: rsp_index is below rsp_prod
 *			ring: rsp_prod
 *			slot: state FREE
 *
 * A recovery turns ANSWERING into FREE or, when the answer is missing, into DONE.
 *
 * The shared rsp_prod is written by us alone, so it equals either rsp_prod or
 * rsp_intent. Anything else, or slots that do not add up to req_cons minus
 * rsp_prod, is refused. A read or write that is executed again is harmless: the
 * frontend was not told that it is over, so nothing can depend on its end yet.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/abi.h"

#define JOURNAL_MAGIC       UINT64_C(0x4a62567065587631) /* "1vXepVbJ" in memory */
#define JOURNAL_RING_MAGIC  UINT32_C(0x676e6952)
#define JOURNAL_VERSION     1
#define JOURNAL_HEADER_SIZE 4096

enum journal_state {
	JOURNAL_FREE,
	JOURNAL_ACTIVE,
	JOURNAL_DONE,
	JOURNAL_ANSWERING,
};

/* What the rings are; a journal of another connection is not ours to replay. */
struct journal_identity {
	uint32_t domid;
	uint32_t rings;
	uint32_t ring_pages;
	uint32_t abi; /* enum worker_abi, _NATIVE resolved */
	uint32_t evtchn[WORKER_MAX_RINGS];
	uint32_t ring_ref[WORKER_MAX_RINGS][WORKER_MAX_RING_PAGES];
};

struct journal_header {
	uint64_t magic; /* stored last when a journal is made */
	uint32_t version;
	uint32_t slots; /* per ring */
	struct journal_identity identity;
};

struct journal_slot {
	uint32_t state; /* enum journal_state */
	uint32_t index; /* request index in the ring */
	uint32_t rsp_index;
	int32_t status; /* BLKIF_RSP_*, for ANSWERING and DONE */
	uint64_t seq;   /* order of consumption */
	uint8_t request[ABI_MAX_SLOT];
};

struct journal_ring {
	uint32_t magic;
	uint32_t number;
	uint32_t req_cons;
	uint32_t rsp_prod;
	uint32_t rsp_intent;
	uint32_t pad[3];
	struct journal_slot slot[];
};

/* The journal of one disk, mapped. */
struct journal {
	void *map;
	size_t size;
	uint32_t rings;
	uint32_t slots;
};

/* The journal of one ring, as its thread uses it. */
struct journal_view {
	struct journal_ring *ring;
	uint32_t slots;
	uint64_t seq; /* of the last request recorded */
};

/* An unanswered request found by journal_recover(). */
struct journal_entry {
	uint32_t slot;
	bool done; /* status is known, only the response is missing */
};

/* Does @fd hold the journal of a connection? Zero length or a wiped header: no. */
bool journal_exists(int fd);

/*
 * journal_create - make the file an empty journal for a new connection
 * @first: first index of each ring, usually 0 (@identity->rings of them)
 *
 * Allocates the space, so that a full file system is an error here and not a
 * SIGBUS later. Errors: -ENOSPC, -ENOMEM, others of posix_fallocate(3), mmap(2).
 */
int journal_create(struct journal *j, int fd, const struct journal_identity *identity,
		   uint32_t slots, const uint32_t *first);

/*
 * journal_open - map the journal of a connection that outlived its worker
 *
 * Errors: -EBADMSG (not a journal, cut short, or of another version), -ESTALE (of
 * another connection); *ret_why names what differs.
 */
int journal_open(struct journal *j, int fd, const struct journal_identity *identity, uint32_t slots,
		 const char **ret_why);

/* Unmap; the file keeps its contents. */
void journal_close(struct journal *j);

/* Mark the connection as ended, so that nobody recovers it. */
void journal_wipe(struct journal *j);

void journal_get_ring(const struct journal *j, uint32_t number, struct journal_view *ret);

/*
 * journal_recover - decide what the last worker left open
 * @shared_rsp_prod: the response index of the shared ring
 * @shared_req_prod: its request index
 * @ret: room for @v->slots entries, filled in order of consumption
 * @ret_n: their number
 * @ret_why: what is wrong, on failure
 *
 * Frees the slots that turn out to be answered or not consumed, and confirms
 * rsp_prod. Afterwards @v->ring->req_cons and ->rsp_prod are where to go on.
 * Harmless to repeat, also after a crash within it.
 * Errors: -EBADMSG (the journal contradicts itself or the ring).
 */
int journal_recover(struct journal_view *v, uint32_t shared_rsp_prod, uint32_t shared_req_prod,
		    struct journal_entry *ret, uint32_t *ret_n, const char **ret_why);

/* Steps of a request's life; see the table above. */
void journal_record(struct journal_view *v, uint32_t slot, uint32_t index,
		    const uint8_t request[static ABI_MAX_SLOT]);
void journal_consumed(struct journal_view *v, uint32_t req_cons);
void journal_answering(struct journal_view *v, uint32_t slot, int32_t status, uint32_t rsp_index);
void journal_intent(struct journal_view *v, uint32_t rsp_prod);
void journal_published(struct journal_view *v);
void journal_free(struct journal_view *v, uint32_t slot);
