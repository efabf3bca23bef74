# SPDX-License-Identifier: GPL-2.0-or-later
"""Who listens on a bridge for what a guest announces of itself."""

import socket

from net.packets import ETH_P_ARP, ETH_P_IPV6, Sniffer, mac_bytes


class Listener:
    """Hears, from now on, ARP and IPv6 on a bridge."""

    def __init__(self, env, bridge="xenbr0"):
        self._env = env
        self._arp = Sniffer(env.net, bridge, ETH_P_ARP)
        self._ipv6 = Sniffer(env.net, bridge, ETH_P_IPV6)

    def close(self):
        self._arp.close()
        self._ipv6.close()

    def await_announced(self, guest, mac):
        """Until the bridge has heard, unasked, at which address the guest's IP addresses are."""
        mac = mac_bytes(mac)
        address = socket.inet_aton(guest.address())

        def gratuitous(frame):
            # Sender and target are the same; RFC 826, 5227.
            return frame[6:12] == mac and frame[28:32] == address == frame[38:42]

        def unsolicited(frame):
            # A neighbour advertisement to all nodes, without the flag S; RFC 4861, 4.4.
            return (
                frame[:6] == mac_bytes("33:33:00:00:00:01")
                and frame[6:12] == mac
                and frame[20] == 58
                and frame[54] == 136
                and not frame[58] & 0x40
                and frame[62:78] == socket.inet_pton(socket.AF_INET6, guest.address(family=6))
            )

        for sniffer, wanted, what in (
            (self._arp, gratuitous, "ARP"),
            (self._ipv6, unsolicited, "IPv6"),
        ):
            found = sniffer.frames(
                self._env.scaled(20), until=lambda all_: all_ and wanted(all_[-1])
            )
            self._env.check(
                found and wanted(found[-1]), f"no announcement over {what} of {mac.hex(':')}"
            )
