"""Which region takes a call: POPs and regions on hosts of their own, joined by links that are slowed and cut (Hosts/bed.py)."""

import pathlib
import shutil
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "Hosts"))

from bed_case import BedTest  # noqa: E402
from rare_task import SLOW_START, SMALL, RareTask, cold_starts  # noqa: E402
from support import BINARY, SLEEP  # noqa: E402
from wayside_node import wait_for  # noqa: E402


class ChoiceTest(BedTest):
    """Near and far: region-1 is 2 ms away each way, region-2 20 ms, region-3 40 ms."""

    regions = 3
    delays = {("pop-1", "region-1"): 0.002, ("pop-1", "region-2"): 0.02, ("pop-1", "region-3"): 0.04}
    region = {"capacity": SMALL | {"keepAliveSeconds": 600}}

    def score(self, record, region):
        return next(score for score in record["regions"]["scores"] if score["region"] == region)

    def test_PLACE_11_a_far_region_that_has_just_received_the_task_is_chosen_and_without_history_distance_decides(self):
        """PLACE-11"""
        self.ready()
        self.account.must_create("fresh", {"app.py": SLOW_START})
        _, record = self.call("fresh")
        self.assertEqual((record["site"], record["regions"]["basis"]), ("region-1", "distance"))
        self.account.must_create("far", {"app.py": SLOW_START})
        self.hold("far", "region-1")
        # Both hold it; region-1 forgets its warmth when it begins anew, region-2 has it.
        self.warm("far", "region-2")
        self.bed["region-1"].kill()
        wait_for(lambda: self.region_states()["region-1"]["circuit"] != "closed", "region-1 is out of reach")
        self.bed["region-1"].start()
        wait_for(lambda: self.region_states()["region-1"]["circuit"] == "closed", "region-1 is back")
        self.ready()
        _, record = self.call("far")
        self.assertEqual((record["site"], record["startLevel"]), ("region-2", "warm"), record["regions"])
        self.assertGreater(self.score(record, "region-2")["lastReceived"], 0)

    def test_PLACE_10_a_region_without_the_bytes_gets_no_request_while_another_has_them(self):
        """PLACE-10"""
        self.account.must_create("replicated", {"app.py": SLOW_START})
        self.warm("replicated", "region-3")
        for _ in range(5):
            _, record = self.call("replicated")
            self.assertEqual((record["site"], record["startLevel"]), ("region-3", "warm"))
            self.assertEqual(self.score(record, "region-1")["exclusion"], "version_not_held")
        self.assertNotIn("replicated", self.versions("region-1"))
        self.assertEqual(self.versions("region-3")["replicated"]["calls"], 6)

    def test_PLACE_10_a_region_that_lies_about_its_versions_is_found_out_by_one_call(self):
        """PLACE-10: it tells that it holds the version, and its package is gone."""
        self.account.must_create("lied", {"app.py": SLOW_START})
        self.hold("lied", "region-3")
        self.warm("lied", "region-2")
        # A container that is warm needs no package, so none is.
        for region in ("region-2", "region-3"):
            self.cool(region)
            wait_for(lambda: not self.versions(region)["lied"].get("idle"), f"{region} tells that it is not warm")
        content = self.bed["region-2"].data / "content"
        content.rename(content.with_name("elsewhere"))
        self.addCleanup(content.with_name("elsewhere").rename, content)
        answer, record = self.call("lied")
        self.assertEqual((answer.status, record["site"]), (200, "region-3"), record)
        self.assertEqual(self.score(record, "region-2")["exclusion"], "tried")
        self.assertEqual([(each["node"], each["stage"], each["code"]) for each in record["tries"]],
                         [("region-2", "before_start", "version_not_held")])
        _, record = self.call("lied")
        self.assertEqual((record["site"], self.score(record, "region-2")["exclusion"]), ("region-3", "version_not_held"))

    def test_PLACE_14_a_slow_warm_region_is_passed_over(self):
        """PLACE-14"""
        self.account.must_create("slowed", {"app.py": SLOW_START})
        self.hold("slowed", "region-1")
        self.warm("slowed", "region-2")
        self.bed.wire.set("pop-1", "region-2", delay=0.4)
        self.addCleanup(self.bed.wire.set, "pop-1", "region-2", delay=0.02)
        wait_for(lambda: (self.region_states()["region-2"].get("roundTrip") or 0) > 700, "its round trip is measured")
        _, record = self.call("slowed")
        self.assertEqual(record["site"], "region-1", record["regions"])
        self.bed.wire.set("pop-1", "region-2", delay=0.02)
        wait_for(lambda: self.region_states()["region-2"]["roundTrip"] < 100, "its round trip falls again", seconds=30)

    def test_a_region_that_is_lost_or_silent_is_passed_over_and_comes_back(self):
        """PLACE-14: the link to the nearest is reset, and then falls silent."""
        self.account.must_create("lost", {"app.py": SLOW_START})
        for how in ("reset", "silence"):
            with self.subTest(how):
                self.bed.wire.cut("pop-1", "region-1", how)
                wait_for(lambda: self.region_states()["region-1"]["circuit"] != "closed", "it is out of reach")
                answer, record = self.call("lost")
                self.assertEqual(answer.status, 200, answer.body)
                self.assertNotEqual(record["site"], "region-1")
                self.bed.wire.mend("pop-1", "region-1")
                wait_for(lambda: self.region_states()["region-1"]["circuit"] == "closed", "it is back")
                self.ready()

    def test_explain_and_region_list_show_how_the_region_was_chosen(self):
        """PLACE-11: the operator sees candidates, scores and what they come from."""
        self.ready()
        self.account.must_create("explained", {"app.py": SLOW_START})
        answer, record = self.call("explained")
        self.assertEqual({score["region"] for score in record["regions"]["scores"]}, set(self.bed.region_names))
        text = self.bed["pop-1"].tool("explain", answer.headers["x-amzn-RequestId"]).stdout
        for word in ("region-1", "region-2", "region-3", "region chosen", "ROUND TRIP"):
            self.assertIn(word, text)
        listing = self.bed["pop-1"].tool("region", "list").stdout
        self.assertEqual(len(listing.splitlines()), 4)
        wait_for(lambda: "explained" in self.versions(record["site"]), "the region tells of it")
        self.assertIn("explained", self.bed["pop-1"].tool("region", "show", record["site"]).stdout)
        missing = self.bed["pop-1"].tool("region", "show", "nowhere", check=False)
        self.assertEqual(missing.returncode, 1)
        self.assertIn("region-1, region-2, region-3", missing.stderr)


class SaturationTest(BedTest):
    """A region with room for one container."""

    delays = {("pop-1", "region-1"): 0.002, ("pop-1", "region-2"): 0.02}
    region = {"capacity": {"memoryMebibytes": 192, "warming": [], "waitersMax": 0}}

    def test_PLACE_14_a_warm_region_at_full_load_is_passed_over(self):
        """PLACE-14"""
        self.ready()
        self.account.must_create("full", {"app.py": SLEEP}, MemorySize=128, Timeout=30)
        for region in ("region-2", "region-1"):
            self.warm_by(region)
        long = threading.Thread(target=self.account.invoke, args=("full", {"seconds": 15}))
        long.start()
        self.addCleanup(long.join)
        busy = wait_for(lambda: next((name for name in self.bed.region_names if self.bed[name].pools()["containersBusy"]), None),
                        "the first call runs")
        other = next(name for name in self.bed.region_names if name != busy)
        for _ in range(3):
            answer, record = self.call("full", {"seconds": 0})
            self.assertEqual((answer.status, record["site"]), (200, other), answer.body)
        # Known to be full, or found to be by this very call, which was not lost; or known to have no idle container, when it told of that
        # before it was full, and a refusal, which counts for a tenth of a second, is longer ago.
        scores = {score["region"]: score for score in record["regions"]["scores"]}
        full = scores[busy]
        self.assertTrue(full.get("exclusion") in ("saturated", "tried") or full.get("idleContainers") == 0, full)
        self.assertIsNone(scores[other].get("exclusion"))

    def warm_by(self, region):
        other = next(name for name in self.bed.region_names if name != region)
        self.bed.wire.cut("pop-1", other, "reset")
        wait_for(lambda: self.region_states()[other]["circuit"] != "closed", "the other is out of reach")
        answer, record = self.call("full", {"seconds": 0})
        self.assertEqual((answer.status, record["site"]), (200, region), answer.body)
        self.bed.wire.mend("pop-1", other)
        wait_for(lambda: self.region_states()[other]["circuit"] == "closed", "the other is back")
        self.ready()


class ConvergenceTest(unittest.TestCase):
    def test_PLACE_13_pops_with_one_rare_task_share_one_warm_region(self):
        """PLACE-13: six POPs, each with a region of its own nearby."""
        folder = tempfile.mkdtemp(prefix="wayside-regions-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        task = RareTask(BINARY, folder, 6)
        self.addCleanup(task.close)
        task.open(["nearest", "expected"])
        counts = {}
        for rule in ("nearest", "expected"):
            task.begin(rule)
            records = task.records(rule, 6)
            counts[rule] = cold_starts(records)
        print(f"\ncold starts of one rare function at six POPs: {counts}; ran at {[record['site'] for record in records]}", file=sys.stderr)
        self.assertLessEqual(counts["expected"], 2)
        self.assertGreater(counts["nearest"], counts["expected"])


if __name__ == "__main__":
    unittest.main()
