# SPDX-License-Identifier: GPL-2.0-or-later
"""The bench itself: shim, hub and xenstored, with the stock frontend and a test backend."""

import signal

from harness import CaseFailed, Disk, case

from uml import hub

STOCK = {
    "benches": "uml",
    "frontend": "xen-blkfront",
    "backend": "testback",
    "kernels": "plain",
}
BOTH = {**STOCK, "kernels": "plain debug"}


def verify(env, guest, image, vdev="xvda", blocks=64):
    """Write random data from the guest; it has to be in the image, and come back."""
    guest.run(
        f"dd if=/dev/urandom of=/tmp/data bs=64k count={blocks} 2>/dev/null && "
        f"dd if=/tmp/data of=/dev/{vdev} bs=64k oflag=direct 2>/dev/null && "
        f"echo 3 >/proc/sys/vm/drop_caches && cmp -n $(({blocks} * 65536)) /tmp/data /dev/{vdev}"
    )
    theirs = guest.run("sha256sum </tmp/data").out.split()[0]
    ours = env.host.run(f"head -c $(({blocks} * 65536)) {image.path} | sha256sum").out.split()[0]
    env.check(theirs == ours, "the image does not hold what the guest wrote")


def interrupts(guest):
    """How many event channels the guest has interrupts for."""
    return guest.read("/proc/interrupts").count("xen-shim")


@case(**BOTH)
def shim_reads_and_writes(env):
    """A guest boots, attaches a disk, and reads what it wrote."""
    image = env.image("8M")
    guest = env.guest(disks=[image.disk("xvda")])
    verify(env, guest, image)
    stats = guest.stats()
    env.check(stats["maps"] > 0 and stats["maps"] == stats["unmaps"] + guest.grants(), stats)
    env.check(stats["copies"] > 0 and stats["guest_sends"] >= stats["guest_wakeups"] > 0, stats)


@case(**BOTH)
def shim_multi_page_ring(env):
    """A ring of eight pages, and more requests in flight than fit on one."""
    image = env.image("16M")
    guest = env.guest(
        disks=[image.disk("xvda")], parameters={"xen-blkfront": "max_ring_page_order=3"}
    )
    order = env.host.xs_read(f"/local/domain/{guest.domid}/device/vbd/51712/ring-page-order")
    env.check(order == "3", f"ring-page-order is {order}, expected 3")
    verify(env, guest, image)


@case(**STOCK)
def shim_many_interrupts(env):
    """More disks than the kernel has interrupts of its own."""
    names = [f"xvd{a}{b}" for a in "abc" for b in "abcdefghijklmnopqrstuvwxyz"][:70]
    image = env.image("1M")
    guest = env.guest(disks=[image.disk(name, "w!") for name in names], memory=192)
    env.check(interrupts(guest) >= 70, f"{interrupts(guest)} interrupts for 70 disks")
    read = "dd if=$d of=/dev/null bs=64k count=1 2>/dev/null"
    guest.run(f"for d in /dev/xvd*; do {read} || exit 1; done")


@case(**BOTH)
def shim_unbinds_a_driver(env):
    """A driver that is taken off its device frees all; the device can be attached again."""
    image = env.image("8M")
    guest = env.guest()
    before = interrupts(guest), guest.grants()
    for _ in range(3):
        guest.attach(image.disk("xvda"))
        guest.run("echo vbd-51712 >/sys/bus/xen/drivers/vbd/unbind")
        env.await_(lambda: guest.read("/sys/class/block/xvda/size") is None, "xvda to go", 10)
        backend = guest.backend_path("xvda")
        env.await_(lambda: env.host.xs_read(f"{backend}/state") == "6", "the backend to close", 10)
        env.check((interrupts(guest), guest.grants()) == before, "unbinding leaks")
        guest.detach("xvda")
    guest.attach(image.disk("xvda"))
    verify(env, guest, image)


@case(**BOTH)
def shim_attach_and_detach(env):
    """Disks come and go; what they used is free again."""
    image = env.image("8M")
    guest = env.guest()
    before = interrupts(guest), guest.grants()
    for _ in range(20):
        guest.attach(image.disk("xvda"))
        guest.run("dd if=/dev/xvda of=/dev/null bs=64k count=16 2>/dev/null")
        guest.detach("xvda")
    env.check((interrupts(guest), guest.grants()) == before, "attaching and detaching leaks")


@case(**BOTH)
def shim_notices_the_death_of_a_guest(env):
    """A killed guest leaves xenstore, and what it granted is unmapped in the end."""
    image = env.image("8M")
    guest = env.guest(disks=[image.disk("xvda")])
    watch = env.store.watch("@releaseDomain")
    watch.get(5)  # the one that comes with the watch
    guest.kill()
    env.check(watch.get(5) is not None, "@releaseDomain did not fire within 5 s")
    watch.close()
    info = env.hub.info(guest.domid)
    env.check(info is None or info.flags & hub.DEAD, "the hub thinks that the domain lives")
    env.toolstack.destroy_nodes(guest.domid)
    env.await_(lambda: env.hub.info(guest.domid) is None, "all grants to be unmapped", 10)


@case(**BOTH)
def shim_survives_the_death_of_a_backend(env):
    """A killed backend's grants and ports are free at once, and its successor goes on."""
    image = env.image("16M")
    guest = env.guest(disks=[image.disk("xvda")])
    job = guest.start(
        "for i in 1 2 3 4 5 6 7 8; do "
        "dd if=/dev/urandom of=/tmp/data bs=64k count=64 2>/dev/null && "
        "dd if=/tmp/data of=/dev/xvda bs=4k oflag=direct 2>/dev/null && "
        "echo 3 >/proc/sys/vm/drop_caches && cmp -n 4194304 /tmp/data /dev/xvda || exit 1; done"
    )
    kills = 0
    while not job.done and kills < 5:
        sends = guest.stats()["guest_sends"]
        env.await_(lambda: job.done or guest.stats()["guest_sends"] > sends + 50, "I/O", 20)
        env.backend.kill_broker()
        kills += 1
    env.note("kills", kills)
    result = job.wait(env.scaled(60))
    env.check(result.rc == 0, f"I/O failed: {result.rc} {result.err}")
    env.check(kills >= 3, f"the I/O was over after {kills} kills")


@case(**BOTH)
def shim_frees_what_a_dead_backend_held(env):
    """Without a backend nothing stays mapped or bound but xenstore's ring."""
    guest = env.guest(disks=[env.image("8M").disk("xvda")])
    info = env.hub.info(guest.domid)
    env.check((info.pinned, info.bindings) == (2, 2), f"{info.pinned} pins, {info.bindings} ports")
    env.backend.kill()
    env.await_(
        lambda: (env.hub.info(guest.domid).pinned, env.hub.info(guest.domid).bindings) == (1, 1),
        "grants and ports of the killed backend to be free",
        5,
    )
    env.backend.start()
    env.await_(lambda: env.hub.info(guest.domid).pinned == 2, "the backend to map again", 10)
    guest.run("dd if=/dev/xvda of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null")


@case(**BOTH)
def shim_suspends_and_resumes(env):
    """A guest goes on as another domain, in the middle of I/O."""
    image = env.image("16M")
    guest = env.guest(disks=[image.disk("xvda")])
    for _ in range(3):
        job = guest.start(
            "dd if=/dev/urandom of=/tmp/data bs=64k count=64 2>/dev/null && "
            "dd if=/tmp/data of=/dev/xvda bs=4k oflag=direct 2>/dev/null && "
            "echo 3 >/proc/sys/vm/drop_caches && cmp -n 4194304 /tmp/data /dev/xvda"
        )
        sends = guest.stats()["guest_sends"]
        env.await_(lambda: job.done or guest.stats()["guest_sends"] > sends + 20, "I/O", 20)
        before = guest.domid
        guest.save_restore()
        env.check(guest.domid != before, "the domain id is the same")
        result = job.wait(env.scaled(60))
        env.check(result.rc == 0, f"I/O failed: {result.rc} {result.err}")
    verify(env, guest, image)
    guest.detach("xvda")


@case(**STOCK)
def shim_powers_off(env):
    """The toolstack asks for it, the guest does it and says so."""
    guest = env.guest(disks=[env.image("8M").disk("xvda")])
    guest.shutdown(20)


@case(**STOCK)
def shim_reports_a_panic(env):
    """A crashed guest ends with the reason that xl would show."""
    env.allow_log("Kernel panic")
    guest = env.guest(frontend="none")
    guest.console.crash()
    info = env.hub.wait(guest.domid, hub.SHUTDOWN | hub.DEAD, 20)
    env.check(info is not None, "the hub did not notice the end")
    env.check(info.reason == hub.CRASH, f"the reason is {info.reason}, expected {hub.CRASH}")
    guest.kill()


@case(**STOCK)
def shim_refuses_a_missing_file(env):
    """As xl does, before anything is in xenstore."""
    guest = env.guest(frontend="none")
    result = guest.attach(Disk("/nonexistent", "xvda"), check=False)
    env.check(result.rc == 1 and "/nonexistent" in result.err, f"{result.rc} {result.err}")
    env.check(not env.toolstack.disks(guest.domid), "nodes were left")


@case(**STOCK)
def shim_cleans_up(env):
    """A backend that ignores everybody does not keep the bench from ending."""
    guest = env.guest(disks=[env.image("8M").disk("xvda")])
    env.backend._process.signal(signal.SIGSTOP)
    try:
        in_time = env.toolstack.detach(guest.domid, "xvda", timeout=0.5)
    finally:
        env.backend._process.signal(signal.SIGCONT)
    if in_time:
        raise CaseFailed("a stopped backend closed the device")
