"""Fuzzes what reads bytes of somebody else: `python3 Tests/Fuzz/run.py [--seconds 60] [TARGET…]`.

Builds the targets into .build/fuzz (`make build` must have run), runs each for its share of the seconds, starting from the seeds in
Tests/Fuzz/seeds/<target> and from what earlier runs have found in .build/fuzz/corpus, and prints what was covered. An input that
crashes a target, leaks, or takes longer than ten seconds fails the run; its path is printed, and
`SWIFT_BACKTRACE=enable=no .build/fuzz/bin/<target> PATH` repeats it. `--self-test` proves that each target can fail (planted.py).
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import planted
import programs
import seeds

OUTPUT = programs.ROOT / ".build/fuzz"
INPUT_SECONDS = 10
# Half a message more than the longest one of the launcher's wire.
LENGTH_MAX = {"launcher_requests": 100_000, "launcher_messages": 70_000}
SANITIZERS = {"ASAN_OPTIONS": "quarantine_size_mb=16:detect_stack_use_after_return=0", "UBSAN_OPTIONS": "print_stacktrace=1",
              # libFuzzer reports crashes; a second reporter would only stand in its way.
              "SWIFT_BACKTRACE": "enable=no"}


def run_target(target, folder, corpus, seconds, crashes):
    """Runs one target; its exit status and what libFuzzer wrote."""
    for path in (corpus, crashes):
        path.mkdir(parents=True, exist_ok=True)
    command = [folder / target, f"-max_total_time={seconds}", f"-timeout={INPUT_SECONDS}", "-rss_limit_mb=2048", "-print_final_stats=1",
               f"-max_len={LENGTH_MAX.get(target, 8192)}", "-close_fd_mask=1", "-verbosity=1", f"-artifact_prefix={crashes}/{target}-",
               corpus, programs.HERE / "seeds" / target]
    report = crashes / f"{target}.log"
    with open(report, "wb") as log:
        result = subprocess.run([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=log, check=False,
                                env=os.environ | SANITIZERS, timeout=seconds + 120)
    return result.returncode, report.read_text(encoding="utf-8", errors="replace")


def summary(target, text):
    runs = re.findall(r"stat::number_of_executed_units: (\d+)", text)
    covered = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", text)
    edges, features, inputs = covered[-1] if covered else ("?", "?", "?")
    return f"{target:<20}{runs[-1] if runs else '?':>12}{edges:>8}{features:>10}{inputs:>8}"


def build(tree, folder, wanted):
    for program in programs.PROGRAMS:
        if set(program.targets) & set(wanted):
            began = time.monotonic()
            if programs.build(program, tree, folder):
                print(f"built {program.name} in {time.monotonic() - began:.0f} s", flush=True)


def fuzz(wanted, seconds, jobs):
    """Runs the targets, `jobs` at a time; the names of those that failed."""
    old = seeds.stale()
    if old:
        sys.exit(f"{old[0]} is not what the wire says now; run python3 {programs.HERE / 'seeds.py'}")
    build(programs.ROOT, OUTPUT / "bin", wanted)
    share = max(1, seconds * min(jobs, len(wanted)) // len(wanted))
    print(f"{'target':<20}{'executions':>12}{'edges':>8}{'features':>10}{'corpus':>8}    ({share} s each)", flush=True)
    failed = []

    def one(target):
        return target, *run_target(target, OUTPUT / "bin", OUTPUT / "corpus" / target, share, OUTPUT / "crashes")

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for target, status, text in pool.map(one, wanted):
            print(summary(target, text), flush=True)
            if status != 0:
                failed.append(target)
                print("\n".join(text.splitlines()[-60:]))
                written = re.findall(r"Test unit written to (\S+)", text)
                print(f"{target} failed with {status}; the input: {written[0] if written else 'none was written'}", flush=True)
    return failed


def self_test(wanted, seconds, jobs):
    """Builds the targets with a planted defect each; the names of those that did not find theirs in `seconds`."""
    tree, folder, crashes = OUTPUT / "planted/tree", OUTPUT / "planted/bin", OUTPUT / "planted/crashes"
    planted.plant(programs.ROOT, tree)
    build(tree, folder, wanted)
    shutil.rmtree(crashes, ignore_errors=True)
    missed = []

    def one(target):
        corpus = OUTPUT / "planted/corpus" / target
        shutil.rmtree(corpus, ignore_errors=True)
        return target, *run_target(target, folder, corpus, seconds, crashes)

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for target, status, text in pool.map(one, wanted):
            reason = re.findall(r"(?:broken promise: .*|ERROR: \w+Sanitizer: .*|runtime error: .*|Fatal error.*)", text)
            print(f"{target:<20}{'found' if status else 'MISSED':<8}{reason[0][:110] if reason else ''}", flush=True)
            if status == 0:
                missed.append(target)
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", choices=[[], *programs.TARGETS], help="all, if none is named")
    parser.add_argument("--seconds", type=int, default=60, help="of the whole run; of each target at most, in the self-test")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="targets at a time")
    parser.add_argument("--self-test", action="store_true", help="prove that each target finds a planted defect")
    options = parser.parse_args()
    act = self_test if options.self_test else fuzz
    try:
        failed = act(options.targets or programs.TARGETS, options.seconds, options.jobs)
    except (programs.BuildFailed, planted.Stale) as error:
        sys.exit(str(error))
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
