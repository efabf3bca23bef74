/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The seam over libxengnttab and libxenevtchn. Contracts are in host.h. */
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>
#include <xentoollog.h>

#include "lib/cleanup.h"

#define COPY_CHUNK 128 /* pieces converted at a time, on the stack */

struct host_gnt {
	xengnttab_handle *handle;
	uint32_t domid;
};

struct host_evtchn {
	xenevtchn_handle *handle;
	int fd;
};

/* The libraries print to stderr on their own; our callers decide what is logged. */
__attribute__((format(printf, 5, 0))) static void no_message(xentoollog_logger *logger,
							     xentoollog_level level, int err,
							     const char *context,
							     const char *format, va_list ap)
{
	(void)logger, (void)level, (void)err, (void)context, (void)format, (void)ap;
}

static void no_progress(xentoollog_logger *logger, const char *context, const char *doing,
			int percent, unsigned long done, unsigned long total)
{
	(void)logger, (void)context, (void)doing, (void)percent, (void)done, (void)total;
}

static void no_destroy(xentoollog_logger *logger)
{
	(void)logger;
}

static xentoollog_logger silent = {
	.vmessage = no_message,
	.progress = no_progress,
	.destroy = no_destroy,
};

int host_gnt_open(uint32_t domid, struct host_gnt **ret)
{
	_cleanup_free_ struct host_gnt *gnt = calloc(1, sizeof(*gnt));

	if (!gnt)
		return -ENOMEM;
	gnt->domid = domid;
	gnt->handle = xengnttab_open(&silent, 0);
	if (!gnt->handle)
		return errno ? -errno : -EIO;
	*ret = TAKE_PTR(gnt);
	return 0;
}

void host_gnt_close(struct host_gnt *gnt)
{
	if (!gnt)
		return;
	xengnttab_close(gnt->handle);
	free(gnt);
}

int host_gnt_map(struct host_gnt *gnt, const uint32_t *refs, size_t n, int prot, void **ret)
{
	void *addr;

	if (n == 0 || n > UINT32_MAX)
		return -EINVAL;
	/* the library takes the references writable, and only reads them */
	addr = xengnttab_map_domain_grant_refs(gnt->handle, n, gnt->domid, (uint32_t *)refs, prot);
	if (!addr)
		return errno ? -errno : -EIO;
	*ret = addr;
	return 0;
}

int host_gnt_unmap(struct host_gnt *gnt, void *addr, size_t n)
{
	return xengnttab_unmap(gnt->handle, addr, n) < 0 ? -errno : 0;
}

/* GNTST_* of xen/grant_table.h */
static int16_t status_to_errno(int16_t status)
{
	switch (status) {
	case GNTST_okay:
		return 0;
	case GNTST_bad_gntref:
	case GNTST_bad_copy_arg:
		return -EINVAL;
	case GNTST_permission_denied:
		return -EACCES;
	case GNTST_no_space:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

int host_gnt_copy(struct host_gnt *gnt, struct host_gnt_copy *pieces, size_t n)
{
	xengnttab_grant_copy_segment_t seg[COPY_CHUNK];

	while (n) {
		size_t chunk = n < COPY_CHUNK ? n : COPY_CHUNK;

		for (size_t i = 0; i < chunk; i++) {
			union xengnttab_copy_ptr foreign = {
				.foreign = { .ref = pieces[i].ref,
					     .offset = pieces[i].offset,
					     .domid = gnt->domid },
			};
			union xengnttab_copy_ptr local = { .virt = pieces[i].local };

			seg[i] = (xengnttab_grant_copy_segment_t){
				.source = pieces[i].to_guest ? local : foreign,
				.dest = pieces[i].to_guest ? foreign : local,
				.len = pieces[i].len,
				.flags = pieces[i].to_guest ? GNTCOPY_dest_gref
							    : GNTCOPY_source_gref,
			};
		}
		if (xengnttab_grant_copy(gnt->handle, chunk, seg) < 0)
			return -errno;
		for (size_t i = 0; i < chunk; i++)
			pieces[i].status = status_to_errno(seg[i].status);
		pieces += chunk;
		n -= chunk;
	}
	return 0;
}

int host_evtchn_open(void)
{
	/* non-blocking, so that reading a pending port can find none */
	int fd = open("/dev/xen/evtchn", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

int host_evtchn_fdopen(int fd, struct host_evtchn **ret)
{
	_cleanup_free_ struct host_evtchn *ev = calloc(1, sizeof(*ev));
	int r = -ENOMEM;

	if (!ev)
		goto fail;
	ev->fd = fd;
	ev->handle = xenevtchn_fdopen(NULL, fd, 0);
	if (!ev->handle) {
		r = errno ? -errno : -EIO;
		goto fail;
	}
	*ret = TAKE_PTR(ev);
	return 0;

fail:
	close(fd);
	return r;
}

void host_evtchn_close(struct host_evtchn *ev)
{
	if (!ev)
		return;
	xenevtchn_close(ev->handle);
	free(ev);
}

int host_evtchn_fd(struct host_evtchn *ev)
{
	return ev->fd;
}

int host_evtchn_bind(struct host_evtchn *ev, uint32_t domid, uint32_t remote_port)
{
	int port;

	/*
	 * The descriptor can bind to this domain only from now on. Repeating it is
	 * refused by the kernel and changes nothing.
	 */
	xenevtchn_restrict(ev->handle, domid);

	port = xenevtchn_bind_interdomain(ev->handle, domid, remote_port);
	return port < 0 ? -errno : port;
}

int host_evtchn_unbind(struct host_evtchn *ev, uint32_t local_port)
{
	return xenevtchn_unbind(ev->handle, local_port) < 0 ? -errno : 0;
}

int host_evtchn_pending(struct host_evtchn *ev)
{
	int port = xenevtchn_pending(ev->handle);

	return port < 0 ? -errno : port;
}

int host_evtchn_unmask(struct host_evtchn *ev, uint32_t local_port)
{
	return xenevtchn_unmask(ev->handle, local_port) < 0 ? -errno : 0;
}

int host_evtchn_notify(struct host_evtchn *ev, uint32_t local_port)
{
	return xenevtchn_notify(ev->handle, local_port) < 0 ? -errno : 0;
}
