"""Starts: how much was prepared, storms of them, what is left of them, and whose doing an end was."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import tempfile
import threading
import time
import unittest

from support import BINARY, ECHO, SLEEP, NodeTest
from wayside_node import Node, wait_for

NOBODY = 65534
BASH = """#!/bin/bash
API=http://127.0.0.1:9001/2018-06-01/runtime/invocation
while true; do
    id=$(curl -sf -D - -o /dev/null $API/next | sed -n 's/^lambda-runtime-aws-request-id: *\\([^[:space:]]*\\).*/\\1/Ip')
    curl -s -o /dev/null -d '"answer"' $API/$id/response
done
"""
NODE_ECHO = "export const handler = async (event) => event;\n"


def descendants_of(pid):
    """(process id, start time) of everything below a process; a number alone might be another process's by the time it is looked at."""
    found = set()
    with contextlib.suppress(OSError):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                found |= {identity(child)} | descendants_of(child)
    return found - {None}


def identity(pid):
    with contextlib.suppress(OSError):
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        state, *fields = text.rpartition(")")[2].split()
        return None if state == "Z" else (int(pid), fields[18])
    return None


class StartLevelTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="wayside-it-")
        self.addCleanup(shutil.rmtree, self.folder)

    def node(self, warming):
        node = Node(BINARY, self.folder, f"node-{len(os.listdir(self.folder))}", {"capacity": {"warming": warming}}).start()
        self.addCleanup(node.stop)
        return node

    def call(self, account, name):
        answer = account.invoke(name, 1)
        self.assertEqual((answer.status, answer.headers["X-Amz-Function-Error"]), (200, None), answer.body)
        record = account.node.record_of(answer)
        spans = record["spans"]
        parts = sum(value for part, value in spans.items() if part != "total")
        self.assertLessEqual(parts, spans["total"] + 0.01, spans)
        self.assertGreater(spans["run"], 0, spans)
        self.assertGreaterEqual(min(spans.values()), 0, spans)
        return record["startLevel"], spans

    def assert_started(self, seen, level):
        self.assertEqual(seen[0], level, seen)
        self.assertGreater(seen[1]["start"] + seen[1]["initialise"], 0, seen)

    def assert_warm(self, seen):
        self.assertEqual(seen[0], "warm", seen)
        self.assertEqual((seen[1]["start"], seen[1]["initialise"]), (0, 0), seen)

    def test_nothing_prepared_zygote_container_and_warm(self):
        account = self.node([]).account()
        account.must_create("first", {"app.py": ECHO})
        account.must_create("second", {"app.py": ECHO})
        self.assert_started(self.call(account, "first"), "zygote")
        self.assert_warm(self.call(account, "first"))
        # The account has an instance by now.
        self.assert_started(self.call(account, "second"), "container")
        self.assert_warm(self.call(account, "second"))

    def test_a_runtime_without_a_zygote_is_booted_and_a_program_needs_neither(self):
        account = self.node([]).account()
        account.must_create("javascript", {"app.mjs": NODE_ECHO}, runtime="nodejs20.x")
        self.assert_started(self.call(account, "javascript"), "boot")
        self.assert_warm(self.call(account, "javascript"))
        other = account.node.account("210987654321")
        other.must_create("native", {"bootstrap": BASH}, runtime="provided.al2023", handler="bootstrap")
        # It is executed in the instance as soon as there is one: there is nothing to boot.
        self.assert_started(self.call(other, "native"), "zygote")

    def test_an_instance_of_the_warming_pool(self):
        node = self.node(["python=1", "node=1", "provided=1"])
        account = node.account()
        for name, package, runtime in (("python", {"app.py": ECHO}, "python3.11"), ("javascript", {"app.mjs": NODE_ECHO}, "nodejs20.x"),
                                       ("native", {"bootstrap": BASH}, "provided.al2023")):
            with self.subTest(name):
                wait_for(lambda: node.pools()["instancesReady"] >= 3, "the warming pool is full")
                account.must_create(name, package, runtime=runtime, handler="bootstrap" if name == "native" else "app.handler")
                self.assert_started(self.call(account, name), "instance")
                self.assert_warm(self.call(account, name))


class ForkStormTest(NodeTest):
    """200 cold starts at once."""

    starts = 2
    configuration = {"capacity": {"memoryMebibytes": 40_960, "startsMax": starts, "warming": []}}

    def test_concurrent_starts_are_capped_and_warm_calls_of_another_function_go_on(self):
        self.account.must_create("cold", {"app.py": SLEEP}, Timeout=60)
        neighbour = self.node.account("210987654321")
        neighbour.must_create("warm", {"app.py": ECHO})
        for _ in range(20):
            self.assertEqual(neighbour.invoke("warm", 1).status, 200)
        answers, over = [], threading.Event()

        def one():
            answer = self.account.invoke("cold", {"seconds": 4})
            answers.append(answer.status)
        threads = [threading.Thread(target=one) for _ in range(200)]
        starting, warm = [], []

        def watch():
            while not over.is_set():
                starting.append(self.node.pools()["containersStarting"])
        watcher = threading.Thread(target=watch)
        for thread in [*threads, watcher]:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            began = time.monotonic()
            answer = neighbour.invoke("warm", 2)
            warm.append(time.monotonic() - began)
            self.assertEqual((answer.status, answer.json()), (200, 2))
            self.assertEqual(self.node.record_of(answer)["startLevel"] if len(warm) < 10 else "warm", "warm")
        over.set()
        watcher.join()
        self.assertEqual(set(answers), {200})
        self.assertLessEqual(max(starting), self.starts)
        self.assertGreater(max(starting), 0)
        self.assertGreater(len(warm), 100, "warm calls were held up by the storm")
        # Starving, not slowness, is what a storm must not bring: a start takes milliseconds, two hundred of them seconds.
        self.assertLess(sorted(warm)[len(warm) * 9 // 10], 0.5)
        records = json.loads(self.node.tool("explain", "--function", "cold", "--limit", "300", "--output", "json").stdout)
        cold = [record for record in records if record["startLevel"] in ("container", "zygote")]
        # The last ones of a slow client may find a container that is done.
        self.assertGreater(len(cold), 100)
        self.assertGreater(sum(record["spans"]["wait"] > 0 for record in cold), len(cold) // 2, "calls that waited for a start say so")
        pools = self.node.pools()
        self.assertEqual((pools["containersBusy"], pools["containersStarting"], pools["waiting"]), (0, 0, 0))


class OrphansTest(unittest.TestCase):
    """What is left when the daemon or the launcher is killed: nothing, or nothing once a node is started again."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="wayside-it-")
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o755)

    def running(self, mode):
        """A node in the middle of calls, and all processes below its launcher."""
        node = Node(BINARY, self.folder, f"{mode}-{len(os.listdir(self.folder))}", {"capacity": {"warming": ["python=1"]}})
        if mode == "rootless":
            os.chown(node.folder, NOBODY, NOBODY)
            node.command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *node.command]
        node.start()
        self.addCleanup(lambda: node.process.poll() is None and node.kill())
        account = node.account()
        account.must_create("children", {"app.py": "import os, time\n\ndef handler(event, context):\n    for _ in range(5):\n"
                                         "        if os.fork() == 0:\n            os.setsid()\n            os.closerange(0, 100)\n"
                                         "            while True:\n                time.sleep(1)\n    time.sleep(event)\n"
                                         "    return 'left'\n"},
                            Timeout=60)
        self.assertEqual(account.invoke("children", 0).json(), "left")
        threading.Thread(target=self.call_that_is_cut_off, args=(account,), daemon=True).start()
        wait_for(lambda: node.pools()["containersBusy"] == 1, "the call runs")
        launcher = node.launcher()
        below = wait_for(lambda: (lambda found: len(found) >= 15 and found)(descendants_of(launcher)), "the children run")
        return node, launcher, below

    @staticmethod
    def call_that_is_cut_off(account):
        with contextlib.suppress(OSError, http.client.HTTPException):
            account.invoke("children", 50)

    def assert_gone(self, processes):
        wait_for(lambda: not any(identity(pid) == (pid, began) for pid, began in processes), "all its processes have ended", 10)

    def test_a_killed_daemon_leaves_no_process_no_cgroup_and_no_mount(self):
        for mode in ("root", "rootless"):
            with self.subTest(mode):
                node, launcher, below = self.running(mode)
                own = identity(launcher)
                node.kill()
                self.assert_gone(below | {own})
                wait_for(lambda: not node.leftovers(), f"nothing is left: {node.leftovers()}", 10)

    def test_a_killed_launcher_leaves_nothing_and_comes_back(self):
        for mode in ("root", "rootless"):
            with self.subTest(mode):
                node, launcher, below = self.running(mode)
                os.kill(launcher, signal.SIGKILL)
                self.assert_gone(below)
                wait_for(lambda: node.launcher() not in (None, launcher), "another launcher runs")
                self.assertEqual(node.stop(), 0)
                wait_for(lambda: not node.leftovers(), f"nothing is left: {node.leftovers()}", 10)

    def test_both_killed_leave_no_process_and_the_next_start_sweeps_the_rest(self):
        for mode in ("root", "rootless"):
            with self.subTest(mode):
                node, launcher, below = self.running(mode)
                os.kill(node.process.pid, signal.SIGSTOP)
                os.kill(launcher, signal.SIGKILL)
                node.kill()
                self.assert_gone(below)
                node.start()
                self.assertEqual(node.stop(), 0)
                wait_for(lambda: not node.leftovers(), f"nothing is left: {node.leftovers()}", 10)


class ReasonsTest(NodeTest):
    """Each end is put down to the party whose doing it was, in the answer, in the record and in the log."""

    def record_of_newest(self, name):
        records = json.loads(self.node.tool("explain", "--function", name, "--limit", "1", "--output", "json").stdout)
        return records[0] if records else None

    def test_out_of_memory_is_not_a_crash(self):
        self.account.must_create("hog", {"app.py": "def handler(event, context):\n    held = []\n    while True:\n"
                                         "        held.append(bytearray(1 << 20))\n"}, Timeout=20)
        answer = self.account.invoke("hog")
        record = self.node.record_of(answer)
        self.assertEqual((record["endingParty"], record["outcome"]), ("out_of_memory", "function_error"))
        self.assertEqual(answer.error, "Runtime.ExitError")
        self.assertGreater(record["memoryPeak"], record["memoryLimit"] * 0.9)

    def test_a_signal_of_its_own_is_not_out_of_memory(self):
        self.account.must_create("kills", {"app.py": "import os\n\ndef handler(event, context):\n    os.kill(os.getpid(), 9)\n"})
        self.assertEqual(self.node.record_of(self.account.invoke("kills"))["endingParty"], "exit")

    def test_a_time_out_says_so_and_kills_everything_of_the_container(self):
        self.account.must_create("hangs", {"app.py": SLEEP}, Timeout=1)
        answer = self.account.invoke("hangs", {"seconds": 30})
        record = self.node.record_of(answer)
        self.assertEqual((record["endingParty"], answer.error), ("time_out", "Sandbox.Timedout"))
        self.assertIn("Task timed out after 1.00 seconds", answer.json()["errorMessage"])
        self.assertGreaterEqual(record["spans"]["run"], 990)
        self.assertLess(record["spans"]["run"], 5000)

    def test_a_client_that_hangs_up_is_the_client_and_not_a_time_out(self):
        self.account.must_create("left", {"app.py": SLEEP}, Timeout=30)
        path, body = "/2015-03-31/functions/left/invocations", b'{"seconds": 25}'
        connection = http.client.HTTPConnection("127.0.0.1", self.node.port, timeout=30)
        connection.request("POST", path, body, self.account.signer.headers("POST", path, body, f"127.0.0.1:{self.node.port}"))
        wait_for(lambda: self.node.pools()["containersBusy"] == 1, "the call runs")
        connection.close()
        record = wait_for(lambda: self.record_of_newest("left"), "the call is over", 10)
        self.assertEqual((record["endingParty"], record["outcome"]), ("client", "aborted"))
        self.assertLess(record["spans"]["total"], 20_000)


if __name__ == "__main__":
    unittest.main()
