"""What an operator sees and changes of a live node's capacity, through the command line alone."""

import concurrent.futures
import contextlib
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

import fcntl

from support import BINARY, ECHO, SLEEP, NodeTest
from wayside_node import wait_for

COUNT = """
calls = 0

def handler(event, context):
    global calls
    calls += 1
    return calls
"""


class OperatorTest(NodeTest):
    """A node with one booted Python instance; each test has a function of its own."""

    configuration = {"capacity": {"warming": ["python=1"]}}

    def setUp(self):
        self.name = self.id().rsplit(".", 1)[-1].replace("_", "-")[:60]

    def function(self, code=ECHO, **settings):
        return self.account.must_create(self.name, {"app.py": code}, **settings)

    def told(self, *arguments):
        """The answer of a command, as a program reads it."""
        return json.loads(self.node.tool(*arguments, "--output", "json").stdout)

    def refused(self, *arguments, code=1):
        """What a command that cannot be obeyed says."""
        result = self.node.tool(*arguments, check=False)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result.stderr

    def sub_pools(self):
        return {pool.get("name", "common"): pool for pool in self.told("pool", "list")["subPools"]}

    def python(self):
        """The name of the general sub-pool of Python."""
        return next(name for name in self.sub_pools() if name.startswith("general/python/"))

    def containers(self):
        """The containers of this test's function."""
        return [container for container in self.told("container", "list")["containers"]
                if (container.get("function") or "").endswith(f":{self.name}")]

    def reserve(self, count):
        self.node.tool("pool", "reserve", self.name, "--count", str(count))

    def test_logs_are_lines_of_json_for_programs(self):
        """One line for each invocation, the oldest first; by request id just the one."""
        self.function('def handler(event, context):\n    print("said", event)\n')
        answers = [self.account.invoke(self.name, number) for number in range(3)]
        text = self.node.tool("logs", self.name, "--limit", "2", "--output", "json").stdout
        lines = [json.loads(line) for line in text.splitlines()]
        self.assertEqual([line["requestID"] for line in lines], [answer.headers["x-amzn-RequestId"] for answer in answers[1:]])
        for number, line in zip((1, 2), lines):
            self.assertIn(f"said {number}\n", line["log"])
        self.assertEqual(self.told("logs", lines[0]["requestID"]), lines[0])
        self.assertEqual(self.node.tool("logs", lines[0]["requestID"]).stdout, lines[0]["log"])

    def test_options_that_would_do_nothing_are_refused(self):
        """Wrong use, 64, with a word about what to leave out."""
        request = "00000000-0000-4000-8000-000000000000"
        for arguments, words in (
                (["invoke", "f", "--output", "json"], "--output"),
                (["logs", request, "--limit", "3"], "Leave out"), (["logs", request, "--account", "123456789012"], "Leave out"),
                (["explain", request, "--function", "f"], "Leave out"), (["explain", request, "--limit", "3"], "Leave out"),
                (["top", "--output", "json", "--every", "5s"], "Leave out --every"),
                (["simulate", "--trace", "none", "--wait", "3"], "--no-regions")):
            with self.subTest(arguments):
                self.assertIn(words, self.refused(*arguments, code=64))
        self.assertIn("Leave out --name", self.refused("account", "create", self.account.number, "--name", "Another"))

    def test_pool_24_a_general_sub_pool_is_resized_live(self):
        """POOL-24 `pool set` changes what is kept ready, at once and without a restart."""
        pool = self.python()
        self.node.tool("pool", "set", pool, "--floor", "2", "--ceiling", "3")
        self.addCleanup(self.node.tool, "pool", "set", pool, "--floor", "1", "--ceiling", "1")
        self.assertEqual([self.sub_pools()[pool][key] for key in ("floor", "ceiling")], [2, 3])
        wait_for(lambda: self.sub_pools()[pool]["ready"] in (2, 3), "a second instance is ready")

    def test_pool_24_dedicated_containers_are_reserved_and_given_back(self):
        """POOL-24, POOL-04: a reserved container is there before the first call, and that call is warm."""
        self.function()
        self.reserve(1)
        wait_for(lambda: [c["state"] for c in self.containers()] == ["idle"], "the dedicated container is ready")
        self.assertTrue(self.containers()[0]["isDedicated"])
        dedicated = next(pool for name, pool in self.sub_pools().items() if name.startswith("dedicated/") and self.name in name)
        self.assertEqual([dedicated["target"], dedicated["ready"]], [1, 1])
        record = self.node.record_of(self.account.invoke(self.name, 1))
        self.assertEqual([record["startLevel"], record["spans"]["initialise"]], ["warm", 0])
        self.assertEqual(record["capacity"]["branch"], "loaded")
        self.reserve(0)
        wait_for(lambda: not any(self.name in name for name in self.sub_pools()), "nothing is reserved")

    def test_pool_24_fixed_memory_is_reserved_lent_and_ended(self):
        """POOL-24 memory is set aside, lent and taken back; the areas of the ledger follow."""
        def areas():
            return {area["name"]: area["limitBytes"] >> 20 for area in self.told("pool", "list")["areas"]}

        common = areas()["common"]
        self.node.tool("pool", "reserve", "fixed/gold", "--memory", "128")
        self.assertEqual([areas()["common"], areas()["fixed/gold"]], [common - 128, 128])
        self.node.tool("pool", "lend", "fixed/gold", "--memory", "64", "--for", "10m")
        self.assertEqual(areas()["common"], common - 64)
        self.assertEqual(self.sub_pools()["fixed/gold"]["lentBytes"], 64 << 20)
        self.node.tool("pool", "lend", "fixed/gold", "--memory", "0")
        self.node.tool("pool", "reserve", "fixed/gold", "--memory", "0")
        self.assertEqual(areas()["common"], common)
        self.assertNotIn("fixed/gold", self.sub_pools())

    def test_pool_24_a_drained_sub_pool_gives_nothing_until_it_is_resumed(self):
        """POOL-24 `pool drain` ends what is idle; `pool resume` fills it again."""
        pool = self.python()
        wait_for(lambda: self.sub_pools()[pool]["ready"] == 1, "one is ready")
        self.node.tool("pool", "drain", pool)
        self.assertTrue(self.sub_pools()[pool]["isDrained"])
        wait_for(lambda: self.sub_pools()[pool]["ready"] == 0, "nothing is ready")
        self.node.tool("pool", "resume", pool)
        wait_for(lambda: self.sub_pools()[pool]["ready"] == 1, "one is ready again")

    def test_pool_23_the_ledger_adds_up(self):
        """POOL-23 the rows of the ledger are what the totals say."""
        self.function()
        self.account.invoke(self.name)
        report = self.told("pool", "list", "--ledger")
        for member in ("instanceSeconds", "executingSeconds", "memoryMebibyteSeconds"):
            self.assertAlmostEqual(sum(row["use"][member] for row in report["ledger"]), report["totals"][member], places=3)
        rows = [row for row in report["ledger"] if row.get("account") == self.account.number]
        self.assertGreater(sum(row["use"]["executingSeconds"] for row in rows), 0)
        self.assertEqual(sum(area["heldBytes"] for area in report["areas"]), report["memoryHeldBytes"])

    def test_stick_01_the_inventory_leads_from_container_to_version(self):
        """STICK-01 container, instance, account, function version and state are listed and agree with the record."""
        self.function()
        record = self.node.record_of(self.account.invoke(self.name))
        container, = self.containers()
        self.assertEqual(container["container"], record["capacity"]["container"])
        self.assertEqual([container["state"], container["version"]], ["idle", "$LATEST"])
        instance = self.told("instance", "show", str(container["instance"]))
        self.assertEqual([instance["account"], instance["instance"]], [self.account.number, record["capacity"]["instance"]])
        self.assertIn(container["container"], [inner["container"] for inner in instance["containers"]])
        self.assertIn(str(container["container"]), self.node.tool("container", "list").stdout)

    def test_a_killed_container_is_gone_and_why_cold_says_so(self):
        """A container is ended by its number; the next call begins cold, and the operator is named as the cause."""
        self.function(COUNT)
        self.assertEqual([self.account.invoke(self.name).json() for _ in range(2)], [1, 2])
        container, = self.containers()
        self.node.tool("container", "kill", str(container["container"]))
        wait_for(lambda: not self.containers(), "the container has ended")
        self.assertEqual(self.account.invoke(self.name).json(), 1)
        starts = self.told("why-cold", self.name)["coldStarts"]
        self.assertEqual([start["cause"] for start in starts], ["killed", "first"])
        self.assertIn("operator", starts[0]["sentence"])
        self.assertIn("There is no container", self.refused("container", "kill", str(container["container"])))

    def test_a_call_in_a_killed_instance_is_answered(self):
        """No call is lost with its instance: it is answered, as the engine's doing."""
        self.function(SLEEP)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            call = pool.submit(self.account.invoke, self.name, {"seconds": 8})
            busy = wait_for(lambda: [c for c in self.containers() if c["state"] == "busy"], "the call runs")
            answer = self.told("instance", "kill", str(busy[0]["instance"]))
            self.assertEqual(answer["busy"], 1)
            record = self.node.record_of(call.result())
        self.assertNotEqual(record["outcome"], "success")
        wait_for(lambda: not self.containers(), "nothing is left of it")

    def test_stick_06_a_row_is_listed_and_removed(self):
        """STICK-06 a removed row is gone from the table, and the next call with its value is new."""
        self.function()
        headers = {"Wayside-Affinity": "alice"}
        first = self.account.invoke(self.name, headers=headers)
        self.assertEqual(first.headers["Wayside-Affinity-Result"], "new")
        self.assertEqual(self.account.invoke(self.name, headers=headers).headers["Wayside-Affinity-Result"], "hit")
        row, = self.told("sticky", "list", "--function", self.name)["rows"]
        self.assertEqual([row["value"], row["uses"]], ["alice", 2])
        self.assertEqual(self.told("sticky", "show", row["id"])["container"], row["container"])
        self.node.tool("sticky", "remove", row["id"])
        self.assertEqual(self.told("sticky", "list", "--function", self.name)["rows"], [])
        self.assertEqual(self.account.invoke(self.name, headers=headers).headers["Wayside-Affinity-Result"], "new")

    def test_errors_say_what_to_do_next(self):
        """An unknown sub-pool lists the known ones; wrong use is 64, a refusal 1."""
        self.assertIn("There are: ", self.refused("pool", "drain", "fixed/silver"))
        self.assertIn("general/RUNTIME/MIB", self.refused("pool", "drain", "silver", code=64))
        self.assertIn("There is no function", self.refused("why-cold", "nobody"))
        self.assertIn("instance list", self.refused("instance", "show", "18446744073709551615"))
        self.assertIn("the node has", self.refused("pool", "reserve", "fixed/gold", "--memory", "60000000"))
        self.assertIn("It has: ", self.refused("pool", "set", "general/cobol/128", "--floor", "1"))

    def test_pool_24_every_table_fits_its_terminal(self):
        """POOL-24 at 80 and at 200 columns no line is longer than the terminal is wide."""
        self.function()
        self.account.invoke(self.name)
        for columns in (80, 200):
            for command in (["pool", "list", "--ledger"], ["instance", "list"], ["container", "list"], ["sticky", "list"], ["explain"]):
                text = self.node.tool(*command, environment={"COLUMNS": str(columns)}).stdout
                self.assertLessEqual(max(map(len, text.splitlines())), columns, text)

    def test_top_is_live_and_gives_the_terminal_back(self):
        """`top` draws on a terminal of any size, ends by q, and leaves the terminal as it was."""
        for end in (b"q", b"\x03", None):
            with self.subTest(end=end):
                self.top(end)

    def top(self, end):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        before = termios.tcgetattr(slave)
        command = [BINARY, "top", "--data", str(self.node.data)]
        with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave) as process, contextlib.ExitStack() as stack:
            stack.callback(process.kill)
            text = self.until(master, lambda text: text.count("\x1b[?2026l") >= 2)
            self.assertIn("\x1b[?1049h", text)
            self.assertIn("SUB-POOL", text)
            frame = text.split("\x1b[?2026h")[1].split("\x1b[J")[0].removeprefix("\x1b[H").replace("\x1b[K", "").split("\n")
            frame = [line.rstrip("\r") for line in frame]
            self.assertEqual(len(frame), 24)
            self.assertLessEqual(max(map(len, frame)), 80)
            if end:
                os.write(master, end)
            else:
                process.send_signal(signal.SIGTERM)
            text += self.until(master, lambda text: "\x1b[?1049l" in text)
            self.assertEqual(process.wait(10), 0 if end else 128 + signal.SIGTERM)
        self.assertEqual(termios.tcgetattr(slave), before)
        os.close(slave)
        os.close(master)

    def until(self, terminal, condition, seconds=10):
        """What the terminal shows until the condition holds of it."""
        data, end = b"", time.monotonic() + seconds
        while not condition(data.decode(errors="replace")):
            self.assertGreater(end, time.monotonic(), data)
            if select.select([terminal], [], [], 0.2)[0]:
                data += os.read(terminal, 65536)
        return data.decode(errors="replace")

    def test_top_to_a_file_is_printed_once(self):
        """Where standard output is no terminal `top` prints one plain table, or JSON."""
        text = self.node.tool("top").stdout
        self.assertIn("SUB-POOL", text)
        self.assertNotIn("\x1b", text)
        self.assertEqual(set(self.told("top")), {"node", "pools", "functions"})


if __name__ == "__main__":
    unittest.main()
