"""Bytes ↔ frames. The wire is fixed by Sandbox/Protocol/include/wayside_frames.h; its text is not repeated here.

This is the hot path: a warm call is one `readv` and one `write`. Hence one buffer that is filled in place and reused,
payloads handed out as views of it, and header and payload joined into one write.
"""

import os
import select
import struct

VERSION = 1
PAYLOAD_MAX = 8 * 1024 * 1024

BOOTED, INIT, READY, INVOKE, RESULT, ERROR, STREAM = range(1, 8)
HEAD = 2  # flag of the first STREAM frame of a result
STREAM_MAX = 64 * 1024  # bytes of one STREAM frame

HEADER = struct.Struct("<IBBHI")  # length, type, version, flags, sequence
INVOKE_HEAD = struct.Struct("<QHHHH")  # deadline, then the lengths of the four strings of Invocation

_BUFFER_SIZE = 64 * 1024

# Made here rather than in FrameStream, so that the children of a zygote share what they have not written to.
_first_buffer = bytearray(_BUFFER_SIZE)


class ProtocolError(Exception):
    """The daemon sent something the wire does not allow. There is no way to go on."""


class Invocation:
    """The payload of an INVOKE frame, split into its parts.

    `event` is JSON text, still a view of the buffer: it is valid until the next `receive`, and so is never copied.
    """

    __slots__ = ("deadline_ms", "request_id", "function_arn", "trace_id", "client_context", "event")

    def __init__(self, payload):
        """Split `payload`, which a frame of type INVOKE carried."""
        if len(payload) < INVOKE_HEAD.size:
            raise ProtocolError("INVOKE is too short")
        self.deadline_ms, id_length, arn_length, trace_length, client_length = INVOKE_HEAD.unpack_from(payload)
        arn = INVOKE_HEAD.size + id_length
        trace = arn + arn_length
        client = trace + trace_length
        event = client + client_length
        if event > len(payload):
            raise ProtocolError("INVOKE is shorter than its strings")
        head = bytes(payload[:event])
        self.request_id = head[INVOKE_HEAD.size : arn].decode()
        self.function_arn = head[arn:trace].decode()
        self.trace_id = head[trace:client].decode()
        self.client_context = head[client:].decode()
        self.event = payload[event:]


class FrameStream:
    """Frames over one connected, blocking stream socket. Used by one thread."""

    def __init__(self, fd):
        """On descriptor `fd`, which need not be open yet."""
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self._use(_first_buffer)
        self._start = self._end = 0  # the unread bytes are _buffer[_start:_end]

    def open(self):
        """The descriptor is open now: children of user code are not to inherit it."""
        os.set_inheritable(self._fd, False)

    def waits(self, milliseconds):
        """Whether nothing arrives within so many milliseconds; False also where the sandbox forbids to ask."""
        try:
            return not self._poll.poll(milliseconds)
        except OSError:
            return False

    def receive(self):
        """Wait for the next frame: (type, sequence, payload), or None when the daemon has closed the connection.

        The payload is a view of the buffer, valid until the next call.
        """
        if not self._fill(HEADER.size):
            return None
        length, kind, version, _flags, sequence = HEADER.unpack_from(self._buffer, self._start)
        if version != VERSION:
            raise ProtocolError(f"frame version {version}, expected {VERSION}")
        if length > PAYLOAD_MAX:
            raise ProtocolError(f"frame of {length} bytes, at most {PAYLOAD_MAX} are allowed")
        if not self._fill(HEADER.size + length):
            return None
        begin = self._start + HEADER.size
        self._start = begin + length
        return kind, sequence, self._view[begin : self._start]

    def send(self, kind, sequence, payload=b"", flags=0):
        """Send one frame whole, however many writes the socket needs."""
        frame = HEADER.pack(len(payload), kind, VERSION, flags, sequence) + payload
        written = os.write(self._fd, frame)
        if written < len(frame):
            rest = memoryview(frame)[written:]
            while rest:
                rest = rest[os.write(self._fd, rest) :]

    def _fill(self, count):
        """Read until `count` bytes are unread in the buffer; False at the end of the stream."""
        if self._end - self._start >= count:
            return True
        self._make_room(count)
        while self._end - self._start < count:
            received = os.readv(self._fd, [self._view[self._end :]])
            if received == 0:
                return False
            self._end += received
        return True

    def _make_room(self, count):
        """Move the unread bytes to the front of a buffer that can hold `count`.

        A large event gets a large buffer, which is dropped again with the next frame: an idle container holds 64 KiB.
        """
        unread = bytes(self._view[self._start : self._end])
        if count > len(self._buffer) or len(self._buffer) > _BUFFER_SIZE:
            self._use(bytearray(max(count, _BUFFER_SIZE)))
        self._view[: len(unread)] = unread
        self._start, self._end = 0, len(unread)

    def _use(self, buffer):
        self._buffer = buffer
        self._view = memoryview(buffer)
