"""Where calls run: a real POP and a real region."""

import base64
import contextlib
import http.client
import json
import os
import shutil
import threading
import time
import unittest

from support import ECHO, FEW, SLEEP, TAKEOVER, FleetTest
from wayside_node import wait_for, zipped

FAIL = "def handler(event, context):\n    raise KeyError('nothing')\n"


class DecisionTest(FleetTest):
    pop = {"placement": FEW, "capacity": {"memoryMebibytes": 1024, "warming": ["python=1"]}}

    def test_PLACE_06_a_rare_function_is_forwarded_although_slots_are_free_and_a_frequent_one_is_not(self):
        """PLACE-06"""
        self.account.must_create("rare", {"app.py": ECHO})
        answer, record = self.call("rare", {"n": 1})
        self.assertEqual((answer.status, answer.json()), (200, {"n": 1}))
        self.assertEqual((record["decision"], record["reason"], record["site"]), ("forward", "uncommon", "region-1"))
        self.assertEqual(answer.headers["Wayside-Decision"], "forward")
        record = self.until_local("rare")
        self.assertEqual((record["reason"], record["site"]), ("frequent", "pop-1"))
        _, record = self.call("rare")
        self.assertEqual((record["reason"], record["startLevel"]), ("warm", "warm"))

    def test_PLACE_04_every_record_has_one_decision_and_one_reason_here_and_there(self):
        """PLACE-04"""
        self.account.must_create("reasons", {"app.py": ECHO})
        answer, record = self.call("reasons")
        there = self.fleet.region.record_of(answer)
        self.assertEqual((record["decision"], record["reason"]), ("forward", "uncommon"))
        self.assertEqual((there["decision"], there["reason"]), ("run", "region"))
        self.assertEqual(record["remote"]["reason"], "region")

    def test_PLACE_03_a_mebibyte_arrives_byte_for_byte_at_the_pop_and_in_the_region(self):
        """PLACE-03"""
        self.account.must_create("echo", {"app.py": ECHO})
        event = json.dumps({"data": base64.b64encode(os.urandom(786432)).decode(), "text": "\u00e4\u2603\U0001f600"}).encode()
        sites = {}
        for _ in range(8):
            answer, record = self.call("echo", event)
            self.assertEqual(answer.json(), json.loads(event))
            sites.setdefault(record["site"], answer.body)
        self.assertEqual(set(sites), {"pop-1", "region-1"})
        self.assertEqual(sites["pop-1"], sites["region-1"])

    def test_PLACE_15_failures_have_the_same_shape_wherever_the_function_ran(self):
        """PLACE-15"""
        for name, code, settings in [("raises", FAIL, {}), ("exits", "import os\n\ndef handler(event, context):\n    os._exit(3)\n", {}),
                                     ("hangs", SLEEP, {"Timeout": 1})]:
            with self.subTest(name):
                self.account.must_create(name, {"app.py": code}, **settings)
                bodies = {}
                for _ in range(8):
                    answer, record = self.call(name, {"seconds": 30})
                    self.assertEqual((answer.status, answer.headers["X-Amz-Function-Error"]), (200, "Unhandled"))
                    text = answer.body.decode().replace(answer.headers["x-amzn-RequestId"], "ID")
                    bodies.setdefault(record["site"], text)
                    if len(bodies) == 2:
                        break
                self.assertEqual(set(bodies), {"pop-1", "region-1"})
                self.assertEqual(bodies["pop-1"], bodies["region-1"])

    def test_PLACE_19_the_forwarded_call_carries_its_id_account_version_and_a_shrinking_budget(self):
        """PLACE-19"""
        self.account.must_create("joined", {"app.py": "def handler(event, context):\n    print('seen', context.aws_request_id)\n"
                                            "    return [context.invoked_function_arn, context.get_remaining_time_in_millis()]\n"})
        published = self.account.request("POST", "/2015-03-31/functions/joined/versions", b"{}").json()
        answer = self.account.invoke("joined:1")
        request_id = answer.headers["x-amzn-RequestId"]
        here, there = self.fleet.pop.record(request_id), self.fleet.region.record(request_id)
        self.assertEqual((there["account"], there["forwardedBy"], there["hops"]), (self.account.number, "pop-1", 1))
        self.assertEqual((here["version"], there["version"], answer.headers["X-Amz-Executed-Version"]), ("1", "1", "1"))
        arn, remaining = answer.json()
        self.assertEqual(arn, published["FunctionArn"])
        self.assertLessEqual(remaining, 10_000)
        for node in (self.fleet.pop, self.fleet.region):
            self.assertIn(f"seen {request_id}", node.tool("logs", request_id).stdout)

    def test_an_update_reaches_the_region_with_the_next_call(self):
        self.account.must_create("changing", {"app.py": "def handler(event, context):\n    return 1\n"})
        self.assertEqual(self.account.invoke("changing").json(), 1)
        package = base64.b64encode(zipped({"app.py": "def handler(event, context):\n    return 2\n"})).decode()
        answer = self.account.request("PUT", "/2015-03-31/functions/changing/code", json.dumps({"ZipFile": package}).encode())
        self.assertEqual(answer.status, 200, answer.body)
        for _ in range(6):
            self.assertEqual(self.account.invoke("changing").json(), 2)

    def test_a_client_that_hangs_up_ends_the_run_in_the_region(self):
        self.account.must_create("long", {"app.py": SLEEP}, Timeout=60)
        path, body = "/2015-03-31/functions/long/invocations", b'{"seconds": 50}'
        connection = http.client.HTTPConnection("127.0.0.1", self.fleet.pop.port)
        connection.request("POST", path, body, self.account.signer.headers("POST", path, body, f"127.0.0.1:{self.fleet.pop.port}"))
        wait_for(lambda: self.fleet.region.pools()["containersBusy"] == 1, "the region runs it")
        connection.close()
        wait_for(lambda: self.fleet.region.pools()["containersBusy"] == 0, "the region has ended it", seconds=10)
        for node in (self.fleet.pop, self.fleet.region):
            record = json.loads(node.tool("explain", "--function", "long", "--output", "json").stdout)[0]
            self.assertEqual((record["outcome"], record["endingParty"]), ("aborted", "client"), node.name)


class LostCodeTest(FleetTest):
    pop = {"placement": {"policy": "frequency", "frequentCalls": 1e12, "uncommonCalls": 1e11}, "capacity": {"warming": []}}
    region = {"capacity": {"warming": [], "keepAliveSeconds": 1}}

    def test_PLACE_09_the_only_region_is_sent_again_what_it_has_lost_and_runs_the_call(self):
        """PLACE-09: the POP believes that the region holds the version, and learns from the call that it does not."""
        self.account.must_create("lost", {"app.py": ECHO})
        _, record = self.call("lost", {"n": 1})
        self.assertEqual((record["decision"], record["site"]), ("forward", "region-1"))
        wait_for(lambda: self.fleet.region.pools()["containers"] == 0, "the container has ended")
        for folder in ("sha256", "bundles"):
            content = self.fleet.region.data / "content" / folder
            for part in content.iterdir():
                shutil.rmtree(part)
        # For a second a node believes what it has seen on its disk.
        time.sleep(1.5)
        answer, record = self.call("lost", {"n": 2})
        self.assertEqual((answer.status, answer.json()), (200, {"n": 2}), answer.body)
        self.assertEqual((record["decision"], record["site"]), ("forward", "region-1"))


class GoneCodeTest(FleetTest):
    pop = {"placement": FEW, "capacity": {"memoryMebibytes": 1024, "warming": []}}

    def test_PLACE_09_code_that_was_believed_to_be_here_and_is_not_sends_the_call_to_a_region(self):
        """PLACE-09: what was seen on the disk a moment ago has gone when a container of another version is to be started from it."""
        self.account.must_create("gone", {"app.py": ECHO})
        self.until_local("gone")
        self.account.request("POST", "/2015-03-31/functions/gone/versions", b"{}")
        for folder in ("sha256", "bundles"):
            for part in (self.fleet.pop.data / "content" / folder).iterdir():
                shutil.rmtree(part)
        answer = self.account.invoke("gone:1", {"n": 1})
        record = self.fleet.pop.record_of(answer)
        self.assertEqual((answer.status, answer.json()), (200, {"n": 1}), answer.body)
        self.assertEqual((record["decision"], record["reason"], record["site"]), ("forward", "code_not_current", "region-1"))


class DedicatedTest(FleetTest):
    """A function that is forwarded whenever its dedicated container is busy and nothing more is said."""

    pop = LostCodeTest.pop

    def test_POOL_10_calls_that_keep_to_dedicated_containers_are_not_forwarded(self):
        """POOL-10, PLACE-07: `wait` waits at the POP, `reject` is refused there, `spill` is placed like any other call."""
        pop = self.fleet.pop
        self.account.must_create("kept", {"app.py": SLEEP}, Timeout=30)
        pop.tool("pool", "reserve", "kept", "--count", "1")

        def ready():
            return any(pool.get("kind") == "dedicated" and pool["ready"] == 1 for pool in pop.pools()["subPools"])
        for policy in ("spill", "wait", "reject"):
            with self.subTest(policy):
                pop.tool("account", "set", self.account.number, "--shortage", policy)
                time.sleep(TAKEOVER)
                wait_for(ready, "the dedicated container is idle")
                # Longer than a busy machine takes for the two calls beside it.
                first = threading.Thread(target=self.account.invoke, args=("kept", {"seconds": 5}))
                first.start()
                wait_for(lambda: pop.pools()["containersBusy"] == 1, "it is busy")
                answer, record = self.call("kept", {"seconds": 0})
                first.join()
                if policy == "reject":
                    self.assertEqual((answer.status, answer.headers["Wayside-Error"]), (429, "rejected_by_policy"), answer.body)
                elif policy == "wait":
                    self.assertEqual((record["decision"], record["capacity"]["waitedFor"]), ("run", "dedicated"))
                else:
                    self.assertEqual((record["decision"], record["reason"]), ("forward", "uncommon"))


class ProfileTest(FleetTest):
    pop = {"placement": FEW | {"longestRunSeconds": 1}}

    def test_PLACE_08_a_function_whose_runs_turn_out_long_is_forwarded(self):
        """PLACE-08"""
        self.account.must_create("long", {"app.py": SLEEP}, Timeout=30)
        self.until_local("long", {"seconds": 0})
        for _ in range(20):
            record = self.call("long", {"seconds": 2})[1]
            if record["decision"] == "forward":
                break
        self.assertEqual((record["decision"], record["reason"]), ("forward", "profile"))
        self.assertGreater(record["placement"]["runHere"], 1000)


class CapacityTest(FleetTest):
    pop = {"placement": FEW, "capacity": {"memoryMebibytes": 256, "warming": []}}
    region = {"capacity": {"memoryMebibytes": 300, "warming": []}}

    def test_PLACE_05_and_18_a_full_pop_forwards_and_two_full_sites_answer_an_error(self):
        """PLACE-05, PLACE-18"""
        self.account.must_create("big", {"app.py": SLEEP}, MemorySize=200, Timeout=30)
        self.until_local("big", {"seconds": 0})
        answers = []
        busy = [threading.Thread(target=lambda: answers.append(self.account.invoke("big", {"seconds": 6}))) for _ in range(2)]
        busy[0].start()
        wait_for(lambda: self.fleet.pop.pools()["containersBusy"] == 1, "the POP is full")
        answer, record = self.call("big", {"seconds": 0})
        self.assertEqual((answer.status, record["decision"], record["reason"]), (200, "forward", "no_capacity"))
        busy[1].start()
        wait_for(lambda: self.fleet.region.pools()["containersBusy"] == 1, "the region is full")
        refused = self.account.invoke("big", {"seconds": 0})
        self.assertEqual((refused.status, refused.error), (429, "TooManyRequestsException"))
        self.assertEqual(refused.json()["Reason"], "ConcurrentInvocationLimitExceeded")
        record = self.fleet.pop.record_of(refused)
        self.assertEqual((record["decision"], record["reason"], record["endingParty"]), ("refuse", "overloaded", "engine"))
        for thread in busy:
            thread.join()
        self.assertEqual([answer.json() for answer in answers], ["slept", "slept"])
        _, record = self.call("big", {"seconds": 0})
        self.assertEqual(record["decision"], "run")


class MarketTest(FleetTest):
    """The policy of the default configuration, on a POP with room for three small functions."""

    pop = {"placement": {"rareCalls": 2}, "capacity": {"memoryMebibytes": 400, "warming": []}}

    def setUp(self):
        self.names = [f"{self._testMethodName[5:13].lower().replace('_', '-')}-{number}" for number in range(6)]
        for name in self.names:
            self.account.must_create(name, {"app.py": ECHO})

    def until_warm(self, names, others=(), rounds=150):
        """Calls each, and one of the others, again and again until all were warm in one round; the records of all calls."""
        records = []
        for number in range(rounds):
            if others:
                records.append(self.call(others[number % len(others)])[1])
            latest = [self.call(name)[1] for name in names]
            records += latest
            if all(record["reason"] == "warm" for record in latest):
                return records
        return self.fail(f"never all warm at once: {[(each['decision'], each['reason'], each['placement']) for each in latest]}")

    def test_PLACE_20_what_is_called_most_is_resident_and_a_shift_is_followed(self):
        """PLACE-20, PLACE-06: each function is forwarded at first; those called most are started behind their calls, and kept."""
        popular, others = self.names[:3], self.names[3:]
        records = self.until_warm(popular, others)
        for name in self.names:
            first = next((each for each in records if each["functionARN"].endswith(f":{name}")), None)
            if first:
                self.assertEqual((first["decision"], first["reason"]), ("forward", "uncommon"))
        behind = [each for each in records if each["reason"] == "started_behind"]
        self.assertGreaterEqual(len(behind), 3)
        for record in behind:
            self.assertTrue(record["placement"]["startsBehind"])
            self.assertGreater(record["placement"]["gain"], 0)
        # No call has waited for a start.
        self.assertTrue(all(each["decision"] == "forward" or each["startLevel"] == "warm" for each in records))
        self.until_warm(others)

    def test_PLACE_07_the_record_says_what_the_decision_saw(self):
        """PLACE-07"""
        self.until_warm(self.names[:1])
        record = self.call(self.names[1])[1]["placement"]
        self.assertEqual((record["policy"], record["isFrequent"], record["latency"], record["isCodeHere"], record["timesSeen"]),
                         ("market", False, "normal", True, 1))
        for _ in range(3):
            record = self.call(self.names[1])[1]["placement"]
        self.assertEqual(record["timesSeen"], 4)
        for key in ("coldStart", "roundTrip", "runThere", "price"):
            self.assertGreater(record[key], 0, key)


class ReadyTest(FleetTest):
    region = {"capacity": {"warming": ["python=2", "node=1"]}}

    def test_PLACE_01_instances_wait_before_any_request_and_the_first_call_boots_nothing(self):
        """PLACE-01"""
        pools = wait_for(lambda: (lambda pools: pools["instancesReady"] >= 3 and pools)(self.fleet.region.pools()), "the pool is full")
        self.assertEqual((pools["containersBusy"], pools["instancesReady"]), (0, 3))
        self.account.must_create("first", {"app.py": ECHO})
        answer, record = self.call("first")
        self.assertEqual(answer.status, 200)
        self.assertEqual(record["remote"]["startLevel"], "instance")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        unittest.main()
