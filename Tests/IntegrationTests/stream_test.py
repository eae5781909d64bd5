"""Results that are streamed: from a function through its node, and through a POP from its region, to the client."""

import base64
import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "Hosts"))

from bed_case import BedTest  # noqa: E402
from support import FleetTest, NodeTest, wait_for  # noqa: E402

RARE = {"policy": "frequency", "frequentCalls": 1000.0, "uncommonCalls": 500.0}
MEBIBYTE = 1 << 20

# What a caller asks for by the event: `mebibytes` in all, `then` what happens after the first part.
PARTS = """
import hashlib, os, time

def handler(event, context):
    if event.get("fails"):
        raise ValueError("before the first part")
    yield b"first"
    print("streaming")
    if event.get("then") == "raise":
        raise ValueError("midway")
    if event.get("then") == "exit":
        os._exit(3)
    if event.get("then") == "sleep":
        time.sleep(3600)
    digest = hashlib.sha256()
    for number in range(16 * event.get("mebibytes", 0)):
        part = number.to_bytes(8, "big") * 8192
        digest.update(part)
        yield part
    yield f"{digest.hexdigest()} {time.monotonic()!r}"
"""
PLAIN = "def handler(event, context):\n    return {'got': event}\n"
NODE = """
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
    stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201 });
    stream.write('one,');
    if (event.fails) throw new TypeError('midway');
    stream.end('two');
});
"""
# A client of the Runtime API that streams: by hand, for Lambda's own for Python cannot.
PROVIDED = r"""#!/usr/bin/python3
import http.client, os, time

connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    connection.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = connection.getresponse()
    event, call = answer.read(), answer.headers["Lambda-Runtime-Aws-Request-Id"]
    connection.putrequest("POST", f"/2018-06-01/runtime/invocation/{call}/response")
    for name, value in (("Lambda-Runtime-Function-Response-Mode", "streaming"), ("Transfer-Encoding", "chunked"),
                        ("Content-Type", "text/csv"),
                        ("Trailer", "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body")):
        connection.putheader(name, value)
    connection.endheaders()
    connection.send(b"4\r\none,\r\n")
    if b"exit" in event:
        os._exit(3)
    if b"close" in event:
        connection.close()
        continue
    if b"large" in event:
        for _ in range(1024):
            connection.send(b"10000\r\n" + bytes(65536) + b"\r\n")
        made = repr(time.monotonic()).encode()
        connection.send(b"%x\r\n%s\r\n" % (len(made), made))
    connection.send(b"3\r\ntwo\r\n0\r\n")
    if b"fails" in event:
        connection.send(b"Lambda-Runtime-Function-Error-Type: Function.Late\r\nLambda-Runtime-Function-Error-Body: eyJhIjoxfQ==\r\n")
    connection.send(b"\r\n")
    connection.getresponse().read()
"""


@contextlib.contextmanager
def command(account, name, event, *options):
    """`wayside invoke --stream` under way."""
    process = subprocess.Popen(
        [account.node.binary, "invoke", name, "--stream", "--payload", json.dumps(event), *options], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=os.environ | account.environment | {"WAYSIDE_DATA": str(account.node.data)})
    with process:
        try:
            yield process
        finally:
            process.kill()


class StreamCases:
    """What holds wherever the function runs. A subclass says which nodes there are."""

    runner = None  # the node that runs the functions
    nodes = ()
    decision = None

    @classmethod
    def deploy(cls):
        cls.account.must_create("parts", {"app.py": PARTS}, Timeout=60)
        cls.account.must_create("plain", {"app.py": PLAIN})
        cls.account.must_create("node", {"app.js": NODE}, runtime="nodejs20.x")
        cls.account.must_create("raw", {"bootstrap": PROVIDED}, runtime="provided.al2023")

    def stream(self, name, event=None, **more):
        answer = self.account.stream(name, event, **more)
        self.addCleanup(answer.close)
        self.assertEqual(answer.status, 200, answer.response.read() if answer.status != 200 else "")
        return answer

    def ended(self):
        """Nothing is under way any more, on any node."""
        wait_for(lambda: all(node.status()["underWay"] == 0 for node in self.nodes), "no call is under way")
        wait_for(lambda: self.runner.pools()["containersBusy"] == 0, "no container is busy")

    def record(self, answer):
        return wait_for(lambda: self.found(answer), "the call has its record")

    def found(self, answer):
        told = self.account.node.tool("explain", answer.headers["x-amzn-RequestId"], "--output", "json", check=False)
        return json.loads(told.stdout) if told.returncode == 0 else None

    def test_the_first_part_is_seen_while_the_function_runs_and_a_client_that_goes_ends_the_run(self):
        """PLACE-21: Results stream through the POP; a client abort cancels the run in the region."""
        answer = self.stream("parts", {"then": "sleep"})
        self.assertEqual(next(answer), ("PayloadChunk", b"first"))
        self.assertEqual(self.runner.pools()["containersBusy"], 1)
        self.assertEqual(answer.headers["Wayside-Decision"], self.decision)
        self.assertEqual(answer.headers["Wayside-Site"], self.runner.name)
        answer.close()
        self.ended()
        self.assertEqual(self.record(answer)["outcome"], "aborted")

    def test_a_client_that_goes_while_the_function_waits_for_it_ends_the_run(self):
        """PLACE-21: a client abort cancels the run, also one that is stopped because the client has not read."""
        answer = self.stream("parts", {"mebibytes": 1024})
        self.assertEqual(next(answer), ("PayloadChunk", b"first"))
        answer.close()
        self.ended()
        self.assertEqual(self.record(answer)["outcome"], "aborted")

    def test_a_client_that_does_not_read_stops_the_function_and_memory_stays_constant(self):
        """PLACE-21: 256 MiB go through in constant memory; the last part is not made before the client has seen the first."""
        warmed, _ = self.stream("parts", {"mebibytes": 8}).collect()
        self.assertEqual(len(warmed) > 8 * MEBIBYTE, True)
        before = [peak(node) for node in self.nodes]
        answer = self.stream("parts", {"mebibytes": 256})
        self.assertEqual(next(answer), ("PayloadChunk", b"first"))
        seen = time.monotonic()
        digest, byte_count, last = hashlib.sha256(), 0, b""
        for kind, payload in answer:
            if kind == "PayloadChunk":
                digest.update(last)
                byte_count += len(last)
                last = payload
            else:
                self.assertEqual(json.loads(payload), {})
        expected, made = last.decode().split()
        self.assertEqual((byte_count, digest.hexdigest()), (256 * MEBIBYTE, expected))
        # All that the way can hold is far less than the result.
        self.assertGreater(float(made), seen)
        for node, less in zip(self.nodes, before):
            self.assertLess(peak(node) - less, 64 * MEBIBYTE, node.name)
        self.assertEqual(self.record(answer)["responseByteCount"], 256 * MEBIBYTE + len("first") + len(last))

    def test_a_function_that_does_not_stream_gives_one_chunk(self):
        """PLACE-21: InvokeWithResponseStream of a function that does not stream."""
        answer = self.stream("plain", 7, headers={"X-Amz-Log-Type": "Tail"})
        messages = list(answer)
        self.assertEqual([kind for kind, _ in messages], ["PayloadChunk", "InvokeComplete"])
        self.assertEqual(json.loads(messages[0][1]), {"got": 7})
        log = base64.b64decode(json.loads(messages[1][1])["LogResult"]).decode()
        self.assertIn(f"REPORT RequestId: {answer.headers['x-amzn-RequestId']}", log)
        self.assertEqual(answer.headers["X-Amzn-Remapped-Content-Type"], "application/json")

    def test_a_caller_who_wants_the_result_whole_gets_it_whole(self):
        """PLACE-21: Invoke of a function that streams collects up to 6 MiB; beyond, Function.ResponseSizeTooLarge."""
        answer = self.account.invoke("parts", {"mebibytes": 1})
        self.assertEqual((answer.status, answer.body[:5], len(answer.body) > MEBIBYTE), (200, b"first", True))
        answer = self.account.invoke("parts", {"mebibytes": 7})
        self.assertEqual((answer.status, answer.error), (200, "Function.ResponseSizeTooLarge"))
        self.ended()

    def test_failures_before_and_after_the_first_part(self):
        """PLACE-21: what ends a stream before its end is told in InvokeComplete."""
        whole, complete = self.stream("parts", {"fails": True}).collect()
        self.assertEqual((whole, complete["ErrorCode"]), (b"", "Unhandled"))
        self.assertEqual(json.loads(complete["ErrorDetails"])["errorType"], "ValueError")
        answer = self.stream("parts", {"then": "raise"}, headers={"X-Amz-Log-Type": "Tail"})
        whole, complete = answer.collect()
        self.assertEqual((whole, complete["ErrorCode"]), (b"first", "Unhandled"))
        self.assertEqual(json.loads(complete["ErrorDetails"])["errorMessage"], "midway")
        self.assertIn("streaming", base64.b64decode(complete["LogResult"]).decode())
        self.assertEqual(self.record(answer)["outcome"], "function_error")
        # The container is as good as before.
        answer = self.stream("parts")
        self.assertEqual((answer.collect()[1], answer.headers["Wayside-Start-Level"]), ({}, "warm"))
        answer = self.stream("parts", {"then": "exit"})
        whole, complete = answer.collect()
        self.assertEqual((whole, complete["ErrorCode"]), (b"first", "Runtime.ExitError"))
        self.assertEqual(self.record(answer)["endingParty"], "exit")
        self.ended()

    def test_the_time_out_counts_while_the_result_is_streamed(self):
        """PLACE-21: a time-out midway ends the stream with Sandbox.Timedout."""
        self.account.must_create("short", {"app.py": PARTS}, Timeout=1)
        answer = self.stream("short", {"then": "sleep"})
        whole, complete = answer.collect()
        self.assertEqual((whole, complete["ErrorCode"]), (b"first", "Sandbox.Timedout"))
        self.assertEqual(self.record(answer)["endingParty"], "time_out")
        self.ended()

    def test_functions_for_node_stream(self):
        """PLACE-21: awslambda.streamifyResponse and HttpResponseStream."""
        for _ in range(2):
            answer = self.stream("node")
            self.assertEqual(answer.collect(), (b'{"statusCode":201}' + bytes(8) + b"one,two", {}))
            self.assertEqual(answer.headers["X-Amzn-Remapped-Content-Type"], "application/vnd.awslambda.http-integration-response")
        whole, complete = self.stream("node", {"fails": True}).collect()
        self.assertTrue(whole.endswith(b"one,"), whole)
        self.assertEqual(json.loads(complete["ErrorDetails"])["errorType"], "TypeError")

    def test_programs_stream_by_the_runtime_api(self):
        """PLACE-21: the Runtime API's streaming mode, its trailers, and responses without an end."""
        for _ in range(2):
            answer = self.stream("raw")
            self.assertEqual(answer.collect(), (b"one,two", {}))
            self.assertEqual(answer.headers["X-Amzn-Remapped-Content-Type"], "text/csv")
        answer = self.stream("raw", "large")
        self.assertEqual(next(answer), ("PayloadChunk", b"one,"))
        seen = time.monotonic()
        whole, complete = answer.collect()
        self.assertEqual((len(whole) > 64 * MEBIBYTE, complete), (True, {}))
        # Its last part was not made before the first was seen: far more than the way can hold.
        self.assertGreater(float(whole[64 * MEBIBYTE:].removesuffix(b"two")), seen)
        whole, complete = self.stream("raw", "fails").collect()
        self.assertEqual((whole, complete), (b"one,two", {"ErrorCode": "Function.Late", "ErrorDetails": '{"a":1}'}))
        for event, code in (("close", "Runtime.TruncatedResponse"), ("exit", "Runtime.ExitError")):
            whole, complete = self.stream("raw", event).collect()
            self.assertEqual((whole, complete["ErrorCode"]), (b"one,", code))
        self.ended()

    def test_the_command_line_prints_the_result_while_it_is_made(self):
        """PLACE-21: invoke --stream prints the result's bytes as they come, and all of them."""
        with command(self.account, "parts", {"then": "sleep"}) as process:
            self.assertEqual(process.stdout.read(5), b"first")
            self.assertEqual(self.runner.pools()["containersBusy"], 1)
            # Nobody reads any more: that ends the call, although nothing more is made that could not be written.
            process.stdout.close()
            self.assertEqual(process.wait(30), 1)
            self.assertIn(b"Standard output was closed", process.stderr.read())
        self.ended()
        with command(self.account, "parts", {"mebibytes": 16}) as process:
            whole, said = process.communicate(timeout=60)
        digest = hashlib.sha256(whole[5:5 + 16 * MEBIBYTE]).hexdigest().encode()
        self.assertEqual((process.returncode, said, whole[5 + 16 * MEBIBYTE:].split()[0]), (0, b"", digest))

    def test_the_command_line_tells_how_a_stream_ended(self):
        """PLACE-21: invoke --stream says after the result what failed, and ends with 2 if it was the function, else with 1."""
        for name, event, result, code, words in (
                ("parts", {"then": "raise"}, b"first", 2, (b"Unhandled", b"midway")),
                ("parts", {"then": "exit"}, b"first", 2, (b"Runtime.ExitError",)),
                ("parts", {"fails": True}, b"", 2, (b"before the first part",)),
                ("plain", 7, b'{"got": 7}', 0, ()), ("nobody", 7, b"", 1, (b"ResourceNotFoundException",))):
            with self.subTest(name=name, event=event), command(self.account, name, event) as process:
                whole, said = process.communicate(timeout=60)
                self.assertEqual((whole, process.returncode), (result, code), said)
                for word in words:
                    self.assertIn(word, said)
        self.ended()

    def test_errors_of_the_request_are_ordinary_answers(self):
        """PLACE-21: what goes wrong before the first part is the answer that Invoke gives."""
        for name, headers, status in (("nobody", None, 404), ("parts", {"X-Amz-Invocation-Type": "DryRun"}, 204)):
            with contextlib.closing(self.account.stream(name, headers=headers)) as answer:
                self.assertEqual(answer.status, status)


class OnOneNode(StreamCases, NodeTest):
    configuration = {"api": {"streamedMebibytesMax": 0}}
    decision = "run"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.runner, cls.nodes = cls.node, (cls.node,)
        cls.account.node = cls.node
        cls.deploy()


class ThroughAPOP(StreamCases, FleetTest):
    pop = {"placement": RARE, "capacity": {"warming": []}, "api": {"streamedMebibytesMax": 0}}
    decision = "forward"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.runner, cls.nodes = cls.fleet.region, (cls.fleet.pop, cls.fleet.region)
        cls.deploy()


class Limits(FleetTest):
    pop = {"placement": RARE, "capacity": {"warming": []}, "api": {"streamedMebibytesMax": 1}}

    def test_a_result_longer_than_permitted_ends_with_an_error(self):
        """PLACE-21: api.streamedMebibytesMax of the node that the client called holds wherever the function runs."""
        self.account.must_create("parts", {"app.py": PARTS}, Timeout=60)
        with contextlib.closing(self.account.stream("parts", {"mebibytes": 64})) as answer:
            whole, complete = answer.collect()
        self.assertEqual((len(whole), complete["ErrorCode"]), (15 * 65536 + 5, "Function.ResponseSizeTooLarge"))
        wait_for(lambda: self.fleet.region.pools()["containersBusy"] == 0, "the container has ended")


class Losses(FleetTest):
    pop = {"placement": RARE, "capacity": {"warming": []}}

    def test_a_region_that_dies_midway_ends_the_stream_with_an_error(self):
        """PLACE-16: mid-result: the client is told, nothing is tried again, and the record says so."""
        self.account.must_create("parts", {"app.py": PARTS}, Timeout=60)
        with contextlib.closing(self.account.stream("parts", {"then": "sleep"})) as answer:
            self.assertEqual(next(answer), ("PayloadChunk", b"first"))
            self.fleet.region.kill()
            whole, complete = answer.collect()
        self.assertEqual((whole, complete["ErrorCode"]), (b"", "region_failed"))
        record = self.fleet.pop.record_of(answer)
        self.assertEqual((record["decision"], record["errorType"], record["endingParty"], record["responseByteCount"]),
                         ("forward", "region_failed", "region", len(b"first")))
        self.assertEqual([tried["stage"] for tried in record["tries"]], ["mid_result"])
        self.assertEqual(self.fleet.pop.status()["underWay"], 0)


class Uploads(FleetTest):
    pop = {"placement": RARE, "capacity": {"warming": []}}

    def test_large_events_of_many_calls_leave_nothing_in_the_region(self):
        """PLACE-21: payloads of 6 MiB without a pause between them, many times what the region's memory may grow by."""
        self.account.must_create("length", {"app.py": "def handler(event, context):\n    return len(event)\n"}, MemorySize=512, Timeout=60)
        event = "x" * (6 * MEBIBYTE - 2)

        def calls(count):
            for _ in range(count):
                answer, record = self.call("length", event, timeout=120)
                self.assertEqual((answer.status, answer.json(), record["decision"]), (200, len(event), "forward"), answer.body)

        def at_once(count):
            with concurrent.futures.ThreadPoolExecutor(4) as callers:
                for each in [callers.submit(calls, count) for _ in range(4)]:
                    each.result()
        at_once(2)
        before = peak(self.fleet.region)
        at_once(10)
        self.assertLess(peak(self.fleet.region) - before, 64 * MEBIBYTE)


class LossesOnTheCommandLine(FleetTest):
    pop = {"placement": RARE, "capacity": {"warming": []}}

    def test_a_region_that_dies_midway_is_told_after_what_came(self):
        """PLACE-16: what is not the function's failure ends invoke --stream with 1; --explain says what became of the call."""
        self.account.must_create("parts", {"app.py": PARTS}, Timeout=60)
        with command(self.account, "parts", {"then": "sleep"}, "--explain") as process:
            self.assertEqual(process.stdout.read(5), b"first")
            self.fleet.region.kill()
            said, error = process.communicate(timeout=60)
        self.assertEqual((process.returncode, error.startswith(b"Error: region_failed")), (1, True), error)
        self.assertIn("has run, its result was cut off", " ".join(said.decode().split()))


class CutLinks(BedTest):
    def test_a_link_that_is_cut_midway_ends_the_stream_with_an_error(self):
        """PLACE-16: mid-result: a link that breaks is noticed at once, one that falls silent when the call's time is up."""
        self.account.must_create("parts", {"app.py": PARTS}, Timeout=8)
        for how in ("reset", "silence"):
            self.ready()
            with self.subTest(how), contextlib.closing(self.account.stream("parts", {"then": "sleep"})) as answer:
                self.assertEqual(next(answer), ("PayloadChunk", b"first"))
                region = answer.headers["Wayside-Site"]
                self.bed.wire.cut("pop-1", region, how)
                whole, complete = answer.collect()
                self.assertEqual((whole, complete["ErrorCode"]), (b"", "region_failed"))
                record = self.bed["pop-1"].record_of(answer)
                self.assertEqual([(tried["node"], tried["stage"], tried["code"]) for tried in record["tries"]],
                                 [(region, "mid_result", "region_failed")])
                self.bed.wire.mend("pop-1", region)
                wait_for(lambda: self.region_states()[region]["circuit"] == "closed", "it is back")  # noqa: B023


def peak(node):
    """The most memory that a node's process has had, in bytes."""
    status = pathlib.Path(f"/proc/{node.process.pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    unittest.main()
