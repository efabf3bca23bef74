# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of the hub's control operations; the wire format is tools/backend/host/loop-proto.h."""

import os
import socket
import struct
import threading

MESSAGE = struct.Struct("<IIiIII6Q32x")  # op, seq, result, domid, port, gen, arg[6]; stat[] is 10
STATS = struct.Struct("<IIiIII10Q")
assert MESSAGE.size == STATS.size

LOOP_INFO, LOOP_STATS = 6, 7
LOOP_CREATE, LOOP_UNPAUSE, LOOP_DESTROY, LOOP_RESUME, LOOP_SUBSCRIBE, LOOP_EVENT = range(32, 38)

REGISTERED, RUNNING, SHUTDOWN, DEAD = 1, 2, 4, 8
POWEROFF, REBOOT, SUSPEND, CRASH = range(4)

STAT_NAMES = (
    "map_calls maps unmap_calls unmaps copy_calls copies "
    "notifies upcalls guest_sends guest_wakeups"
).split()


class HubError(OSError):
    """The hub refused an operation."""


class Info:
    """What the hub knows of a domain."""

    def __init__(self, port, args):
        self.store_port = port
        self.flags, self.reason, self.store_gfn, self.pinned, self.bindings = args[:5]


class Hub:
    """One connection for calls and one for the events that domains cause."""

    def __init__(self, path):
        self._sock = self._connect(path)
        self._lock = threading.Lock()
        self._seq = 0
        self._events = self._connect(path)
        self._infos = {}
        self._changed = threading.Condition()
        self._call_on(self._events, LOOP_SUBSCRIBE)
        self._events.settimeout(None)
        self._thread = threading.Thread(target=self._receive_events, daemon=True)
        self._thread.start()

    @staticmethod
    def _connect(path):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.settimeout(20)
        sock.connect(path)
        return sock

    def _call_on(self, sock, op, domid=0, port=0):
        self._seq += 1
        sock.send(MESSAGE.pack(op, self._seq, 0, domid, port, 0, 0, 0, 0, 0, 0, 0))
        data, fds, _, _ = socket.recv_fds(sock, MESSAGE.size, 4)
        if len(data) != MESSAGE.size:
            raise HubError("the hub is gone")
        result = MESSAGE.unpack(data)[2]
        if result < 0:
            for fd in fds:
                os.close(fd)
            raise HubError(-result, f"hub operation {op} on domain {domid}: {os.strerror(-result)}")
        return data, fds

    def _call(self, op, domid=0, port=0):
        with self._lock:
            return self._call_on(self._sock, op, domid, port)

    def _receive_events(self):
        try:
            while True:
                data = self._events.recv(MESSAGE.size)
                if len(data) != MESSAGE.size:
                    break
                op, _, _, domid, port, _, *args = MESSAGE.unpack(data)
                if op == LOOP_EVENT:
                    with self._changed:
                        self._infos[domid] = Info(port, args)
                        self._changed.notify_all()
        except OSError:
            pass
        with self._changed:
            self._infos = None
            self._changed.notify_all()

    def create(self, domid=0):
        """A new domain: its id, and the descriptor of the socket that its process must have."""
        data, fds = self._call(LOOP_CREATE, domid)
        return MESSAGE.unpack(data)[3], fds[0]

    def unpause(self, domid):
        self._call(LOOP_UNPAUSE, domid)

    def destroy(self, domid):
        self._call(LOOP_DESTROY, domid)

    def resume(self, domid):
        """Let a suspended domain go on as a new one; returns the new id."""
        data, _ = self._call(LOOP_RESUME, domid)
        return MESSAGE.unpack(data)[3]

    def info(self, domid):
        """Info of a domain, or None when it is gone."""
        try:
            data, _ = self._call(LOOP_INFO, domid)
        except HubError as error:
            if error.errno == 3:  # ESRCH
                return None
            raise
        _, _, _, _, port, _, *args = MESSAGE.unpack(data)
        return Info(port, args)

    def stats(self, domid):
        """Counters of hypercall-like operations by name."""
        data, _ = self._call(LOOP_STATS, domid)
        return dict(zip(STAT_NAMES, STATS.unpack(data)[6:]))

    def wait(self, domid, flags, timeout):
        """Wait until a domain has one of the flags; Info, or None when time is up."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._infos is None
                or (domid in self._infos and self._infos[domid].flags & flags),
                timeout,
            )
            if self._infos is None:
                raise HubError("the hub is gone")
            info = self._infos.get(domid)
            return info if info and info.flags & flags else None

    def close(self):
        for sock in (self._sock, self._events):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._thread.join(5)
        self._sock.close()
        self._events.close()
