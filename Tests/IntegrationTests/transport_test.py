"""Peers that stay trustworthy and calls that survive: certificates and regions that change under way, rights, second tries."""

import contextlib
import json
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

from support import BINARY, ECHO, SLEEP
from wayside_node import Node, free_port, wait_for

RARE = {"policy": "frequency", "frequentCalls": 1000.0, "uncommonCalls": 500.0}
IDEMPOTENT = {"Wayside": {"Idempotent": True}}


def certify(directory, *nodes, forward="all", replace=True):
    """Certificates of the authority in a folder, which is made if it is not there."""
    subprocess.run([BINARY, "cert", "init", "--directory", str(directory), "--host", "127.0.0.1", "--forward", forward,
                    *(argument for node in nodes for argument in ("--node", node)), *(["--replace"] if replace else [])],
                   check=True, capture_output=True)


def serial(certificate):
    return subprocess.run(["openssl", "x509", "-noout", "-serial", "-in", str(certificate)], check=True, capture_output=True,
                          text=True).stdout.strip().removeprefix("serial=")


class RegionsTest(unittest.TestCase):
    """A POP that forwards every call, and regions, each with its own certificate files that it looks at often."""

    regions, forward, peers = 2, "all", {}

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="wayside-transport-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.authority = self.folder / "authority"
        self.names = [f"region-{number}" for number in range(1, self.regions + 1)]
        certify(self.authority, *self.names)
        certify(self.authority, "pop-1", forward=self.forward)
        self.ports = {name: free_port() for name in self.names}
        self.nodes = {name: self.node(name, 1 + number, "region", listen=f"127.0.0.1:{self.ports[name]}")
                      for number, name in enumerate(self.names)}
        self.nodes["pop-1"] = self.pop = self.node("pop-1", 0, "pop", regions=self.urls(*self.first_regions()),
                                                   probeIntervalMilliseconds=100, **self.peers)
        for name in [*self.names, "pop-1"]:
            self.nodes[name].start()
            self.addCleanup(self.stop, self.nodes[name])
        self.account = self.pop.account()

    def first_regions(self):
        return self.names

    @staticmethod
    def stop(node):
        if node.process.poll() is None:
            node.process.send_signal(signal.SIGCONT)
            node.stop()

    def node(self, name, number, role, **peers):
        mine = self.files(name)
        for kind in ("certificate", "key", "authority"):
            self.give(name, kind)
        return Node(BINARY, self.folder, name, {
            "node": {"role": role}, "sandbox": {"uidBase": 1879048192 + (number << 24)}, "log": {"level": "info"},
            "capacity": {"memoryMebibytes": 1024, "warming": ["python=1"] if role == "region" else []}, "placement": RARE,
            "peers": {kind: str(path) for kind, path in mine.items()} | {"reloadMilliseconds": 50} | peers})

    def files(self, name):
        mine = self.folder / f"{name}-certificates"
        mine.mkdir(exist_ok=True)
        return {"certificate": mine / "node.pem", "key": mine / "node.key", "authority": mine / "ca.pem"}

    def give(self, name, kind, text=None):
        """Puts a file of the authority, or a text, in a node's place for it, as a tool does that replaces files whole."""
        source = {"certificate": f"{name}.pem", "key": f"{name}.key", "authority": "ca.pem"}[kind]
        path = self.files(name)[kind]
        new = path.with_suffix(".new")
        new.write_text((self.authority / source).read_text() if text is None else text)
        new.rename(path)

    def urls(self, *names):
        return [f"{name}=https://127.0.0.1:{self.ports[name]}" for name in names]

    def states(self):
        listing = self.pop.tool("region", "list", "--output", "json").stdout
        return {region["name"]: region for region in json.loads(listing)["regions"]}

    def until_ready(self, *names):
        def ready():
            states = self.states()
            return list(states) == list(names) and all(
                state["circuit"] == "closed" and state["isReportFresh"] for state in states.values())
        wait_for(ready, f"{names} are known")

    def logged(self, name, *words):
        return any(all(word in line for word in words)
                   for line in self.nodes[name].log.read_text(errors="replace").splitlines())

    def until_logged(self, name, *words):
        wait_for(lambda: self.logged(name, *words), f"{name} logs {words}")

    def configure(self, **peers):
        """Changes values of the POP's group `peers`, one line each."""
        lines = self.pop.config.read_text().splitlines()
        for key, value in peers.items():
            lines = [line for line in lines if not line.startswith(f"  {key}:")]
            lines.insert(lines.index("peers:") + 1, f"  {key}: {json.dumps(value)}")
        new = self.pop.config.with_suffix(".new")
        new.write_text("\n".join(lines) + "\n")
        new.rename(self.pop.config)

    @contextlib.contextmanager
    def steady_calls(self, name, threads=3):
        """Calls all the while; that each was answered in a region is looked at in the end."""
        done, answers = threading.Event(), []

        def call():
            while not done.is_set():
                answers.append(self.account.invoke(name, {"n": 1}))
        callers = [threading.Thread(target=call) for _ in range(threads)]
        for caller in callers:
            caller.start()
        try:
            wait_for(lambda: len(answers) > threads, "calls are answered")
            yield answers
            count = len(answers)
            wait_for(lambda: len(answers) > count + 2 * threads, "calls are still answered")
        finally:
            done.set()
            for caller in callers:
                caller.join()
        bad = [(answer.status, answer.body, answer.headers.get("Wayside-Error")) for answer in answers if answer.status != 200]
        self.assertEqual(bad, [])
        for answer in answers[-3:]:
            self.assertEqual(self.pop.record_of(answer)["decision"], "forward")

    def begin(self, name, event):
        """A call in a thread of its own; its answer is the thread's list's only item."""
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.account.invoke(name, event)))
        thread.start()
        self.addCleanup(thread.join)
        return thread, answers

    def busy(self, besides=()):
        """The region that runs a call."""
        return wait_for(lambda: next((name for name in self.names if name not in besides
                                      and self.nodes[name].pools()["containersBusy"]), None), "a region runs it")

    def held_everywhere(self, name):
        """Has both regions run a function, the second while the first is away."""
        first = self.pop.record_of(self.account.invoke(name, {"seconds": 0}))["site"]
        self.nodes[first].process.send_signal(signal.SIGSTOP)
        wait_for(lambda: self.states()[first]["circuit"] != "closed", "one is out of reach")
        self.assertNotEqual(self.pop.record_of(self.account.invoke(name, {"seconds": 0}))["site"], first)
        self.nodes[first].process.send_signal(signal.SIGCONT)
        self.until_ready(*self.names)


class RotationTest(RegionsTest):
    regions = 1

    def certificate_seen(self, of):
        """The serial of the certificate on the POP's newest connection to a region."""
        return (self.states()[of].get("certificate") or {}).get("serial")

    def renew(self, name):
        """Replaces a node's certificate; answers the new serial when the node has it."""
        certify(self.authority, name)
        self.give(name, "certificate")
        self.give(name, "key")
        number = serial(self.authority / f"{name}.pem")
        self.until_logged(name, "A new certificate is used", number)
        return number

    def test_certificates_are_replaced_under_steady_calls_and_none_fails(self):
        """PLACE-15: the POP's, and the region's; each is on the connections that are made then."""
        self.account.must_create("steady", {"app.py": ECHO})
        self.until_ready("region-1")
        with self.steady_calls("steady"):
            number = self.renew("pop-1")
            self.until_logged("region-1", "A peer shows a certificate", number)
            region = self.renew("region-1")
            self.assertNotEqual(self.certificate_seen("region-1"), region)
            # The POP makes its connections anew with its next certificate, and meets the region's.
            number = self.renew("pop-1")
            self.until_logged("region-1", "A peer shows a certificate", number)
            wait_for(lambda: self.certificate_seen("region-1") == region, "the region's new certificate is seen")
        self.assertIn(region, self.pop.tool("region", "show", "region-1").stdout)

    def test_an_authority_follows_another_under_steady_calls_and_none_fails(self):
        """PLACE-15: both are trusted for a while; then the old one's certificates are worth nothing."""
        self.account.must_create("steady", {"app.py": ECHO})
        self.until_ready("region-1")
        old = self.authority
        with self.steady_calls("steady"):
            self.authority = self.folder / "next"
            certify(self.authority, "pop-1", "region-1", replace=False)
            both = (old / "ca.pem").read_text() + (self.authority / "ca.pem").read_text()
            for name in ("pop-1", "region-1"):
                self.give(name, "authority", both)
                self.until_logged(name, "A new certificate is used", serial(old / f"{name}.pem"))
            for name in ("region-1", "pop-1"):
                self.renew(name)
            for name in ("region-1", "pop-1"):
                count = self.nodes[name].log.read_text().count("A new certificate is used")
                self.give(name, "authority")
                wait_for(lambda: self.nodes[name].log.read_text().count("A new certificate is used") > count, "it is taken")
        self.assertEqual(self.certificate_seen("region-1"), serial(self.authority / "region-1.pem"))
        self.assertTrue(self.is_let_in(self.authority))
        self.assertFalse(self.is_let_in(old))

    def is_let_in(self, directory):
        """Whether the region takes a connection with an authority's certificate of the POP."""
        context = ssl.create_default_context(cafile=str(self.authority / "ca.pem"))
        context.load_cert_chain(directory / "pop-1.pem", directory / "pop-1.key")
        context.set_alpn_protocols(["h2"])
        with socket.create_connection(("127.0.0.1", self.ports["region-1"]), 20) as plain:
            try:
                with context.wrap_socket(plain, server_hostname="region-1") as connection:
                    # The first thing a server says in HTTP/2: its settings.
                    return connection.recv(1) != b""
            except (ssl.SSLError, ConnectionError):
                return False

    def test_a_file_that_cannot_be_used_is_refused_and_the_old_certificate_stays(self):
        """PLACE-15"""
        self.account.must_create("steady", {"app.py": ECHO})
        self.until_ready("region-1")
        with self.steady_calls("steady"):
            for kind, text in (("key", "no key"), ("certificate", (self.authority / "ca.pem").read_text())):
                self.give("pop-1", kind, text)
                self.until_logged("pop-1", "the old one stays in use", "node.key" if kind == "key" else "names no node")
                self.give("pop-1", kind)
            number = self.renew("pop-1")
            self.until_logged("region-1", "A peer shows a certificate", number)

    def test_connections_of_age_are_made_anew_under_steady_calls(self):
        """PLACE-15: without a change of its own the POP meets the region's new certificate."""
        self.configure(connectionSeconds=1)
        self.stop(self.pop)
        self.pop.start()
        self.account.must_create("steady", {"app.py": ECHO})
        self.until_ready("region-1")
        with self.steady_calls("steady"):
            region = self.renew("region-1")
            wait_for(lambda: self.certificate_seen("region-1") == region, "the region's new certificate is seen")


class PeersTest(RegionsTest):
    def first_regions(self):
        return self.names[:1]

    def test_regions_are_added_and_removed_while_calls_go_on(self):
        """PLACE-15: a removed one gets no new call and ends those it has; an unusable configuration changes nothing."""
        self.account.must_create("long", {"app.py": SLEEP}, Timeout=60)
        self.account.must_create("steady", {"app.py": ECHO})
        self.until_ready("region-1")
        thread, answers = self.begin("long", {"seconds": 5})
        self.busy()
        self.configure(regions=["region-2=http://nowhere"])
        self.until_logged("pop-1", "error", "The new configuration cannot be used", "peers.regions")
        self.assertEqual(list(self.states()), ["region-1"])
        with self.steady_calls("steady") as steady:
            self.configure(regions=self.urls("region-2", "region-1"))
            self.until_ready("region-2", "region-1")
            self.configure(regions=self.urls("region-2"), site=["pop-2=https://127.0.0.1:1"])
            self.until_ready("region-2")
            self.until_logged("pop-1", "after a restart only", "peers.site")
            count = len(steady)
            wait_for(lambda: len(steady) > count + 6, "calls are answered")
        self.assertEqual({self.pop.record_of(answer)["site"] for answer in steady[-3:]}, {"region-2"})
        thread.join()
        record = self.pop.record_of(answers[0])
        self.assertEqual((answers[0].status, record["site"], record.get("tries")), (200, "region-1", None))
        self.configure(regions=[], site=[])
        wait_for(lambda: self.states() == {}, "no region is left")
        answer = self.account.invoke("steady", {"n": 2})
        self.assertEqual((answer.status, self.pop.record_of(answer)["decision"]), (200, "run"))

    def test_SIGHUP_has_the_files_looked_at_at_once(self):
        """PLACE-15"""
        self.configure(reloadMilliseconds=0)
        self.stop(self.pop)
        self.pop.start()
        self.until_ready("region-1")
        self.configure(regions=self.urls("region-1", "region-2"))
        self.pop.process.send_signal(signal.SIGHUP)
        self.until_ready("region-1", "region-2")


class RightsTest(RegionsTest):
    regions, forward = 1, "123456789012"

    def test_a_node_forwards_and_sends_code_for_the_accounts_of_its_certificate_only(self):
        """PLACE-15: for others a region refuses it with a reason, and the call runs here."""
        other = self.pop.account("210987654321")
        for account in (self.account, other):
            account.must_create("limited", {"app.py": ECHO})
        self.until_ready("region-1")
        answer = self.account.invoke("limited")
        self.assertEqual((answer.status, self.pop.record_of(answer)["site"]), (200, "region-1"))
        answer = other.invoke("limited")
        record = self.pop.record_of(answer)
        self.assertEqual((answer.status, record["site"], record["reason"]), (200, "pop-1", "regions_declined"))
        self.assertIn("does not permit it to forward for account 210987654321", record["tries"][0]["message"])
        told = json.loads(self.pop.tool("region", "show", "region-1", "--output", "json").stdout)["versions"]
        self.assertEqual([row["function"].split(":")[4] for row in told], ["123456789012"])
        # Without any right it cannot even send code; that it is so is noticed without a restart.
        certify(self.authority, "pop-1", forward="none")
        for kind in ("certificate", "key"):
            self.give("pop-1", kind)
        self.until_logged("region-1", "A peer shows a certificate", serial(self.authority / "pop-1.pem"))
        self.account.must_create("another", {"app.py": ECHO})
        answer = self.account.invoke("another")
        record = self.pop.record_of(answer)
        self.assertEqual((answer.status, record["site"]), (200, "pop-1"))
        self.assertIn("does not permit", record["tries"][0]["message"])


class SecondTryTest(RegionsTest):
    def lost(self, name, **settings):
        """The answer to a call whose region was killed while it ran, the region's name, and the record."""
        self.account.must_create(name, {"app.py": SLEEP}, Timeout=60, **settings)
        self.until_ready(*self.names)
        thread, answers = self.begin(name, {"seconds": 3})
        region = self.busy()
        self.nodes[region].kill()
        thread.join()
        return answers[0], region, self.pop.record_of(answers[0])

    def test_PLACE_17_a_call_whose_region_is_killed_is_answered_by_the_next_if_it_is_idempotent(self):
        """PLACE-17"""
        answer, region, record = self.lost("again", **IDEMPOTENT)
        self.assertEqual((answer.status, answer.body), (200, b'"slept"'))
        self.assertNotEqual(record["site"], region)
        self.assertEqual([(each["node"], each["stage"], each["code"]) for each in record["tries"]],
                         [(region, "after_send", "region_failed")])

    def test_PLACE_17_a_call_whose_region_is_killed_is_not_run_again_if_nothing_is_said(self):
        """PLACE-17"""
        answer, region, record = self.lost("once")
        self.assertEqual((answer.status, answer.headers["Wayside-Error"]), (500, "region_failed"))
        self.assertEqual([(each["node"], each["stage"]) for each in record["tries"]], [(region, "after_send")])
        other = next(name for name in self.names if name != region)
        # Nobody else has heard of the call.
        for name in (other, "pop-1"):
            entries = json.loads(self.nodes[name].tool("explain", "--function", "once", "--output", "json").stdout)
            self.assertEqual([each["node"] for each in entries if each["decision"] == "run"], [], name)


class HedgingTest(RegionsTest):
    # A region that is stopped is slow here, not gone.
    peers = {"hedgeAfterMilliseconds": 1500, "hedgePercentMax": 100, "silenceMilliseconds": 120_000}

    def test_PLACE_17_an_idempotent_call_is_answered_by_a_second_region_when_the_first_is_slow(self):
        """PLACE-17: the first answer counts, the other call is cancelled, and explain says so; a call that is not idempotent waits."""
        self.account.must_create("twice", {"app.py": SLEEP}, Timeout=60, **IDEMPOTENT)
        self.account.must_create("single", {"app.py": SLEEP}, Timeout=60)
        self.until_ready(*self.names)
        self.held_everywhere("twice")
        for name in ("twice", "single"):
            self.until_ready(*self.names)
            thread, answers = self.begin(name, {"seconds": 1})
            slow = self.busy()
            self.nodes[slow].process.send_signal(signal.SIGSTOP)
            if name == "single":
                thread.join(3)
                self.assertEqual(answers, [])
            else:
                thread.join()
            self.nodes[slow].process.send_signal(signal.SIGCONT)
            thread.join()
            record = self.pop.record_of(answers[0])
            self.assertEqual(answers[0].status, 200, answers[0].body)
            if name == "twice":
                self.assertNotEqual(record["site"], slow)
                self.assertEqual([(each["node"], each["stage"]) for each in record["tries"]], [(slow, "overtaken")])
                told = self.pop.tool("explain", record["requestID"], environment={"COLUMNS": "200"}).stdout
                for words in (f"tried      {slow} after", "may have run, another answered first",
                              "may have run 2 times; its owner permits that (--idempotent)"):
                    self.assertIn(words, told)
            else:
                self.assertEqual((record["site"], record.get("tries")), (slow, None))
            wait_for(lambda: self.nodes[slow].status()["underWay"] == 0 and not self.nodes[slow].pools()["containersBusy"],
                     "nothing is left of the call")


class SecondRegionTest(RegionsTest):
    # Longer than a region takes to be back.
    peers = HedgingTest.peers | {"hedgeAfterMilliseconds": 4000}

    def test_PLACE_17_a_region_that_has_lost_a_call_does_not_get_it_as_the_second_one(self):
        """PLACE-17: it is back, and free, when the next region takes its time."""
        self.account.must_create("lost", {"app.py": SLEEP}, Timeout=60, **IDEMPOTENT)
        self.until_ready(*self.names)
        self.held_everywhere("lost")
        thread, answers = self.begin("lost", {"seconds": 8})
        first = self.busy()
        self.nodes[first].kill()
        second = self.busy(besides=[first])
        self.nodes[second].process.send_signal(signal.SIGSTOP)
        self.nodes[first].start()
        thread.join(6)
        self.assertEqual(answers, [])
        self.nodes[second].process.send_signal(signal.SIGCONT)
        thread.join()
        record = self.pop.record_of(answers[0])
        self.assertEqual((answers[0].status, record["site"]), (200, second), answers[0].body)
        self.assertEqual([(each["node"], each["stage"]) for each in record["tries"]], [(first, "after_send")])


if __name__ == "__main__":
    unittest.main()
