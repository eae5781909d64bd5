"""From a handler's name to the function it names."""

import importlib
import sys

from .failure import Fault


def load(handler):
    """Import the module of `handler` ("module.function"; "pkg/module.function" and "pkg.module.function" alike).

    Raises `Fault` with Lambda's error types for what the runtime recognises, and whatever user code raises on import.
    """
    module_name, separator, function_name = handler.rpartition(".")
    if not separator:
        # The text after the colon is what unpacking a split string says; people search for it.
        raise Fault(
            "Runtime.MalformedHandlerName", f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1)"
        )
    module = _import(module_name)
    try:
        return getattr(module, function_name)
    except AttributeError as error:
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        raise Fault("Runtime.HandlerNotFound", message) from error


def _import(name):
    if name.split(".")[0] in sys.builtin_module_names:
        raise Fault("Runtime.BuiltInModuleConflict", f"Cannot use built-in module {name} as a handler module")
    try:
        return importlib.import_module(name.replace("/", "."))
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{name}': {error}") from error
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{name}': {error}", trace) from error
