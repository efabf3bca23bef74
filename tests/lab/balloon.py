# SPDX-License-Identifier: GPL-2.0-or-later
"""The memory of a guest with our balloon, as guest, xenstore and Xen tell it."""

import time

from harness import CaseFailed

from . import p2m

MB = 1024  # KiB
NODES = "data/xenpv/balloon"
STATS = "/sys/kernel/debug/xenpv/balloon/stats"
# Without the kernel's own balloon, ours is in engine mode.
BLACKLIST = "initcall_blacklist=balloon_init"


class Memory:
    """The memory of a guest, from both sides."""

    def __init__(self, env, size, parameters="", **options):
        self.env = env
        self.guest = env.guest(memory=size, **options)
        if parameters is not None:
            self.guest.run(f"insmod /extra/xen-balloon.ko {parameters}")
            self.await_idle()

    def says(self, node):
        path = f"/local/domain/{self.guest.domid}/{NODES}/{node}"
        return self.env.host.xs_read(path)

    def await_idle(self, goal=None, timeout=60):
        def there():
            # In this order: they are written at once, but a state read first may be older.
            return (goal is None or self.says("goal") == str(goal * MB)) and self.says(
                "state"
            ) == "idle"

        try:
            self.env.await_(there, "the target", timeout)
        except CaseFailed as late:
            found = {n: self.says(n) for n in ("state", "target", "goal", "current", "error")}
            raise CaseFailed(f"{late}: {found}") from late

    def order(self, megabytes):
        self.env.host.run(f"xl mem-set {self.guest.domid} {megabytes}m")

    def target(self, megabytes, reached=None):
        """xl mem-set, and wait for what becomes of it; returns the seconds it took."""
        begun = time.monotonic()
        self.order(megabytes)
        self.await_idle(reached or megabytes)
        return time.monotonic() - begun

    def xen_mb(self):
        """MiB of the domain as Xen counts them."""
        lines = self.env.host.run(f"xl list {self.guest.domid}").out.splitlines()
        return int(lines[1].split()[2])

    def stats(self):
        return dict(line.split() for line in self.guest.run(f"cat {STATS}").out.splitlines())

    def superpages(self):
        return p2m.superpages(self.env, self.guest)

    def check_xen(self, megabytes):
        found = self.xen_mb()
        self.env.check(
            abs(found - megabytes) <= 1, f"Xen counts {found} MiB, expected {megabytes}"
        )
