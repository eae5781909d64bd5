"""What tests on a bed of hosts share: one bed for all tests of a class, and what an operator sees of it."""

import json
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from bed import Bed  # noqa: E402
from rare_task import RARE, SMALL  # noqa: E402
from support import BINARY  # noqa: E402
from wayside_node import wait_for  # noqa: E402


class BedTest(unittest.TestCase):
    """A bed for all tests of the class."""

    pops, regions, delay, delays, clocks = 1, 2, 0.005, None, None
    pop, region = {}, {}

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="wayside-regions-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.bed = cls.make_bed(cls.folder, cls.pop)
        cls.account = cls.bed["pop-1"].account()

    @classmethod
    def make_bed(cls, folder, pop):
        bed = Bed(BINARY, folder, cls.pops, cls.regions, delay=cls.delay, delays=cls.delays, clocks=cls.clocks,
                  pop={"placement": RARE, "capacity": SMALL | {"warming": []}, "replication": {"breadth": 0}} | pop,
                  region={"capacity": SMALL} | cls.region)
        cls.addClassCleanup(bed.close)
        return bed.open()

    def call(self, name, event=None, pop="pop-1", account=None, **more):
        """An answered call and the POP's record of it."""
        answer = (account or self.account).invoke(name, event, **more)
        return answer, self.bed[pop].record_of(answer)

    def region_states(self, pop="pop-1"):
        return {region["name"]: region for region in self.tool("region", "list", pop=pop)["regions"]}

    def tool(self, *arguments, pop="pop-1"):
        return json.loads(self.bed[pop].tool(*arguments, "--output", "json").stdout)

    def versions(self, region, pop="pop-1"):
        """What a region has told of functions, by name."""
        told = self.tool("region", "show", region, "--limit", "1000", pop=pop)["versions"]
        return {row["function"].rpartition(":")[2]: row for row in told}

    def ready(self, pop="pop-1"):
        """Waits until the round trip of every region has been measured and its reports have come."""
        wait_for(lambda: all(region.get("roundTrip") is not None and region["isReportFresh"]
                             for region in self.region_states(pop).values()), f"{pop} knows its regions")

    def warm(self, name, region):
        """Has one region run a function, and waits until it has told of its idle container."""
        others = [other for other in self.bed.region_names if other != region]
        for other in others:
            self.bed.wire.cut("pop-1", other, "reset")
        wait_for(lambda: all(self.region_states()[other]["circuit"] != "closed" for other in others), "the others are out of reach")
        answer, record = self.call(name)
        self.assertEqual((answer.status, record["site"]), (200, region), answer.body)
        for other in others:
            self.bed.wire.mend("pop-1", other)
        wait_for(lambda: all(self.region_states()[other]["circuit"] == "closed" for other in others), "the others are back")
        self.ready()
        wait_for(lambda: self.versions(region).get(name, {}).get("idle"), f"{region} tells that it is warm")

    def cool(self, node):
        """Ends every instance of a node."""
        listed = json.loads(self.bed[node].tool("instance", "list", "--output", "json").stdout)["instances"]
        for instance in listed:
            self.bed[node].tool("instance", "kill", str(instance["instance"]))

    def hold(self, name, region):
        """Has one more region hold a function, by calling it there while the others are cut off."""
        self.warm(name, region)
