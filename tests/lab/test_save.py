# SPDX-License-Identifier: GPL-2.0-or-later
"""Save and restore."""

from harness import case

from lab.load import VerifiedIo


@case(benches="lab uml", guests="", more_guests="pv pvh", timeout=180)
def save_restore(env):
    """A guest is saved and restored in the middle of verified I/O, which goes on."""
    guest = env.guest(disks=[env.image("16M").disk("xvda")])
    load = VerifiedIo(guest, "xvda")
    load.await_pass(env)
    old = guest.domid
    guest.save_restore()
    env.check(guest.domid != old, f"still domain {old}")
    load.await_pass(env)
    load.stop()
