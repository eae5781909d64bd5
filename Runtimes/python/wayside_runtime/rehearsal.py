"""Does in the zygote what each of its children will do: receive INIT, load a function, call it, answer.

The interpreter learns while it runs: it specialises bytecode, remembers in which class an attribute was found, looks up
symbols of shared libraries. All that is written into pages of memory. What the zygote has learnt its children share;
what they learn themselves each of them pays for by copying the page, in time and in memory (README.md has numbers).

A child that has nothing to do yet rehearses once more: the pages that a start writes to are then its own when INIT comes.
It makes no system call that INIT would not make: a narrow profile may hold for it already.
"""

import contextlib
import gc
import json
import os
import socket
import sys

from . import environment, log
from .document import decode
from .frames import INIT, INVOKE_HEAD, RESULT, FrameStream, Invocation
from .loader import load
from .serve import Function

_ROUNDS = 20  # more often than a function has to run before the interpreter specialises it
_MODULE = "app"
_BUNDLE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "rehearsed")
_NAMES = (
    "AWS_EXECUTION_ENV AWS_LAMBDA_FUNCTION_NAME AWS_LAMBDA_FUNCTION_VERSION AWS_LAMBDA_FUNCTION_MEMORY_SIZE AWS_REGION "
    "AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN "
    "AWS_DEFAULT_REGION AWS_LAMBDA_INITIALIZATION_TYPE AWS_LAMBDA_RUNTIME_API LAMBDA_RUNTIME_DIR LANG PATH _HANDLER"
).split()


_INIT = {
    "handler": _MODULE + ".handler",
    "environment": {name: "rehearsed" for name in _NAMES}
    | {"LAMBDA_TASK_ROOT": _BUNDLE}
    | ({"TZ": environment.booted_zone} if environment.booted_zone else {}),
}
_INIT_TEXT = memoryview(json.dumps(_INIT).encode())
_INVOKE_TEXT = memoryview(INVOKE_HEAD.pack(0, 2, 3, 0, 0) + b"id" + b"arn" + b'{"key":"value"}')


def run():
    """Rehearse in the zygote; afterwards environment, folder, path, modules and descriptors are what they were.

    The environment has to be empty.
    """
    folder = os.getcwd()
    daemon, runtime = socket.socketpair()
    with daemon, runtime:
        stream, peer = FrameStream(runtime.fileno()), FrameStream(daemon.fileno())
        stream.open()
        for _ in range(_ROUNDS):
            peer.send(INIT, 0, _INIT_TEXT)
            stream.waits(0)
            stream.receive()
            _start_and_call()
            stream.send(RESULT, 1, b"{}")
            peer.receive()
            gc.collect()  # what a round leaves behind must not lie between what the next one makes
    os.chdir(folder)


def once():
    """Rehearse in a child. Its folder is another one then, until INIT names the right one."""
    with contextlib.suppress(OSError):  # a profile that forbids one of the calls: the container is no worse for it
        _start_and_call()


def _start_and_call():
    path = list(sys.path)
    try:
        settings = decode(_INIT_TEXT)
        folder, names = environment.enter(settings["environment"])
        function = Function(load(settings["handler"], folder, names), settings["environment"])
        function.call(Invocation(_INVOKE_TEXT))
        log.flush()
    finally:
        os.environ.clear()
        sys.path[:] = path
        sys.modules.pop(_MODULE, None)
        log.request_id = ""
