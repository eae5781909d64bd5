"""Makes the seeds that are real messages: `python3 Tests/Fuzz/seeds.py` writes seeds/<target>/made-*.

The wire comes from Tests/Sandbox/launcher_client.py, which the launcher's own tests speak, so the seeds follow its version. What a
run has found is kept beside them as found-*, under any name that says what it was.
"""

import json
import pathlib
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "Tests/Sandbox"))

import launcher_client as wire  # noqa: E402

RUNTIME_BYTES, BUNDLE_BYTES = 32, 128
REQUEST_ID = "11111111-2222-4333-8444-555555555555"


def packet(kind, body=b"", request=7, version=wire.VERSION):
    return wire.HEADER.pack(wire.MAGIC, version, kind, request, wire.HEADER.size + len(body), 0) + body


def listed(*parts):
    """Parts, each behind its length in two bytes."""
    return b"".join(struct.pack("<H", len(part)) + part for part in parts)


def limits():
    return struct.pack("=QIIII", 128 << 20, 1000, 128, 64, 0)


def start(stages, runtime=b"provided", bundle=b"", arguments=(), environment=(), calls=(), flags=0, egress=0):
    strings = b"".join(text + b"\0" for text in (*arguments, *environment, *calls))
    fixed = struct.pack("=QQIIII", 1, 1, stages, flags, 1024, egress) + limits() + struct.pack("=QQ", 512 << 20, 0)
    fixed += runtime.ljust(RUNTIME_BYTES, b"\0") + bundle.ljust(BUNDLE_BYTES, b"\0")
    return packet(wire.CONTAINER_START, fixed + struct.pack("=IIII", len(arguments), len(environment), len(calls), len(strings)) + strings)


def park(label, length=None):
    bits = wire.CHANNEL | wire.LOG | wire.FREEZER
    return wire.PARK_HEAD.pack(1, 600, bits, 7, len(label) if length is None else length) + label


def launcher_requests():
    hello, both = packet(wire.HELLO), wire.PREPARE | wire.ASSIGN
    one = struct.pack("=Q", 1)
    create = packet(wire.INSTANCE_CREATE, one + limits())
    yield "life", listed(hello, create, start(wire.PREPARE, b"python"), start(wire.ASSIGN, b"python", b"sha256/ab/cd"),
                         packet(wire.CONTAINER_INSPECT, one), packet(wire.CONTAINER_KILL, one), packet(wire.INSTANCE_KILL, one))
    yield "strings", listed(hello, start(both, bundle=b"a", arguments=(b"bootstrap", b""), environment=(b"A=1", b"B="), calls=(b"read",)))
    yield "egress", listed(hello, start(both, b"python", b"a", flags=wire.ALONE | wire.LEARN, egress=3128))
    yield "park", listed(hello, packet(wire.CONTAINER_PARK, park(b"label")), packet(wire.CONTAINER_PARK, park(b"", length=1)),
                         packet(wire.ADOPT))
    yield "unknown", listed(hello, packet(wire.CONTAINER_KILL, struct.pack("=Q", 9)), packet(99))
    yield "version", listed(packet(wire.HELLO, version=1), hello)
    yield "early", listed(create, hello)


def launcher_options():
    least = ["--socket", "/s", "--content", "/c", "--state", "/t", "--peer-uid", "65534"]
    python = ["--runtime", "python:fork/interpreter:/r:/usr/bin/python3 -I /var/runtime/bootstrap.py", "--zygote-library", "/z.so"]
    provided = ["--runtime", "provided:exec_late:/p:/var/task/bootstrap"]
    node = ["--runtime", "nodejs:exec_early/jit:/n:/usr/bin/node  x"]
    rest = ["--instances-max", "16", "--containers-max", "64", "--uid-base", "1879048192", "--cgroup", "wayside-1",
            "--lifeline", "--mark", "x"]
    many = [text for i in range(17) for text in ("--runtime", f"r{i}:exec_late:/r:/x{' a' * i * 2}")]
    for name, arguments in (("least", least + provided), ("many", least + many), ("all", least + python + node + provided + rest),
                            ("joined", ["--cgroup=a", "--", "x"])):
        yield name, "\0".join(arguments).encode()


def c_numbers(*expressions):
    """Sizes and constants of Core/include as the compiler knows them."""
    headers = "".join(f'#include "{header}"\n' for header in ("stdio.h", "ws_entry.h", "ws_zygote_wire.h"))
    prints = "".join(f'printf("%zu ", (size_t)({expression}));' for expression in expressions)
    program = ROOT / ".build/fuzz/numbers"
    program.parent.mkdir(parents=True, exist_ok=True)
    folders = [f"-I{ROOT}/Sandbox/Core/include", f"-I{ROOT}/Sandbox/Protocol/include"]
    subprocess.run(["clang", "-D_GNU_SOURCE", *folders, "-x", "c", "-", "-o", program], check=True,
                   input=f"{headers}int main(void) {{ {prints} }}".encode())
    return map(int, subprocess.run([program], check=True, capture_output=True, text=True).stdout.split())


def zygote_orders():
    def sent(data, fds):
        return struct.pack("<HB", len(data), fds) + data

    setup_size, order_size, order_fds, name_size = c_numbers(
        "sizeof(struct ws_zygote_setup)", "sizeof(struct ws_entry_order)", "WS_ZYGOTE_ORDER_FDS", "WS_CGROUP_NAME_MAX")
    setup = struct.pack("=IIII5II", 1, 4, 2, 1, 31, 0, 0, 0, 0, 4).ljust(setup_size, b"\0")
    order = struct.pack("=QQII", 1 << 16, 0, 1024, 64).ljust(order_size - name_size, b"\0") + b"wayside/i1/c1".ljust(name_size, b"\0")
    yield "life", sent(setup, 2) + sent(order, order_fds) + sent(order, order_fds)
    yield "early", sent(order, order_fds)
    yield "again", sent(setup, 2) + sent(setup, 2)
    yield "filter", sent(setup[:setup_size - 4] + struct.pack("=I", 4097), 2) + sent(order, order_fds)


def narrowed_filters():
    for name, flags, calls in (("profile", 1, b"\x0f\x00\x00\x10\x01"), ("learn", 2, b""), ("both", 15, b"\xff" * 64), ("empty", 1, b"")):
        yield name, bytes([flags]) + calls.ljust(64, b"\0") + b"clone3"
    yield "scattered", b"\x01" + b"\x55" * 64


def frame(kind, sequence=0, payload=b""):
    return wire.FRAME.pack(len(payload), kind, 1, 0, sequence) + payload


def frames():
    failure = json.dumps({"errorMessage": "m", "errorType": "ValueError", "stackTrace": []}).encode()
    yield "life", b"\xff" + frame(1) + frame(3) + frame(5, 1, b'{"a":1}') + frame(6, 2, failure)
    yield "cut", b"\x00" + frame(1) + frame(5, 0xFFFFFFFF, b"[]") + frame(3)[:7]
    yield "last", b"\x07" + frame(1) + wire.FRAME.pack(2, 6, 1, 1, 1) + b"{}" + wire.FRAME.pack(2, 5, 1, 1, 2) + b"{}"
    yield "long", b"\x03" + wire.FRAME.pack(8 << 20, 5, 1, 0, 1) + b"x" * 16
    yield "longer", b"\x03" + wire.FRAME.pack((8 << 20) + 1, 5, 1, 0, 1)


def launcher_messages():
    yield "hello", packet(wire.HELLO_REPLY, struct.pack("=IIIIIIIIQ", 12, 1, 2, 6, 512, 2048, 1, 0, 9))
    yield "reply", packet(wire.REPLY, struct.pack("=IiII", 0, 0, 34, 31))
    yield "failed", packet(wire.REPLY, struct.pack("=IiII", 5, 11, 0, 0))
    yield "exit", packet(wire.CONTAINER_EXIT, struct.pack("=QIiQQ", 3, 2, 9, 1 << 20, 1 << 30), 0)
    yield "instance", packet(wire.INSTANCE_EXIT, struct.pack("=Q", 3), 0)
    yield "zygote", packet(wire.ZYGOTE_EXIT, b"python".ljust(RUNTIME_BYTES, b"\0") + struct.pack("=iI", 9, 0), 0)
    yield "calls", packet(wire.CONTAINER_SYSCALLS, struct.pack("=QII", 3, 2, 11) + b"read\0write\0", 0)
    adopted = wire.ADOPTED_HEAD.pack(3, 4, 34, wire.CHANNEL | wire.LOG, 7, 5, b"python")
    yield "adopted", packet(wire.ADOPTED, adopted + b"label")
    yield "none", packet(wire.ADOPTED, wire.ADOPTED_HEAD.pack(0, 0, 0, 0, 0, 0, b""))
    yield "start", bytes([3, 1, 1, 2]) + listed(b"python", b"sha256/ab", b"bootstrap", b"A=1")


def runtime_api():
    def sent(text, connection=0):
        return bytes([connection]) + listed(text.replace("\n", "\r\n").encode() if isinstance(text, str) else text)

    call = bytes([8]) + listed(b'{"a":\n1}')
    asked = sent("GET /2018-06-01/runtime/invocation/next HTTP/1.1\nHost: x\n\n")
    prefix = f"POST /2018-06-01/runtime/invocation/{REQUEST_ID}"
    answered = sent(f"{prefix}/response HTTP/1.1\nHost: x\nContent-Length: 2\n\n{{}}")
    failed = sent(f"{prefix}/error HTTP/1.1\nHost: x\nLambda-Runtime-Function-Error-Type: Runtime.Bad\nContent-Length: 20\n\n"
                  '{"errorType":"E.Bad"}')
    streamed = sent(f"{prefix}/response HTTP/1.1\nHost: x\nLambda-Runtime-Function-Response-Mode: streaming\nTransfer-Encoding: chunked\n"
                    "Trailer: Lambda-Runtime-Function-Error-Type\n\n2\n{}\n0\nLambda-Runtime-Function-Error-Type: X.Y\n"
                    "Lambda-Runtime-Function-Error-Body: e30=\n\n")
    yield "life", asked + call + answered + asked + call + failed + bytes([14]) + listed(b"")
    yield "streamed", call + asked + streamed + asked
    yield "start", sent("POST /2018-06-01/runtime/init/error HTTP/1.1\nHost: x\nContent-Length: 2\n\n{}") + asked
    begun = sent(f"{prefix}/response HTTP/1.1\nHost: x\nContent-Length: 9\n\n{{", 1)
    yield "two", asked + call + begun + answered + bytes([13]) + listed(b"")
    expecting = sent("POST /x HTTP/1.1\nHost: x\nExpect: 100-continue\nContent-Length: 1\n\n1", 1)
    yield "ping", sent("GET /2018-06-01/ping HTTP/1.0\n\n") + expecting


def egress_policy():
    yield "names", b"api.example.com:443\n*.Example.com:8000-8100\nAPI.example.com."
    yield "networks", b"10.0.0.0/8:5432\n192.0.2.7\n127.0.0.0/8:80\n10.1.2.3"
    yield "six", b"[2001:db8::]/32:443\n[::ffff:10.0.0.0]/104\n[::1]:80\n::ffff:10.0.0.1"
    yield "metadata", b"0.0.0.0/0\n169.254.169.254"
    yield "octal", b"\n0177.0.0.1"


def egress_requests():
    for name, text in (
            ("connect", "CONNECT api.example.com:443 HTTP/1.1\nHost: api.example.com:443\nProxy-Authorization: Basic x\n\n"),
            ("six", "CONNECT [2001:db8::7]:443 HTTP/1.1\nHost: x\n\n"),
            ("plain", "GET http://Example.com/a?b HTTP/1.1\nHost: other\nProxy-Connection: keep-alive\nConnection: x, close\nX: y\n\n"),
            ("body", "POST http://192.0.2.7:8080 HTTP/1.1\nHost: x\nContent-Length: 5\n\nhello"),
            ("chunked", "POST http://example.com/ HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\nUpgrade: h2c\n\n5\nhello\n0\n\n"),
            ("options", "OPTIONS http://example.com HTTP/1.1\nHost: x\n\nGET http://a/ HTTP/1.0\n\n")):
        yield name, text.replace("\n", "\r\n").encode()


def json_():
    yield "object", rb'{"a": [1, -2.5e+3, true, null], "\u00e9\ud83d\ude00": "\n\"x", "a": {}}'
    yield "texts", '["é", "日本", "😀", "\\ud800"]'.encode()
    yield "deep", b"[" * 65 + b"]" * 65
    yield "wrong", b'{"a":01,}'


MAKERS = {
    "launcher_requests": launcher_requests, "launcher_options": launcher_options, "zygote_orders": zygote_orders,
    "narrowed_filters": narrowed_filters, "frames": frames, "launcher_messages": launcher_messages, "runtime_api": runtime_api,
    "egress_policy": egress_policy, "egress_requests": egress_requests, "json": json_,
}


def made():
    """{path: bytes} of every seed that is made."""
    return {HERE / "seeds" / target / f"made-{name}": content for target, maker in MAKERS.items() for name, content in maker()}


def stale():
    """Paths of made seeds that are not what they would be if they were made now."""
    wanted = made()
    present = {path: path.read_bytes() for path in (HERE / "seeds").glob("*/made-*")}
    return sorted(path for path in wanted.keys() | present.keys() if wanted.get(path) != present.get(path))


if __name__ == "__main__":
    for changed in stale():
        content = made().get(changed)
        if content is None:
            changed.unlink()
        else:
            changed.parent.mkdir(parents=True, exist_ok=True)
            changed.write_bytes(content)
        print(changed.relative_to(ROOT))
