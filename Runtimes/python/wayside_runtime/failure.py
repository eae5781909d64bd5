"""Exceptions → the error objects a caller of a Lambda function knows."""

import os
import traceback

_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Fault(Exception):
    """A failure with a name of its own (`Runtime.…`), rather than the name of an exception class."""

    def __init__(self, error_type, message, stack_trace=()):
        super().__init__(message)
        self.error_type = error_type
        self.stack_trace = list(stack_trace)


def error_object(error, request_id=""):
    """The error object of `error`: what is sent to the caller and printed to the log.

    `request_id` is empty while the function initialises, as on Lambda.
    """
    if isinstance(error, Fault):
        error_type, stack_trace = error.error_type, error.stack_trace
    else:
        error_type, stack_trace = type(error).__name__, _stack_trace(error)
    return {
        "errorMessage": str(error),
        "errorType": error_type,
        "requestId": request_id,
        "stackTrace": stack_trace,
    }


def _stack_trace(error):
    """One text for each frame, from the first that is not the runtime's own: users debug their code, not ours."""
    frames = [
        (frame.filename, frame.lineno, frame.name, frame.line) for frame in traceback.extract_tb(error.__traceback__)
    ]
    first = next((index for index, frame in enumerate(frames) if not frame[0].startswith(_OWN_FOLDER)), 0)
    return traceback.format_list(frames[first:])
