# SPDX-License-Identifier: GPL-2.0-or-later
"""What xl and libxl 4.17 do to xenstore for a domain and its disks, step by step."""

import os
import re
import stat
import time

from .toolstack_vif import Vifs

# xen/io/xenbus.h
INIT_WAIT, CLOSING, CLOSED = "2", "5", "6"

INIT_TIMEOUT = 10  # LIBXL_INIT_TIMEOUT
DESTROY_TIMEOUT = 10  # LIBXL_DESTROY_TIMEOUT


class ToolstackError(Exception):
    """xl would print this and exit with an error."""


def devid(vdev):
    """
    The number of a virtual device name, as docs/misc/vbd-interface encodes it. Interfaces are
    called vif0, vif1, ... here.
    """
    if re.fullmatch(r"vif\d+", vdev):
        return int(vdev[3:])
    match = re.fullmatch(r"(xvd|hd|sd)([a-z]+)(\d*)", vdev)
    if not match:
        raise ToolstackError(f"bad vdev {vdev!r}")
    kind, letters, digits = match.groups()
    disk = 0
    for letter in letters:
        disk = disk * 26 + ord(letter) - ord("a") + 1
    disk -= 1
    part = int(digits or 0)
    if kind == "xvd":
        if disk < 16 and part < 16:
            return 202 << 8 | disk << 4 | part
        return 1 << 28 | disk << 8 | part
    if kind == "sd":
        return 8 << 8 | disk << 4 | part
    return (3 if disk < 2 else 22) << 8 | (disk & 1) << 6 | part


class Toolstack(Vifs):
    """Acts as libxl of domain 0."""

    def __init__(self, store, network=None):
        self.store = store
        self.network = network
        store.write("/local/domain/0/domid", 0)
        store.write("/local/domain/0/name", "Domain-0")
        store.permissions("/local/domain/0", "n0")
        store.mkdir("/libxl")

    def create(self, domid, name, store_gfn, store_port):
        """The nodes of a new domain, and its introduction to xenstored."""
        path = f"/local/domain/{domid}"

        # Permissions can name a domain only once xenstored knows it.
        self.store.introduce(domid, store_gfn, store_port)

        def nodes(tx):
            self.store.mkdir(path, tx)
            self.store.permissions(path, "n0", f"r{domid}", transaction=tx)
            for directory in ("cpu", "memory", "device", "control"):
                self.store.mkdir(f"{path}/{directory}", tx)
                self.store.permissions(
                    f"{path}/{directory}", "n0", f"r{domid}", transaction=tx
                )
            writable = (
                "control/shutdown control/feature-poweroff control/feature-reboot "
                "control/feature-suspend device/suspend/event-channel data drivers "
                "feature attr error"
            )
            for directory in writable.split():
                self.store.mkdir(f"{path}/{directory}", tx)
                self.store.permissions(f"{path}/{directory}", f"n{domid}", transaction=tx)
            self.store.write(f"{path}/name", name, tx)
            self.store.write(f"{path}/domid", domid, tx)
            self.store.write(f"{path}/store/port", store_port, tx)
            self.store.write(f"{path}/store/ring-ref", store_gfn, tx)
            self.store.mkdir(f"/libxl/{domid}/device", tx)

        self.store.transaction(nodes)

    def paths(self, domid, vdev):
        number, kind = devid(vdev), "vif" if vdev.startswith("vif") else "vbd"
        return (
            f"/local/domain/0/backend/{kind}/{domid}/{number}",
            f"/local/domain/{domid}/device/{kind}/{number}",
            f"/libxl/{domid}/device/{kind}/{number}",
        )

    @staticmethod
    def check_target(disk):
        """libxl_linux.c: without a script the target has to be a file or a block device."""
        if "script" in disk.options:
            return
        try:
            mode = os.stat(disk.path).st_mode
        except OSError as error:
            raise ToolstackError(f"{disk.path}: {error.strerror}") from error
        if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
            raise ToolstackError(f"{disk.path}: no regular file and no block device")

    def disk_nodes(self, domid, disk):
        """The transaction of device_disk_add()."""
        backend, frontend, _ = self.paths(domid, disk.vdev)
        script = disk.options.get("script", "block")
        number = devid(disk.vdev)
        back = {
            "frontend": frontend,
            "params": disk.path,
            "script": script if "/" in script else f"/etc/xen/scripts/{script}",
            "frontend-id": domid,
            "online": 1,
            "removable": 0,
            "bootable": 1,
            "state": 1,
            "dev": disk.vdev,
            "type": "phy",
            "mode": disk.mode,
            "device-type": "disk",
            "discard-enable": disk.options.get("discard", "1"),
            "specification": "xen",
        }
        front = {
            "backend": backend,
            "backend-id": 0,
            "state": 1,
            "virtual-device": number,
            "device-type": "disk",
            "trusted": disk.options.get("trusted", "1"),
        }
        self.write_device(domid, disk.vdev, back, front)

    def write_device(self, domid, vdev, back, front):
        """The nodes of a device at its three places (libxl__device_generic_add)."""
        backend, frontend, libxl = self.paths(domid, vdev)
        ours = f"n{domid}", "r0"
        theirs = "n0", f"r{domid}"

        def nodes(tx):
            if self.store.read(f"{libxl}/backend", tx) is not None:
                raise ToolstackError(f"domain {domid} has a {vdev} already")
            for path, values, perms in (
                (backend, back, theirs),
                (frontend, front, ours),
                (libxl, {"frontend": frontend, "backend": backend, **front}, ("n0",)),
            ):
                self.store.directory(path, perms, values, tx)

        self.store.transaction(nodes)

    def _await(self, path, wanted, timeout):
        """libxl__ev_devstate_wait: True when the node has the value, None when it vanished."""
        watch = self.store.watch(path)
        end = time.monotonic() + timeout
        try:
            while True:
                # The first event of a watch comes at once; each may mean a new value.
                if watch.get(end - time.monotonic()) is None:
                    return False
                value = self.store.read(path)
                if value is None:
                    return None
                if value == wanted:
                    return True
        finally:
            watch.close()

    def hotplug_add(self, domid, disk):
        """
        /etc/xen/scripts/block add, as far as a backend can see it. There need not be a loop
        device on this machine, so for a file one that nobody opens is named.
        """
        backend = self.paths(domid, disk.vdev)[0]
        target = self.store.read(f"{backend}/params")
        if self.store.read(f"{backend}/physical-device") is not None:
            return True
        try:
            st = os.stat(target)
        except OSError:
            st = None
        if "script" in disk.options:
            self.store.write(f"{backend}/physical-device-path", target)
            self.store.write(f"{backend}/hotplug-status", "connected")
            return True
        if st and stat.S_ISBLK(st.st_mode):
            number, node = st.st_rdev, target
        elif st and stat.S_ISREG(st.st_mode):
            if self.store.read(f"{backend}/state") != INIT_WAIT:
                return False  # "Path closed or removed during hotplug add"
            number, node = os.makedev(7, devid(disk.vdev) & 0xFF), "/dev/loop0"
            self.store.write(f"{backend}/node", node)
        else:
            return False
        self.store.write(
            f"{backend}/physical-device", f"{os.major(number):x}:{os.minor(number):x}"
        )
        self.store.write(f"{backend}/physical-device-path", node)
        self.store.write(f"{backend}/hotplug-status", "connected")
        return True

    def attach(self, domid, disk):
        """xl block-attach; ToolstackError when it fails, the device is removed again then."""
        self.check_target(disk)
        self.disk_nodes(domid, disk)
        self.finish_attach(domid, disk)

    def finish_attach(self, domid, disk):
        self._finish(domid, disk.vdev, lambda: self.hotplug_add(domid, disk))

    def _finish(self, domid, vdev, hotplug):
        """Wait for the backend, then run its script; without both the device is removed."""
        backend = self.paths(domid, vdev)[0]
        reached = self._await(f"{backend}/state", INIT_WAIT, INIT_TIMEOUT)
        if reached and hotplug():
            return
        reason = self.store.read(f"{backend}/hotplug-error")
        if reached is None:
            reason = reason or "the backend node vanished"
        elif not reached:
            reason = reason or f"the backend is not ready after {INIT_TIMEOUT} s"
        self.detach(domid, vdev, force=True)
        raise ToolstackError(f"{vdev}: {reason or 'the hotplug script failed'}")

    def detach(self, domid, vdev, force=False, timeout=DESTROY_TIMEOUT):
        """
        xl block-detach (libxl__initiate_device_generic_remove). With @force, and after a
        time-out, the frontend's directory is removed too. False when it took too long.
        """
        begun = self._begin_detach(domid, vdev, force)
        in_time = not begun or self._await_closed(domid, vdev, timeout)
        if in_time or force:
            self.script_offline(domid, vdev)
            self._end_detach(domid, vdev)
        else:
            # LIBXL__FORCE_AUTO: once more, and the frontend is not asked any more.
            self.detach(domid, vdev, force=True, timeout=timeout)
        return in_time

    def _begin_detach(self, domid, vdev, force):
        """Whether there is a backend to wait for."""
        backend, frontend, _ = self.paths(domid, vdev)

        def begin(tx):
            state = self.store.read(f"{backend}/state", tx)
            if state is None:
                return False
            if force:
                self.store.remove(frontend, tx)
            self.store.write(f"{backend}/online", "0", tx)
            if state != CLOSED:
                self.store.write(f"{backend}/state", CLOSING, tx)
            return True

        return self.store.transaction(begin)

    def _await_closed(self, domid, vdev, timeout):
        backend = self.paths(domid, vdev)[0]
        return self._await(f"{backend}/state", CLOSED, timeout) is not False

    def _end_detach(self, domid, vdev):
        def end(tx):
            for path in self.paths(domid, vdev):
                self.store.remove(path, tx)

        self.store.transaction(end)

    def disks(self, domid):
        """vdev of each disk that libxl knows."""
        found = []
        for number in self.store.list(f"/libxl/{domid}/device/vbd"):
            backend = self.store.read(f"/libxl/{domid}/device/vbd/{number}/backend")
            vdev = self.store.read(f"{backend}/dev") if backend else None
            if vdev:
                found.append(vdev)
        return found

    def destroy_nodes(self, domid):
        """libxl__destroy_domid after the domain itself: devices, then what is left."""
        devices = self.disks(domid) + [f"vif{number}" for number in self.nics(domid)]
        closing = [vdev for vdev in devices if self._begin_detach(domid, vdev, force=True)]
        late = [v for v in closing if not self._await_closed(domid, v, DESTROY_TIMEOUT)]
        for vdev in devices:
            self.script_offline(domid, vdev)
            self._end_detach(domid, vdev)
        self.store.release(domid)
        for path in (
            f"/local/domain/{domid}",
            f"/libxl/{domid}",
            f"/local/domain/0/backend/vbd/{domid}",
            f"/local/domain/0/backend/vif/{domid}",
        ):
            self.store.remove(path)
        return late

    def request_shutdown(self, domid, what):
        self.store.write(f"/local/domain/{domid}/control/shutdown", what)
