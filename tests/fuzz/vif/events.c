/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "events.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fuzz.h"
#include "host/host.h"
#include "loopfront.h"

#define PORTS 2 /* of one handle: a queue's */

struct port {
	uint32_t remote; /* 0: not bound */
	bool pending, masked;
};

struct host_evtchn {
	struct host_evtchn *next;
	int fd;                      /* an eventfd: some port may be pending */
	struct port port[PORTS + 1]; /* by local number, from 1 on */
};

static struct host_evtchn *handles;
static unsigned int bound, mapped;

unsigned int events_bound(void)
{
	return bound;
}

unsigned int events_mapped(void)
{
	return mapped;
}

int host_evtchn_open(void)
{
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

int host_evtchn_fdopen(int fd, struct host_evtchn **ret)
{
	struct host_evtchn *ev = calloc(1, sizeof(*ev));

	MUST_HOLD(ev);
	ev->fd = fd;
	ev->next = handles;
	handles = ev;
	*ret = ev;
	return 0;
}

void host_evtchn_close(struct host_evtchn *ev)
{
	struct host_evtchn **link = &handles;

	if (!ev)
		return;
	while (*link != ev)
		link = &(*link)->next;
	*link = ev->next;
	for (unsigned int i = 1; i <= PORTS; i++)
		bound -= ev->port[i].remote != 0;
	close(ev->fd);
	free(ev);
}

int host_evtchn_fd(struct host_evtchn *ev)
{
	return ev->fd;
}

static struct port *find(struct host_evtchn *ev, uint32_t local)
{
	return local >= 1 && local <= PORTS && ev->port[local].remote ? &ev->port[local] : NULL;
}

static void raise_port(struct host_evtchn *ev, struct port *p)
{
	p->pending = true;
	if (!p->masked)
		eventfd_write(ev->fd, 1);
}

int host_evtchn_bind(struct host_evtchn *ev, uint32_t domid, uint32_t remote_port)
{
	(void)domid;
	for (const struct host_evtchn *other = handles; other; other = other->next) {
		for (unsigned int i = 1; i <= PORTS; i++) {
			if (other->port[i].remote == remote_port)
				return -EINVAL;
		}
	}
	for (int i = 1; i <= PORTS; i++) {
		if (ev->port[i].remote)
			continue;
		ev->port[i] = (struct port){ .remote = remote_port };
		bound++;
		raise_port(ev, &ev->port[i]);
		return i;
	}
	return -ENOSPC;
}

int host_evtchn_unbind(struct host_evtchn *ev, uint32_t local_port)
{
	struct port *p = find(ev, local_port);

	if (!p)
		return -EINVAL;
	*p = (struct port){ 0 };
	bound--;
	return 0;
}

int host_evtchn_pending(struct host_evtchn *ev)
{
	eventfd_t ignored;

	for (int i = 1; i <= PORTS; i++) {
		struct port *p = &ev->port[i];

		if (!p->remote || !p->pending || p->masked)
			continue;
		p->pending = false;
		p->masked = true;
		return i;
	}
	eventfd_read(ev->fd, &ignored);
	return -EAGAIN;
}

int host_evtchn_unmask(struct host_evtchn *ev, uint32_t local_port)
{
	struct port *p = find(ev, local_port);

	if (!p)
		return -EINVAL;
	p->masked = false;
	if (p->pending)
		raise_port(ev, p);
	return 0;
}

int host_evtchn_notify(struct host_evtchn *ev, uint32_t local_port)
{
	MUST_HOLD(find(ev, local_port));
	return 0;
}

int __wrap_loopfront_notify(struct loopfront *lf, uint32_t port);
int __wrap_loopfront_notify(struct loopfront *lf, uint32_t port)
{
	(void)lf;
	for (struct host_evtchn *ev = handles; ev; ev = ev->next) {
		for (unsigned int i = 1; i <= PORTS; i++) {
			if (ev->port[i].remote == port)
				raise_port(ev, &ev->port[i]);
		}
	}
	return 0;
}

int __real_host_gnt_map(struct host_gnt *gnt, const uint32_t *refs, size_t n, int prot, void **ret);
int __wrap_host_gnt_map(struct host_gnt *gnt, const uint32_t *refs, size_t n, int prot, void **ret);
int __wrap_host_gnt_map(struct host_gnt *gnt, const uint32_t *refs, size_t n, int prot, void **ret)
{
	int r = __real_host_gnt_map(gnt, refs, n, prot, ret);

	mapped += r == 0;
	return r;
}

int __real_host_gnt_unmap(struct host_gnt *gnt, void *addr, size_t n);
int __wrap_host_gnt_unmap(struct host_gnt *gnt, void *addr, size_t n);
int __wrap_host_gnt_unmap(struct host_gnt *gnt, void *addr, size_t n)
{
	int r = __real_host_gnt_unmap(gnt, addr, n);

	/* whoever unmaps knows what is mapped */
	MUST_HOLD(r == 0 && mapped);
	mapped--;
	return r;
}
