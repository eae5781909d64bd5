"""Where versions are held ahead of their calls, and where their code comes from: a POP and regions on hosts of their own."""

import base64
import json
import pathlib
import shutil
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "Hosts"))

from bed_case import BedTest  # noqa: E402
from support import ECHO, FEW  # noqa: E402
from wayside_node import wait_for, zipped  # noqa: E402


def code(number):
    """The package of a function that answers `number`."""
    return {"app.py": f"def handler(event, context):\n    return {number}\n"}


class ReplicationTest(BedTest):
    """What the tests of replication share."""

    quick = {"quietSeconds": 1, "timeoutMilliseconds": 4000}

    def update(self, name, files, publish=False):
        body = {"ZipFile": base64.b64encode(zipped(files)).decode(), "Publish": publish}
        return self.account.request("PUT", f"/2015-03-31/functions/{name}/code", json.dumps(body).encode())

    def configuration(self, name):
        return self.account.request("GET", f"/2015-03-31/functions/{name}/configuration").json()

    def package(self, node, made):
        """Where a node keeps the package of a version."""
        digest = base64.b64decode(made["CodeSha256"]).hex()
        return pathlib.Path(self.bed[node].data, "content", "sha256", digest[:2], f"{digest}.zip")

    def bundle(self, node, made):
        digest = base64.b64decode(made["CodeSha256"]).hex()
        return pathlib.Path(self.bed[node].data, "content", "bundles", digest[:2], digest)

    def holders(self, made):
        """The regions that tell of holding the version, which must be those that have its package."""
        telling = {region for region in self.bed.region_names
                   for row in self.tool("region", "show", region, "--limit", "1000")["versions"]
                   if row["revision"] == made["RevisionId"] and row["held"]}
        keeping = {region for region in self.bed.region_names if self.package(region, made).exists()}
        return telling if telling == keeping else None

    def refusing(self, region):
        """The region takes no package, and answers all else, until the end of the test or `accept`."""
        content = self.bed[region].data / "content"
        content.rename(content.with_name("elsewhere"))
        self.addCleanup(self.accept, region)

    def accept(self, region):
        aside = self.bed[region].data / "elsewhere"
        if aside.exists():
            aside.rename(aside.with_name("content"))

    def cut(self, region):
        self.bed.wire.cut("pop-1", region, "reset")
        self.addCleanup(self.mend, region)
        wait_for(lambda: self.region_states()[region]["circuit"] != "closed", f"{region} is out of reach")

    def mend(self, region):
        self.bed.wire.mend("pop-1", region)
        wait_for(lambda: self.region_states()[region]["circuit"] == "closed", f"{region} is back")


class BreadthTest(ReplicationTest):
    regions = 4
    pop = {"replication": ReplicationTest.quick | {"breadth": 2, "callsPerRegion": 20}}

    def test_PLACE_02_a_version_is_held_by_as_many_regions_as_configured_when_it_is_acknowledged(self):
        """PLACE-02: 4 regions, breadth 2."""
        self.ready()
        subsets = set()
        for number in range(8):
            made = self.account.must_create(f"spread-{number}", code(1000 + number))
            # Both must hold it before the answer, and nobody else then or later.
            self.assertEqual(sum(self.package(region, made).exists() for region in self.bed.region_names), 2)
            subsets.add(frozenset(wait_for(lambda: self.holders(made), "the regions tell of it")))
        self.assertTrue(all(len(subset) == 2 for subset in subsets), subsets)
        self.assertGreater(len(subsets), 1)
        answer, record = self.call("spread-7")
        self.assertEqual((answer.status, answer.json()), (200, 1007))
        self.assertIn(record["site"], subset := self.holders(made))
        self.assertEqual(set(self.configuration("spread-7")["Wayside"]["Regions"]), subset)

    def test_a_region_out_of_reach_is_replaced_and_gets_its_versions_when_it_is_back(self):
        """PLACE-02: the subset is restored, also by a POP that has begun anew."""
        self.ready()
        first = self.account.must_create("replaced", code(1))
        home = wait_for(lambda: self.holders(first), "the regions tell of it")
        lost = min(home)
        self.cut(lost)
        answer = self.update("replaced", code(2))
        self.assertEqual(answer.status, 200, answer.body)
        made = answer.json()
        keeping = {region for region in self.bed.region_names if self.package(region, made).exists()}
        self.assertEqual(len(keeping), 2)
        self.assertNotIn(lost, keeping)
        self.bed["pop-1"].stop()
        self.bed.wire.mend("pop-1", lost)
        self.bed["pop-1"].start()
        wait_for(lambda: self.holders(made) == home, "the first subset holds it, and nobody else", seconds=60)

    def test_a_version_that_is_forwarded_much_is_held_by_more_regions(self):
        """PLACE-02: breadth follows demand."""
        self.ready()
        made = self.account.must_create("wanted", code(3))
        self.assertEqual(len(wait_for(lambda: self.holders(made), "the regions tell of it")), 2)
        for _ in range(120):
            self.assertEqual(self.account.invoke("wanted").json(), 3)
        wait_for(lambda: len(self.holders(made) or ()) >= 3, "more regions hold it", seconds=60)

    def test_while_no_region_can_be_reached_a_version_is_acknowledged_and_brought_later(self):
        """PLACE-22"""
        self.ready()
        for region in self.bed.region_names:
            self.cut(region)
        made = self.account.must_create("alone", code(4))
        answer, record = self.call("alone")
        self.assertEqual((answer.json(), record["reason"]), (4, "region_outage"))
        for region in self.bed.region_names:
            self.mend(region)
        wait_for(lambda: len(self.holders(made) or ()) == 2, "two regions hold it", seconds=60)


class QuorumTest(ReplicationTest):
    """All three regions are to hold everything; the nearest is region-1."""

    regions = 3
    delays = {("pop-1", "region-1"): 0.001, ("pop-1", "region-2"): 0.01, ("pop-1", "region-3"): 0.01}
    pop = {"replication": ReplicationTest.quick | {"breadth": 3, "required": True}}

    def test_PLACE_10_the_nearest_region_gets_no_request_until_it_has_the_bytes(self):
        """PLACE-10: it takes no packages at first."""
        self.ready()
        self.refusing("region-1")
        made = self.account.must_create("blocked", code(5))
        for _ in range(5):
            _, record = self.call("blocked")
            self.assertIn(record["site"], ("region-2", "region-3"))
        self.assertNotIn("blocked", self.versions("region-1"))
        self.accept("region-1")
        wait_for(lambda: self.holders(made) == set(self.bed.region_names), "the nearest has it, too", seconds=60)

    def test_a_change_that_too_few_regions_take_is_not_made_and_can_be_repeated(self):
        """PLACE-09: what was there is served as before."""
        self.ready()
        self.account.must_create("unmade", code(6))
        before = self.configuration("unmade")["RevisionId"]
        self.refusing("region-1")
        self.refusing("region-2")
        for what in (lambda: self.update("unmade", code(7), publish=True),
                     lambda: self.account.create("never", code(8))):
            answer = what()
            self.assertEqual((answer.status, answer.error), (503, "ServiceUnavailableException"))
            message = answer.json()["Message"]
            self.assertIn("region-1: ", message)
            self.assertIn("region-2: ", message)
            self.assertIn("only region-3 holds it", message)
        self.assertEqual(self.configuration("unmade")["RevisionId"], before)
        self.assertEqual(self.account.request("GET", "/2015-03-31/functions/unmade/versions").json()["Versions"][-1]["Version"], "$LATEST")
        self.assertEqual(self.account.request("GET", "/2015-03-31/functions/never").status, 404)
        self.accept("region-1")
        self.accept("region-2")
        self.assertEqual(self.account.invoke("unmade").json(), 6)
        answer = self.update("unmade", code(7), publish=True)
        self.assertEqual((answer.status, answer.json()["Version"]), (200, "1"), answer.body)
        self.assertEqual(self.account.invoke("unmade").json(), 7)


class CurrencyTest(ReplicationTest):
    """A POP that runs what is called a few times."""

    pop = {"placement": FEW, "replication": ReplicationTest.quick | {"breadth": 2}}

    def until_local(self, name):
        def local():
            answer, record = self.call(name)
            self.assertEqual(answer.status, 200, answer.body)
            return record["decision"] == "run"
        wait_for(local, f"{name} is local")

    def lose(self, made, name):
        """The POP loses the code of a version, and the containers that run from it."""
        self.cool("pop-1")
        wait_for(lambda: self.bed["pop-1"].pools()["containersIdle"] == 0, f"no container of {name} is left")
        self.package("pop-1", made).unlink()
        shutil.rmtree(self.bundle("pop-1", made))
        # For a second a node believes what it has seen on its disk.
        time.sleep(1.5)

    def test_PLACE_09_code_that_is_not_here_is_fetched_behind_calls_that_are_forwarded(self):
        """PLACE-09"""
        self.ready()
        made = self.account.must_create("fetched", {"app.py": ECHO})
        self.until_local("fetched")
        self.lose(made, "fetched")
        answer, record = self.call("fetched", {"n": 1})
        self.assertEqual((answer.status, answer.json()), (200, {"n": 1}))
        self.assertEqual((record["decision"], record["reason"]), ("forward", "code_not_current"))
        wait_for(lambda: self.package("pop-1", made).exists(), "the code is here again", seconds=60)
        self.until_local("fetched")

    def test_PLACE_09_no_call_gets_an_older_version_than_was_acknowledged_before_it_began(self):
        """PLACE-09: at least 200 calls of four clients around ten publishes."""
        self.ready()
        self.account.must_create("current", code(0))
        state, wrong, answered = {"acknowledged": 0}, [], []

        def call():
            count = 0
            while (count < 50 or state["acknowledged"] < 10) and not wrong:
                count += 1
                least = state["acknowledged"]
                answer = self.account.invoke("current")
                answered.append(answer.json() if answer.status == 200 else answer.body)
                if answer.status != 200 or answer.json() < least:
                    wrong.append((least, answer.status, answer.body))
        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        number = 0
        while number < 10 or len(answered) < 200 and not wrong:
            number += 1
            answer = self.update("current", code(number), publish=number % 2 == 0)
            self.assertEqual(answer.status, 200, answer.body)
            state["acknowledged"] = number
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.assertGreaterEqual(len(answered), 200)
        self.assertEqual(self.account.invoke("current").json(), number)

    def test_PLACE_09_a_version_that_is_served_stale_tells_which_regions_could_not_run_the_newest(self):
        """PLACE-09, PLACE-04: each says that it holds it, and has lost its package."""
        self.ready()
        self.account.must_create("declined", code(10), Wayside={"ServeStale": True})
        former = self.configuration("declined")["RevisionId"]
        made = self.update("declined", code(11)).json()
        contents = [self.bed[region].data / "content" for region in self.bed.region_names]
        for content in contents:
            content.rename(content.with_name("elsewhere"))
        self.lose(made, "declined")
        answer, record = self.call("declined")
        for content in contents:
            shutil.rmtree(content, ignore_errors=True)
            content.with_name("elsewhere").rename(content)
        self.assertEqual((answer.status, answer.json(), record["staleRevision"]), (200, 10, former), answer.body)
        self.assertEqual((record["decision"], record["reason"]), ("run", "regions_declined"))
        self.assertEqual(sorted({each["node"] for each in record["tries"]}), self.bed.region_names)
        told = self.bed["pop-1"].tool("explain", answer.headers["x-amzn-RequestId"], environment={"COLUMNS": "200"}).stdout
        for word in (*self.bed.region_names, "version_not_held", "regions_declined", f"ran $LATEST as of revision {former}, for the code"):
            self.assertIn(word, told)

    def test_PLACE_09_only_a_function_that_permits_it_is_served_stale(self):
        """PLACE-09: the newest code is nowhere at hand."""
        self.ready()
        for name, permits in (("strict", False), ("lenient", True)):
            self.account.must_create(name, code(10), **({"Wayside": {"ServeStale": True}} if permits else {}))
            former = self.configuration(name)["RevisionId"]
            made = self.update(name, code(11)).json()
            self.assertEqual(self.account.invoke(name).json(), 11)
            for region in self.bed.region_names:
                self.cut(region)
            self.lose(made, name)
            answer = self.account.invoke(name)
            if permits:
                self.assertEqual((answer.status, answer.json()), (200, 10), answer.body)
                self.assertEqual(answer.headers["Wayside-Stale"], f"$LATEST/{former}")
                record = self.bed["pop-1"].record_of(answer)
                self.assertEqual((record["staleRevision"], record["decision"]), (former, "run"))
            else:
                self.assertEqual((answer.status, answer.headers["Wayside-Error"]), (503, "code_not_current"), answer.body)
                self.assertIsNotNone(answer.headers["Retry-After"])
            for region in self.bed.region_names:
                self.mend(region)
            wait_for(lambda: self.package("pop-1", made).exists(), "the newest code is fetched", seconds=60)
            answer = self.account.invoke(name)
            self.assertEqual((answer.json(), answer.headers["Wayside-Stale"]), (11, None))


if __name__ == "__main__":
    unittest.main()
