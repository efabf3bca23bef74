# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory runs out in the guest at every possible point of an attach."""

from harness import CaseFailed, case

from uml.faults import fail_each, interrupts
from uml.toolstack import ToolstackError


def attach_under_fault(env, guest, disk):
    """Attach; whether the guest has the disk. Nothing is waited for longer than needed."""
    front = f"/local/domain/{guest.domid}/device/vbd/51712"
    fault = f"/local/domain/{guest.domid}/error/device/vbd/51712/error"

    def settled():
        return (
            guest.read("/sys/class/block/xvda/size") is not None
            or env.host.xs_read(f"{front}/state") in ("5", "6")
            or env.host.xs_read(fault) is not None
        )

    try:
        env.toolstack.attach(guest.domid, disk)
        env.await_(settled, "the attach to end", 0.3)
    except (ToolstackError, CaseFailed):
        pass  # xenbus itself may have had no memory to see the device
    return guest.read("/sys/class/block/xvda/size") is not None


@case(benches="uml", kernels="debug", timeout=600)
def every_allocation_of_attach_fails_once(env):
    """Each failure is an attach that fails or succeeds; nothing leaks, nothing hangs."""
    # A disk may be pulled while its partition table is read.
    env.allow_log("Buffer I/O error on dev xvda, logical block 0")
    env.allow_log("I/O error, dev xvda, sector 0")
    # Linux's own interrupt code warns when it had no memory for its files in /proc.
    env.allow_log(r"WARNING: CPU: \d+ PID: \d+ at fs/proc/generic.c:\d+ remove_proc_entry")
    # And its xenbus, when it had none for a group of its own in sysfs.
    env.allow_log(r"WARNING: CPU: \d+ PID: \d+ at fs/sysfs/group.c:\d+ xenbus_dev_remove")
    # A page is allocated for each segment: few of them say as much as many.
    guest = env.guest(parameters={"xen-vbd": "max_segments=16"})
    disk = env.image("4M").disk("xvda")
    # Once without: what stays allocated for good after a first attach is no leak.
    guest.attach(disk)
    guest.detach("xvda")
    before = interrupts(guest), guest.grants()

    def detach():
        env.toolstack.detach(guest.domid, "xvda", force=True)
        guest.await_device_gone("xvda")

    allocations, attached = fail_each(
        env, guest, before, lambda: attach_under_fault(env, guest, disk), detach
    )
    env.note("allocations", allocations)
    env.note("attached_all_the_same", attached)
    guest.attach(disk)
    guest.run("dd if=/dev/xvda of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null")
