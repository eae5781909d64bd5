"""Warm round trips over the frame socket, and forks of the zygote: what a runtime costs without the engine around it.

Medians of several rounds in one run. The two processes of a round trip share the machine with everything else that runs
on it, so compare numbers of one run only. `taskset -c 1` takes the waking of another core out of them.
"""

import statistics
import tempfile
import time

from support import daemon
from support.zygote import Zygote, build_library

ROUNDS = 7
CALLS = 3000
FORKS = 60
NOOPS = (
    ("python", "noop-python", "app.handler"),
    ("node", "noop-node", "app.handler"),
    ("ruby", "noop-ruby", "lambda_function.lambda_handler"),
)


def warm(runtime, bundle, handler):
    """Seconds of one warm call of the no-op example, one call at a time."""
    files = {path.name: path.read_text() for path in (daemon.RUNTIMES / "examples" / bundle).iterdir()}
    with daemon.Function(runtime, files, handler) as function:
        connection = function.connection
        connection.settimeout(None)
        call = function.invoke_bytes({"key": "value", "number": 1})
        times = []
        for _ in range(ROUNDS + 1):
            start = time.perf_counter()
            for _ in range(CALLS):
                connection.send(call)
                connection.recv(1 << 16)
            times.append((time.perf_counter() - start) / CALLS)
        return statistics.median(times[1:])  # the first round warms up caches and compilers


def fork(library):
    """Seconds from a request to the zygote to BOOTED, and from INIT to READY."""
    zygote = Zygote(library)
    booted, ready = [], []
    with tempfile.TemporaryDirectory() as folder:
        daemon.write_bundle(folder, {"app.py": "import json, logging\ndef handler(event, context): return event"})
        for _ in range(FORKS):
            start = time.perf_counter()
            channel, _ = zygote.fork()
            forked = time.perf_counter()
            channel.send_init("app.handler", daemon.variables(folder, "", {}))
            channel.receive()
            booted.append(forked - start)
            ready.append(time.perf_counter() - forked)
            channel.close()
    zygote.close()
    return zygote.boot_seconds, statistics.median(booted), statistics.median(ready)


def boot(runtime, bundle, handler):
    """Seconds from starting the process to BOOTED and from there to READY."""
    files = {path.name: path.read_text() for path in (daemon.RUNTIMES / "examples" / bundle).iterdir()}
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        with daemon.Function(runtime, files, handler):
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    print(f"{'warm call':<34}{'microseconds':>14}{'per second':>12}")
    for runtime, bundle, handler in NOOPS:
        seconds = warm(runtime, bundle, handler)
        print(f"{bundle:<34}{seconds * 1e6:>14.1f}{1 / seconds:>12.0f}")
    print(f"{'start':<34}{'milliseconds':>14}")
    for runtime, bundle, handler in NOOPS:
        print(f"{'new process to READY, ' + runtime:<34}{boot(runtime, bundle, handler) * 1e3:>14.2f}")
    with tempfile.TemporaryDirectory() as folder:
        zygote_boot, booted, ready = fork(build_library(folder))
    print(f"{'zygote: boot, once':<34}{zygote_boot * 1e3:>14.2f}")
    print(f"{'zygote: request to BOOTED':<34}{booted * 1e3:>14.2f}")
    print(f"{'forked child: INIT to READY':<34}{ready * 1e3:>14.2f}")


if __name__ == "__main__":
    main()
