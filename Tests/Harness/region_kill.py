"""A region is killed under a steady load: what every caller got, how often each call ran, and how long it took until all went well again.

Whether a call has run is told by a witness outside of all nodes, to which the function keeps one connection through its egress proxy.
"""

import collections
import contextlib
import socket
import socketserver
import statistics
import threading
import time

# Tells the witness the request id and waits for its answer.
TELL = """
import os, socket, urllib.parse

tunnel = None

def connected(witness):
    proxy = urllib.parse.urlsplit(os.environ["HTTPS_PROXY"])
    made = socket.create_connection((proxy.hostname, proxy.port), timeout=20)
    made.sendall(f"CONNECT {witness} HTTP/1.1\\r\\nHost: {witness}\\r\\n\\r\\n".encode())
    answer = b""
    while b"\\r\\n\\r\\n" not in answer:
        answer += made.recv(4096)
    assert b" 200 " in answer.partition(b"\\r\\n")[0], answer
    return made

def handler(event, context):
    global tunnel
    tunnel = tunnel or connected(event["witness"])
    tunnel.sendall(context.aws_request_id.encode() + b"\\n")
    assert tunnel.recv(1) == b"."
    return "told"
"""


class Witness(socketserver.ThreadingTCPServer):
    """Counts runs by request id."""

    daemon_threads, allow_reuse_address = True, True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError):
                for line in self.rfile:
                    self.server.note(line.decode().strip())
                    self.wfile.write(b".")

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.runs, self.lock = collections.Counter(), threading.Lock()
        self.address = "127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def note(self, request_id):
        with self.lock:
            self.runs[request_id] += 1

    def close(self):
        self.shutdown()
        self.server_close()


class Call:
    """One call as its caller saw it. Without an answer, `status` is `None`."""

    def __init__(self, began, answer=None):
        self.began, self.ended = began, time.monotonic()
        self.status = answer.status if answer else None
        self.code = answer.headers.get("Wayside-Error") if answer else None
        self.site = answer.headers.get("Wayside-Site") if answer else None
        self.request_id = answer.headers.get("x-amzn-RequestId") if answer else None

    @property
    def took(self):
        return self.ended - self.began

    @property
    def is_good(self):
        return self.status == 200


def deploy(account, witness, name="told"):
    account.must_create(name, {"app.py": TELL}, Timeout=10, Wayside={"Egress": [f"127.0.0.0/8:{witness.server_address[1]}"]})


def run(fleet, account, witness, name="told", rate=200, callers=40, before=3.0, after=5.0):
    """Calls at `rate` a second, as far as the machine keeps up; kills the region that answers most. The calls, and when it was killed."""
    event = {"witness": witness.address}
    calls, lock, start = [], threading.Lock(), time.monotonic() + 0.2
    end = start + before + after

    def caller(number):
        turn = start + number / rate
        while turn < end:
            time.sleep(max(0, turn - time.monotonic()))
            began = time.monotonic()
            try:
                call = Call(began, account.invoke(name, event, timeout=60))
            except (OSError, socket.timeout):
                call = Call(began)
            with lock:
                calls.append(call)
            turn = max(turn + callers / rate, time.monotonic() - callers / rate)

    threads = [threading.Thread(target=caller, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    time.sleep(max(0, start + before - time.monotonic()))
    with lock:
        sites = collections.Counter(call.site for call in calls if call.is_good)
    victim = next(node for node in fleet.regions if node.name == sites.most_common(1)[0][0])
    killed = time.monotonic()
    victim.kill()
    for thread in threads:
        thread.join()
    return calls, killed


def recovery(calls, killed, window=40):
    """Seconds from the kill to the last answer that shows it, by when answers came: it failed, or is slow.

    Slow is an answer when the median of so many up to it, at 200 a second those of a fifth of a second, took more than twice the median
    before the kill. Of single answers a few in a hundred take that long on any machine that has something else to do, before the kill too
    (`slow_share`), and so do all when it stands still for a moment.
    """
    usual = usual_time(calls, killed)
    after = sorted((call for call in calls if call.ended > killed), key=lambda call: call.ended)
    shown = killed
    for last, call in enumerate(after, 1):
        recent = [each.took for each in after[max(0, last - window):last]]
        if not call.is_good or statistics.median(recent) > 2 * usual:
            shown = call.ended
    return shown - killed


def usual_time(calls, killed):
    """Median seconds of the calls answered before the kill."""
    return statistics.median(call.took for call in calls if call.ended <= killed)


def slow_share(calls, killed):
    """The shares of answers that took more than twice the median before the kill: before it, and after the recovery."""
    limit, recovered = 2 * usual_time(calls, killed), killed + recovery(calls, killed)
    before, after = ([call.took > limit for call in calls if is_meant(call)]
                     for is_meant in (lambda call: call.ended <= killed, lambda call: call.ended > recovered))
    return statistics.mean(before), statistics.mean(after)


def lost(calls):
    """Those whose region may have run them when it was lost, so that they are tried nowhere else, as their function is not idempotent."""
    return [call for call in calls if (call.status, call.code) == (500, "region_failed")]
