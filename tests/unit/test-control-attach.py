#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Attach, connect, detach and refuse, as libxl 4.17 and the stock script do it."""

import fcntl
import os
import struct
import time

from control_rig import (AT_ONCE, CLOSED, CLOSING, CONNECTED, INITIALISING, INITWAIT, LIBXL, Disk,
                         check, have_loop_devices, main)

XVDA = 51712
F_OFD_GETLK, F_OFD_SETLK = 36, 37


def whole_life(rig):
    image = rig.image("a.img")
    disk = Disk(rig, 5, XVDA, image)
    disk.create()
    seconds = rig.await_node(f"{disk.backend}/state", INITWAIT)
    check(seconds < AT_ONCE, f"InitWait took {seconds:.2f} s")
    check(disk.get("feature-max-indirect-segments") == "256", "indirect segments are offered")
    check(disk.get("max-ring-page-order") == "4", "ring order is offered")
    check(int(disk.get("multi-queue-max-queues")) >= 1, "queues are offered")
    # the frontend is ready first, but the script has not run
    disk.connect(await_connected=False)
    rig.await_never(f"{disk.backend}/state", CONNECTED, 0.3)
    rig.store.write(f"{disk.backend}/hotplug-status", "connected")
    rig.await_node(f"{disk.backend}/state", CONNECTED)
    disk.front(state=CONNECTED)
    for key, value in {"sectors": "2048", "sector-size": "512", "info": "0",
                       "feature-flush-cache": "1", "feature-barrier": "1",
                       "feature-persistent": "1"}.items():
        check(disk.get(key) == value, f"{key} = {disk.get(key)}")
    check(disk.get("feature-large-sector-size") is None, "no feature-large-sector-size")
    connect = rig.messages("connect")[0]
    check(connect["rings"] == "1" and connect["ref"] == "8" and connect["port"] == "5"
          and connect["reattach"] == "0" and connect["persistent"] == "1", f"{connect}")
    check(os.path.exists(f"{rig.runtime}/vbd-5-{XVDA}.journal"), "journal is there")
    rig.await_status(5, XVDA, link="up", driver="xenpv-backendd", path=image, state="Connected")
    # what the worker counted, for whoever asks; the file in between has none of it
    io = disk.io()
    check((io["reads"], io["read_bytes"], io["busy_us"], io["in_flight"], len(io["queues"]))
          == (5, 80 * 512, 5, 4, 2), f"{io}")
    with open(f"{rig.runtime}/status.json", encoding="utf-8") as f:
        check('"io"' not in f.read(), "the status file tells no counters")
    # the guest follows our Closing
    disk.ask_removal()
    rig.await_never(f"{disk.backend}/state", CLOSED, 0.2)
    disk.front(state=CLOSING)
    disk.front(state=CLOSED)
    rig.await_node(f"{disk.backend}/state", CLOSED, AT_ONCE)
    rig.await_node(f"{disk.backend}/hotplug-status", None, AT_ONCE)
    check([m["devid"] for m in rig.messages("detach")] == [str(XVDA)], "the worker was detached")
    check(not os.path.exists(f"{rig.runtime}/vbd-5-{XVDA}.journal"), "journal is gone")
    check(not os.path.exists(f"{rig.runtime}/vbd-5-{XVDA}.counters"), "counters are gone")
    disk.destroy()
    rig.await_(lambda: rig.status()["guests"] == [], "the guest is forgotten")


def stock_script(rig):
    """The script of Debian's xen-utils, unchanged, on a file: loop device and all."""
    if not have_loop_devices():
        print("  no loop devices here: only without them")
        return
    disk = Disk(rig, 5, XVDA, rig.image("a.img"))
    check(disk.attach() is None, "the attach succeeds")
    check(disk.get("physical-device-path").startswith("/dev/loop"), "the script made a loop device")
    disk.connect()
    rig.await_status(5, XVDA, link="up", path=f"{rig.dir}/a.img")
    seconds = disk.detach(force=True, script=True)
    check(seconds < AT_ONCE, f"closing took {seconds:.2f} s")


def refuse_missing(rig):
    """A file that is not there: the stock script ends the attach, with our reason."""
    disk = Disk(rig, 5, XVDA, f"{rig.dir}/nothing.img")
    begin = time.monotonic()
    error = disk.attach()
    seconds = time.monotonic() - begin
    check(error is not None, "the attach fails")
    check("nothing.img" in error, f"hotplug-error names the path: {error}")
    check(seconds < AT_ONCE, f"refusing took {seconds:.2f} s")
    rig.await_node(f"{disk.backend}/state", CLOSED)
    check(disk.get("hotplug-status") == "error", "hotplug-status")
    error = rig.store.read(f"/local/domain/0/error/{disk.relative}/error")
    check("nothing.img" in error, f"error node: {error}")
    check(disk.detach() < AT_ONCE, "detaching what was refused")
    rig.await_(lambda: rig.status()["guests"] == [], "the guest is forgotten")
    rig.await_node(f"/local/domain/0/error/{disk.relative}", None)


def refuse_unreadable(rig):
    os.mkdir(f"{rig.dir}/directory")
    disk = Disk(rig, 5, XVDA, f"{rig.dir}/directory")
    begin = time.monotonic()
    error = disk.attach()
    check(error and "directory" in error, f"{error}")
    check(time.monotonic() - begin < AT_ONCE, "at once")


def refuse_second_writer(rig):
    """Debian's script lets two writers onto one file; we do not."""
    image = rig.image("a.img")
    first = Disk(rig, 5, XVDA, image).full()
    second = Disk(rig, 6, XVDA, image)
    begin = time.monotonic()
    error = second.attach()
    seconds = time.monotonic() - begin
    check(error and image in error, f"refused with the path: {error}")
    check("domain 5" in error, f"and the guest: {error}")
    check(seconds < AT_ONCE, f"refusing took {seconds:.2f} s")
    check(first.state() == CONNECTED, "the first goes on")
    second.detach()
    # the holder may give it away
    first.detach(force=True)
    third = Disk(rig, 7, XVDA, image)
    third.create()
    rig.await_node(f"{third.backend}/state", INITWAIT)
    check(third.get("hotplug-error") is None, f"free again: {third.get('hotplug-error')}")
    third.plugged()
    third.connect()


def share_knowingly(rig):
    image = rig.image("a.img")
    Disk(rig, 5, XVDA, image, mode="w!").full()
    Disk(rig, 6, XVDA, image, mode="w!").full()
    Disk(rig, 7, XVDA, rig.image("b.img"), mode="r").full()
    Disk(rig, 8, XVDA, rig.image("b.img"), mode="r").full()
    check(rig.messages("attach")[-1]["readonly"] == "1", "read-only")


def read_only_info(rig):
    disk = Disk(rig, 5, XVDA, rig.image("a.img"), mode="r", removable=1, **{"device-type": "cdrom"})
    disk.full()
    check(disk.get("info") == "7", f"info = {disk.get('info')}")
    check(disk.get("feature-discard") == "0", "no discard on a read-only disk")


def other_script(rig):
    """What another script makes of its params is opened when it has reported."""
    image = rig.image("a.img")
    disk = Disk(rig, 5, XVDA, "nbd://somewhere", script="/etc/xen/scripts/block-other")
    disk.create()
    rig.await_node(f"{disk.backend}/state", INITWAIT)
    rig.store.write(f"{disk.backend}/physical-device-path", image)
    disk.plugged()
    disk.connect()
    rig.await_status(5, XVDA, link="up", path=image)
    # and one that reports nonsense closes the device
    other = Disk(rig, 5, XVDA + 16, "nbd://other", script="/etc/xen/scripts/block-other")
    other.create()
    rig.await_node(f"{other.backend}/state", INITWAIT)
    rig.store.write(f"{other.backend}/physical-device-path", f"{rig.dir}/gone")
    rig.store.write(f"{other.backend}/hotplug-status", "connected")
    rig.await_node(f"{other.backend}/state", CLOSED)
    check("gone" in other.get("hotplug-error"), f"{other.get('hotplug-error')}")


def wrong_block_device(rig):
    """physical-device and physical-device-path have to be the same thing."""
    disk = Disk(rig, 5, XVDA, "x", script="/etc/xen/scripts/block-other")
    disk.create()
    rig.await_node(f"{disk.backend}/state", INITWAIT)
    image = rig.image("a.img")

    def report(tx):
        rig.store.write(f"{disk.backend}/physical-device", "fd:3", tx)
        rig.store.write(f"{disk.backend}/physical-device-path", image, tx)
    rig.store.transaction(report)
    rig.await_node(f"{disk.backend}/state", CLOSED)
    check("physical-device" in disk.get("hotplug-error"), f"{disk.get('hotplug-error')}")


def vbd3(rig):
    disk = Disk(rig, 5, XVDA, "aio:" + rig.image("a.img"), kind="vbd3").full()
    rig.await_status(5, XVDA, link="up", kind="vbd3")
    disk.detach(force=True)


def attach_to_own_domain(rig):
    """pygrub: dom0 is its own guest for a while."""
    disk = Disk(rig, 0, XVDA, rig.image("a.img")).full()
    check(disk.detach(force=True) < AT_ONCE, "detached")


def frontend_restarts(rig):
    """Driver reload and kexec: closed by the guest, offered again, connected again."""
    disk = Disk(rig, 5, XVDA, rig.image("a.img")).full()
    for _ in range(3):
        disk.front(state=CLOSING)
        rig.await_node(f"{disk.backend}/state", CLOSING)
        disk.front(state=CLOSED)
        rig.await_node(f"{disk.backend}/state", CLOSED)
        disk.front(state=INITIALISING)
        rig.await_node(f"{disk.backend}/state", INITWAIT)
        disk.connect()
    check(len(rig.messages("connect")) == 4 and len(rig.messages("disconnect")) == 3, "each once")
    check(len(rig.messages("attach")) == 1, "the image stayed")
    # a frontend that forgets to close
    disk.front(state=INITIALISING)
    rig.await_node(f"{disk.backend}/state", INITWAIT)
    disk.connect()


def stubborn_frontend(rig):
    """One that does not close is cut off before libxl's 10 s are over."""
    disk = Disk(rig, 5, XVDA, rig.image("a.img")).full()
    seconds = disk.detach()
    check(1.5 < seconds < LIBXL, f"closed after {seconds:.2f} s")


stubborn_frontend.config = "[backend]\ndetach-timeout = 2\n"


def stuck_worker(rig):
    """One that does not drain is killed; its guest's other disks go on with a new one."""
    disk = Disk(rig, 5, XVDA, rig.image("a.img")).full()
    other = Disk(rig, 5, XVDA + 16, rig.image("b.img")).full()
    rig.switch("mute-disconnect")
    seconds = disk.detach(force=True)
    check(seconds < LIBXL, f"closed after {seconds:.2f} s")
    rig.switch("mute-disconnect", on=False)
    rig.await_(lambda: [m for m in rig.messages("connect", XVDA + 16) if m["reattach"] == "1"],
               "the other disk is served again")
    check(other.state() == CONNECTED, "without its guest's notice")


stuck_worker.config = "drain-timeout = 1\n"


def slow_start(rig):
    """One that takes long to start is waited for: a busy host is no reason to start another."""
    rig.switch("hold-hello")
    disk = Disk(rig, 5, XVDA, rig.image("a.img"))
    disk.create()
    disk.plugged()
    disk.connect(await_connected=False)
    rig.await_(lambda: rig.messages("hello"), "a worker")
    time.sleep(2)  # what is awaited is that nothing happens
    rig.switch("hold-hello", on=False)
    rig.await_node(f"{disk.backend}/state", CONNECTED)
    check(len(rig.messages("hello")) == 1, "it was replaced")
    # from now on it has no more time than others
    rig.switch("mute-disconnect")
    seconds = disk.detach(force=True)
    check(seconds < 8, f"closed after {seconds:.2f} s")


slow_start.config = "drain-timeout = 1\n"


def vanished_nodes(rig):
    """A domain's whole home, and the backend's too, may go at any moment."""
    disk = Disk(rig, 5, XVDA, rig.image("a.img")).full()
    rig.store.rm("/local/domain/5")
    rig.await_node(f"{disk.backend}/state", CLOSED)
    disk = Disk(rig, 6, XVDA, rig.image("b.img")).full()
    rig.store.rm("/local/domain/0/backend/vbd/6")
    rig.await_(lambda: rig.device_status(6, XVDA) is None, "forgotten")
    disk = Disk(rig, 6, XVDA, rig.image("b.img")).full()
    check(disk.state() == CONNECTED, "the same again")


def bad_frontends(rig):
    """What a guest writes is bounded; a bad one is closed, and may try again."""
    disk = Disk(rig, 5, XVDA, rig.image("a.img"))
    disk.create()
    disk.plugged()
    bad = [
        ({"ring_page_order": 5}, "ring-page-order"),
        ({"ring_page_order": 0, "event_channel": "-1"}, "event-channel"),
        ({"event_channel": 0}, "event-channel"),
        ({"event_channel": 3, "protocol": "sparc-abi"}, "sparc-abi"),
        ({"protocol": "x86_32-abi", "multi_queue_num_queues": 1000}, "multi-queue-num-queues"),
    ]
    # more would be held back: see held_back()
    for nodes, name in bad[:4]:
        disk.connect(await_connected=False, **nodes)
        rig.await_node(f"{disk.backend}/state", CLOSED)
        check(name in disk.get("hotplug-error"), f"{name}: {disk.get('hotplug-error')}")
        disk.front(state=CLOSED)
        disk.front(state=INITIALISING)
        rig.await_node(f"{disk.backend}/state", INITWAIT)
    disk.connect(protocol="x86_32-abi", ring_page_order=0, event_channel=9)
    check(rig.messages("connect")[-1]["abi"] == "1", "abi")
    rig.await_node(f"{disk.backend}/hotplug-error", None)


def held_back(rig):
    """A frontend that fails over and over does not keep us busy."""
    disk = Disk(rig, 5, XVDA, rig.image("a.img"))
    disk.create()
    disk.plugged()
    for _ in range(5):
        rig.await_node(f"{disk.backend}/state", INITWAIT)
        disk.connect(await_connected=False, event_channel="x")
        rig.await_node(f"{disk.backend}/state", CLOSED)
        disk.front(state=CLOSED)
        disk.front(state=INITIALISING)
    rig.await_never(f"{disk.backend}/state", INITWAIT, 0.5)
    check("no reconnect" in rig.logged(), "it is logged")
    check(disk.detach() < AT_ONCE, "detached nevertheless")


def many_rings(rig):
    nodes = {"multi_queue_num_queues": 2, "ring_page_order": 1}
    for q in range(2):
        nodes |= {f"queue_{q}/event_channel": 10 + q, f"queue_{q}/ring_ref0": 20 + q,
                  f"queue_{q}/ring_ref1": 30 + q}
    disk = Disk(rig, 5, XVDA, rig.image("a.img"))
    disk.create()
    disk.plugged()
    disk.connect(**nodes)
    connect = rig.messages("connect")[0]
    check(connect["rings"] == "2" and connect["pages"] == "2" and connect["fds"] == "2"
          and connect["ref"] == "20", f"{connect}")


many_rings.config = "[backend]\nmax-queues = 4\n"


def kernel_backend(rig):
    """What xen-blkback has taken is reported and left alone."""
    os.makedirs(f"{rig.sysfs}/bus/xen-backend/devices/vbd-5-{XVDA}/driver")
    disk = Disk(rig, 5, XVDA, rig.image("a.img"))
    disk.create()
    rig.await_(lambda: disk.get("hotplug-error") is not None, "it is reported")
    check("xen-blkback" in disk.get("hotplug-error"), "by name")
    rig.await_never(f"{disk.backend}/state", INITWAIT, 0.3)
    rig.await_status(5, XVDA, driver="kernel")
    # unbound in the middle of its work: the guest is connected, and served by us from now on
    disk.front(ring_ref=8, event_channel=5, state=CONNECTED)
    rig.store.write(f"{disk.backend}/state", CONNECTED)
    rig.await_never(f"{disk.backend}/state", INITWAIT, 0.1)
    check(not rig.messages("hello"), "nothing is done yet")
    os.rmdir(f"{rig.sysfs}/bus/xen-backend/devices/vbd-5-{XVDA}/driver")
    rig.await_status(5, XVDA, driver="xenpv-backendd", link="up", state="Connected")
    check(rig.messages("connect")[0]["reattach"] == "1", "reattached")
    rig.await_node(f"{disk.backend}/hotplug-error", None)
    disk.detach(force=True)
    rig.await_(lambda: rig.status()["guests"] == [], "forgotten")


def online_resize(rig):
    image = rig.image("a.img")
    disk = Disk(rig, 5, XVDA, image).full()
    rig.image("a.img", 3)
    rig.store.write(f"{disk.backend}/resize", 1)
    rig.await_node(f"{disk.backend}/sectors", 6144)
    check(disk.state() == CONNECTED, "state is written again")
    check(rig.messages("resize")[0]["size"] == str(3 << 20), "the worker knows first")
    rig.image("a.img", 5)
    rig.broker.send_signal(1)
    rig.await_node(f"{disk.backend}/sectors", 10240)
    rig.image("a.img", 7)
    rig.await_node(f"{disk.backend}/sectors", 14336)


online_resize.config = "[backend]\nresize-interval = 1\n"


def tells_labels(rig):
    """With tell-labels a guest can read what the host's file systems are called."""
    for name in ("dev/disk/by-label", "proc/self"):
        os.makedirs(f"{rig.dir}/{name}")
    with open(f"{rig.dir}/dev/sda1", "w", encoding="utf-8"):
        pass
    os.symlink("../../sda1", f"{rig.dir}/dev/disk/by-label/my\\x20root")
    with open(f"{rig.dir}/proc/self/mountinfo", "w", encoding="utf-8") as f:
        f.write("26 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
    Disk(rig, 5, XVDA, rig.image("a.img")).full()
    check(rig.store.read("/local/domain/5/vm-data/xenpv/host-labels") == "LABEL=my root\n",
          "the label is told")


tells_labels.config = "[backend]\ntell-labels = yes\n"


def tells_no_labels(rig):
    """Nothing is told unless it was asked for."""
    Disk(rig, 5, XVDA, rig.image("a.img")).full()
    check(rig.store.read("/local/domain/5/vm-data/xenpv/host-labels") is None, "nothing is told")


def ring_error(rig):
    """One disk of a guest breaks the protocol: that one is closed, the others go on."""
    other = Disk(rig, 5, XVDA + 16, rig.image("b.img")).full()
    disk = Disk(rig, 5, XVDA, rig.image("a.img")).full()
    os.kill(rig.messages("connect", XVDA)[0]["pid"], 10)
    rig.await_node(f"{disk.backend}/state", CLOSED)
    check("4711" in disk.get("hotplug-error"), "the value is named")
    check("4711" in rig.logged(), "and logged")
    check(other.state() == CONNECTED, "the other goes on")
    check(not rig.messages("disconnect", XVDA + 16), "untouched")
    disk.front(state=CLOSED)
    disk.front(state=INITIALISING)
    rig.await_node(f"{disk.backend}/state", INITWAIT)
    disk.connect()
    rig.await_node(f"{disk.backend}/hotplug-error", None)


def device_model(rig):
    """The disk of an HVM guest waits until QEMU has closed it, and is kept from it then."""
    image = rig.image("a.img")
    rig.store.write("/libxl/5/type", "hvm")
    disk = Disk(rig, 5, XVDA, image)
    disk.create()
    disk.plugged()
    model = os.open(image, os.O_RDWR)
    writes = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 101, 1, 0)
    fcntl.fcntl(model, F_OFD_SETLK, writes)
    disk.connect(await_connected=False)
    rig.await_(lambda: disk.get("hotplug-error"), "the reason")
    check("xen_emul_unplug" in disk.get("hotplug-error"), disk.get("hotplug-error"))
    check(disk.state() == INITWAIT, "nothing is served yet")
    os.close(model)
    rig.await_node(f"{disk.backend}/state", CONNECTED)
    disk.front(state=CONNECTED)
    rig.await_node(f"{disk.backend}/hotplug-error", None)
    model = os.open(image, os.O_RDWR)
    wanted = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 201, 1, 0)
    found = struct.unpack("hhqqi4x", fcntl.fcntl(model, F_OFD_GETLK, wanted))
    check(found[0] == fcntl.F_RDLCK, "QEMU would find the image in use")
    os.close(model)


def replaced_at_once(rig):
    """Another disk has the number before the removal of the first was seen: it is served."""
    first = Disk(rig, 5, XVDA, rig.image("a.img")).full()
    image = rig.image("b.img")
    second = Disk(rig, 5, XVDA, image)
    second.create(instead_of=first)
    second.plugged()
    second.connect()
    rig.await_status(5, XVDA, path=image)
    check(second.detach(force=True) < LIBXL, "detached")


def replaced_while_leaving(rig):
    """Likewise when the removal was seen, and the worker has not let go of the first yet."""
    first = Disk(rig, 5, XVDA, rig.image("a.img")).full()
    rig.switch("mute-disconnect")
    first.destroy()
    rig.await_(lambda: rig.messages("disconnect", XVDA), "the removal is seen")
    image = rig.image("b.img")
    second = Disk(rig, 5, XVDA, image)
    second.create()
    rig.switch("mute-disconnect", on=False)
    second.plugged()
    second.connect()
    rig.await_status(5, XVDA, path=image)
    check(second.detach(force=True) < LIBXL, "detached")


replaced_while_leaving.config = "drain-timeout = 1\n"


def nodes_one_by_one(rig):
    """A toolstack without transactions."""
    disk = Disk(rig, 5, XVDA, rig.image("a.img"))
    rig.store.write(f"{disk.frontend}/state", INITIALISING)
    order = sorted(disk.nodes, key=lambda k: k == "frontend")
    for key in order:
        rig.store.write(f"{disk.backend}/{key}", disk.nodes[key])
    disk.plugged()
    disk.connect()


def detach_at_any_time(rig):
    """Before the script, before the frontend, while connecting: always closed soon."""
    for i, stage in enumerate(("created", "offered", "plugged", "initialised")):
        disk = Disk(rig, 5, XVDA + 16 * i, rig.image("a.img"))
        disk.create()
        if stage != "created":
            rig.await_node(f"{disk.backend}/state", INITWAIT)
        if stage in ("plugged", "initialised"):
            disk.plugged()
        if stage == "initialised":
            disk.connect(await_connected=False)
        seconds = disk.detach(force=i % 2 == 0)
        check(seconds < LIBXL, f"{stage}: {seconds:.2f} s")


CASES = [whole_life, stock_script, refuse_missing, refuse_unreadable, refuse_second_writer,
         share_knowingly, read_only_info, other_script, wrong_block_device, vbd3,
         attach_to_own_domain, frontend_restarts, stubborn_frontend, stuck_worker, slow_start,
         vanished_nodes, bad_frontends, held_back, many_rings, kernel_backend, online_resize,
         tells_labels, tells_no_labels, ring_error, device_model, replaced_at_once,
         replaced_while_leaving, nodes_one_by_one, detach_at_any_time]

if __name__ == "__main__":
    main(CASES)
