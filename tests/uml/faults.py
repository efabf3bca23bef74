# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory that runs out in a guest at a chosen allocation, and what may be left by then."""

from harness import CaseFailed

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


def forget_errors(env, guest):
    """The error nodes of a guest, empty again as they were made."""
    errors = f"/local/domain/{guest.domid}/error"
    env.store.remove(errors)
    env.store.write(errors, "")
    env.store.permissions(errors, f"n{guest.domid}")


def fail_each(env, guest, before, attach, detach):
    """
    Fail allocation 1, 2, ... of attach() in a guest, and detach() again, until an attach has
    fewer. @before: interrupts() and grants that have to be left each time. Returns how many
    there are, and how many attaches there were all the same.
    """
    guest.run(SETUP)
    faults = Faults(guest)
    attached = 0
    for n in range(1, LIMIT):
        faults.arm(n)
        attached += attach()
        fired = faults.disarm()
        detach()
        forget_errors(env, guest)
        env.await_(
            lambda: (interrupts(guest), guest.grants()) == before,
            f"event channels and grants to be {before} after failure {n}",
            5,
        )
        if not fired:
            return n - 1, attached - 1
    raise CaseFailed(f"an attach makes more than {LIMIT} allocations")
