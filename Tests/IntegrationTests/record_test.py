"""A node's own calls, recorded and replayed: how far a simulation can be believed."""

import json
import os
import signal
import subprocess
import time
import unittest

from support import BINARY, NodeTest

CODE = "import time\n\ndef handler(event, context):\n    time.sleep(0.02)\n    return 1\n"
# Which of three functions is called, four a second: two that share the room with a third that comes now and then.
PATTERN = "abababcababababcabab" * 2
REPLAY = ("--no-regions", "--wait", "30", "--policy", "lru")


class RecordTest(NodeTest):
    """A node that holds two containers of 128 MiB; nothing is kept ready, and the longest idle goes first."""

    configuration = {"capacity": {"memoryMebibytes": 300, "warming": [], "retention": "lru"}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in "abc":
            cls.account.must_create(name, {"app.py": CODE}, MemorySize=128)
        begin = time.monotonic()
        for number, name in enumerate(PATTERN):
            time.sleep(max(0, begin + number / 4 - time.monotonic()))
            answer = cls.account.invoke(name)
            if answer.status != 200:
                raise AssertionError(f"{answer.status} {answer.body}")

    def trace(self, name):
        return os.path.join(self.folder, name)

    def recorded(self, name, *arguments):
        """The path of a trace of all calls so far, and what the command said."""
        path = self.trace(name)
        return path, json.loads(self.node.tool("record", "--last", "10m", "--trace", path, "--output", "json", *arguments).stdout)

    def test_a_recorded_load_is_replayed_and_the_difference_is_small(self):
        """POOL-24 what was recorded of a node is what its replay says: which calls started cold, and what that cost."""
        path, told = self.recorded("load")
        self.assertGreaterEqual(told["calls"], len(PATTERN))
        self.assertEqual((told["functions"], told["missed"]), (3, 0))
        command = ("simulate", "--trace", path, "--compare", "--memory", str(300 / 1024), *REPLAY)
        print("\n" + self.node.tool(*command).stdout)
        comparison = json.loads(self.node.tool(*command, "--output", "json").stdout)["comparisons"][0]["comparison"]
        recorded, replayed = comparison["recorded"], comparison["simulated"]
        self.assertGreater(recorded["coldPart"], 0.1)
        self.assertAlmostEqual(recorded["coldPart"], replayed["coldPart"], delta=0.05)
        self.assertAlmostEqual(recorded["warmPart"], replayed["warmPart"], delta=0.05)
        # A replay knows the starts and the waits. What HTTP and the processor's other work add to a warm call it does not.
        self.assertLess(replayed["meanAdded"], recorded["meanAdded"] * 1.5)
        self.assertGreater(replayed["meanAdded"], recorded["meanAdded"] / 4)

    def test_a_replay_says_what_more_memory_would_have_done(self):
        """POOL-24 in twice the memory all three functions stay warm."""
        path, told = self.recorded("more")
        answer = self.node.tool("simulate", "--trace", path, "--memory", "0.3,0.6", "--output", "json", *REPLAY).stdout
        points = {point["gigabytes"]: point["result"] for point in json.loads(answer)}
        self.assertAlmostEqual(points[0.6]["coldPart"], 3 / told["calls"])
        self.assertGreater(points[0.3]["coldPart"], 0.1)

    def test_names_are_written_only_when_they_are_asked_for(self):
        """A trace can be shown to others: without --names there is neither function nor account in it."""
        path, _ = self.recorded("plain")
        with open(path + ".json", encoding="utf-8") as file:
            text = file.read()
        self.assertNotIn("names", json.loads(text))
        self.assertNotIn("123456789012", text)
        path, _ = self.recorded("named", "--names")
        with open(path + ".json", encoding="utf-8") as file:
            self.assertEqual([name.rsplit(":", 1)[-1] for name in json.load(file)["names"]], ["a", "b", "c"])

    def test_what_comes_is_recorded_until_ctrl_c(self):
        """`--for` takes the calls from now on, and Ctrl-C writes what there is."""
        process = subprocess.Popen([BINARY, "record", "--for", "1h", "--trace", self.trace("live")], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env=os.environ | {"WAYSIDE_DATA": str(self.node.data)})
        try:
            time.sleep(2)
            for _ in range(5):
                self.account.invoke("a")
            time.sleep(2)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
        self.assertEqual(process.returncode, 0, out + err)
        self.assertIn("5 calls of 1 functions", out)

    def test_nothing_to_record_is_an_error_that_says_so(self):
        """An empty trace is not written."""
        result = self.node.tool("record", "--for", "1s", "--trace", self.trace("empty"), check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("no call came", result.stderr)
        self.assertFalse(os.path.exists(self.trace("empty.json")))


if __name__ == "__main__":
    unittest.main()
