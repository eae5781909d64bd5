"""POPs with one catalog that all call one rare function: how many of the calls start cold, and where they run."""

import json
import shutil
import time

from bed import Bed
from wayside_node import Account, wait_for

# Its code takes a fifth of a second to load, so that a warm container is worth a way of some tens of milliseconds.
SLOW_START = "import time\n\ntime.sleep(0.2)\n\ndef handler(event, context):\n    return event\n"
RARE = {"policy": "frequency", "frequentCalls": 1000.0, "uncommonCalls": 500.0}
SMALL = {"memoryMebibytes": 1024, "warming": ["python=1"]}


class RareTask:
    """As many POPs as regions, each POP with a region of its own 5 ms away and the others 25 ms away, there and back."""

    def __init__(self, binary, folder, count):
        self.rule = "nearest"
        self.bed = Bed(binary, folder, count, count, delay=0.0125,
                       delays={(f"pop-{number}", f"region-{number}"): 0.0025 for number in range(1, count + 1)},
                       pop={"placement": RARE | {"regionChoice": self.rule}, "capacity": SMALL | {"warming": []},
                            "replication": {"breadth": 0}},
                       region={"capacity": SMALL})
        self.accounts = {}

    def open(self, functions):
        """Starts all nodes, and deploys the functions for every POP."""
        self.bed.open()
        first = self.bed["pop-1"]
        account = first.account()
        for name in functions:
            account.must_create(name, {"app.py": SLOW_START})
        first.stop()
        # One catalog at all POPs, as they have it that share one: so a function is the same version everywhere.
        for name in self.bed.pop_names:
            node = self.bed[name]
            if node is not first:
                node.stop()
                shutil.rmtree(node.data)
                shutil.copytree(first.data, node.data, ignore=shutil.ignore_patterns("*.sock", "lock"))
            self.accounts[name] = Account(node, account.number, account.signer.key, account.signer.secret)
        return self

    def begin(self, rule):
        """Starts the POPs with a rule (`placement.regionChoice`); returns when each knows its regions."""
        for name in self.bed.pop_names:
            node = self.bed[name]
            if node.process.poll() is None:
                node.stop()
            text = node.config.read_text(encoding="utf-8")
            node.config.write_text(text.replace(json.dumps(self.rule), json.dumps(rule)), encoding="utf-8")
            node.start()
        self.rule = rule
        # So many nodes begin on few processors, and slow answers weigh for a while.
        for name in self.bed.pop_names:
            wait_for(lambda: self._knows(name), f"{name} measures that its own region is the nearest", seconds=60,  # noqa: B023
                     pause=0.2)

    def _knows(self, pop):
        regions = json.loads(self.bed[pop].tool("region", "list", "--output", "json").stdout)["regions"]
        return (all(region.get("roundTrip") is not None and region["isReportFresh"] for region in regions)
                and min(regions, key=lambda region: region["roundTrip"])["name"] == pop.replace("pop", "region"))

    def records(self, function, count):
        """The records of one call at each of the first `count` POPs, one after the other."""
        records = []
        for name in self.bed.pop_names[:count]:
            answer = self.accounts[name].invoke(function, {"n": 1})
            if answer.status != 200:
                raise AssertionError(f"{function} at {name}: {answer.status} {answer.body}")
            records.append(self.bed[name].record_of(answer))
            # A call a minute in small: longer than a report takes to arrive.
            time.sleep(0.3)
        return records

    def close(self):
        self.bed.close()


def cold_starts(records):
    return sum(record["startLevel"] != "warm" for record in records)
