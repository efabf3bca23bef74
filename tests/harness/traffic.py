# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic of a guest, made and checked by the program `traffic` (tests/net-tools)."""

import json

from .bench import CaseFailed


def result(text):
    """What `traffic` reported: the last line of its output."""
    lines = text.strip().splitlines()
    if not lines:
        raise CaseFailed("traffic reported nothing")
    return json.loads(lines[-1])


def compare(guest, addresses, size="256K", timeout=60):
    """TCP and UDP both ways with each address of a server, checksums compared at both ends."""
    for address in addresses:
        for proto in ("tcp", "udp"):
            for direction in ("send", "receive"):
                command = f"traffic {direction} {address} --proto {proto} --bytes {size}"
                done = guest.run(command, timeout=timeout, check=False)
                if done.rc != 0:
                    said = " ".join((done.err or done.out).split())[-300:]
                    raise CaseFailed(f"`{command}` ended with {done.rc}: {said}")


class Stream:
    """A TCP stream to a server and back, each byte checked, until stop()."""

    def __init__(self, env, guest, address, rate="512K", timeout=120):
        self._env = env
        self._guest = guest
        self._flag = f"/tmp/stream-{id(self):x}"
        # Progress goes to a file: how far it is can be asked while it runs.
        self._job = guest.start(
            f"traffic stream {address} --seconds 3600 --rate {rate} --progress 200 "
            f"--timeout {timeout} >{self._flag} & echo $! >{self._flag}.pid; wait $!"
        )

    def received(self):
        """Bytes that have come back so far."""
        lines = self._guest.run(f"cat {self._flag}", check=False).out.splitlines()
        return json.loads(lines[-1]).get("received", 0) if lines else 0

    def await_progress(self, what, timeout=30):
        """Wait until bytes come back that were not there when this was called."""
        begun = self.received()

        def moved():
            if self._job.done:
                self.stop()
                raise CaseFailed(f"the stream ended {what}")
            return self.received() > begun

        self._env.await_(moved, f"the stream to go on {what}", timeout)

    def stop(self, timeout=60):
        """End it in order; returns its report, or raises when a byte was lost or wrong."""
        self._guest.run(f"kill -TERM $(cat {self._flag}.pid)", check=False)
        done = self._job.wait(timeout)
        text = self._guest.run(f"cat {self._flag}", check=False).out
        if done.rc != 0:
            said = " ".join((done.err + text[-200:]).split())[-300:]
            raise CaseFailed(f"the stream ended with {done.rc}: {said}")
        return result(text)
