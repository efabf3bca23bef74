# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages in a real Debian guest: put in, upgraded, with a broken driver, and taken out."""

import time

from harness import Nic, case

from lab import setup

BRIDGE_ADDRESS = "192.168.77.1"
OURS = "xen-vbd", "xen-vnif"
STOCK = "xen-blkfront", "xen-netfront"
# Seconds, of an emulated machine.
SETTINGS = "TIMEOUT=25\n"

LEFT = (
    "find /boot /etc /usr /var/lib /lib/modules -xdev ! -type d "
    "! -path '/var/lib/rpm/*' ! -path '/var/lib/dpkg/*' ! -path '/var/lib/systemd/*' "
    "! -path '/var/lib/apt/*' ! -path '/var/lib/initramfs-tools/*' | sort"
)


def make_network(env):
    """The guest's network is dom0's bridge, where dom0 has an address."""
    env.network("xenbr0")
    env.host.run(f"ip addr add {BRIDGE_ADDRESS}/24 dev xenbr0")


def check_drivers(env, guest, disk, nic):
    """Root and interface work on these two, and nothing else is loaded."""
    found = setup.drivers(guest)
    env.check(found == (disk, nic), f"driven by {found}, not by {disk} and {nic}")
    loaded = guest.run("cut -d' ' -f1 /proc/modules").out.split()
    unwanted = {name.replace("-", "_") for name in OURS + STOCK if name not in (disk, nic)}
    env.check(not unwanted & set(loaded), f"loaded, too: {unwanted & set(loaded)}")
    mounted = guest.run(
        "findmnt -no SOURCE,LABEL /; findmnt -no SOURCE,LABEL /media/packages"
    ).out.split()
    env.check(
        mounted == ["/dev/xvda", "xenpv-guest", "/dev/xvdb", "packages"], f"mounted: {mounted}"
    )
    names = guest.run("ls /sys/bus/xen/devices/vif-0/net").out.split()
    env.check(names == ["enX0"], f"the interface is called {names}")
    env.await_(
        lambda: setup.ADDRESS in guest.run("ip -br -4 addr show enX0", check=False).out,
        f"{setup.ADDRESS} on enX0",
        60,
    )
    guest.run(f"ping -c 2 -i 0.5 -W 10 {BRIDGE_ADDRESS}", timeout=60)
    failed = guest.run("systemctl --failed --plain --no-legend").out
    env.check(not failed, f"units that failed: {failed}")


def check_ours(env, guest):
    """What comes with our drivers."""
    links = "/dev/disk/by-path/xen-vbd-51712 /dev/disk/by-vdev/xvda"
    found = guest.run(f"readlink -f {links}").out.split()
    env.check(found == ["/dev/xvda"] * 2, f"{links} lead to {found}")
    check_agent(env, guest)


def check_agent(env, guest):
    home = f"/local/domain/{guest.domid}"
    env.await_(lambda: env.host.xs_read(f"{home}/data/updated"), "the agent's data/updated", 120)
    for path in ("attr/PVAddons/Installed", "data/os_name", "data/xenpv/device/vbd/51712"):
        env.check(env.host.xs_read(f"{home}/{path}"), f"the agent has not written {path}")


def menu(guest):
    """The titles of the boot menu."""
    lines = guest.run("grep ^menuentry /boot/grub/grub.cfg").out.splitlines()
    return [line.partition("'")[2].rpartition("'")[0] for line in lines]


def put_in(env, guest, kind):
    """From the kernel's own drivers to ours."""
    check_drivers(env, guest, *STOCK)
    guest.run(f"{LEFT} >/root/before; mkdir /etc/xenpv")
    guest.write("/etc/xenpv/initramfs.conf", SETTINGS.encode())
    begin = time.monotonic()
    done = setup.install(guest, kind)
    env.note("install_seconds", round(time.monotonic() - begin, 1))
    told = done.out + done.err
    env.check("used from the next boot on" in told, f"xenpv-setup: {told[-600:]}")
    check_drivers(env, guest, *STOCK)
    env.check(any("own Xen drivers" in title for title in menu(guest)), f"menu: {menu(guest)}")
    guest.run("test -e /boot/initrd.img-$(uname -r).xenpv-stock")


def upgrade(env, guest, kind):
    """What an administrator has written stays, and so do the drivers until the next boot."""
    guest.run("echo '# mine' >>/etc/xenpv/agent.conf")
    setup.upgrade(guest, kind)
    env.check(guest.read("/etc/xenpv/initramfs.conf") == SETTINGS.encode(), "initramfs.conf")
    guest.run("tail -n 1 /etc/xenpv/agent.conf | grep -q '^# mine$'")
    check_drivers(env, guest, *OURS)
    check_agent(env, guest)
    status = guest.run("xenpv-setup status").out
    env.check("in its initramfs yes" in status, f"xenpv-setup status: {status}")


def break_disk(guest, how):
    """A driver that cannot be loaded (torn), or one that drives no disk (idle)."""
    command = "truncate -s 20000 $f" if how == "torn" else "cp ${f%/*}/xen-ptp.ko $f"
    guest.run(
        f"for f in /lib/modules/$(uname -r)/*/xenpv/xen-vbd.ko; do {command}; done; "
        "update-initramfs -u",
        timeout=240,
    )


def check_fallback(env, guest):
    """The disk is the kernel's own driver's, and the interface still ours."""
    check_drivers(env, guest, STOCK[0], OURS[1])
    told = guest.run("cat /run/xenpv/fallback").out
    words = "device=vbd", "driver=xen-blkfront", "result=loaded", "no disk after 25 s"
    env.check(all(word in told for word in words), f"/run/xenpv/fallback: {told}")
    env.check("device=vif" not in told, f"/run/xenpv/fallback: {told}")
    env.check("xen-blkfront loaded" in guest.dmesg(), "no warning in the kernel's log")


def check_left(env, guest):
    """What is there that was not there before the packages."""
    check_drivers(env, guest, *STOCK)
    left = guest.run(f"{LEFT} | diff /root/before - | grep '^[<>]'", check=False).out.splitlines()
    kept = "/etc/xenpv/initramfs.conf", "/etc/xenpv/agent.conf"
    left = [line for line in left if not line[2:].startswith(kept)]
    env.check(not left, f"left behind, or gone: {left}")
    env.check(not any("Xen drivers" in title for title in menu(guest)), f"menu: {menu(guest)}")


def whole_life(env, kind, how):
    """All of it in one guest; each boot shows the work of the one before."""
    make_network(env)
    guest = env.guest(disks=setup.disks(env, kind), nics=[Nic("xenbr0")], image="stock")
    env.note("boot_seconds", round(guest.boot_seconds, 1))
    put_in(env, guest, kind)
    guest.restart()
    check_drivers(env, guest, *OURS)
    check_ours(env, guest)
    first = setup.build_id(guest, "xen-vnif")
    upgrade(env, guest, kind)
    break_disk(guest, how)
    guest.restart()
    check_fallback(env, guest)
    env.check(setup.build_id(guest, "xen-vnif") != first, "still the driver before the upgrade")
    setup.remove(guest, kind)
    guest.restart()
    check_left(env, guest)
    return guest


@case(
    benches="lab",
    guests="pvh",
    more_guests="pv",
    image="stock",
    packages="rpm deb",
    timeout=1200,
    slow=True,
)
def install_rpm(env):
    """rpm -i, boot on ours, rpm -U, boot with a broken driver, rpm -e, boot on stock; and then
    apt install, boot on ours."""
    guest = whole_life(env, "rpm", "torn")
    with setup.packages_instead(guest, "deb"):
        setup.install(guest, "deb")
    guest.restart()
    check_drivers(env, guest, *OURS)
    check_ours(env, guest)
    guest.shutdown(timeout=90)


@case(
    benches="lab",
    guests="pv",
    more_guests="pvh",
    image="stock",
    packages="deb",
    timeout=900,
    slow=True,
)
def install_deb(env):
    """apt install, boot on ours, upgrade, boot with an idle driver, remove, boot on stock."""
    whole_life(env, "deb", "idle").shutdown(timeout=90)
