"""One booted interpreter, forked for each container.

Booting Python and importing its common modules takes tens of milliseconds; a fork takes a fraction of one. The zygote
pays once and then waits for the launcher, which owns namespaces, mounts and limits: they are in libwayside-zygote
(Sandbox/Zygote), called through ctypes.

    launcher ── order ──► ws_zygote_receive
                          ws_zygote_fork ──► child: ws_zygote_enter (namespaces, limits, seccomp) ──► serve on fd 3
    launcher ◄── pid ──── ws_zygote_reply

The fork happens in C, behind the interpreter's back, so the interpreter is told before and after, as os.fork() does it.
The zygote stays single-threaded: a lock held by another thread would stay locked for ever in the child.
"""

import ctypes
import gc
import os
import ssl
import sys
import tempfile

from . import environment, log

LIBRARY_VARIABLE = "WAYSIDE_ZYGOTE_LIBRARY"
FD_VARIABLE = "WAYSIDE_ZYGOTE_FD"

EXIT_ENTER_FAILED = 70  # EX_SOFTWARE of sysexits.h


def run(preimport_file, needed):
    """Fork a child for each order of the launcher. Returns in the children; the zygote itself exits with the launcher.

    `needed`: names of the modules that serving needs, which all of `sys.modules` was before this one was imported.
    """
    gc.disable()  # a collection now would only scatter the heap that the children share
    _preimport(preimport_file, needed)
    # OpenSSL's generator is set up by its first use, 1.4 ms which every child would pay. Sharing its state is safe only
    # because renew_after_fork reseeds it.
    ssl.RAND_bytes(1)
    library = _load(os.environ[LIBRARY_VARIABLE])
    python = ctypes.pythonapi
    control = int(os.environ[FD_VARIABLE])
    os.environ.clear()
    # What lives now lives on in every child. Frozen, it is never visited by their collectors, so its pages stay shared.
    gc.collect()
    gc.freeze()
    if library.ws_zygote_ready(control) < 0:
        os._exit(EXIT_ENTER_FAILED)
    while library.ws_zygote_receive(control) == 0:
        python.PyOS_BeforeFork()
        pid = library.ws_zygote_fork()
        if pid == 0:
            python.PyOS_AfterFork_Child()
            if library.ws_zygote_enter() != 0:
                os._exit(EXIT_ENTER_FAILED)
            renew_after_fork()
            log.open_streams()
            return
        python.PyOS_AfterFork_Parent()
        library.ws_zygote_reply(control, pid if pid > 0 else -ctypes.get_errno())
    os._exit(0)


def renew_after_fork():
    """Give the child its own randomness; siblings must not make the same keys, names or tokens.

    `random` reseeds itself in PyOS_AfterFork_Child. OpenSSL and `tempfile` notice a fork by a changed process id,
    which does not help here: in PID namespaces the zygote and all its children may have the same one. What cannot be
    renewed is the seed of str hashes: README.md.
    """
    ssl.RAND_add(os.urandom(32), 32.0)
    tempfile._name_sequence = None
    tempfile.tempdir = None
    gc.enable()


def _preimport(file, needed):
    """Import the modules listed in `file`, and note which modules came in only on speculation."""
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            name = line.partition("#")[0].strip()
            if name:
                __import__(name)
    speculative = {name.partition(".")[0] for name in set(sys.modules) - needed}
    environment.speculative_modules = speculative - {name.partition(".")[0] for name in needed}


def _load(path):
    """The launcher's library, with its signatures declared (Sandbox/Zygote/include).

    PyDLL rather than CDLL: the interpreter's lock stays held, as PyOS_BeforeFork requires.
    """
    library = ctypes.PyDLL(path, use_errno=True)
    signatures = {
        "ws_zygote_ready": [ctypes.c_int],
        "ws_zygote_receive": [ctypes.c_int],
        "ws_zygote_fork": [],
        "ws_zygote_enter": [],
        "ws_zygote_reply": [ctypes.c_int, ctypes.c_int],
    }
    for name, arguments in signatures.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, ctypes.c_int
    for name in ("PyOS_BeforeFork", "PyOS_AfterFork_Parent", "PyOS_AfterFork_Child"):
        function = getattr(ctypes.pythonapi, name)
        function.argtypes, function.restype = [], None
    return library
