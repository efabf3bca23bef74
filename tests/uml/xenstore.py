# SPDX-License-Identifier: GPL-2.0-or-later
"""A xenstore client over the daemon's socket (xen/io/xs_wire.h), for the toolstack's part."""

import queue
import socket
import struct
import threading

HEADER = struct.Struct("<IIII")  # type, req_id, tx_id, len

(
    XS_CONTROL,
    XS_DIRECTORY,
    XS_READ,
    XS_GET_PERMS,
    XS_WATCH,
    XS_UNWATCH,
    XS_TRANSACTION_START,
    XS_TRANSACTION_END,
    XS_INTRODUCE,
    XS_RELEASE,
    XS_GET_DOMAIN_PATH,
    XS_WRITE,
    XS_MKDIR,
    XS_RM,
    XS_SET_PERMS,
    XS_WATCH_EVENT,
    XS_ERROR,
) = range(17)


class XenstoreError(OSError):
    """A refused request; .name is the error as the daemon spells it, e.g. ENOENT."""

    def __init__(self, name, what):
        super().__init__(f"xenstore: {what}: {name}")
        self.name = name


class Watch:
    """Events of one watch; get() returns the path that changed."""

    def __init__(self, store, path, token):
        self.store, self.path, self.token = store, path, token
        self.events = queue.Queue()

    def get(self, timeout):
        """The next path, or None when time is up."""
        try:
            return self.events.get(timeout=max(0, timeout))
        except queue.Empty:
            return None

    def close(self):
        self.store._unwatch(self)


class Xenstore:
    """One connection, usable from several threads."""

    def __init__(self, path, timeout=20):
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(timeout)
        self._sock.connect(path)
        self._sock.settimeout(None)
        self._timeout = timeout
        self._lock = threading.Lock()
        self._answers = {}
        self._watches = {}
        self._next = 0
        self._closed = False
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()

    def _read_exactly(self, size):
        data = b""
        while len(data) < size:
            piece = self._sock.recv(size - len(data))
            if not piece:
                raise ConnectionError("xenstored is gone")
            data += piece
        return data

    def _receive(self):
        try:
            while True:
                kind, req, _, size = HEADER.unpack(self._read_exactly(HEADER.size))
                body = self._read_exactly(size)
                if kind == XS_WATCH_EVENT:
                    path, token = body.split(b"\0")[:2]
                    watch = self._watches.get(token.decode())
                    if watch:
                        watch.events.put(path.decode())
                else:
                    answer = self._answers.pop(req, None)
                    if answer:
                        answer.put((kind, body))
        except OSError:
            pass
        self._closed = True
        for answer in list(self._answers.values()):
            answer.put((XS_ERROR, b"EIO\0"))

    def _call(self, kind, body, what, transaction=0):
        return self._calls([(kind, body)], what, transaction)[0]

    def _calls(self, requests, what, transaction=0):
        """Several requests, (type, body) each, without waiting in between; their answers."""
        answers = [queue.Queue() for _ in requests]
        with self._lock:
            if self._closed:
                raise XenstoreError("EIO", what)
            message = b""
            for answer, (kind, body) in zip(answers, requests):
                self._next += 1
                self._answers[self._next] = answer
                message += HEADER.pack(kind, self._next, transaction, len(body)) + body
            self._sock.sendall(message)
        return [self._answer(answer, what) for answer in answers]

    def _answer(self, answer, what):
        try:
            got, data = answer.get(timeout=self._timeout)
        except queue.Empty:
            raise XenstoreError("ETIMEDOUT", what) from None
        if got == XS_ERROR:
            raise XenstoreError(data.rstrip(b"\0").decode(), what)
        return data

    def read(self, path, transaction=0):
        """The value of a node as text, or None."""
        try:
            return self._call(XS_READ, path.encode() + b"\0", f"read {path}", transaction).decode()
        except XenstoreError as error:
            if error.name == "ENOENT":
                return None
            raise

    def write(self, path, value, transaction=0):
        body = path.encode() + b"\0" + str(value).encode()
        self._call(XS_WRITE, body, f"write {path}", transaction)

    def mkdir(self, path, transaction=0):
        self._call(XS_MKDIR, path.encode() + b"\0", f"mkdir {path}", transaction)

    def remove(self, path, transaction=0):
        """Remove a tree; nothing happens when it is not there."""
        try:
            self._call(XS_RM, path.encode() + b"\0", f"rm {path}", transaction)
        except XenstoreError as error:
            if error.name != "ENOENT":
                raise

    def list(self, path, transaction=0):
        """Names below a node; [] when it is not there."""
        try:
            body = self._call(XS_DIRECTORY, path.encode() + b"\0", f"list {path}", transaction)
        except XenstoreError as error:
            if error.name == "ENOENT":
                return []
            raise
        return [name.decode() for name in body.split(b"\0") if name]

    def permissions(self, path, *perms, transaction=0):
        """Set permissions: the first names the owner, e.g. "n0", "r5"."""
        body = b"\0".join(p.encode() for p in (path,) + perms) + b"\0"
        self._call(XS_SET_PERMS, body, f"permissions of {path}", transaction)

    def directory(self, path, perms, values, transaction=0):
        """Make a directory with these permissions, and nodes in it."""
        requests = [
            (XS_MKDIR, path.encode() + b"\0"),
            (XS_SET_PERMS, b"\0".join(p.encode() for p in (path, *perms)) + b"\0"),
        ]
        for key, value in values.items():
            requests.append((XS_WRITE, f"{path}/{key}\0{value}".encode()))
        self._calls(requests, f"make {path}", transaction)

    def transaction(self, function):
        """Run function(id) in a transaction, again as long as it collides with others."""
        while True:
            tx = int(self._call(XS_TRANSACTION_START, b"\0", "transaction").rstrip(b"\0"))
            try:
                result = function(tx)
            except BaseException:
                self._call(XS_TRANSACTION_END, b"F\0", "transaction", tx)
                raise
            try:
                self._call(XS_TRANSACTION_END, b"T\0", "transaction", tx)
                return result
            except XenstoreError as error:
                if error.name != "EAGAIN":
                    raise

    def introduce(self, domid, gfn, port):
        body = b"".join(str(n).encode() + b"\0" for n in (domid, gfn, port))
        self._call(XS_INTRODUCE, body, f"introduce domain {domid}")

    def release(self, domid):
        try:
            self._call(XS_RELEASE, f"{domid}\0".encode(), f"release domain {domid}")
        except XenstoreError as error:
            if error.name != "ENOENT":
                raise

    def watch(self, path):
        """Watch a path (or @releaseDomain); the first event comes at once."""
        with self._lock:
            self._next += 1
            token = f"w{self._next}"
        watch = Watch(self, path, token)
        self._watches[token] = watch
        self._call(XS_WATCH, f"{path}\0{token}\0".encode(), f"watch {path}")
        return watch

    def _unwatch(self, watch):
        if self._watches.pop(watch.token, None) and not self._closed:
            try:
                self._call(
                    XS_UNWATCH, f"{watch.path}\0{watch.token}\0".encode(), f"unwatch {watch.path}"
                )
            except XenstoreError:
                pass

    def dump(self, path="/"):
        """All nodes below a path as lines, for the logs."""
        lines = []

        def visit(node):
            if node != "/":
                lines.append(f"{node} = {self.read(node)!r}")
            for name in self.list(node):
                visit(f"{node.rstrip('/')}/{name}")

        visit(path)
        return "\n".join(lines) + "\n"

    def close(self):
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._thread.join(5)
        self._sock.close()
