# SPDX-License-Identifier: GPL-2.0-or-later
"""What xenpv costs dom0 with 60 guests: CPU time, wake-ups, requests to xenstore."""

import contextlib
import json
import os
import re
import signal
import socket
import threading
import time
import urllib.request

from control_rig import EVENT, HEADER, WIRE, Failure, Rig, check
from hostcmd_rig import IMAGE, equal, main

GUESTS = 60
LIMIT = 0.01  # of one CPU
IDLE = 3.0  # seconds that are measured: the measurement itself, nothing is awaited
LOOKS = 5  # the cheapest counts: the others were disturbed
TOP_DELAY = 3  # seconds: the default
SCRAPE_INTERVAL = 15  # seconds: what Prometheus is usually told
SANITIZERS = 8  # what they make of CPU time
REQUESTS_MAX = 120  # for one guest


OPERATIONS = {number: name for name, number in WIRE.items()} | {5: "unwatch"}


class Counter:
    """Sits between xenstored and its clients and counts what they ask for."""

    def __init__(self, rig):
        self.socket = f"{rig.dir}/counted"
        self.upstream = rig.socket
        self.news = threading.Condition()
        self.asked, self.answered, self.told = [], set(), 0
        self.socks = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)]
        self.socks[0].bind(self.socket)
        self.socks[0].listen(16)
        self.start(self._accept)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for sock in self.socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    @staticmethod
    def start(function, *args):
        threading.Thread(target=function, args=args, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.socks[0].accept()[0]
                server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                server.connect(self.upstream)
                self.socks += [client, server]
                self.start(self._relay, client, server, True)
                self.start(self._relay, server, client, False)

    def _relay(self, source, target, count):
        data = b""
        with contextlib.suppress(OSError):
            while more := source.recv(65536):
                data += more
                while len(data) >= HEADER.size:
                    kind, *_, length = HEADER.unpack(data[:HEADER.size])
                    if len(data) < HEADER.size + length:
                        break
                    with self.news:
                        if count:
                            path = data[HEADER.size:HEADER.size + length].split(b"\0")[0]
                            self.asked.append((OPERATIONS.get(kind, kind), path.decode()))
                        elif kind == EVENT:
                            self.told += 1
                        else:
                            self.answered.add(OPERATIONS.get(kind, kind))
                        self.news.notify_all()
                    target.sendall(data[:HEADER.size + length])
                    data = data[HEADER.size + length:]
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def taken(self):
        """Requests since the last call, as (operation, path)."""
        with self.news:
            asked, self.asked = self.asked, []
        return asked

    def await_(self, condition, what):
        with self.news:
            check(self.news.wait_for(lambda: condition(self), 60), f"not within 60 s: {what}")


def guests(rig):
    for domid in range(1, GUESTS + 1):
        rig.domain(domid, f"g{domid}", cpu_ns=domid)
        for devid, vdev in ((51712, "xvda"), (51728, "xvdb")):
            rig.disk(domid, devid, vdev, f"/srv/{domid}{vdev}.img")
            rig.counters(f"{domid}-{devid}", 0, (domid,) * 9)
        for handle in (0, 1):
            rig.interface(domid, handle, f"02:17:42:2F:{handle:02X}:{domid:02X}", "xenbr0")
            rig.counters(f"{domid}-{handle}", 1, (domid,) * 9)
        rig.agent(domid)
    kinds = (("vbd", 51712), ("vbd", 51728), ("vif", 0), ("vif", 1))
    with open(rig.status, "w", encoding="utf-8") as f:
        json.dump({"guests": [{"domid": domid, "devices": [
            {"kind": kind, "domid": domid, "devid": devid, "counters": f"{domid}-{devid}"}
            for kind, devid in kinds]} for domid in range(1, GUESTS + 1)]}, f)


@contextlib.contextmanager
def counted(rig, *args):
    """The command, with a Counter between it and xenstored."""
    with Counter(rig) as counter:
        rig.env["XENSTORED_PATH"] = counter.socket
        command = rig.start(*args)
        yield command, counter
        command.process.send_signal(signal.SIGTERM)
        _, err = command.finish()
        equal((command.status, err), (0, ""), "end")


class Costs:
    """What a process uses from now on."""

    def __init__(self, process):
        self.clock = ~process.pid << 3 | 2  # as clock_getcpuclockid(3), for any process
        self.begin = time.clock_gettime(self.clock)

    def taken(self):
        """CPU seconds, to the nanosecond."""
        return time.clock_gettime(self.clock) - self.begin


def wakeups(process):
    """How often its threads have gone to sleep by themselves."""
    total = 0
    for task in os.listdir(f"/proc/{process.pid}/task"):
        with open(f"/proc/{process.pid}/task/{task}/status", encoding="ascii") as f:
            total += int(f.read().partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return total


def asleep(process):
    """Has it done nothing for a while? What came before is over then, on a busy machine, too."""
    before = wakeups(process)
    time.sleep(1)
    return wakeups(process) == before


def affordable(rig, seconds, interval, what):
    """This CPU time, once in an interval, is less than LIMIT."""
    with open(rig.program, "rb") as f:
        limit = LIMIT * (SANITIZERS if b"__asan_init" in f.read() else 1)
    print(f"  {what}: {seconds * 1000:.1f} ms, {seconds / interval:.2%} of a CPU if it is done "
          f"every {interval} s")
    check(seconds / interval < limit, f"{what}: {seconds} s of CPU in {interval} s")


def silent(asked):
    check(not asked, f"{len(asked)} requests while nothing changes: {asked[:3]}...")


def bounded(asked, domid, what):
    """Only what one guest has was read, and no more than it has."""
    others = [a for a in asked if not re.search(rf"/{domid}(/|$)", a[1])]
    print(f"  {what}: {len(asked)} requests")
    check(0 < len(asked) <= REQUESTS_MAX, f"{what}: {len(asked)} requests")
    check(not others, f"{what}: {others[:5]}")


def next_line(command, pattern=""):
    """The first that fits of those that are printed from now on."""
    with command.news:
        begin = len(command.lines)

        def found():
            return next((line for line in command.lines[begin:]
                         if line is None or re.search(pattern, line)), False)
        line = command.news.wait_for(found, 60)
    check(line, f"no line like {pattern}")
    return line


def scrape(where, pattern):
    """Until the page has it: within a second all get the same."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with urllib.request.urlopen(f"http://{where}/metrics", timeout=60) as reply:
            text = reply.read().decode()
        if re.search(pattern, text):
            return text
        time.sleep(0.1)
    raise Failure(f"the page never has {pattern}")


def look(rig, where, value):
    """Have the server look at everything anew, which a figure of Xen shows."""
    rig.domain(1, "g1", cpu_ns=value * 10**9)
    return scrape(where, rf'xenpv_guest_cpu_seconds_total{{guest="g1",domid="1"}} {value}\n')


def metrics_sleeps(rig):
    """The server sleeps until it is asked, and reads of xenstore what has changed."""
    guests(rig)
    with counted(rig, "metrics", "--listen", "127.0.0.1:0") as (server, counter):
        where = server.await_line(r"listening on (\S+)").group(1)
        text = look(rig, where, 1)
        equal(text.count("xenpv_guest_info{"), GUESTS + 1, "guests")
        equal(text.count("xenpv_vif_sent_bytes_total{"), 2 * GUESTS, "interfaces")
        check(len(counter.taken()) > 20 * GUESTS, "nothing was read at first")
        counter.await_(lambda c: c.told > GUESTS + 1, "events of watches that were set")
        Rig.await_(lambda: asleep(server.process), "an idle server", 60)
        cost, woken = Costs(server.process), wakeups(server.process)
        time.sleep(IDLE)
        affordable(rig, cost.taken(), IDLE, "idle")
        equal(wakeups(server.process) - woken, 0, "wake-ups while nothing happens")
        costs = []
        for value in range(2, 2 + LOOKS):
            cost = Costs(server.process)
            look(rig, where, value)
            costs.append(cost.taken())
        silent(counter.taken())
        # requests in between get the page of before, and cost next to nothing
        affordable(rig, min(costs), SCRAPE_INTERVAL, "a scrape")

        # A guest that writes all the time is heard once.
        rig.write(7, data__os_name="Debian")
        counter.await_(lambda c: "unwatch" in c.answered, "a server that does not listen")
        told = counter.told
        for i in range(100):
            rig.write(7, data__os_name=f"Debian {i}")
        scrape(where, 'guest="g7",[^\n]*os="Debian 99"')
        equal(counter.told - told, 1, "events of 100 writes: that of the new watch")
        bounded(counter.taken(), 7, "after a guest's writes")
        rig.write(0, backend__vbd__9__51712__state=5)
        scrape(where, r'vbd_connected{guest="g9",[^\n]*"xvda"[^\n]*} 0\n')
        bounded(counter.taken(), 9, "after a disk's")
        rig.gone(60)
        rig.domain(70, "g70")
        rig.agent(70)
        text = scrape(where, 'guest="g70"')
        check('guest="g60"' not in text, "g60 is still there")
        bounded([a for a in counter.taken() if a[0] != "unwatch"], 70, "after a guest's start")


def top_sleeps(rig):
    """A look asks xenstore for nothing that has not changed, and is cheap."""
    guests(rig)
    equal(len(rig.json("list")), GUESTS + 1, "guests")
    equal(sum(d["io"]["reads"] for g in rig.json("metrics")["guests"] for d in g["vbds"]),
          2 * sum(range(1, GUESTS + 1)), "reads of all")
    with counted(rig, "top", "--json", "--delay", "1", "--iterations", "1000000") as (top, counter):
        top.await_line('"g60"')
        next_line(top)
        check(len(counter.taken()) > 10 * GUESTS, "nothing was read at first")
        costs = []
        for _ in range(LOOKS):
            cost = Costs(top.process)
            next_line(top)
            costs.append(cost.taken())
        silent(counter.taken())
        affordable(rig, min(costs), TOP_DELAY, "a look of top")
        rig.disk(7, 51744, "xvdc", IMAGE)
        next_line(top, '"xvdc"')
        bounded(counter.taken(), 7, "after an attach")


if __name__ == "__main__":
    main([metrics_sleeps, top_sleeps])
