"""What reaches the function's log: standard output and error, `logging`, and the report of a failure."""

import logging
import os
import sys
import time

# The request id that log records carry. Threads a handler started earlier write under the id of the call that runs now.
request_id = ""


def configure():
    """Set up the streams and the root logger; called once, before user code exists."""
    _open_streams()
    logging.Formatter.converter = time.gmtime
    handler = LambdaLoggerHandler()
    handler.setFormatter(
        logging.Formatter(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n", "%Y-%m-%dT%H:%M:%S"
        )
    )
    handler.addFilter(_add_request_id)
    # On the root, because functions call logging.getLogger().setLevel(…) and expect the rest to be there.
    logging.getLogger().addHandler(handler)


def configure_for_children():
    """As `configure`, for children that find a pipe at descriptors 1 and 2, whatever is there now.

    A stream remembers what its descriptor was when it was made: that of a zygote, whose output may be a file, would go
    on asking for its position after the fork, and a pipe has none.
    """
    read_end, write_end = os.pipe()
    own = [os.dup(1), os.dup(2)]
    os.dup2(write_end, 1)
    os.dup2(write_end, 2)
    try:
        configure()
    finally:
        os.dup2(own[0], 1)
        os.dup2(own[1], 2)
        for fd in (read_end, write_end, *own):
            os.close(fd)


def _open_streams():
    """Make sys.stdout and sys.stderr anew, buffered by line."""
    for name, fd in (("stdout", 1), ("stderr", 2)):
        # One write for each line: lines of threads and subprocesses do not mix, and all but an unfinished line survive
        # a kill. A function must not fail because it printed half a surrogate pair, hence the error handler.
        stream = open(fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def flush():
    """Push out what is still buffered, so that the log of a call is complete when its answer arrives."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError, OSError):
            # User code may replace or close these streams; it then has no log, and its answer still counts.
            continue


def report(error_object):
    """Print a failure to the log in Lambda's form."""
    lines = [
        f"[ERROR] {error_object['errorType']}: {error_object['errorMessage']}",
        "Traceback (most recent call last):",
    ]
    lines += [entry.rstrip("\n") for entry in error_object["stackTrace"]]
    try:
        sys.stdout.write("\n".join(lines) + "\n")
    except (AttributeError, ValueError, OSError):
        return  # as in flush()


class LambdaLoggerHandler(logging.Handler):
    """Writes records to standard output; sys.stdout is looked up each time because tests and users replace it."""

    def emit(self, record):
        try:
            sys.stdout.write(self.format(record))
        except Exception:
            self.handleError(record)


def _add_request_id(record):
    record.aws_request_id = request_id
    return True
