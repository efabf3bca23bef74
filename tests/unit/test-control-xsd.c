// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into xenstored, lets it run where there is no hypervisor: stands in
 * for what it imports of libxenctrl, libxenevtchn and libxengnttab, and for its
 * files in /proc/xen. Every domain is alive, none ever sends an event. Clients
 * come over the socket, as dom0.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

static int handle; /* its address is all that matters */
static int silent[2] = { -1, -1 };

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild_logger,
				unsigned int flags)
{
	(void)logger;
	(void)dombuild_logger;
	(void)flags;
	return (xc_interface *)&handle;
}

int xc_interface_close(xc_interface *xch)
{
	(void)xch;
	return 0;
}

int xc_domain_getinfo(xc_interface *xch, uint32_t first, unsigned int max, xc_dominfo_t *info)
{
	(void)xch;
	if (max == 0)
		return 0;
	memset(info, 0, sizeof(*info));
	info->domid = first;
	return 1;
}

xengnttab_handle *xengnttab_open(xentoollog_logger *logger, unsigned int flags)
{
	(void)logger;
	(void)flags;
	return (xengnttab_handle *)&handle;
}

int xengnttab_close(xengnttab_handle *xgt)
{
	(void)xgt;
	return 0;
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr)
{
	(void)xgt;
	(void)nr;
	return 0;
}

/* The page of a domain that is introduced; nothing ever comes through it. */
void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)xgt;
	(void)domid;
	(void)ref;
	(void)prot;
	return page == MAP_FAILED ? NULL : page;
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start, uint32_t count)
{
	(void)xgt;
	return munmap(start, 4096 * (size_t)count);
}

xenevtchn_handle *xenevtchn_open(xentoollog_logger *logger, unsigned int flags)
{
	(void)logger;
	(void)flags;
	return pipe(silent) < 0 ? NULL : (xenevtchn_handle *)&handle;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
	(void)xce;
	return silent[0];
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned int virq)
{
	(void)xce;
	(void)virq;
	return 1;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid,
						     evtchn_port_t port)
{
	(void)xce;
	(void)domid;
	(void)port;
	return 2;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
	(void)xce;
	(void)port;
	return 0;
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
	(void)xce;
	(void)port;
	return 0;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
	(void)xce;
	(void)port;
	return 0;
}

static int memory_file(const char *name, const char *contents, off_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd >= 0 && (ftruncate(fd, size) < 0 ||
			pwrite(fd, contents, strlen(contents), 0) != (ssize_t)strlen(contents))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int open_or_stand_in(const char *path, int flags, mode_t mode)
{
	static int (*next)(const char *path, int flags, ...);

	if (!strcmp(path, "/proc/xen/xsd_kva"))
		return memory_file("xsd_kva", "", 4096);
	if (!strcmp(path, "/proc/xen/xsd_port"))
		return memory_file("xsd_port", "1", 1);
	if (!next)
		next = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
	return next(path, flags, mode);
}

/* Both names of the call, whatever _FILE_OFFSET_BITS we and xenstored were built with. */
#define STAND_IN(symbol)                                                                           \
	int stand_in_##symbol(const char *path, int flags, ...) __asm__(#symbol);                  \
	int stand_in_##symbol(const char *path, int flags, ...)                                    \
	{                                                                                          \
		mode_t mode = 0;                                                                   \
		va_list ap;                                                                        \
                                                                                                   \
		if (flags & (O_CREAT | O_TMPFILE)) {                                               \
			va_start(ap, flags);                                                       \
			mode = va_arg(ap, mode_t);                                                 \
			va_end(ap);                                                                \
		}                                                                                  \
		return open_or_stand_in(path, flags, mode);                                        \
	}

STAND_IN(open)
STAND_IN(open64)
