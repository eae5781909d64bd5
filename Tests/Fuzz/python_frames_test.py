"""The Python runtime's frame reader against random streams: it is interpreted, so it has no libFuzzer target. The seed is printed."""

import os
import pathlib
import random
import socket
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Runtimes/python"))

from wayside_runtime import frames  # noqa: E402

SEED = int(os.environ.get("WAYSIDE_FUZZ_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
STREAMS = 2000


def reference(stream):
    """What a stream means: its frames, and whether it ends in what is no frame. By slices, without buffers."""
    found, at = [], 0
    while len(stream) - at >= frames.HEADER.size:
        length, kind, version, _, sequence = frames.HEADER.unpack_from(stream, at)
        if version != frames.VERSION or length > frames.PAYLOAD_MAX:
            return found, True
        begin = at + frames.HEADER.size
        if len(stream) - begin < length:
            break
        found.append((kind, sequence, stream[begin:begin + length]))
        at = begin + length
    return found, False


def received(stream, cuts):
    """The same by the runtime's reader, from a socket that is fed piece by piece."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    found, pieces = [], [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)])]
    with ours, theirs:
        reader = frames.FrameStream(theirs.fileno())
        for piece in pieces:
            ours.sendall(piece)
        ours.shutdown(socket.SHUT_WR)
        try:
            while (frame := reader.receive()) is not None:
                found.append((frame[0], frame[1], bytes(frame[2])))
        except frames.ProtocolError:
            return found, True
    return found, False


class FrameFuzz(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(SEED)

    def stream(self):
        def one():
            payload = self.random.randbytes(self.random.choice((0, 1, 11, 12, 13, 1000, 65536 - 12, 65536, 70000)))
            version = self.random.choice((1,) * 30 + (0, 2))
            length = self.random.choice((len(payload),) * 30 + (0, len(payload) + 1, frames.PAYLOAD_MAX + 1, 0xFFFFFFFF))
            return frames.HEADER.pack(length, self.random.randrange(256), version, 0, self.random.randrange(1 << 32)) + payload

        stream = b"".join(one() for _ in range(self.random.randrange(6)))
        return stream[:self.random.randrange(len(stream) + 1)] if self.random.random() < 0.3 else stream

    def test_a_stream_means_the_same_however_it_comes(self):
        for number in range(STREAMS):
            stream = self.stream()[:400_000]
            cuts = sorted(self.random.randrange(len(stream) + 1) for _ in range(self.random.randrange(4)))
            self.assertEqual(received(stream, cuts), reference(stream), f"stream {number} of WAYSIDE_FUZZ_SEED={SEED}")

    def test_an_invocation_is_taken_apart_or_refused(self):
        for number in range(STREAMS):
            lengths = [self.random.choice((0, 1, 7, 300, 65535)) for _ in range(4)]
            text = self.random.choice((b"a" * sum(lengths), self.random.randbytes(40)))
            payload = frames.INVOKE_HEAD.pack(self.random.randrange(1 << 64), *lengths) + text + b"{}"
            payload = payload[:self.random.randrange(len(payload) + 1)] if self.random.random() < 0.3 else payload
            with self.subTest(number=number, seed=SEED):
                try:
                    call = frames.Invocation(memoryview(payload))
                except (frames.ProtocolError, UnicodeDecodeError):
                    continue
                head = payload[frames.INVOKE_HEAD.size:len(payload) - len(call.event)]
                joined = call.request_id + call.function_arn + call.trace_id + call.client_context
                self.assertEqual((joined.encode(), len(head)), (head, sum(lengths)))


if __name__ == "__main__":
    print(f"WAYSIDE_FUZZ_SEED={SEED}")
    unittest.main()
