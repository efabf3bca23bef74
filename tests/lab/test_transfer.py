# SPDX-License-Identifier: GPL-2.0-or-later
"""The ways of the data: persistent grants, granted pages, bounced pages; several queues."""

import struct

from harness import case

from lab.load import fio

STATS = "/sys/kernel/debug/xenpv/xvdb/stats"


def stats(guest):
    """xen-vbd's counters and settings of xvdb, by name."""
    guest.run("mount -t debugfs debug /sys/kernel/debug 2>/dev/null; true")
    lines = guest.run(f"cat {STATS}").out.splitlines()
    return {name: words.split() for name, _, words in (line.partition(" ") for line in lines)}


@case(benches="lab uml", guests="", more_guests="pv pvh", timeout=180)
def every_way_of_the_data(env):
    """Persistent, granted and bounced pages each carry small and large requests."""
    guest = env.guest()
    image = env.image("16M")
    for persistent, trusted, copied in ((1, 1, True), (0, 1, False), (0, 0, True)):
        # A toolstack's trusted=0 does the same as the parameter.
        guest.run(
            f"cd /sys/module/xen_vbd/parameters && echo {persistent} >persistent && "
            f"echo {trusted} >trusted"
        )
        guest.attach(image.disk("xvdb"))
        guest.run(fio("xvdb", size="1M"))
        guest.run(fio("xvdb", size="8M", bs="1M", depth=4))
        found = stats(guest)
        what = f"persistent={persistent} trusted={trusted}"
        env.check(found["persistent"] == [str(persistent)], f"{what}: {found['persistent']}")
        env.check(int(found["indirect_requests"][0]) > 0, f"{what}: no indirect request")
        used, unused = ("copied_bytes", "granted_segments")[:: 1 if copied else -1]
        env.check(int(found[used][0]) > 0, f"{what}: {used} is 0")
        env.check(int(found[unused][0]) == 0, f"{what}: {unused} is {found[unused][0]}")
        guest.detach("xvdb")


@case(benches="lab", guests="pvh", more_guests="pv", timeout=120)
def a_queue_for_each_vcpu(env):
    """Two vCPUs: two rings with an interrupt each, on different vCPUs, both of them used."""
    # By default no more rings are offered than dom0 has processors, which is one here.
    env.backend.configure("[backend]\nmax-queues = 2\n")
    guest = env.guest(disks=[env.image("16M").disk("xvdb")], vcpus=2)
    jobs = [f"taskset {1 << cpu:x} {fio('xvdb', size='1M')} --offset={4 * cpu}M" for cpu in (0, 1)]
    guest.run(f"{jobs[0]} >/tmp/0 & {jobs[1]} && wait $!")
    found = stats(guest)
    env.check(found["queues"] == ["2"], f"queues: {found['queues']}")
    requests = found["requests"][1:]
    env.check(all(int(n) > 0 for n in requests), f"requests of the queues: {requests}")
    lines = [line.split() for line in guest.run("grep xen-vbd /proc/interrupts").out.splitlines()]
    busiest = sorted(int(line[2]) > int(line[1]) for line in lines)
    env.check(busiest == [False, True], f"interrupts: {lines}")


def partitioned(sectors=4096):
    """A DOS label with one Linux partition of so many sectors, 1 MiB into the disk."""
    entry = struct.pack("<B3xB3xII", 0, 0x83, 2048, sectors)
    return bytes(446) + entry + bytes(48) + b"\x55\xaa"


@case(benches="lab", guests="pv", timeout=120)
def disks_as_xl_writes_them(env):
    """phy: and file: targets, a partition, 4096-byte sectors, a name of old, a long path."""
    host = env.host
    deep = f"{env.folder}/" + "/".join("d" * 200 for _ in range(5))
    host.run(f"mkdir -p {deep} && truncate -s 8M {deep}/image {env.folder}/4k")
    image = env.image("8M", content=b"an image file")
    label = env.image("8M", content=partitioned())
    whole = host.run(f"losetup -f -P --show {label.path}").out.strip()
    large = host.run(f"losetup -f -b 4096 --show {env.folder}/4k").out.strip()
    disks = (
        f"file:{image.path},xvda,w",
        f"phy:{whole}p1,xvdb,w",
        f"phy:{large},xvdc,w",
        f"file:{deep}/image,hdd,r",
    )
    guest = env.guest(config="disk = [" + ", ".join(f'"{disk}"' for disk in disks) + "]")
    read = guest.run("dd if=/dev/xvda bs=512 count=1 2>/dev/null | head -c 13").out
    env.check(read == "an image file", f"xvda reads {read!r}")
    env.check(guest.sectors("xvdb") == 4096, f"xvdb has {guest.sectors('xvdb')} sectors")
    size = guest.run("cat /sys/block/xvdc/queue/logical_block_size").out.strip()
    env.check(size == "4096", f"xvdc has sectors of {size} bytes")
    env.check(guest.run("cat /sys/block/xvdd/ro").out.strip() == "1", "xvdd is not read-only")
    guest.run(fio("xvda", "xvdb", "xvdc", size="512k"), timeout=60)
    guest.shutdown()
    host.run(f"losetup -d {whole} {large}")


@case(benches="uml", kernels="plain debug")
def beside_the_stock_driver(env):
    """xen-vbd leaves the disks of the kernel's driver alone, and takes one that it is given."""
    guest = env.guest(disks=[env.image("8M").disk("xvda")], frontend="xen-blkfront")
    guest.load("xen-vbd")
    driver = "basename $(readlink /sys/bus/xen/devices/vbd-{}/driver)"
    env.check("major 202 is taken" in guest.dmesg(), "the major number is not said to be taken")
    env.check(guest.run(driver.format(51712)).out.strip() == "vbd", "xvda changed its driver")
    guest.run(fio("xvda", size="512k"))
    guest.run(
        "cd /sys/bus/xen/drivers && echo vbd-51712 >vbd/unbind && "
        "while [ -e /dev/xvda ]; do :; done; echo vbd-51712 >xen-vbd/bind"
    )
    env.await_(lambda: guest.read("/sys/class/block/xvda/size") is not None, "xvda once more")
    env.check(guest.run(driver.format(51712)).out.strip() == "xen-vbd", "it is not bound")
    guest.run(fio("xvda", size="512k"))


@case(benches="lab uml", guests="", more_guests="pvh", timeout=120)
def names_beyond_xvdp(env):
    """Disks beyond xvdp and xvdz, and a partition as a disk, have the names that xl gave them."""
    names = ("xvdq", "xvdz", "xvdaa", "xvdb2")
    guest = env.guest(disks=[env.image("1M", name).disk(name) for name in names])
    for name in names:
        env.check(guest.sectors(name) == 2048, f"/dev/{name} has {guest.sectors(name)} sectors")
        guest.run(f"dd if=/dev/{name} of=/dev/null bs=64k count=4 2>/dev/null")
