"""Sticky containers on real nodes: the same value reaches the same container, with what it left there."""

import concurrent.futures
import json
import unittest

from sticky_support import RUNTIME, STATE, rule
from support import NodeTest
from wayside_node import wait_for


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
    configuration = {"capacity": {"memoryMebibytes": 2560, "warming": ["python=1"]}, "affinity": {"rowsMax": 20, "rowsPerFunctionMax": 10}}
    # Whether there is room for every container that a row may lead to.
    has_room = True

    def test_STICK_20_a_flood_of_values_starves_nobody(self):
        """STICK-20: a flood has no more rows than it may, and what another function's value has stays."""
        self.create("quiet")
        self.create("flood")
        self.served(self.call("quiet", "a"), "new")
        for number in range(60):
            self.served(self.call("flood", f"v{number}"), "new")
            if number % 10 == 0:
                self.served(self.call("quiet", "a"), "hit" if self.has_room else None)
        self.assertLessEqual(len(self.rows("flood")), 10)
        self.assertEqual([row["value"] for row in self.rows("quiet")], ["a"])
        containers = [each for entry in self.instances() for each in entry["containers"] if each.get("function", "").endswith(":flood")]
        self.assertLessEqual(len(containers), 11)


class FloodWithoutRoomTest(FloodTest):
    """The same where containers must give way for others: everybody is served still."""

    configuration = FloodTest.configuration | {"capacity": {"memoryMebibytes": 768, "warming": ["python=1"]}}
    has_room = False


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
