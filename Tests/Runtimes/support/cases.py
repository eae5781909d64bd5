"""What every runtime that speaks frames has to do, whatever its language."""

import json

from . import daemon
from .daemon import ERROR, READY, RESULT, Function


class SharedCases:
    """A mixin for unittest.TestCase. A subclass names its runtime and says each handler below in its language."""

    runtime = None
    file = None  # name of the bundle's file
    handler = None
    protocol_error_status = None  # of a process that was sent nonsense

    echo = None  # the event is the result
    fill = None  # a text is the result, whose JSON text is as many bytes long as the event says
    trace = None  # the variable _X_AMZN_TRACE_ID is the result; null without it
    surroundings = None  # [environment variables, working directory, what the command `env` prints]
    use_socket = None  # the status of `true <&3` in a shell that is a child
    background = None  # something runs on by itself from the time the file is loaded
    print = None  # one, two and three, a line each: to standard output and error and by a child; and four without an end
    stream = None  # streams ab, then as many bytes z as the event says, one part each; fails behind them when that is odd
    stream_type = None  # the content type of that stream
    draws = None  # a list of all kinds of random values

    def start(self, source, files=None, **options):
        """A function of `source`."""
        return Function(self.runtime, {self.file: source, **(files or {})}, self.handler, **options)

    def test_the_event_comes_in_and_the_result_goes_out(self):
        with self.start(self.echo) as function:
            self.assertEqual(function.init_answer, (READY, 0, b""))
            for event in ({"a": [1, 2.5, None, True]}, [], "text", 0, None, {"ünï": "漢字 🚀 \u2028"}):
                kind, payload = function.invoke(event)
                self.assertEqual((kind, json.loads(payload)), (RESULT, event))

    def test_payloads_of_six_megabytes(self):
        with self.start(self.echo) as function:
            text = "x" * (6_291_456 - 2)
            for _ in range(2):
                kind, payload = function.invoke(text)
                self.assertEqual((kind, len(payload)), (RESULT, 6_291_456))
            self.assertEqual(function.invoke(1), (RESULT, b"1"))

    def test_an_answer_over_the_limit(self):
        with self.start(self.fill) as function:
            self.assertEqual(function.invoke(6_291_556)[0], RESULT)
            kind, payload = function.invoke(6_291_558)
            self.assertFalse(function.last)
            self.assertEqual(function.invoke(4)[0], RESULT)
        self.assertEqual(kind, ERROR)
        self.assertEqual(
            json.loads(payload),
            {
                "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
                "errorType": "Function.ResponseSizeTooLarge",
            },
        )

    def test_a_result_is_streamed(self):
        with self.start(self.stream) as function:
            for count in (0, 200_000):
                content_type, parts, kind, payload = function.stream(count)
                self.assertEqual((parts, kind, payload), (b"ab" + b"z" * count, RESULT, b""))
            self.assertEqual(content_type, self.stream_type)
            _, parts, kind, payload = function.stream(3)
            self.assertEqual((parts, kind, json.loads(payload)["errorMessage"]), (b"abzzz", ERROR, "odd"))
            # A failure before the first part is one of the call.
            self.assertEqual(function.stream(-1)[:3], (None, b"", ERROR))
            self.assertEqual(function.stream(0)[2], RESULT)

    def test_a_stream_waits_for_a_daemon_that_does_not_read(self):
        with self.start(self.stream) as function:
            function.connection.sendall(function.invoke_bytes(64 << 20))
            # What the socket takes is far less; what is not sent is not answered.
            kind, _, _ = function.receive()
            self.assertEqual(kind, daemon.STREAM)
            while kind == daemon.STREAM:
                kind, _, payload = function.receive()
            self.assertEqual((kind, payload), (RESULT, b""))

    def test_frames_split_and_joined_anywhere(self):
        with self.start(self.echo) as function:
            for byte in function.invoke_bytes("slow"):
                function.connection.sendall(bytes([byte]))
            self.assertEqual(function.receive(), (RESULT, 1, b'"slow"'))
        with self.start(self.echo, initialise=False) as function:
            init = json.dumps({"handler": self.handler, "environment": function.environment}).encode()
            function.connection.sendall(daemon.frame(daemon.INIT, 0, init) + function.invoke_bytes("joined"))
            self.assertEqual(function.receive(), (READY, 0, b""))
            self.assertEqual(function.receive(), (RESULT, 1, b'"joined"'))

    def test_a_frame_of_another_version_or_type_ends_the_process(self):
        for bad in (b"\0\0\0\0\4\2\0\0\1\0\0\0", b"\0\0\0\0\7\1\0\0\1\0\0\0", b"\xff\xff\xff\xff\4\1\0\0\1\0\0\0"):
            with self.subTest(bad=bad), self.start(self.echo) as function:
                function.connection.sendall(bad)
                self.assertEqual(function.exit_status(), self.protocol_error_status)
                self.assertIn("frame", function.log())

    def test_the_daemon_goes_away(self):
        with self.start(self.background) as function:
            self.assertEqual(function.init_answer, (READY, 0, b""))
            function.connection.shutdown(2)
            self.assertEqual(function.exit_status(), 0)

    def test_the_environment_is_exactly_that_of_init(self):
        with self.start(self.surroundings, TZ="Asia/Tokyo", MINE="é") as function:
            variables, folder, outer = json.loads(function.invoke()[1])
            self.assertEqual(variables, function.environment)
            self.assertEqual(folder, function.task_root)
            self.assertNotIn("OPERATOR_SECRET", outer)
            self.assertIn("MINE=é", outer)

    def test_the_trace_id_is_that_of_each_call(self):
        with self.start(self.trace) as function:
            for trace_id in ("Root=1", "Root=2", "Root=2", ""):
                answer = json.loads(function.invoke(trace_id=trace_id)[1])
                self.assertEqual(answer, trace_id or None)

    def test_the_socket_stays_out_of_the_way_of_subprocesses(self):
        with self.start(self.use_socket) as function:
            kind, payload = function.invoke()
            self.assertEqual(kind, RESULT, payload)
            self.assertNotEqual(json.loads(payload), 0)

    def test_the_log_is_complete_when_the_answer_comes(self):
        with self.start(self.print) as function:
            for _ in range(3):
                function.invoke()
                self.assertEqual(function.log(), "one\ntwo\nthree\nfour")

    def test_processes_booted_alike_draw_different_random_values(self):
        draws = []
        for _ in range(2):
            with self.start(self.draws) as function:
                draws += json.loads(function.invoke()[1]) + json.loads(function.invoke()[1])
        self.assertGreaterEqual(len(draws), 8)
        self.assertEqual(len(set(draws)), len(draws), draws)
