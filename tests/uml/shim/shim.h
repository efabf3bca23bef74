/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The Xen shim for User Mode Linux. It is an auto-translated HVM-like guest of the hub
 * (tests/uml/hv), and works at the level of hypercalls, so that Linux's grant table and
 * xenbus run unchanged on it.
 *
 * main.c	order of start
 * hub.c	messages with the hub
 * domain.c	the memory that the domain shares, registration, a new identity on resume
 * hypercall.c	HYPERVISOR_*()
 * memory.c	XENMEM_*(), and how it can fail
 * wallclock.c	Xen's wall clock
 * events.c	event channels as interrupts
 * manage.c	control/shutdown: power off, suspend
 * bus.c	suspend and resume of the devices on the xenbus
 */
#ifndef XENSHIM_H
#define XENSHIM_H

#include <linux/types.h>
#include <xen/interface/xen.h>
#include <xen/interface/event_channel.h>

#include "loop-proto.h"

#define SHIM_STORE_REF 1 /* GNTTAB_RESERVED_XENSTORE */

/*
 * Atomic operations on what other processes write too: User Mode Linux is not SMP, so
 * the kernel's own would lack the lock prefix.
 */
#define shim_xchg(p, v)		__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define shim_or(p, v)		__atomic_or_fetch(p, v, __ATOMIC_SEQ_CST)
#define shim_load(p)		__atomic_load_n(p, __ATOMIC_SEQ_CST)
#define shim_store(p, v)	__atomic_store_n(p, v, __ATOMIC_SEQ_CST)
#define shim_cmpxchg(p, old, v) \
	__atomic_compare_exchange_n(p, old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

/* Of User Mode Linux and the C library that it is linked with, exported to modules. */
extern unsigned long long physmem_size;
extern long syscall(long number, ...);
extern int *__errno_location(void);

/* Initcalls of Linux's own sources, see wrap.h. */
int shim_init_xenbus_init(void);
int shim_init_xenbus_probe_frontend_init(void);
int shim_init_xenbus_probe_initcall(void);
int shim_init_xenbus_dev_frontend_init(void);

/* hub.c */

/* Begin to answer the hub's messages on descriptor @fd as they come. */
int shim_hub_init(int fd);
int shim_hub_send(const struct loop_msg *msg, int fd);

/*
 * Wait for message @op, answering others meanwhile; with interrupts off or on.
 * @ret_fd: the descriptor that came with it, or NULL
 */
int shim_hub_wait(u32 op, struct loop_msg *ret, int *ret_fd);

/* domain.c */
extern struct loop_shared *shim_shared;
extern struct xenstore_domain_interface *shim_ring;
extern evtchn_port_t shim_store_port;

/* Allocate what the domain shares and become a domain; returns once it is unpaused. */
int shim_domain_init(void);
unsigned long shim_grant_gfn(void);
unsigned int shim_grant_frames(void);
/* Stop as this domain, go on as another one. Called with interrupts off. */
int shim_domain_suspend(void);

/* memory.c */
int shim_memory_init(void);

/* events.c */
int shim_events_init(void);
/* The upcall pipe, once the hub gave it to us. Takes @fd over. */
int shim_events_start(int fd);
int shim_port_alloc(domid_t remote);
int shim_port_close(evtchn_port_t port);
void shim_port_send(evtchn_port_t port);
/* The hub bound a port to a peer, whose pipe is @fd (taken over), or unbound it. */
int shim_port_bound(evtchn_port_t port, u32 gen, u32 local, int fd);
void shim_port_unbound(evtchn_port_t port, u32 gen);
/* Forget all ports, as after a resume; interrupts stay allocated, without a port. */
void shim_ports_reset(void);

/* manage.c */
int shim_manage_init(void);
void shim_run_resume_notifiers(void);

/* bus.c */
int shim_bus_suspend(void);
void shim_bus_resume(void);

#endif /* XENSHIM_H */
