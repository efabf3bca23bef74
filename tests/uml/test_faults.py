# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory runs out in the guest at every possible point of an attach."""

from harness import CaseFailed, case

from uml.toolstack import ToolstackError

# Where a device is found, probed and connected: xenbus' own thread, and the work queues.
ARM = (
    "armed=; for p in /proc/[0-9]*; do read c <$p/comm; case $c in "
    "xenwatch|kworker/u*) echo {n} >$p/fail-nth && armed=\"$armed $p\";; esac; done; echo $armed"
)
# 0 again is what a task has whose nth allocation has failed.
FIRED = (
    "fired=0; for p in {armed}; do read n 2>/dev/null <$p/fail-nth || continue; "
    "[ $n != 0 ] || fired=$((fired + 1)); echo 0 >$p/fail-nth; done; echo $fired"
)
SETUP = (
    "for d in failslab fail_page_alloc; do cd /sys/kernel/debug/$d && "
    "echo N >ignore-gfp-wait && echo 0 >verbose || exit 1; done; "
    "echo 0 >/sys/kernel/debug/fail_page_alloc/min-order"
)
LIMIT = 1000  # allocations; an attach has far fewer


def interrupts(guest):
    return guest.read("/proc/interrupts").count("xen-shim")


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
        env.await_(settled, "the attach to end", 1)
    except (ToolstackError, CaseFailed):
        pass  # xenbus itself may have had no memory to see the device
    return guest.read("/sys/class/block/xvda/size") is not None


@case(benches="uml", kernels="debug", timeout=300)
def every_allocation_of_attach_fails_once(env):
    """Each failure is an attach that fails or succeeds; nothing leaks, nothing hangs."""
    # A disk may be pulled while its partition table is read.
    env.allow_log("Buffer I/O error on dev xvda, logical block 0")
    env.allow_log("I/O error, dev xvda, sector 0")
    # Linux's own interrupt code warns when it had no memory for its files in /proc.
    env.allow_log(r"WARNING: CPU: \d+ PID: \d+ at fs/proc/generic.c:\d+ remove_proc_entry")
    # A page is allocated for each segment: few of them say as much as many.
    guest = env.guest(parameters={"xen-vbd": "max_segments=16"})
    disk = env.image("4M").disk("xvda")
    # Once without: what stays allocated for good after a first attach is no leak.
    guest.attach(disk)
    guest.detach("xvda")
    before = interrupts(guest), guest.grants()
    guest.run(SETUP)
    attached = 0
    for n in range(1, LIMIT):
        armed = guest.run(ARM.format(n=n)).out.strip()
        attached += attach_under_fault(env, guest, disk)
        fired = int(guest.run(FIRED.format(armed=armed)).out)
        env.toolstack.detach(guest.domid, "xvda", force=True)
        guest.await_device_gone("xvda")
        env.host.run(f"xenstore-rm /local/domain/{guest.domid}/error", check=False)
        env.host.run(
            f"xenstore-write /local/domain/{guest.domid}/error '' && "
            f"xenstore-chmod /local/domain/{guest.domid}/error n{guest.domid}"
        )
        env.await_(
            lambda: (interrupts(guest), guest.grants()) == before,
            f"event channels and grants to be {before} after failure {n}",
            5,
        )
        if not fired:
            break
    else:
        raise CaseFailed(f"an attach makes more than {LIMIT} allocations")
    env.note("allocations", n - 1)
    env.note("attached_all_the_same", attached - 1)
    guest.attach(disk)
    guest.run("dd if=/dev/xvda of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null")
