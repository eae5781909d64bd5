"""A zygote of the Python runtime. zygote_stub.c plays the launcher's library; it needs root, for PID namespaces."""

import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import unittest

from . import daemon
from .daemon import BOOTED, READY


def build_library(folder):
    """Compile the stub, with the real care for memory, into `folder`; its path."""
    library = pathlib.Path(folder, "zygote_stub.so")
    real = pathlib.Path(__file__).resolve().parents[3] / "Sandbox/Zygote"
    sources = [pathlib.Path(__file__).with_name("zygote_stub.c"), real / "arenas.c", real / "code.c"]
    flags = ["-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", f"-I{real / 'include'}", "-shared", "-fPIC"]
    subprocess.run(["cc", *flags, "-o", library, *sources], check=True)
    return library


class Zygote:
    """A running zygote and the requests to it."""

    def __init__(self, library, command=None):
        self._control, theirs = socket.socketpair()
        self._control.settimeout(daemon.TIMEOUT)
        self._log_read, output = os.pipe()
        started = time.perf_counter()
        self.process = subprocess.Popen(
            command or daemon.command("python"),
            env={
                "LD_PRELOAD": str(library),
                "WAYSIDE_ZYGOTE_LIBRARY": str(library),
                "WAYSIDE_ZYGOTE_FD": str(theirs.fileno()),
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        os.close(output)
        assert self._control.recv(1) == b"R"
        self.boot_seconds = time.perf_counter() - started

    def fork(self):
        """A new child: its channel, after BOOTED, and its pid."""
        ours, theirs = socket.socketpair()
        socket.send_fds(self._control, [b"F"], [theirs.fileno()])
        theirs.close()
        [pid] = struct.unpack("=i", self._control.recv(4))
        assert pid > 0, pid
        channel = daemon.Channel(ours, os.dup(self._log_read))
        assert channel.receive() == (BOOTED, 0, b"")
        return channel, pid

    def close(self):
        self._control.close()
        os.close(self._log_read)
        return self.process.wait(daemon.TIMEOUT)


class ZygoteCase(unittest.TestCase):
    """A zygote for each test, and a folder for a bundle."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="wayside-zygote-")
        cls.library = build_library(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.zygote = self.start_zygote()
        self.bundle = tempfile.TemporaryDirectory(prefix="wayside-zygote-")

    def tearDown(self):
        self.bundle.cleanup()

    def start_zygote(self, command=None):
        """A zygote that is stopped, and has to exit with status 0, at the end of the test."""
        zygote = Zygote(self.library, command)
        self.addCleanup(lambda: self.assertEqual(zygote.close(), 0))
        return zygote

    def start(self, files, handler="app.handler"):
        """A function of `files` in a forked child."""
        daemon.write_bundle(self.bundle.name, files)
        return self.start_again(handler)

    def start_again(self, handler="app.handler"):
        """A forked child with the bundle as it is."""
        channel, pid = self.zygote.fork()
        self.addCleanup(channel.close)
        channel.send_init(handler, daemon.variables(self.bundle.name, "", {}))
        self.assertEqual(channel.receive(), (READY, 0, b""))
        return channel, pid

    def start_early_zygote(self, source):
        """A zygote that runs `source` while it imports, as a module of preimport.txt might, and is process 1 as its children are."""
        runtime = pathlib.Path(self.folder.name, "python")
        shutil.copytree(daemon.RUNTIMES / "python", runtime, dirs_exist_ok=True)
        (runtime / "wayside_runtime" / "early.py").write_text(source)
        with open(runtime / "preimport.txt", "a") as preimport:
            preimport.write("wayside_runtime.early\n")
        command = daemon.command("python")
        return self.start_zygote(["unshare", "--pid", "--fork", *command[:-1], str(runtime / "bootstrap.py")])
