# SPDX-License-Identifier: GPL-2.0-or-later
"""What xenpv says of guests, and what it does with them."""

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import termios
import time
import urllib.error
import urllib.request

from control_rig import Failure, check
from hostcmd_rig import IMAGE, UUID, equal, guest, main


# check and size


def check_files(rig):
    """Exit statuses, JSON, and what Xen says of the host's memory."""
    path = f"{rig.dir}/a.cfg"

    def config(text):
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    config('name = "a"\nmemory = 512\n')
    out, _ = rig.run("check", "--offline", path)
    equal(out, "1 configurations, 0 errors, 0 warnings\n", "a good one")
    config('name = "a"\nmemory = 9000\nvcpus = 5\n')
    rig.run("check", "--offline", path)
    out, _ = rig.run("check", path, status=1)
    check(f"{path}:2: error: a: 9000 MB are more than the host has (8192 MB)" in out, out)
    check(f"{path}:3: error: a: vcpus=5 is more than the host has CPUs (4)" in out, out)
    found = rig.json("check", "--cpus", "8", "--memory", "16384", path)
    equal((found["errors"], found["findings"]), (0, []), "other figures")
    config('name = "a"\nmemory = 512\ndisk = [ "phy:/dev/vg/a,xvda"\n')
    found = rig.json("check", "--offline", path, status=1)
    equal((found["findings"][0]["line"], found["findings"][0]["severity"]), (4, "error"), "broken")
    os.mkdir(f"{rig.dir}/auto")
    config('name = "a"\nmemory = 512\n')
    os.symlink("../a.cfg", f"{rig.dir}/auto/a.cfg")
    out, _ = rig.run("check", "--offline", f"{rig.dir}/auto/a.cfg", path)
    equal(out, "1 configurations, 0 errors, 0 warnings\n", "one file by two names")
    os.rename(path, f"{rig.dir}/auto/b.cfg")
    out, _ = rig.run("check", "--offline", f"{rig.dir}/auto/b.cfg")
    check("make a symbolic link here" in out, out)
    _, err = rig.run("check", path, status=4)
    check(f"{path}: cannot be read: No such file or directory" in err, err)
    _, err = rig.run("check", "--memory", "much", path, status=2)
    check("--memory=much is not a number" in err, err)


def size_files(rig):
    path = f"{rig.dir}/a.cfg"
    with open(path, "w", encoding="utf-8") as f:
        f.write('name = "a"\nmemory = 1024\nvcpus = 2\n'
                'disk = [ "phy:/dev/vg/a,xvda,w", "phy:/dev/vg/b,xvdb,w" ]\n')
    found = rig.json("size", path, "--guest", "512,1,1,1,2", "--installed", "4096")
    equal((found["guests_mb"], found["dom0_mb"], found["hypervisor_mb"], found["fits"]),
          (1042 + 2 * 525, 1024, 96, True), "sums")
    equal(found["left_mb"], 4096 - 96 - 48 - 1024 - 2092, "left")
    equal(found["dom0_devices_mb"], 3.9 + 2 * 4.5, "devices")
    # 16 MB for each of three guests, and what has been measured: 1088 KiB, 1280 a guest, 704 a
    # ring (2 disks of 2, 2 of 1) and 512 a queue (2)
    equal((found["dom0_formula_mb"], found["backend_mb"]), (3 * 16 + 12.9, 10.0), "both figures")
    equal(found["backend_max_mb"], 10.0 + 6 * 8, "all buffers")
    out, _ = rig.run("size", path)
    check("dom0_mem=1024M,max:1024M" in out, out)
    check("1088 KiB + 1280 KiB a guest, 704 KiB a ring of a VBD" in out, out)
    check("16 MB a guest + devices" in out, out)
    rig.run("size", path, "--installed", "2048", status=3)
    rig.run("size", status=2)
    _, err = rig.run("size", "--guest", "1024,99", status=2)
    check("--guest=1024,99: write MB,VCPUS" in err, err)
    with open(path, "w", encoding="utf-8") as f:
        f.write('name = "a"\n')
    _, err = rig.run("size", path, status=3)
    check("memory is not set" in err, err)


# list


def list_text(rig):
    guest(rig)
    rig.domain(6, "db1", blocked=False, paused=True)
    out, err = rig.run("list")
    lines = [line.split() for line in out.splitlines()]
    equal(err, "", "errors")
    equal(lines[0][:4], ["GUEST", "ID", "STATE", "VIRSH"], "head")
    equal(lines[1][:6], ["Domain-0", "0", "running", "running", "r-----", "pv"], "dom0")
    equal(lines[2], ["web1", "5", "idle", "idle", "-b----", "pvh", "0.1.0", "+0.2", "ms",
                     "10.0.0.7", "xen-vbd", "0.1.0"], "web1")
    equal(lines[3], ["db1", "6", "paused", "paused", "--p---", "pvh", "-", "-", "-", "-"], "db1")


FALLBACK = {
    "data/xenpv/device/fallback/vbd": "driver=xen-blkfront result=loaded uptime=12",
    "data/xenpv/device/fallback/vbd/reason": "no disk after 10 s",
}


def list_fallback(rig):
    """A guest that had to take the kernel's own drivers is seen; nonsense does no harm."""
    guest(rig)
    rig.agent(5, **FALLBACK)
    rig.domain(6, "db1")
    rig.nodes(6, {"data/xenpv/device/fallback/vif": "\x1b[2J result=loaded= driver="})
    rig.domain(7, "mail1")
    rig.nodes(7, {"data/xenpv/device/fallback/vif": "driver=xen-netfront result=failed",
                  "data/xenpv/device/fallback/vbd/reason": "of nothing"})
    out, _ = rig.run("list")
    lines = out.splitlines()
    check(lines[2].endswith("xen-vbd 0.1.0 (fallback of vbd)"), lines[2])
    check(lines[3].endswith("(fallback of vif)") and "\x1b" not in out, lines[3])
    found = {g["name"]: g["agent"] for g in rig.json("list")}
    equal(found["web1"]["fallback"], {"vbd": {"driver": "xen-blkfront", "loaded": True,
                                              "reason": "no disk after 10 s"}}, "as JSON")
    equal(found["db1"]["fallback"], {"vif": {"driver": "", "loaded": False, "reason": "?"}},
          "nonsense")
    out, _ = rig.run("show", "web1")
    check("fallback       vbd: no disk after 10 s; xen-blkfront was loaded\n" in out, out)
    out, _ = rig.run("show", "mail1")
    check("fallback       vif: ?; xen-netfront could not be loaded either\n" in out, out)
    rig.domain(8, "old1")
    rig.agent(8)
    equal(rig.json("show", "old1")["agent"]["fallback"], None, "without")


def list_states(rig):
    """Each state in virsh's words, xm's and ours."""
    states = [
        (dict(blocked=False), "ready", "no state", "------"),
        (dict(blocked=False, running=True), "running", "running", "r-----"),
        (dict(), "idle", "idle", "-b----"),
        (dict(running=True), "running", "idle", "rb----"),
        (dict(blocked=False, paused=True), "paused", "paused", "--p---"),
        (dict(blocked=False, shutdown=True, reason="poweroff"), "halted", "shut off", "---s--"),
        (dict(blocked=False, shutdown=True, reason="suspend"), "suspended", "shut off", "---s--"),
        (dict(blocked=False, shutdown=True, reason="crash"), "crashed", "crashed", "----c-"),
        (dict(blocked=False, dying=True), "dying", "in shutdown", "-----d"),
    ]
    for i, (fields, *_) in enumerate(states):
        rig.domain(10 + i, f"g{i}", **fields)
    found = rig.json("list")[1:]
    for entry, (_, ours, virsh, xm) in zip(found, states):
        equal((entry["state"], entry["state_virsh"], entry["state_xm"]), (ours, virsh, xm),
              entry["name"])
    equal(len(found), len(states), "guests")


def list_hostile(rig):
    """A guest's text does nothing to a terminal, nor to JSON."""
    guest(rig)
    rig.agent(5, **{"drivers/0": "\x1b[2Jx\u202ey\x9b", "data/xenpv/time/offset": "nonsense"})
    rig.store.request("write", b"/local/domain/5/data/os_name\0" + b"\xff\xc0\x80" + b"n" * 3000)
    out, _ = rig.run("list")
    check("\x1b" not in out and "\u202e" not in out and "\x9b" not in out, repr(out))
    entry = rig.json("list")[1]
    equal(entry["agent"]["drivers"], "?[2Jx???y??", "drivers")
    equal(entry["agent"]["os"], "???" + "n" * 253, "os")


def list_stopping(rig):
    guest(rig)
    rig.agent(5, **{"data/xenpv/shutdown/state": "stopping",
                    "data/xenpv/shutdown/unit": "slow.service"})
    out, _ = rig.run("list")
    check(" stopping " in out, out)
    equal(rig.json("list")[1]["agent"]["shutdown_unit"], "slow.service", "unit")


def xen_fails(rig):
    del rig.xen["domains"]
    rig.save()
    _, err = rig.run("list", status=1)
    check("cannot ask Xen for its domains" in err, err)


# show


def show_guest(rig):
    guest(rig)
    rig.xen["vif"]["5/0"] = {"sent_bytes": 2048, "received_bytes": 4096}
    rig.save()
    with open(rig.status, "w", encoding="utf-8") as f:
        json.dump({"guests": [{"domid": 5, "devices": [
            {"domid": 5, "devid": 51712, "path": IMAGE, "driver": "xenpv-backendd",
             "size": 1 << 30, "rings": 2, "ring_pages": 16, "persistent": True,
             "error": None,
             "io": {"reads": 10, "writes": 20, "flushes": 3, "read_bytes": 40960,
                    "written_bytes": 81920, "errors": 1, "in_flight": 2, "busy_us": 7000}}]}]}, f)
    for word in ("web1", "5", UUID.format(5)):
        entry = rig.json("show", word)
        equal(entry["name"], "web1", word)
    disk = entry["vbds"][0]
    equal((disk["vdev"], disk["path"], disk["backend"], disk["size"], disk["rings"]),
          ("xvda", IMAGE, "xenpv-backendd", 1 << 30, 2), "disk")
    equal((disk["io"]["writes"], disk["io"]["others"], disk["io"]["errors"]), (20, 3, 1), "io")
    net = entry["vifs"][0]
    equal((net["mac"], net["bridge"], net["address"], net["io"]["sent_bytes"]),
          ("02:17:42:2F:01:01", "xenbr0", "10.0.0.7", 2048), "interface")
    equal(entry["report"]["time/source"], "chrony", "report")
    out, _ = rig.run("show", "web1")
    for wanted in ("xen-vbd 0.1.0", "2 rings of 16 pages, persistent grants", "1024 MiB",
                   "20 writes (80 KiB)", "sent 2 KiB", "synchronised, chrony",
                   "time/offset              +0.000200000"):
        check(wanted in out, f"{wanted}: {out}")


def show_kernel_backend(rig):
    """A disk of xen-blkback is counted by the kernel; a status file that is no JSON is none."""
    guest(rig)
    rig.xen["vbd"]["5/51712"] = {"reads": 7, "writes": 8, "others": 9, "read_bytes": 512}
    rig.save()
    rig.disk(5, 51728, "xvdb", "/dev/vg/x", mode="r", state=2,
             **{"hotplug-error": "no such device"})
    with open(rig.status, "w", encoding="utf-8") as f:
        f.write("{ no JSON")
    disks = rig.json("show", "web1")["vbds"]
    equal((disks[0]["backend"], disks[0]["io"]["others"]), ("kernel", 9), "xvda")
    equal((disks[1]["backend"], disks[1]["readonly"], disks[1]["error"], disks[1]["io"]),
          ("none", True, "no such device", None), "xvdb")


def show_absent(rig):
    for word in ("nobody", "77", UUID.format(77)):
        _, err = rig.run("show", word, status=4)
        check(f"{word}: there is no such guest" in err, err)


# top


def top_batch(rig):
    guest(rig)
    rig.xen["vbd"]["5/51712"] = {"reads": 1000, "writes": 0, "others": 2, "read_bytes": 4096000}
    rig.xen["vif"]["5/0"] = {"sent_bytes": 2048, "received_bytes": 4096}
    rig.save()
    top = rig.start("top", "--batch", "--delay", "1", "--iterations", "2")
    top.await_line("^web1 ")
    rig.xen["vbd"]["5/51712"] = {"reads": 3000, "writes": 0, "others": 2, "read_bytes": 12288000}
    rig.domain(5, "web1", cpu_ns=2 * 10**9)
    out, err = top.finish()
    equal((top.status, err), (0, ""), "end")
    lines = out.splitlines()
    check(lines[0].startswith("xenpv top - ") and lines[0].endswith("Xen 4.17.7"), lines[0])
    equal(lines[1], "2 domains: 1 running, 1 blocked, 0 paused, 0 crashed, 0 dying, 0 shutdown",
          "domains")
    equal(lines[2], "Mem: 8388608k total, 3388608k used, 5000000k free    CPUs: 4 @ 1995MHz",
          "memory")
    equal(lines[3].split(),
          "NAME STATE CPU(sec) CPU(%) MEM(k) MEM(%) MAXMEM(k) MAXMEM(%) VCPUS NETS NETTX(k) "
          "NETRX(k) VBDS VBD_OO VBD_RD VBD_WR SSID RINGS IOPS MB/s LAT(us) QD ERR".split(),
          "columns")
    dom0 = lines[4].split()
    equal(dom0[6:9], ["no", "limit", "n/a"], "dom0's limit")
    first, second = [line.split() for line in lines if line.startswith("web1 ")]
    equal(first[:3] + first[4:17],
          ["web1", "--b---", "1", "524288", "6.2", "524288", "6.2", "1", "1", "2", "4", "1", "2",
           "1000", "0", "0"], "first")
    iops, rate = float(second[18]), float(second[19])
    # 2000 requests of 4096 bytes in a second or, on a slow machine, more
    check(0 < iops <= 2010 and abs(rate - iops * 4096 / 1e6) < 0.11, f"{iops} {rate}")
    check(0 < float(second[3]) <= 101, f"CPU {second[3]}")


def top_json(rig):
    """Latency, queue and errors are known of xenpv-backendd's disks."""
    guest(rig)

    def counted(requests, busy):
        with open(f"{rig.status}.new", "w", encoding="utf-8") as f:
            json.dump({"guests": [{"domid": 5, "devices": [
                {"domid": 5, "devid": 51712, "rings": 4, "driver": "xenpv-backendd",
                 "io": {"reads": requests, "writes": 0, "in_flight": 3, "errors": 1,
                        "read_bytes": 0, "busy_us": busy}}]}]}, f)
        os.rename(f"{rig.status}.new", rig.status)

    counted(100, 1000)
    top = rig.start("top", "--json", "--delay", "1", "--iterations", "60")
    top.await_line('"web1"')
    counted(300, 51000)
    # the first look after that sees the difference, whichever it is
    top.await_line(r'"latency_us":\d')
    top.process.send_signal(signal.SIGTERM)
    out, _ = top.finish()
    looks = [json.loads(line)["guests"][1] for line in out.splitlines()]
    equal(looks[0]["errors"], 1, "errors")
    second = next(look for look in looks if look["latency_us"] is not None)
    equal((second["latency_us"], second["in_flight"], second["rings"]), (250, 3, 4), "rings")
    single = json.loads(rig.run("top", "--json", "--delay", "1")[0])
    equal([g["name"] for g in single["guests"]], ["Domain-0", "web1"], "one look")


def counted_by_worker(rig):
    """Counters that a worker writes: in show, top and metrics, without the daemon."""
    guest(rig)
    with open(rig.status, "w", encoding="utf-8") as f:
        json.dump({"guests": [{"domid": 5, "devices": [
            {"kind": "vbd", "domid": 5, "devid": 51712, "counters": "vbd.counters"},
            {"kind": "vif", "domid": 5, "devid": 0, "counters": "vif.counters"}]}]}, f)

    def disk(*blocks):
        rig.counters("vbd.counters", 0, *blocks)

    # reads, writes, flushes, discards, sectors read and written, errors, busy ns, in flight
    disk((10, 20, 1, 2, 80, 160, 0, 33000000, 2), (1, 0, 0, 0, 8, 0, 1, 1000000, 1))
    # tx packets, bytes, dropped, errors; rx packets, bytes, dropped, stalls, stalled
    rig.counters("vif.counters", 1, (3, 300, 0, 1, 4, 4096, 5, 2, 1))
    out, _ = rig.run("show", "web1")
    for wanted in ("11 reads (44 KiB), 20 writes (80 KiB), 1 flushes, 2 discards",
                   "1 errors, 3 in flight, 1000 us a request",
                   "sent 0 KiB (3 packets), received 4 KiB (4 packets), 1 errors, 5 dropped",
                   "the guest took no packets for long 2 times, and takes none now"):
        check(wanted in out, f"{wanted}\n{out}")
    out, _ = rig.run("metrics")
    for name, value in (("vbd_reads_total", 11), ("vbd_errors_total", 1), ("vbd_in_flight", 3),
                        ("vbd_written_bytes_total", 81920), ("vif_sent_packets_total", 3),
                        ("vif_stalls_total", 2), ("vif_stalled_queues", 1)):
        check(re.search(rf"^xenpv_{name}{{[^}}]*}} {value}$", out, re.M), f"{name} {value}\n{out}")
    check("# TYPE xenpv_vif_stalled_queues gauge" in out, "its type")

    top = rig.start("top", "--json", "--delay", "1", "--iterations", "1000")

    def look(pattern):
        return json.loads(top.await_line(f".*{pattern}.*").group())["guests"][1]

    row = look('"web1"')
    equal((row["in_flight"], row["errors"]), (3, 1), "first")
    disk((30, 20, 1, 2, 80, 160, 0, 37000000, 0), (1, 0, 0, 0, 8, 0, 1, 1000000, 0))
    row = look('"latency_us":200')
    equal((row["in_flight"], row["vbds"][0]["io"]["reads"]), (0, 31), "second")
    check(row["vbds"][0]["rates"]["reads_per_second"] > 0, f"{row['vbds']}")
    # another disk in its place
    disk((4, 0, 0, 0, 32, 0, 0, 400000, 0))
    row = look('"latency_us":100')
    check(row["vbds"][0]["rates"]["reads_per_second"] > 0, f"{row['vbds']}")
    top.process.send_signal(signal.SIGTERM)
    top.finish()
    rows = [json.loads(line)["guests"][1] for line in top.lines if line]
    rates = [v for row in rows for d in row["vbds"] + row["vifs"]
             for v in d["rates"].values() if v is not None]
    check(min(rates) >= 0, f"a rate below 0: {rates}")
    # what a worker in the hands of a guest might write
    disk(*[(2**64 - 1,) * 9] * 32)
    rig.run("top", "--batch", "--delay", "1", "--iterations", "1")
    rig.run("show", "web1")
    rig.run("metrics")
    with open(f"{rig.dir}/vbd.counters", "wb") as f:
        f.write(b"nonsense")
    equal(rig.json("show", "web1")["vbds"][0]["io"], None, "a file of no use")


def top_follows(rig):
    """Domains and devices that come and go are seen."""
    guest(rig)
    top = rig.start("top", "--json", "--delay", "1", "--iterations", "30")
    top.await_line('"name":"web1"')
    rig.domain(6, "db1", running=True)
    rig.introduce(6)
    rig.disk(5, 51728, "xvdb", "/dev/vg/x")
    top.await_line('"db1".*|"xvdb".*"db1"')
    top.await_line('"xvdb".*"name":"db1"')
    rig.gone(5)
    top.await_line(r'\{"name":"Domain-0"[^\n]*"vifs":\[\][^\n]*\{"name":"db1"')
    top.process.send_signal(signal.SIGTERM)
    top.finish()
    equal(top.status, 0, "exit status")


def top_sort(rig):
    rig.domain(5, "b", memory_kib=1000)
    rig.domain(6, "a", memory_kib=3000)
    out, _ = rig.run("top", "-b", "-d", "1", "-i", "1", "--sort", "memory")
    equal([line.split()[0] for line in out.splitlines()[4:]], ["Domain-0", "a", "b"], "memory")
    out, _ = rig.run("top", "-b", "-d", "1", "-i", "1", "--sort", "name")
    equal([line.split()[0] for line in out.splitlines()[4:]], ["Domain-0", "a", "b"], "name")
    _, err = rig.run("top", "--sort", "colour", status=2)
    check("--sort=colour is not one of" in err, err)


def top_screen(rig):
    """On a terminal: keys and a change of its size are followed, and it is left as it was."""
    guest(rig)
    main_end, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 200))
    before = termios.tcgetattr(terminal)
    process = subprocess.Popen(
        [rig.program, "top", "--delay", "3600", "--status", rig.status],
        env=dict(rig.env, TERM="vt100"), stdin=terminal, stdout=terminal,
        stderr=subprocess.PIPE, start_new_session=True)
    seen = bytearray()

    def await_text(text):
        end = time.monotonic() + 60
        while text not in seen:
            if not select.select([main_end], [], [], end - time.monotonic())[0]:
                raise Failure(f"{text} is not on the screen: {bytes(seen)}")
            seen.extend(os.read(main_end, 65536))
        seen.clear()

    try:
        await_text(b"arrows move")
        os.write(main_end, b"d")
        await_text(b"vbd xvda")
        os.write(main_end, b"s")
        await_text(b"cpu")
        # narrower than a line, which must not go on in the next
        termios.tcsetwinsize(terminal, (10, 60))
        process.send_signal(signal.SIGWINCH)
        await_text(b"arrows move")
        os.write(main_end, b"q")
        err = process.communicate(timeout=60)[1].decode()
        equal((process.returncode, err), (0, ""), "end")
        equal(termios.tcgetattr(terminal), before, "the terminal")
    finally:
        process.kill()
        process.wait()
        os.close(main_end)
        os.close(terminal)


def top_without_terminal(rig):
    _, err = rig.run("top", status=3)
    check("there is no terminal to draw on; use --batch or --json" in err, err)


# metrics


def metrics_text(rig):
    guest(rig, name='we"b\\1')
    rig.xen["vbd"]["5/51712"] = {"reads": 7, "writes": 8, "read_bytes": 512}
    rig.save()
    out, _ = rig.run("metrics")
    label = 'guest="we\\"b\\\\1",domid="5"'
    for wanted in (
        "# TYPE xenpv_host_cpus gauge", "xenpv_host_cpus 4",
        f'xenpv_guest_state{{{label},state="idle"}} 1',
        f"xenpv_guest_cpu_seconds_total{{{label}}} 1",
        f"xenpv_guest_memory_bytes{{{label}}} 536870912",
        f"xenpv_guest_agent{{{label}}} 1",
        f"xenpv_guest_time_synchronised{{{label}}} 1",
        f'xenpv_vbd_reads_total{{{label},devid="51712",vdev="xvda"}} 7',
        f'xenpv_vbd_connected{{{label},devid="51712",vdev="xvda",backend="kernel"}} 1',
    ):
        check(wanted in out.splitlines(), f"{wanted}\n{out}")
    check("xenpv_guest_memory_max_bytes{guest=\"Domain-0\"" not in out, "dom0 has no limit")
    names = [line.split("{")[0].split(" ")[0] for line in out.splitlines() if line[0] != "#"]
    types = [line.split()[2] for line in out.splitlines() if line.startswith("# TYPE ")]
    equal(len(types), len(set(types)), "each has one TYPE line")
    check(set(names) <= set(types), f"without a type: {set(names) - set(types)}")
    # all samples of a name stand together
    runs = [n for i, n in enumerate(names) if i == 0 or names[i - 1] != n]
    equal(len(runs), len(set(runs)), "samples of a name stand together")
    equal(rig.json("metrics")["guests"][1]["domid"], 5, "as JSON")


def metrics_http(rig):
    guest(rig)
    server = rig.start("metrics", "--listen", "127.0.0.1:0")
    port = int(server.await_line(r"listening on 127\.0\.0\.1:(\d+)").group(1))
    base = f"http://127.0.0.1:{port}"
    with urllib.request.urlopen(f"{base}/metrics", timeout=60) as reply:
        text = reply.read().decode()
        equal((reply.status, reply.headers["Content-Type"]),
              (200, "text/plain; version=0.0.4; charset=utf-8"), "answer")
    check('xenpv_guest_agent{guest="web1",domid="5"} 1' in text, text)
    for path, method, code in (("/", "GET", 404), ("/metrics", "POST", 405)):
        try:
            urllib.request.urlopen(
                urllib.request.Request(base + path, method=method), timeout=60)
        except urllib.error.HTTPError as e:
            equal(e.code, code, f"{method} {path}")
        else:
            raise Failure(f"{method} {path} was answered")

    def raw(data):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
            s.sendall(data)
            got = b""
            while more := s.recv(65536):
                got += more
        return got

    check(raw(b"HEAD /metrics HTTP/1.0\r\n\r\n").endswith(b"close\r\n\r\n"), "HEAD")
    check(raw(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 "), "nonsense")
    check(raw(b"GET /" + b"x" * 4091).startswith(b"HTTP/1.1 431 "), "a long request")
    # more clients than connections: those that wait get an answer when others let go
    idle = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(16)]
    late = socket.create_connection(("127.0.0.1", port), timeout=60)
    late.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
    for s in idle:
        s.close()
    check(late.recv(100).startswith(b"HTTP/1.1 200 OK"), "the one that waited")
    late.close()
    server.process.send_signal(signal.SIGTERM)
    server.finish()
    equal(server.status, 0, "exit status")
    rig.run("metrics", "--listen", "nowhere", status=2)


def metrics_trouble(rig):
    """Xen does not answer: the client is told, and the server goes on."""
    guest(rig)
    server = rig.start("metrics", "--listen", "[::1]:0" if socket.has_ipv6 else "127.0.0.1:0")
    where = server.await_line(r"listening on (\S+)").group(1)
    domains = rig.xen.pop("domains")
    rig.save()
    try:
        urllib.request.urlopen(f"http://{where}/metrics", timeout=60)
    except urllib.error.HTTPError as e:
        equal(e.code, 503, "status")
        check("cannot ask Xen" in e.read().decode(), "reason")
    else:
        raise Failure("it was answered")
    rig.xen["domains"] = domains
    rig.save()
    with urllib.request.urlopen(f"http://{where}/metrics", timeout=60) as reply:
        equal(reply.status, 200, "status")
    server.process.send_signal(signal.SIGTERM)
    server.finish()


main([check_files, size_files, list_text, list_fallback, list_states, list_hostile, list_stopping,
      xen_fails, show_guest, show_kernel_backend, show_absent, top_batch, top_json,
      counted_by_worker, top_follows, top_sort, top_screen, top_without_terminal,
      metrics_text, metrics_http, metrics_trouble])
