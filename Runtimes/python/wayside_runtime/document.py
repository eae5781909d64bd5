"""JSON in, JSON out, within the limits of a Lambda payload."""

import json
import math

from .failure import Fault

RESPONSE_MAX = 6_291_556  # bytes; 6 MiB and 100 bytes is Lambda's own limit

_TOO_LARGE = {
    "errorMessage": f"Response payload size exceeded maximum allowed payload size ({RESPONSE_MAX} bytes).",
    "errorType": "Function.ResponseSizeTooLarge",
}

# Lambda's runtimes before 3.12 escape everything outside ASCII; functions that hash or compare their answers see it.
_ASCII_ENVIRONMENTS = {"AWS_Lambda_python3.9", "AWS_Lambda_python3.10", "AWS_Lambda_python3.11"}


class ResponseTooLarge(Exception):
    """The encoded answer is over RESPONSE_MAX."""


class Encoder:
    """Encodes results the way the chosen Lambda runtime does."""

    def __init__(self, execution_environment=None):
        """`execution_environment` is the value of AWS_EXECUTION_ENV."""
        self._encode = _encode_ascii if execution_environment in _ASCII_ENVIRONMENTS else _encode_any

    def result(self, value):
        """The bytes of a handler's result. A `bytes` result passes unchanged, as on Lambda: it need not be JSON."""
        if isinstance(value, bytes):
            payload = value
        else:
            try:
                payload = self._encode(value).encode("utf-8")
            except Exception as error:
                raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from error
        if len(payload) > RESPONSE_MAX:
            raise ResponseTooLarge
        return payload

    def error(self, error_object):
        """The bytes of an error object; lone surrogates, which no UTF-8 can carry, are escaped."""
        payload = self._encode(error_object).encode("utf-8", "backslashreplace")
        return payload if len(payload) <= RESPONSE_MAX else self.too_large()

    def too_large(self):
        """The bytes of the error that replaces an answer over the limit."""
        return self._encode(_TOO_LARGE).encode("utf-8")


def decode(text):
    """The value of a JSON text, which is a view of UTF-8 bytes. Raises what json.loads raises."""
    text = str(text, "utf-8")  # given bytes, json would first guess their encoding
    try:
        value, end = _scan(text, 0)
        if end == len(text):
            return value
    except (StopIteration, ValueError):
        pass  # blanks at an end, or no JSON: json.loads knows
    return json.loads(text)


def decode_event(text):
    """The event from its JSON text, a view of UTF-8 bytes."""
    try:
        return decode(text)
    except Exception as error:
        raise Fault("Runtime.UnmarshalError", f"Unable to unmarshal input: {error}") from error


def _encode_other(value):
    """Types JSON does not know, but Lambda's Python runtime accepts.

    Decimal comes out of DynamoDB clients; bytes count as UTF-8 text.
    """
    if isinstance(value, bytes):
        return value.decode("utf-8")
    # Compared by name, so that a function without decimals never pays for the import.
    if type(value).__name__ == "Decimal" and type(value).__module__ == "decimal":
        return _number(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _encode_with(escape):
    """json.JSONEncoder(…).encode without what it does in Python around its encoder in C."""
    make = json.encoder.c_make_encoder

    def encode(value):
        open_containers = {}  # known to the encoder, which so finds circles
        return "".join(make(open_containers, _encode_other, escape, None, ": ", ", ", False, False, True)(value, 0))

    return encode


_encode_ascii = _encode_with(json.encoder.encode_basestring_ascii)
_encode_any = _encode_with(json.encoder.encode_basestring)

_scan = json.JSONDecoder().scan_once  # what json.loads calls between looking for blanks on both sides


def _number(value):
    """A Decimal as int where it is whole and of a sane size, else as the nearest float."""
    if value.is_nan():
        return math.nan  # float() refuses the signalling kind
    if value.is_finite() and value.adjusted() < 308 and value == value.to_integral_value():
        return int(value)
    return float(value)
