/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one seam to the hypervisor: foreign grants and event channels.
 *
 * Two implementations are linked in, never both: xen.c over libxengnttab and
 * libxenevtchn, and loop.c over shared memory and sockets for the test benches.
 * xenstore is not part of the seam: it is reached through lib/xs.h everywhere.
 *
 * All functions return 0 (or a value >= 0) on success and a negative errno on
 * failure, and leave their ret_ arguments untouched on failure. None of them
 * logs.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HOST_PAGE_SHIFT 12
#define HOST_PAGE_SIZE  (1u << HOST_PAGE_SHIFT)

/* A handle on the grants of one foreign domain. Safe for use by many threads. */
struct host_gnt;

/* A set of bound event channels behind one descriptor. One thread at a time. */
struct host_evtchn;

/* One piece of a batched grant copy: never crosses a page of the foreign side. */
struct host_gnt_copy {
	uint32_t ref;     /* grant reference of the foreign page */
	uint16_t offset;  /* first byte within the foreign page */
	uint16_t len;     /* bytes, 1..HOST_PAGE_SIZE - offset */
	void *local;      /* our memory; may be anywhere, need not be page aligned */
	uint8_t to_guest; /* 1: local -> foreign, 0: foreign -> local */
	int16_t status;   /* out: 0, or a negative errno for this piece */
};

/*
 * host_gnt_open - open a grant handle for domain @domid
 *
 * Opens device nodes, so a sandboxed process calls it before it gives up its
 * file system. The handle is owned by the caller until host_gnt_close(), which
 * also drops whatever is still mapped through it.
 */
int host_gnt_open(uint32_t domid, struct host_gnt **ret);
void host_gnt_close(struct host_gnt *gnt);

/*
 * host_gnt_map - map @n grants of the foreign domain, contiguously
 * @refs: grant references
 * @prot: PROT_READ or PROT_READ | PROT_WRITE
 * @ret: page aligned address of @n pages
 *
 * Either all of the references are mapped or none is.
 * Errors: -EINVAL (a bad reference), -EACCES (read-only grant mapped for
 * writing), -ENOMEM, -EIO (the domain is dying).
 */
int host_gnt_map(struct host_gnt *gnt, const uint32_t *refs, size_t n, int prot, void **ret);

/* Unmap exactly what one host_gnt_map() call mapped. */
int host_gnt_unmap(struct host_gnt *gnt, void *addr, size_t n);

/*
 * host_gnt_copy - copy @n pieces from or to the foreign domain
 *
 * Returns 0 when the operation was carried out; each piece then has its own
 * status. After a negative errno it is not known which pieces were copied.
 */
int host_gnt_copy(struct host_gnt *gnt, struct host_gnt_copy *pieces, size_t n);

/*
 * host_evtchn_open - open a descriptor that event channels can be bound on
 *
 * Done by the broker; the descriptor travels to the worker over SCM_RIGHTS and
 * is wrapped there with host_evtchn_fdopen(). Returns the descriptor (CLOEXEC).
 */
int host_evtchn_open(void);

/* Wrap @fd; takes it over, also on failure. */
int host_evtchn_fdopen(int fd, struct host_evtchn **ret);
void host_evtchn_close(struct host_evtchn *ev);

/* The descriptor to poll for input (level-triggered until host_evtchn_pending()). */
int host_evtchn_fd(struct host_evtchn *ev);

/*
 * host_evtchn_bind - bind to @remote_port, which domain @domid left unbound for us
 *
 * Returns the local port. Errors: -EINVAL (no such port, or it is bound).
 */
int host_evtchn_bind(struct host_evtchn *ev, uint32_t domid, uint32_t remote_port);
int host_evtchn_unbind(struct host_evtchn *ev, uint32_t local_port);

/* Take one pending port, which stays masked until host_evtchn_unmask(); -EAGAIN when none. */
int host_evtchn_pending(struct host_evtchn *ev);
int host_evtchn_unmask(struct host_evtchn *ev, uint32_t local_port);
int host_evtchn_notify(struct host_evtchn *ev, uint32_t local_port);
