"""What freezing costs: a warm call of a container that has been frozen meanwhile, against one that never is."""

import contextlib
import time
from pathlib import Path

from nodes import Caller, deploy, wait_for
from table import summary, target

PAUSE_SECONDS = 0.06
FREEZE_MILLISECONDS = 20
CALLS = 100


def frozen_count(node):
    """Frozen containers of a node, by the kernel's word (cgroup v1 and v2)."""
    count = 0
    for file, mark in (("freezer.state", "FROZEN"), ("cgroup.events", "frozen 1")):
        for path in Path("/sys/fs/cgroup").glob(f"**/{node.cgroup}/*/*/{file}"):
            with contextlib.suppress(OSError):
                count += mark in path.read_text(encoding="ascii")
    return count


def measure(bench):
    """Rows and targets."""
    samples = {}
    with contextlib.ExitStack() as stack:
        callers = []
        for name, after in (("frozen", FREEZE_MILLISECONDS), ("never frozen", 0)):
            node = stack.enter_context(bench.node(name.replace(" ", "-"), {"sandbox": {"freezeAfterMilliseconds": after}}))
            caller = Caller(node.account())
            callers.append((name, node, caller))
            for language in ("python", "native"):
                deploy(caller.account, language, language)
                caller.call(language)
        frozen, free = callers[0][1], callers[1][1]
        wait_for(lambda: frozen_count(frozen) == 2, "both containers are frozen")
        if frozen_count(free) != 0:
            raise SystemExit("freezeAfterMilliseconds: 0 must never freeze")
        for number in range(CALLS):
            if number % 10 == 0 and frozen_count(frozen) != 2:
                raise SystemExit(f"not frozen {PAUSE_SECONDS} s after the call before")
            for name, node, caller in callers:
                for language in ("python", "native"):
                    time.sleep(PAUSE_SECONDS / 4)
                    took, level = caller.call(language)
                    if level != "warm":
                        raise SystemExit(f"{name}: {language} started at level {level}")
                    samples.setdefault(f"{language}, {name}", []).append(took)
    rows = [{"call of": name, "p50 us": summary(values, 1e6, 0)[0], "p10..p90 us": summary(values, 1e6, 0)[1], "calls": len(values)}
            for name, values in samples.items()]
    return rows, [target(f"freezing adds to a {language} call, us", [
        (cold - warm) * 1e6 for cold, warm in zip(samples[f"{language}, frozen"], samples[f"{language}, never frozen"])], "-", digits=0)
        for language in ("python", "native")]
