"""Capacity on a real node: who gets what, who waits, who is refused, and what the operator changes while it runs."""

import concurrent.futures
import json
import subprocess
import time
import unittest

from support import BINARY, ECHO, SLEEP, PoolTest
from wayside_node import wait_for

LEAVE = """
import os, subprocess
from multiprocessing import shared_memory

def handler(event, context):
    open('/tmp/left', 'w').write('secret')
    os.environ['LEFT'] = 'secret'
    with __import__('contextlib').suppress(Exception):
        open('/dev/shm/left', 'w').write('secret')
    with __import__('contextlib').suppress(Exception):
        subprocess.Popen(['sleep', '600'])
    return os.getpid()
"""

FIND = """
import os

def handler(event, context):
    found = [path for path in ('/tmp/left', '/dev/shm/left') if os.path.exists(path)]
    found += [name for name in os.environ if name == 'LEFT']
    for process in os.listdir('/proc'):
        if process.isdigit():
            try:
                if 'sleep' in open(f'/proc/{process}/cmdline').read():
                    found.append(process)
            except OSError:
                pass
    return found
"""

NODE_SLEEP = """
export const handler = async (event) => { await new Promise((wake) => setTimeout(wake, 1000 * event.seconds)); return 'slept'; };
"""


class PermissionTest(PoolTest):
    configuration = {"capacity": {"memoryMebibytes": 2048, "containersPerInstanceMax": 1, "warming": ["python=2"]}}

    def test_without_permission_to_grow_a_call_is_refused_and_nothing_is_added(self):
        """POOL-07: denied, the pools stay as they are; allowed, capacity is added and the call runs."""
        account = self.other("000000000007")
        account.must_create("echo", {"app.py": ECHO})
        self.permit(account, "--no-may-grow")
        self.refused(account.invoke("echo", 1), "no_permission")
        self.assertEqual(self.instances(account), [])
        self.permit(account, "--may-grow")
        self.assertEqual(account.invoke("echo", 1).status, 200)
        self.assertEqual(len(self.instances(account)), 1)

    def test_what_is_added_is_the_accounts_and_runs_this_call_and_the_next(self):
        """POOL-08: the instance that was added for a call runs it, and the next one."""
        account = self.other("000000000008")
        account.must_create("echo", {"app.py": ECHO})
        first, second = (self.capacity(account.invoke("echo", 1)) for _ in range(2))
        self.assertIn(first["branch"], ("warming_pool", "new_instance"))
        self.assertEqual((second["branch"], second["instance"], second["container"]),
                         ("loaded", first["instance"], first["container"]))
        self.assertEqual([instance["instance"] for instance in self.instances(account)], [first["instance"]])

    def test_calls_at_once_do_not_overshoot_the_limit(self):
        """POOL-09: at most 3 instances, 20 calls at once: never more than 3, and every call is answered."""
        account = self.other("000000000009")
        account.must_create("sleep", {"app.py": SLEEP})
        self.permit(account, "--instances-max", "3")
        peak, reasons = 0, set()
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            storm = thread.submit(self.storm, account, "sleep", [{"seconds": 0.3}] * 20)
            while not storm.done():
                peak = max(peak, len(self.instances(account)))
                reasons |= {reason for reason, count in self.node.pools()["waitingByReason"].items() if count}
            answers = storm.result()
        self.assertEqual({answer.status for answer in answers}, {200})
        used = {self.capacity(answer)["instance"] for answer in answers}
        self.assertEqual(len(used), 3)
        self.assertLessEqual(peak, 3)
        self.assertIn("permission_limit", reasons)

    def test_two_accounts_never_share_an_instance(self):
        """POOL-19: an instance has one account; several of its containers may share it only with each other."""
        accounts = [self.other(f"00000000019{number}") for number in range(3)]
        for account in accounts:
            account.must_create("sleep", {"app.py": SLEEP})
        with concurrent.futures.ThreadPoolExecutor(3) as threads:
            list(threads.map(lambda account: self.storm(account, "sleep", [{"seconds": 0.3}] * 3), accounts))
        seen = 0
        for instance in self.instances():
            functions = {container["function"] for container in instance["containers"] if container.get("function")}
            self.assertTrue(all(f":{instance['account']}:" in function for function in functions), instance)
            seen += len(functions)
        self.assertGreaterEqual(seen, 9)


class TakingTest(PoolTest):
    """Many accounts take instances at once."""

    configuration = {"capacity": {"memoryMebibytes": 4096, "warming": ["python/128=4", "python=2"]}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.accounts = [cls.node.account(f"0000000014{number:02}") for number in range(12)]
        for account in cls.accounts:
            account.must_create("sleep", {"app.py": SLEEP})

    def at_once(self, calls=1):
        """The answers to so many calls of each account, all made at once."""
        with concurrent.futures.ThreadPoolExecutor(len(self.accounts) * calls) as threads:
            return list(threads.map(lambda account: account.invoke("sleep", {"seconds": 0.3}), self.accounts * calls))

    def test_an_instance_of_the_warming_pool_is_taken_once(self):
        """POOL-14: twelve accounts take from six ready instances at once: each instance has one owner."""
        for instance in self.instances():
            if "account" in instance:
                self.node.tool("instance", "kill", str(instance["instance"]))
        wait_for(lambda: self.node.pools()["instancesReady"] == 6, "the warming pool is full")
        answers = self.at_once()
        self.assertEqual({answer.status for answer in answers}, {200})
        taken = [self.capacity(answer) for answer in answers]
        self.assertEqual(len({record["instance"] for record in taken}), len(self.accounts))
        self.assertGreaterEqual(sum(record["branch"] == "warming_pool" for record in taken), 1)
        owners = {instance["instance"]: instance["account"] for instance in self.instances() if "account" in instance}
        for account, record in zip(self.accounts, taken):
            self.assertEqual(owners[record["instance"]], account.number)

    def test_an_instance_is_in_one_pool_at_all_times(self):
        """POOL-01: two warming sub-pools and an active pool; under load, each instance is in one of them, and the books are right."""
        names = {pool["name"] for pool in self.node.pools()["subPools"] if pool.get("kind") == "general"}
        self.assertEqual(names, {"general/python/128", "general/python/10240"})
        looks = 0
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            load = thread.submit(self.at_once, 4)
            while not load.done() or looks < 3:
                looks += 1
                listed = self.instances()
                self.assertEqual(len({instance["instance"] for instance in listed}), len(listed))
                containers = [container["container"] for instance in listed for container in instance["containers"]]
                self.assertEqual(len(set(containers)), len(containers))
                for instance in listed:
                    self.assertEqual("account" in instance, instance["state"] not in ("booting", "ready"), instance)
                    spare = [container["state"] == "spare" for container in instance["containers"]]
                    self.assertEqual(any(spare), "account" not in instance, instance)
                self.assertIsNone(self.node.status().get("brokenInvariant"))
        self.assertTrue({answer.status for answer in load.result()} <= {200, 429})


class ShortageTest(PoolTest):
    configuration = {"capacity": {"memoryMebibytes": 812, "warming": []}}

    def test_shortage_is_judged_on_free_memory(self):
        """POOL-06: with 300 MiB free a function of 256 MiB runs, and one of 512 MiB finds no room."""
        for name, size in (("holder", 512), ("small", 256), ("large", 512)):
            self.account.must_create(name, {"app.py": SLEEP}, MemorySize=size)
        with self.running(self.account, "holder", {"seconds": 6}):
            pools = self.node.pools()
            self.assertEqual((pools["memoryBytes"] - pools["memoryHeldBytes"]) >> 20, 300)
            self.refused(self.account.invoke("large", {"seconds": 0}), "overloaded")
            self.assertEqual(self.account.invoke("small", {"seconds": 0}).status, 200)
            common = next(pool for pool in self.node.pools()["subPools"] if "name" not in pool)
            self.assertEqual(common["refusals"]["no_capacity"], 1)
        self.assertEqual(self.account.invoke("large", {"seconds": 0}).status, 200)


class PinnedTest(PoolTest):
    configuration = ShortageTest.configuration

    def test_a_pinned_container_does_not_give_way(self):
        """POOL-20: an idle container that is pinned is not ended for another call's sake; let go, it is."""
        for name in ("kept", "newer"):
            self.account.must_create(name, {"app.py": ECHO}, MemorySize=512)
        kept = str(self.capacity(self.account.invoke("kept", 1))["container"])
        self.assertIn("is pinned", self.node.tool("container", "pin", kept).stdout)
        self.refused(self.account.invoke("newer", 1), "overloaded")
        self.assertEqual(str(self.capacity(self.account.invoke("kept", 1))["container"]), kept)
        self.node.tool("container", "pin", kept, "--off")
        self.assertEqual(self.account.invoke("newer", 1).status, 200)


class DedicatedTest(PoolTest):
    configuration = {"capacity": {"memoryMebibytes": 2048, "warming": ["python=1"]}}

    def test_a_dedicated_container_is_loaded_before_the_call(self):
        """POOL-04: the first call has no start, no fetch and no loading, and is faster than on a general instance."""
        slow = "import time\ntime.sleep(0.4)\n" + ECHO
        for name in ("ahead", "cold"):
            self.account.must_create(name, {"app.py": slow})
        sub_pool = self.reserve(self.account, "ahead", 1)
        ahead, cold = (self.node.record_of(self.account.invoke(name, 1)) for name in ("ahead", "cold"))
        self.assertEqual((ahead["capacity"]["branch"], ahead["capacity"]["subPool"], ahead["startLevel"]), ("loaded", sub_pool, "warm"))
        self.assertEqual([ahead["spans"][span] for span in ("fetch", "start", "initialise")], [0, 0, 0])
        self.assertGreater(cold["spans"]["initialise"], 350)
        self.assertLess(ahead["spans"]["total"], cold["spans"]["total"])
        self.reserve(self.account, "ahead", 0)

    def test_a_burst_of_another_account_takes_nothing_dedicated(self):
        """POOL-02: dedicated containers of A stay idle and A's while B bursts with nothing general left."""
        self.account.must_create("mine", {"app.py": SLEEP})
        self.reserve(self.account, "mine", 2)

        def dedicated():
            return {container["container"]: (instance["account"], container["state"]) for instance in self.instances()
                    for container in instance["containers"] if container["isDedicated"]}
        before = dedicated()
        self.assertEqual(set(before.values()), {(self.account.number, "idle")})
        other = self.other("000000000002")
        other.must_create("burst", {"app.py": SLEEP})
        answers = self.storm(other, "burst", [{"seconds": 0.2}] * 12)
        self.assertTrue({answer.status for answer in answers} <= {200, 429})
        self.assertEqual(dedicated(), before)
        used = {self.capacity(answer)["container"] for answer in answers if answer.status == 200}
        self.assertFalse(used & set(before))
        self.reserve(self.account, "mine", 0)

    def test_the_shortage_of_dedicated_capacity_spills_waits_or_rejects(self):
        """POOL-10: one dedicated container, busy; the second call goes elsewhere, waits, or is refused, as the account says."""
        account = self.other("000000000010")
        account.must_create("sleep", {"app.py": SLEEP})
        sub_pool = self.reserve(account, "sleep", 1)
        for policy in ("spill", "wait", "reject"):
            with self.subTest(policy):
                self.permit(account, "--shortage", policy)
                with self.running(account, "sleep", {"seconds": 1}) as first:
                    second = account.invoke("sleep", {"seconds": 0})
                self.assertEqual(first[0].status, 200)
                self.assertEqual(self.capacity(first[0])["subPool"], sub_pool)
                if policy == "reject":
                    self.refused(second, "rejected_by_policy")
                else:
                    self.assertEqual(second.status, 200, second.body)
                    record = self.capacity(second)
                    same = record["container"] == self.capacity(first[0])["container"]
                    self.assertEqual((same, record.get("waitedFor")), (policy == "wait", "dedicated" if policy == "wait" else None))
                wait_for(lambda: self.sub_pool(sub_pool)["ready"] == 1, "the dedicated container is idle again")
                for instance in self.instances(account):
                    for container in instance["containers"]:
                        if not container["isDedicated"]:
                            self.node.tool("container", "kill", str(container["container"]))
        self.reserve(account, "sleep", 0)


class LifetimeTest(PoolTest):
    configuration = {"capacity": {"memoryMebibytes": 2048, "warming": ["python=3"], "keepAliveSeconds": 2, "instanceLifetimeSeconds": 3}}

    def test_what_is_taken_is_replaced_without_overshoot(self):
        """POOL-15: taken instances come back in time, counting those that boot already."""
        wait_for(lambda: self.node.pools()["instancesReady"] == 3, "the warming pool is full")
        accounts = [self.other(f"00000000015{number}") for number in range(3)]
        for account in accounts:
            account.must_create("echo", {"app.py": ECHO})
        most = []

        def full():
            pools = self.node.pools()
            most.append(pools["instancesReady"] + pools["instancesBooting"])
            return pools["instancesReady"] == 3
        for account in accounts:
            self.assertEqual(account.invoke("echo", 1).status, 200)
        wait_for(full, "the warming pool is full again", seconds=10)
        self.assertLessEqual(max(most), 3)

    def test_what_is_idle_ends_after_a_while_and_nobody_else_finds_anything_of_it(self):
        """POOL-20: A leaves a file, a variable, a process and shared memory; B finds none, and A's instance ends."""
        first, second = self.other("000000000201"), self.other("000000000202")
        first.must_create("leave", {"app.py": LEAVE})
        second.must_create("find", {"app.py": FIND})
        left = first.invoke("leave")
        self.assertEqual(left.status, 200, left.body)
        found = second.invoke("find")
        self.assertEqual((found.status, found.json()), (200, []))
        self.assertNotEqual(self.capacity(left)["instance"], self.capacity(found)["instance"])
        wait_for(lambda: not self.instances(first), "the idle instance has ended", seconds=15)
        self.assertEqual(second.invoke("find").json(), [])

    def test_an_instance_is_replaced_when_its_lifetime_is_over_and_no_call_fails(self):
        """POOL-22: calls without pause over several lifetimes: none fails, and the containers change."""
        account = self.other("000000000022")
        account.must_create("sleep", {"app.py": SLEEP})
        containers, end = set(), time.monotonic() + 10
        while time.monotonic() < end:
            answer = account.invoke("sleep", {"seconds": 0.05})
            self.assertEqual(answer.status, 200, answer.body)
            containers.add(self.capacity(answer)["container"])
        self.assertGreater(len(containers), 1)


class SizingTest(PoolTest):
    """The sub-pools' targets follow what calls want. How they fall again takes minutes, and is proven in virtual time."""

    configuration = {"capacity": {"memoryMebibytes": 4096, "containersPerInstanceMax": 1, "warming": ["python=1..20", "node=1..20"],
                                  "warmingMax": 10}}

    def targets(self):
        return {pool["name"].split("/")[1]: pool["target"] for pool in self.node.pools()["subPools"] if pool.get("kind") == "general"}

    def test_the_target_follows_the_calls_and_is_shared_by_the_ratio_of_runtimes(self):
        """POOL-16, POOL-18: no calls, the floor; calls of two runtimes, 80 to 20: more, up to what all may have, and about 80 to 20."""
        self.account.must_create("sleep", {"app.py": SLEEP})
        self.account.must_create("slow", {"app.mjs": NODE_SLEEP}, runtime="nodejs20.x")
        self.assertEqual(self.targets(), {"python": 1, "node": 1})
        events = [("sleep", {"seconds": 1})] * 16 + [("slow", {"seconds": 1})] * 4
        with concurrent.futures.ThreadPoolExecutor(len(events)) as threads:
            answers = list(threads.map(lambda event: self.account.invoke(*event), events))
        self.assertEqual({answer.status for answer in answers}, {200})
        targets = wait_for(lambda: sum((found := self.targets()).values()) == 10 and found, "all is shared that may be kept ready")
        self.assertIn(targets["node"], (1, 2, 3), targets)
        wait_for(lambda: self.node.pools()["instancesReady"] == 10, "as many are ready")


class HistoryTest(PoolTest):
    """A node that has known, from the days before, a surge at this time of day, or at another."""

    configuration = {"capacity": {"memoryMebibytes": 4096, "warming": ["python=0..8"]}}

    def test_a_surge_of_the_days_before_is_warmed_for_before_any_call(self):
        """POOL-17: two days had it now: six are ready before the first call. Two days had it at another time: none is."""
        name = self.sub_pool("general/python/10240")["name"]
        for shift, wanted in ((0, 6), (144, 0)):
            with self.subTest(shift=shift):
                self.assertEqual(self.node.stop(), 0)
                today, place = divmod(int(time.time()) // 300, 288)
                # Also the five minutes before and after, for time passes meanwhile.
                places = [(today * 288 + place + shift + near) for near in range(-1, 3)]
                history = {}
                for past in (1, 2):
                    for at in places:
                        history.setdefault(str(at // 288 - past), []).extend([at % 288, 6])
                (self.node.data / "sizing.json").write_text(json.dumps({name: history}))
                self.node.start()
                if not wanted:
                    # It would be reckoned within a second.
                    time.sleep(2.5)
                wait_for(lambda: self.sub_pool(name)["target"] == wanted, "the target is reckoned")
                wait_for(lambda: self.node.pools()["instancesReady"] == wanted, "what is to be ready is")
                self.assertEqual(sum(self.sub_pool(name)["hits"].values()), 0)


class OperatorTest(PoolTest):
    configuration = {"capacity": {"memoryMebibytes": 1024, "warming": ["python=1"]}}

    def general(self):
        return next(pool for pool in self.node.pools()["subPools"] if pool.get("name", "").startswith("general/python/"))

    def test_the_choice_follows_the_callers_identity(self):
        """POOL-05: the same code of two accounts runs in different sub-pools."""
        self.node.tool("pool", "reserve", "fixed/gold", "--memory", "256")
        gold, plain = self.other("000000000051"), self.other("000000000052")
        for account in (gold, plain):
            account.must_create("echo", {"app.py": ECHO})
        self.permit(gold, "--sub-pools", "fixed:gold")
        self.assertEqual(self.capacity(gold.invoke("echo", 1))["subPool"], "fixed/gold")
        self.assertNotEqual(self.capacity(plain.invoke("echo", 1))["subPool"], "fixed/gold")
        for instance in self.instances(gold):
            self.node.tool("instance", "kill", str(instance["instance"]))
        self.node.tool("pool", "reserve", "fixed/gold", "--memory", "0")

    def test_an_operator_resizes_drains_and_lends_while_it_runs(self):
        """POOL-24: pool set, drain, resume and lend act at once; simulate says what a change would do."""
        name = self.general()["name"]
        self.node.tool("pool", "set", name, "--floor", "3", "--ceiling", "3")
        wait_for(lambda: self.general()["ready"] == 3, "three are ready")
        self.node.tool("pool", "set", name, "--floor", "1", "--ceiling", "1")
        wait_for(lambda: self.general()["ready"] == 1, "one is ready")
        self.node.tool("pool", "drain", name)
        wait_for(lambda: self.general()["ready"] == 0 and self.general()["isDrained"], "it is drained")
        account = self.other("000000000024")
        account.must_create("echo", {"app.py": ECHO})
        self.assertEqual(self.capacity(account.invoke("echo", 1))["branch"], "new_instance")
        self.node.tool("pool", "resume", name)
        wait_for(lambda: self.general()["ready"] == 1, "it is open again")
        self.node.tool("pool", "reserve", "fixed/silver", "--memory", "256")
        self.node.tool("pool", "lend", "fixed/silver", "--memory", "128", "--for", "2s")
        self.assertEqual(self.sub_pool("fixed/silver")["lentBytes"], 128 << 20)
        wait_for(lambda: self.sub_pool("fixed/silver")["lentBytes"] == 0, "the loan is over", seconds=10)
        self.node.tool("pool", "reserve", "fixed/silver", "--memory", "0")
        self.assertNotEqual(self.node.tool("pool", "set", "general/none/1", "--floor", "1", check=False).returncode, 0)
        self.assertEqual(subprocess.run([BINARY, "simulate", "--help"], capture_output=True, check=False).returncode, 0)

    def test_the_ledger_adds_up(self):
        """POOL-23: what accounts and sub-pools used adds up to the total, which is kept on its own."""
        accounts = [self.other(f"00000000023{number}") for number in range(2)]
        for account in accounts:
            account.must_create("sleep", {"app.py": SLEEP})
            self.storm(account, "sleep", [{"seconds": 0.5}] * 2)
        pools = self.node.pools()
        for member in ("instanceSeconds", "executingSeconds", "memoryMebibyteSeconds"):
            total = pools["totals"][member]
            self.assertAlmostEqual(sum(row["use"][member] for row in pools["ledger"]), total, delta=max(total * 1e-6, 1e-3))
        for account in accounts:
            executed = sum(row["use"]["executingSeconds"] for row in pools["ledger"] if row.get("account") == account.number)
            self.assertGreaterEqual(executed, 1)
            self.assertLess(executed, 5)
        self.assertEqual(sum(area["heldBytes"] for area in pools["areas"]), pools["memoryHeldBytes"])


if __name__ == "__main__":
    unittest.main()
