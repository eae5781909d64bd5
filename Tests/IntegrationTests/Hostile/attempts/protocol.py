"""Nonsense for the daemon, from inside: frames on descriptor 3, HTTP on the Runtime API."""

import struct

from .attempt import NATIVE, NODE, PYTHON, Attempt, Ended, OneOf

BOOTED, INIT, READY, INVOKE, RESULT, ERROR = range(1, 7)
VIOLATION = Ended("Runtime.ProtocolError", OneOf("function", "exit", "engine"))


def frame(kind, payload=b"", sequence=1, version=1, length=None, flags=0):
    return (struct.pack("<IBBHI", len(payload) if length is None else length, kind, version, flags, sequence) + payload).hex()


# (name, bytes, what the function does then, what is seen); a function's first call has sequence 1.
FRAMES = [
    ("noise", bytes(range(256)).hex() * 4, "hang", VIOLATION),
    ("zeroes", bytes(4096).hex(), "hang", VIOLATION),
    ("a frame of 4 GiB", frame(RESULT, b"x", length=0xFFFFFFFF), "hang", VIOLATION),
    ("a frame one byte too long", frame(RESULT, b"x", length=(8 << 20) + 1), "hang", VIOLATION),
    ("another version", frame(RESULT, b"1", version=2), "hang", VIOLATION),
    ("an unknown type", frame(99), "hang", VIOLATION),
    ("the daemon's own types", frame(INVOKE, b"x" * 16) + frame(INIT, b"{}"), "hang", VIOLATION),
    ("booted once more", frame(BOOTED, sequence=0), "hang", VIOLATION),
    ("ready once more", frame(READY, sequence=0), "hang", VIOLATION),
    ("the answer to another call", frame(RESULT, b'"x"', sequence=77), "hang", VIOLATION),
    ("the answer to call 0", frame(RESULT, b'"x"', sequence=0), "hang", VIOLATION),
    ("an error of the initialisation, too late", frame(ERROR, b"{}", sequence=0), "hang", VIOLATION),
    ("half a header, then nothing", frame(RESULT)[:12], "hang", Ended("Sandbox.Timedout", "time_out")),
    ("half a frame, then nothing", frame(RESULT, b"x" * 100, length=4096), "hang", Ended("Sandbox.Timedout", "time_out")),
    ("half a frame, then the end", frame(RESULT, b"x" * 100, length=4096), "exit", Ended("Runtime.ExitError", "exit")),
]
# Two frames, of which the first is a whole answer: it counts, and the container is thrown away.
ANSWERS = [
    ("two answers", frame(RESULT, b'"first"') + frame(RESULT, b'"second"'), "hang", "first"),
    ("an answer and noise", frame(RESULT, b'"first"') + bytes(64).hex(), "hang", "first"),
    ("an answer, and one in advance", frame(RESULT, b'"first"') + frame(RESULT, b'"second"', sequence=2), "hang", "first"),
]

API = "/2018-06-01/runtime/"


def http(text, body=b""):
    return (text.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body).hex()


def post(path, headers, body=b""):
    return http(f"POST {API}{path} HTTP/1.1\nHost: x\n{headers}", body)


CLOSED = OneOf("closed", 400, 404, 405, 413, 431, 501)

# (name, bytes, how often on one connection, what comes back)
REQUESTS = [
    ("an answer to an unknown id", post("invocation/00000000-0000-4000-8000-000000000000/response", "Content-Length: 2", b"{}"), 1,
     OneOf(400, 403, 404)),
    ("an error for an unknown id", post("invocation/x/error", "Content-Length: 2", b"{}"), 1, OneOf(400, 403, 404)),
    ("an id that is a path", post("invocation/..%2f..%2fx/response", "Content-Length: 2", b"{}"), 1, OneOf(400, 403, 404)),
    ("an id of 60 kB", post("invocation/" + "x" * 60000 + "/response", "Content-Length: 0"), 1, OneOf(400, 403, 404, 431, 414, "closed")),
    ("an unknown path", http("GET /latest/meta-data HTTP/1.1\nHost: x"), 1, OneOf(400, 403, 404)),
    ("the operator's API", http("POST /2015-03-31/functions HTTP/1.1\nHost: x\nContent-Length: 0"), 1, OneOf(400, 403, 404)),
    ("a proxy's request", http("CONNECT 127.0.0.1:9000 HTTP/1.1\nHost: x"), 1, OneOf(400, 403, 404, 405, "closed")),
    ("an initialisation error, too late", post("init/error", "Content-Length: 2", b"{}"), 1, OneOf(400, 403, 202)),
    ("noise", bytes(range(256)).hex() * 8, 1, CLOSED),
    ("HTTP/0.9", b"GET /\r\n".hex(), 1, OneOf("closed", "silent", 400, 404)),
    ("a negative length", post("invocation/@ID@/response", "Content-Length: -1", b"x"), 1, CLOSED),
    ("a length beyond 64 bits", post("invocation/@ID@/response", "Content-Length: 99999999999999999999999", b"x"), 1, CLOSED),
    ("two lengths", post("invocation/@ID@/response", "Content-Length: 5\nContent-Length: 6", b'"abc"'), 1, CLOSED),
    ("a length and chunks", post("x", "Content-Length: 4\nTransfer-Encoding: chunked", b"0\r\n\r\n"), 1, CLOSED),
    ("a chunk of 2^64 bytes", post("invocation/@ID@/error", "Transfer-Encoding: chunked", b"FFFFFFFFFFFFFFFFF\r\nx"), 1, CLOSED),
    ("a header of 120 MB", ("GET / HTTP/1.1\r\nx: " + "y" * 30000).encode().hex(), 4000, OneOf("closed", 400, 431)),
    ("10,000 requests at once, answers unread", http("GET /2018-06-01/ping HTTP/1.1\nHost: x"), 10_000, OneOf(200, "closed", 404)),
    ("half a request, then nothing", b"POST /2018-06-01/runtime/invocation/".hex(), 1, "silent"),
]


def attempts():
    for name, data, then, expected in FRAMES:
        yield Attempt(f"frames: {name}", "protocol", ("frames", data, then), expected, (PYTHON, NODE), alone=True, settings={"Timeout": 1})
    for name, data, then, expected in ANSWERS:
        yield Attempt(f"frames: {name}", "protocol", ("frames", data, then), expected, (PYTHON, NODE), alone=True, settings={"Timeout": 1},
                      follow=(("frames", "", "return"), "answered"))
    yield Attempt("frames: the answer to the next call, between the two", "protocol",
                  ("answer_in_advance", frame(RESULT, b'"forged"', sequence=2)), "answered", (PYTHON,), alone=True,
                  follow=(("frames", "", "return"), "answered"))
    yield Attempt("frames: the connection closed", "protocol", ("frames", "", "shut"),
                  OneOf(VIOLATION, Ended("Runtime.ExitError", "exit"), Ended("Runtime.ExitError", "function")), (PYTHON,), alone=True,
                  settings={"Timeout": 2})
    yield Attempt("frames: an answer with 200 descriptors", "protocol", ("descriptors_for_the_daemon", frame(RESULT, b'"sent"')), "sent",
                  (PYTHON,), alone=True)
    for name, data, times, expected in REQUESTS:
        yield Attempt(f"HTTP: {name}", "protocol", ("raw", data, times), expected, (NATIVE,), alone=True)
    yield Attempt("HTTP: an answer of 1 GiB", "protocol", ("endless", post("invocation/@ID@/response", f"Content-Length: {1 << 30}")),
                  OneOf({"bounded": True}, Ended("Function.ResponseSizeTooLarge", "function")), (NATIVE,), alone=True)
    yield Attempt("HTTP: chunks without an end", "protocol",
                  ("endless", post("invocation/x/response", "Transfer-Encoding: chunked", b"7FFFFFFF\r\n")), {"bounded": True}, (NATIVE,),
                  alone=True)
    yield Attempt("HTTP: 900 slow connections", "protocol (connections)", ("slow", 900), lambda seen: seen["connected"] > 0, (NATIVE,),
                  alone=True)
    yield Attempt("HTTP: two answers", "protocol", ("two_answers",), "answer", (NATIVE,), alone=True,
                  follow=(("second_status",), 400))
