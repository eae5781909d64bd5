"""Sticky containers on real nodes: the same value reaches the same container, with what it left there."""

import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from support import BINARY, FEW, FleetTest, NodeTest
from wayside_node import Node, free_port, wait_for

# Counts its own calls in memory and in a file, and says which container it is. The backing store is asked once for each container.
STATE = """
import os, time, uuid

ME, CALLS, FETCHES, KEPT = str(uuid.uuid4()), 0, 0, []

def handler(event, context):
    global CALLS, FETCHES
    CALLS += 1
    if not FETCHES:
        FETCHES += 1
    with open('/tmp/calls', 'a') as file:
        file.write('x')
    KEPT.append(bytearray(int(event.get('keep', 0)) << 20))
    if event.get('exit'):
        os._exit(1)
    time.sleep(event.get('seconds', 0))
    return {'container': ME, 'calls': CALLS, 'file': os.path.getsize('/tmp/calls'), 'fetches': FETCHES}
"""
RUNTIME = {"capacity": {"memoryMebibytes": 4096, "warming": ["python=1"]}}


def rule(source="header:x-user", **more):
    return {"Wayside": {"Affinity": {"Source": source} | more}}


def together(count, call):
    """The answers of `count` calls at once."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


class StickyTest(NodeTest):
    configuration = RUNTIME

    def call(self, name, value=None, event=None, account=None, **headers):
        headers = {key.replace("_", "-"): text for key, text in headers.items()} | ({"x-user": value} if value else {})
        return (account or self.account).invoke(name, event, headers=headers)

    def served(self, answer, result=None):
        """What the function said of itself; the call must have gone well, with this result."""
        self.assertEqual((answer.status, answer.headers.get("X-Amz-Function-Error")), (200, None), answer.body)
        if result:
            self.assertEqual(answer.headers.get("Wayside-Affinity-Result"), result)
        return answer.json()

    def rows(self, name):
        rows = json.loads(self.node.tool("sticky", "list", "--output", "json").stdout)["rows"]
        return [row for row in rows if row["function"].endswith(f":{name}")]

    def instances(self):
        return json.loads(self.node.tool("instance", "list", "--output", "json").stdout)["instances"]

    def create(self, name, source="header:x-user", account=None, settings=None, **more):
        (account or self.account).must_create(name, {"app.py": STATE}, **(rule(source, **more) | (settings or {})))


class WhichContainerTest(StickyTest):
    """Where the value comes from, and what it reaches."""

    def test_STICK_01_the_inventory_lists_containers_with_their_instance_account_function_and_state(self):
        """STICK-01"""
        self.create("inventory")
        answer = self.call("inventory", "a")
        capacity = self.node.record_of(answer)["capacity"]
        instance = next(entry for entry in self.instances() if entry["instance"] == capacity["instance"])
        self.assertEqual(instance["account"], self.account.number)
        container = next(entry for entry in instance["containers"] if entry["container"] == capacity["container"])
        self.assertIn("inventory", json.dumps(container))
        self.assertEqual((container["version"], container["state"]), ("$LATEST", "idle"))

    def test_STICK_02_header_query_and_event_are_where_rules_find_the_value_and_the_record_has_it(self):
        """STICK-02"""
        self.create("by-header")
        self.create("by-query", "query:id")
        self.create("by-body", "body:user.id")
        answers = [
            (self.call("by-header", "ann"), "header", "ann"),
            (self.account.request("POST", "/2015-03-31/functions/by-query/invocations?id=bob", b"{}"), "query", "bob"),
            (self.call("by-body", event={"user": {"id": "cid"}}), "body", "cid"),
        ]
        for answer, source, value in answers:
            self.served(answer, "new")
            affinity = self.node.record_of(answer)["capacity"]["affinity"]
            self.assertEqual((affinity["source"], affinity["value"]), (source, value))

    def test_STICK_03_a_literal_value_wins_over_the_rule(self):
        """STICK-03"""
        self.create("literal")
        first = self.served(self.call("literal", "ann"), "new")
        other = self.call("literal", "ann", Wayside_Affinity="bob")
        self.assertNotEqual(self.served(other, "new")["container"], first["container"])
        self.assertEqual(self.node.record_of(other)["capacity"]["affinity"]["value"], "bob")

    def test_STICK_04_STICK_17_accounts_functions_and_versions_with_equal_values_have_containers_of_their_own(self):
        """STICK-04 STICK-17"""
        second = self.node.account("222222222222")
        for account in (self.account, second):
            self.create("scope", "account", account=account)
        seen = [self.served(self.call("scope", account=account))["container"] for account in (self.account, second) * 3]
        self.assertEqual(len(set(seen)), 2)
        self.assertEqual((seen[0], seen[1]), (seen[2], seen[3]))
        versions = []
        for description in ("one", "two"):
            changed = json.dumps({"Description": description}).encode()
            self.account.request("PUT", "/2015-03-31/functions/scope/configuration", changed)
            published = self.account.request("POST", "/2015-03-31/functions/scope/versions", b"{}").json()["Version"]
            versions.append([self.served(self.call(f"scope:{published}"))["container"] for _ in range(3)])
        self.assertEqual([len(set(version)) for version in versions], [1, 1])
        self.assertEqual(len({versions[0][0], versions[1][0], seen[0], seen[1]}), 4)

    def test_STICK_05_without_indication_calls_are_spread(self):
        """STICK-05"""
        self.create("spread")
        answers = together(4, lambda _: self.call("spread", event={"seconds": 0.5}))
        self.assertEqual(len({self.served(answer)["container"] for answer in answers}), 4)
        self.assertTrue(all("Wayside-Affinity-Result" not in answer.headers for answer in answers))

    def test_STICK_06_the_table_is_listed_and_a_value_whose_row_was_removed_is_mapped_again(self):
        """STICK-06"""
        self.create("table")
        self.served(self.call("table", "a"), "new")
        self.served(self.call("table", "a"), "hit")
        row, = self.rows("table")
        self.assertEqual((row["value"], row["uses"], row["version"]), ("a", 2, "$LATEST"))
        self.node.tool("sticky", "remove", row["id"])
        self.assertEqual(self.rows("table"), [])
        self.served(self.call("table", "a"), "new")

    def test_STICK_07_STICK_08_a_thousand_calls_of_ten_values_meet_ten_containers_and_what_they_left_there(self):
        """STICK-07 STICK-08"""
        self.create("thousand", settings={"MemorySize": 128})
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            served = list(pool.map(lambda number: (number % 10, self.served(self.call("thousand", f"v{number % 10}"))), range(1000)))
        containers = {}
        for value, answer in served:
            containers.setdefault(value, []).append(answer)
        self.assertEqual(len({answer["container"] for _, answer in served}), 10)
        for answers in containers.values():
            self.assertEqual(len({answer["container"] for answer in answers}), 1)
            self.assertEqual(sorted(answer["calls"] for answer in answers), list(range(1, 101)))
            self.assertEqual(sorted(answer["file"] for answer in answers), list(range(1, 101)))
            self.assertEqual({answer["fetches"] for answer in answers}, {1})

    def test_STICK_09_the_requests_of_a_class_reach_one_container(self):
        """STICK-09"""
        self.create("classes", Patterns=["image/*"], Buckets=2)
        images = {self.served(self.call("classes", f"image/{name}"))["container"] for name in ("a.png", "b.gif", "c.jpg")}
        self.assertEqual(len(images), 1)
        others = {self.served(self.call("classes", f"user-{number}"))["container"] for number in range(12)}
        self.assertEqual(len(others), 2)
        self.assertFalse(images & others)


class TokenTest(StickyTest):
    def test_STICK_10_a_token_leads_back_forged_it_is_void_and_never_leads_to_another_account(self):
        """STICK-10"""
        self.create("token")
        self.account.must_create("plain", {"app.py": STATE})
        first = self.call("token", "a")
        token, me = first.headers["Wayside-Container"], self.served(first)["container"]
        replayed = self.call("token", Wayside_Container=token)
        self.assertEqual(self.served(replayed, "hit")["container"], me)
        second = self.node.account("333333333333")
        self.create("token", account=second)
        forged = ("A" if token[0] != "A" else "B") + token[1:]
        for account, name, used in ((self.account, "token", forged), (self.account, "plain", token), (second, "token", token)):
            answer = self.call(name, account=account, Wayside_Container=used)
            served = self.served(answer, "new")["container"]
            self.assertEqual(answer.headers["Wayside-Affinity-Token"], "void")
            # Placed as if no token had come, its own function's call may meet the container by chance.
            if (account, name) != (self.account, "token"):
                self.assertNotEqual(served, me)
            refused = self.call(name, account=account, Wayside_Container=used, Wayside_Affinity_Mode="require")
            self.assertEqual((refused.status, refused.error), (412, "PreconditionFailedException"))

    def test_STICK_10_the_token_of_a_container_that_is_gone_is_void(self):
        """STICK-10"""
        self.account.must_create("gone-token", {"app.py": STATE})
        first = self.call("gone-token", Wayside_Affinity="a")
        self.node.tool("container", "kill", str(self.node.record_of(first)["capacity"]["container"]))
        answer = self.call("gone-token", Wayside_Container=first.headers["Wayside-Container"])
        self.assertNotEqual(self.served(answer, "gone")["container"], first.json()["container"])
        self.assertEqual(answer.headers["Wayside-Affinity-Token"], "void")


class BranchTest(StickyTest):
    configuration = {"capacity": {"memoryMebibytes": 4096, "containersPerInstanceMax": 2, "warming": ["python=1"]}}

    def test_STICK_11_a_miss_takes_the_loaded_container_then_the_own_instance_then_the_warming_pool(self):
        """STICK-11"""
        wait_for(lambda: self.node.pools()["instancesReady"] == 1, "a ready instance")
        self.create("branches")

        def branch(value):
            return self.node.record_of(self.call("branches", value))["capacity"]["branch"]

        self.assertEqual(branch("a"), "warming_pool")
        self.assertEqual(branch("b"), "own_instance")
        self.served(self.call("branches"))
        row = next(row for row in self.rows("branches") if row["value"] == "a")
        self.node.tool("sticky", "remove", row["id"])
        self.assertEqual(branch("c"), "loaded")


class BusyTest(StickyTest):
    def busy(self, name, **headers):
        """The answer to a call of a value whose container is busy, and the call that keeps it so."""
        self.served(self.call(name, "a"))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            holder = pool.submit(self.call, name, "a", {"seconds": 2})
            wait_for(lambda: self.node.pools()["containersBusy"] >= 1, "a busy container")
            answer = self.call(name, "a", **headers)
            return answer, holder.result()

    def test_STICK_12_a_container_too_small_for_the_function_is_not_used(self):
        """STICK-12"""
        self.create("small", settings={"MemorySize": 128})
        first = self.served(self.call("small", "a"), "new")
        self.account.request("PUT", "/2015-03-31/functions/small/configuration", json.dumps({"MemorySize": 256}).encode())
        answer = self.call("small", "a")
        self.assertIn(answer.headers["Wayside-Affinity-Result"], ("moved", "gone"))
        self.assertNotEqual(self.served(answer)["container"], first["container"])
        self.assertEqual(self.node.record_of(answer)["memoryLimit"], 256 << 20)

    def test_STICK_13_a_busy_container_is_waited_for_passed_over_or_refused(self):
        """STICK-13"""
        self.create("waits", WaitMilliseconds=10_000)
        waited, holder = self.busy("waits")
        self.assertEqual(self.served(waited, "hit")["container"], self.served(holder)["container"])
        self.assertEqual(self.node.record_of(waited)["capacity"]["waitedFor"], "affinity")

        self.create("impatient", WaitMilliseconds=50)
        moved, holder = self.busy("impatient")
        self.assertNotEqual(self.served(moved, "moved")["container"], self.served(holder)["container"])
        self.assertEqual(moved.headers["Wayside-Affinity-Overflow"], "true")

        self.create("overflows", Busy="overflow")
        moved, holder = self.busy("overflows")
        self.assertNotEqual(self.served(moved, "moved")["container"], self.served(holder)["container"])
        self.assertEqual(moved.headers["Wayside-Affinity-Overflow"], "true")
        self.assertEqual(self.served(self.call("overflows", "a"), "hit")["container"], holder.json()["container"])

        self.create("rejects", Busy="reject")
        refused, holder = self.busy("rejects")
        self.assertEqual((refused.status, refused.error), (429, "TooManyRequestsException"))
        self.served(holder, "hit")

    def test_STICK_14_a_container_that_was_killed_or_crashed_is_replaced_and_the_caller_told(self):
        """STICK-14"""
        self.create("killed")
        first = self.call("killed", "a")
        self.node.tool("container", "kill", str(self.node.record_of(first)["capacity"]["container"]))
        self.assertNotEqual(self.served(self.call("killed", "a"), "gone")["container"], first.json()["container"])
        self.served(self.call("killed", "a"), "hit")
        self.call("killed", "a", {"exit": True})
        self.served(self.call("killed", "a"), "gone")

    def test_STICK_18_fifty_first_calls_make_one_mapping(self):
        """STICK-18"""
        self.create("storm", WaitMilliseconds=60_000, settings={"Timeout": 30})
        answers = together(50, lambda _: self.call("storm", "a"))
        self.assertEqual(len({self.served(answer)["container"] for answer in answers}), 1)
        self.assertEqual(sorted(answer.json()["calls"] for answer in answers), list(range(1, 51)))
        self.assertEqual([answer.headers["Wayside-Affinity-Result"] for answer in answers].count("new"), 1)
        self.assertEqual(len(self.rows("storm")), 1)


class KeepingTest(StickyTest):
    configuration = {"capacity": {"memoryMebibytes": 4096, "warming": ["python=1"], "keepAliveSeconds": 3}}

    def test_STICK_15_the_more_state_a_container_has_the_longer_it_is_kept(self):
        """STICK-15"""
        ends = {}
        for mebibytes in (0, 1, 50):
            name = f"state-{mebibytes}"
            self.create(name, settings={"MemorySize": 256})
            self.served(self.call(name, "a", {"keep": mebibytes}))
            self.served(self.call(name, "a"))

        def gone():
            rows = json.loads(self.node.tool("sticky", "list", "--output", "json").stdout)["rows"]
            left = {row["function"].rsplit(":", 1)[1] for row in rows}
            for mebibytes in (0, 1, 50):
                if f"state-{mebibytes}" not in left:
                    ends.setdefault(mebibytes, len(ends))
            return len(ends) == 3

        wait_for(gone, "all are gone", seconds=90, pause=0.2)
        self.assertEqual([ends[mebibytes] for mebibytes in (0, 1, 50)], [0, 1, 2])

    def test_STICK_16_expiry_removes_the_rows_with_the_container(self):
        """STICK-16"""
        self.create("expires")
        container = self.node.record_of(self.call("expires", "a"))["capacity"]["container"]
        wait_for(lambda: not self.rows("expires"), "the row is gone", seconds=60, pause=0.2)
        self.assertNotIn(container, [each["container"] for entry in self.instances() for each in entry["containers"]])
        self.served(self.call("expires", "a"), "new")


class FloodTest(StickyTest):
    configuration = {"capacity": {"memoryMebibytes": 768, "warming": ["python=1"]}, "affinity": {"rowsMax": 20, "rowsPerFunctionMax": 10}}

    def test_STICK_20_a_flood_of_values_starves_nobody(self):
        """STICK-20"""
        self.create("quiet")
        self.create("flood")
        self.served(self.call("quiet", "a"), "new")
        for number in range(60):
            self.served(self.call("flood", f"v{number}"))
            if number % 10 == 0:
                self.served(self.call("quiet", "a"))
        self.assertLessEqual(len(self.rows("flood")), 10)
        self.assertEqual([row["value"] for row in self.rows("quiet")], ["a"])


class SiteTest(unittest.TestCase):
    """Two frontends of a site, and a function deployed to each."""

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
        value = next(f"v{number}" for number in range(64) if self.call(0, f"v{number}").headers["Wayside-Site"] == "pop-2")
        self.nodes[1].kill()
        answer = wait_for(lambda: self.call(0, value), "an answer")
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


class ToolTest(StickyTest):
    def tool(self, *arguments, status=0):
        result = self.node.tool("invoke", *arguments, check=False, environment=self.account.environment)
        self.assertEqual(result.returncode, status, result.stderr)
        return result

    def test_STICK_03_the_tool_gives_a_value_or_a_token_and_says_what_became_of_it(self):
        """STICK-03 STICK-10 STICK-06"""
        self.account.must_create("by-hand", {"app.py": STATE})
        first = self.tool("by-hand", "--affinity", "ann")
        self.assertIn("affinity: new\ntoken: ", first.stderr)
        token = first.stderr.split("token: ")[1].strip()
        for choice in (["--affinity", "ann"], ["--token", token]):
            again = self.tool("by-hand", *choice)
            self.assertIn("affinity: hit", again.stderr)
            self.assertEqual(json.loads(again.stdout)["container"], json.loads(first.stdout)["container"])
        refused = self.tool("by-hand", "--token", token[:-4] + "AAAA", "--affinity-mode", "require", status=1)
        self.assertIn("PreconditionFailedException", refused.stderr)
        shown = self.node.tool("sticky", "show", self.rows("by-hand")[0]["id"], "--output", "json")
        self.assertEqual(json.loads(shown.stdout)["value"], "ann")


if __name__ == "__main__":
    unittest.main()
