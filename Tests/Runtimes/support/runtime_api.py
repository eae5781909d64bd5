"""A small Lambda Runtime API, for tests of `provided` functions.

It simulates what the daemon serves on 127.0.0.1:9001: `next`, `response`, `error`, `init/error` with Lambda's headers
and status codes, one event at a time, keep-alive, pipelined requests. `habit` gives it the manners of less friendly
servers:

    "close after post"   answers a POST with `Connection: close` and closes, whatever was pipelined behind it
    "drop after next"    hands out an event and drops the connection, once for each event
    "lower case"         header names in lower case
    "small pieces"       answers arrive a few bytes at a time
"""

import queue
import socket
import threading
import time

PREFIX = "/2018-06-01/runtime/"
TIMEOUT = 20  # seconds


class RuntimeAPI:
    """Serves on a free port of 127.0.0.1 until closed. A context manager."""

    def __init__(self, habit=None):
        self._habit = habit
        self._events = queue.Queue()
        self._answers = queue.Queue()
        self._current = None  # (request id, event) handed out and not yet answered
        self._dropped = set()
        self.connections = 0
        self.recv_calls = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def call(self, request_id, event):
        """Hand out `event` (bytes) and wait for its answer: (path, headers, body)."""
        self._events.put((request_id, event))
        return self.answer()

    def answer(self):
        return self._answers.get(timeout=TIMEOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        buffer = b""
        with connection:
            while True:
                while b"\r\n\r\n" not in buffer:
                    try:
                        piece = connection.recv(1 << 16)
                    except ConnectionResetError:
                        return  # the client was killed
                    self.recv_calls += 1
                    if not piece:
                        return
                    buffer += piece
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                method, path, headers = _parse(head)
                length = int(headers.get("content-length", 0))
                while len(buffer) < length:
                    buffer += connection.recv(1 << 16)
                body, buffer = buffer[:length], buffer[length:]
                if not self._answer(connection, method, path, headers, body):
                    return

    def _answer(self, connection, method, path, headers, body):
        """Answer one request; False when the connection is to be closed."""
        if method == "GET" and path == PREFIX + "invocation/next":
            if self._current is None:
                self._current = self._events.get()
            request_id, event = self._current
            self._send(connection, "200 OK", event, _event_headers(request_id))
            if self._habit == "drop after next" and request_id not in self._dropped:
                self._dropped.add(request_id)
                return False
            return True
        last = self._habit == "close after post"
        extra = {"Connection": "close"} if last else {}
        expected = PREFIX + "invocation/" + (self._current[0] if self._current else "")
        if path in (expected + "/response", expected + "/error") or path == PREFIX + "init/error":
            self._current = None
            self._send(connection, "202 Accepted", b'{"status":"OK"}\n', extra)
            self._answers.put((path, headers, body))
        else:
            self._send(connection, "400 Bad Request", b'{"errorMessage":"","errorType":"InvalidRequestID"}\n', extra)
        return not last

    def _send(self, connection, status, body, headers):
        headers = {**headers, "Content-Length": str(len(body)), "Content-Type": "application/json"}
        if self._habit == "lower case":
            headers = {name.lower(): value for name, value in headers.items()}
        head = f"HTTP/1.1 {status}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        answer = head.encode() + b"\r\n" + body
        size = 7 if self._habit == "small pieces" else len(answer)
        for start in range(0, len(answer), size):
            connection.sendall(answer[start : start + size])
            if size < len(answer):
                time.sleep(0.0002)


def _event_headers(request_id):
    return {
        "Lambda-Runtime-Aws-Request-Id": request_id,
        "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 3000),
        "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:probe",
        "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793",
    }


def _parse(head):
    request, *lines = head.decode().split("\r\n")
    method, path, _version = request.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return method, path, headers
