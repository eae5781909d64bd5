"""From a handler's name to the function it names."""

import _imp
import importlib
import os
import sys
from importlib._bootstrap import ModuleSpec, _ModuleLockManager
from importlib.machinery import SourceFileLoader

from .failure import Fault

_Module = type(sys)
_READ_SIZE = 64 * 1024  # bytes
_CACHE_TAG = sys.implementation.cache_tag

_loader = SourceFileLoader("", "")
_spec = ModuleSpec("", _loader, origin="")
_spec.has_location = True


def load(handler, folder, names):
    """Import the module of `handler` ("module.function"; "pkg/module.function" and "pkg.module.function" alike).

    `folder` comes first on the path, and `names` is what is in it. Raises `Fault` with Lambda's error types for what
    the runtime recognises, and whatever user code raises on import.
    """
    module_name, separator, function_name = handler.rpartition(".")
    if not separator:
        # The text after the colon is what unpacking a split string says; people search for it.
        raise Fault(
            "Runtime.MalformedHandlerName", f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1)"
        )
    module = _import(module_name, folder, names)
    try:
        return getattr(module, function_name)
    except AttributeError as error:
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        raise Fault("Runtime.HandlerNotFound", message) from error


def _import(name, folder, names):
    if name.split(".")[0] in sys.builtin_module_names:
        raise Fault("Runtime.BuiltInModuleConflict", f"Cannot use built-in module {name} as a handler module")
    try:
        if _is_plain_file(name, names):
            return _import_file(name, folder)
        return importlib.import_module(name.replace("/", "."))
    except ImportError as error:
        raise Fault("Runtime.ImportModuleError", f"Unable to import module '{name}': {error}") from error
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        raise Fault("Runtime.UserCodeSyntaxError", f"Syntax error in module '{name}': {error}", trace) from error


def _is_plain_file(name, names):
    """Whether importing `name` would end at the file `name`.py of the bundle, compiled anew."""
    if name + ".py" not in names or name in sys.modules or "__pycache__" in names:
        return False
    # What the import system prefers to such a file: a package, an extension module, a module built into the interpreter.
    return name not in names and not _has_extension(name, names) and not _imp.is_frozen(name)


def _has_extension(name, names):
    for suffix in _imp.extension_suffixes():
        if name + suffix in names:
            return True
    return False


def _import_file(name, folder):
    """What importlib does in the end for a file of Python, without the search: half the pages a child's import writes to.

    It is done once in a process's life: the loader and the spec are made before the fork.
    """
    path = f"{folder}/{name}.py"
    loader, spec = _loader, _spec
    loader.name = spec.name = name
    loader.path = spec.origin = path
    spec.cached = f"{folder}/__pycache__/{name}.{_CACHE_TAG}.pyc"
    module = _Module(name)
    module.__loader__, module.__spec__, module.__package__ = loader, spec, ""
    module.__file__, module.__cached__ = path, spec.cached
    with _ModuleLockManager(name):  # threads that the module starts wait for it, should they import it
        spec._initializing = True
        sys.modules[name] = module
        try:
            exec(compile(_read(path), path, "exec", dont_inherit=True), module.__dict__)
        except BaseException:
            sys.modules.pop(name, None)
            raise
        finally:
            spec._initializing = False
        return sys.modules[name]  # a module may put something else in its place


def _read(path):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = piece = os.read(fd, _READ_SIZE)
        while len(piece) == _READ_SIZE:
            piece = os.read(fd, _READ_SIZE)
            text += piece
        return text
    finally:
        os.close(fd)
