# SPDX-License-Identifier: GPL-2.0-or-later
"""The test machine's end of the control channel (tests/lab/labd/proto.h)."""

import os
import socket
import struct
import threading
import time
from dataclasses import dataclass

HEADER = struct.Struct("<IIHBB")
FRAME_MAX = 64 * 1024
HELLO, RUN, KILL, PUT, GUEST_OPEN, GUEST_MOVE, GUEST_CLOSE = 1, 2, 3, 4, 8, 9, 10
OUT, ERR, EXIT = 16, 17, 18
PUT_FIRST, PUT_LAST = 1, 2
VERSION = 1
TIMED_OUT = 124

# How much longer than the command's own limit its answer may take, in seconds.
GRACE = 30
# How often to ask whether a domain that does not answer yet is alive, in seconds.
ALIVE_INTERVAL = 10


class ChannelError(Exception):
    """dom0 or the guest does not answer, or refuses the request."""


@dataclass
class Output:
    """How a command ended; out and err are bytes."""

    rc: int
    out: bytes
    err: bytes


class Request:
    """One request on its way; answers collect in it."""

    def __init__(self, channel, ident, domid, limit):
        self._channel = channel
        self.ident = ident
        self.domid = domid
        self.limit = limit
        self.out = bytearray()
        self.err = bytearray()
        self.status = None
        self.failure = None
        self._done = threading.Event()

    @property
    def done(self):
        return self._done.is_set()

    def answer(self, kind, payload):
        """Called by the reader thread for each frame."""
        if kind == OUT:
            self.out += payload
        elif kind == ERR:
            self.err += payload
        else:
            self.status = struct.unpack("<i", payload[:4])[0]
            self._done.set()

    def fail(self, why):
        self.failure = why
        self._done.set()

    def answered(self, timeout):
        """Wait so many seconds at most. Returns whether the end has come."""
        return self._done.wait(timeout)

    def wait(self, timeout=None):
        """Wait for the end. Returns Output; raises ChannelError when none comes in time."""
        if not self._done.wait(self.limit + GRACE if timeout is None else timeout):
            raise ChannelError(f"domain {self.domid} did not answer within {self.limit:g} s")
        if self.failure:
            raise ChannelError(self.failure)
        return Output(self.status, bytes(self.out), bytes(self.err))

    def kill(self):
        """Kill the command; wait() then returns soon."""
        self._channel.send(KILL, self.domid, b"", ident=self.ident)


class Channel:
    """Requests to labd in dom0 and, relayed by it, in guests. Usable from many threads."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._send_lock = threading.Lock()
        self._lock = threading.Lock()
        self._requests = {}
        self._ident = int.from_bytes(os.urandom(3), "little") << 8
        self._closed = None
        self._reader = threading.Thread(target=self._read, name="lab-channel", daemon=True)
        self._reader.start()

    def close(self):
        self._fail("the lab is shut down")
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()

    def _fail(self, why):
        with self._lock:
            self._closed = self._closed or why
            waiting = list(self._requests.values())
            self._requests.clear()
        for request in waiting:
            request.fail(why)

    def _receive(self, count):
        data = bytearray()
        while len(data) < count:
            piece = self._socket.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def _read(self):
        try:
            while True:
                length, ident, _domid, kind, _flags = HEADER.unpack(self._receive(HEADER.size))
                if length > FRAME_MAX:
                    raise EOFError
                payload = self._receive(length)
                with self._lock:
                    request = self._requests.get(ident)
                    if request and kind in (EXIT, HELLO):
                        del self._requests[ident]
                if request:
                    request.answer(kind, payload)
        except (OSError, EOFError):
            self._fail("the lab's machine is gone")

    def send(self, kind, domid, payload, flags=0, ident=0):
        """Send one frame."""
        frame = HEADER.pack(len(payload), ident, domid, kind, flags) + payload
        with self._send_lock:
            try:
                self._socket.sendall(frame)
            except OSError as error:
                raise ChannelError(self._closed or f"the lab's machine is gone: {error}") from error

    def _request(self, domid, limit):
        with self._lock:
            if self._closed:
                raise ChannelError(self._closed)
            self._ident = (self._ident + 1) & 0xFFFFFFFF
            request = Request(self, self._ident, domid, limit)
            self._requests[request.ident] = request
        return request

    def hello(self, domid, timeout, alive=None):
        """Wait until labd in that domain answers, as long as alive(), if given, says true."""
        request = self._request(domid, timeout)
        self.send(HELLO, domid, b"", ident=request.ident)
        end = time.monotonic() + timeout
        while alive and not request.done and time.monotonic() < end:
            if not request.answered(ALIVE_INTERVAL) and not alive():
                raise ChannelError(f"domain {domid} is no longer there or stopped by itself")
        output = request.wait(max(0, end - time.monotonic()))
        if output.rc != VERSION:
            raise ChannelError(f"labd in domain {domid} answers {output.rc}, want {VERSION}")

    def start(self, domid, command, timeout):
        """Start a shell command that is killed after timeout seconds. Returns a Request."""
        request = self._request(domid, timeout)
        text = command.encode()
        if len(text) > FRAME_MAX - 4:
            raise ChannelError(f"a command of {len(text)} bytes is too long")
        self.send(RUN, domid, struct.pack("<I", int(timeout * 1000)) + text, ident=request.ident)
        return request

    def run(self, domid, command, timeout=60):
        return self.start(domid, command, timeout).wait()

    def put(self, domid, path, data, mode=0o644, timeout=120):
        """Store a file in one step: it appears complete."""
        request = self._request(domid, timeout)
        head = struct.pack("<I", mode) + str(path).encode() + b"\0"
        step = FRAME_MAX - len(head)
        offset = 0
        while True:
            piece = data[offset : offset + step]
            flags = (PUT_FIRST if offset == 0 else 0) | (
                PUT_LAST if offset + step >= len(data) else 0
            )
            self.send(PUT, domid, head + piece, flags, request.ident)
            offset += step
            if flags & PUT_LAST or request.done:
                break
        output = request.wait()
        if output.rc != 0:
            raise ChannelError(f"cannot write {path}: {os.strerror(-output.rc)}")

    def get(self, domid, path, timeout=120):
        """The contents of a file."""
        output = self.run(domid, f"cat -- '{path}'", timeout)
        if output.rc != 0:
            raise ChannelError(output.err.decode(errors="replace").strip())
        return output.out

    def _relay(self, kind, *domids):
        request = self._request(0, 30)
        self.send(kind, 0, struct.pack(f"<{len(domids)}H", *domids), ident=request.ident)
        output = request.wait()
        if output.rc != 0:
            raise ChannelError(f"relay to domain {domids[0]}: {os.strerror(-output.rc)}")

    def guest_open(self, domid):
        self._relay(GUEST_OPEN, domid)

    def guest_move(self, old, new):
        """The guest was restored under another domain id; its stream goes on."""
        self._relay(GUEST_MOVE, old, new)

    def guest_close(self, domid):
        """Stop relaying; open requests to that guest fail."""
        self._relay(GUEST_CLOSE, domid)
        with self._lock:
            lost = [r for r in self._requests.values() if r.domid == domid]
            for request in lost:
                del self._requests[request.ident]
        for request in lost:
            request.fail(f"domain {domid} is gone")
