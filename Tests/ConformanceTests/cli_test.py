"""The AWS command line, as its users call it."""

import json
import os
import pathlib
import subprocess
import tempfile
import uuid

from conformance import PYTHON, ROLE, ConformanceCase, Engine, package


class CommandLineTest(ConformanceCase):
    def aws(self, *arguments, fails=False):
        """Runs `aws lambda …` and answers what it printed; what it complained of when it must fail."""
        environment = {
            **os.environ, "AWS_ACCESS_KEY_ID": Engine.access_key, "AWS_SECRET_ACCESS_KEY": Engine.secret_key,
            "AWS_DEFAULT_REGION": Engine.region, "AWS_MAX_ATTEMPTS": "1", "AWS_PAGER": "",
            # Nothing lies there: the tests depend on no settings of the machine.
            "AWS_CONFIG_FILE": "/nonexistent/config", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent/credentials",
        }
        environment.pop("AWS_SESSION_TOKEN", None)
        done = subprocess.run(
            [Engine.aws, "--endpoint-url", Engine.endpoint, "--output", "json", "lambda", *arguments],
            env=environment, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode != 0, fails, done.stderr)
        if fails:
            return done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def test_a_function_from_creation_to_removal(self):
        name = f"conformance-{uuid.uuid4().hex[:12]}"
        self.addCleanup(self.remove, self.api, name)
        with tempfile.TemporaryDirectory() as folder:
            archive, event, output = (pathlib.Path(folder, name) for name in ("code.zip", "event.json", "out.json"))
            archive.write_bytes(package({"app.py": "def handler(event, context):\n    return [1, event]\n"}))
            made = self.aws(
                "create-function", "--function-name", name, "--runtime", PYTHON, "--handler", "app.handler", "--role", ROLE,
                "--zip-file", f"fileb://{archive}", "--environment", "Variables={KEY=value}")
            self.assertEqual(made["FunctionName"], name)
            self.aws("wait", "function-active-v2", "--function-name", name)
            # The event from a file, because the two versions of the tool take it differently from the command line.
            event.write_text('{"a":1}')
            answer = self.aws("invoke", "--function-name", name, "--payload", f"fileb://{event}", str(output))
            self.assertEqual(answer["StatusCode"], 200)
            self.assertEqual(json.loads(output.read_text()), [1, {"a": 1}])
            archive.write_bytes(package({"app.py": "def handler(event, context):\n    return [2, event]\n"}))
            updated = self.aws("update-function-code", "--function-name", name, "--zip-file", f"fileb://{archive}", "--publish")
            self.assertEqual(updated["Version"], "1")
            self.aws("wait", "function-updated-v2", "--function-name", name)
            self.aws("invoke", "--function-name", f"{name}:1", "--payload", f"fileb://{event}", str(output))
            self.assertEqual(json.loads(output.read_text()), [2, {"a": 1}])
        changed = self.aws("update-function-configuration", "--function-name", name, "--timeout", "5")
        self.assertEqual(changed["Timeout"], 5)
        self.assertIn(name, [item["FunctionName"] for item in self.aws("list-functions")["Functions"]])
        self.assertEqual(len(self.aws("list-versions-by-function", "--function-name", name)["Versions"]), 2)
        self.aws("delete-function", "--function-name", name)
        error = self.aws("get-function", "--function-name", name, fails=True)
        self.assertIn("(ResourceNotFoundException) when calling the GetFunction operation: Function not found: ", error)
