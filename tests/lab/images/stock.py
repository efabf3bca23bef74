# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian guest as its installer leaves it: the kernel's own frontends, and nothing of ours.

It boots as a guest of pygrub does: kernel, initramfs and parameters are those that
/boot/grub/grub.cfg on its own disk names, so what the packages write there is what boots.
"""

import shutil
import tempfile
from pathlib import Path

from . import debian, kernel
from .cache import cached, run
from .dom0 import install_modules, make_ext4

# What the initramfs of an installed Debian would hold, of what a guest of Xen can use.
MODULES = (
    "ext4 crc32c_generic xen-blkfront xen-netfront xen-gntalloc loop dm-mod xfs btrfs 8021q"
).split()
PARAMETERS = "console=hvc0 loglevel=5 mitigations=off random.trust_cpu=on"

# Where the disk with our packages is mounted, see packages.py.
PACKAGES = "/media/packages"

# enX0 is what udev calls the interface of vif 0, with whichever driver.
ADDRESS = "192.168.77.20"
FILES = {
    "etc/fstab": (
        f"LABEL={debian.LABEL} / ext4 errors=remount-ro 0 1\n"
        f"LABEL=packages {PACKAGES} ext4 ro,nofail,x-systemd.device-timeout=60s 0 0\n"
    ),
    "etc/default/grub": (
        "GRUB_DEFAULT=0\nGRUB_TIMEOUT=0\nGRUB_DISTRIBUTOR=Debian\nGRUB_TERMINAL=console\n"
        f'GRUB_DISABLE_OS_PROBER=true\nGRUB_CMDLINE_LINUX="{PARAMETERS}"\n'
    ),
    # Debian's own choice of modules (most); the quickest compression, as time is the emulator's.
    "etc/initramfs-tools/conf.d/lab": "COMPRESS=zstd\nCOMPRESSLEVEL=1\n",
    "etc/systemd/network/50-lab.network": (
        f"[Match]\nName=enX0\n\n[Network]\nAddress={ADDRESS}/24\nLinkLocalAddressing=ipv6\n"
        "IPv6AcceptRA=no\n"
    ),
}
MENU = """\
set default="0"
set timeout=0
menuentry 'Debian GNU/Linux' --class debian {{
	linux /boot/vmlinuz-{release} root=LABEL={label} ro {parameters}
	initrd /boot/initrd.img-{release}
}}
"""


def disk():
    """The guest's disk, a raw file: run on an overlay of it."""
    inputs = debian.base_inputs() | {"own files": [FILES, MODULES, MENU, PARAMETERS]}
    return cached("stock-guest", inputs, _build) / "disk.raw"


def _build(out):
    release = kernel.version()
    menu = MENU.format(release=release, label=debian.LABEL, parameters=PARAMETERS)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        root = Path(folder)
        debian.unpack_base(root)
        debian.write_files(root, FILES | {"boot/grub/grub.cfg": menu})
        (root / PACKAGES[1:]).mkdir()
        run("chroot", root, "systemctl", "enable", "systemd-networkd.service")
        install_modules(root, release, MODULES)
        # Unpacked, as dom0 would take a minute to do that at each boot.
        shutil.copy(kernel.vmlinux(release), root / f"boot/vmlinuz-{release}")
        run("chroot", root, "mkinitramfs", "-o", f"/boot/initrd.img-{release}", release)
        make_ext4(root, out / "disk.raw", str(debian.SIZE), debian.LABEL)
