# SPDX-License-Identifier: GPL-2.0-or-later
"""All that is to be as before: a namespace's interfaces, addresses, routes, rules, neighbours,
filters and settings, and directories of files."""

import os
import time

from netns import Failure

# What changes by itself.
VOLATILE = {"hello_timer", "gc_timer", "tcn_timer", "topology_change_timer", "stats64", "stats",
            "valid_life_time", "preferred_life_time", "used", "confirmed", "updated", "expires",
            "operstate", "topology_change", "topology_change_detected", "ad_info", "mii_status",
            "perm_hwaddr", "queue_id", "link_failure_count", "ageing"}


# Of a bridge's port: it has the lowest number that is free when it comes.
NUMBER = {"id", "no", "designated_port"}


def _strip(value, but=VOLATILE):
    if isinstance(value, dict):
        return {k: _strip(v, VOLATILE | NUMBER if k == "info_slave_data" else VOLATILE)
                for k, v in value.items() if k not in but}
    if isinstance(value, list):
        return [_strip(v) for v in value]
    return value


def _settings(ns):
    found = {}
    with ns:
        for family in ("ipv4", "ipv6"):
            base = f"/proc/sys/net/{family}/conf"
            for folder, _, files in os.walk(base):
                for name in files:
                    path = f"{folder}/{name}"
                    try:
                        with open(path, encoding="ascii") as f:
                            found[path.removeprefix("/proc/sys/net/")] = f.read().strip()
                    except OSError:
                        pass  # write-only, or a secret that is not set
    return found


def _files(directory):
    found = {}
    for folder, _, files in os.walk(directory):
        for name in files:
            path = os.path.join(folder, name)
            if name.endswith(".lock"):
                continue
            with open(path, encoding="utf-8") as f:
                found[os.path.relpath(path, directory)] = f.read()
    return found


def _sorted(items):
    return sorted(items, key=repr)


def _take(ns, *directories):
    links = ns.json("-details", "link", "show")
    addresses, neighbours = ns.json_batch("address show", "neighbour show nud permanent")
    (routes, rules), (routes6, rules6) = (
        ns.json_batch("route show table all", "rule show", options=[family])
        for family in ("-4", "-6"))
    # Only the interfaces that have a qdisc for filters; all in one run of tc.
    qdiscs = ns.run("tc", "qdisc", "show").stdout.splitlines()
    guarded = [line.split(" dev ")[1].split()[0] for line in qdiscs if "clsact" in line]
    shows = [f"filter show dev {name} {hook}" for name in guarded for hook in ("ingress", "egress")]
    filters = ns.run("tc", "-batch", "-", input="\n".join(shows) + "\n").stdout if shows else ""
    return {
        "links": _strip(links),
        "addresses": _strip(addresses),
        "routes": _sorted(_strip(routes)),
        "routes6": _sorted(_strip(routes6)),
        "rules": rules,
        "rules6": rules6,
        "neighbours": _sorted(_strip(neighbours)),
        "qdiscs": qdiscs,
        "filters": filters,
        "settings": _settings(ns),
        "files": [_files(d) for d in directories],
    }


def _tentative(seen):
    return any(a.get("tentative") for link in seen["addresses"] for a in link["addr_info"])


def take(ns, *directories, limit=2.0):
    """What there is when the kernel has done what it does later: when nothing changes and no
    IPv6 address is being checked, or (without a link they stay so) for no longer than @limit."""
    end, last = time.monotonic() + limit, None
    while True:
        seen = _take(ns, *directories)
        if seen == last and (not _tentative(seen) or time.monotonic() > end):
            return seen
        last = seen
        time.sleep(0.05)  # there is no event for "nothing more will change"


def differences(before, after, path=""):
    if isinstance(before, dict) and isinstance(after, dict):
        found = []
        for key in sorted(set(before) | set(after)):
            found += differences(before.get(key), after.get(key), f"{path}/{key}")
        return found
    if isinstance(before, list) and isinstance(after, list):
        if len(before) == len(after):
            return [d for i, (b, a) in enumerate(zip(before, after))
                    for d in differences(b, a, f"{path}/{i}")]
        gone = [b for b in before if b not in after]
        new = [a for a in after if a not in before]
        return [f"{path}: gone {gone}, new {new}"]
    return [] if before == after else [f"{path}: {before!r} became {after!r}"]


def expect_same(before, ns, directories, what, limit=5.0):
    """IPv6 addresses that the kernel makes come a little later: look again for a while."""
    end, wait = time.monotonic() + limit, 0.02
    while True:
        found = differences(before, _take(ns, *directories))
        if not found:
            return
        if time.monotonic() > end:
            raise Failure(f"{what}: not as before: " + "; ".join(found[:8]))
        time.sleep(wait)  # as above
        wait = min(2 * wait, 0.3)
