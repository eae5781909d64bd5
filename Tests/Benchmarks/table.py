"""Tables, medians and spreads, and the targets."""

import statistics


def percentile(values, share):
    """The value below which `share` of the values lie; nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def summary(values, scale=1, digits=2):
    """Median and p10..p90, scaled and rounded."""
    low, high = (round(percentile(values, share) * scale, digits) for share in (0.1, 0.9))
    return round(statistics.median(values) * scale, digits), [low, high]


def target(what, values, bound, digits=2):
    """A row: what was measured (a number, or one for each round), against a bound such as "<= 0.35"; "-" where there is none."""
    values = values if isinstance(values, list) else [values]
    measured, spread = summary(values, digits=digits)
    row = {"what": what, "measured": measured, "p10..p90": spread if len(values) > 1 else "", "target": bound}
    row["met"] = "-" if bound == "-" else "yes" if is_met(statistics.median(values), bound) else "NO"
    return row


def is_met(value, bound):
    sign, limit = bound.split()
    return value <= float(limit) if sign == "<=" else value >= float(limit)


def ratio(what, first, second, bound, digits=2):
    """A row: the ratio of two medians. Its spread is that of the ratios round by round, for both were measured in the same rounds."""
    row = target(what, statistics.median(first) / statistics.median(second), bound, digits)
    return row | {"p10..p90": summary([one / other for one, other in zip(first, second)], digits=digits)[1]}


def show(title, rows):
    """Prints rows with the same keys."""
    print(f"\n{title}\n")
    if not rows:
        return
    header = list(rows[0])

    def cell(value):
        return f"{value[0]}..{value[1]}" if isinstance(value, list) else str(value)
    lines = [header] + [[cell(row[key]) for key in header] for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        print("  " + "  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())
