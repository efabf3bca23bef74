# SPDX-License-Identifier: GPL-2.0-or-later
"""What is outside of a host: a switch that several of its bridges lead to, and who is behind it."""

from net.netns import Namespace, cable
from net.packets import Sniffer, mac_bytes

from .network import Job

SWITCH = "sw0"


class Outside:
    """
    A namespace with one switch, cabled to each of these bridges, and a server of traffic that is
    reached by it. On bridge xenbrN the port is up-N, whose other end here is leg-N.
    """

    def __init__(self, env, *bridges, subnet=0):
        self._env = env
        self.address, self.address6 = f"10.77.{subnet}.100", f"fd77:{subnet}::100"
        self.space = Namespace("outside")
        env.net.onclose(self.space.close)
        for setting in ("accept_dad", "accept_ra", "router_solicitations"):
            self.space.sysctl(f"ipv6/conf/default/{setting}", 0)
        self.space.ip(
            f"link add {SWITCH} type bridge forward_delay 0 mcast_snooping 0",
            f"link set {SWITCH} address 02:77:00:00:01:00 up",
            f"addr add {self.address}/24 dev {SWITCH}",
            f"addr add {self.address6}/64 dev {SWITCH} nodad",
        )
        for bridge in bridges:
            up, leg = self.ends(bridge)
            cable(env.net.space, up, self.space, leg)
            env.net.ip(f"link set {up} master {bridge}")
            self.space.ip(f"link set {leg} master {SWITCH}")
        self._server = Job(env.net, "traffic", ["serve"], self.space)
        env.net.onclose(self._server.kill)
        self._server.await_line("port")

    @staticmethod
    def ends(bridge):
        """Of the cable of a bridge: its port, and the switch's."""
        number = bridge.removeprefix("xenbr")
        return f"up-{number}", f"leg-{number}"

    def way_to(self, mac):
        """The port that the switch sends to for this address; None if it knows of none."""
        for entry in self.space.json("fdb", "show", "br", SWITCH, program="bridge"):
            if entry["mac"] == mac.lower() and "permanent" not in entry.get("state", ""):
                return entry["ifname"]
        return None

    def await_way(self, mac, bridge):
        """Until the switch sends to this address by this bridge."""
        leg = self.ends(bridge)[1]
        self._env.await_(lambda: self.way_to(mac) == leg, f"the switch to find {mac} by {leg}")


class Cable:
    """Counts, from now on, what passes between a bridge and the switch."""

    def __init__(self, env, outside, bridge, mac):
        self._mac = mac_bytes(mac)
        up, leg = outside.ends(bridge)
        self._ends = Sniffer(env.net, up), Sniffer(outside.space, leg)

    def frames(self):
        """Those from or to one station since the last look, broadcast left out."""
        both = [frame for end in self._ends for frame in end.queued()]
        return [f for f in both if self._mac in (f[:6], f[6:12]) and not f[0] & 1]

    def close(self):
        for end in self._ends:
            end.close()
