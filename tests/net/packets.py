# SPDX-License-Identifier: GPL-2.0-or-later
"""Real packets: echo requests by the kernel's own sockets, and frames made by hand."""

import itertools
import os
import select
import socket
import struct
import time

ETH_P_ALL, ETH_P_IP, ETH_P_ARP, ETH_P_RARP, ETH_P_IPV6 = 3, 0x0800, 0x0806, 0x8035, 0x86DD
SO_BINDTODEVICE = socket.SO_BINDTODEVICE
SO_TIMESTAMPNS = 35  # also the type of the message with the time
# Of echo requests. No random numbers: a machine that has just booted may have none.
IDENTS = itertools.count(os.getpid())


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Ping:
    """Echo requests to one address from one interface; answered once a reply came."""

    def __init__(self, ns, interface, address, what=""):
        self.what = what or f"{ns.name} {interface} -> {address}"
        self.v6 = ":" in address
        self.ident = next(IDENTS) & 0xFFFF
        self.answered = False
        with ns:
            if self.v6:
                self.sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
                scope = socket.if_nametoindex(interface) if address.startswith("fe80") else 0
                self.target = (address, 0, 0, scope)
            else:
                self.sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
                self.target = (address, 0)
            self.sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, interface.encode())
        self.sock.setblocking(False)

    def send(self):
        kind = 128 if self.v6 else 8
        packet = struct.pack(">BBHHH", kind, 0, 0, self.ident, 1) + b"xenpv"
        if not self.v6:
            packet = packet[:2] + struct.pack(">H", checksum(packet)) + packet[4:]
        try:
            self.sock.sendto(packet, self.target)
        except OSError:
            pass  # no route: as good as no reply

    def receive(self):
        try:
            while True:
                data, _ = self.sock.recvfrom(2048)
                if not self.v6:
                    data = data[(data[0] & 15) * 4:]
                kind, _, _, ident = struct.unpack(">BBHH", data[:6])
                if ident == self.ident and kind == (129 if self.v6 else 0):
                    self.answered = True
        except OSError:
            pass

    def close(self):
        self.sock.close()


def ping_all(pings, expected, quiet=1.0, limit=10.0, again=0.5):
    """Send until all that are expected to be answered are, and those that are not had @quiet
    seconds for it. Returns what differs from the expectation, as lines."""
    begin = last = time.monotonic()
    for ping in pings:
        ping.send()
    while True:
        now = time.monotonic()
        missing = [p for p, want in zip(pings, expected) if want and not p.answered]
        if now - begin > (limit if missing else quiet):
            break
        if now - last > again:
            last = now
            for ping in pings:
                if not ping.answered:
                    ping.send()
        ready, _, _ = select.select([p.sock for p in pings], [], [], 0.1)
        for ping in pings:
            if ping.sock in ready:
                ping.receive()
    wrong = [f"{p.what}: {'no reply' if want else 'a reply'}"
             for p, want in zip(pings, expected) if p.answered != want]
    for ping in pings:
        ping.close()
    return wrong


def reaches(ns, interface, address, limit=10.0):
    return not ping_all([Ping(ns, interface, address)], [True], limit=limit)


class Frame(bytes):
    """A frame, and when the kernel got it, by time.time()."""

    when = 0.0


class Sniffer:
    """Frames that arrive at an interface."""

    def __init__(self, ns, interface, protocol=ETH_P_ALL):
        with ns:
            # With a protocol it would hear every interface until it is bound to this one.
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self.sock.bind((interface, protocol))
        self.sock.setblocking(False)

    def frames(self, seconds, until=lambda frames: False):
        """What arrives in this time, or until it is enough. Outgoing frames are left out."""
        found, end = [], time.monotonic() + seconds
        while not until(found):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                break
            try:
                data, control, _, address = self.sock.recvmsg(65536, 64)
            except OSError:
                continue
            if address[2] != socket.PACKET_OUTGOING:
                frame = Frame(data)
                for level, kind, stamp in control:
                    if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                        whole, nanoseconds = struct.unpack("@ll", stamp)
                        frame.when = whole + nanoseconds / 1e9
                found.append(frame)
        return found

    def queued(self):
        """What has arrived since the last look, without waiting for more."""
        found = []
        while True:
            try:
                data, address = self.sock.recvfrom(65536)
            except BlockingIOError:
                return found
            except OSError:
                continue  # the interface was down
            if address[2] != socket.PACKET_OUTGOING:
                found.append(data)

    def send(self, frame):
        self.sock.send(frame.ljust(60, b"\0"))

    def close(self):
        self.sock.close()


class Listener:
    """UDP sockets on every address of a namespace: does anything get to its programs?"""

    PORT = 7777

    def __init__(self, ns):
        self.socks = []
        with ns:
            for family in (socket.AF_INET, socket.AF_INET6):
                sock = socket.socket(family, socket.SOCK_DGRAM)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind(("", self.PORT))
                sock.setblocking(False)
                self.socks.append(sock)

    def datagrams(self, seconds):
        found, end = [], time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            ready = select.select(self.socks, [], [], max(left, 0))[0]
            if not ready:
                return found
            for sock in ready:
                found.append(sock.recv(2048).decode())

    def close(self):
        for sock in self.socks:
            sock.close()


def udp4(source_mac, target_mac, source, target, payload):
    data = struct.pack(">HHHH", 1234, Listener.PORT, 8 + len(payload), 0) + payload
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 1, 0, 64, 17, 0,
                         socket.inet_aton(source), socket.inet_aton(target))
    header = header[:10] + struct.pack(">H", checksum(header)) + header[12:]
    return mac_bytes(target_mac) + mac_bytes(source_mac) + struct.pack(">H", ETH_P_IP) \
        + header + data


def udp6(source_mac, target_mac, source, target, payload):
    src, dst = (socket.inet_pton(socket.AF_INET6, a) for a in (source, target))
    length = 8 + len(payload)
    pseudo = src + dst + struct.pack(">II", length, 17)
    data = struct.pack(">HHHH", 1234, Listener.PORT, length, 0) + payload
    data = data[:6] + struct.pack(">H", checksum(pseudo + data)) + data[8:]
    header = struct.pack(">IHBB", 6 << 28, length, 17, 64) + src + dst
    return mac_bytes(target_mac) + mac_bytes(source_mac) + struct.pack(">H", ETH_P_IPV6) \
        + header + data


def arp_request(source_mac, source, target):
    return b"\xff" * 6 + mac_bytes(source_mac) + struct.pack(">HHHBBH", ETH_P_ARP, 1, ETH_P_IP,
                                                             6, 4, 1) \
        + mac_bytes(source_mac) + socket.inet_aton(source) + bytes(6) + socket.inet_aton(target)


def neighbour_solicitation(source_mac, source, target):
    """To all nodes: whoever has the address answers, wherever the frame went."""
    src, dst = (socket.inet_pton(socket.AF_INET6, a) for a in (source, "ff02::1"))
    body = struct.pack(">BBHI", 135, 0, 0, 0) + socket.inet_pton(socket.AF_INET6, target) \
        + b"\x01\x01" + mac_bytes(source_mac)
    return _to_all_nodes(source_mac, src, dst, body)


def router_advertisement(source_mac, source, prefix):
    """To all nodes: this is your router, and make yourselves addresses in this /64."""
    src, dst = (socket.inet_pton(socket.AF_INET6, a) for a in (source, "ff02::1"))
    body = struct.pack(">BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) \
        + struct.pack(">BBBBIII", 3, 4, 64, 0xC0, 86400, 14400, 0) \
        + socket.inet_pton(socket.AF_INET6, prefix)
    return _to_all_nodes(source_mac, src, dst, body)


def _to_all_nodes(source_mac, src, dst, body):
    pseudo = src + dst + struct.pack(">II", len(body), 58)
    body = body[:2] + struct.pack(">H", checksum(pseudo + body)) + body[4:]
    header = struct.pack(">IHBB", 6 << 28, len(body), 58, 255) + src + dst
    return mac_bytes("33:33:00:00:00:01") + mac_bytes(source_mac) \
        + struct.pack(">H", ETH_P_IPV6) + header + body
