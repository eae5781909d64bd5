"""How many idle containers a node holds, and what memory each of them takes.

Counted is the proportional set size (PSS) of every process that came with the containers: runtimes, inits of containers and of instances.
A page that n processes share counts a n-th in each. Beside it stands what the machine lost of its available memory, which has the
kernel's own part too, but also whatever else happened on the machine.
"""

import random
import re
import statistics
import threading
import time
from pathlib import Path

from nodes import Caller, deploy_many, descendants
from table import target

CALLERS = 4
SAMPLE = 100
BOUNDS = {"python": "<= 3", "native": "<= 1"}
MEBIBYTE = 1 << 20


def pss_bytes(process):
    text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
    return int(re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024


def available_bytes():
    return int(re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text(encoding="ascii"))[1]) * 1024


def start_all(account, names):
    """One call of each function, a few at a time."""
    failures = []

    def work(mine):
        try:
            caller = Caller(account)
            for name in mine:
                caller.call(name)
        except (OSError, SystemExit) as error:
            failures.append(error)
    threads = [threading.Thread(target=work, args=(names[number::CALLERS],)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"not every container could be started: {failures[0]}")


def hold(bench, language, count):
    """A row, bytes of PSS of a container, and the share of sampled calls that were warm."""
    capacity = {"containersMax": count + 50, "memoryMebibytes": 256 * count, "keepAliveSeconds": 3600}
    with bench.node(f"density-{language}", {"capacity": capacity}) as node:
        account = node.account()
        names = deploy_many(account, language, count)
        supervisor = node.launcher()
        before, free = set(descendants(supervisor)), available_bytes()
        began = time.monotonic()
        start_all(account, names)
        took = time.monotonic() - began
        held = node.pools()["containers"]
        taken = free - available_bytes()
        each = sum(pss_bytes(process) for process in set(descendants(supervisor)) - before) / count
        caller = Caller(account)
        calls = [caller.call(name) for name in random.Random(1).sample(names, min(SAMPLE, count))]
    warm = sum(level == "warm" for _, level in calls) / len(calls)
    return {
        "what": f"{language}, {count} containers", "held": held, "PSS each MiB": round(each / MEBIBYTE, 2),
        "machine, each MiB": round(taken / count / MEBIBYTE, 2), "filled in s": round(took, 1),
        "warm answers": f"{warm:.0%}", "p50 ms of them": round(statistics.median(seconds for seconds, _ in calls) * 1e3, 2),
    }, each, warm


def measure(bench, counts):
    """Rows and targets."""
    rows, targets = [], []
    for language, count in counts.items():
        row, each, warm = hold(bench, language, count)
        rows.append(row)
        targets.append(target(f"{language}: MiB of PSS of an idle container", each / MEBIBYTE, BOUNDS[language]))
        targets.append(target(f"{language}: share of {count} idle containers that answer warm", warm, ">= 1"))
    return rows, targets
