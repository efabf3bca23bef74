# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo's report as one HTML file that needs nothing beside it."""

from html import escape

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
       color: #222; background: #fff }
h1, h2 { line-height: 1.2 } .good { color: #17692f } .bad { color: #a61b1b }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #ddd;
         vertical-align: top } td.n { text-align: right; font-variant-numeric: tabular-nums }
pre { background: #f4f4f4; padding: .8rem; overflow-x: auto; font-size: 14px }
.bar { background: #c8d8ee; height: .7rem; min-width: 2px }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1b1b1b }
  pre { background: #282828 } th, td { border-color: #444 } .bar { background: #46648c }
  .good { color: #6fcf8a } .bad { color: #f08080 } }
"""

_ROWS = (
    ("Guest", "os"),
    ("Kernel", "guest_kernel"),
    ("Before: drivers of disk and network", "before_drivers"),
    ("Installed by", "installed_by"),
    ("Installation, s", "install_seconds"),
    ("Reboot, s", "reboot_seconds"),
    ("Root", "root_device"),
    ("Root label", "root_label"),
    ("Disk driver in the guest", "vbd_driver"),
    ("Disk backend in dom0", "vbd_backend"),
    ("xen-blkback loaded", "kernel_backend_loaded"),
    ("Network driver in the guest", "vif_driver"),
    ("Network backend in dom0", "vif_backend"),
    ("xen-netback loaded", "netback_loaded"),
    ("Address", "address"),
    ("Ping", "ping"),
    ("4 MiB over TCP, s", "tcp_seconds"),
    ("Verified I/O, s", "io_seconds"),
    ("Nodes that the agent has written", "agent_paths"),
    ("Address as the host sees it", "host_sees_address"),
    ("Root as the host sees it", "host_sees_root"),
    ("Guest's clock before the host's, ms", "time_offset_ms"),
    ("Balloon", "balloon_mode"),
    ("Memory after xl mem-set", "balloon_steps"),
    ("Shutdown held up by", "shutdown_held_by"),
    ("Shutdown, s", "shutdown_seconds"),
    ("Root file system clean after it", "shutdown_clean"),
)


def _flat(guest):
    """What consists of several figures, in words."""
    before, steps = guest.get("before"), guest.get("balloon")
    words = {}
    if before:
        words["before_drivers"] = f"{before['vbd_driver']}, {before['vif_driver']}"
    if steps:
        words["balloon_steps"] = "; ".join(
            f"{step['xen_mib']} MiB in {step['seconds']} s" for step in steps
        )
    return guest | words


def _show(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not measured" if value is None else escape(str(value))


def _facts(guests):
    head = "".join(f"<th>{escape(g['guest_type'].upper())}</th>" for g in guests)
    rows = "".join(
        f"<tr><th>{title}</th>" + "".join(f"<td>{_show(g.get(key))}</td>" for g in guests) + "</tr>"
        for title, key in _ROWS
    )
    return f"<table><tr><th></th>{head}</tr>{rows}</table>"


def _timeline(steps, total):
    rows = []
    ends = [step["at"] for step in steps[1:]] + [total]
    for step, end in zip(steps, ends):
        start, width = step["at"] / total * 100, max(0, end - step["at"]) / total * 100
        rows.append(
            f"<tr><td class=n>{step['at']:.1f} s</td><td>{escape(step['text'])}</td>"
            f"<td style='width:30%'><div class=bar style='margin-left:{start:.1f}%;"
            f"width:{width:.1f}%'></div></td></tr>"
        )
    return f"<table>{''.join(rows)}</table>"


def write_report(summary, path):
    """Write the page; summary is what demo.json holds."""
    guests = [_flat(guest) for guest in summary["guests"]]
    verdict = (
        "<p class=good><b>Passed.</b></p>"
        if summary["passed"]
        else "<p class=bad><b>Failed.</b></p><ul>"
        + "".join(f"<li>{escape(t)}</li>" for t in summary["trouble"])
        + "</ul>"
    )
    details = "".join(
        f"<h2>{escape(g['guest_type'].upper())}</h2><h3>xl configuration</h3>"
        f"<pre>{escape(g.get('xl_config', ''))}</pre>"
        f"<h3>{escape(g.get('install_command', 'Installation'))}</h3>"
        f"<pre>{escape(g.get('install_output', ''))}</pre>"
        f"<h3>What the agent reports to the host</h3>"
        f"<pre>{escape(chr(10).join(g.get('agent_report', [])))}</pre>"
        f"<h3>xenpv shutdown --wait</h3>"
        f"<pre>{escape(chr(10).join(g.get('shutdown_progress', [])))}</pre>"
        f"<h3>e2fsck -fn</h3><pre>{escape(g.get('e2fsck', ''))}</pre>"
        for g in guests
    )
    path.write_text(
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'><title>xenpv demo</title>"
        f"<style>{_STYLE}</style><h1>A guest gets its drivers by one command</h1>{verdict}"
        f"<p>Xen {_show(summary.get('xen_version'))}, dom0 with Linux "
        f"{_show(summary.get('dom0_kernel'))}, emulated by QEMU: seconds are the emulator's. "
        f"All in all {summary['elapsed_seconds']:.0f} s.</p>"
        f"{_facts(guests) if guests else ''}<h2>Timeline</h2>"
        f"{_timeline(summary['timeline'], max(summary['elapsed_seconds'], 0.1))}{details}</html>\n"
    )
