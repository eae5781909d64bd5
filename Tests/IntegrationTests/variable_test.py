"""Variable capacity on a real node: its price and amount change, calls wait for it, and it is taken back."""

import json
import pathlib
import threading
import time
import unittest

from support import ECHO, SLEEP, PoolTest
from wayside_node import wait_for


class VariableTest(PoolTest):
    """A market that is a file: the node's command reads it."""

    @classmethod
    def setUpClass(cls):
        cls.market = pathlib.Path(f"/tmp/wayside-market-{time.monotonic_ns()}.json")
        cls.addClassCleanup(cls.market.unlink)
        cls.offer(9)
        cls.configuration = {
            "api": {"startAllowanceSeconds": 6},
            "capacity": {"memoryMebibytes": 512, "warming": ["python=1"], "fixed": ["gold=128"],
                         "variable": [f"spot=command /bin/cat {cls.market}"], "offerIntervalSeconds": 1, "reclaimGraceMilliseconds": 1000}}
        super().setUpClass()

    @classmethod
    def offer(cls, price, mebibytes=512, forecast=()):
        """`forecast`: periods from and to seconds from now on, with a price."""
        now = int(time.time())
        periods = [{"from": now + start, "to": now + end, "pricePerGibibyteHour": cost} for start, end, cost in forecast]
        text = json.dumps({"offers": [{"name": "spot", "memoryMebibytes": mebibytes, "pricePerGibibyteHour": price, "forecast": periods}]})
        fresh = cls.market.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(cls.market)

    def until_price(self, price):
        wait_for(lambda: (self.sub_pool("variable/spot") or {}).get("price") == price, f"the price is {price}")

    def bidder(self, number):
        account = self.other(number)
        account.must_create("sleep", {"app.py": SLEEP})
        self.permit(account, "--sub-pools", "variable", "--bid", "5")
        return account

    def test_a_call_waits_for_its_price_and_is_not_lost(self):
        """POOL-12: bid 5, price 9: it waits; price 4: it runs. If the price stays, it is refused in time, with the reason."""
        self.offer(9)
        self.until_price(9)
        account = self.bidder("000000000012")
        answers = []
        thread = threading.Thread(target=lambda: answers.append(account.invoke("sleep", {"seconds": 0})))
        thread.start()
        wait_for(lambda: self.node.pools()["waitingByReason"].get("variable_price") == 1, "the call waits for its price")
        self.assertEqual(self.instances(account), [])
        self.offer(4)
        thread.join()
        self.assertEqual(answers[0].status, 200, answers[0].body)
        record = self.capacity(answers[0])
        self.assertEqual((record["subPool"], record["waitedFor"]), ("variable/spot", "variable_price"))
        self.offer(9)
        self.until_price(9)
        account.must_create("brief", {"app.py": ECHO}, Timeout=1)
        self.refused(account.invoke("brief", 1), "variable_capacity")

    def test_a_price_changes_the_variable_sub_pool_alone(self):
        """POOL-11: when the price rises above a bid, its idle container ends; what is fixed or common stays as it was."""
        self.offer(4)
        self.until_price(4)
        plain, gold = self.other("000000000111"), self.other("000000000112")
        for account in (plain, gold):
            account.must_create("sleep", {"app.py": SLEEP})
        self.node.tool("account", "set", gold.number, "--sub-pools", "fixed:gold")
        bidder = self.bidder("000000000011")
        records = {}
        for account, sub_pool in ((plain, "general/python/10240"), (gold, "fixed/gold"), (bidder, "variable/spot")):
            answer = account.invoke("sleep", {"seconds": 0})
            self.assertEqual(answer.status, 200, answer.body)
            records[account] = self.capacity(answer)
            self.assertEqual(records[account]["subPool"], sub_pool)
        before = {name: self.sub_pool(name) for name in ("general/python/10240", "fixed/gold")}
        self.offer(9)
        wait_for(lambda: not self.instances(bidder), "the idle container of the bidder has ended")
        for name, pool in before.items():
            self.assertEqual(self.sub_pool(name)["memoryLimitBytes"] if name == "fixed/gold" else None, pool.get("memoryLimitBytes"))
        for account in (plain, gold):
            self.assertEqual(self.capacity(account.invoke("sleep", {"seconds": 0}))["container"], records[account]["container"])

    def test_work_that_may_wait_runs_in_the_cheap_window_and_at_the_guard_whatever_the_price(self):
        """POOL-13: inside the window that is forecast; and when the forecast is wrong, before its deadline."""
        account = self.bidder("000000000013")
        self.offer(4, forecast=[(30, 600, 1)])
        self.until_price(4)
        answers = []
        thread = threading.Thread(
            target=lambda: answers.append(account.invoke("sleep", {"seconds": 0}, headers={"Wayside-Defer-Seconds": "60"})))
        thread.start()
        wait_for(lambda: self.node.pools()["waitingByReason"].get("cheaper_period") == 1, "the call waits for the cheap window")
        time.sleep(2)
        self.assertEqual(answers, [])
        self.offer(1)
        thread.join()
        self.assertEqual((answers[0].status, self.capacity(answers[0])["waitedFor"]), (200, "cheaper_period"))
        # The window is forecast, and does not come.
        self.offer(4, forecast=[(2, 600, 1)])
        self.until_price(4)
        began = time.monotonic()
        answer = account.invoke("sleep", {"seconds": 0}, headers={"Wayside-Defer-Seconds": "6"})
        self.assertEqual(answer.status, 200, answer.body)
        self.assertLess(time.monotonic() - began, 9)

    def test_capacity_that_is_reclaimed_answers_every_call(self):
        """POOL-21: a run that ends within the grace is let finish; a longer one is answered as the engine's doing."""
        account = self.bidder("000000000021")
        account.must_create("long", {"app.py": SLEEP}, Timeout=60)
        for seconds, finishes in ((0.8, True), (30, False)):
            self.offer(4)
            self.until_price(4)
            with self.running(account, "long", {"seconds": seconds}) as answers:
                self.offer(4, mebibytes=0)
            record = self.node.record_of(answers[0])
            self.assertEqual(record["capacity"]["subPool"], "variable/spot")
            if finishes:
                self.assertEqual((answers[0].status, answers[0].json()), (200, "slept"))
            else:
                self.assertEqual(answers[0].status, 500, answers[0].body)
                self.assertEqual(record["endingParty"], "engine")
                self.assertLess(record["spans"]["total"], 10_000)
            wait_for(lambda: not self.instances(account), "the reclaimed instance has ended")


if __name__ == "__main__":
    unittest.main()
