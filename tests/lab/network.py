# SPDX-License-Identifier: GPL-2.0-or-later
"""Bridges in dom0 for the guests of a case, and the addresses of who is on them."""

from harness import Nic


class Network:
    """A bridge with dom0 on it: 10.9.<number>.0/24 and fd09:<number>::/64."""

    def __init__(self, host, name, number):
        self._host = host
        self._number = number
        self._members = 1
        self.name = name
        host.run(
            f"modprobe bridge && ip link add {name} type bridge && ip link set {name} up && "
            + " && ".join(self._add(name, address) for address in self.addresses(1))
        )

    @staticmethod
    def _add(interface, address):
        nodad = " nodad" if ":" in address else ""
        prefix = 64 if ":" in address else 24
        return f"ip addr add {address}/{prefix} dev {interface}{nodad}"

    def addresses(self, member):
        """The IPv4 and the IPv6 address of a member; dom0 is member 1."""
        return f"10.9.{self._number}.{member}", f"fd09:{self._number}::{member:x}"

    def nic(self, mac="", **options):
        """An interface for a guest's configuration, on this bridge."""
        return Nic(self.name, mac, options)

    def join(self, guest, handle=0, mtu=None):
        """Bring a guest's interface up with the next addresses; returns its name and these."""
        self._members += 1
        addresses = self.addresses(self._members)
        interface = guest.interface(handle)
        size = f"mtu {mtu} " if mtu else ""
        # busybox's ip knows no nodad.
        guest.run(
            f"echo 0 >/proc/sys/net/ipv6/conf/{interface}/accept_dad; "
            f"ip link set {interface} {size}up && "
            + " && ".join(self._add(interface, a).removesuffix(" nodad") for a in addresses)
        )
        return interface, addresses

    def remove(self):
        """Take the bridge away; what is left on it just leaves it."""
        self._host.run(f"ip link del {self.name}", check=False)
