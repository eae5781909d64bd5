"""What breaks between hosts, and what the caller gets: regions that die at every point of a call, links that are cut, wrong clocks.

Whether and how often a function has begun is told by a witness that stands outside of all nodes.
"""

import collections
import contextlib
import http.server
import os
import pathlib
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "Hosts"))

from bed_case import BedTest  # noqa: E402
from support import ECHO  # noqa: E402
from wayside_node import wait_for  # noqa: E402

NEAR_AND_FAR = {("pop-1", "region-1"): 0.002, ("pop-1", "region-2"): 0.02}
# Longer than a test: nothing is known of a region but what its calls have shown.
NO_PROBES = 600_000
TELL = """
import urllib.request

def handler(event, context):
    urllib.request.urlopen(event["witness"] + context.aws_request_id, timeout=60).read()
    return "x" * event.get("size", 1)
"""


class Witness(http.server.ThreadingHTTPServer):
    """Counts runs by request id; while it holds, a function that has told it of its run waits."""

    daemon_threads = True

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            self.server.runs[self.path.strip("/")] += 1
            self.server.released.wait(60)
            with contextlib.suppress(OSError):
                self.send_response(204)
                self.end_headers()

        def log_message(self, *_):
            """Tests need no log."""

    def __init__(self, address):
        super().__init__((address, 0), self.Handler)
        self.runs = collections.Counter()
        self.released = threading.Event()
        self.released.set()
        self.url = f"http://{address}:{self.server_port}/"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @contextlib.contextmanager
    def holding(self):
        self.released.clear()
        try:
            yield
        finally:
            self.released.set()


class OutageTest(BedTest):
    delays = NEAR_AND_FAR
    pop = {"api": {"startAllowanceSeconds": 2}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.witness = Witness(cls.bed.wire.address(0))
        cls.addClassCleanup(cls.witness.server_close)
        cls.addClassCleanup(cls.witness.shutdown)

    def tearDown(self):
        for name in ["pop-1", *self.bed.region_names]:
            node = self.bed[name]
            if node.process.poll() is None:
                wait_for(lambda: node.status()["underWay"] == node.pools()["containersBusy"] == 0,  # noqa: B023
                         f"{name} has nothing under way")
                self.assertIsNone(node.status().get("brokenInvariant"))

    def deploy(self, name, files=None, **settings):
        egress = {"Egress": [f"{self.bed.wire.address(0)}/32:{self.witness.server_port}"]}
        self.account.must_create(name, {"app.py": TELL} | (files or {}), Wayside=egress, **settings)

    def event(self, **more):
        return {"witness": self.witness.url} | more

    @contextlib.contextmanager
    def calling(self, name, **event):
        """A call that is under way; yields the list that has its answer and record afterwards."""
        answers = []
        thread = threading.Thread(target=lambda: answers.extend(self.call(name, self.event(**event))))
        thread.start()
        try:
            yield answers
        finally:
            self.witness.released.set()
            thread.join()

    def until_begun(self):
        before = sum(self.witness.runs.values())
        return lambda: wait_for(lambda: sum(self.witness.runs.values()) > before, "the function has begun")

    def tries(self, record):
        return [(each["node"], each["stage"], each["code"]) for each in record.get("tries", [])]

    def runs(self, answer):
        return self.witness.runs[answer.headers["x-amzn-RequestId"]]

    def die(self, region, how="reset"):
        """The whole host: its processes, and the link with them."""
        self.bed[region].kill()
        self.bed.wire.cut("pop-1", region, how)

    def revive(self, *regions):
        for region in regions:
            self.bed.wire.mend("pop-1", region)
            if self.bed[region].process.poll() is not None:
                self.bed[region].start()
        wait_for(lambda: all(self.region_states()[region]["circuit"] == "closed" for region in regions), "they are back")
        self.ready()
        # What was slow weighs for a while.
        wait_for(lambda: (lambda states: states["region-1"]["roundTrip"] < states["region-2"]["roundTrip"])(self.region_states()),
                 "the near region is the nearer one", seconds=60)

    def lost(self, answer, record, stage):
        """The answer of a call that may have run, so that it is tried nowhere else."""
        self.assertEqual((answer.status, answer.headers["Wayside-Error"]), (500, "region_failed"), answer.body)
        self.assertEqual((record["decision"], record["endingParty"], record["errorType"]), ("forward", "region", "region_failed"))
        self.assertEqual(self.tries(record), [("region-1", stage, "region_failed")])
        self.assertEqual(self.runs(answer), 1)


class StageTest(OutageTest):
    """Regions that die at the four points of PLACE-16, while probes go on."""

    def setUp(self):
        self.revive(*self.bed.region_names)

    def test_PLACE_16_17_a_region_that_dies_before_the_start_is_followed_by_the_next_one(self):
        """PLACE-16, PLACE-17: it is lost while it is given the code."""
        self.deploy("code", {"weight": os.urandom(1 << 20)})
        self.bed.wire.cut("pop-1", "region-1", after=[300_000, 1 << 60])
        with self.calling("code") as answers:
            wait_for(lambda: not self.bed.wire.count("pop-1", "region-1")["passing"], "the code is on its way")
            self.die("region-1")
        answer, record = answers
        self.assertEqual((answer.status, record["site"], self.runs(answer)), (200, "region-2", 1), answer.body)
        self.assertEqual(self.tries(record), [("region-1", "before_start", "overloaded")])
        self.revive("region-1")

    def test_PLACE_16_17_a_call_whose_region_dies_after_the_start_is_not_run_again(self):
        """PLACE-16, PLACE-17"""
        self.deploy("begun")
        begun = self.until_begun()
        with self.witness.holding(), self.calling("begun") as answers:
            begun()
            self.die("region-1")
        self.lost(*answers, "after_send")
        self.revive("region-1")

    def test_PLACE_16_17_a_call_whose_answer_is_cut_off_is_not_run_again(self):
        """PLACE-16, PLACE-17: the region dies, the link is cut, or it falls silent."""
        self.deploy("answers", Timeout=2)
        for how in ("host dies", "reset", "silence"):
            with self.subTest(how):
                begun = self.until_begun()
                with self.witness.holding(), self.calling("answers", size=3 << 20) as answers:
                    begun()
                    self.bed.wire.cut("pop-1", "region-1", "reset" if how == "reset" else "silence", after=200_000)
                    self.witness.released.set()
                    wait_for(lambda: not self.bed.wire.count("pop-1", "region-1")["passing"], "a part of the answer has passed")
                    if how == "host dies":
                        self.die("region-1")
                self.lost(*answers, "mid_result")
                self.revive("region-1")

    def test_PLACE_22_with_all_links_cut_a_rare_function_answers_here_and_is_forwarded_again_afterwards(self):
        """PLACE-22"""
        for region in self.bed.region_names:
            self.bed.wire.cut("pop-1", region)
        wait_for(lambda: all(state["circuit"] != "closed" for state in self.region_states().values()), "no region is in reach")
        self.deploy("alone")
        answer, record = self.call("alone", self.event())
        self.assertEqual((answer.status, self.runs(answer)), (200, 1), answer.body)
        self.assertEqual((record["decision"], record["reason"], record["site"]), ("run", "region_outage", "pop-1"))
        self.assertEqual(self.tries(record), [])
        self.revive(*self.bed.region_names)
        self.deploy("together")
        answer, record = self.call("together", self.event())
        self.assertEqual((answer.status, record["decision"], record["site"]), (200, "forward", "region-1"), answer.body)

    def test_explain_shows_the_whole_way_at_either_end(self):
        """PLACE-04, PLACE-19: inputs, candidates, hops and the spans of both nodes, as text and as JSON."""
        self.account.must_create("whole", {"app.py": ECHO})
        answer, here = self.call("whole", {"n": 1})
        there = self.bed["region-1"].record_of(answer)
        self.assertEqual((here["site"], here["remote"]["node"], there["forwardedBy"], there["hops"]), ("region-1", "region-1", "pop-1", 1))
        self.assertEqual(here["remote"]["spans"], there["spans"])
        self.assertLess(there["spans"]["total"], here["spans"]["forward"])
        origin = there["origin"]
        self.assertEqual(origin["reason"], here["reason"])
        self.assertGreater(origin["elapsed"], here["spans"]["decide"] - 0.01)
        chosen = next(score for score in here["regions"]["scores"] if score["region"] == "region-1")
        self.assertEqual((origin["choice"]["basis"], origin["choice"]["regionCount"]), (here["regions"]["basis"], 2))
        self.assertAlmostEqual(origin["choice"]["roundTrip"], chosen["roundTrip"], places=3)
        for width in (80, 200):
            for name, words in (("pop-1", ("region chosen", "region-2", "initialise", "way", "forward")),
                                ("region-1", ("pop-1 forwarded it", "chose among 2", "initialise", "decide"))):
                text = self.bed[name].tool("explain", answer.headers["x-amzn-RequestId"], environment={"COLUMNS": str(width)}).stdout
                for word in words:
                    self.assertIn(word, text)
                self.assertLessEqual(max(map(len, text.splitlines()[1:])), width, text)


class SilentTest(OutageTest):
    """Regions of whose death nothing is known until a call is to go there."""

    delays = {("pop-1", "region-1"): 0.002, ("pop-1", "region-2"): 0.06}
    pop = {"api": {"startAllowanceSeconds": 2}, "peers": {"probeIntervalMilliseconds": NO_PROBES}}

    def forget(self, region):
        """Kills it; returns when the POP has no connection to it any more, and nothing has told why."""
        self.die(region)
        command = [*self.bed.wire.inside("pop-1"), "ss", "-Htn", "dst", "%s:%d" % self.bed.wire.links["pop-1", region]]
        wait_for(lambda: not subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip(), "the connection is over")
        self.assertEqual(self.region_states()[region]["circuit"], "closed")

    def measure(self):
        """Calls new functions until the near region has been called, for nothing else measures the way to it."""
        for _ in range(20):
            near, far = (self.region_states()[region].get("roundTrip") for region in self.bed.region_names)
            if near:
                return self.assertLess(near, far or 100)
            name = f"way-{os.urandom(4).hex()}"
            self.account.must_create(name, {"app.py": ECHO})
            self.assertEqual(self.account.invoke(name).status, 200)
        return self.fail("no call has gone to region-1")

    def test_PLACE_16_17_before_the_send_the_next_region_takes_the_call_then_this_node_and_then_nobody(self):
        """PLACE-16, PLACE-17"""
        self.deploy("small")
        self.deploy("large", MemorySize=3008)
        self.measure()
        self.forget("region-1")
        answer, record = self.call("small", self.event())
        self.assertEqual((answer.status, record["site"], self.runs(answer)), (200, "region-2", 1), answer.body)
        self.assertEqual(self.tries(record), [("region-1", "before_send", "overloaded")], record)
        there = self.bed["region-2"].record_of(answer)
        self.assertEqual(self.tries(there["origin"]), self.tries(record))

        wait_for(lambda: self.region_states()["region-1"]["circuit"] == "half_open", "region-1 may be tried again")
        self.forget("region-2")
        answer, record = self.call("small", self.event())
        self.assertEqual((answer.status, record["site"], self.runs(answer)), (200, "pop-1", 1), answer.body)
        self.assertEqual((record["decision"], record["reason"]), ("run", "region_outage"))
        self.assertEqual(sorted(self.tries(record)), [(name, "before_send", "overloaded") for name in self.bed.region_names])
        answer, record = self.call("large", self.event())
        self.assertEqual((answer.status, answer.error, answer.headers["Wayside-Error"], answer.headers["Retry-After"]),
                         (503, "ServiceUnavailableException", "no_region", "1"), answer.body)
        self.assertEqual((record["decision"], record["endingParty"], record["errorType"]), ("refuse", "engine", "no_region"))


class KeepAliveTest(OutageTest):
    """A link that falls silent while calls have minutes left."""

    pop = {"peers": {"silenceMilliseconds": 1500}}
    region = {"peers": {"silenceMilliseconds": 1500}}

    def setUp(self):
        self.revive(*self.bed.region_names)

    def test_PLACE_16_17_a_link_that_falls_silent_is_noticed_at_both_ends_long_before_the_deadline(self):
        """PLACE-16, PLACE-17: the caller is told, the run is cancelled, and the next call goes elsewhere."""
        self.deploy("held", Timeout=300)
        begun = self.until_begun()
        with self.witness.holding(), self.calling("held") as answers:
            begun()
            self.bed.wire.cut("pop-1", "region-1")
            wait_for(lambda: answers, "the caller is told", seconds=60)
            wait_for(lambda: self.bed["region-1"].pools()["containersBusy"] == 0, "the run is cancelled", seconds=60)
        answer, record = answers
        self.lost(answer, record, "after_send")
        self.assertLess(record["spans"]["total"], 60_000)
        answer, record = self.call("held", self.event())
        self.assertEqual((answer.status, record["site"]), (200, "region-2"), answer.body)
        # The farewell that it sends is answered by nobody.
        self.bed["region-1"].stop(30)

    def test_PLACE_17_an_idempotent_call_on_a_silent_link_is_answered_by_the_next_region(self):
        """PLACE-17"""
        egress = {"Egress": [f"{self.bed.wire.address(0)}/32:{self.witness.server_port}"]}
        self.account.must_create("again", {"app.py": TELL}, Wayside=egress | {"Idempotent": True}, Timeout=300)
        before, begun = sum(self.witness.runs.values()), self.until_begun()
        with self.witness.holding(), self.calling("again") as answers:
            begun()
            self.bed.wire.cut("pop-1", "region-1")
            wait_for(lambda: sum(self.witness.runs.values()) == before + 2, "the next region runs it", seconds=60)
        answer, record = answers
        self.assertEqual((answer.status, record["site"]), (200, "region-2"), answer.body)
        self.assertEqual(self.tries(record), [("region-1", "after_send", "region_failed")])


class SlowLinkTest(OutageTest):
    # What is sent takes longer by a half, and one of two that share the way may stand still for a fifth of it.
    pop = {"peers": {"silenceMilliseconds": 12_000}}
    region = {"peers": {"silenceMilliseconds": 12_000}}

    def test_PLACE_16_a_link_that_takes_long_for_what_is_sent_is_not_taken_for_silent(self):
        """PLACE-16: payloads and results take more than the time of silence, in which the other end has nothing to say."""
        self.account.must_create("large", {"app.py": "def handler(event, context):\n    return 'x' * event['size']\n"}, Timeout=120)
        self.ready()
        self.assertEqual(self.account.invoke("large", {"size": 1}).status, 200)
        for host, event in (("pop-1", {"size": 1, "more": "x" * 500_000}), ("region-1", {"size": 500_000})):
            with self.subTest(host):
                self.bed.wire.throttle(host, 440_000)
                answers = []
                # Calls come by all event loops, each of which has a connection of its own.
                callers = [threading.Thread(target=lambda: answers.append(self.account.invoke("large", event, timeout=120)))  # noqa: B023
                           for _ in range(2)]
                for caller in callers:
                    caller.start()
                for caller in callers:
                    caller.join()
                self.bed.wire.throttle(host, None)
                self.assertEqual([answer.status for answer in answers], [200, 200], [answer.body[:300] for answer in answers])
                self.revive("region-1")


class ClockTest(OutageTest):
    """Wall clocks that are wrong by ten minutes: one region's is ahead, the other's behind."""

    clocks = {"region-1": 600, "region-2": -600}

    def test_PLACE_19_clocks_that_are_wrong_by_ten_minutes_change_neither_trust_nor_time_nor_choice(self):
        """PLACE-19: certificates hold, budgets shrink by what has passed, and how old a report is does not depend on its sender's clock."""
        self.ready()
        self.account.must_create("hangs", {"app.py": "import time\n\ndef handler(event, context):\n    time.sleep(30)\n"}, Timeout=1)
        for region, other, skew in (("region-1", "region-2", 600), ("region-2", "region-1", -600)):
            with self.subTest(region):
                name = f"time-at-{region}"
                self.account.must_create(name, {"app.py": ECHO})
                self.warm(name, region)
                answer, record = self.call(name)
                self.assertEqual((answer.status, record["site"], record["startLevel"]), (200, region, "warm"), record)
                there = self.bed[region].record_of(answer)
                self.assertAlmostEqual(there["arrivalEpochSeconds"] - record["arrivalEpochSeconds"], skew, delta=60)
                self.assertLess(there["spans"]["total"], record["spans"]["forward"])
                score = next(score for score in record["regions"]["scores"] if score["region"] == region)
                self.assertLess(max(score["reportAge"], score["lastReceived"]), 60_000)
                self.bed.wire.cut("pop-1", other, "reset")
                wait_for(lambda: self.region_states()[other]["circuit"] != "closed", "the other is out of reach")  # noqa: B023
                answer, record = self.call("hangs")
                self.assertEqual((answer.error, record["endingParty"], record["site"]), ("Sandbox.Timedout", "time_out", region))
                self.assertLess(record["spans"]["total"], 5_000)
                self.revive(other)


if __name__ == "__main__":
    unittest.main()
