"""Draws the start times: one strip for each level and peer, on one logarithmic axis. SVG, written by hand."""

import math
import statistics
from xml.sax.saxutils import escape

from table import percentile

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 1000, 210, 100, 100, 58
ROW, GAP, TITLE = 30, 14, 26
COLOURS = {"warm": "#e6a100", "container": "#d3722c", "instance": "#b8414f", "zygote": "#7b3f8c", "boot": "#3d4a8f", "peer": "#6b7280"}
GROUPS = [
    ("Python", "python", ["bwrap python", "runc python"]),
    ("Native (static C)", "native", ["bwrap static", "runc static"]),
    ("Node", "node", ["node -e 0"]),
    ("Ruby", "ruby", ["ruby -e 0"]),
]
LEVELS = ["warm", "container", "instance", "zygote", "boot"]
LABELS = {"bwrap python": "bwrap, python3 -I -c pass", "runc python": "runc, python3 -I -c pass", "bwrap static": "bwrap, static no-op",
          "runc static": "runc, static no-op"}


def start_levels(samples):
    """The picture of {name: seconds of each start}; names as in `starts`."""
    groups = []
    for title, language, peers in GROUPS:
        rows = [(level, samples[f"{language} {level}"], COLOURS[level]) for level in LEVELS if samples.get(f"{language} {level}")]
        if rows:
            rows += [(LABELS.get(name, name), samples[name], COLOURS["peer"]) for name in peers if samples.get(name)]
            groups.append((title, rows))
    values = [value * 1e3 for _, rows in groups for _, seconds, _ in rows for value in seconds]
    axis = Axis(min(values), max(values))
    height = TOP + sum(TITLE + len(rows) * ROW + GAP for _, rows in groups) + BOTTOM
    bottom = height - BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13" fill="#1f2430">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        text(24, 34, "How long a call takes from each start level", size=20, weight="bold"),
        text(24, 57, "End to end over HTTP, one call at a time. Grey: starting the same work elsewhere, without any request.",
             colour="#4b5563"),
        text(24, 75, "A dot is a start, the bar p10 to p90, the line and the number the median. One run, rounds interleaved.",
             colour="#4b5563"),
        text(WIDTH - 24, TOP - 6, "median, ms", anchor="end", colour="#4b5563"),
    ]
    for tick in axis.ticks:
        x, is_major = axis.place(tick), axis.is_major(tick)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}" stroke="{"#cfd4dc" if is_major else "#eceff3"}"/>')
        if is_major:
            parts.append(text(x, bottom + 20, f"{tick:g}", anchor="middle"))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, bottom + 42, "milliseconds (logarithmic)", anchor="middle", colour="#4b5563"))
    y = TOP
    for title, rows in groups:
        parts.append(text(24, y + 18, title, size=14, weight="bold"))
        y += TITLE
        for label, seconds, colour in rows:
            parts += strip(axis, y + ROW / 2, label, [value * 1e3 for value in seconds], colour)
            y += ROW
        y += GAP
    return "\n".join(parts) + "\n</svg>\n"


class Axis:
    """Milliseconds to horizontal places."""

    def __init__(self, low, high):
        self.low, self.high = math.log10(low / 1.15), math.log10(high * 1.15)
        decades = range(math.floor(self.low), math.ceil(self.high) + 1)
        self.ticks = [step * 10.0 ** decade for decade in decades for step in range(1, 10)
                      if self.low <= math.log10(step * 10.0 ** decade) <= self.high]

    def place(self, milliseconds):
        return LEFT + (math.log10(milliseconds) - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)

    @staticmethod
    def is_major(tick):
        return round(tick / 10.0 ** math.floor(math.log10(tick) + 1e-9)) in (1, 2, 5)


def strip(axis, y, label, values, colour):
    low, high, median = axis.place(percentile(values, 0.1)), axis.place(percentile(values, 0.9)), statistics.median(values)
    parts = [text(LEFT - 12, y + 4.5, label, anchor="end"),
             f'<rect x="{low:.1f}" y="{y - 8}" width="{max(high - low, 1):.1f}" height="16" rx="3" fill="{colour}" fill-opacity="0.22"/>']
    for number, value in enumerate(values):
        # A fixed pattern instead of chance, so that the same numbers give the same picture.
        offset = (number * 7 % 11 - 5) * 1.2
        parts.append(f'<circle cx="{axis.place(value):.1f}" cy="{y + offset:.1f}" r="1.9" fill="{colour}" fill-opacity="0.55"/>')
    x = axis.place(median)
    parts.append(f'<line x1="{x:.1f}" y1="{y - 11}" x2="{x:.1f}" y2="{y + 11}" stroke="{colour}" stroke-width="3"/>')
    parts.append(text(WIDTH - 24, y + 4.5, f"{median:.3g}", anchor="end", weight="bold", colour=colour))
    return parts


def text(x, y, content, anchor="start", size=13, weight="normal", colour="#1f2430"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" fill="{colour}">'
            f'{escape(content)}</text>')
