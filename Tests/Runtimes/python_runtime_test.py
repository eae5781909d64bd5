"""The Python runtime in plain mode, function by function."""

import json
import unittest

from support import daemon
from support.cases import SharedCases
from support.daemon import ARN, ERROR, READY, RESULT, Function


def python(source, handler="app.handler", files=None, **options):
    return Function("python", {"app.py": source, **(files or {})}, handler, **options)


class Shared(SharedCases, unittest.TestCase):
    runtime, file, handler, protocol_error_status = "python", "app.py", "app.handler", 1

    echo = "def handler(event, context): return event"
    fill = "def handler(event, context): return 'x' * (event - 2)"
    trace = "import os\ndef handler(event, context): return os.environ.get('_X_AMZN_TRACE_ID')"
    surroundings = (
        "import os, subprocess\n"
        "def handler(event, context): return [dict(os.environ), os.getcwd(), subprocess.getoutput('env')]"
    )
    use_socket = (
        "import subprocess\n"
        "def handler(e, c): return subprocess.call('true <&3', shell=True, close_fds=False, stderr=-3)"
    )
    background = (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\ndef handler(e, c): pass"
    )
    print = (
        "import sys, subprocess\n"
        "def handler(event, context):\n"
        "    print('one'); print('two', file=sys.stderr); subprocess.run(['echo', 'three']); print('four', end='')"
    )
    stream, stream_type = (
        "def handler(event, context):\n"
        "    if event < 0:\n"
        "        raise ValueError('none')\n"
        "    yield 'a'\n"
        "    yield b'b'\n"
        "    yield bytearray(b'z' * event)\n"
        "    if event % 2:\n"
        "        raise ValueError('odd')\n"
    ), ""
    draws = (
        "import os, random, secrets, uuid, ssl\n"
        "def handler(event, context):\n"
        "    return [random.random(), str(uuid.uuid4()), secrets.token_hex(), ssl.RAND_bytes(16).hex()]"
    )


class Answers(unittest.TestCase):
    def call(self, source, event=None, kind=RESULT, **options):
        with python(source, **options) as function:
            self.assertEqual(function.init_answer, (READY, 0, b""))
            answer_kind, payload = function.invoke(event)
            self.assertEqual(answer_kind, kind, payload)
            return json.loads(payload)

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

    def test_what_wins_over_a_file_of_the_bundle(self):
        def handler(answer):
            return f"def handler(event, context): return {answer!r}"

        cases = (
            ({"app.py": handler("file"), "app/__init__.py": handler("package")}, "app.handler", "package"),
            ({"app.py": handler("file"), "app/data.txt": ""}, "app.handler", "file"),
            ({"app.py": handler("file"), "__pycache__/app.txt": ""}, "app.handler", "file"),
            ({"os.py": handler("file")}, "os.getcwd", "TypeError"),
            ({"colorsys.py": handler("file")}, "colorsys.handler", "file"),
        )
        for files, name, expected in cases:
            with self.subTest(files=list(files), name=name), Function("python", files, name) as function:
                self.assertIn(expected.encode(), function.invoke()[1])

    def test_the_module_of_the_handler_is_as_an_import_makes_it(self):
        """Another module of the bundle, which the interpreter imports, shows how that is."""
        source = (
            "'Text.'\n"
            "import sys\n"
            "def look(module):\n"
            "    spec = module.__spec__\n"
            "    names = ['name', 'origin', 'cached', 'has_location', 'parent', 'submodule_search_locations', '_initializing']\n"
            "    return repr([[getattr(spec, name, None) for name in names], spec.loader.name, spec.loader.path,\n"
            "                 type(spec.loader).__name__, sorted(name for name in vars(module) if name.startswith('__')),\n"
            "                 module.__name__, module.__file__, module.__package__, module.__cached__,\n"
            "                 module.__loader__ is spec.loader, module.__doc__])\n"
            "def handler(event, context):\n"
            "    import one\n"
            "    assert sys.modules['app'].look is look\n"
            "    return [look(sys.modules['app']).replace('app', 'one'), look(one)]\n"
        )
        own, imported = self.call(source, files={"one.py": "'Text.'\n"})
        self.assertEqual(own, imported)

    def test_threads_wait_for_the_module_while_it_is_imported(self):
        files = {
            "app.py": "import threading\n"
            "seen = []\n"
            "def late():\n"
            "    import app\n"
            "    seen.append(app.handler(None, None))\n"
            "thread = threading.Thread(target=late); thread.start(); thread.join(0.1)\n"
            "import part\n"
            "def handler(event, context):\n"
            "    if context: thread.join(5)\n"
            "    return [seen[:1], part.name]\n",
            "part.py": "import app\nname = app.__name__\n",
        }
        with Function("python", files) as function:
            self.assertEqual(json.loads(function.invoke()[1]), [[[[], "app"]], "app"])

    def test_a_module_may_put_another_object_in_its_place(self):
        source = "import sys\nclass Other:\n    def handler(event, context): return 'other'\nsys.modules[__name__] = Other\n"
        self.assertEqual(self.call(source), "other")

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
            self.assertEqual(json.loads(function.invoke(b" [1]\n")[1])["errorType"], "Runtime.MarshalError")  # blanks are JSON
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


class Surroundings(unittest.TestCase):
    def test_path_time_zone_and_arguments(self):
        source = "import sys, time\ndef handler(event, context): return [sys.path, time.tzname[0], sys.argv]"
        with python(source, TZ="Asia/Tokyo", PYTHONPATH="/opt/mine:/opt/python") as function:
            path, zone, argv = json.loads(function.invoke()[1])
            self.assertEqual(
                path[:4], [function.task_root, "/opt/python/lib/python3.11/site-packages", "/opt/python", "/opt/mine"]
            )
            self.assertFalse([entry for entry in path if "dist-packages" in entry or "Runtimes" in entry], path)
            self.assertEqual(zone, "JST")
            self.assertEqual(len(argv), 1)

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


class Log(unittest.TestCase):
    def test_what_is_no_unicode_is_printed_escaped(self):
        with python("def handler(event, context): print('half \\udc80', end='')") as function:
            self.assertEqual(function.invoke(), (RESULT, b"null"))
            self.assertEqual(function.log(), "half \\udc80")

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
