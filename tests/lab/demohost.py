# SPDX-License-Identifier: GPL-2.0-or-later
"""What dom0 has to do with the demo's guests: who serves their devices, and their bridge."""

import os
import shlex

DOM0_ADDRESS = "192.168.77.1"


def kernel_backend(host, domid, device):
    """The kernel driver that has the guest's device, or None."""
    link = f"/sys/bus/xen-backend/devices/{device.format(domid)}/driver"
    result = host.run(f"readlink {link}", check=False)
    return os.path.basename(result.out.strip()) if result.rc == 0 else None


def serving_program(host, path):
    """The program that holds the disk open in dom0."""
    return _programs(host, f"find /proc/[0-9]*/fd -lname {shlex.quote(path)} 2>/dev/null")


def tap_program(host, tap):
    """The program that has the tap: its descriptors name it in their fdinfo."""
    found = f"grep -l '^iff:[[:space:]]*{tap}$' /proc/[0-9]*/fdinfo/* 2>/dev/null"
    return _programs(host, found)


def _programs(host, found):
    """Names of the programs whose files in /proc the command found prints.

    A worker answers for its parent.
    """
    script = f"""
{found} | cut -d/ -f3 | sort -u |
while read -r pid; do
	name=$(basename "$(readlink "/proc/$pid/exe")")
	if [ "$name" = xenpv-worker ]; then
		pid=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status")
		name=$(basename "$(readlink "/proc/$pid/exe")")
	fi
	echo "$name"
done | sort -u"""
    return ", ".join(host.run(script).out.split()) or None


def loaded(host, module):
    """Is a module of dom0's kernel loaded?"""
    return host.run(f"grep -q '^{module} ' /proc/modules", check=False).rc == 0


def make_bridge(host, name):
    """The manual's first shape on a NIC of dom0, by the command an administrator uses."""
    host.run(
        "modprobe -a dummy bridge veth && ip link add eth0 type dummy && ip link set eth0 up && "
        f"ip addr add {DOM0_ADDRESS}/24 dev eth0"
    )
    host.run(f"xenpv bridge create {name} --netdev eth0", timeout=120)
    return host.start("/lab/bin/traffic serve", timeout=3600)
