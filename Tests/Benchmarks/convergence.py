"""Cold starts of one rare task against the number of POPs that call it: regions chosen by their own history, and the nearest ones.

Real nodes in network namespaces (Tests/IntegrationTests/Hosts); each POP calls once, one after the other. PLACE-13.
"""

import pathlib
import statistics
import sys
import tempfile

HOSTS = pathlib.Path(__file__).resolve().parents[1] / "IntegrationTests" / "Hosts"
sys.path.insert(0, str(HOSTS))

from plot import text  # noqa: E402
from rare_task import RareTask, cold_starts  # noqa: E402

RULES = {"nearest": "nearest region", "expected": "by expected time (ours)"}
COLOURS = {"nearest": "#6b7280", "expected": "#b8414f"}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 440, 70, 210, 100, 60


def measure(binary, pops=6, rounds=2):
    """{rule: {number of POPs: cold starts of each round}}"""
    def name(rule, count, number):
        return f"{rule}-{count}-{number}"
    counts = range(1, pops + 1)
    with tempfile.TemporaryDirectory(prefix="wayside-convergence-", ignore_cleanup_errors=True) as folder:
        task = RareTask(binary, folder, pops)
        try:
            task.open([name(rule, count, number) for rule in RULES for count in counts for number in range(rounds)])
            found = {}
            for rule in RULES:
                task.begin(rule)
                found[rule] = {count: [cold_starts(task.records(name(rule, count, number), count)) for number in range(rounds)]
                               for count in counts}
            return found
        finally:
            task.close()


def rows(found):
    return [{"POPs": count} | {RULES[rule]: round(statistics.mean(found[rule][count]), 2) for rule in RULES}
            | {f"each round, {rule}": " ".join(map(str, found[rule][count])) for rule in RULES} for count in found["nearest"]]


def draw(found):
    """The picture, as SVG."""
    most = max(found["nearest"])

    def place(count, value):
        return (LEFT + (count - 1) / max(1, most - 1) * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - value / most * (HEIGHT - TOP - BOTTOM))
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
             'font-family="Helvetica, Arial, sans-serif" font-size="13" fill="#1f2430">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
             text(24, 34, "POPs with one rare task share one warm region", size=20, weight="bold"),
             text(24, 57, "Cold starts of a function that each POP calls once. A dot is a round, the line their mean.", colour="#4b5563")]
    for value in range(most + 1):
        y = place(1, value)[1]
        parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#eceff3"/>')
        parts.append(text(LEFT - 12, y + 4.5, str(value), anchor="end"))
    for count in found["nearest"]:
        parts.append(text(place(count, 0)[0], HEIGHT - BOTTOM + 22, str(count), anchor="middle"))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM + 44, "POPs that call it", anchor="middle", colour="#4b5563"))
    for rule, values in found.items():
        means = {count: statistics.mean(each) for count, each in values.items()}
        points = " ".join("%.1f,%.1f" % place(count, mean) for count, mean in means.items())
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS[rule]}" stroke-width="3"/>')
        parts += ['<circle cx="%.1f" cy="%.1f" r="4" fill="%s" fill-opacity="0.5"/>' % (*place(count, value), COLOURS[rule])
                  for count, each in values.items() for value in each]
        x, y = place(most, means[most])
        parts.append(text(x + 14, y + 4.5, f"{means[most]:.3g}  {RULES[rule]}", colour=COLOURS[rule], weight="bold"))
    return "\n".join(parts) + "\n</svg>\n"
