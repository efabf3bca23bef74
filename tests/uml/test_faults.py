# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory runs out in the guest at every possible point of an attach."""

from harness import CaseFailed, case

from uml.toolstack import ToolstackError

SETUP = (
    "for d in failslab fail_page_alloc; do cd /sys/kernel/debug/$d && "
    "echo N >ignore-gfp-wait && echo 0 >verbose || exit 1; done; "
    "echo 0 >/sys/kernel/debug/fail_page_alloc/min-order"
)
LIMIT = 1000  # allocations; an attach has far fewer
ENOENT, ESRCH = 2, 3


class Faults:
    """Where a device is found, probed and connected: xenbus' own thread, and the work queues."""

    TASKS = ("xenwatch", "kworker/u")

    def __init__(self, guest):
        self._console = guest.console
        self._names = {}  # of processes, by their ids
        self._armed = []

    def _read_all(self, paths):
        readings = [self._console.reading(path) for path in paths]
        return [self._console.content(reading) for reading in readings]

    def _write_all(self, text):
        for writing in [self._console.write(path, text) for path in self._armed]:
            rc = writing.wait(20).rc
            if rc not in (0, -ENOENT, -ESRCH):  # work queues end their threads at will
                raise CaseFailed(f"{writing.what}: error {-rc}")

    def arm(self, number):
        """Let the allocation of this number fail in each of the tasks."""
        pids = [name for name in self._console.read("/proc").split() if name.isdigit()]
        new = [pid for pid in pids if pid not in self._names]
        comms = self._read_all([f"/proc/{pid}/comm" for pid in new])
        self._names = {pid: name for pid, name in self._names.items() if pid in pids}
        self._names.update((pid, name) for pid, name in zip(new, comms) if name)
        self._armed = [
            f"/proc/{pid}/fail-nth"
            for pid, name in self._names.items()
            if name.startswith(self.TASKS)
        ]
        self._write_all(str(number))

    def disarm(self):
        """How many tasks had it: 0 again is what a task has whose allocation has failed."""
        fired = sum(text == "0\n" for text in self._read_all(self._armed) if text)
        self._write_all("0")
        return fired


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
    # A page is allocated for each segment: few of them say as much as many.
    guest = env.guest(parameters={"xen-vbd": "max_segments=16"})
    disk = env.image("4M").disk("xvda")
    # Once without: what stays allocated for good after a first attach is no leak.
    guest.attach(disk)
    guest.detach("xvda")
    before = interrupts(guest), guest.grants()
    guest.run(SETUP)
    faults = Faults(guest)
    attached = 0
    for n in range(1, LIMIT):
        faults.arm(n)
        attached += attach_under_fault(env, guest, disk)
        fired = faults.disarm()
        env.toolstack.detach(guest.domid, "xvda", force=True)
        guest.await_device_gone("xvda")
        errors = f"/local/domain/{guest.domid}/error"
        env.store.remove(errors)
        env.store.write(errors, "")
        env.store.permissions(errors, f"n{guest.domid}")
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
