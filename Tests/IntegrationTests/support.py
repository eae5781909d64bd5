"""What the integration tests share: the program under test, temporary folders, and small functions to deploy."""

import os
import pathlib
import shutil
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/Harness"))

from wayside_node import Fleet, Node  # noqa: E402

BINARY = os.environ.get("WAYSIDE_BINARY", str(ROOT / ".build/debug/wayside"))

ECHO = "def handler(event, context):\n    return event\n"
SLEEP = "import time\n\ndef handler(event, context):\n    time.sleep(event['seconds'])\n    return 'slept'\n"
FEW = {"frequentCalls": 2.5, "uncommonCalls": 1.0}


class NodeTest(unittest.TestCase):
    """One node for all tests of the class."""

    configuration = {}

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="wayside-it-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.node = Node(BINARY, cls.folder, "node", cls.configuration).start()
        cls.addClassCleanup(cls._stop)
        cls.account = cls.node.account()

    @classmethod
    def _stop(cls):
        if cls.node.process.poll() is None:
            cls.node.stop()
        left = cls.node.leftovers()
        if left:
            raise AssertionError(f"left behind: {left}")


class FleetTest(unittest.TestCase):
    """A POP and a region for all tests of the class."""

    pop = {}
    region = {}

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="wayside-it-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.fleet = Fleet(BINARY, cls.folder, pop=cls.pop, region=cls.region)
        cls.addClassCleanup(cls.fleet.stop)
        cls.fleet.start()
        cls.account = cls.fleet.pop.account()

    def call(self, name, event=None, **more):
        """An answered call and the POP's record of it."""
        answer = self.account.invoke(name, event, **more)
        return answer, self.fleet.pop.record_of(answer)

    def until_local(self, name, event=None, calls=12):
        for _ in range(calls):
            answer, record = self.call(name, event)
            self.assertEqual(answer.status, 200, answer.body)
            if record["decision"] == "run":
                return record
        return self.fail(f"{name} never became local")
