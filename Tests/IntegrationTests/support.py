"""What the integration tests share: the program under test, temporary folders, and small functions to deploy."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/Harness"))

from wayside_node import Fleet, Node, wait_for  # noqa: E402

BINARY = os.environ.get("WAYSIDE_BINARY", str(ROOT / ".build/debug/wayside"))

ECHO = "def handler(event, context):\n    return event\n"
SLEEP = "import time\n\ndef handler(event, context):\n    time.sleep(event['seconds'])\n    return 'slept'\n"
# A node that runs takes over what is written into its catalog within about a second.
TAKEOVER = 1.5
FEW = {"policy": "frequency", "frequentCalls": 2.5, "uncommonCalls": 1.0}


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


class PoolTest(NodeTest):
    """What the tests of capacity share; each class has a node of its own configuration."""

    def other(self, number):
        return self.node.account(number)

    def permit(self, account, *options):
        self.node.tool("account", "set", account.number, *options)
        time.sleep(TAKEOVER)

    def capacity(self, answer):
        return self.node.record_of(answer)["capacity"]

    def sub_pool(self, name):
        return next((pool for pool in self.node.pools()["subPools"] if pool.get("name") == name), None)

    def instances(self, account=None):
        listed = json.loads(self.node.tool("instance", "list", "--output", "json").stdout)["instances"]
        return [instance for instance in listed if account is None or instance.get("account") == account.number]

    def reserve(self, account, name, count):
        """Returns the sub-pool's name when its containers are ready."""
        self.node.tool("pool", "reserve", name, "--count", str(count), "--account", account.number)

        def ready():
            pools = [pool for pool in self.node.pools()["subPools"] if pool.get("kind") == "dedicated" and f"/{name}:" in pool["name"]
                     and f"/{account.number}/" in pool["name"]]
            return pools[0]["name"] if pools and pools[0]["ready"] == count else None
        return wait_for(ready, f"{count} containers of {name} are ready") if count else None

    @staticmethod
    def storm(account, name, events):
        """The answers to calls that are made at once."""
        with concurrent.futures.ThreadPoolExecutor(len(events)) as threads:
            return list(threads.map(lambda event: account.invoke(name, event), events))

    @contextlib.contextmanager
    def running(self, account, name, event, busy=1, headers=None):
        """A call that is under way meanwhile; yields the list that will hold its answer."""
        answers = []
        thread = threading.Thread(target=lambda: answers.append(account.invoke(name, event, headers=headers)))
        thread.start()
        wait_for(lambda: self.node.pools()["containersBusy"] >= busy, "the call runs")
        try:
            yield answers
        finally:
            thread.join()

    def refused(self, answer, code):
        self.assertEqual((answer.status, answer.headers["Wayside-Error"]), (429, code), answer.body)
        self.assertIsNotNone(answer.headers["Retry-After"])

    def tearDown(self):
        wait_for(lambda: (lambda pools: pools["containersBusy"] == pools["containersStarting"] == pools["waiting"] == 0)(self.node.pools()),
                 "nothing is under way any more")
