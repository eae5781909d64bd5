"""The life of one container.

    BOOTED ──► INIT ──► READY ──► INVOKE ─► [STREAM …] RESULT or ERROR ─► INVOKE …
                 └────► ERROR 0, exit 1

User code decides how its process ends: SystemExit and signals are not caught, and the daemon reads the exit status.
"""

import os

from . import environment, log
from .context import LambdaContext, function_attributes
from .document import Encoder, ResponseTooLarge, decode, decode_event
from .failure import error_object
from .frames import BOOTED, ERROR, INIT, INVOKE, READY, RESULT, STREAM, Invocation, ProtocolError
from .loader import load
from .streaming import is_streamed, send_parts

EXIT_INIT_FAILED = 1

IN_STOCK_AFTER_MS = 2  # what is started for a call gets INIT sooner


def serve(stream, rehearse=None):
    """Serve frames of `stream` until the daemon closes it; does not return. The environment has to be empty.

    `rehearse` is called when INIT lets wait for itself, as in a container that is kept in stock.
    """
    stream.open()
    stream.send(BOOTED, 0)
    if rehearse and stream.waits(IN_STOCK_AFTER_MS):
        rehearse()
    _sequence, payload = _expect(stream, INIT)
    function = _initialise(stream, decode(payload))
    stream.send(READY, 0)
    while True:
        sequence, payload = _expect(stream, INVOKE)
        kind, answer = function.call(Invocation(payload))
        if kind == STREAM:
            kind, answer = function.stream(answer, lambda part, flags: stream.send(STREAM, sequence, part, flags))
        log.flush()  # before the answer: whoever reads the answer may read the log next
        stream.send(kind, sequence, answer)


class Function:
    """User code, loaded and ready to be called."""

    def __init__(self, handler, variables):
        """`variables`: the function's environment."""
        self._handler = handler
        self._attributes = function_attributes(variables)
        self._encoder = Encoder(variables.get("AWS_EXECUTION_ENV"))
        self._trace_id = ""

    def call(self, invocation):
        """Run the handler once: (RESULT, JSON text), (ERROR, error object as JSON text) or (STREAM, the parts to come)."""
        log.request_id = invocation.request_id
        self._set_trace_id(invocation.trace_id)
        try:
            context = LambdaContext(self._attributes, invocation)
            event = decode_event(invocation.event)
            result = self._handler(event, context)
            return (STREAM, result) if is_streamed(result) else (RESULT, self._encoder.result(result))
        except ResponseTooLarge:
            return ERROR, self._encoder.too_large()
        except Exception as error:
            return self._failed(error)

    def stream(self, parts, send):
        """Send the parts of a result: (RESULT, nothing more) or (ERROR, error object as JSON text)."""
        try:
            send_parts(parts, send)
            return RESULT, b""
        except Exception as error:
            return self._failed(error)

    def _failed(self, error):
        failure = error_object(error, log.request_id)
        log.report(failure)
        return ERROR, self._encoder.error(failure)

    def _set_trace_id(self, trace_id):
        if trace_id == self._trace_id:
            return
        self._trace_id = trace_id
        if trace_id:
            os.environ["_X_AMZN_TRACE_ID"] = trace_id
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)


def _initialise(stream, settings):
    """Import user code; when that fails, say why and end the process."""
    variables = settings["environment"]
    try:
        folder, names = environment.enter(variables)
        return Function(load(settings["handler"], folder, names), variables)
    except Exception as error:
        failure = error_object(error)
        log.report(failure)
        log.flush()
        stream.send(ERROR, 0, Encoder(variables.get("AWS_EXECUTION_ENV")).error(failure))
        # Not sys.exit: threads that the half-loaded code has started must not keep the process.
        os._exit(EXIT_INIT_FAILED)


def _expect(stream, expected):
    """The next frame's (sequence, payload); it has to be of type `expected`. Ends the process with the connection."""
    frame = stream.receive()
    if frame is None:
        log.flush()
        os._exit(0)  # the container is being taken away; nobody is left to wait for
    kind, sequence, payload = frame
    if kind != expected:
        raise ProtocolError(f"frame type {kind}, expected {expected}")
    return sequence, payload
