# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks come and go for a long time."""

from harness import case

TIMES = 1000


@case(benches="uml", kernels="plain", timeout=600)
def attach_and_detach_1000_times(env):
    """Each time the disk works; grants, event channels and memory are back where they were."""
    image = env.image("4M", content=b"here I am")
    guest = env.guest()

    def once():
        guest.attach(image.disk("xvdb"))
        if number % 50 == 0:
            read = "dd if=/dev/xvdb bs=4k count=1 iflag=direct 2>/dev/null | head -c 9"
            out = guest.run(read).out
            env.check(out == "here I am", f"attach {number} read {out!r}")
        guest.detach("xvdb")

    def used():
        slab = guest.read("/proc/meminfo").split("SUnreclaim:")[1].split()[0]
        return guest.grants(), guest.read("/proc/interrupts").count("xen-shim"), int(slab)

    number = 0
    once()
    before = used()
    for number in range(1, TIMES):
        once()
    after = used()
    env.check(after[:2] == before[:2], f"grants and event channels: {before[:2]}, then {after[:2]}")
    growth = after[2] - before[2]
    env.note("slab_growth", f"{growth}kB")
    env.check(growth < 2048, f"the kernel's memory grew by {growth} kB, from {before[2]} kB")


@case(benches="uml", kernels="plain", timeout=300)
def forced_detach_200_times(env):
    """The frontend's directory vanishes under a connected disk: no grant reference is lost."""
    # The kernel may still be looking for partitions when the disk goes.
    env.allow_log("Buffer I/O error on dev xvdb|I/O error, dev xvdb")
    disk = env.image("4M").disk("xvdb")
    guest = env.guest()
    before = guest.grants()
    for _ in range(200):
        guest.attach(disk)
        env.toolstack.detach(guest.domid, "xvdb", force=True)
        guest.await_device_gone("xvdb")
    env.await_(lambda: guest.grants() == before, f"{before} grants to be left", 10)
