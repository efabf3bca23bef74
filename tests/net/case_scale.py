# SPDX-License-Identifier: GPL-2.0-or-later
"""As many as may be, and one more."""

import snapshot
from case_shapes import dom0_nic, each_other
from netns import check
from rig import NO_LEAK_CHECK, expect_matrix


def many_bridges(rig):
    """128 bridges, of all shapes; the next one is refused."""
    dom0_nic(rig)
    rig.nic("eth1")
    before = snapshot.take(rig.dom0)
    quick = rig.environment(**NO_LEAK_CHECK)
    rig.bridge("create", "xenbr0", "--netdev", "eth0")
    rig.bridge("create", "gextbr1", "--netdev", "eth1")
    rig.bridge("create", "intbr2", "--lodev", "eth2", "--mac", "02:17:42:2F:00:01", "--ip",
               "192.168.1.10/24")
    for number in range(3, 128):
        rig.bridge("create", f"gintbr{number}", env=quick)
    shown = rig.show()
    check(len(shown) == 128, f"{len(shown)} bridges are shown")
    check(all(b["up"] for b in shown.values()), "some are down")
    rig.refuse(2, "0 to 127", "create", "gintbr128")
    rig.refuse(3, "has the number 100 already", "create", "intbr100", "--lodev", "eth3", "--mac",
               "02:17:42:2F:00:02", "--ip", "10.4.0.1/24")
    rig.guest(1, 0, "gintbr127", 3)
    rig.guest(2, 0, "gintbr127", 3)
    expect_matrix(each_other(rig, (1, 2), "eth0", 3))
    rig.dom0.ip("link del vif1.0", "link del vif2.0")
    for name in reversed(list(shown)):
        rig.bridge("delete", name, env=quick)
    snapshot.expect_same(before, rig.dom0, [], "after all were deleted")


def many_ports(rig):
    """64 VNIFs on one bridge reach each other; a 65th in the configurations is refused."""
    rig.bridge("create", "gintbr3")
    plain = range(3, 65)
    rig.dom0.ip(*(f"link add vif{d}.0 type veth peer name peer{d}" for d in plain),
                *(f"link set vif{d}.0 address fe:ff:ff:ff:ff:ff master gintbr3 up" for d in plain))
    rig.guest(1, 0, "gintbr3", 3)
    rig.guest(2, 0, "gintbr3", 3)
    guests = rig.show()["gintbr3"]["guests"]
    check(len(guests) == 64, f"{len(guests)} guests are shown")
    check({g["domid"] for g in guests} == set(range(1, 65)), "not the right ones")
    expect_matrix(each_other(rig, (1, 2), "eth0", 3))
    files = []
    for number in range(65):
        files.append(f"{rig.dir}/{number}.cfg")
        with open(files[-1], "w", encoding="utf-8") as f:
            f.write(f'name = "g{number}"\n'
                    f'vif = ["mac=02:17:42:2F:02:{number:02X},bridge=gintbr3"]\n')
    rig.bridge("check", *files[:64])
    out = rig.bridge("check", *files, status=3)
    check("more than 64 VNIFs" in out and "1 errors" in out, out)
    rig.bridge("delete", "gintbr3", "--force")


CASES = [many_bridges, many_ports]
