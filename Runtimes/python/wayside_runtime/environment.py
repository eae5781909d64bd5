"""What INIT asks for: variables, working directory, module path, time zone."""

import _sitebuiltins
import builtins
import os
import sys
import time

TASK_ROOT = "/var/task"

# Top-level modules the zygote imported on speculation, before anyone knew the function; empty in plain mode.
speculative_modules = set()

# -S leaves out the `site` module, which defines these two; scripts turned into functions call them.
builtins.exit = _sitebuiltins.Quitter("exit", "")
builtins.quit = _sitebuiltins.Quitter("quit", "")

booted_zone = os.environ.get("TZ")

_LAYERS = [f"/opt/python/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages", "/opt/python"]


def enter(environment):
    """Put `environment` (name → value) into the process's empty one, and make the function's folder its home.

    Returns that folder and the set of names in it.
    """
    _set_variables(environment)
    if environment.get("TZ") != booted_zone:
        time.tzset()  # libc does not look again by itself
    task_root = environment.get("LAMBDA_TASK_ROOT", TASK_ROOT)
    os.chdir(task_root)
    folders = [task_root, *_LAYERS]
    if "PYTHONPATH" in environment:
        folders += [folder for folder in environment["PYTHONPATH"].split(os.pathsep) if folder and folder not in folders]
    sys.path[:0] = folders
    names = set(os.listdir(task_root))
    _forget_shadowed(task_root, names)
    for folder in folders[1:]:
        if os.access(folder + "/", os.R_OK):  # asked first, because an exception would cost more
            _forget_shadowed(folder, os.listdir(folder))
    return task_root, names


def _set_variables(environment):
    """As os.environ.update, without its twenty calls in Python for each variable."""
    known = os.environ._data
    for name, value in environment.items():
        name, value = name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape")
        os.putenv(name, value)
        known[name] = value


def _forget_shadowed(folder, names):
    """Drop pre-imported modules that the function brings itself.

    A bundle with its own `queue.py` gets that one on Lambda, because its folder comes first on the path. Without this
    it would get the zygote's.
    """
    for name in names:
        shadowed = name.partition(".")[0] if name.endswith((".py", ".so")) else name
        if shadowed not in speculative_modules:
            continue
        if shadowed == name and not os.path.exists(os.path.join(folder, name, "__init__.py")):
            continue
        for module in [module for module in sys.modules if module == shadowed or module.startswith(shadowed + ".")]:
            del sys.modules[module]
