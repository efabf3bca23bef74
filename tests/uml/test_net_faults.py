# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory runs out in the guest at every possible point of an interface's attach."""

from harness import CaseFailed, Nic, case

from uml.faults import fail_each, interrupts
from uml.netload import alive
from uml.toolstack import ToolstackError

NUMBER = 1


def attach_under_fault(env, guest, nic):
    """Attach; whether the guest has a connected interface. Waits no longer than needed."""
    front = f"/local/domain/{guest.domid}/device/vif/{NUMBER}/state"
    fault = f"/local/domain/{guest.domid}/error/device/vif/{NUMBER}/error"

    def connected():
        return guest.has_nic(NUMBER) and env.store.read(front) == "4"

    def settled():
        return connected() or env.store.read(front) in ("5", "6") or env.store.read(fault)

    try:
        guest.nic_nodes(NUMBER, nic)
        env.toolstack.finish_attach_vif(guest.domid, NUMBER)
        env.await_(settled, "the attach to end", 0.3)
    except (ToolstackError, CaseFailed):
        pass  # xenbus itself may have had no memory to see the device
    return connected()


@case(benches="uml", frontend="xen-vnif", kernels="debug", net=True, timeout=1200, slow=True)
def net_every_allocation_of_attach_fails_once(env):
    """Each failure is an attach that fails or succeeds; nothing leaks, nothing hangs."""
    # Linux's own interrupt code warns when it had no memory for its files in /proc.
    env.allow_log(r"WARNING: CPU: \d+ PID: \d+ at fs/proc/generic.c:\d+ remove_proc_entry")
    # And its xenbus, when it had none for a group of its own in sysfs.
    env.allow_log(r"WARNING: CPU: \d+ PID: \d+ at fs/sysfs/group.c:\d+ xenbus_dev_remove")
    nic = Nic(env.net.bridge(1))
    guest = env.guest(nics=[Nic(env.net.bridge(0))], parameters={"xen-vnif": "close_wait_ms=200"})
    guest.configure()
    # Once without: what stays allocated for good after a first attach is no leak.
    guest.detach_nic(guest.attach_nic(nic))
    before = interrupts(guest), guest.grants()

    def detach():
        guest.nic_options.pop(NUMBER, None)
        env.toolstack.detach(guest.domid, f"vif{NUMBER}", force=True)
        guest.await_device_gone(f"vif{NUMBER}")

    allocations, attached = fail_each(
        env, guest, before, lambda: attach_under_fault(env, guest, nic), detach
    )
    env.note("allocations", allocations)
    env.note("attached_all_the_same", attached)
    guest.configure(guest.attach_nic(nic))
    alive(env, guest, NUMBER)
    alive(env, guest)
