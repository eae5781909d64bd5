"""A function's sandbox from its owner's side: looked at, learned, narrowed, and executed alone."""

import json
import os
import tempfile
import unittest

from support import NodeTest
from wayside_node import wait_for

PROBE = """
import os, socket

def handler(event, context):
    if event.get("socket"):
        try:
            socket.socket(socket.AF_UNIX).close()
            return "made"
        except OSError as error:
            return error.errno
    return os.getpid()
"""
ENOSYS = 38


class SandboxTest(NodeTest):
    configuration = {"capacity": {"warming": ["python=1"]}}

    def setUp(self):
        self.code = tempfile.mkdtemp(dir=self.folder)
        with open(f"{self.code}/app.py", "w", encoding="ascii") as file:
            file.write(PROBE)
        self.name = self.id().rsplit(".", 1)[-1].replace("_", "-")[:60]

    def deploy(self, *options, handler="app.handler"):
        self.node.tool("deploy", self.name, self.code, "--runtime", "python3.11", "--handler", handler, *options,
                       environment=self.account.environment)

    def call(self, event):
        answer = self.account.invoke(self.name, event)
        return json.loads(answer.body), answer

    def profile(self, text):
        path = os.path.join(self.folder, f"{self.name}.json")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return path

    def test_explain_says_what_the_kernel_says(self):
        self.deploy()
        report = json.loads(self.node.tool("sandbox", "explain", self.name, "--output", "json").stdout)
        sections = {section["name"]: section["lines"] for section in report["report"]["sections"]}
        self.assertIn("NoNewPrivs:\t1", sections["status"])
        self.assertIn("CapEff:\t0000000000000000", sections["status"])
        self.assertTrue(any(line.startswith("refuse mount ") for line in sections["seccomp"]))
        text = self.node.tool("sandbox", "explain", self.name).stdout
        for word in ("user", "/tmp", "Landlock", "egress"):
            self.assertIn(word, text)

    def test_a_learned_profile_permits_what_was_seen_and_nothing_else(self):
        self.deploy()
        learned = self.node.tool("sandbox", "learn", self.name, "--payload", "{}")
        names = json.loads(learned.stdout)["systemCalls"]
        self.assertNotIn("socket", names)
        self.assertIn("fewer than the", learned.stderr)
        self.assertEqual(self.call({"socket": 1})[0], "made")
        self.deploy("--seccomp-profile", self.profile(learned.stdout))
        body, answer = self.call({})
        self.assertIsInstance(body, int)
        self.assertIn(answer.headers["Wayside-Start-Level"], ("zygote", "container"))
        self.assertEqual(self.call({"socket": 1})[0], ENOSYS)
        # Learned from a process that was executed, so it holds for one as well.
        self.node.tool("account", "set", "123456789012", "--isolation", "exec")
        self.addCleanup(self.node.tool, "account", "set", "123456789012", "--isolation", "shared")

        def starts_anew():
            body, answer = self.call({})
            self.assertIsInstance(body, int)
            return answer.headers["Wayside-Start-Level"] in ("container", "boot")

        wait_for(starts_anew, "a container that is executed")
        self.assertEqual(self.call({"socket": 1})[0], ENOSYS)

    def test_a_profile_with_a_name_that_is_none_is_the_functions_error(self):
        self.deploy("--seccomp-profile", self.profile(json.dumps({"systemCalls": ["read", "nonsense"]})))
        body, answer = self.call({})
        self.assertEqual((answer.status, body["errorType"]), (200, "Sandbox.InvalidProfile"))

    def test_learning_from_failures_alone_is_refused(self):
        self.deploy(handler="app.missing")
        done = self.node.tool("sandbox", "learn", self.name, check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("failed with every event", done.stderr)


if __name__ == "__main__":
    unittest.main()
