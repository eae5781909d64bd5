#!/usr/bin/python3
"""Measures a node against peers in the same run, and prints medians, spreads, and which targets are met.

    warm      a warm call against web servers: latency and throughput (wrk)
    starts    a call from each start level against bwrap, runc and node
    storm     cold starts a second, and what warm calls suffer meanwhile
    density   idle containers by the thousand, and the memory of each
    convergence  cold starts of one rare task against the number of POPs that call it (needs root and iproute2)
    freezing  a warm call of a frozen container against one that is never frozen
    forwarding  a warm call through a POP against the same call sent to its region

Rounds interleave, so that a busy moment of the machine meets everybody. Absolute numbers are this machine's; read the ratios.
Writes bench.json, bench-start-levels.svg and bench-convergence.svg into the build folder.
"""

import argparse
import json
import pathlib
import shutil
import sys
import tempfile
import time

import convergence
import density
import forwarding
import freezing
import plot
import starts
import storm
import warm
from nodes import Bench
from table import show, target

CASES = ["warm", "starts", "storm", "density", "freezing", "forwarding", "convergence"]


def run_warm(bench, arguments, out):
    rows, memory, out["targets"]["warm"] = warm.measure(bench, arguments.rounds, arguments.seconds)
    show("Warm: latency at 1 connection, throughput at 16; medians of rounds", rows)
    show("Memory of the daemon", [memory])
    out |= {"warm": rows, "memory": memory}


def run_starts(bench, arguments, out):
    samples = starts.measure(bench, arguments.starts)
    rows = starts.rows(samples)
    show("Starts: end to end over HTTP, one at a time", rows)
    out["targets"]["starts"] = starts.targets(samples)
    path = pathlib.Path(arguments.build, "bench-start-levels.svg")
    path.write_text(plot.start_levels(samples), encoding="utf-8")
    print(f"\ndrawn in {path}")
    out |= {"starts": rows, "samples": {name: [round(value * 1e3, 3) for value in values] for name, values in samples.items()}}


def run_storm(bench, arguments, out):
    rows, out["targets"]["storm"] = storm.measure(bench, arguments.rounds)
    show("Storms of cold starts; a warm function is called every few milliseconds, alone and meanwhile", rows)
    out["storm"] = rows


def run_density(bench, arguments, out):
    rows, out["targets"]["density"] = density.measure(bench, {"python": arguments.containers, "native": arguments.containers // 5})
    show("Density: idle containers", rows)
    out["density"] = rows


def run_freezing(bench, arguments, out):
    rows, out["targets"]["freezing"] = freezing.measure(bench)
    show("Freezing: warm calls, one every 60 ms", rows)
    out["freezing"] = rows


def run_convergence(_, arguments, out):
    found = convergence.measure(pathlib.Path(arguments.build, "release/wayside"))
    show("Convergence: cold starts of one rare task, each POP calling once", convergence.rows(found))
    most = max(found["expected"])
    out["targets"]["convergence"] = [target(f"cold starts of a rare task at {most} POPs, PLACE-13", found["expected"][most], "<= 2")]
    path = pathlib.Path(arguments.build, "bench-convergence.svg")
    path.write_text(convergence.draw(found), encoding="utf-8")
    print(f"\ndrawn in {path}")
    out["convergence"] = found


def run_forwarding(bench, arguments, out):
    rows, out["targets"]["forwarding"] = forwarding.measure(bench, arguments.rounds, arguments.seconds)
    show("Forwarding: warm calls; client, POP, region and function share the processors", rows)
    held, targets = forwarding.measure_held(bench, arguments.held)
    show("Forwarded calls held", held)
    kill, more = forwarding.measure_kill(bench)
    show("One of two regions killed under load", kill)
    out["targets"]["forwarding"] += targets + more
    out |= {"forwarding": rows, "forwarding held": held, "forwarding kill": kill}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="holds release/wayside, release/wayside-bench and sandbox/")
    parser.add_argument("--vendor", required=True, help="holds peers/bin/gunicorn")
    parser.add_argument("--rounds", type=int, default=3, help="of warm and storm")
    parser.add_argument("--seconds", type=int, default=2, help="of each run of wrk")
    parser.add_argument("--starts", type=int, default=40, help="starts of each kind")
    parser.add_argument("--containers", type=int, default=1000, help="idle Python containers; a fifth of it native")
    parser.add_argument("--held", type=int, default=10_000, help="forwarded calls held at once")
    parser.add_argument("--only", choices=CASES, action="append", help="this case alone; may be repeated")
    arguments = parser.parse_args()
    # Not below /tmp, over which bwrap mounts an empty one.
    data = tempfile.mkdtemp(prefix="wayside-bench-", dir="/var/tmp")
    out = {"targets": {}}
    try:
        pathlib.Path(data).chmod(0o755)
        bench = Bench(arguments.build, arguments.vendor, data)
        for case in arguments.only or CASES:
            began = time.monotonic()
            globals()[f"run_{case}"](bench, arguments, out)
            print(f"\n({case}: {time.monotonic() - began:.0f} s)")
            sys.stdout.flush()
        show("Targets", [row for rows in out["targets"].values() for row in rows])
        path = pathlib.Path(arguments.build, "bench.json")
        path.write_text(json.dumps(out, indent=1), encoding="utf-8")
        print(f"\nwritten to {path}")
    finally:
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
