#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""traffic over loopback: test-net-traffic.py PROGRAM. Ends with 77 where there is no loopback."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading

PROGRAM = sys.argv[1]
WAIT = 60


def run(*arguments, rc=0):
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=WAIT)
    assert done.returncode == rc, f"{arguments}: {done.returncode}, not {rc}: {done.stderr}"
    return json.loads(done.stdout.splitlines()[-1]) if rc == 0 else done.stderr


@contextlib.contextmanager
def server():
    with subprocess.Popen([PROGRAM, "serve", "--port", "0"], stdout=subprocess.PIPE) as process:
        try:
            yield json.loads(process.stdout.readline())["port"]
        finally:
            process.kill()


class Meddler:
    """Between client and server on TCP: spoils one byte that comes back, or hangs up."""

    def __init__(self, port, spoil_at=None, cut_at=None):
        self._port, self._spoil_at, self._cut_at = port, spoil_at, cut_at
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        client, _ = self._listener.accept()
        upstream = socket.create_connection(("127.0.0.1", self._port))
        threading.Thread(target=self._forward, args=(client, upstream), daemon=True).start()
        self._forward(upstream, client, self._spoil_at, self._cut_at)

    @staticmethod
    def _forward(source, target, spoil_at=None, cut_at=None):
        done = 0
        try:
            while data := bytearray(source.recv(65536)):
                if spoil_at is not None and done <= spoil_at < done + len(data):
                    data[spoil_at - done] ^= 1
                if cut_at is not None and done + len(data) > cut_at:
                    target.shutdown(socket.SHUT_RDWR)
                    return
                target.sendall(data)
                done += len(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def transfers(port, host):
    at = ("--port", str(port))
    for proto, size in (("tcp", "1400"), ("udp", "1400"), ("udp", "9000"), ("udp", "48")):
        for way in ("send", "receive"):
            count = "100003" if size != "48" else "3001"
            result = run(way, host, *at, "--proto", proto, "--bytes", count, "--size", size)
            assert result["intact"] and result["bytes"] >= int(count), result
            assert result["sum_sent"] == result["sum_received"] != "0" * 16, result
    for proto in ("tcp", "udp"):
        result = run("pingpong", host, *at, "--proto", proto, "--count", "50")
        assert (result["count"], result["lost"]) == (50, 0), result
        assert result["rtt_us"]["min"] <= result["rtt_us"]["avg"] <= result["rtt_us"]["max"], result


def together(port):
    """All transfers with two hosts: a line for each."""
    command = [PROGRAM, "all", "127.0.0.1", "::1", "--port", str(port), "--bytes", "20000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len(lines) == 8, done
    assert all(line["intact"] for line in lines), lines
    assert len({line["sum_sent"] for line in lines}) == 8, "one pattern was sent twice"


def timed(port):
    at = ("127.0.0.1", "--port", str(port), "--seconds", "1")
    for way in ("send", "receive"):
        result = run(way, *at, "--no-check")
        assert result["intact"] and result["bytes"] > 0, result
    for reverse in ((), ("--reverse",)):
        result = run("blast", *at, "--size", "64", *reverse)
        assert 0 < result["received"] <= result["sent"] and result["wrong"] == 0, result
    result = run("stream", *at, "--rate", "1M")
    assert result["intact"] and 500000 < result["received"] < 2000000, result


def stopped(port):
    """A stream ends whole when it is told to."""
    command = [PROGRAM, "stream", "::1", "--port", str(port), "--seconds", "600", "--progress", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if json.loads(line)["received"] > 100000:
                break
        process.send_signal(signal.SIGTERM)
        result = json.loads(process.communicate(timeout=WAIT)[0].splitlines()[-1])
    assert process.returncode == 0 and result["intact"] and result["received"] > 100000, result


def spoilt(port):
    """One wrong byte is found, and so is an end before the end."""
    for how in ({"spoil_at": 70001}, {"cut_at": 70001}):
        for command in (("receive", "--bytes", "200000"), ("stream", "--seconds", "20")):
            meddler = Meddler(port, **how)
            run(command[0], "127.0.0.1", "--port", str(meddler.port), *command[1:], rc=1)


def refused():
    """Nobody there, nobody answering, and command lines that make no sense."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        at = ("127.0.0.1", "--port", str(silent.getsockname()[1]), "--timeout", "1")
        run("send", *at, "--proto", "udp", rc=3)
        run("receive", *at, "--proto", "udp", rc=3)
        run("blast", *at, "--seconds", "1", rc=3)
        run("send", *at, rc=3)
    for line in (
        ["send"],
        ["fly", "::1"],
        ["send", "example.org"],
        ["send", "::1", "--bytes", "0"],
        ["send", "::1", "--bytes", "12Q"],
        ["send", "::1", "--proto", "udp", "--size", "30"],
        ["stream", "::1", "--proto", "udp"],
        ["serve", "::1"],
        ["send", "fe80::1%nowhere"],
    ):
        run(*line, rc=2)


def main():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        print(f"no loopback: {error}")
        return 77
    with server() as port:
        for host in ("127.0.0.1", "::1"):
            transfers(port, host)
        together(port)
        timed(port)
        stopped(port)
        spoilt(port)
    refused()
    return 0


if __name__ == "__main__":
    sys.exit(main())
