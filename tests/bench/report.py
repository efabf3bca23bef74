# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark's HTML page: tables and bar plots, self-contained."""

import html

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; color: #222; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; } td, th { padding: .25rem .7rem; text-align: right; }
th { border-bottom: 1px solid #888; } td:first-child, th:first-child { text-align: left; }
tr:nth-child(even) td { background: #f5f5f5; } .note { color: #666; }
"""
COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#6b46c1")


def table(head, rows):
    cells = "".join(f"<th>{html.escape(str(h))}</th>" for h in head)
    out = [f"<table><tr>{cells}</tr>"]
    for row in rows:
        out.append("<tr>" + "".join(f"<td>{html.escape(str(c))}</td>" for c in row) + "</tr>")
    return "".join(out) + "</table>"


def bars(groups, series, unit):
    """An SVG of grouped bars with spread whiskers.

    groups: [(label, {series: summary})], series: names in drawing order.
    """
    width, row, left = 860, 16, 190
    top = max((s["max"] for _, values in groups for s in values.values() if s), default=1)
    scale = (width - left - 110) / (top or 1)
    y, parts = 4, []
    for label, values in groups:
        parts.append(f'<text x="0" y="{y + 12}" font-size="13">{html.escape(label)}</text>')
        for index, name in enumerate(series):
            value = values.get(name)
            if not value:
                continue
            length = value["median"] * scale
            low, high = left + value["min"] * scale, left + value["max"] * scale
            middle = y + row / 2 - 1
            parts.append(
                f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{row - 3}" '
                f'fill="{COLOURS[index % len(COLOURS)]}"/>'
                f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}" stroke="#000"/>'
                f'<text x="{high + 6:.1f}" y="{y + 11}" font-size="11">'
                f'{value["median"]:.4g} {unit}</text>'
            )
            y += row
        y += 8
    legend = "".join(
        f'<tspan fill="{COLOURS[i % len(COLOURS)]}">&#9632; </tspan>'
        f"<tspan>{html.escape(n)}   </tspan>"
        for i, n in enumerate(series)
    )
    parts.append(f'<text x="{left}" y="{y + 14}" font-size="12">{legend}</text>')
    return f'<svg width="{width}" height="{y + 24}" role="img">{"".join(parts)}</svg>'


def page(title, sections):
    """sections: [(heading, html)]"""
    body = "".join(f"<h2>{html.escape(h)}</h2>{content}" for h, content in sections)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style><h1>{html.escape(title)}</h1>{body}</html>"
    )
