"""The Python runtime in plain mode, function by function."""

import json
import unittest

import daemon
from daemon import ARN, ERROR, READY, RESULT, Function


def python(source, handler="app.handler", files=None, **options):
    return Function("python", {"app.py": source, **(files or {})}, handler, **options)


class Answers(unittest.TestCase):
    def call(self, source, event=None, kind=RESULT, **options):
        with python(source, **options) as function:
            self.assertEqual(function.init_answer, (READY, 0, b""))
            answer_kind, payload = function.invoke(event)
            self.assertEqual(answer_kind, kind, payload)
            return json.loads(payload)

    def test_the_event_comes_in_and_the_result_goes_out(self):
        echo = "def handler(event, context): return event"
        for event in ({"a": [1, 2.5, None, True]}, [], "text", 0, None, {"ünï": "漢字 🚀 \u2028"}):
            with self.subTest(event=event):
                self.assertEqual(self.call(echo, event), event)

    def test_all_spellings_of_a_handler(self):
        source = "def handler(event, context): return __name__"
        files = {"app.py": "", "pkg/__init__.py": "", "pkg/mod.py": source, "plain/mod.py": source}
        for handler, module in (
            ("pkg/mod.handler", "pkg.mod"),
            ("pkg.mod.handler", "pkg.mod"),
            ("plain.mod.handler", "plain.mod"),
        ):
            with self.subTest(handler=handler), Function("python", files, handler) as function:
                self.assertEqual(function.invoke(), (RESULT, json.dumps(module).encode()))

    def test_types_that_only_lambda_turns_into_json(self):
        source = (
            "from decimal import Decimal\n"
            "def handler(event, context):\n"
            "    return [Decimal('1.5'), Decimal('7'), Decimal('1E+2'), Decimal(10) ** 20, b'bytes', (1, 2)]\n"
        )
        self.assertEqual(self.call(source), [1.5, 7, 100, 10**20, "bytes", [1, 2]])

    def test_a_result_of_bytes_passes_unchanged(self):
        with python("def handler(event, context): return b'\\xff not json'") as function:
            self.assertEqual(function.invoke(), (RESULT, b"\xff not json"))

    def test_non_ascii_is_escaped_as_the_chosen_runtime_does_it(self):
        for environment, expected in (
            ("AWS_Lambda_python3.11", b'"\\u00e9"'),
            ("AWS_Lambda_python3.12", '"é"'.encode()),
        ):
            with python("def handler(e, c): return 'é'", execution_environment=environment) as function:
                self.assertEqual(function.invoke(), (RESULT, expected))

    def test_payloads_of_six_megabytes(self):
        with python("def handler(event, context): return event") as function:
            text = "x" * (6_291_456 - 2)
            for _ in range(2):
                kind, payload = function.invoke(text)
                self.assertEqual((kind, len(payload)), (RESULT, 6_291_456))
            self.assertEqual(function.invoke(1), (RESULT, b"1"))

    def test_an_answer_over_the_limit(self):
        source = "def handler(event, context): return 'x' * (event - 2)"
        with python(source) as function:
            self.assertEqual(function.invoke(6_291_556)[0], RESULT)
            kind, payload = function.invoke(6_291_557)
        self.assertEqual(kind, ERROR)
        self.assertEqual(
            json.loads(payload),
            {
                "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
                "errorType": "Function.ResponseSizeTooLarge",
            },
        )

    def test_frames_split_and_joined_anywhere(self):
        with python("def handler(event, context): return event") as function:
            for byte in function.invoke_bytes("slow"):
                function.connection.sendall(bytes([byte]))
            self.assertEqual(function.receive(), (RESULT, 1, b'"slow"'))
            function.connection.sendall(function.invoke_bytes(2) + function.invoke_bytes(3)[:20])
            self.assertEqual(function.receive(), (RESULT, 2, b"2"))
        with python("def handler(event, context): return event", initialise=False) as function:
            init = json.dumps({"handler": "app.handler", "environment": function.environment}).encode()
            function.connection.sendall(daemon.frame(daemon.INIT, 0, init) + function.invoke_bytes("joined"))
            self.assertEqual(function.receive(), (READY, 0, b""))
            self.assertEqual(function.receive(), (RESULT, 1, b'"joined"'))


class Failures(unittest.TestCase):
    def test_initialisation_fails_with_the_names_and_texts_of_lambda(self):
        cases = [
            (
                "missing.handler",
                "",
                "Runtime.ImportModuleError",
                "Unable to import module 'missing': No module named 'missing'",
            ),
            (
                "app.handler",
                "import nothing",
                "Runtime.ImportModuleError",
                "Unable to import module 'app': No module named 'nothing'",
            ),
            ("app.absent", "", "Runtime.HandlerNotFound", "Handler 'absent' missing on module 'app'"),
            (
                "app",
                "",
                "Runtime.MalformedHandlerName",
                "Bad handler 'app': not enough values to unpack (expected 2, got 1)",
            ),
            ("time.sleep", "", "Runtime.BuiltInModuleConflict", "Cannot use built-in module time as a handler module"),
            (
                "app.handler",
                "def handler(:",
                "Runtime.UserCodeSyntaxError",
                "Syntax error in module 'app': invalid syntax (app.py, line 1)",
            ),
            ("app.handler", "raise KeyError('k')", "KeyError", "'k'"),
        ]
        for handler, source, error_type, message in cases:
            with self.subTest(error_type=error_type, handler=handler), python(source, handler) as function:
                error = function.init_error()
                self.assertEqual(
                    (error["errorType"], error["errorMessage"], error["requestId"]), (error_type, message, "")
                )
                self.assertEqual(function.exit_status(), 1)
                self.assertIn(f"[ERROR] {error_type}: {message}\nTraceback (most recent call last):\n", function.log())

    def test_the_stack_trace_of_an_import_shows_user_code(self):
        with python("def f():\n    1 / 0\nf()\n") as function:
            trace = function.init_error()["stackTrace"]
        self.assertTrue(trace[-1].endswith('app.py", line 2, in f\n    1 / 0\n'), trace)
        self.assertNotIn("wayside_runtime", "".join(trace))

    def test_a_syntax_error_shows_its_line(self):
        with python("x = 1\ndef handler(:\n") as function:
            [entry] = function.init_error()["stackTrace"]
            self.assertEqual(entry, f'  File "{function.task_root}/app.py" Line 2\n    def handler(:\n')

    def test_an_exception_of_the_handler(self):
        source = "class Mine(Exception): pass\ndef handler(event, context):\n    raise Mine('näh', 2)\n"
        with python(source) as function:
            kind, payload = function.invoke()
            error = json.loads(payload)
            self.assertEqual(kind, ERROR)
            self.assertEqual(error["errorType"], "Mine")
            self.assertEqual(error["errorMessage"], "('näh', 2)")
            self.assertEqual(error["requestId"], daemon.REQUEST_ID.format(1))
            expected = f"  File \"{function.task_root}/app.py\", line 3, in handler\n    raise Mine('näh', 2)\n"
            self.assertEqual(error["stackTrace"], [expected])
            self.assertEqual(
                function.log(), f"[ERROR] Mine: ('näh', 2)\nTraceback (most recent call last):\n{expected}"
            )
            self.assertEqual(function.invoke()[0], ERROR)  # and it lives on

    def test_results_and_events_that_are_no_json(self):
        with python("def handler(event, context): return {1, 2}") as function:
            error = json.loads(function.invoke()[1])
            self.assertEqual(error["errorType"], "Runtime.MarshalError")
            self.assertEqual(
                error["errorMessage"], "Unable to marshal response: Object of type set is not JSON serializable"
            )
            self.assertEqual(error["stackTrace"], [])
            error = json.loads(function.invoke(b"{")[1])
            self.assertEqual(error["errorType"], "Runtime.UnmarshalError")
            self.assertTrue(
                error["errorMessage"].startswith("Unable to unmarshal input: Expecting property name"), error
            )

    def test_an_error_that_no_utf8_can_carry_is_still_answered(self):
        with python(
            "def handler(event, context): raise ValueError('\\udc80')", execution_environment="AWS_Lambda_python3.12"
        ) as function:
            kind, payload = function.invoke()
            self.assertEqual((kind, json.loads(payload)["errorType"]), (ERROR, "ValueError"))

    def test_an_exit_ends_the_process_without_an_answer(self):
        for statement, status in (
            ("sys.exit(3)", 3),
            ("sys.exit()", 0),
            ("exit(4)", 4),
            ("os._exit(5)", 5),
            ("sys.exit('why')", 1),
        ):
            with self.subTest(statement=statement):
                with python(
                    f"import os, sys\ndef handler(event, context):\n    print('last words')\n    {statement}"
                ) as function:
                    with self.assertRaises(EOFError):
                        function.invoke()
                    self.assertEqual(function.exit_status(), status)
                    self.assertIn("last words\n", function.log())

    def test_an_exit_on_import(self):
        with python("import sys; sys.exit(9)", initialise=False) as function:
            function.send_init("app.handler", function.environment)
            with self.assertRaises(EOFError):
                function.receive()
            self.assertEqual(function.exit_status(), 9)

    def test_the_daemon_goes_away(self):
        with python(
            "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\ndef handler(e, c): pass"
        ) as function:
            function.connection.shutdown(2)
            self.assertEqual(function.exit_status(), 0)

    def test_a_frame_of_another_version_or_type_ends_the_process(self):
        for bad in (b"\0\0\0\0\4\2\0\0\1\0\0\0", b"\0\0\0\0\7\1\0\0\1\0\0\0", b"\xff\xff\xff\xff\4\1\0\0\1\0\0\0"):
            with self.subTest(bad=bad), python("def handler(event, context): pass") as function:
                function.connection.sendall(bad)
                self.assertEqual(function.exit_status(), 1)
                self.assertIn("ProtocolError", function.log())


class Surroundings(unittest.TestCase):
    def test_the_environment_is_exactly_that_of_init(self):
        source = (
            "import os, subprocess, sys, time\n"
            "def handler(event, context):\n"
            "    outer = subprocess.getoutput('env')\n"
            "    return [dict(os.environ), os.getcwd(), sys.path, time.tzname[0], sys.argv, outer]\n"
        )
        with python(source, TZ="Asia/Tokyo", PYTHONPATH="/opt/mine:/opt/python", MINE="é") as function:
            environ, folder, path, zone, argv, outer = json.loads(function.invoke()[1])
            self.assertEqual(environ, function.environment)
            self.assertEqual(folder, function.task_root)
            self.assertEqual(
                path[:4], [function.task_root, "/opt/python/lib/python3.11/site-packages", "/opt/python", "/opt/mine"]
            )
            self.assertFalse([entry for entry in path if "dist-packages" in entry or "Runtimes" in entry], path)
            self.assertEqual(zone, "JST")
            self.assertEqual(len(argv), 1)
            self.assertNotIn("OPERATOR_SECRET", outer)
            self.assertIn("MINE=é", outer)

    def test_the_context(self):
        source = (
            "import json\n"
            "def handler(event, context):\n"
            "    names = ['aws_request_id', 'invoked_function_arn', 'function_name', 'function_version',\n"
            "             'memory_limit_in_mb', 'log_group_name', 'log_stream_name', 'tenant_id']\n"
            "    client = context.client_context\n"
            "    return {**{name: getattr(context, name) for name in names},\n"
            "            'left': context.get_remaining_time_in_millis(),\n"
            "            'identity': context.identity.cognito_identity_id, 'repr': repr(context),\n"
            "            'client': client and [client.custom, client.env,\n"
            "                                  client.client.app_title, client.client.installation_id]}\n"
        )
        with python(source) as function:
            client = '{"custom":{"k":"ü"},"client":{"app_title":"t"}}'
            context = json.loads(function.invoke({}, client_context=client)[1])
            self.assertTrue(2000 < context.pop("left") <= 3000)
            self.assertIn(f"aws_request_id={daemon.REQUEST_ID.format(1)}", context.pop("repr"))
            expected = {
                "aws_request_id": daemon.REQUEST_ID.format(1),
                "invoked_function_arn": ARN,
                "function_name": "probe",
                "function_version": "$LATEST",
                "memory_limit_in_mb": "128",
                "log_group_name": "/aws/lambda/probe",
                "log_stream_name": "2026/01/02/[$LATEST]0123",
                "tenant_id": None,
                "identity": None,
                "client": [{"k": "ü"}, None, "t", None],
            }
            self.assertEqual(context, expected)
            context = json.loads(function.invoke({}, deadline_ms=5)[1])
            self.assertEqual((context["left"], context["client"]), (0, None))
            error = json.loads(function.invoke({}, client_context="{")[1])
            self.assertEqual(error["errorType"], "Runtime.LambdaContextUnmarshalError")

    def test_the_trace_id_is_that_of_each_call(self):
        with python("import os\ndef handler(event, context): return os.environ.get('_X_AMZN_TRACE_ID')") as function:
            for trace_id, expected in (
                ("Root=1", b'"Root=1"'),
                ("Root=2", b'"Root=2"'),
                ("Root=2", b'"Root=2"'),
                ("", b"null"),
            ):
                self.assertEqual(function.invoke(trace_id=trace_id), (RESULT, expected))

    def test_the_socket_stays_out_of_the_way_of_subprocesses(self):
        with python(
            "import subprocess\n"
            "def handler(e, c): return subprocess.call('true <&3', shell=True, close_fds=False, stderr=-3)"
        ) as function:
            self.assertNotEqual(function.invoke(), (RESULT, b"0"))


class Log(unittest.TestCase):
    def test_the_log_is_complete_when_the_answer_comes(self):
        source = (
            "import sys, subprocess\n"
            "def handler(event, context):\n"
            "    print('one')\n"
            "    print('two', file=sys.stderr)\n"
            "    subprocess.run(['echo', 'three'])\n"
            "    sys.stdout.write('fo'); print('ur')\n"
            "    print('five \\udc80', end='')\n"
        )
        with python(source) as function:
            for _ in range(3):
                function.invoke()
                self.assertEqual(function.log(), "one\ntwo\nthree\nfour\nfive \\udc80")

    def test_logging_has_level_time_and_request_id(self):
        source = (
            "import logging\nlogging.warning('early')\n"
            "def handler(event, context):\n"
            "    logging.getLogger().setLevel('INFO'); logging.info('a %s', 1); logging.getLogger('x').debug('no')\n"
        )
        stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
        with python(source) as function:
            self.assertRegex(function.log(), rf"^\[WARNING\]\t{stamp}\t\tearly\n$")
            function.invoke()
            self.assertRegex(function.log(), rf"^\[INFO\]\t{stamp}\t{daemon.REQUEST_ID.format(1)}\ta 1\n$")

    def test_a_function_may_close_its_output(self):
        with python(
            "import sys\ndef handler(event, context):\n    sys.stdout = None; sys.stderr.close(); 1 / event"
        ) as function:
            self.assertEqual(function.invoke(1), (RESULT, b"null"))
            self.assertEqual(function.invoke(0)[0], ERROR)


if __name__ == "__main__":
    unittest.main()
