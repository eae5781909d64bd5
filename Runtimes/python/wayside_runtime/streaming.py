"""Results that are sent while they are made: of handlers that are generators, or return another iterator."""

from .failure import Fault
from .frames import HEAD, STREAM_MAX


def is_streamed(result):
    """Whether a handler's result is to be sent part by part."""
    return hasattr(result, "__next__")


def send_parts(parts, send):
    """Send each part as soon as it is there: bytes as they are, text as UTF-8.

    `send(payload, flags)` sends one STREAM frame, and waits while nobody reads. A failure before the first part is one
    of the call, as if nothing had been streamed.
    """
    first = next(parts, b"")
    send(b"", HEAD)
    _send(first, send)
    for part in parts:
        _send(part, send)


def _send(part, send):
    try:
        rest = memoryview(part.encode() if isinstance(part, str) else part).cast("B")
    except Exception as error:
        raise Fault("Runtime.MarshalError", f"Unable to stream a part of the response: {error}") from error
    while rest:
        send(rest[:STREAM_MAX], 0)
        rest = rest[STREAM_MAX:]
