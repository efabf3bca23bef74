# SPDX-License-Identifier: GPL-2.0-or-later
"""I/O that cases keep running while they do something to the disk."""

from harness import CaseFailed

# Writes the whole area in random order and reads it back, comparing checksums.
_FIO = (
    "fio --thread --direct=1 --ioengine=libaio --rw=randwrite --bs={bs} --iodepth={depth} "
    "--size={size} --verify=crc32c --verify_fatal=1 --do_verify=1 --output-format=terse {jobs}"
)


def fio(*vdevs, size="2M", bs="4k", depth=16):
    """A command that writes and verifies an area of each disk, all at the same time."""
    jobs = " ".join(f"--name={vdev} --filename=/dev/{vdev}" for vdev in vdevs)
    return _FIO.format(bs=bs, depth=depth, size=size, jobs=jobs)


class VerifiedIo:
    """fio in the background, pass after pass, until stop()."""

    def __init__(self, guest, vdev, size="2M", **options):
        self._guest = guest
        self._vdev = vdev
        self._flag = f"/tmp/stop-{vdev}"
        command = fio(vdev, size=size, **options)
        self._job = guest.start(
            f"rm -f {self._flag}; while [ ! -e {self._flag} ]; do {command} >/tmp/fio-{vdev} 2>&1 "
            f"|| {{ cat /tmp/fio-{vdev} >&2; exit 1; }}; echo >>/tmp/passes-{vdev}; done"
        )

    def passes(self):
        """Passes finished so far."""
        result = self._guest.run(f"wc -l </tmp/passes-{self._vdev}", check=False)
        return int(result.out) if result.rc == 0 else 0

    def await_pass(self, env, timeout=60):
        """Wait until one more pass has begun and ended: I/O flows, data is right."""
        want = self.passes() + 2

        def reached():
            if self._job.done:
                self.stop()
            return self.passes() >= want

        env.await_(reached, f"verified I/O on {self._vdev} to go on", timeout)

    def stop(self, timeout=60):
        """Let the pass in progress end. Raises if any read back wrong or failed."""
        self._guest.run(f"touch {self._flag}")
        result = self._job.wait(timeout)
        if result.rc != 0:
            said = " ".join((result.err + result.out).split())[-500:]
            raise CaseFailed(f"fio on {self._vdev} failed: {said}")
        return self.passes()
