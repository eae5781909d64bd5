"""Invocations and their failures through boto3."""

import base64
import concurrent.futures
import json
import pathlib

from conformance import NODE, PROVIDED, ConformanceCase, client, package

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "Runtimes" / "examples"

ACTOR = '''
import json, os, sys, time

def handler(event, context):
    match event.get("do"):
        case "echo": return event
        case "raise": raise ValueError("boom")
        case "exit": os._exit(event["status"])
        case "sleep": time.sleep(30)
        case "unserialisable": return object()
        case "large": return "x" * event["size"]
        case "print":
            print("said by the function")
            return None
        case "context":
            return {
                "request": context.aws_request_id, "arn": context.invoked_function_arn, "name": context.function_name,
                "version": context.function_version, "memory": context.memory_limit_in_mb, "left": context.get_remaining_time_in_millis(),
                "client": context.client_context.custom if context.client_context else None, "environment": dict(os.environ),
            }
'''


class InvokeTest(ConformanceCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.owner = ConformanceCase()
        cls.owner.setUp()
        cls.addClassCleanup(cls.owner.doCleanups)
        cls.name = cls.owner.python(ACTOR, Timeout=2, MemorySize=256, Environment={"Variables": {"KEY": "value"}})

    def do(self, what, **more):
        return self.invoke(self.name, {"do": what, **more})

    def test_the_result_comes_back(self):
        answer = self.do("echo", text="é 😀", list=[1, None, True])
        self.assertEqual(answer["StatusCode"], 200)
        self.assertEqual(answer["ExecutedVersion"], "$LATEST")
        self.assertNotIn("FunctionError", answer)
        self.assertEqual(answer["Value"], {"do": "echo", "text": "é 😀", "list": [1, None, True]})
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        self.assertEqual(headers["content-type"], "application/json")
        self.assertEqual(headers["x-amzn-remapped-content-length"], "0")
        self.assertTrue(headers["x-amzn-trace-id"].startswith("Root=1-"))
        self.assertIn(headers["wayside-decision"], ("run", "forward"))
        self.assertTrue(headers["wayside-reason"] and headers["wayside-site"])

    def test_a_function_is_invoked_by_every_form_of_its_name(self):
        arn = self.api.get_function_configuration(FunctionName=self.name)["FunctionArn"]
        account = arn.split(":")[4]
        for form in [self.name, f"{self.name}:$LATEST", arn, f"{arn}:$LATEST", f"{account}:function:{self.name}"]:
            with self.subTest(form):
                self.assertEqual(self.invoke(form, {"do": "echo"})["Value"], {"do": "echo"})

    def test_the_context_says_what_the_answer_says(self):
        custom = base64.b64encode(json.dumps({"custom": {"a": "b"}}).encode()).decode()
        answer = self.invoke(self.name, {"do": "context"}, ClientContext=custom)
        value = answer["Value"]
        self.assertEqual(value["request"], answer["ResponseMetadata"]["RequestId"])
        self.assertTrue(value["arn"].endswith(f":function:{self.name}"))
        self.assertEqual((value["name"], value["version"], int(value["memory"])), (self.name, "$LATEST", 256))
        self.assertEqual(value["client"], {"a": "b"})
        self.assertTrue(0 < value["left"] <= 2000)
        self.assertEqual(value["environment"]["KEY"], "value")
        self.assertEqual(value["environment"]["AWS_LAMBDA_FUNCTION_NAME"], self.name)
        self.assertEqual(value["environment"]["_HANDLER"], "app.handler")

    def test_a_call_without_an_event_gets_an_empty_one(self):
        name = self.python("def handler(event, context):\n    return event\n")
        self.assertEqual(json.loads(self.api.invoke(FunctionName=name)["Payload"].read()), {})

    def test_none_is_null(self):
        self.assertIsNone(self.do("print")["Value"])

    def test_a_handler_that_raises(self):
        answer = self.do("raise")
        self.assertEqual(self.failed(answer, "ValueError"), "boom")
        self.assertTrue(any("raise ValueError" in line for line in answer["Value"]["stackTrace"]))
        self.assertEqual(self.do("echo")["Value"], {"do": "echo"})

    def test_a_handler_that_exits(self):
        answer = self.do("exit", status=3)
        request = answer["ResponseMetadata"]["RequestId"]
        self.assertEqual(self.failed(answer, "Runtime.ExitError"), f"RequestId: {request} Error: Runtime exited with error: exit status 3")
        answer = self.do("exit", status=0)
        request = answer["ResponseMetadata"]["RequestId"]
        self.assertEqual(self.failed(answer, "Runtime.ExitError"), f"RequestId: {request} Error: Runtime exited without providing a reason")
        self.assertEqual(self.do("echo")["Value"], {"do": "echo"})

    def test_a_handler_that_takes_too_long(self):
        answer = self.do("sleep")
        request = answer["ResponseMetadata"]["RequestId"]
        self.assertEqual(self.failed(answer, "Sandbox.Timedout"), f"RequestId: {request} Error: Task timed out after 2.00 seconds")
        self.assertEqual(self.do("echo")["Value"], {"do": "echo"})

    def test_a_result_that_is_no_json(self):
        self.assertTrue(self.failed(self.do("unserialisable"), "Runtime.MarshalError").startswith("Unable to marshal response: "))

    def test_a_result_that_is_too_large(self):
        self.assertEqual(len(self.do("large", size=6_000_000)["Value"]), 6_000_000)
        self.assertEqual(
            self.failed(self.do("large", size=6_291_557), "Function.ResponseSizeTooLarge"),
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).")

    def test_the_end_of_the_log(self):
        answer = self.invoke(self.name, {"do": "print"}, LogType="Tail")
        request = answer["ResponseMetadata"]["RequestId"]
        log = base64.b64decode(answer["LogResult"]).decode()
        for part in [f"START RequestId: {request} Version: $LATEST\n", "said by the function\n", f"END RequestId: {request}\n",
                     f"REPORT RequestId: {request}\tDuration: ", "\tMemory Size: 256 MB\tMax Memory Used: "]:
            self.assertIn(part, log)
        self.assertNotIn("LogResult", self.do("print"))

    def test_an_event_that_is_no_json(self):
        self.refused(
            "InvalidRequestContentException", 400, "Could not parse request body into json: Could not parse payload into json: …",
            self.api.invoke, FunctionName=self.name, Payload=b"{")

    def test_an_event_that_is_too_large(self):
        self.refused(
            "RequestTooLargeException", 413, "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
            self.api.invoke, FunctionName=self.name, Payload=json.dumps("x" * 6_291_455))

    def test_a_dry_run(self):
        answer = self.api.invoke(FunctionName=self.name, InvocationType="DryRun")
        self.assertEqual((answer["StatusCode"], answer["Payload"].read()), (204, b""))

    def test_invocation_types_that_are_not_there(self):
        unvalidated = client(parameter_validation=False)
        self.refused(
            "ValidationException", 400,
            "1 validation error detected: Value 'Never' at 'invocationType' failed to satisfy constraint: "
            "Member must satisfy enum value set: [Event, RequestResponse, DryRun]",
            unvalidated.invoke, FunctionName=self.name, InvocationType="Never")
        self.refused(
            "InvalidParameterValueException", 400, "InvocationType Event is not supported by this engine. Use RequestResponse.",
            self.api.invoke, FunctionName=self.name, InvocationType="Event")

    def test_code_without_its_handler(self):
        missing = self.python("x = 1\n", handler="elsewhere.handler")
        self.assertIn("Unable to import module 'elsewhere'", self.failed(self.invoke(missing), "Runtime.ImportModuleError"))
        nothing = self.python("x = 1\n")
        self.assertTrue(self.failed(self.invoke(nothing), "Runtime.HandlerNotFound"))
        raises = self.python("raise KeyError('k')\n")
        self.assertTrue(self.failed(self.invoke(raises), "KeyError"))

    def test_new_code_is_called_as_soon_as_it_is_there(self):
        name = self.python("def handler(event, context):\n    return 0\n")
        for number in range(1, 6):
            self.invoke(name)
            code = package({"app.py": f"def handler(event, context):\n    return {number}\n"})
            self.api.update_function_code(FunctionName=name, ZipFile=code)
            self.assertEqual(self.invoke(name)["Value"], number)

    def test_node(self):
        name, _ = self.create(
            {"app.mjs": "export const handler = async (event) => { if (event.fail) throw new TypeError('bad'); return event; };\n"},
            runtime=NODE)
        self.assertEqual(self.invoke(name, {"a": 1})["Value"], {"a": 1})
        self.assertEqual(self.failed(self.invoke(name, {"fail": True}), "TypeError"), "bad")

    def test_provided(self):
        files = {"bootstrap": (EXAMPLES / "hello-bash" / "bootstrap").read_text()}
        name, _ = self.create(files, handler=None, runtime=PROVIDED, Timeout=10)
        self.assertEqual(self.invoke(name, {"a": 1})["Value"], {"message": "Hello from bash", "event": {"a": 1}})
        nothing, _ = self.create({"readme": "no bootstrap here"}, handler=None, runtime=PROVIDED)
        self.assertIn("Couldn't find valid bootstrap", self.failed(self.invoke(nothing), "Runtime.InvalidEntrypoint"))

    def test_calls_at_the_same_time(self):
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            values = list(threads.map(lambda number: self.do("echo", number=number)["Value"]["number"], range(64)))
        self.assertEqual(values, list(range(64)))
