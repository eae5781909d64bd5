"""The Node runtime, function by function."""

import json
import time
import unittest

from support import daemon
from support.cases import SharedCases
from support.daemon import ARN, ERROR, READY, RESULT, Function


def node(source, handler="app.handler", files=None, name="app.js", **options):
    return Function("node", {name: source, **(files or {})}, handler, **options)


class Shared(SharedCases, unittest.TestCase):
    runtime, file, handler, protocol_error_status = "node", "app.js", "app.handler", 129

    echo = "exports.handler = async (event) => event"
    fill = "exports.handler = async (event) => 'é'.repeat((event - 2) / 2)"
    trace = "exports.handler = async () => process.env._X_AMZN_TRACE_ID"
    surroundings = (
        "exports.handler = async () =>"
        " [process.env, process.cwd(), require('child_process').execSync('env').toString()]"
    )
    use_socket = "exports.handler = async () => require('child_process').spawnSync('sh', ['-c', 'true <&3']).status"
    background = "setInterval(() => {}, 1000); exports.handler = async () => 1"
    print = (
        "exports.handler = async () => { process.stdout.write('one\\n'); process.stderr.write('two\\n');"
        " require('child_process').execFileSync('echo', ['three'], { stdio: 'inherit' });"
        " process.stdout.write('four') }"
    )
    stream, stream_type = (
        "exports.handler = awslambda.streamifyResponse(async (event, stream) => {"
        " if (event < 0) throw new Error('none'); stream.setContentType('text/plain');"
        " stream.write('a'); stream.write(new Uint8Array([98])); stream.write('z'.repeat(event));"
        " if (event % 2) throw new Error('odd'); stream.end() })"
    ), "text/plain"
    draws = (
        "const crypto = require('crypto'); exports.handler = async () => [Math.random(), crypto.randomUUID(),"
        " crypto.randomBytes(16).toString('hex'), crypto.webcrypto.getRandomValues(new Uint8Array(16)).join()]"
    )


class Answers(unittest.TestCase):
    def test_all_spellings_of_a_handler_and_kinds_of_module(self):
        common, module = "exports.handler = async () => 'cjs'", "export const handler = async () => 'esm'"
        cases = [
            ({"app.js": common}, "app.handler", "cjs"),
            ({"app.cjs": common}, "app.handler", "cjs"),
            ({"app.mjs": module}, "app.handler", "esm"),
            ({"app.js": module, "package.json": '{"type":"module"}'}, "app.handler", "esm"),
            ({"dir/deep/app.mjs": module}, "dir/deep/app.handler", "esm"),
            ({"dir/app.js": module, "package.json": '{"type":"module"}'}, "dir/app.handler", "esm"),
            (
                {"dir/app.js": common, "dir/package.json": "{}", "package.json": '{"type":"module"}'},
                "dir/app.handler",
                "cjs",
            ),
            ({"app.js": "exports.a = {b: {fn: async () => 'nested'}}"}, "app.a.b.fn", "nested"),
            ({"node_modules/lib/index.js": common}, "lib.handler", "cjs"),
            (
                {
                    "app.mjs": "import {x} from 'lib'; export const handler = async () => x",
                    "node_modules/lib/index.js": "exports.x = 'dep'",
                },
                "app.handler",
                "dep",
            ),
            (
                {"app.mjs": "const x = await Promise.resolve('tla'); export const handler = async () => x"},
                "app.handler",
                "tla",
            ),
        ]
        for files, handler, expected in cases:
            with self.subTest(files=files, handler=handler), Function("node", files, handler) as function:
                self.assertEqual(function.init_answer[0], READY, function.init_answer)
                self.assertEqual(function.invoke(), (RESULT, json.dumps(expected).encode()))

    def test_all_ways_to_answer(self):
        cases = [
            ("async () => undefined", b"null"),
            ("(e, c, cb) => { cb(null, 'callback') }", b'"callback"'),
            ("(e, c, cb) => { setTimeout(() => cb(null, 'late'), 5) }", b'"late"'),
            (
                "(e, c, cb) => { let n = 0; setTimeout(() => { n++ }, 30); cb(null, { toJSON: () => n }) }",
                b"1",
            ),  # waits for the loop
            (
                "(e, c, cb) => { c.callbackWaitsForEmptyEventLoop = false; setTimeout(() => {}, 1e5); cb(null, 1) }",
                b"1",
            ),
            ("(e, c) => { c.succeed('succeed') }", b'"succeed"'),
            ("(e, c) => { c.done(null, 'done') }", b'"done"'),
            ("(e, c) => setTimeout(() => c.succeed('timer'), 5)", b'"timer"'),
            ("() => ({ then: (resolve) => resolve('thenable') })", b'"thenable"'),
            ("(e, c, cb) => { cb(null, 1); cb(null, 2); c.succeed(3) }", b"1"),
            ("(e, c, cb) => { return 'ignored' }", b"null"),
            ("() => {}", b"null"),
        ]
        for source, expected in cases:
            with self.subTest(source=source), node(f"exports.handler = {source}") as function:
                for _ in range(2):
                    self.assertEqual(function.invoke(), (RESULT, expected))

    def test_from_node_24_on_plain_values_are_results(self):
        with node("exports.handler = () => 'value'", execution_environment="AWS_Lambda_nodejs24.x") as function:
            self.assertEqual(function.invoke(), (RESULT, b'"value"'))
        with node("exports.handler = () => 'value'", execution_environment="AWS_Lambda_nodejs22.x") as function:
            self.assertEqual(function.invoke(), (RESULT, b"null"))


class Failures(unittest.TestCase):
    def test_initialisation_fails_with_the_names_and_texts_of_lambda(self):
        cases = [
            (
                "missing.handler",
                "",
                "Runtime.ImportModuleError",
                "Error: Cannot find module 'missing'\nRequire stack:\n- ",
            ),
            (
                "app.handler",
                "require('nothing')",
                "Runtime.ImportModuleError",
                "Error: Cannot find module 'nothing'\nRequire stack:\n- ",
            ),
            ("app.absent", "", "Runtime.HandlerNotFound", "app.absent is undefined or not exported"),
            ("app.text", "exports.text = 'x'", "Runtime.HandlerNotFound", "app.text is not a function"),
            ("app", "", "Runtime.MalformedHandlerName", "Bad handler"),
            ("../app.handler", "", "Runtime.MalformedHandlerName", "'../app.handler' is not a valid handler name."),
            (
                "app.handler",
                "exports.handler = async (",
                "Runtime.UserCodeSyntaxError",
                "SyntaxError: Unexpected end of input",
            ),
            ("app.handler", "let a = 1 +* 2", "Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected token '*'"),
            ("app.handler", "throw new RangeError('r')", "RangeError", "r"),
            ("app.handler", "throw 'text'", "string", "text"),
        ]
        for handler, source, error_type, message in cases:
            with self.subTest(handler=handler, source=source), node(source, handler) as function:
                error = function.init_error()
                self.assertEqual(error["errorType"], error_type)
                self.assertTrue(error["errorMessage"].startswith(message), error)
                self.assertEqual(function.exit_status(), 129)
                self.assertIn("\tundefined\tERROR\tUncaught Exception \t{", function.log())
                if error["trace"]:
                    self.assertTrue(error["trace"][0].startswith(f"{error_type}: "), error["trace"])

    def test_errors_of_the_handler(self):
        cases = [
            ("async () => { throw new TypeError('bäd') }", "TypeError", "bäd"),
            ("() => { throw new TypeError('sync') }", "TypeError", "sync"),
            ("(e, c, cb) => cb(new RangeError('cb'))", "RangeError", "cb"),
            ("(e, c, cb) => cb('text')", "string", "text"),
            ("(e, c) => c.fail(new Error('fail'))", "Error", "fail"),
            ("(e, c) => c.fail()", "string", "handled"),
            ("async () => { class Mine extends Error { name = 'Mine' } throw new Mine('m') }", "Mine", "m"),
            ("async () => { throw undefined }", "string", "handled"),
            ("async () => { const a = {}; a.a = a; return a }", "Error", "Unable to stringify response body"),
            ("async () => 1n", "Error", "Unable to stringify response body"),
            (
                "async () => { await new Promise(() => {}) }",
                "Runtime.NodeJsExit",
                "The Lambda runtime client detected an unexpected Node.js exit code.",
            ),
        ]
        for source, error_type, message in cases:
            with self.subTest(source=source), node(f"exports.handler = {source}") as function:
                for _ in range(2):  # none of them ends the process
                    kind, payload = function.invoke()
                    error = json.loads(payload)
                    self.assertEqual((kind, error["errorType"], function.last), (ERROR, error_type, False))
                    self.assertTrue(error["errorMessage"].startswith(message), error)
                    self.assertIn('\tERROR\tInvoke Error \t{"errorType":', function.log())

    def test_the_trace_shows_user_code(self):
        with node("exports.handler = async () => { throw new Error('x') }") as function:
            trace = json.loads(function.invoke()[1])["trace"]
            self.assertEqual(trace[0], "Error: x")
            self.assertIn(f"{function.task_root}/app.js:1:", trace[1])

    def test_errors_that_nobody_caught_are_answered_and_end_the_process(self):
        cases = [
            ("Promise.reject(new Error('lost'))", "Runtime.UnhandledPromiseRejection", "Error: lost", 128),
            ("setTimeout(() => { throw new RangeError('late') })", "RangeError", "late", 129),
        ]
        for statement, error_type, message, status in cases:
            source = (
                f"exports.handler = async () => {{ {statement}; await new Promise((done) => setTimeout(done, 1000)) }}"
            )
            with self.subTest(statement=statement), node(source) as function:
                kind, payload = function.invoke()
                error = json.loads(payload)
                self.assertEqual((kind, error["errorType"], error["errorMessage"]), (ERROR, error_type, message))
                self.assertTrue(function.last)
                with self.assertRaises(EOFError):
                    function.receive()
                self.assertEqual(function.exit_status(), status)

    def test_an_event_that_is_no_json(self):
        with node("exports.handler = async () => 1") as function:
            kind, payload = function.invoke(b"{")
            self.assertEqual((kind, json.loads(payload)["errorType"]), (ERROR, "SyntaxError"))
            self.assertEqual(function.invoke(), (RESULT, b"1"))

    def test_an_exit_ends_the_process_without_an_answer(self):
        for status in (0, 3):
            with self.subTest(status=status), node(
                f"exports.handler = async () => {{ console.log('last words'); process.exit({status}) }}"
            ) as function:
                with self.assertRaises(EOFError):
                    function.invoke()
                self.assertEqual(function.exit_status(), status)
                self.assertIn("last words\n", function.log())


class Surroundings(unittest.TestCase):
    def test_time_zone_and_layers(self):
        source = "const layer = require('in-layer'); exports.handler = async () => [new Date(0).getHours(), layer]"
        files = {"layer/in-layer/index.js": "module.exports = 'layer'"}
        with node(source, files=files, TZ="Asia/Tokyo", initialise=False) as function:
            function.environment["NODE_PATH"] = f"{function.task_root}/layer"
            function.send_init(function.handler, function.environment)
            self.assertEqual(function.receive()[0], READY)
            self.assertEqual(function.invoke(), (RESULT, b'[9,"layer"]'))

    def test_a_process_that_had_time_to_warm_up_shows_none_of_it(self):
        source = "exports.handler = async () => [Object.keys(require.cache), process.env._X_AMZN_TRACE_ID, process.argv.length]"
        with node(source, initialise=False) as function:
            time.sleep(0.3)
            function.send_init(function.handler, function.environment)
            self.assertEqual(function.receive()[0], READY)
            self.assertEqual(function.log(), "")
            self.assertEqual(json.loads(function.invoke()[1]), [[f"{function.task_root}/app.js"], None, 2])

    def test_the_context(self):
        source = (
            "exports.handler = async (e, c) => ({ ...c, left: c.getRemainingTimeInMillis(),"
            " kinds: [c.done, c.succeed, c.fail].map((f) => typeof f) })"
        )
        with node(source) as function:
            context = json.loads(function.invoke({}, client_context='{"custom":{"k":"ü"}}')[1])
            self.assertTrue(2000 < context.pop("left") <= 3000)
            expected = {
                "callbackWaitsForEmptyEventLoop": True,
                "awsRequestId": daemon.REQUEST_ID.format(1),
                "invokedFunctionArn": ARN,
                "functionName": "probe",
                "functionVersion": "$LATEST",
                "memoryLimitInMB": "128",
                "logGroupName": "/aws/lambda/probe",
                "logStreamName": "2026/01/02/[$LATEST]0123",
                "clientContext": {"custom": {"k": "ü"}},
                "kinds": ["function"] * 3,
            }
            self.assertEqual(context, expected)
            context = json.loads(function.invoke({}, deadline_ms=5)[1])
            self.assertEqual(context["left"], 0)
            self.assertNotIn("clientContext", context)


class Log(unittest.TestCase):
    def test_console_lines_are_those_of_lambda(self):
        source = (
            "console.log('early'); exports.handler = async () => {"
            " console.info('a %d', 1, {b: 2}); console.warn('w'); console.error(new Error('e').message) }"
        )
        stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
        with node(source) as function:
            self.assertRegex(function.log(), rf"^{stamp}\tundefined\tINFO\tearly\n$")
            function.invoke()
            start = rf"{stamp}\t{daemon.REQUEST_ID.format(1)}\t"
            self.assertRegex(function.log(), rf"^{start}INFO\ta 1 {{ b: 2 }}\n{start}WARN\tw\n{start}ERROR\te\n$")

    def test_more_than_a_pipe_holds_arrives_before_an_exit(self):
        with node("exports.handler = async () => { console.log('x'.repeat(1 << 20)); process.exit(1) }") as function:
            function.connection.sendall(function.invoke_bytes({}))
            self.assertEqual(function.log(wait_for="x\n").count("x"), 1 << 20)


if __name__ == "__main__":
    unittest.main()
