"""The example functions of the provided runtime, against runtime_api.py in place of the daemon."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from support import daemon
from support.runtime_api import PREFIX, TIMEOUT, RuntimeAPI

EXAMPLES = daemon.RUNTIMES / "examples"


def start(folder, api, handler="app.handler"):
    """Run the bootstrap of the bundle in `folder`."""
    extra = {"AWS_LAMBDA_RUNTIME_API": api.address, "_HANDLER": handler}
    return subprocess.Popen(
        [str(pathlib.Path(folder, "bootstrap"))],
        cwd=folder,
        env=daemon.variables(folder, "AWS_Lambda_provided.al2023", extra),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def stop(process):
    """End the bootstrap with what it has started, and return its output."""
    os.killpg(process.pid, signal.SIGKILL)
    return process.communicate(timeout=TIMEOUT)[0].decode()


class StaticC(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="wayside-hello-c-")
        for name in ("Makefile", "bootstrap.c"):
            shutil.copy(EXAMPLES / "hello-c" / name, cls.folder)
        subprocess.run(["make", "-s", "-C", cls.folder], check=True)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def run_calls(self, habit, events):
        with RuntimeAPI(habit) as api:
            process = start(self.folder, api)
            try:
                for number, event in enumerate(events):
                    path, headers, body = api.call(f"id-{number}", event)
                    self.assertEqual(path, f"{PREFIX}invocation/id-{number}/response")
                    self.assertEqual(json.loads(body), {"message": "Hello from C"})
                self.assertIsNone(process.poll())
                return api
            finally:
                self.assertEqual(stop(process), "")

    def test_it_answers_over_one_connection(self):
        api = self.run_calls(None, [b"{}", b'"%s"' % (b"x" * 6_291_454), b"1"] * 2)
        self.assertEqual(api.connections, 1)

    def test_answer_and_next_question_arrive_together(self):
        api = self.run_calls(None, [b"{}"] * 100)
        self.assertLessEqual(api.recv_calls, 102)  # one a call, and the first GET

    def test_servers_with_other_manners(self):
        for habit in ("close after post", "drop after next", "lower case", "small pieces"):
            with self.subTest(habit=habit):
                self.run_calls(habit, [b'{"a":1}', b"2", b'"three"'])

    def test_an_address_that_is_none(self):
        for address, message in (
            ("nonsense", "not ADDRESS:PORT"),
            ("host.name:1", "IPv4"),
            ("127.0.0.1:1", "no connection"),
        ):
            done = subprocess.run(
                [f"{self.folder}/bootstrap"], env={"AWS_LAMBDA_RUNTIME_API": address}, capture_output=True, text=True
            )
            self.assertEqual(done.returncode, 1)
            self.assertIn(message, done.stderr)


class Scripts(unittest.TestCase):
    def test_hello_bash(self):
        for habit in (None, "lower case"):
            with self.subTest(habit=habit), RuntimeAPI(habit) as api:
                process = start(EXAMPLES / "hello-bash", api)
                try:
                    for number, event in enumerate((b'{"a":"\xc3\xbc %s \\\\n"}', b'"%s"' % (b"x" * 200_000))):
                        _, _, body = api.call(f"id-{number}", event)
                        self.assertEqual(json.loads(body), {"message": "Hello from bash", "event": json.loads(event)})
                finally:
                    log = stop(process)
                self.assertIn("call id-0, event of", log)

    @unittest.skipUnless(
        os.environ.get("AWSLAMBDARIC_PACKAGES"), "AWSLAMBDARIC_PACKAGES names no folder made by `pip install --target`"
    )
    def test_awslambdaric(self):
        with tempfile.TemporaryDirectory() as folder, RuntimeAPI() as api:
            shutil.copytree(EXAMPLES / "awslambdaric-python", folder, dirs_exist_ok=True)
            os.symlink(os.environ["AWSLAMBDARIC_PACKAGES"], f"{folder}/packages")
            process = start(folder, api)
            try:
                _, _, body = api.call("id-1", b'{"a":1}')
                self.assertEqual(json.loads(body), {"event": {"a": 1}, "requestId": "id-1", "awslambdaric": True})
            finally:
                stop(process)


class FrameExamples(unittest.TestCase):
    """The Python and Node examples, through their own runtimes."""

    def call(self, name, event, handler="app.handler"):
        folder = EXAMPLES / name
        runtime = "node" if name.endswith("node") else "python"
        files = {path.name: path.read_text() for path in folder.iterdir() if path.suffix in (".py", ".mjs")}
        with daemon.Function(runtime, files, handler) as function:
            self.assertEqual(function.init_answer[0], daemon.READY)
            kind, payload = function.invoke(event)
            return kind, json.loads(payload)

    def test_hello_and_noop(self):
        for language in ("python", "node"):
            expected = {"message": "Hello, Ada!", "function": "probe"}
            self.assertEqual(self.call(f"hello-{language}", {"name": "Ada"}), (daemon.RESULT, expected))
            self.assertEqual(self.call(f"noop-{language}", {"a": 1}), (daemon.RESULT, {"a": 1}))

    def test_order_summary(self):
        items = [{"price": "0.10", "quantity": 3, "currency": "EUR"}, {"price": "5", "currency": "CHF"}]
        totals = [{"currency": "CHF", "amount": "5.00"}, {"currency": "EUR", "amount": "0.30"}]
        self.assertEqual(
            self.call("order-summary-python", {"items": items}), (daemon.RESULT, {"items": 2, "totals": totals})
        )
        kind, error = self.call("order-summary-python", {"items": [{"price": "x", "currency": "EUR"}]})
        self.assertEqual((kind, error["errorType"]), (daemon.ERROR, "InvalidOrder"))

    def test_page_render(self):
        kind, answer = self.call("page-render-node", {"products": [{"name": "<b>", "price": 1}]})
        self.assertEqual((kind, answer["statusCode"]), (daemon.RESULT, 200))
        self.assertIn("<td>&lt;b&gt;</td><td>1</td>", answer["body"])


if __name__ == "__main__":
    unittest.main()
