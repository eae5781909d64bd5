"""Hostile functions: each row of the table tries to get out or to harm, under a launcher with and without privilege.

    python3 Tests/IntegrationTests/Hostile/hostile_test.py [-k PART OF A NAME]

For each attempt: what it sees is what it must see; the engine's processes are the same as before; a neighbour's container goes on as if
nothing had happened; and while what the attempt has taken is still held, the neighbour can start another function. The table is
printed at the end and kept as .build/hostile.txt. HOSTILE_ONLY=text runs the attempts whose names hold the text.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from support import ROOT  # noqa: E402

from attempts import ATTEMPTS  # noqa: E402
from attempts.attempt import NOT_ENFORCED, Ended  # noqa: E402
from world import NOBODY, World, compiled  # noqa: E402
from wayside_node import wait_for  # noqa: E402

README = ROOT / "Sandbox/README.md"
TABLE = ROOT / ".build/hostile.txt"
MODES = ("root", "rootless")
DOCUMENTED = "not enforced (documented)"
ONLY = os.environ.get("HOSTILE_ONLY", "")
RESULTS = {}


def short(seen):
    if isinstance(seen, Ended):
        return f"{seen.error}, {seen.party}"
    text = seen if isinstance(seen, str) else repr(seen)
    return text if len(text) <= 48 else text[:45] + "..."


class HostileTest(unittest.TestCase):
    def walk(self, mode):
        world = World(mode, self.addCleanup)
        for attempt in ATTEMPTS:
            if ONLY not in attempt.name:
                continue
            for language in attempt.languages:
                with self.subTest(attempt.name, language=language, mode=mode):
                    RESULTS[attempt, language, mode] = "FAILED"
                    RESULTS[attempt, language, mode] = self.make(world, attempt, language)
        if mode == "root":
            with self.subTest("process numbers"):
                self.check_process_numbers(world)
        pools = wait_for(lambda: (lambda pools: pools["containersBusy"] == 0 and pools)(world.node.pools()), "all is given back")
        self.assertEqual((pools["containersStarting"], pools["waiting"]), (0, 0))

    def check_process_numbers(self, world):
        """What a container may have, times the containers of an account, is more than a small host has. There is a bound above them, or
        Sandbox/README.md says that there is none."""
        most = int(pathlib.Path("/proc/sys/kernel/pid_max").read_text(encoding="ascii"))
        name = f"wayside-{os.getpid()}-{world.node.name}"
        limits = [file.read_text(encoding="ascii").strip() for file in pathlib.Path("/sys/fs/cgroup").rglob(f"{name}/pids.max")]
        bounded = any(limit.isdigit() and int(limit) < most for limit in limits)
        self.assertTrue(not limits or bounded or "process numbers" in README.read_text(encoding="utf-8"),
                        f"all accounts together can take all of the host's {most} process numbers: {limits}")

    def make(self, world, attempt, language):
        """The attempt, and the look around after it; what the table says of it."""
        with world.function_for(attempt, language) as name:
            world.descriptors_before = world.daemon_descriptors()
            for preparation in attempt.before:
                world.run(preparation, language, name)
            seen, log = world.run(attempt.run, language, name)
            world.check_all_are_well(self, attempt.alone)
            self.assertLess(world.daemon_descriptors(), world.descriptors_before + 64, "the daemon holds the function's descriptors")
            if attempt.follow:
                self.assertEqual(world.run(attempt.follow[0], language, name)[0], attempt.follow[1], "the call after it")
        if attempt.is_met_by(seen):
            return short(seen)
        if world.mode == "rootless" and attempt.excused in NOT_ENFORCED and isinstance(seen, dict) and seen["error"] == "ok":
            return DOCUMENTED
        if attempt.admitted and attempt.admitted in README.read_text(encoding="utf-8"):
            return "not stopped (documented)"
        return self.fail(f"not denied as it must be: {seen}\n{log}")

    def test_under_a_launcher_with_privilege(self):
        self.walk("root")

    def test_under_a_launcher_without_privilege(self):
        self.walk("rootless")

    def test_the_same_calls_are_not_denied_where_nothing_stops_them(self):
        """Otherwise they would show nothing. Root of a user namespace of its own is what a function would be that got so far."""
        folder = tempfile.mkdtemp(prefix="wayside-hostile-")
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        compiled(folder)
        outside = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "unshare", "--user", "--map-root-user", "--mount",
                   "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child", f"{folder}/bootstrap", "--print"]
        if subprocess.run([*outside, "list_nothing"], capture_output=True, timeout=10, check=False).returncode:
            self.skipTest("no user namespaces for users of this host")
        calls = [attempt for attempt in ATTEMPTS if attempt.run[0] == "call" and attempt.layer == "seccomp"]
        denied = []
        for attempt in calls:
            result = subprocess.run([*outside, " ".join(map(str, attempt.run))], capture_output=True, text=True, timeout=10, check=False)
            if result.returncode or attempt.is_met_by(json.loads(result.stdout)):
                denied.append(attempt.name)
        # A host may forbid one or the other by a setting, or have been built without it.
        self.assertLess(len(denied), len(calls) // 10, denied)

    def test_what_is_excused_is_what_is_documented(self):
        text = README.read_text(encoding="utf-8")
        row = re.search(r"^\| memory, cpu[^|]*\|[^|]*\|([^|]*)\|", text, re.MULTILINE)
        self.assertIsNotNone(row, "Sandbox/README.md says what a launcher without privilege cannot enforce")
        self.assertIn("not", row[1])
        for resource in NOT_ENFORCED:
            self.assertIn(resource, row[1])
        self.assertLessEqual({attempt.excused for attempt in ATTEMPTS} - {None}, set(NOT_ENFORCED))


def table():
    rows = [("attempt", "language", "layer that stops it", "result (root)", "result (rootless)")]
    for attempt in ATTEMPTS:
        for language in attempt.languages:
            results = [RESULTS.get((attempt, language, mode), "not run") for mode in MODES]
            if results != ["not run"] * 2:
                rows.append((attempt.name, language, attempt.layer, *results))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    rows.insert(1, tuple("-" * width for width in widths))
    return "\n".join(" | ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows) + "\n"


def tearDownModule():
    text = table()
    print(f"\n{text}", flush=True)
    # A part of it does not replace the whole.
    if not ONLY and len({mode for _, _, mode in RESULTS}) == len(MODES):
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    began = time.monotonic()
    program = unittest.main(exit=False)
    print(f"{len(RESULTS)} attempts in {time.monotonic() - began:.0f} s")
    sys.exit(not program.result.wasSuccessful())
