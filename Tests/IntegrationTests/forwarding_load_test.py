"""Forwarding under load: a region that is killed in the middle of it."""

import shutil
import tempfile
import unittest

from support import BINARY  # first: it tells where the harness is
import region_kill
from wayside_node import Fleet, wait_for

ALWAYS = {"policy": "frequency", "frequentCalls": 1e12, "uncommonCalls": 1e11}


class RegionKillTest(unittest.TestCase):
    """A POP that forwards everything, and two regions."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="wayside-it-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.fleet = Fleet(BINARY, cls.folder, regions=2, pop={"placement": ALWAYS, "capacity": {"warming": []}},
                          region={"capacity": {"memoryMebibytes": 16384, "warming": ["python=2"]}})
        cls.addClassCleanup(cls.fleet.stop)
        cls.fleet.start()
        cls.witness = region_kill.Witness()
        cls.addClassCleanup(cls.witness.close)
        cls.account = cls.fleet.pop.account()

    def test_PLACE_16_17_a_region_is_killed_under_load_and_every_call_has_an_answer_and_ran_at_most_once(self):
        """PLACE-16, PLACE-17: 200 calls a second, as far as the machine keeps up."""
        region_kill.deploy(self.account, self.witness)
        self.assertEqual(self.account.invoke("told", {"witness": self.witness.address}).json(), "told")
        calls, killed = region_kill.run(self.fleet, self.account, self.witness)
        after = [call for call in calls if call.began > killed]
        print(f"\n{len(calls)} calls, {len(after)} of them begun after the kill; {sum(not call.is_good for call in calls)} failed; "
              f"recovered after {region_kill.recovery(calls, killed):.2f} s; the slowest took "
              f"{max(call.took for call in calls):.2f} s")
        self.assertEqual([call for call in calls if call.status is None], [], "calls without an answer")
        self.assertGreater(len(after), 10)
        for call in calls:
            if not call.is_good:
                # Lost with its region, which may have run it; whatever had not been sent went elsewhere.
                self.assertEqual((call.status, call.code), (500, "region_failed"))
                self.assertGreaterEqual(call.ended, killed)
            self.assertLessEqual(self.witness.runs[call.request_id], 1)
            if call.is_good:
                self.assertEqual(self.witness.runs[call.request_id], 1)
        self.assertLess(region_kill.recovery(calls, killed), 10)
        wait_for(lambda: self.fleet.pop.status()["underWay"] == 0, "nothing is under way at the POP")


if __name__ == "__main__":
    unittest.main()
