"""The context object: the second argument of a handler.

Attribute names are Lambda's. Libraries look at more of them than their documentation says, so all are always there.
"""

import json
import sys
import time

from .failure import Fault

_CLIENT_FIELDS = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")


class _Record:
    """A small object with the attributes in __slots__, taken from a dictionary; what is missing is None."""

    __slots__ = ()

    def __init__(self, values):
        for name in self.__slots__:
            setattr(self, name, values.get(name))

    def __repr__(self):
        fields = ",".join(f"{name}={getattr(self, name)}" for name in self.__slots__)
        return f"{type(self).__name__}([{fields}])"


class CognitoIdentity(_Record):
    """Who called, by Cognito. Wayside has no Cognito: both are None."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


class Client(_Record):
    """The `client` part of the client context."""

    __slots__ = _CLIENT_FIELDS


class ClientContext(_Record):
    """What the caller sent in X-Amz-Client-Context."""

    __slots__ = ("custom", "env", "client")

    def __init__(self, values):
        super().__init__(values)
        if self.client is not None:
            self.client = Client(self.client)


_NO_IDENTITY = CognitoIdentity({})


class LambdaContext:
    """Facts about the running invocation."""

    def __init__(self, function, invocation):
        """`function`: the attributes that are the same for each call, see `function_attributes`."""
        self.__dict__.update(function)
        self.aws_request_id = invocation.request_id
        self.invoked_function_arn = invocation.function_arn
        self.client_context = _client_context(invocation.client_context)
        self.identity = _NO_IDENTITY
        self.tenant_id = None
        self._deadline_ms = invocation.deadline_ms

    def get_remaining_time_in_millis(self):
        """Milliseconds until the invocation is ended as timed out; never negative."""
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message):
        """Write `message` to the function's log, as it is."""
        sys.stdout.write(str(message))

    def __repr__(self):
        fields = ",".join(f"{name}={value}" for name, value in self.__dict__.items() if not name.startswith("_"))
        return f"{type(self).__name__}([{fields}])"


def function_attributes(environment):
    """The part of a context that the function's environment fixes, computed once."""
    return {
        "function_name": environment.get("AWS_LAMBDA_FUNCTION_NAME"),
        "function_version": environment.get("AWS_LAMBDA_FUNCTION_VERSION"),
        "memory_limit_in_mb": environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
        "log_group_name": environment.get("AWS_LAMBDA_LOG_GROUP_NAME"),
        "log_stream_name": environment.get("AWS_LAMBDA_LOG_STREAM_NAME"),
    }


def _client_context(text):
    if not text:
        return None
    try:
        return ClientContext(json.loads(text))
    except Exception as error:
        message = f"Unable to parse Client Context JSON: {error}"
        raise Fault("Runtime.LambdaContextUnmarshalError", message) from error
