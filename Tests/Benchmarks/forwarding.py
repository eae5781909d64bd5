"""What forwarding costs: the same warm call sent to a region's own API and through a POP that always forwards it.

Client, POP, region and function share the processors of one machine, on loopback. A forwarded call therefore pays here for two nodes
where a fleet has a machine for each: the ratio of throughputs is that of the processor time of the two ways, and what wrk and the
function use is part of both.
"""

import contextlib
import pathlib
import resource
import selectors
import shutil
import socket
import statistics
import sys
import tempfile
import time

from nodes import ROOT, bundle, cpu_seconds, deploy, invocation_path, signed_request, wait_for
from table import ratio, summary, target
from warm import POST, resident_mebibytes, wrk

sys.path.insert(0, str(ROOT / "Tests/Harness"))

import region_kill  # noqa: E402
from wayside_node import Fleet  # noqa: E402

CONNECTIONS = (16, 64)
LONG_START = "import time\n\ntime.sleep(500)\n\ndef handler(event, context):\n    return 1\n"
# No function ever becomes frequent, so the POP forwards every call.
ALWAYS = {"policy": "frequency", "frequentCalls": 1e12, "uncommonCalls": 1e11}


@contextlib.contextmanager
def fleet(bench, pop=None, region=None, regions=1):
    """A POP that forwards everything and its region, while the block runs."""
    folder = tempfile.mkdtemp(prefix="forwarding-", dir=bench.data)
    programs = {"programs": {"runtimes": str(bench.runtimes)}, "drain": {"timeoutSeconds": 1, "parkSeconds": 0}}
    made = Fleet(bench.build / "release/wayside", folder,
                 pop=programs | {"placement": ALWAYS, "capacity": {"memoryMebibytes": 1024, "warming": []}} | (pop or {}),
                 region=programs | {"capacity": {"memoryMebibytes": 65536, "warming": []}} | (region or {}), regions=regions)
    made.start()
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Way:
    """One of the two ways to a function."""

    def __init__(self, account, name, script):
        self.url = f"http://127.0.0.1:{account.node.port}{invocation_path(name)}"
        self.account, self.name, self.script = account, name, script
        self.latency, self.throughput, self.cpu = [], {count: [] for count in CONNECTIONS}, []

    def run(self, connections, seconds):
        headers = self.account.signer.headers("POST", invocation_path(self.name), b"{}", f"127.0.0.1:{self.account.node.port}")
        return wrk(self.url, headers, connections, seconds, self.script)

    def measure(self, nodes, seconds):
        self.latency.append(self.run(1, seconds)[0])
        for count in CONNECTIONS:
            before = sum(map(cpu_seconds, nodes))
            rate = self.run(count, seconds)[1]
            self.throughput[count].append(rate)
            if count == CONNECTIONS[0]:
                self.cpu.append((sum(map(cpu_seconds, nodes)) - before) / (rate * seconds) * 1e6)


def measure(bench, rounds, seconds):
    """Rows, and targets."""
    script = bench.data / "forward.lua"
    pathlib.Path(script).write_text(POST, encoding="ascii")
    languages = [language for language in ("native", "python") if language in bench.languages()]
    rows, targets = [], []
    with fleet(bench) as nodes:
        accounts = {"direct": nodes.region.account(), "through the POP": nodes.pop.account("123456789013")}
        ways = {}
        for language in languages:
            for way, account in accounts.items():
                deploy(account, language, language, bundle(language))
                ways[language, way] = Way(account, language, script)
        for way in ways.values():
            way.run(max(CONNECTIONS), 1)
        for _ in range(rounds):
            for way in ways.values():
                way.measure((nodes.pop, nodes.region), seconds)
    for (language, name), way in ways.items():
        p50, latencies = summary(way.latency, digits=1)
        rows.append({"what": f"{language} {name}", "latency p50 us": p50, "p10..p90 us": latencies}
                    | {f"requests/s at {count}": round(statistics.median(way.throughput[count])) for count in CONNECTIONS}
                    | {"CPU us per call": round(statistics.median(way.cpu), 1)})
    for language in languages:
        direct, forwarded = ways[language, "direct"], ways[language, "through the POP"]
        targets.append(ratio(f"forwarded {language} latency / direct", forwarded.latency, direct.latency, "<= 2"))
        for count in CONNECTIONS:
            targets.append(ratio(f"forwarded {language} throughput at {count} / direct", forwarded.throughput[count],
                                 direct.throughput[count], ">= 0.45"))
        # Of both nodes and the function, without wrk: what remains comparable when others use the machine too.
        targets.append(ratio(f"forwarded {language} processor time / direct", forwarded.cpu, direct.cpu, "-"))
    return rows, targets


def measure_held(bench, count):
    """A row and a target: so many calls of clients on connections of their own, forwarded and not answered."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < count + 1000:
        raise SystemExit(f"{count} connections need as many file descriptors, and {hard} are permitted (ulimit -Hn)")
    # One of them loads its code, which takes for ever; the others wait for their turn to start. A region with too little memory for all
    # would refuse them, so this one believes that it has enough; a container that is kept idle for another account shows it is not full.
    region = {"capacity": {"memoryMebibytes": 256 * count, "containersMax": 2 * count, "startsMax": 1, "warming": [],
                           "waitersMax": 5 * count},
              "sandbox": {"initTimeoutSeconds": 600}}
    with fleet(bench, region=region) as nodes:
        account, other = nodes.pop.account(), nodes.region.account("123456789013")
        deploy(other, "idle", "python")
        nodes.region.tool("pool", "reserve", "idle", "--count", "1", "--account", other.number)
        wait_for(lambda: nodes.region.pools()["containersIdle"] == 1, "a container is idle")
        deploy(account, "quick", "python")
        account.invoke("quick")
        deploy(account, "held", "python", {"app.py": LONG_START}, Timeout=900)
        before, began = resident_mebibytes(nodes.pop), time.monotonic()
        connections = [held_call(account, "held") for _ in range(count)]
        try:
            wait_for(lambda: held_there(nodes.region) == nodes.pop.status()["underWay"] == count,
                     f"the region has {count} calls", seconds=60)
            took, memory = time.monotonic() - began, resident_mebibytes(nodes.pop)
            region_memory = resident_mebibytes(nodes.region)
            answered = answered_among(connections)
        finally:
            for connection in connections:
                connection.close()
        began = time.monotonic()
        wait_for(lambda: nodes.pop.status()["underWay"] == held_there(nodes.region) == 0, "all have been cancelled", seconds=60)
        row = {"calls held": count, "answered": answered, "s until all": round(took, 1), "POP MiB before": before, "POP MiB": memory,
               "region MiB": region_memory, "s until cancelled": round(time.monotonic() - began, 1)}
    return [row], [target(f"POP's memory with {count} forwarded calls held, MiB", memory, "<= 500")]


def held_there(region):
    pools = region.pools()
    # The call that a container is being started for has left the queue.
    return pools["waiting"] + pools["containersStarting"] + pools["containersBusy"]


def held_call(account, name):
    connection = socket.create_connection(("127.0.0.1", account.node.port), timeout=60)
    connection.sendall(signed_request(account, name))
    return connection


def answered_among(connections):
    waits = selectors.DefaultSelector()
    for connection in connections:
        waits.register(connection, selectors.EVENT_READ)
    return len(waits.select(0))


def measure_kill(bench):
    """A row and targets: one of two regions is killed under 200 calls a second."""
    with contextlib.closing(region_kill.Witness()) as witness, fleet(
            bench, region={"capacity": {"memoryMebibytes": 16384, "warming": ["python=2"]}}, regions=2) as nodes:
        account = nodes.pop.account()
        region_kill.deploy(account, witness)
        account.invoke("told", {"witness": witness.address})
        calls, killed = region_kill.run(nodes, account, witness)
    recovery = region_kill.recovery(calls, killed)
    unanswered, runs = sum(call.status is None for call in calls), max(witness.runs.values())
    lost, failed = len(region_kill.lost(calls)), sum(not call.is_good for call in calls)
    slow = "..".join(f"{share:.1%}" for share in region_kill.slow_share(calls, killed))
    row = {"calls": len(calls), "calls/s": round(len(calls) / 8), "lost under way (not idempotent)": lost,
           "failed otherwise": failed - lost, "most runs of one": runs, "recovered s": round(recovery, 2),
           "slowest s": round(max(call.took for call in calls), 2), "slow before..after": slow}
    return [row], [target("calls without an answer, region killed at 200/s", unanswered, "<= 0"),
                   target("calls failed that were not lost under way", failed - lost, "<= 0"),
                   target("runs of one call, region killed", runs, "<= 1"),
                   target("from the kill to the last failed or slow answer, s", recovery, "<= 2")]
