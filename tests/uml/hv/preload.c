/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Debian's xenstored on the hub: an LD_PRELOAD library with what it takes from libxenctrl,
 * libxenevtchn and libxengnttab, and with the two files of /proc/xen that it opens.
 */
/* With 64-bit offsets asked for, open() below would be open64(), which xenstored does not call. */
#undef _FILE_OFFSET_BITS
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "host.h"
#include "loop-msg.h"

#define HOST_PORT 1000000 /* stands for the ring of domain 0, which has none here */

struct mapped_ring {
	struct mapped_ring *next;
	struct host_gnt *gnt;
	void *addr;
};

static struct mapped_ring *rings;
static int info_sock = -1; /* for xc_domain_getinfo() */

int loop_evtchn_bind_virq(struct host_evtchn *ev, uint32_t virq);

/* Functions of the libraries return -1 and set errno. */
static int result(int r)
{
	if (r >= 0)
		return r;
	errno = -r;
	return -1;
}

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild_logger,
				unsigned int open_flags)
{
	(void)logger;
	(void)dombuild_logger;
	(void)open_flags;
	info_sock = loop_connect(NULL);
	return info_sock < 0 ? NULL : (xc_interface *)&info_sock;
}

int xc_interface_close(xc_interface *xch)
{
	(void)xch;
	close(info_sock);
	return 0;
}

int xc_domain_getinfo(xc_interface *xch, uint32_t first, unsigned int max, xc_dominfo_t *info)
{
	struct loop_msg msg = { .op = LOOP_INFO, .domid = first };
	int r;

	(void)xch;
	if (max < 1)
		return 0;
	memset(info, 0, sizeof(*info));
	info->domid = first;
	if (first == LOOP_HOST_DOMID)
		return 1;
	r = loop_call(info_sock, &msg, NULL);
	if (r == -ESRCH)
		return 0;
	if (r < 0)
		return result(r);
	info->dying = !!(msg.arg[0] & LOOP_DOM_DEAD);
	info->shutdown = !!(msg.arg[0] & LOOP_DOM_SHUTDOWN);
	info->shutdown_reason = (unsigned int)msg.arg[1];
	info->crashed = info->shutdown && msg.arg[1] == LOOP_CRASH;
	info->running = !info->dying && !info->shutdown;
	return 1;
}

xengnttab_handle *xengnttab_open(xentoollog_logger *logger, unsigned int open_flags)
{
	(void)logger;
	(void)open_flags;
	return (xengnttab_handle *)&rings;
}

int xengnttab_close(xengnttab_handle *xgt)
{
	(void)xgt;
	return 0;
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants)
{
	(void)xgt;
	(void)nr_grants;
	return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
	struct mapped_ring *ring = calloc(1, sizeof(*ring));
	int r = -ENOMEM;

	(void)xgt;
	if (ring)
		r = host_gnt_open(domid, &ring->gnt);
	if (r == 0)
		r = host_gnt_map(ring->gnt, &ref, 1, prot, &ring->addr);
	if (r < 0) {
		if (ring)
			host_gnt_close(ring->gnt);
		free(ring);
		errno = -r;
		return NULL;
	}
	ring->next = rings;
	rings = ring;
	return ring->addr;
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count)
{
	struct mapped_ring **link = &rings, *ring;
	int r;

	(void)xgt;
	while (*link && (*link)->addr != start_address)
		link = &(*link)->next;
	ring = *link;
	if (!ring)
		return result(-EINVAL);
	*link = ring->next;
	r = host_gnt_unmap(ring->gnt, start_address, count);
	host_gnt_close(ring->gnt);
	free(ring);
	return result(r);
}

xenevtchn_handle *xenevtchn_open(xentoollog_logger *logger, unsigned int open_flags)
{
	struct host_evtchn *ev;
	int fd = host_evtchn_open(), r;

	(void)logger;
	(void)open_flags;
	r = fd < 0 ? fd : host_evtchn_fdopen(fd, &ev);
	if (r < 0) {
		errno = -r;
		return NULL;
	}
	return (xenevtchn_handle *)ev;
}

/* Live update, which the bench does not do. */
xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd,
				   unsigned int open_flags)
{
	(void)logger;
	(void)fd;
	(void)open_flags;
	errno = ENOSYS;
	return NULL;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
	return host_evtchn_fd((struct host_evtchn *)xce);
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned int virq)
{
	return result(loop_evtchn_bind_virq((struct host_evtchn *)xce, virq));
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid,
						     evtchn_port_t remote_port)
{
	if (domid == LOOP_HOST_DOMID)
		return HOST_PORT;
	return result(host_evtchn_bind((struct host_evtchn *)xce, domid, remote_port));
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
	if (port == HOST_PORT)
		return 0;
	return result(host_evtchn_unbind((struct host_evtchn *)xce, port));
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
	if (port == HOST_PORT)
		return 0;
	return result(host_evtchn_notify((struct host_evtchn *)xce, port));
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
	return result(host_evtchn_pending((struct host_evtchn *)xce));
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
	return result(host_evtchn_unmask((struct host_evtchn *)xce, port));
}

static int file_with(const char *text, size_t size)
{
	int fd = memfd_create("proc-xen", MFD_CLOEXEC);

	if (fd < 0)
		return -1;
	if (pwrite(fd, text, strlen(text), 0) < 0 || (size && ftruncate(fd, (off_t)size) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

int open(const char *path, int flags, ...)
{
	int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
	mode_t mode = 0;
	va_list ap;

	if (flags & (O_CREAT | O_TMPFILE)) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	if (strcmp(path, "/proc/xen/xsd_kva") == 0 || strcmp(path, "/dev/xen/xsd_kva") == 0)
		return file_with("", HOST_PAGE_SIZE);
	if (strcmp(path, "/proc/xen/xsd_port") == 0)
		return file_with("1", 0);
	return real(path, flags, mode);
}
