"""What bad input and bad functions get: a clear error of the API's own shape, an engine unharmed, a neighbour unaffected."""

import contextlib
import datetime
import http.client
import io
import json
import os
import pathlib
import re
import stat
import unittest
import zipfile

from support import ECHO, SLEEP, NodeTest
from wayside_node import wait_for, zipped

API = "http://127.0.0.1:9001/2018-06-01/runtime/invocation"

# name, code, error type, part of the message, ending party; two of them where it is a race between two limits.
BAD_FUNCTIONS = [
    ("raises", "def handler(event, context):\n    raise ValueError('no')\n", "ValueError", "no", "function"),
    ("exits-0", "import os\n\ndef handler(event, context):\n    os._exit(0)\n", "Runtime.ExitError",
     "Runtime exited without providing a reason", "exit"),
    ("exits-7", "import os\n\ndef handler(event, context):\n    os._exit(7)\n", "Runtime.ExitError", "exit status 7", "exit"),
    ("crashes", "import ctypes\n\ndef handler(event, context):\n    ctypes.string_at(0)\n", "Runtime.ExitError", "signal", "exit"),
    ("hangs", "def handler(event, context):\n    while True:\n        pass\n", "Sandbox.Timedout", "Task timed out after 2.00 seconds",
     "time_out"),
    ("forks", "import os\n\ndef handler(event, context):\n    while True:\n        try:\n            os.fork()\n        except OSError:\n"
     "            pass\n", ("Sandbox.Timedout", "Runtime.ExitError"), "RequestId: ", ("time_out", "out_of_memory")),
    ("eats-memory", "def handler(event, context):\n    held = []\n    while True:\n        held.append(bytearray(1 << 20))\n",
     "Runtime.ExitError", "signal: killed", "out_of_memory"),
    ("no-json", "def handler(event, context):\n    return object()\n", "Runtime.MarshalError", "", "function"),
    ("bad-import", "import no_such_module\n", "Runtime.ImportModuleError", "no_such_module", "function"),
    ("bad-syntax", "def handler(:\n", "Runtime.UserCodeSyntaxError", "", "function"),
    ("no-handler", "x = 1\n", "Runtime.HandlerNotFound", "handler", "function"),
    ("closes-socket", "import os\n\ndef handler(event, context):\n    os.close(3)\n    return 1\n", None, "", None),
    ("too-large", "def handler(event, context):\n    return 'x' * 7_000_000\n", "Function.ResponseSizeTooLarge",
     "exceeded maximum allowed payload size (6291556 bytes)", "function"),
]

TWICE = f"""#!/bin/bash
while true; do
    id=$(curl -sf -D - -o /dev/null {API}/next | sed -n 's/^lambda-runtime-aws-request-id: *\\([^[:space:]]*\\).*/\\1/Ip')
    curl -s -o /dev/null -d '"first"' {API}/$id/response
    echo "second $(curl -s -o /dev/null -w '%{{http_code}}' -d '"second"' {API}/$id/response)"
done
"""


class BadInputTest(NodeTest):
    configuration = {"capacity": {"memoryMebibytes": 4096}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.neighbour = cls.node.account("210987654321")
        cls.neighbour.must_create("echo", {"app.py": ECHO})

    def tearDown(self):
        answer = self.neighbour.invoke("echo", {"still": "well"})
        self.assertEqual((answer.status, answer.json()), (200, {"still": "well"}), "the neighbour is affected")
        pools = wait_for(lambda: (lambda pools: pools["containersBusy"] == 0 and pools)(self.node.pools()), "all is given back")
        self.assertEqual((pools["containersStarting"], pools["waiting"]), (0, 0))

    def test_bad_functions_end_in_lambdas_errors_and_harm_nobody(self):
        for name, code, kind, message, party in BAD_FUNCTIONS:
            with self.subTest(name):
                self.account.must_create(name, {"app.py": code}, Timeout=2)
                answer = self.account.invoke(name, headers={"X-Amz-Log-Type": "Tail"})
                self.assertEqual(answer.status, 200, answer.body)
                self.assertEqual(answer.headers["X-Amz-Function-Error"], "Unhandled")
                record = self.node.record_of(answer)
                if kind:
                    self.assertIn(answer.error, kind if isinstance(kind, tuple) else (kind,), answer.body)
                    self.assertIn(record["endingParty"], party if isinstance(party, tuple) else (party,))
                self.assertIn(message, answer.json()["errorMessage"])
                self.assertEqual(record["outcome"], "function_error")
                self.assertIn("REPORT RequestId: ", answer.log)
                self.assertEqual(self.neighbour.invoke("echo", 1).status, 200)

    def test_gigabytes_of_output_are_cut_and_counted(self):
        self.account.must_create("prints", {"app.py": "import os\n\ndef handler(event, context):\n    line = b'x' * 65536\n"
                                            "    for _ in range(16384):\n        os.write(1, line)\n    return 'printed'\n"}, Timeout=60)
        answer = self.account.invoke("prints")
        self.assertEqual(answer.json(), "printed")
        log = self.node.tool("logs", answer.headers["x-amzn-RequestId"]).stdout
        self.assertLess(len(log), 300_000)
        self.assertRegex(log, r"\[\d+ bytes of output are missing here")
        status = pathlib.Path(f"/proc/{self.node.process.pid}/status").read_text(encoding="ascii")
        self.assertLess(int(re.search(r"VmHWM:\s+(\d+)", status)[1]), 400 * 1024)

    def test_a_second_answer_is_refused_and_the_first_one_counts(self):
        self.account.must_create("twice", {"bootstrap": TWICE}, runtime="provided.al2023", handler="bootstrap")
        for _ in range(2):
            self.assertEqual(self.account.invoke("twice").json(), "first")

    def test_a_bundle_without_bootstrap_and_one_that_cannot_run(self):
        self.account.must_create("nothing", {"readme": "no program"}, runtime="provided.al2023", handler="bootstrap")
        answer = self.account.invoke("nothing")
        self.assertEqual((answer.status, answer.error), (200, "Runtime.InvalidEntrypoint"), answer.body)
        self.account.must_create("garbage", {"bootstrap": b"\x7fELFnot a program"}, runtime="provided.al2023", handler="bootstrap")
        answer = self.account.invoke("garbage")
        self.assertEqual(answer.status, 200)
        self.assertIn(answer.error, ("Runtime.ExitError", "Runtime.InvalidEntrypoint"))

    def test_a_missing_handler_file_is_the_functions_error(self):
        self.account.must_create("no-file", {"other.py": ECHO})
        self.assertEqual(self.account.invoke("no-file").error, "Runtime.ImportModuleError")

    def test_zip_traps_are_refused_and_nothing_is_written_outside(self):
        def archive(*entries):
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as package:
                for name, content, mode in entries:
                    info = zipfile.ZipInfo(name)
                    info.external_attr = mode << 16
                    package.writestr(info, content)
            return buffer.getvalue()
        plain = stat.S_IFREG | 0o644
        bomb = io.BytesIO()
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as package:
            for number in range(6):
                package.writestr(f"{number}", bytes(50_000_000))
        traps = {
            "parent": archive(("../../escape-1", b"x", plain)),
            "absolute": archive(("/tmp/escape-2", b"x", plain)),
            "link-out": archive(("out", b"/etc", stat.S_IFLNK | 0o777), ("out/escape-3", b"x", plain)),
            "duplicate": archive(("app.py", b"1", plain), ("app.py", b"2", plain)),
            "device": archive(("null", b"", stat.S_IFCHR | 0o666)),
            "bomb": bomb.getvalue(),
            "no-zip": b"this is not a zip archive",
            "cut-off": zipped({"app.py": ECHO * 100})[:-30],
            "empty": b"",
        }
        for name, package in traps.items():
            with self.subTest(name):
                answer = self.account.create(f"trap-{name}", package)
                self.assertEqual(answer.status, 400, answer.body)
                self.assertIn(answer.error, ("InvalidParameterValueException", "ValidationException"))
                self.assertEqual(self.account.invoke(f"trap-{name}").status, 404)
        for path in ("/tmp/escape-2", "/etc/escape-3", *map(str, pathlib.Path(self.folder).rglob("escape-*"))):
            self.assertFalse(pathlib.Path(path).exists(), path)

    def test_bad_requests_get_the_apis_own_errors(self):
        self.account.must_create("fine", {"app.py": ECHO})
        self.assertEqual(self.account.create("fine", {"app.py": ECHO}).error, "ResourceConflictException")
        self.assertEqual(self.account.create("odd", {"app.py": ECHO}, runtime="cobol74").status, 400)
        self.assertEqual(self.account.invoke("absent").error, "ResourceNotFoundException")
        invalid = self.account.invoke("fine", b'{"a": }')
        self.assertEqual((invalid.status, invalid.error), (400, "InvalidRequestContentException"))
        large = self.account.invoke("fine", b'"' + b"x" * 6_291_456 + b'"')
        self.assertEqual((large.status, large.error), (413, "RequestTooLargeException"))
        event = self.account.invoke("fine", {}, headers={"X-Amz-Invocation-Type": "Event"})
        self.assertGreaterEqual(event.status, 400)
        self.assertIn("not supported", event.body.decode())
        self.assertEqual(self.account.invoke("fine", {}, headers={"X-Amz-Invocation-Type": "DryRun"}).status, 204)

    def test_a_huge_trace_header_harms_nobody(self):
        self.account.must_create("traced", {"app.py": ECHO})
        for size in (100, 2000, 40_000, 66_000, 79_000):
            answer = self.account.invoke("traced", 1, headers={"X-Amzn-Trace-Id": "x" * size})
            self.assertIn(answer.status, (200, 400, 431), size)
            self.assertEqual(self.account.invoke("traced", 2).json(), 2)

    def test_unsigned_expired_forged_and_foreign_requests_are_refused(self):
        path, host = "/2015-03-31/functions/fine/invocations", f"127.0.0.1:{self.node.port}"

        def send(headers):
            connection = http.client.HTTPConnection("127.0.0.1", self.node.port, timeout=20)
            connection.request("POST", path, b"{}", headers)
            response = connection.getresponse()
            result = response.status, response.headers["x-amzn-ErrorType"], json.loads(response.read())
            connection.close()
            return result
        good = self.account.signer.headers("POST", path, b"{}", host)
        ten_minutes_ago = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=10)
        old = self.account.signer.headers("POST", path, b"{}", host, now=ten_minutes_ago)
        cases = [({"host": host}, "MissingAuthenticationTokenException"), (old, "InvalidSignatureException"),
                 (good | {"authorization": good["authorization"][:-1] + "!"}, "InvalidSignatureException"),
                 (good | {"authorization": re.sub("Credential=[A-Z0-9]+", "Credential=AKIAAAAAAAAAAAAAAAAA", good["authorization"])},
                  "UnrecognizedClientException")]
        for headers, name in cases:
            with self.subTest(name):
                status, error, body = send(headers)
                self.assertEqual((status, error), (403, name), body)

    def test_WHOLE_01_accounts_share_nothing(self):
        """WHOLE-01"""
        self.account.must_create("same-name", {"app.py": "import os\n\ndef handler(event, context):\n    return 'first'\n"},
                                 Environment={"Variables": {"SECRET": "a-secret-of-the-first"}})
        self.assertEqual(self.neighbour.invoke("same-name").error, "ResourceNotFoundException")
        self.neighbour.must_create("same-name", {"app.py": "import os\n\ndef handler(event, context):\n    return dict(os.environ)\n"})
        seen = self.neighbour.invoke("same-name").body.decode()
        self.assertNotIn("a-secret-of-the-first", seen)
        self.assertEqual(self.account.invoke("same-name").json(), "first")
        arn = f"arn:aws:lambda:eu-central-1:{self.account.number}:function:same-name"
        foreign = self.neighbour.invoke(arn.replace(":", "%3A"))
        self.assertEqual((foreign.status, foreign.error), (403, "AccessDeniedException"), foreign.body)
        names = [function["FunctionName"] for function in self.neighbour.request("GET", "/2015-03-31/functions").json()["Functions"]]
        self.assertNotIn("fine", names)

    def test_POOL_03_a_spare_instance_holds_no_user_code_and_no_secret(self):
        """POOL-03: every process of spare instances, its environment, files and memory; the same look finds both in one that is used."""
        marks = {b"mark-of-user-code", b"secret-of-the-marked"}
        self.account.must_create("marked", {"app.py": "MARK = 'mark-of-user-code'\n" + ECHO},
                                 Environment={"Variables": {"SECRET": "secret-of-the-marked"}})
        self.account.invoke("marked")
        wait_for(lambda: self.node.pools()["instancesReady"] >= 6, "the warming pool is full again")
        spare, used = [], []
        for processes in self.processes_by_instance().values():
            is_used = any(any((process / "root/var/task").iterdir()) for process in processes if (process / "root/var/task").exists())
            (used if is_used else spare).append(processes)
        self.assertGreaterEqual(len(spare), 6)
        for processes in spare:
            self.assertEqual([(str(process), mark) for process in processes for mark in self.found(process, marks)], [])
        self.assertEqual({mark for processes in used for process in processes for mark in self.found(process, marks)}, marks)

    def processes_by_instance(self):
        """The folders in /proc of this node's processes, by the name of the instance's cgroup."""
        instances, name = {}, re.compile(rf"/wayside-{os.getpid()}-{self.node.name}/(i\d+)")
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (found := name.search((process / "cgroup").read_text())) and (process / "environ").read_bytes():
                    instances.setdefault(found[1], []).append(process)
        return instances

    @classmethod
    def found(cls, process, marks):
        """Those that the process has in its environment, the files that it was given or has left, or the memory that it may write."""
        return {mark for text in cls.texts(process) for mark in marks if mark in text}

    @staticmethod
    def texts(process):
        yield (process / "environ").read_bytes()
        # The first process of an instance stands outside of containers, in folders of the host.
        if (process / "root/var/runtime").exists():
            for path in (path for folder in ("var/task", "tmp", "dev/shm") for path in (process / "root" / folder).iterdir()):
                if path.is_file():
                    yield path.read_bytes()
        with open(process / "mem", "rb", buffering=0) as memory:
            for line in (process / "maps").read_text().splitlines():
                begin, end = (int(part, 16) for part in line.split()[0].split("-"))
                # What is larger is address space that Node reserves.
                if line.split()[1].startswith("rw") and end - begin <= 16 << 20:
                    with contextlib.suppress(OSError):
                        memory.seek(begin)
                        yield memory.read(end - begin)


class StormTest(NodeTest):
    configuration = {"capacity": {"memoryMebibytes": 2048}}

    def test_WHOLE_03_a_storm_of_aborts_crashes_and_timeouts_returns_every_count_to_zero(self):
        """WHOLE-03"""
        self.account.must_create("storm", {"app.py": "import os, time\n\ndef handler(event, context):\n    if event == 'exit':\n"
                                           "        os._exit(1)\n    if event == 'hang':\n        time.sleep(30)\n    return event\n"},
                                 Timeout=1)
        path, host = "/2015-03-31/functions/storm/invocations", f"127.0.0.1:{self.node.port}"
        for round_number in range(5):
            connections = []
            for event in ["ok", "exit", "hang", "abort"] * 8:
                body = json.dumps("hang" if event == "abort" else event).encode()
                connection = http.client.HTTPConnection("127.0.0.1", self.node.port, timeout=30)
                connection.request("POST", path, body, self.account.signer.headers("POST", path, body, host))
                connections.append((event, connection))
            for event, connection in connections:
                if event == "abort":
                    connection.close()
            for event, connection in connections:
                if event != "abort":
                    response = connection.getresponse()
                    body = response.read()
                    self.assertIn(response.status, (200, 429), (round_number, event, body))
                    connection.close()
        pools = wait_for(lambda: (lambda pools: pools["containersBusy"] == 0 and pools)(self.node.pools()), "all is given back")
        self.assertEqual((pools["containersStarting"], pools["waiting"]), (0, 0))
        records = json.loads(self.node.tool("explain", "--function", "storm", "--limit", "500", "--output", "json").stdout)
        self.assertEqual(len(records), 160)
        parties = {record["endingParty"] for record in records}
        self.assertLessEqual({"function", "exit", "time_out", "client"}, parties)


class BodyMemoryTest(NodeTest):
    """16 MiB for the bodies of requests, of which one account's may be half."""

    configuration = {"api": {"bodyMebibytesMax": 16}}

    def held(self):
        return self.node.status()["bodyBytesHeld"]

    def test_events_for_which_there_is_no_memory_are_refused_and_those_that_end_give_it_back(self):
        """One event of 5 MiB is under way; another is refused, a small one is not; the first client goes away."""
        self.account.must_create("slow", {"app.py": SLEEP}, Timeout=120)
        path, host = "/2015-03-31/functions/slow/invocations", f"127.0.0.1:{self.node.port}"
        filler = "x" * (5 << 20)
        body = json.dumps({"seconds": 100, "filler": filler}).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.node.port)
        connection.request("POST", path, body, self.account.signer.headers("POST", path, body, host))
        wait_for(lambda: self.held() == len(body), "it is held")
        refused = self.account.invoke("slow", {"seconds": 0, "filler": filler})
        self.assertEqual((refused.status, refused.headers["Wayside-Error"]), (429, "overloaded"), refused.body)
        self.assertIsNotNone(refused.headers["Retry-After"])
        self.assertEqual(self.account.invoke("slow", {"seconds": 0}).status, 200)
        connection.close()
        wait_for(lambda: self.held() == 0, "it is given back")
        self.assertEqual(self.account.invoke("slow", {"seconds": 0, "filler": filler}).status, 200)
        wait_for(lambda: self.held() == 0, "nothing is held")


if __name__ == "__main__":
    unittest.main()
