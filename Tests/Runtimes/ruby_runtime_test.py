"""The Ruby runtime, function by function."""

import json
import unittest

from support import daemon
from support.cases import SharedCases
from support.daemon import ARN, ERROR, READY, RESULT, Function

HANDLER = "lambda_function.lambda_handler"


def ruby(body, handler=HANDLER, files=None, **options):
    """A function whose handler's body is `body`."""
    return whole(define(body), handler, files, **options)


def whole(source, handler=HANDLER, files=None, **options):
    """A function of `source`."""
    return Function("ruby", {"lambda_function.rb": source, **(files or {})}, handler, **options)


def define(body, name="lambda_handler"):
    """The source of a handler."""
    return f"def {name}(event:, context:)\n  {body}\nend\n"


class Shared(SharedCases, unittest.TestCase):
    runtime, file, handler, protocol_error_status = "ruby", "lambda_function.rb", HANDLER, 1

    echo = define("event")
    fill = define("'é' * ((event - 2) / 2)")
    trace = define("ENV['_X_AMZN_TRACE_ID']")
    surroundings = define("[ENV.to_h, Dir.pwd, `env`]")
    use_socket = define("system('true <&3', err: '/dev/null'); $?.exitstatus")
    background = "Thread.new { loop { sleep 1 } }\n" + define("1")
    print = define("puts 'one'; warn 'two'; system('echo', 'three'); print 'four'")
    stream, stream_type = define(
        "Enumerator.new { |parts| raise 'none' if event < 0\n"
        "  parts << 'a' << 'b' << 'z' * event\n"
        "  raise 'odd' if event.odd? }"
    ), ""
    draws = "require 'securerandom'\nrequire 'openssl'\n" + define(
        "[rand, Random.new.rand, SecureRandom.uuid, OpenSSL::Random.random_bytes(16).unpack1('H*')]"
    )


class Answers(unittest.TestCase):
    def test_all_spellings_of_a_handler(self):
        nested = "module Shop\n  class Cart\n    def self.add(event:, context:) = 'nested'\n  end\nend\n"
        cases = [
            ({"lambda_function.rb": define("'top'")}, HANDLER, "top"),
            ({"app.rb": "class Cart\n  def self.add(event:, context:) = 'class'\nend\n"}, "app.Cart.add", "class"),
            ({"app.rb": nested}, "app.Shop::Cart.add", "nested"),
            ({"src/deep/app.rb": define("'folder'", "run")}, "src/deep/app.run", "folder"),
            ({"app.rb": "require 'lib/part'\n" + define("Part::NAME"), "lib/part.rb": "module Part; NAME = 'part'; end"},
             "app.lambda_handler", "part"),
            ({"app.rb": "require_relative 'part'\n" + define("PART"), "part.rb": "PART = 'beside'"},
             "app.lambda_handler", "beside"),
        ]
        for files, handler, expected in cases:
            with self.subTest(files=files, handler=handler), Function("ruby", files, handler) as function:
                self.assertEqual(function.init_answer[0], READY, function.init_answer)
                self.assertEqual(function.invoke(), (RESULT, json.dumps(expected).encode()))

    def test_results_become_json_as_lambda_does_it(self):
        cases = [
            ("{ symbol: :value, 'text' => nil, 1 => 2.5 }", b'{"symbol":"value","text":null,"1":2.5}'),
            ("StringIO.new(\"\\xff not json\")", b"\xff not json"),
            ("Struct.new(:a) { def to_json(*) = '[\"own\"]' }.new(1)", b'["own"]'),
            ("'\u00e9'", '"é"'.encode()),
        ]
        for body, expected in cases:
            with self.subTest(body=body), ruby(body) as function:
                self.assertEqual(function.invoke(), (RESULT, expected))

    def test_keys_of_the_event_are_strings(self):
        with ruby("[event.keys, event['a']]") as function:
            self.assertEqual(function.invoke({"a": {"b": 1}}), (RESULT, b'[["a"],{"b":1}]'))


class Failures(unittest.TestCase):
    def test_initialisation_fails_with_the_names_of_lambda(self):
        cases = [
            ("missing.handler", "", "Init<LoadError>", "cannot load such file -- missing"),
            (HANDLER, "require 'nothing'", "Init<LoadError>", "cannot load such file -- nothing"),
            ("lambda_function", "", "Init<ArgumentError>", "Invalid handler lambda_function, must be of form"),
            ("a.b.c.d", "", "Init<ArgumentError>", "Invalid handler a.b.c.d, must be of form"),
            (HANDLER, "def handler(", "Init<SyntaxError>", "/"),
            (HANDLER, "raise KeyError, 'kéy'", "Init<KeyError>", "kéy"),
            (HANDLER, "exit 9", "Init<SystemExit>", "exit"),
            (HANDLER, "Undefined::Constant", "Init<NameError>", "uninitialized constant Undefined"),
        ]
        for handler, source, error_type, message in cases:
            with self.subTest(error_type=error_type, handler=handler), whole(source, handler) as function:
                error = function.init_error()
                self.assertEqual(error["errorType"], error_type)
                self.assertTrue(error["errorMessage"].startswith(message), error)
                self.assertEqual(function.exit_status(), 252)
                self.assertIn(f"Init error when loading handler {handler}\n{{\n", function.log())

    def test_a_standard_error_is_answered_and_the_process_lives_on(self):
        cases = [
            ("raise StandardError, 'näh'", "Function<StandardError>", "näh"),
            ("raise 'plain'", "Function<RuntimeError>", "plain"),
            ("raise ArgumentError", "Function<ArgumentError>", "ArgumentError"),
            ("Class.new(StandardError) { def self.to_s = 'Mine' }.then { raise _1, 'm' }", "Function<Mine>", "m"),
            ("raise \"bytes \\xff\"", "Function<RuntimeError>", "bytes \ufffd"),
            ("raise Class.new(StandardError) { def self.to_s = 'Odd'; def message = raise('no') }", "Function<Odd>", "Odd"),
            ("0.0 / 0", "Function<JSON::GeneratorError>", "NaN not allowed in JSON"),
            ("\"\\xff\"", "Function<JSON::GeneratorError>", "source"),
            ("{}.fetch('k')", "Function<KeyError>", 'key not found: "k"'),
        ]
        for body, error_type, message in cases:
            with self.subTest(body=body), ruby(body) as function:
                for _ in range(2):
                    kind, payload = function.invoke()
                    error = json.loads(payload)
                    self.assertEqual((kind, error["errorType"], function.last), (ERROR, error_type, False))
                    self.assertIn(message, error["errorMessage"])
                    self.assertIn("Error raised from handler method\n{\n", function.log())

    def test_a_critical_exception_is_answered_and_ends_the_process(self):
        cases = [
            (define("event.nothing"), "Function<NoMethodError>"),
            (define("Undefined"), "Function<NameError>"),
            ("", "Function<NoMethodError>"),  # no handler of that name
            (define("exit 3"), "Function<SystemExit>"),
            (define("def a = a\n  a"), "Function<SystemStackError>"),
            (define("raise NotImplementedError"), "Function<NotImplementedError>"),
            (define("raise Exception, 'e'"), "Function<Exception>"),
        ]
        for source, error_type in cases:
            with self.subTest(source=source), whole(source) as function:
                kind, payload = function.invoke({})
                self.assertEqual((kind, json.loads(payload)["errorType"], function.last), (ERROR, error_type, True))
                with self.assertRaises(EOFError):
                    function.receive()
                self.assertEqual(function.exit_status(), 255)
                self.assertIn("Critical exception from handler\n{\n", function.log())

    def test_an_exit_without_unwinding_ends_the_process_without_an_answer(self):
        with ruby("puts 'last words'; exit!(5)") as function:
            with self.assertRaises(EOFError):
                function.invoke()
            self.assertEqual(function.exit_status(), 5)
            self.assertIn("last words\n", function.log())

    def test_the_stack_trace_shows_user_code(self):
        with whole("def inner = raise('x')\n" + define("inner")) as function:
            trace = json.loads(function.invoke()[1])["stackTrace"]
            folder = function.task_root
        expected = [f"{folder}/lambda_function.rb:1:in `inner'", f"{folder}/lambda_function.rb:3:in `lambda_handler'"]
        self.assertEqual(trace, expected)

    def test_an_event_or_client_context_that_is_no_json(self):
        with ruby("1") as function:
            for answer in (function.invoke(b"{"), function.invoke({}, client_context="{")):
                self.assertEqual((answer[0], json.loads(answer[1])["errorType"]), (ERROR, "Runtime<JSON::ParserError>"))
            self.assertEqual(function.invoke(), (RESULT, b"1"))

    def test_an_error_over_the_limit(self):
        with ruby("raise 'x' * 7_000_000") as function:
            function.connection.sendall(function.invoke_bytes({}))
            function.log(wait_for='"stackTrace"')  # more than the pipe holds
            kind, _, payload = function.receive()
            self.assertEqual((kind, json.loads(payload)["errorType"]), (ERROR, "Function.ResponseSizeTooLarge"))


class Surroundings(unittest.TestCase):
    def test_the_context(self):
        names = (
            "aws_request_id request_id invoked_function_arn function_name function_version memory_limit_in_mb "
            "log_group_name log_stream_name identity client_context deadline_ms"
        )
        body = f"%i[{names}].to_h {{ [_1, context.public_send(_1)] }}.merge(left: context.get_remaining_time_in_millis)"
        with ruby(body) as function:
            context = json.loads(function.invoke({}, client_context='{"custom":{"k":"ü"}}')[1])
            self.assertTrue(2000 < context.pop("left") <= 3000)
            self.assertGreater(context.pop("deadline_ms"), 1_600_000_000_000)
            expected = {
                "aws_request_id": daemon.REQUEST_ID.format(1),
                "request_id": daemon.REQUEST_ID.format(1),
                "invoked_function_arn": ARN,
                "function_name": "probe",
                "function_version": "$LATEST",
                "memory_limit_in_mb": "128",
                "log_group_name": "/aws/lambda/probe",
                "log_stream_name": "2026/01/02/[$LATEST]0123",
                "identity": None,
                "client_context": {"custom": {"k": "ü"}},
            }
            self.assertEqual(context, expected)
            context = json.loads(function.invoke({}, deadline_ms=5)[1])
            self.assertEqual((context["left"], context["client_context"]), (0, None))

    def test_load_path_and_time_zone(self):
        with ruby("[$LOAD_PATH.first(4), Time.at(0).hour]", RUBYLIB="/opt/mine:/opt/ruby/lib", TZ="Asia/Tokyo") as function:
            path, hour = json.loads(function.invoke()[1])
            self.assertEqual(path[:3], [function.task_root, "/opt/ruby/lib", "/opt/mine"])
            self.assertNotIn("wayside", path[3])
            self.assertEqual(hour, 9)

    def test_gems_of_the_bundle(self):
        folder = "vendor/bundle/ruby/3.3.0"  # of another version of Ruby, as `bundle install` for ruby3.3 lays it out
        specification = (
            "Gem::Specification.new { |s| s.name = 'probe-gem'; s.version = '1.2.3';"
            " s.summary = 's'; s.authors = ['a']; s.files = ['lib/probe_gem.rb'] }"
        )
        files = {
            f"{folder}/specifications/probe-gem-1.2.3.gemspec": specification,
            f"{folder}/gems/probe-gem-1.2.3/lib/probe_gem.rb": "module ProbeGem; NAME = 'gem'; end",
        }
        source = "require 'probe_gem'\n" + define("[ProbeGem::NAME, Gem.loaded_specs['probe-gem'].version.to_s]")
        with whole(source, files=files) as function:
            self.assertEqual(function.init_answer, (READY, 0, b""))
            self.assertEqual(function.invoke(), (RESULT, b'["gem","1.2.3"]'))

    def test_the_standard_library_is_there(self):
        libraries = "net/http openssl set yaml csv erb digest base64 bigdecimal date time uri zlib tempfile".split()
        source = "".join(f"require '{name}'\n" for name in libraries) + define("[Set[1].to_a, YAML.load('a: 1')]")
        with whole(source) as function:
            self.assertEqual(function.invoke(), (RESULT, b'[[1],{"a":1}]'))


class Log(unittest.TestCase):
    def test_logger_names_the_call(self):
        source = "require 'logger'\nLOGGER = Logger.new($stdout, progname: 'p')\nLOGGER.warn('early')\n"
        stamp = r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6} #\d+\]"
        with whole(source + define("LOGGER.info('a')")) as function:
            self.assertRegex(function.log(), rf"^W, {stamp}  WARN  -- p: early\n$")
            function.invoke()
            self.assertRegex(function.log(), rf"^I, {stamp}  INFO {daemon.REQUEST_ID.format(1)} -- p: a\n$")

    def test_a_function_may_close_its_output(self):
        with ruby("$stdout = File.open('/dev/null', 'w').tap(&:close); $stderr.close; 1 / event") as function:
            self.assertEqual(function.invoke(1), (RESULT, b"1"))
            self.assertEqual(function.invoke(0)[0], ERROR)

    def test_more_than_a_pipe_holds_arrives_before_an_exit(self):
        with ruby("puts 'x' * (1 << 20); exit!(1)") as function:
            function.connection.sendall(function.invoke_bytes({}))
            self.assertEqual(function.log(wait_for="x\n").count("x"), 1 << 20)


if __name__ == "__main__":
    unittest.main()
