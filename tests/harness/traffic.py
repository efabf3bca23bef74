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
    guest.run(f"traffic all {' '.join(addresses)} --bytes {size}", timeout=timeout)


class Job:
    """A program in a guest that ends on SIGTERM; its output can be read while it runs."""

    def __init__(self, guest, command):
        self._guest = guest
        self._file = f"/tmp/job-{id(self):x}"
        self._job = guest.start(
            f"{command} >{self._file} & echo $! >{self._file}.pid; wait $!"
        )

    @property
    def done(self):
        return self._job.done

    def output(self):
        return self._guest.run(f"cat {self._file}", check=False).out

    def stop(self, timeout=60):
        """End it in order; returns its report, or raises when it ended with an error."""
        self._guest.run(f"kill -TERM $(cat {self._file}.pid)", check=False)
        done = self._job.wait(timeout)
        text = self.output()
        if done.rc != 0:
            said = " ".join((done.err + text[-200:]).split())[-300:]
            raise CaseFailed(f"a program in the guest ended with {done.rc}: {said}")
        return result(text)


class Stream(Job):
    """A TCP stream to a server and back, each byte checked, until stop()."""

    def __init__(self, env, guest, address, rate="512K", timeout=120):
        self._env = env
        super().__init__(
            guest,
            f"traffic stream {address} --seconds 3600 --rate {rate} --progress 200 "
            f"--timeout {timeout}",
        )

    def received(self):
        """Bytes that have come back so far."""
        lines = self.output().splitlines()
        return json.loads(lines[-1]).get("received", 0) if lines else 0

    def await_progress(self, what, timeout=30):
        """Wait until bytes come back that were not there when this was called."""
        begun = self.received()

        def moved():
            if self.done:
                self.stop()
                raise CaseFailed(f"the stream ended {what}")
            return self.received() > begun

        self._env.await_(moved, f"the stream to go on {what}", timeout)
