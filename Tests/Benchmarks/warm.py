"""Warm calls: a function that does nothing through the full way of a request, against web servers.

The peers are a plain Hummingbird echo route in the node's own process, and the same Python handler under uwsgi and under
functions-framework with gunicorn. Latency at one connection, throughput at sixteen, with wrk.
"""

import contextlib
import pathlib
import re
import socket
import statistics
import subprocess
import time

from nodes import ROOT, Caller, deploy, free_port, invocation_path, wait_for
from table import ratio, summary

HERE = ROOT / "Tests/Benchmarks"
POST = 'wrk.method = "POST"\nwrk.body = "{}"\nwrk.headers["Content-Type"] = "application/json"\n'


def wrk(url, headers, connections, seconds, script):
    """Median latency in microseconds, and requests a second."""
    command = ["wrk", "-t1" if connections == 1 else "-t2", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script, url]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(f"{url}\n{text}")
    number, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit], float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextlib.contextmanager
def running(command, port, folder=HERE):
    """A server that runs while the block does."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: listens(port), f"port {port} is open")
        yield
    finally:
        process.terminate()
        process.wait(10)


def resident_mebibytes(node):
    text = pathlib.Path(f"/proc/{node.process.pid}/status").read_text(encoding="ascii")
    return round(int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024, 1)


def measure(bench, rounds, seconds):
    """Rows, the daemon's memory, targets."""
    script = bench.data / "post.lua"
    script.write_text(POST, encoding="ascii")
    echo, uwsgi, framework = free_port(), free_port(), free_port()
    uwsgi_command = ["uwsgi", "--plugin", "python3", "--http11-socket", f"127.0.0.1:{uwsgi}", "--wsgi-file", "noop_wsgi.py", "--processes",
                     "2", "--listen", "64", "--disable-logging", "--master", "--die-on-term"]
    framework_command = [bench.vendor / "peers/bin/gunicorn", "--bind", f"127.0.0.1:{framework}", "--workers", "2", "--keep-alive", "60",
                         "--worker-class", "gthread", "--threads", "8", "noop_framework:app"]
    with bench.node("warm", echo=echo) as node, running(uwsgi_command, uwsgi), running(framework_command, framework):
        caller = Caller(node.account())
        urls = {"echo route": f"http://127.0.0.1:{echo}/echo"}
        languages = [language for language in ("native", "python", "node") if language in bench.languages()]
        for language in languages:
            deploy(caller.account, language, language)
            urls[f"wayside {language}"] = f"http://127.0.0.1:{node.port}{invocation_path(language)}"
        urls |= {"uwsgi python": f"http://127.0.0.1:{uwsgi}/", "functions-framework": f"http://127.0.0.1:{framework}/"}

        def headers(name):
            language = name.removeprefix("wayside ")
            return {} if language == name else caller.account.signer.headers(
                "POST", invocation_path(language), b"{}", f"127.0.0.1:{node.port}")

        for name, url in urls.items():
            wrk(url, headers(name), 16, 1, script)
        latency, throughput = {name: [] for name in urls}, {name: [] for name in urls}
        for _ in range(rounds):
            for name, url in urls.items():
                latency[name].append(wrk(url, headers(name), 1, seconds, script)[0])
                throughput[name].append(wrk(url, headers(name), 16, seconds, script)[1])
        with bench.node("idle") as idle:
            time.sleep(1)
            memory = {"daemon idle MiB": resident_mebibytes(idle), "daemon after the load MiB": resident_mebibytes(node)}
    rows = []
    for name in urls:
        p50, latencies = summary(latency[name], digits=1)
        rows.append({"what": name, "latency p50 us": p50, "p10..p90 us": latencies,
                     "requests/s": round(statistics.median(throughput[name])), "p10..p90 /s": summary(throughput[name], digits=0)[1]})
    return rows, memory, [
        ratio("warm native latency / echo route", latency["wayside native"], latency["echo route"], "<= 2.5"),
        ratio("warm native throughput / echo route", throughput["wayside native"], throughput["echo route"], ">= 0.4"),
        ratio("warm python throughput / functions-framework", throughput["wayside python"], throughput["functions-framework"], ">= 2"),
        ratio("warm python throughput / uwsgi", throughput["wayside python"], throughput["uwsgi python"], "-"),
    ]
