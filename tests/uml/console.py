# SPDX-License-Identifier: GPL-2.0-or-later
"""The bench's end of a guest's command channel; the other end is guest/init.c."""

import os
import socket
import struct
import threading

from harness import CaseFailed, Result

FRAME = struct.Struct("<III")  # type, id, length
RUN, READ, INSMOD, KILL, CRASH, WRITE = range(1, 7)
READY, OUT, ERR, EXIT = range(16, 20)


class Pending:
    """A command in the guest that has not ended."""

    def __init__(self, console, number, what):
        self._console, self.number, self.what = console, number, what
        self._done = threading.Event()
        self._out, self._err = [], []
        self._status = None

    def _frame(self, kind, data):
        if kind == OUT:
            self._out.append(data)
        elif kind == ERR:
            self._err.append(data)
        elif kind == EXIT:
            self._status = struct.unpack("<i", data)[0]
            self._done.set()

    def _abandon(self):
        self._done.set()

    @property
    def done(self):
        return self._done.is_set()

    def kill(self):
        self._console._send(KILL, self.number, b"")

    def wait(self, timeout=60):
        """Wait for the end and return a Result."""
        if not self._done.wait(timeout):
            self.kill()
            raise CaseFailed(f"guest: not done after {timeout} s: {self.what}")
        if self._status is None:
            raise CaseFailed(f"guest: it ended during: {self.what}")
        out, err = (b"".join(x).decode(errors="replace") for x in (self._out, self._err))
        return Result(self._status, out, err)

    @property
    def output(self):
        """Standard output so far, as bytes."""
        return b"".join(self._out)


class Console:
    """Frames over a socket; several commands may run at a time."""

    def __init__(self):
        self._sock, self._guest_end = socket.socketpair()
        self.fd = self._guest_end.fileno()
        self._lock = threading.Lock()
        self._next = 0
        self._pending = {}
        self._ready = threading.Event()
        self.lost = False
        self._thread = threading.Thread(target=self._receive, daemon=True)

    def started(self):
        """The guest has its end by now."""
        self._guest_end.close()
        self._thread.start()

    def _read_exactly(self, size):
        data = b""
        while len(data) < size:
            piece = self._sock.recv(size - len(data))
            if not piece:
                raise ConnectionError("end of the guest")
            data += piece
        return data

    def _receive(self):
        try:
            while True:
                kind, number, size = FRAME.unpack(self._read_exactly(FRAME.size))
                data = self._read_exactly(size)
                if kind == READY:
                    self._ready.set()
                elif kind == EXIT:
                    pending = self._pending.pop(number, None)
                    if pending:
                        pending._frame(kind, data)
                elif number in self._pending:
                    self._pending[number]._frame(kind, data)
        except OSError:
            pass
        self.lost = True
        self._ready.set()
        for pending in list(self._pending.values()):
            pending._abandon()

    def _send(self, kind, number, data):
        with self._lock:
            try:
                self._sock.sendall(FRAME.pack(kind, number, len(data)) + data)
            except OSError:
                self.lost = True

    def wait_ready(self, timeout):
        return self._ready.wait(timeout) and not self.lost

    def request(self, kind, data, what):
        with self._lock:
            self._next += 1
            pending = Pending(self, self._next, what)
            self._pending[self._next] = pending
        self._send(kind, pending.number, data)
        if self.lost:
            pending._abandon()
        return pending

    def run(self, command):
        return self.request(RUN, command.encode(), command)

    def read(self, path, timeout=20):
        """A file's content or a directory's names, or None when it cannot be opened."""
        return self.content(self.reading(path), timeout)

    def reading(self, path):
        """Begin to read, for content() to end; several may be under way."""
        return self.request(READ, path.encode(), path)

    @staticmethod
    def content(reading, timeout=20):
        """What reading() read, as read() returns it."""
        result = reading.wait(timeout)
        if result.rc in (-2, -6, -19):  # ENOENT, ENXIO, ENODEV
            return None
        if result.rc:
            raise CaseFailed(f"guest: {reading.what}: {os.strerror(-result.rc)}")
        return result.out

    def write(self, path, text):
        """Begin to write a file that is there already."""
        return self.request(WRITE, f"{path}\0{text}".encode(), f"write {path}")

    def exists(self, path, timeout=20):
        """Whether there is a file or directory of this name."""
        return self.reading(path).wait(timeout).rc not in (-2, -6, -19)

    def read_bytes(self, path, timeout=20):
        """A file's content as it is."""
        pending = self.request(READ, path.encode(), f"read {path}")
        if pending.wait(timeout).rc:
            raise CaseFailed(f"guest: cannot read {path}")
        return pending.output

    def insmod(self, path, parameters=""):
        what = f"insmod {os.path.basename(path)} {parameters}".strip()
        return self.request(INSMOD, f"{path}\0{parameters}".encode(), what)

    def crash(self):
        """Make the guest's kernel panic."""
        self._send(CRASH, 0, b"")

    def close(self):
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        if self._thread.is_alive():
            self._thread.join(5)
        self._sock.close()
