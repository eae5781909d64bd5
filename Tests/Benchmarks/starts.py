"""How long a call takes from each start level, end to end over HTTP, against starts elsewhere.

Each level is reached by construction, and every answer must name it:

    warm        the function was called before and is kept (and frozen by then)
    container   nothing idle is kept, and a call of another function, which sleeps, holds the account's instance
    instance    nothing idle is kept; the warming pool is full again before each call
    zygote      nothing idle is kept, and there is no warming pool; `boot` where a runtime cannot fork
"""

import contextlib
import threading
import time

from nodes import LANGUAGES, Caller, deploy, is_settled, wait_for
from peers import StartPeers
from table import ratio, summary

NAP_SECONDS = 800
SLEEPERS = {
    "python": {"app.py": f"import time\n\n\ndef handler(event, context):\n    time.sleep({NAP_SECONDS})\n"},
    "native": {"bootstrap": f"#!/bin/sh\nexec /usr/bin/sleep {NAP_SECONDS}\n"},
}
QUIET_SECONDS = 0.02


class Level:
    """A node on which every call starts at one level."""

    def __init__(self, node, languages, busy=(), ready=0):
        self.node, self.busy, self.ready = node, len(busy), ready
        account = node.account()
        for language in languages:
            deploy(account, language, language)
        self.callers = {language: Caller(account) for language in languages}
        for language in busy:
            deploy(account, f"sleeper-{language}", language, SLEEPERS[language], Timeout=NAP_SECONDS)
            threading.Thread(target=self._hold, args=(account, f"sleeper-{language}"), daemon=True).start()
        wait_for(lambda: node.pools()["containersBusy"] == self.busy, "the sleepers sleep")

    @staticmethod
    def _hold(account, name):
        # The node hangs up when it is stopped.
        with contextlib.suppress(OSError):
            account.invoke(name, timeout=NAP_SECONDS)

    def settle(self):
        """Waits until the node has ended what is over and has replaced what was taken, so that neither meets the next measurement."""
        wait_for(lambda: is_settled(self.node, self.busy, self.ready), f"node {self.node.name} is settled", pause=0.005)

    def measure(self, language, wanted):
        """How a call started, and its seconds."""
        request = self.callers[language].request(language)
        time.sleep(QUIET_SECONDS)
        took, level = self.callers[language].send(request)
        if wanted != "warm":
            self.settle()
        if level not in wanted.split("/"):
            raise SystemExit(f"{language} started at level {level}, not {wanted}")
        return level, took


def measure(bench, rounds):
    """The samples of every level and peer, one of each in a round."""
    languages = bench.languages()
    forked = [language for language in languages if language in SLEEPERS]
    warming = [f"{LANGUAGES[language][0]}=1" for language in languages]
    peers = StartPeers(bench.data, languages)
    samples = {}
    with contextlib.ExitStack() as stack:
        def level(name, languages, keep=0, warming=(), **more):
            node = stack.enter_context(bench.node(name, {"capacity": {"keepAliveSeconds": keep, "warming": list(warming)}}))
            return Level(node, languages, **more)

        levels = {
            "warm": level("warm", languages, keep=600),
            "container": level("container", forked, busy=forked),
            "instance": level("instance", languages, warming=warming, ready=len(warming)),
            "zygote/boot": level("nothing", languages),
        }
        for language, caller in levels["warm"].callers.items():
            caller.call(language)
        levels["instance"].settle()
        for number in range(rounds + 2):
            for name in peers.names:
                time.sleep(QUIET_SECONDS)
                note(samples, number, name, peers.run(name))
            for wanted, made in levels.items():
                for language in made.callers:
                    reached, took = made.measure(language, wanted)
                    note(samples, number, f"{language} {reached}", took)
    return samples


def note(samples, number, name, seconds):
    """Keeps all but the first two rounds, which find everything cold."""
    kept = samples.setdefault(name, [])
    if number >= 2:
        kept.append(seconds)


def rows(samples):
    result = []
    for name, values in samples.items():
        median, spread = summary(values, 1e3)
        result.append({"start": name, "p50 ms": median, "p10..p90 ms": spread, "calls": len(values)})
    return result


BOUNDS = [
    ("python zygote", "bwrap python", "<= 0.35"),
    ("python instance", "bwrap python", "<= 0.2"),
    ("python container", "bwrap python", "<= 0.2"),
    ("native zygote", "bwrap static", "<= 1"),
    ("native instance", "bwrap static", "<= 0.6"),
    ("native container", "bwrap static", "-"),
    ("node instance", "node -e 0", "<= 0.25"),
    ("node boot", "node -e 0", "-"),
    ("ruby instance", "ruby -e 0", "-"),
    ("ruby boot", "ruby -e 0", "-"),
]
FASTER = [("runc python", "python zygote", ">= 5"), ("runc static", "native zygote", ">= 5")]


def targets(samples):
    """Ratios to the peers."""
    result = [ratio(f"{first} / {second}", samples[first], samples[second], bound)
              for first, second, bound in BOUNDS if first in samples and second in samples]
    return result + [ratio(f"{first} / {second}", samples[first], samples[second], bound, digits=1)
                     for first, second, bound in FASTER if first in samples and second in samples]
