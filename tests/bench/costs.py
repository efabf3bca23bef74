# SPDX-License-Identifier: GPL-2.0-or-later
"""What something costs a PV guest and dom0: hypercalls by kind, and interrupts of the guest."""

from harness import CaseFailed

from . import xentrace

TRACE_FILE = "/tmp/bench.trace"


def interrupts(text, pattern):
    """Interrupts of the lines of a /proc/interrupts whose name matches the pattern."""
    total = 0
    for line in text.splitlines():
        if pattern.search(line.split("   ")[-1]):
            total += sum(int(word) for word in line.split(":", 1)[1].split() if word.isdigit())
    return total


def count(env, guest, pattern, function):
    """Call function() under xentrace.

    Returns (its result, {"guest_interrupts", "guest_hypercalls", ...}): absolute numbers.
    """
    before = interrupts(guest.run("cat /proc/interrupts").out, pattern)
    tracer = env.host.run(
        f"rm -f {TRACE_FILE}; xentrace -D -S 512 -e 0x{xentrace.EVENT_MASK:x} {TRACE_FILE} "
        "</dev/null >/tmp/xentrace.log 2>&1 & echo $!"
    ).out.strip()
    try:
        # It takes its time to begin, and what it has not seen would look free of charge.
        env.await_(
            lambda: env.host.run(f"test -s {TRACE_FILE}", check=False).rc == 0,
            "xentrace to record something",
        )
        result = function()
    finally:
        env.host.run(f"kill -INT {tracer}; while kill -0 {tracer} 2>/dev/null; do :; done", 60)
    after = interrupts(guest.run("cat /proc/interrupts").out, pattern)
    calls = xentrace.count_hypercalls(env.host.read(TRACE_FILE))
    if not calls.get(0) or not calls.get(guest.domid):
        raise CaseFailed(f"xentrace has seen no hypercall of dom0 or of domain {guest.domid}")
    found = {"guest_interrupts": after - before}
    for side, domid in (("guest", guest.domid), ("host", 0)):
        counted = calls.get(domid, {})
        found[f"{side}_event_channel_ops"] = counted.get("event_channel_op", 0)
        found[f"{side}_grant_table_ops"] = counted.get("grant_table_op", 0)
        # iret is how a PV kernel returns to its user space, not part of the price.
        found[f"{side}_hypercalls"] = sum(n for name, n in counted.items() if name != "iret")
    return result, found
