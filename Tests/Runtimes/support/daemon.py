"""Plays the daemon: starts a runtime's own command with a socket on fd 3 and speaks frames with it.

What it does not have is the sandbox: the runtime's folder is used where it is in the checkout, and the bundle is a
temporary folder named by LAMBDA_TASK_ROOT in INIT, as the daemon names /var/task.
"""

import json
import os
import pathlib
import select
import socket
import struct
import subprocess
import tempfile
import time

RUNTIMES = pathlib.Path(__file__).resolve().parents[3] / "Runtimes"

BOOTED, INIT, READY, INVOKE, RESULT, ERROR, STREAM = range(1, 8)
HEADER = struct.Struct("<IBBHI")
INVOKE_HEAD = struct.Struct("<QHHHH")

LAST = 1  # flag of an ERROR frame: the runtime ends after it
HEAD = 2  # flag of the first STREAM frame of a result
STREAM_MAX = 64 * 1024

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:probe"
REQUEST_ID = "8f5e1c0a-0000-4000-8000-00000000{:04d}"
TIMEOUT = 20  # seconds; a test waits this long for what should take milliseconds


def manifest(name):
    """The manifest of runtime `name`."""
    return json.loads((RUNTIMES / name / "runtime.json").read_text())


def command(name):
    """The runtime's command, with its folder where it is in the checkout."""
    return [word.replace("/var/runtime", str(RUNTIMES / name)) for word in manifest(name)["command"].split(" ")]


def write_bundle(folder, files):
    """Write `files` (relative name → text) below `folder`."""
    for name, text in files.items():
        path = pathlib.Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def variables(task_root, execution_environment, extra):
    """The complete environment of a function, as the daemon would put it into INIT."""
    return {
        "LAMBDA_TASK_ROOT": str(task_root),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_EXECUTION_ENV": execution_environment,
        "AWS_LAMBDA_FUNCTION_NAME": "probe",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/probe",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/02/[$LATEST]0123",
        **extra,
    }


def frame(kind, sequence, payload=b""):
    """The bytes of one frame."""
    return HEADER.pack(len(payload), kind, 1, 0, sequence) + payload


class Channel:
    """The daemon's end of a frame socket and of the log pipe."""

    def __init__(self, connection, log_fd):
        self.connection = connection
        self.connection.settimeout(TIMEOUT)
        self._log_fd = log_fd
        os.set_blocking(log_fd, False)
        self._log = b""
        self._sequence = 0
        self.last = False  # whether the frame received last said that the runtime ends after it
        self.head = False  # whether it was the first of a stream

    def send_init(self, handler, environment):
        payload = json.dumps({"handler": handler, "environment": environment}).encode()
        self.connection.sendall(frame(INIT, 0, payload))

    def invoke_bytes(self, event, trace_id="", client_context="", deadline_ms=None):
        """The bytes of the next INVOKE. `event` is JSON text (bytes) or a value."""
        self._sequence += 1
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        texts = [text.encode() for text in (REQUEST_ID.format(self._sequence), ARN, trace_id, client_context)]
        deadline = int(time.time() * 1000) + 3000 if deadline_ms is None else deadline_ms
        head = INVOKE_HEAD.pack(deadline, *map(len, texts))
        return frame(INVOKE, self._sequence, head + b"".join(texts) + body)

    def invoke(self, event=None, **details):
        """One call: (RESULT or ERROR, the answer's bytes)."""
        self.connection.sendall(self.invoke_bytes(event, **details))
        kind, sequence, payload = self.receive()
        assert sequence == self._sequence, f"answer to {sequence}, expected {self._sequence}"
        return kind, payload

    def stream(self, event=None, **details):
        """One call whose result is streamed: (content type, the bytes, RESULT or ERROR, the last frame's bytes).

        The content type is None when nothing was streamed.
        """
        self.connection.sendall(self.invoke_bytes(event, **details))
        content_type, parts = None, []
        while True:
            kind, sequence, payload = self.receive()
            assert sequence == self._sequence, f"frame of {sequence}, expected {self._sequence}"
            if kind != STREAM:
                return content_type, b"".join(parts), kind, payload
            assert self.head == (content_type is None), "a head where none may be, or none where one must"
            if self.head:
                content_type = payload.decode()
            else:
                parts.append(payload)

    def receive(self):
        """One frame: (type, sequence, payload); EOFError at the end of the connection. Sets `last` by its flag."""
        length, kind, version, flags, sequence = HEADER.unpack(self._exactly(HEADER.size))
        assert version == 1 and flags in {ERROR: {0, LAST}, STREAM: {0, HEAD}}.get(kind, {0}), (version, flags)
        assert kind != STREAM or length <= STREAM_MAX, length
        self.last = kind == ERROR and flags == LAST
        self.head = kind == STREAM and flags == HEAD
        return kind, sequence, self._exactly(length)

    def log(self, wait_for=None):
        """What the function has printed since the last call. Does not wait, unless for the text `wait_for`."""
        limit = time.monotonic() + TIMEOUT
        while True:
            while select.select([self._log_fd], [], [], 0)[0]:
                piece = os.read(self._log_fd, 1 << 16)
                if not piece:
                    break
                self._log += piece
            text = self._log.decode()
            if wait_for is None or wait_for in text or time.monotonic() > limit:
                self._log = b""
                return text
            time.sleep(0.005)

    def close(self):
        self.connection.close()
        os.close(self._log_fd)

    def _exactly(self, count):
        received = bytearray()
        while len(received) < count:
            piece = self.connection.recv(count - len(received))
            if not piece:
                raise EOFError
            received += piece
        return bytes(received)


class Function(Channel):
    """A function of `files`, in a runtime process of its own. A context manager: leaving it ends the process."""

    def __init__(self, runtime, files, handler="app.handler", execution_environment="", initialise=True, **extra):
        self._folder = tempfile.TemporaryDirectory(prefix="wayside-runtime-")
        self.task_root = self._folder.name
        write_bundle(self.task_root, files)
        ours, theirs = socket.socketpair()
        log_fd, output = os.pipe()
        self.process = subprocess.Popen(
            command(runtime),
            env={"OPERATOR_SECRET": "1", "PYTHONPATH": "/nowhere"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            close_fds=False,
            preexec_fn=lambda: (os.dup2(theirs.fileno(), 3), os.set_inheritable(3, True)),
        )
        theirs.close()
        os.close(output)
        super().__init__(ours, log_fd)
        assert self.receive() == (BOOTED, 0, b"")
        self.handler = handler
        self.environment = variables(self.task_root, execution_environment, extra)
        self.init_answer = None
        if initialise:
            self.send_init(self.handler, self.environment)
            self.init_answer = self.receive()

    def init_error(self):
        """The error object of an initialisation that failed."""
        kind, sequence, payload = self.init_answer
        assert (kind, sequence) == (ERROR, 0), self.init_answer
        return json.loads(payload)

    def exit_status(self):
        return self.process.wait(TIMEOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        try:
            self.process.wait(TIMEOUT)
        finally:
            self.process.kill()
            self.process.wait()
            self._folder.cleanup()
