"""Cold starts by many clients at once, and what the warm calls of somebody else suffer meanwhile.

Each client calls functions in turn, of which there are twice as many as the node may hold containers: none is ever warm, and each start
ends the container that has been idle for longest. In one kind of storm all functions are one account's, so that only containers are new
(level container); in the other each function has an account of its own, so that instances are new too (level zygote).
The processor's time of a start (the clients' not counted) is what remains comparable when others use the machine too: two processors can
do 2000 / milliseconds of them in a second.
The clients are a process of their own; the warm function is called from this one, at a steady pace.
Beside them stands how often a second bwrap and runc start the same work, as many at a time as there are processors.
"""

import multiprocessing
import os
import selectors
import statistics
import threading
import time
from collections import Counter

from nodes import Caller, bundle, cpu_seconds, deploy, is_whole, signed_request, start_level
from peers import StartPeers
from table import percentile, ratio, summary, target

CLIENTS = 12
FUNCTIONS_PER_CLIENT = 8
CONTAINERS_MAX = 48
STORM_SECONDS = 2.0
PACE_SECONDS = 0.003
BOUNDS = {"python": ">= 400", "native": ">= 600"}
COLUMNS = ["storm", "cold starts/s", "p10..p90", "cpu ms each", "levels", "warm p99 ms alone", "meanwhile"]


class StormClient:
    """A connection on which the next call is sent when the last is answered."""

    def __init__(self, functions):
        """`functions`: pairs of account and name."""
        self.caller, self.functions = Caller(functions[0][0]), functions
        self.requests, self.number, self.answer = [], 0, b""

    def sign(self):
        self.requests = [signed_request(account, name) for account, name in self.functions]

    def send(self):
        self.caller.connection.sendall(self.requests[self.number % len(self.requests)])
        self.number += 1
        self.answer = b""

    def receive(self):
        """The level of a complete answer."""
        part = self.caller.connection.recv(65536)
        if not part:
            raise SystemExit("the node hung up")
        self.answer += part
        return start_level(self.answer) if is_whole(self.answer) else None


def run_storm(clients, pipe):
    """In the clients' process: a storm for each message; answers how calls started within the time, and how long it was."""
    while pipe.recv():
        levels, waits = Counter(), selectors.DefaultSelector()
        for client in clients:
            client.sign()
            waits.register(client.caller.connection, selectors.EVENT_READ, client)
        began = time.monotonic()
        for client in clients:
            client.send()
        flying = len(clients)
        while flying:
            for key, _ in waits.select():
                level = key.data.receive()
                if level is None:
                    continue
                if time.monotonic() - began < STORM_SECONDS:
                    levels[level] += 1
                    key.data.send()
                else:
                    flying -= 1
        pipe.send(dict(levels))


def paced(caller, name, is_over):
    """Seconds of warm calls of one caller, one each few milliseconds, or when the last is answered if that is later."""
    request, values, due = caller.request(name), [], time.perf_counter()
    while not is_over():
        time.sleep(max(0, due - time.perf_counter()))
        took, level = caller.send(request)
        if level != "warm":
            raise SystemExit(f"the warm function started at level {level}")
        values.append(took)
        due = max(due + PACE_SECONDS, time.perf_counter())
    return values


def paced_for(caller, name, seconds):
    end = time.perf_counter() + seconds
    return paced(caller, name, lambda: time.perf_counter() >= end)


def storms(bench, language, is_shared, rounds):
    """For each round: cold starts a second, processor milliseconds of each, p99 of the warm calls alone and meanwhile. And the levels."""
    rates, costs, alone, meanwhile, levels = [], [], [], [], Counter()
    # By the price of memory some of the functions would stay warm, and the storm would be none.
    capacity = {"containersMax": CONTAINERS_MAX, "keepAliveSeconds": 600, "retention": "lru"}
    with bench.node(f"storm-{language}", {"capacity": capacity}) as node:
        bystander = Caller(node.account())
        deploy(bystander.account, "bystander", "native")
        package = bundle(language)
        shared, clients = node.account("200000000000"), []
        for client in range(CLIENTS):
            functions = []
            for number in range(FUNCTIONS_PER_CLIENT):
                account = shared if is_shared else node.account(f"2000000{client:02}{number:03}")
                deploy(account, f"f-{client}-{number}", language, package)
                functions.append((account, f"f-{client}-{number}"))
            clients.append(StormClient(functions))
        here, there = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(target=run_storm, args=(clients, there), daemon=True)
        process.start()
        bystander.call("bystander")
        for number in range(rounds + 1):
            began, used = time.monotonic(), cpu_seconds(node)
            before = paced_for(bystander, "bystander", STORM_SECONDS if number > 0 else 0.1)
            stormed, used_alone = time.monotonic(), cpu_seconds(node) - used
            here.send(True)
            during = paced(bystander, "bystander", here.poll)
            started = here.recv()
            cost = cpu_seconds(node) - used - used_alone - used_alone / (stormed - began) * (time.monotonic() - stormed)
            # The first round fills the node.
            if number > 0:
                count = sum(count for level, count in started.items() if level != "warm")
                rates.append(count / STORM_SECONDS)
                costs.append(cost / (count + CLIENTS) * 1e3)
                alone.append(percentile(before, 0.99))
                meanwhile.append(percentile(during, 0.99))
                levels += started
        here.send(False)
        process.join(10)
    return rates, costs, alone, meanwhile, levels


def peer_rate(peers, name):
    """Starts of a peer's a second, by as many callers as there are processors."""
    end, counts = time.monotonic() + STORM_SECONDS, []

    def call():
        count = 0
        while time.monotonic() < end:
            peers.run(name)
            count += 1
        counts.append(count)

    callers = [threading.Thread(target=call) for _ in range(os.cpu_count())]
    began = time.monotonic()
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return sum(counts) / (time.monotonic() - began)


def measure(bench, rounds):
    """Rows and targets."""
    rows, targets = [], []
    folder = bench.data / "storm-peers"
    folder.mkdir()
    peers = StartPeers(folder, list(BOUNDS))
    for name in peers.names:
        if name.startswith(("bwrap", "runc")):
            rates = [peer_rate(peers, name) for _ in range(rounds)]
            rows.append(dict.fromkeys(COLUMNS, "") | {
                "storm": name, "cold starts/s": round(statistics.median(rates)), "p10..p90": summary(rates, digits=0)[1]})
    for language, bound in BOUNDS.items():
        for is_shared, whose in ((True, "one account"), (False, "an account each")):
            rates, costs, alone, meanwhile, levels = storms(bench, language, is_shared, rounds)
            total = sum(levels.values())
            rows.append({
                "storm": f"{language}, {whose}", "cold starts/s": round(statistics.median(rates)), "p10..p90": summary(rates, digits=0)[1],
                "cpu ms each": summary(costs)[0],
                "levels": " ".join(f"{level} {count * 100 // total}%" for level, count in levels.most_common()),
                "warm p99 ms alone": summary(alone, 1e3)[0], "meanwhile": summary(meanwhile, 1e3)[0]})
            targets.append(target(f"{language} cold starts a second, {whose}", rates, bound, digits=0))
            targets.append(ratio(f"warm p99 in a {language} storm, {whose} / alone", meanwhile, alone, "<= 2"))
    return rows, targets
