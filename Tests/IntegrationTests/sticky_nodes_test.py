"""Sticky containers beyond one process: frontends of a site, a region, and a node that is started again."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from sticky_support import RUNTIME, STATE, rule
from support import BINARY, FEW, FleetTest
from wayside_node import Node, free_port, wait_for


class SiteTest(unittest.TestCase):
    """Two frontends of a site, and a function deployed to each."""

    values = 0

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="wayside-it-")
        self.addCleanup(shutil.rmtree, self.folder)
        certificates = f"{self.folder}/certificates"
        subprocess.run([BINARY, "cert", "init", "--directory", certificates, "--node", "pop-1", "--node", "pop-2", "--host", "127.0.0.1"],
                       check=True, capture_output=True)
        ports = {name: free_port() for name in ("pop-1", "pop-2")}
        key = f"{self.folder}/affinity.key"
        with open(key, "wb") as file:
            file.write(bytes(range(32)))
        self.nodes = []
        for number, name in enumerate(ports):
            other = "pop-2" if name == "pop-1" else "pop-1"
            self.nodes.append(Node(BINARY, self.folder, name, RUNTIME | {
                "sandbox": {"uidBase": 1879048192 + number * 100663296}, "affinity": {"key": key}, "drain": {"parkSeconds": 20},
                "peers": {"listen": f"127.0.0.1:{ports[name]}", "site": [f"{other}=https://127.0.0.1:{ports[other]}"],
                          "certificate": f"{certificates}/{name}.pem", "key": f"{certificates}/{name}.key",
                          "authority": f"{certificates}/ca.pem", "probeIntervalMilliseconds": 100}}))
            self.addCleanup(self.end, self.nodes[-1])
            self.nodes[-1].start()
        self.accounts = [node.account() for node in self.nodes]
        for account in self.accounts:
            account.must_create("shared", {"app.py": STATE}, **rule())
        # A node that was not there yet when the other looked is looked for again a little later.
        for number in range(2):
            for name in ports:
                wait_for(lambda seen=number, at=name: self.value_of(at, seen), f"pop-{number + 1} gives calls to {name}")

    def value_of(self, name, seen_by):
        """A new value that this frontend gives to the node `name`."""
        self.values += 1
        value = f"v{self.values}"
        return value if self.call(seen_by, value).headers["Wayside-Site"] == name else None

    @staticmethod
    def end(node):
        """By SIGINT, which parks nothing."""
        if node.process and node.process.poll() is None:
            node.process.send_signal(signal.SIGINT)
            node.process.wait(30)

    def call(self, number, value, **headers):
        answer = self.accounts[number].invoke("shared", headers={"x-user": value} | headers)
        self.assertEqual(answer.status, 200, answer.body)
        return answer

    def test_STICK_19_two_frontends_share_the_containers_of_their_values_also_when_one_was_restarted(self):
        """STICK-19"""
        sites = set()
        for value in ("a", "b", "c", "d", "e", "f"):
            answers = [self.call(number % 2, value) for number in range(6)]
            self.assertEqual(len({answer.json()["container"] for answer in answers}), 1, value)
            self.assertEqual([answer.json()["calls"] for answer in answers], list(range(1, 7)))
            self.assertEqual(len({answer.headers["Wayside-Site"] for answer in answers}), 1)
            sites.add(answers[0].headers["Wayside-Site"])
        self.assertEqual(sites, {"pop-1", "pop-2"})
        # A token of one is good at the other.
        first = self.call(0, "a")
        again = self.accounts[1].invoke("shared", headers={"Wayside-Container": first.headers["Wayside-Container"]})
        self.assertEqual(again.json()["container"], first.json()["container"])
        # The frontend that does not have the container is started anew.
        other = 1 if first.headers["Wayside-Site"] == "pop-1" else 0
        self.nodes[other].stop()
        self.assertEqual(self.call(1 - other, "a").json()["container"], first.json()["container"])
        self.nodes[other].start()
        self.assertEqual(self.call(other, "a").json()["container"], first.json()["container"])
        # And then the one that has it, which finds it again.
        owner = 1 - other
        self.nodes[owner].stop()
        self.nodes[owner].start()
        self.assertEqual(self.call(owner, "a").json()["container"], first.json()["container"])
        wait_for(lambda: self.call(other, "a").json()["container"] == first.json()["container"], "both have found it again")

    def test_STICK_19_when_the_frontend_that_has_the_container_is_gone_the_other_takes_the_value_and_says_so(self):
        """STICK-19"""
        value = wait_for(lambda: self.value_of("pop-2", 0), "a value of pop-2")
        self.nodes[1].kill()
        # The call that finds the connection broken may fail, for it may have run.
        answer = wait_for(lambda: (lambda answer: answer.status == 200 and answer)(
            self.accounts[0].invoke("shared", headers={"x-user": value})), "an answer")
        self.assertEqual((answer.headers["Wayside-Site"], answer.headers["Wayside-Affinity-Result"]), ("pop-1", "new"))


class RestartTest(unittest.TestCase):
    """What outlives `wayside serve`, and what does not."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="wayside-it-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.node = Node(BINARY, self.folder, "node", RUNTIME | {"drain": {"parkSeconds": 20}})
        self.addCleanup(self.end)
        self.node.start()
        self.account = self.node.account()

    def end(self):
        """By SIGINT nothing is parked, so that nothing is left."""
        if self.node.process.poll() is None:
            self.node.process.send_signal(signal.SIGINT)
            self.assertEqual(self.node.process.wait(30), 0)
        wait_for(lambda: not self.node.leftovers(), f"nothing is left: {self.node.leftovers()}", seconds=10)

    def call(self, name, value=None, **headers):
        answer = self.account.invoke(name, headers=({"x-user": value} if value else {}) | headers)
        self.assertEqual((answer.status, answer.headers.get("X-Amz-Function-Error")), (200, None), answer.body)
        return answer

    def test_STICK_08_a_restart_of_the_daemon_leaves_containers_rows_and_tokens_as_they_were(self):
        """STICK-08"""
        self.account.must_create("kept", {"app.py": STATE}, **rule())
        self.account.must_create("plain", {"app.py": STATE})
        before = {value: self.call("kept", value) for value in ("a", "b")}
        plain = self.call("plain")
        launcher = self.node.launcher()
        for calls in (2, 4):
            self.assertEqual(self.node.stop(), 0)
            os.kill(launcher, 0)
            self.node.start()
            for value, first in before.items():
                answer = self.call("kept", value)
                self.assertEqual(answer.headers["Wayside-Affinity-Result"], "hit")
                self.assertEqual(answer.json(), {"container": first.json()["container"], "calls": calls, "file": calls, "fetches": 1})
                again = self.call("kept", **{"Wayside-Container": first.headers["Wayside-Container"]})
                self.assertEqual((again.headers["Wayside-Affinity-Result"], again.headers.get("Wayside-Affinity-Token")), ("hit", None))
                self.assertEqual(again.json()["container"], first.json()["container"])
            answer = self.call("plain")
            self.assertEqual(answer.json()["container"], plain.json()["container"])
            self.assertEqual(self.node.record_of(answer)["startLevel"], "warm")
        rows = json.loads(self.node.tool("sticky", "list", "--output", "json").stdout)["rows"]
        self.assertEqual({row["value"]: row["uses"] for row in rows}, {"a": 3, "b": 3})
        # What begins now is told apart from what was adopted.
        fresh = self.node.record_of(self.call("kept", "c"))["capacity"]["container"]
        self.assertNotIn(fresh, [row["container"] for row in rows])
        pools = self.node.pools()
        self.assertEqual(pools["memoryHeldBytes"], sum(area["heldBytes"] for area in pools["areas"]))

    def test_STICK_14_after_kill_9_the_start_is_clean_and_tokens_are_void(self):
        """STICK-14"""
        self.account.must_create("lost", {"app.py": STATE}, **rule())
        first = self.call("lost", "a")
        self.node.kill()
        self.node.start()
        self.assertEqual(json.loads(self.node.tool("sticky", "list", "--output", "json").stdout)["rows"], [])
        token = self.call("lost", **{"Wayside-Container": first.headers["Wayside-Container"]})
        self.assertEqual(token.headers["Wayside-Affinity-Token"], "void")
        answer = self.call("lost", "a")
        self.assertEqual(answer.headers["Wayside-Affinity-Result"], "new")
        self.assertNotEqual(answer.json()["container"], first.json()["container"])

    def test_STICK_16_what_nobody_adopts_in_time_is_ended_with_its_rows(self):
        """STICK-16"""
        text = self.node.config.read_text(encoding="utf-8")
        self.node.config.write_text(text.replace("parkSeconds: 20", "parkSeconds: 2"), encoding="utf-8")
        self.node.process.send_signal(signal.SIGINT)
        self.assertEqual(self.node.process.wait(30), 0)
        self.node.start()
        self.account.must_create("late", {"app.py": STATE}, **rule())
        first = self.call("late", "a")
        self.assertEqual(self.node.stop(), 0)
        self.assertNotEqual(self.node.leftovers(), [])
        wait_for(lambda: not self.node.leftovers(), f"the launcher has gone: {self.node.leftovers()}", seconds=15, pause=0.1)
        self.node.start()
        answer = self.call("late", "a")
        self.assertEqual(answer.headers["Wayside-Affinity-Result"], "new")
        self.assertNotEqual(answer.json()["container"], first.json()["container"])


class RegionTest(FleetTest):
    """A POP that forwards what is rare, and its region."""

    pop = {"placement": FEW} | RUNTIME
    region = RUNTIME

    def values(self, name, value, count=6, **headers):
        answers = [self.account.invoke(name, headers={"x-user": value} | headers) for _ in range(count)]
        for answer in answers:
            self.assertEqual(answer.status, 200, answer.body)
        return answers

    def test_STICK_07_a_value_that_was_forwarded_stays_in_its_region_although_its_function_becomes_frequent(self):
        """STICK-07 STICK-19"""
        self.account.must_create("rare", {"app.py": STATE}, **rule())
        answers = self.values("rare", "a")
        self.assertEqual(len({answer.json()["container"] for answer in answers}), 1)
        self.assertEqual([answer.json()["calls"] for answer in answers], list(range(1, 7)))
        self.assertEqual([answer.headers["Wayside-Affinity-Result"] for answer in answers], ["new"] + ["hit"] * 5)
        self.assertEqual({answer.headers["Wayside-Site"] for answer in answers}, {"region-1"})
        records = [self.fleet.pop.record_of(answer) for answer in answers]
        self.assertEqual([record["reason"] for record in records], ["uncommon"] + ["affinity_elsewhere"] * 5)
        self.assertEqual(self.fleet.region.record_of(answers[0])["capacity"]["affinity"]["value"], "a")
        # A new value of what is frequent by now is the POP's, and stays there.
        local = self.values("rare", "b", 3)
        self.assertEqual({answer.headers["Wayside-Site"] for answer in local}, {"pop-1"})
        self.assertEqual([answer.headers["Wayside-Affinity-Result"] for answer in local], ["new", "hit", "hit"])
        self.assertEqual(self.fleet.pop.record_of(local[1])["reason"], "affinity")

    def test_STICK_10_the_token_of_a_container_in_the_region_leads_there(self):
        """STICK-10"""
        self.account.must_create("far", {"app.py": STATE})
        first, = self.values("far", "ignored", 1, **{"Wayside-Affinity": "z"})
        self.assertEqual(first.headers["Wayside-Site"], "region-1")
        for number in range(4):
            again = self.account.invoke("far", headers={"Wayside-Container": first.headers["Wayside-Container"]})
            self.assertEqual((again.headers["Wayside-Site"], again.headers["Wayside-Affinity-Result"]), ("region-1", "hit"), number)
            self.assertEqual(again.json()["container"], first.json()["container"])
        refused = self.account.invoke("far", headers={"Wayside-Container": first.headers["Wayside-Container"][:-4] + "AAAA",
                                                      "Wayside-Affinity-Mode": "require"})
        self.assertEqual((refused.status, refused.error), (412, "PreconditionFailedException"))


if __name__ == "__main__":
    unittest.main()
