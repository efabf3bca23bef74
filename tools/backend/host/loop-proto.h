/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the processes of a test bench share when no hypervisor is there.
 *
 * The hub (tests/uml/hv) stands in for the hypervisor. Domains, backends, xenstored
 * and the test harness are its clients over one SOCK_SEQPACKET socket, on which each
 * message is a struct loop_msg and may carry descriptors. The hub only introduces
 * the parties to each other; the data path is memory and pipes that they share:
 *
 * Domain memory	one file, offset = frame number << 12; mapped by everybody.
 * Shared area		struct loop_shared, in pages of the domain: event channels.
 * Grant table		version 1 (xen/grant_table.h), in pages of the domain.
 * Domain record	struct loop_domain, made by the hub, not seen by the domain: pins.
 * Upcall pipe		one byte wakes the domain when loop_shared.upcall went 0 -> 1.
 * Handle pipe		one per event channel handle of a client: local ports, 4 bytes each.
 *
 * This header is used by user space and by the bench's guest kernel module.
 */
#ifndef XENPV_LOOP_PROTO_H
#define XENPV_LOOP_PROTO_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <pthread.h>
#include <stdint.h>
#endif

#define LOOP_SOCKET_ENV "XENPV_LOOP_SOCKET"

#define LOOP_NR_PORTS   1024 /* event channels of a domain; port 0 is never used */
#define LOOP_MAX_FRAMES 64   /* grant table frames of a domain */
#define LOOP_MAX_GRANTS (LOOP_MAX_FRAMES * 512)
#define LOOP_HOST_DOMID 0 /* whom every client that is not a domain stands for */
#define LOOP_MAX_FDS    4

/* struct loop_port.state; written by the domain only */
enum loop_port_state {
	LOOP_PORT_FREE = 0,
	LOOP_PORT_OPEN = 1, /* allocated; bound or waiting to be */
};

/*
 * struct loop_port - one event channel port of a domain
 * @state: enum loop_port_state
 * @out: towards the host: 0 idle, 1 delivered and masked there, 2 raised again since.
 *	 0 -> 1 is followed by a write of the local port to the handle's pipe.
 * @remote: domain id that may bind the port
 * @gen: counts the allocations of this port, so that a stale binding is recognised
 */
struct loop_port {
	uint8_t state;
	uint8_t out;
	uint16_t remote;
	uint32_t gen;
};

/*
 * struct loop_shared - the event channels of a domain, in its own memory
 * @upcall: 1 when the domain was woken and has not looked yet
 * @pending: one bit a port, towards the domain
 * @sends: notifications that the domain sent
 * @wakeups: those that cost a write because the peer was idle
 */
struct loop_shared {
	uint32_t upcall;
	uint32_t pad;
	uint64_t sends;
	uint64_t wakeups;
	uint64_t pending[LOOP_NR_PORTS / 64];
	struct loop_port port[LOOP_NR_PORTS];
};

#define LOOP_SHARED_PAGES ((sizeof(struct loop_shared) + 4095) / 4096)

/* Reasons of LOOP_SHUTDOWN, as in xen/sched.h. */
enum loop_shutdown {
	LOOP_POWEROFF = 0,
	LOOP_REBOOT = 1,
	LOOP_SUSPEND = 2,
	LOOP_CRASH = 3,
};

/* What LOOP_INFO and LOOP_EVENT say of a domain. */
enum loop_domain_flags {
	LOOP_DOM_REGISTERED = 1 << 0, /* built, waits for LOOP_START */
	LOOP_DOM_RUNNING = 1 << 1,
	LOOP_DOM_SHUTDOWN = 1 << 2, /* stopped itself; arg[1] is the reason */
	LOOP_DOM_DEAD = 1 << 3,     /* destroyed; exists only while something is mapped */
};

/*
 * Operations. A request is answered with the same op and seq, and result 0 or a
 * negative errno; what is marked "one way" is not answered.
 */
enum loop_op {
	/* clients */
	LOOP_EVTCHN_ATTACH = 1, /* -> fds: pipe to read ports from, its write end */
	LOOP_BIND,              /* domid, port -> port (local), gen, domain below */
	LOOP_BIND_VIRQ,         /* port (VIRQ number) -> port (local) */
	LOOP_UNBIND,            /* port (local) */
	LOOP_GNT_ATTACH,        /* domid -> arg[3] grant table gfn, arg[4] frames,
				 *   fds: memory, domain record, own pins; domain below */
	LOOP_INFO,              /* domid -> arg[0] flags, arg[1] reason, arg[2] store gfn,
				 *   port (store), arg[3] grants pinned, arg[4] bindings */
	LOOP_STATS,             /* domid -> stat[] */

	/* control: the harness and the toolstack */
	LOOP_CREATE = 32, /* domid or 0 for any -> domid, fds: the domain's socket */
	LOOP_UNPAUSE,     /* domid */
	LOOP_DESTROY,     /* domid */
	LOOP_RESUME,      /* domid (old), port (new domid, or 0) -> domid (new) */
	LOOP_SUBSCRIBE,   /* send me LOOP_EVENT */
	LOOP_EVENT,       /* one way, to subscribers: domid, arg[0], arg[1] as LOOP_INFO */
	LOOP_NEXT,        /* domid -> the next domid above it that exists */

	/* domains */
	LOOP_REGISTER = 64, /* one way: arg[0] bytes of memory, arg[1] shared gfn, arg[2] grant
			     *   table gfn, arg[3] frames, arg[4] store gfn, port (store),
			     *   fds: memory */
	LOOP_START,         /* one way, to the domain: domid, fds: upcall pipe to read */
	LOOP_BOUND,         /* to the domain, to be answered: port, gen, arg[0] local port,
			     *   fds: pipe of the peer's handle */
	LOOP_UNBOUND,       /* to the domain, to be answered: port, gen */
	LOOP_CLOSED,        /* one way: the domain freed port with generation gen */
	LOOP_SHUTDOWN,      /* one way: arg[0] reason. After LOOP_SUSPEND comes LOOP_RESUME */
};

/* stat[] of LOOP_STATS; counted by whoever does the operation, since the domain began. */
enum loop_stat {
	LOOP_STAT_MAP_CALLS,
	LOOP_STAT_MAPS,
	LOOP_STAT_UNMAP_CALLS,
	LOOP_STAT_UNMAPS,
	LOOP_STAT_COPY_CALLS,
	LOOP_STAT_COPIES,
	LOOP_STAT_NOTIFIES,      /* host to domain */
	LOOP_STAT_UPCALLS,       /* those that had to wake the domain */
	LOOP_STAT_GUEST_SENDS,   /* domain to host */
	LOOP_STAT_GUEST_WAKEUPS, /* those that had to wake a backend */
	LOOP_STAT_MAX
};

/* "Domain below" is arg[0] bytes of memory, arg[1] shared gfn, and the memory first in fds. */
struct loop_msg {
	uint32_t op;
	uint32_t seq;
	int32_t result;
	uint32_t domid;
	uint32_t port;
	uint32_t gen;
	union {
		uint64_t arg[6];
		uint64_t stat[LOOP_STAT_MAX];
	};
};

#ifndef __KERNEL__
/* How often a grant is mapped: through one handle, or in the sum of all. */
struct loop_pin {
	uint16_t readers; /* read-only mappings and copies */
	uint16_t writers; /* writable mappings and copies */
};

/*
 * struct loop_domain - the hub's record of a domain, shared with those who map its grants
 * @lock: robust and shared between processes; guards @pin, every client's own pins and
 *	  the GTF_reading and GTF_writing bits that follow from them
 * @dead: the domain is gone; nothing more may be mapped
 * @stat: counters, updated atomically without the lock
 * @pin: the sum over all handles
 *
 * Each handle also has a table of its own (struct loop_pin[LOOP_MAX_GRANTS]), so that
 * the hub can take back what a killed process held.
 */
struct loop_domain {
	pthread_mutex_t lock;
	uint32_t dead;
	uint32_t domid;
	uint64_t stat[LOOP_STAT_MAX];
	struct loop_pin pin[LOOP_MAX_GRANTS];
};
#endif /* !__KERNEL__ */

#endif /* XENPV_LOOP_PROTO_H */
