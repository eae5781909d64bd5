"""One booted interpreter, forked for each container.

Booting Python and importing its common modules takes tens of milliseconds; a fork takes a fraction of one. The zygote
pays once and then waits for the launcher, which owns namespaces, mounts and limits: they are in libwayside-zygote
(Sandbox/Zygote), called through ctypes.

    launcher ── order ──► ws_zygote_serve: fork ──► child: PyOS_AfterFork_Child, namespaces, limits, seccomp ──► serve
    launcher ◄── pid ────

The forks happen in C, behind the interpreter's back, so the interpreter is told, as os.fork() does it: before, once for
all of them, because the zygote runs no more Python; afterwards in each child.
The zygote stays single-threaded: a lock held by another thread would stay locked for ever in the child.
"""

import ctypes
import gc
import os
import random
import ssl
import sys
import tempfile

from . import fork_hooks

LIBRARY_VARIABLE = "WAYSIDE_ZYGOTE_LIBRARY"
FD_VARIABLE = "WAYSIDE_ZYGOTE_FD"

EXIT_NOT_READY = 70  # EX_SOFTWARE of sysexits.h

# Of CPython's obmalloc.c, in bytes. Were they wrong, fillers would fill less well, up to _FILL_MAX for each size.
_POOL, _POOL_HEAD = 16 * 1024, 48
_OBJECT_STEP, _OBJECT_MAX = 16, 512
_FILL_MAX = 1024 * 1024

# Of glibc's malloc: what its bins of small chunks hold, and steps above.
_HEAP_SIZES = [*range(64 * 1024, 4096, -4096), *range(4096, 1024, -256), *range(1032, 8, -16)]

_LIBCRYPTO = "libcrypto.so.3"
_GENERATORS = ("RAND_get0_private", "RAND_get0_public", "RAND_get0_primary")
_STATE_UNINITIALISED = 0  # EVP_RAND_STATE_UNINITIALISED of openssl/evp.h

_fillers = []


def run(preimport_file, needed, frames_fd):
    """Fork a child for each order of the launcher, which serves on descriptor `frames_fd`. Does not return.

    `needed`: names of the modules that serving needs, which all of `sys.modules` was before this one was imported.
    """
    gc.disable()  # a collection now would only scatter the heap that the children share
    library = _load(os.environ[LIBRARY_VARIABLE])
    speculative = _preimport(preimport_file, needed)
    fork_hooks.end()
    ssl.RAND_bytes(1)  # OpenSSL's generators are set up by their first use, 1.4 ms which every child would pay
    python = ctypes.pythonapi
    control = int(os.environ[FD_VARIABLE])
    _forget_runtime()
    gc.collect()
    _fill_heap()
    _fill_pools()
    gc.freeze()
    from . import environment, log, rehearsal
    from .frames import FrameStream
    from .serve import serve

    environment.speculative_modules = speculative
    _know_task_root(environment.TASK_ROOT)
    log.configure_for_children()
    os.environ.clear()
    stream = FrameStream(frames_fd)
    rehearsal.run()
    crypto_is_blank = _forget_randomness()  # last: nothing may draw between this and the forks
    _fill_heap()
    _fill_pools()
    # What lives now lives on in every child. Frozen, it is never visited by their collectors, so its pages stay shared.
    gc.freeze()
    gc.enable()
    library.ws_zygote_gather()
    python.PyOS_BeforeFork()
    if library.ws_zygote_ready(control) < 0:
        os._exit(EXIT_NOT_READY)
    if library.ws_zygote_serve(control, python.PyOS_AfterFork_Child) != 0:
        os._exit(0)
    fork_hooks.wake()
    if not crypto_is_blank:
        ssl.RAND_add(os.urandom(32), 32.0)
    serve(stream, rehearsal.once)


def _forget_randomness():
    """Leave no generator in a state that children would share. Whether OpenSSL's is such.

    `random` is seeded anew in PyOS_AfterFork_Child. OpenSSL and `tempfile` notice a fork by a changed process id, which
    does not help here: in PID namespaces the zygote and some descendant of a child may have the same one. What cannot be
    renewed is the seed of str hashes: README.md.
    """
    tempfile._name_sequence = tempfile.tempdir = None
    random.seed()  # forgets a Gaussian number that was drawn beforehand, which the hook in C does not
    # A generator without a state gets a new one from the kernel when it is next asked, whoever asks.
    try:
        crypto = ctypes.CDLL(_LIBCRYPTO)
        return all([_forget_state(crypto, getattr(crypto, name)) for name in _GENERATORS])
    except (OSError, AttributeError):
        return False  # another version of OpenSSL


def _forget_state(crypto, generator):
    generator.restype, generator.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    crypto.EVP_RAND_uninstantiate.argtypes = crypto.EVP_RAND_get_state.argtypes = [ctypes.c_void_p]
    found = generator(None)
    crypto.EVP_RAND_uninstantiate(found)
    return crypto.EVP_RAND_get_state(found) == _STATE_UNINITIALISED


def _preimport(file, needed):
    """Import the modules listed in `file`, and note which modules came in only on speculation."""
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            name = line.partition("#")[0].strip()
            if name:
                __import__(name)
    speculative = {name.partition(".")[0] for name in set(sys.modules) - needed}
    return speculative - {name.partition(".")[0] for name in needed}


def _forget_runtime():
    """Unload the modules that serve, to load them again when the holes are filled: then they lie together."""
    package = sys.modules[__package__]
    for name in [name for name in sys.modules if name.startswith(__package__ + ".")]:
        if name not in (__name__, fork_hooks.__name__):
            del sys.modules[name]
            delattr(package, name.rpartition(".")[2])


def _know_task_root(folder):
    """Make the import system's finder for the bundle's folder, which is empty yet. It looks again when it is used."""
    if os.path.isdir(folder):
        sys.path_importer_cache[folder] = sys.path_hooks[-1](folder)


def _fill_heap():
    """As _fill_pools, for the C library's allocator, which has what is larger than _OBJECT_MAX and what is not Python's."""
    library = ctypes.CDLL(None)
    malloc, end_of_heap = library.malloc, library.sbrk
    malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    end_of_heap.restype, end_of_heap.argtypes = ctypes.c_void_p, [ctypes.c_ssize_t]
    highest = 0
    for size in _HEAP_SIZES:
        behind = 0
        for _ in range(_FILL_MAX // size):
            block = malloc(size)
            # Behind all others twice: there was no hole left, and memory came that has never been used. What is beyond the
            # heap's end lies in a mapping of its own or was another thread's.
            if highest < block < end_of_heap(0):
                highest = block
                behind += 1
            if behind == 2:
                break


def _fill_pools():
    """Use up the free memory between the objects that live now, so that what children allocate lies together.

    The interpreter's allocator has pools of 16 KiB, each for objects of one size, and prefers those that are partly
    used. A child would write to as many of them as there are holes, and each first write copies a page.
    """
    for size in range(_OBJECT_STEP, _OBJECT_MAX + 1, _OBJECT_STEP):
        begun = 0
        for _ in range(_FILL_MAX // size):
            block = _block(size)
            _fillers.append(block)
            # The first block of a pool: it was empty. Twice, for the first time it may be an old one's, freed since.
            begun += id(block) % _POOL == _POOL_HEAD
            if begun == 2:
                break


def _block(size):
    """An object that takes `size` bytes and is not tracked by the collector."""
    if size == sys.getsizeof(object()):
        return object()
    overhead = sys.getsizeof(b"")
    return bytes(size - overhead) if size > overhead else float(len(_fillers))


def _load(path):
    """The launcher's library, with its signatures declared (Sandbox/Zygote/include).

    PyDLL rather than CDLL: the interpreter's lock stays held, as PyOS_BeforeFork requires.
    """
    library = ctypes.PyDLL(path)
    signatures = {
        "ws_zygote_ready": [ctypes.c_int],
        "ws_zygote_serve": [ctypes.c_int, ctypes.c_void_p],
    }
    for name, arguments in signatures.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, ctypes.c_int
    library.ws_zygote_gather.argtypes, library.ws_zygote_gather.restype = [], None
    ctypes.pythonapi.PyOS_BeforeFork.argtypes, ctypes.pythonapi.PyOS_BeforeFork.restype = [], None
    return library
