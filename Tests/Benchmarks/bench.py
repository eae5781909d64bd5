#!/usr/bin/python3
"""Measures a node against peers in the same run, and prints medians and ratios.

(a) Warm: a no-op native, Python and Node function through the full HTTP path (signature, placement, pool, sandbox), against a
    plain Hummingbird echo route in the same process, and the same Python handler under uwsgi and under functions-framework with
    gunicorn. Latency at one connection, throughput at sixteen, with wrk.
(b) Cold: one call at a time, each starting from nothing (level zygote) or from the warming pool (level instance), against
    `bwrap --unshare-all` and `runc run` of the same work.

Rounds interleave, so that a busy moment of the machine meets everybody. Absolute numbers are this machine's; read the ratios.
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/Harness"))

from wayside_node import Node, wait_for  # noqa: E402

PYTHON = "/usr/bin/python3"
API, ECHO, UWSGI, FRAMEWORK = 9100, 9101, 9102, 9103

def node(build, data, name, port, keep=600, warming=(), echo=None):
    """A started node; with `echo`, in one process with the echo route."""
    made = Node(f"{build}/release/wayside", data, name, {"capacity": {
        "memoryMebibytes": 8192, "keepAliveSeconds": keep, "warming": list(warming)}}, port=port)
    if echo:
        made.command = [f"{build}/release/wayside-bench", "--config", str(made.config), "--echo-port", str(echo)]
    made.start()
    return made


def deploy(made, account, name, folder, runtime, handler=None):
    made.tool("deploy", name, str(folder), "--runtime", runtime, "--memory", "128", *(["--handler", handler] if handler else []),
              environment=account.environment)


def invocation_path(name):
    return f"/2015-03-31/functions/{name}/invocations"


def signed(account, name):
    return account.signer.headers("POST", invocation_path(name), b"{}", f"127.0.0.1:{account.node.port}")


def timed_call(account, name):
    """One call on a connection of its own: seconds, and how it started."""
    connection = http.client.HTTPConnection("127.0.0.1", account.node.port)
    connection.connect()
    headers = signed(account, name)
    began = time.perf_counter()
    connection.request("POST", invocation_path(name), b"{}", headers)
    answer = connection.getresponse()
    body = answer.read()
    took = time.perf_counter() - began
    connection.close()
    if answer.status != 200 or answer.getheader("X-Amz-Function-Error"):
        raise SystemExit(f"{name}: {answer.status} {body!r}")
    return took, answer.getheader("Wayside-Start-Level")


def resident(made):
    """Megabytes of the daemon."""
    text = pathlib.Path(f"/proc/{made.process.pid}/status").read_text(encoding="ascii")
    return round(int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024, 1)


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def wrk(url, headers, connections, seconds, script):
    """Median latency in microseconds and requests a second."""
    command = ["wrk", "-t1" if connections == 1 else "-t2", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script, url]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(f"{url}\n{text}")
    number, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit], float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])


def native(data):
    """The bundle of the static C function, which does nothing with its events."""
    source, folder = ROOT / "Runtimes/examples/hello-c", pathlib.Path(data, "native")
    if not folder.exists():
        subprocess.run(["make", "-C", source, "--silent"], check=True)
        folder.mkdir()
        shutil.copy2(source / "bootstrap", folder)
    return folder


def warm(build, vendor, data, rounds, seconds):
    """(a)"""
    script = f"{data}/post.lua"
    pathlib.Path(script).write_text(
        'wrk.method = "POST"\nwrk.body = "{}"\nwrk.headers["Content-Type"] = "application/json"\n', encoding="ascii")
    warm_node = node(build, data, "warm", API, echo=ECHO)
    peers = []
    try:
        examples = ROOT / "Runtimes/examples"
        account = warm_node.account()
        deploy(warm_node, account, "native", native(data), "provided.al2023")
        deploy(warm_node, account, "python", examples / "noop-python", "python3.11", "app.handler")
        deploy(warm_node, account, "node", examples / "noop-node", "nodejs20.x", "app.handler")
        peers.append(subprocess.Popen(
            ["uwsgi", "--plugin", "python3", "--http11-socket", f"127.0.0.1:{UWSGI}", "--wsgi-file", ROOT / "Tests/Benchmarks/noop_wsgi.py",
             "--processes", "2", "--listen", "64", "--disable-logging", "--master", "--die-on-term"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        peers.append(subprocess.Popen(
            [f"{vendor}/peers/bin/gunicorn", "--bind", f"127.0.0.1:{FRAMEWORK}", "--workers", "2", "--keep-alive", "60",
             "--worker-class", "gthread", "--threads", "8", "noop_framework:app"],
            cwd=ROOT / "Tests/Benchmarks", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        for port in (ECHO, UWSGI, FRAMEWORK):
            wait_for(lambda port=port: listens(port), f"port {port} is open")
        targets = {"echo route": (f"http://127.0.0.1:{ECHO}/echo", None)}
        for name in ("native", "python", "node"):
            targets[f"wayside {name}"] = (f"http://127.0.0.1:{API}{invocation_path(name)}", name)
        targets["uwsgi python"] = (f"http://127.0.0.1:{UWSGI}/", None)
        targets["functions-framework"] = (f"http://127.0.0.1:{FRAMEWORK}/", None)
        latency, throughput = {name: [] for name in targets}, {name: [] for name in targets}
        for url, name in targets.values():
            wrk(url, signed(account, name) if name else {}, 16, 1, script)
        for _ in range(rounds):
            for target, (url, name) in targets.items():
                latency[target].append(wrk(url, signed(account, name) if name else {}, 1, seconds, script)[0])
                throughput[target].append(wrk(url, signed(account, name) if name else {}, 16, seconds, script)[1])
        idle = node(build, data, "idle", API + 10)
        try:
            time.sleep(1)
            memory = {"daemon idle MiB": resident(idle), "daemon after the load MiB": resident(warm_node)}
        finally:
            idle.stop()
        rows = [{"what": name, "latency p50 us": round(statistics.median(latency[name]), 1),
                 "spread us": [round(min(latency[name]), 1), round(max(latency[name]), 1)],
                 "requests/s": round(statistics.median(throughput[name])),
                 "spread /s": [round(min(throughput[name])), round(max(throughput[name]))]} for name in targets]
        return rows, memory
    finally:
        for peer in peers:
            peer.terminate()
            peer.wait(10)
        warm_node.stop()


def command_time(command):
    began = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    _, status = os.waitpid(process, 0)
    took = time.perf_counter() - began
    if status != 0:
        raise SystemExit(f"{' '.join(command)} ended with {status}")
    return took


def runc_bundle(folder, arguments, binds):
    """A bundle of the host's own folders, read-only, with the namespaces that `runc spec` gives."""
    pathlib.Path(folder, "rootfs").mkdir(parents=True)
    subprocess.run(["runc", "spec"], cwd=folder, check=True)
    spec = json.loads(pathlib.Path(folder, "config.json").read_text(encoding="utf-8"))
    spec["process"] |= {"terminal": False, "args": arguments}
    spec["mounts"] = [mount for mount in spec["mounts"] if mount["destination"] in ("/proc", "/dev")] + [
        {"destination": path, "source": path, "type": "bind", "options": ["rbind", "ro"]} for path in binds]
    pathlib.Path(folder, "config.json").write_text(json.dumps(spec), encoding="utf-8")


def is_settled(pools, level):
    ready = 4 if level == "instance" else 0
    return pools["instances"] == ready and pools["instancesReady"] == ready


def cold(build, data, count):
    """(b)"""
    # Not below /tmp, over which bwrap mounts an empty one.
    noop = f"{build}/noop"
    subprocess.run(["cc", "-O2", "-static", "-x", "c", "-o", noop, "-"], input=b"int main(void) { return 0; }", check=True)
    bwrap = ["/usr/bin/bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
    commands = {"bwrap python3 -I -c pass": [*bwrap, PYTHON, "-I", "-c", "pass"], "bwrap static no-op": [*bwrap, noop]}
    folders = [path for path in ("/usr", "/lib", "/lib64") if os.path.exists(path)]
    runc_bundle(f"{data}/runc-python", [PYTHON, "-I", "-c", "pass"], folders)
    runc_bundle(f"{data}/runc-native", [noop], [noop])
    samples = {name: [] for name in commands}
    samples |= {"runc python3 -I -c pass": [], "runc static no-op": []}
    examples = ROOT / "Runtimes/examples"
    nodes = {"zygote": node(build, data, "cold", API + 20, keep=0),
             "instance": node(build, data, "spare", API + 21, keep=0, warming=["python=2", "provided=2"])}
    try:
        accounts = {level: made.account() for level, made in nodes.items()}
        for level, made in nodes.items():
            deploy(made, accounts[level], "native", native(data), "provided.al2023")
            deploy(made, accounts[level], "python", examples / "noop-python", "python3.11", "app.handler")
        for round_number in range(count):
            for name, command in commands.items():
                samples[name].append(command_time(command))
            for name in ("python", "native"):
                label = f"runc {'python3 -I -c pass' if name == 'python' else 'static no-op'}"
                samples[label].append(command_time(
                    ["/usr/sbin/runc", "run", "--bundle", f"{data}/runc-{name}", f"wayside-bench-{name}-{round_number}"]))
            for level, made in nodes.items():
                for name in ("python", "native"):
                    # Idle containers end at once; the next call must not find one, and the warming pool must be full again.
                    wait_for(lambda made=made, level=level: is_settled(made.pools(), level), "the pool is settled")
                    took, started = timed_call(accounts[level], name)
                    samples.setdefault(f"wayside {name}, {started}", []).append(took)
    finally:
        for made in nodes.values():
            made.stop()
    return [{"what": name, "p50 ms": round(statistics.median(values) * 1e3, 2), "count": len(values),
             "p10..p90 ms": [round(sorted(values)[int(len(values) * share)] * 1e3, 2) for share in (0.1, 0.9)]}
            for name, values in samples.items()]


def ratios(warm_rows, cold_rows):
    by = {row["what"]: row for row in warm_rows + cold_rows}
    result = []

    def ratio(text, first, second, key, bound):
        if first in by and second in by:
            result.append({"what": text, "ratio": round(by[first][key] / by[second][key], 2), "wanted": bound})

    ratio("warm native latency / echo", "wayside native", "echo route", "latency p50 us", "<= 2.5")
    ratio("warm native throughput / echo", "wayside native", "echo route", "requests/s", ">= 0.4")
    ratio("warm python throughput / functions-framework", "wayside python", "functions-framework", "requests/s", ">= 2")
    ratio("warm python throughput / uwsgi", "wayside python", "uwsgi python", "requests/s", "-")
    ratio("cold python, zygote / bwrap python", "wayside python, zygote", "bwrap python3 -I -c pass", "p50 ms", "<= 1")
    ratio("cold native, zygote / bwrap static", "wayside native, zygote", "bwrap static no-op", "p50 ms", "<= 2")
    ratio("cold python, instance / bwrap python", "wayside python, instance", "bwrap python3 -I -c pass", "p50 ms", "-")
    ratio("cold native, instance / bwrap static", "wayside native, instance", "bwrap static no-op", "p50 ms", "-")
    ratio("cold python, zygote / runc python", "wayside python, zygote", "runc python3 -I -c pass", "p50 ms", "-")
    ratio("cold native, zygote / runc static", "wayside native, zygote", "runc static no-op", "p50 ms", "-")
    return result


def table(title, rows):
    print(f"\n{title}\n")
    header = list(rows[0])

    def cell(value):
        return f"{value[0]}..{value[1]}" if isinstance(value, list) else str(value)
    cells = [header] + [[cell(row[key]) for key in header] for row in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(header))]
    for line in cells:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--vendor", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--cold", type=int, default=60, help="cold calls of each kind")
    parser.add_argument("--only", choices=["warm", "cold"])
    arguments = parser.parse_args()
    data = tempfile.mkdtemp(prefix="wayside-bench-")
    try:
        warm_rows, memory, cold_rows = [], {}, []
        if arguments.only != "cold":
            warm_rows, memory = warm(arguments.build, arguments.vendor, data, arguments.rounds, arguments.seconds)
            table("Warm: latency at 1 connection, throughput at 16 (wrk); medians of rounds", warm_rows)
        if arguments.only != "warm":
            cold_rows = cold(arguments.build, data, arguments.cold)
            table("Cold: end to end over HTTP, one at a time", cold_rows)
        summary = ratios(warm_rows, cold_rows)
        table("Ratios", summary)
        if memory:
            table("Memory", [memory])
        path = pathlib.Path(arguments.build, "bench.json")
        path.write_text(json.dumps({"warm": warm_rows, "cold": cold_rows, "ratios": summary, "memory": memory}, indent=1), encoding="utf-8")
        print(f"\nwritten to {path}")
    finally:
        shutil.rmtree(data)


if __name__ == "__main__":
    main()
