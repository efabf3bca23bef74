# SPDX-License-Identifier: GPL-2.0-or-later
"""Our packages in a Debian guest, as an administrator puts them in and takes them out.

The guest (image="stock") has the disk with the packages on /media/packages, by its label:

    root, packages = setup.disks(env, "rpm")
    guest = env.guest(disks=[root, packages], nics=[Nic("xenbr0")], image="stock")
    setup.install(guest, "rpm")
    guest.restart()
"""

from contextlib import contextmanager

from harness import Disk

from .images import packages, stock

FOLDER = stock.PACKAGES
ADDRESS = stock.ADDRESS

# Debian's rpm wants to be asked twice, and does not know what dpkg has installed.
_RPM = "--force-debian --nodeps"
_APT = "DEBIAN_FRONTEND=noninteractive apt-get -qy -o Dpkg::Options::=--force-confold"
_NAMES = " ".join(packages.NAMES)
COMMANDS = {
    "rpm": {
        "install": f"rpm -i {_RPM} {FOLDER}/this/*.rpm",
        "upgrade": f"rpm -U {_RPM} {FOLDER}/next/*.rpm",
        "remove": f"rpm -e {_NAMES}",
    },
    "deb": {
        "install": f"{_APT} install {FOLDER}/this/*.deb",
        "upgrade": f"{_APT} install {FOLDER}/next/*.deb",
        "remove": f"{_APT} purge {_NAMES}",
    },
}


def _packages(kind, vdev):
    return Disk(f"/lab/packages-{kind}.img", vdev, "r")


def disks(env, kind):
    """The disks of a guest on stock drivers: its root, on an overlay, and the packages."""
    return env.overlay("/dev/vdd").disk("xvda"), _packages(kind, "xvdb")


@contextmanager
def packages_instead(guest, kind):
    """The packages of the other kind, plugged into a guest that runs, in the place of its own."""
    guest.attach(_packages(kind, "xvdc"))
    guest.run(f"mount -o ro /dev/xvdc {FOLDER}")
    yield
    guest.run(f"umount {FOLDER}")
    guest.detach("xvdc")


def _do(guest, kind, what):
    # An initramfs takes minutes of emulated time.
    return guest.run(COMMANDS[kind][what], timeout=240)


def install(guest, kind):
    """Install the packages (kind: rpm or deb); the guest uses them from its next boot on."""
    return _do(guest, kind, "install")


def upgrade(guest, kind):
    """Upgrade them to the next release (images/packages.py)."""
    return _do(guest, kind, "upgrade")


def remove(guest, kind):
    """Remove them; the guest is on the kernel's own drivers from its next boot on."""
    return _do(guest, kind, "remove")


# By module, as the kernel's own drivers are called vbd and vif.
_DRIVERS = """\
for device in vbd-51712 vif-0; do
	basename "$(readlink /sys/bus/xen/devices/$device/driver/module)"
done"""


def drivers(guest):
    """The modules that drive its first disk and interface, such as xen-vbd and xen-vnif."""
    guest.interface()
    return tuple(guest.run(_DRIVERS).out.replace("_", "-").split())


def build_id(guest, module):
    """The build id of a module that is loaded, as hex."""
    note = f"/sys/module/{module.replace('-', '_')}/notes/.note.gnu.build-id"
    return guest.run(f"tail -c 20 {note} | od -An -v -tx1").out.replace(" ", "").replace("\n", "")
