"""What INIT asks for: variables, working directory, module path, time zone."""

import _sitebuiltins
import builtins
import os
import sys
import time

TASK_ROOT = "/var/task"

# Top-level modules the zygote imported on speculation, before anyone knew the function; empty in plain mode.
speculative_modules = set()


def enter(environment):
    """Put `environment` (name → value) into the process's empty one, and make the function's folder its home."""
    os.environ.update(environment)
    time.tzset()  # TZ has just changed, and libc does not look again by itself
    task_root = environment.get("LAMBDA_TASK_ROOT", TASK_ROOT)
    os.chdir(task_root)
    user_folders = _user_folders(task_root, environment.get("PYTHONPATH", ""))
    sys.path[:0] = user_folders
    _forget_shadowed(user_folders)
    # -S leaves out the `site` module, which defines these two; scripts turned into functions call them.
    builtins.exit = _sitebuiltins.Quitter("exit", "")
    builtins.quit = _sitebuiltins.Quitter("quit", "")


def _user_folders(task_root, python_path):
    """Where user code is looked for, before the standard library: the bundle, the layers, PYTHONPATH."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folders = [task_root, f"/opt/python/lib/{version}/site-packages", "/opt/python"]
    return folders + [folder for folder in python_path.split(os.pathsep) if folder and folder not in folders]


def _forget_shadowed(folders):
    """Drop pre-imported modules that the function brings itself.

    A bundle with its own `queue.py` gets that one on Lambda, because its folder comes first on the path. Without this
    it would get the zygote's.
    """
    for folder in folders:
        if not os.path.isdir(folder):
            continue
        for shadowed in speculative_modules & _module_names(folder):
            for name in [name for name in sys.modules if name == shadowed or name.startswith(shadowed + ".")]:
                del sys.modules[name]


def _module_names(folder):
    """Names of the modules and packages directly in `folder`."""
    names = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((".py", ".so")):
                names.add(entry.name.partition(".")[0])
            elif os.path.exists(os.path.join(entry.path, "__init__.py")):
                names.add(entry.name)
    return names
