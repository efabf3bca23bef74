// SPDX-License-Identifier: GPL-2.0-only
/*
 * Event channels as interrupts, with the functions that drivers/xen/events has: the
 * shared area takes the place of Xen's bitmaps, and a byte in the upcall pipe that of
 * the interrupt.
 */
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/fcntl.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <asm/unistd.h>

#include <xen/events.h>

#include <irq_kern.h>
#include <os.h>

#include "shim.h"

#define FIRST_IRQ 64 /* after those of User Mode Linux */

/* Why a port does not deliver. */
#define MASK_CHIP	BIT(0) /* masked, or not started */
#define MASK_EOI	BIT(1) /* lateeoi: until xen_irq_lateeoi() */

/* One event channel port; guarded by ports_lock. */
struct shim_port {
	unsigned int irq; /* 0: none */
	unsigned int mask;
	bool raised;	/* came in while masked */
	bool lateeoi;
	int fd;		/* pipe of the peer's handle, -1 while unbound */
	u32 local;	/* what to write there */
};

static struct shim_port ports[LOOP_NR_PORTS];
static DEFINE_RAW_SPINLOCK(ports_lock);
static int upcall_fd = -1;
static int self_pipe[2] = { -1, -1 };
static bool in_upcall;
static unsigned long spurious_eois;
module_param(spurious_eois, ulong, 0444);
MODULE_PARM_DESC(spurious_eois, "EOIs so far that a driver flagged as spurious");

static bool valid_port(evtchn_port_t port)
{
	return port > 0 && port < LOOP_NR_PORTS;
}

static evtchn_port_t port_of_irq(unsigned int irq)
{
	unsigned long port = (unsigned long)irq_get_chip_data(irq);

	return valid_port(port) && ports[port].irq == irq ? port : 0;
}

/* Interrupt ourselves. While the upcall runs, its loop looks again anyway. */
static void raise_self(evtchn_port_t port)
{
	shim_or(&shim_shared->pending[port / 64], 1ULL << (port % 64));
	if (shim_xchg(&shim_shared->upcall, 1) == 0 && !in_upcall)
		os_write_file(self_pipe[1], "", 1);
}

/* Caller holds ports_lock. */
static void unmask(evtchn_port_t port, unsigned int why)
{
	struct shim_port *p = &ports[port];

	p->mask &= ~why;
	if (!p->mask && p->raised) {
		p->raised = false;
		raise_self(port);
	}
}

static void change_mask(unsigned int irq, bool set, unsigned int why)
{
	unsigned long flags;
	evtchn_port_t port;

	raw_spin_lock_irqsave(&ports_lock, flags);
	port = port_of_irq(irq);
	if (port && set)
		ports[port].mask |= why;
	else if (port)
		unmask(port, why);
	raw_spin_unlock_irqrestore(&ports_lock, flags);
}

static void chip_mask(struct irq_data *data)
{
	change_mask(data->irq, true, MASK_CHIP);
}

static void chip_unmask(struct irq_data *data)
{
	change_mask(data->irq, false, MASK_CHIP);
}

static void chip_ack(struct irq_data *data)
{
}

static void chip_ack_lateeoi(struct irq_data *data)
{
	change_mask(data->irq, true, MASK_EOI);
}

static int chip_retrigger(struct irq_data *data)
{
	unsigned long flags;
	evtchn_port_t port;

	raw_spin_lock_irqsave(&ports_lock, flags);
	port = port_of_irq(data->irq);
	if (port && ports[port].mask)
		ports[port].raised = true;
	else if (port)
		raise_self(port);
	raw_spin_unlock_irqrestore(&ports_lock, flags);
	return !!port;
}

static struct irq_chip shim_chip = {
	.name = "xen-shim",
	.irq_mask = chip_mask,
	.irq_unmask = chip_unmask,
	.irq_disable = chip_mask,
	.irq_ack = chip_ack,
	.irq_retrigger = chip_retrigger,
};

static struct irq_chip shim_lateeoi_chip = {
	.name = "xen-shim-lateeoi",
	.irq_mask = chip_mask,
	.irq_unmask = chip_unmask,
	.irq_disable = chip_mask,
	.irq_ack = chip_ack_lateeoi,
	.irq_mask_ack = chip_ack_lateeoi,
	.irq_retrigger = chip_retrigger,
};

static void deliver(evtchn_port_t port)
{
	unsigned int irq = 0;

	raw_spin_lock(&ports_lock);
	if (ports[port].mask)
		ports[port].raised = true;
	else
		irq = ports[port].irq;
	raw_spin_unlock(&ports_lock);
	if (irq)
		generic_handle_irq(irq);
}

static irqreturn_t upcall(int irq, void *dev)
{
	char buf[64];
	int i;

	/* Descriptors are edge triggered here: read until there is nothing left. */
	while (os_read_file(upcall_fd, buf, sizeof(buf)) > 0)
		;
	while (os_read_file(self_pipe[0], buf, sizeof(buf)) > 0)
		;
	in_upcall = true;
	while (shim_xchg(&shim_shared->upcall, 0)) {
		for (i = 0; i < LOOP_NR_PORTS / 64; i++) {
			u64 bits = 0;

			if (shim_load(&shim_shared->pending[i]))
				bits = shim_xchg(&shim_shared->pending[i], 0);
			for (; bits; bits &= bits - 1)
				deliver(i * 64 + __builtin_ctzll(bits));
		}
	}
	in_upcall = false;
	return IRQ_HANDLED;
}

static int bind_irq(evtchn_port_t port, bool lateeoi)
{
	unsigned long flags;
	int irq;

	if (!valid_port(port) || ports[port].irq)
		return -EINVAL;
	irq = irq_alloc_desc_from(FIRST_IRQ, -1);
	if (irq < 0)
		return irq;
	irq_set_chip_and_handler_name(irq, lateeoi ? &shim_lateeoi_chip : &shim_chip,
				      handle_edge_irq, "event");
	irq_set_chip_data(irq, (void *)(unsigned long)port);
	raw_spin_lock_irqsave(&ports_lock, flags);
	ports[port].irq = irq;
	ports[port].mask = MASK_CHIP;
	ports[port].lateeoi = lateeoi;
	raw_spin_unlock_irqrestore(&ports_lock, flags);
	return irq;
}

/* As Xen's own: the port goes with the interrupt. */
static void unbind_irq(unsigned int irq)
{
	evtchn_port_t port = port_of_irq(irq);

	if (port)
		shim_port_close(port);
	irq_free_desc(irq);
}

static int bind_handler(evtchn_port_t port, irq_handler_t handler, unsigned long irqflags,
			const char *devname, void *dev_id, bool lateeoi)
{
	int irq = bind_irq(port, lateeoi), err;

	if (irq < 0)
		return irq;
	err = request_irq(irq, handler, irqflags, devname, dev_id);
	if (err) {
		unbind_irq(irq);
		return err;
	}
	return irq;
}

int bind_evtchn_to_irq(evtchn_port_t evtchn)
{
	return bind_irq(evtchn, false);
}
EXPORT_SYMBOL_GPL(bind_evtchn_to_irq);

int bind_evtchn_to_irq_lateeoi(evtchn_port_t evtchn)
{
	return bind_irq(evtchn, true);
}
EXPORT_SYMBOL_GPL(bind_evtchn_to_irq_lateeoi);

int bind_evtchn_to_irqhandler(evtchn_port_t evtchn, irq_handler_t handler, unsigned long irqflags,
			      const char *devname, void *dev_id)
{
	return bind_handler(evtchn, handler, irqflags, devname, dev_id, false);
}
EXPORT_SYMBOL_GPL(bind_evtchn_to_irqhandler);

int bind_evtchn_to_irqhandler_lateeoi(evtchn_port_t evtchn, irq_handler_t handler,
				      unsigned long irqflags, const char *devname, void *dev_id)
{
	return bind_handler(evtchn, handler, irqflags, devname, dev_id, true);
}
EXPORT_SYMBOL_GPL(bind_evtchn_to_irqhandler_lateeoi);

void unbind_from_irqhandler(unsigned int irq, void *dev_id)
{
	if (WARN_ON(!irq_get_irq_data(irq)))
		return;
	free_irq(irq, dev_id);
	unbind_irq(irq);
}
EXPORT_SYMBOL_GPL(unbind_from_irqhandler);

void xen_irq_lateeoi(unsigned int irq, unsigned int eoi_flags)
{
	if (eoi_flags & XEN_EOI_FLAG_SPURIOUS)
		spurious_eois++;
	change_mask(irq, false, MASK_EOI);
}
EXPORT_SYMBOL_GPL(xen_irq_lateeoi);

void notify_remote_via_irq(int irq)
{
	evtchn_port_t port = port_of_irq(irq);

	if (port)
		shim_port_send(port);
}
EXPORT_SYMBOL_GPL(notify_remote_via_irq);

unsigned int irq_from_evtchn(evtchn_port_t evtchn)
{
	return valid_port(evtchn) && ports[evtchn].irq ? ports[evtchn].irq : -1;
}
EXPORT_SYMBOL_GPL(irq_from_evtchn);

/* After a resume: the interrupt goes on with another port. */
void rebind_evtchn_irq(evtchn_port_t evtchn, int irq)
{
	unsigned long flags;

	if (!valid_port(evtchn))
		return;
	irq_set_chip_data(irq, (void *)(unsigned long)evtchn);
	raw_spin_lock_irqsave(&ports_lock, flags);
	ports[evtchn].irq = irq;
	ports[evtchn].mask = irqd_irq_masked(irq_get_irq_data(irq)) ? MASK_CHIP : 0;
	if (!ports[evtchn].mask && ports[evtchn].raised) {
		ports[evtchn].raised = false;
		raise_self(evtchn);
	}
	raw_spin_unlock_irqrestore(&ports_lock, flags);
}

int shim_port_alloc(domid_t remote)
{
	unsigned long flags;
	int port, err = -ENOSPC;

	raw_spin_lock_irqsave(&ports_lock, flags);
	for (port = 1; port < LOOP_NR_PORTS; port++) {
		struct loop_port *shared = &shim_shared->port[port];

		if (shared->state != LOOP_PORT_FREE || ports[port].irq)
			continue;
		/* No interrupt yet: what comes early is kept. */
		ports[port] = (struct shim_port){ .mask = MASK_CHIP, .fd = -1 };
		shared->out = 0;
		shared->remote = remote;
		shared->gen++;
		shim_store(&shared->state, LOOP_PORT_OPEN);
		err = port;
		break;
	}
	raw_spin_unlock_irqrestore(&ports_lock, flags);
	return err;
}

/* Caller holds ports_lock. */
static void forget_port(evtchn_port_t port)
{
	shim_store(&shim_shared->port[port].state, LOOP_PORT_FREE);
	if (ports[port].fd >= 0)
		os_close_file(ports[port].fd);
	ports[port] = (struct shim_port){ .mask = MASK_CHIP, .fd = -1 };
}

int shim_port_close(evtchn_port_t port)
{
	struct loop_msg msg = { .op = LOOP_CLOSED, .port = port };
	unsigned long flags;

	if (!valid_port(port) || shim_shared->port[port].state == LOOP_PORT_FREE)
		return -EINVAL;
	raw_spin_lock_irqsave(&ports_lock, flags);
	msg.gen = shim_shared->port[port].gen;
	forget_port(port);
	raw_spin_unlock_irqrestore(&ports_lock, flags);
	return shim_hub_send(&msg, -1);
}

void shim_ports_reset(void)
{
	unsigned long flags;
	int i;

	raw_spin_lock_irqsave(&ports_lock, flags);
	for (i = 1; i < LOOP_NR_PORTS; i++) {
		if (shim_shared->port[i].state != LOOP_PORT_FREE)
			forget_port(i);
	}
	for (i = 0; i < LOOP_NR_PORTS / 64; i++)
		shim_store(&shim_shared->pending[i], 0);
	raw_spin_unlock_irqrestore(&ports_lock, flags);
}

void shim_port_send(evtchn_port_t port)
{
	struct loop_port *shared;
	unsigned long flags;
	u8 old;

	if (!valid_port(port))
		return;
	shared = &shim_shared->port[port];
	raw_spin_lock_irqsave(&ports_lock, flags);
	shim_shared->sends++;
	old = shim_load(&shared->out);
	do {
		if (old == 2)
			goto out;
	} while (!shim_cmpxchg(&shared->out, &old, old + 1));
	if (old == 0 && ports[port].fd >= 0) {
		shim_shared->wakeups++;
		os_write_file(ports[port].fd, &ports[port].local, sizeof(u32));
	}
out:
	raw_spin_unlock_irqrestore(&ports_lock, flags);
}

int shim_port_bound(evtchn_port_t port, u32 gen, u32 local, int fd)
{
	unsigned long flags;
	int err = -EINVAL;

	raw_spin_lock_irqsave(&ports_lock, flags);
	if (fd >= 0 && valid_port(port) && shim_shared->port[port].state == LOOP_PORT_OPEN &&
	    shim_shared->port[port].gen == gen) {
		swap(ports[port].fd, fd);
		ports[port].local = local;
		err = 0;
	}
	raw_spin_unlock_irqrestore(&ports_lock, flags);
	if (fd >= 0)
		os_close_file(fd);
	return err;
}

void shim_port_unbound(evtchn_port_t port, u32 gen)
{
	unsigned long flags;
	int fd = -1;

	raw_spin_lock_irqsave(&ports_lock, flags);
	if (valid_port(port) && shim_shared->port[port].gen == gen)
		swap(ports[port].fd, fd);
	raw_spin_unlock_irqrestore(&ports_lock, flags);
	if (fd >= 0)
		os_close_file(fd);
}

int shim_events_init(void)
{
	int i;

	for (i = 0; i < LOOP_NR_PORTS; i++)
		ports[i] = (struct shim_port){ .mask = MASK_CHIP, .fd = -1 };
	if (syscall(__NR_pipe2, self_pipe, O_NONBLOCK | O_CLOEXEC) < 0)
		return -EMFILE;
	return 0;
}

int shim_events_start(int fd)
{
	int irq;

	if (fd < 0)
		return -EPROTO;
	upcall_fd = fd;
	irq = um_request_irq(UM_IRQ_ALLOC, fd, IRQ_READ, upcall, 0, "xen-upcall", &upcall_fd);
	if (irq < 0)
		return irq;
	irq = um_request_irq(UM_IRQ_ALLOC, self_pipe[0], IRQ_READ, upcall, 0, "xen-self",
			     self_pipe);
	if (irq < 0)
		return irq;
	/* What came before the descriptor could interrupt gave no signal and will give none. */
	os_write_file(self_pipe[1], "", 1);
	return 0;
}
