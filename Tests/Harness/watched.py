#!/usr/bin/python3
"""Runs a step of the tests and, should it hang, says where before it ends it.

    watched.py --limit SECONDS --silence SECONDS [--leave SECONDS] -- COMMAND [ARGUMENT...]

The step's output goes through unchanged, as it comes. The step hangs when it takes longer than the limit, or prints nothing for the
silence; or when whoever started us wants us gone (SIGTERM, SIGINT). Then this is printed:

    the Swift tests that have begun and not ended     a task that waits is on no thread, so no stack would show it
    the tree of its processes                         with states, ages, processor times and what each waits for in the kernel
    all stacks of the programs under test             by gdb where it is installed, else by /proc; and those of Python, by itself

and everything that the step has started is ended, with exit status 124. A step that ends by itself keeps its own status. What it
leaves behind is ended too, and makes a step that has succeeded fail with status 125: whoever reads the step's output to its end
would wait for it for ever. A program that keeps its output to itself until 4 KiB have come, as `swift test` does, is to be run by
`stdbuf -oL`, or its last words are lost with it. Standard library only.
"""

import argparse
import collections
import ctypes
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import time

HUNG, LEFTOVERS = 124, 125
# What has been killed may take so long to go.
END_SECONDS = 15
# Python prints its stacks in this time, and nobody else gets more of it.
ABORT_SECONDS = 5
GDB_SECONDS = 60
# A program whose stacks are worth reading: the Swift tests, and a node.
STACKS = re.compile(r"\.xctest$|^wayside$")
# What gdb says of itself and of debugging information that it does not find.
GDB_NOISE = re.compile(rb"\[New LWP |\[Thread debugging|Using host lib|warning: |During symbol reading|\s*$")
BEGAN = re.compile(rb"Test (?!case |run )(.+) started\.$")
ENDED = re.compile(rb"Test (?!case |run )(.+?)(?: with \d+ test cases?)? (?:passed|failed|was cancelled) after ")
PR_SET_CHILD_SUBREAPER = 36


def say(text):
    """To standard output, past every buffer."""
    write(f"watched: {text}\n".encode(errors="replace"))


def write(data):
    while data:
        try:
            data = data[os.write(1, data):]
        except BlockingIOError:
            select.select([], [1], [])


def read(path, default=""):
    """The text of a file of /proc; the default when its process has gone, or keeps it from us."""
    try:
        return pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return default


class Process:
    """One process as /proc shows it now."""

    def __init__(self, pid):
        self.pid = pid
        # The name may hold anything, also parentheses; what follows the last one are numbers (proc(5)).
        head, _, rest = read(f"/proc/{pid}/stat").rpartition(")")
        fields = rest.split()
        self.exists = len(fields) > 19
        if not self.exists:
            return
        ticks = os.sysconf("SC_CLK_TCK")
        self.state, self.parent = fields[0], int(fields[1])
        self.processor = (int(fields[11]) + int(fields[12])) / ticks
        self.age = float(read("/proc/uptime", "0").split()[0]) - int(fields[19]) / ticks
        arguments = read(f"/proc/{pid}/cmdline").split("\0")
        self.name = os.path.basename(arguments[0]) or head.partition("(")[2]
        self.command = " ".join(arguments).strip() or f"[{self.name}]"

    def line(self, depth):
        waits = read(f"/proc/{self.pid}/wchan").strip("0\n") or "-"
        return (f"{'  ' * depth}{self.pid} {self.state} {self.age:.0f} s old, {self.processor:.1f} s of processor, in {waits}: "
                f"{self.command[:160]}")


def descendants(root):
    """All processes below `root`, parents first, as (depth, process). Orphans are ours: we are their reaper."""
    children = collections.defaultdict(list)
    for name in os.listdir("/proc"):
        if name.isdigit() and (process := Process(int(name))).exists:
            children[process.parent].append(process)
    found, stack = [], [(0, process) for process in children[root]]
    while stack:
        depth, process = stack.pop()
        found.append((depth, process))
        stack += [(depth + 1, child) for child in children[process.pid]]
    return found


class Progress:
    """Which Swift tests are under way, from what they print."""

    def __init__(self):
        self.open = collections.Counter()
        self.rest = b""

    def take(self, data):
        *lines, self.rest = (self.rest + data).split(b"\n")
        # A line without an end is no test's.
        self.rest = self.rest[-65536:]
        for line in lines:
            if match := BEGAN.search(line):
                self.open[match[1]] += 1
            elif match := ENDED.search(line):
                self.open[match[1]] -= 1

    def under_way(self):
        return sorted(name.decode(errors="replace") for name in +self.open)


class Step:
    """A command that runs, and all that it has started."""

    def __init__(self, command):
        reading, writing = os.pipe()
        environment = os.environ | {"PYTHONFAULTHANDLER": "1", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=writing, stderr=writing, env=environment, start_new_session=True)
        os.close(writing)
        os.set_blocking(reading, False)
        self.output = reading
        self.progress = Progress()

    def pass_output(self, seconds):
        """Passes on what comes within the time.

        :return: how many bytes; `None` when all writers have gone.
        """
        if not select.select([self.output], [], [], seconds)[0]:
            return 0
        data = os.read(self.output, 65536)
        self.progress.take(data)
        write(data)
        return len(data) or None

    def drain(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and self.pass_output(left) is not None:
            pass

    def explain(self):
        """Prints where it stands."""
        if names := self.progress.under_way():
            say("tests that have begun and not ended:")
            for name in names:
                say(f"  {name}")
        tree = descendants(os.getpid())
        say("processes:")
        for depth, process in tree:
            say(process.line(depth + 1))
        for _, process in tree:
            if STACKS.search(process.name):
                explain_threads(process)
        # Python prints its stacks when it is aborted; the Swift tests have printed theirs.
        pythons = [process.pid for _, process in tree if process.name.startswith("python")]
        for pid in pythons:
            send(pid, signal.SIGABRT)
        if pythons:
            self.drain(ABORT_SECONDS)

    def end(self):
        """Ends everything below us, and waits until it has gone."""
        end = time.monotonic() + END_SECONDS
        while (tree := descendants(os.getpid())) and time.monotonic() < end:
            for _, process in tree:
                if process.state != "Z":
                    send(process.pid, signal.SIGKILL)
            reap()
            self.pass_output(0.05)
        for _, process in tree:
            say(f"cannot be ended: {process.line(0)}")


def explain_threads(process):
    say(f"threads of {process.pid} ({process.name}):")
    if shutil.which("gdb"):
        try:
            done = subprocess.run(
                ["gdb", "-p", str(process.pid), "-batch", "-nx", "-ex", "set pagination off", "-ex", "thread apply all bt 60"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=GDB_SECONDS)
            return write(b"".join(line for line in done.stdout.splitlines(True) if not GDB_NOISE.match(line)))
        except subprocess.TimeoutExpired:
            say(f"gdb needs more than {GDB_SECONDS} s")
    for task in sorted(pathlib.Path(f"/proc/{process.pid}/task").glob("*")):
        one = [read(task / name).strip() for name in ("comm", "wchan", "syscall")]
        say(f"  {task.name} {one[0]}: in {one[1].strip('0') or '-'}, system call {one[2] or '-'}")
        for line in read(task / "stack").splitlines():
            say(f"    {line}")


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        # It has gone by itself, which is what is wanted.
        return


def reap(but=0):
    """Takes the ends of orphans, which are ours to take; not that of process `but`, which is somebody else's."""
    try:
        while (ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and ended.si_pid != but:
            os.waitpid(ended.si_pid, 0)
    except ChildProcessError:
        # There is nobody left.
        return


class Unwanted(Exception):
    """Somebody wants us gone."""


def unwanted(number, _):
    raise Unwanted(signal.Signals(number).name)


def watch(step, limit, silence):
    """Waits until the step's own process has ended.

    :return: why it is taken to hang; `None` when it has ended.
    """
    began = heard = time.monotonic()
    while step.process.poll() is None:
        reap(but=step.process.pid)
        now = time.monotonic()
        if now - began > limit:
            return f"it has not ended in {limit:.0f} s"
        if now - heard > silence:
            return f"it has said nothing for {silence:.0f} s"
        count = step.pass_output(0.2)
        if count:
            heard = time.monotonic()
        elif count is None:
            # It has closed its output and lives on.
            time.sleep(0.2)
    return None


def leftovers(step, seconds):
    """Waits for what the step has started to go, passing on its last words."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        reap()
        tree = [item for item in descendants(os.getpid()) if item[1].state != "Z"]
        count = step.pass_output(0.1)
        if not tree and not count:
            return []
        if count is None:
            time.sleep(0.1)
    return tree


def main():
    parser = argparse.ArgumentParser(description="Runs a step of the tests and, should it hang, says where before it ends it.")
    parser.add_argument("--limit", type=float, required=True, help="seconds that it may take")
    parser.add_argument("--silence", type=float, required=True, help="seconds that it may go on without printing anything")
    parser.add_argument("--leave", type=float, default=15, help="seconds that what it has started may take to go when it has ended")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        parser.error("there is no command")
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, unwanted)
    try:
        step = Step(command)
    except OSError as error:
        say(f"{command[0]} cannot be started: {error.strerror}")
        return 127
    try:
        reason = watch(step, options.limit, options.silence)
    except Unwanted as asked:
        reason = f"it was running when {asked} came"
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if reason is None:
        status = step.process.returncode
        status = 128 - status if status < 0 else status
        left = leftovers(step, options.leave)
        if not left:
            return status
        say(f"{' '.join(command)} has ended with status {status} and left behind:")
        for depth, process in left:
            say(process.line(depth + 1))
        step.end()
        return status or LEFTOVERS
    say(f"{' '.join(command)} hangs: {reason}")
    step.explain()
    step.end()
    say(f"{' '.join(command)} was ended: {reason}")
    return HUNG


if __name__ == "__main__":
    sys.exit(main())
