"""The Python runtime as a zygote. zygote_stub.c plays the launcher's library; it needs root, for PID namespaces."""

import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import unittest

import daemon
from daemon import BOOTED, READY, RESULT


class Zygote:
    """A running zygote and the requests to it."""

    def __init__(self, library, command=None):
        self._control, theirs = socket.socketpair()
        self._control.settimeout(daemon.TIMEOUT)
        self._log_read, output = os.pipe()
        started = time.perf_counter()
        self.process = subprocess.Popen(
            command or daemon.command("python"),
            env={"WAYSIDE_ZYGOTE_LIBRARY": str(library), "WAYSIDE_ZYGOTE_FD": str(theirs.fileno())},
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


class ZygoteTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="wayside-zygote-")
        cls.library = pathlib.Path(cls.folder.name, "zygote_stub.so")
        source = pathlib.Path(__file__).with_name("zygote_stub.c")
        subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", cls.library, source], check=True)

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
        channel, pid = self.zygote.fork()
        self.addCleanup(channel.close)
        channel.send_init(handler, daemon.variables(self.bundle.name, "", {}))
        self.assertEqual(channel.receive(), (READY, 0, b""))
        return channel, pid

    def test_children_serve_side_by_side(self):
        source = "state = []\ndef handler(event, context):\n    state.append(event); return state"
        one, _ = self.start({"app.py": source})
        two, _ = self.start({"app.py": source})
        self.assertEqual(one.invoke(1), (RESULT, b"[1]"))
        self.assertEqual(two.invoke(2), (RESULT, b"[2]"))
        self.assertEqual(one.invoke(3), (RESULT, b"[1, 3]"))

    def test_the_zygote_and_its_children_have_one_thread(self):
        _, pid = self.start({"app.py": "def handler(event, context): pass"})
        for process in (pid, self.zygote.process.pid):
            self.assertEqual(len(os.listdir(f"/proc/{process}/task")), 1)

    def test_nothing_of_the_zygote_shows_in_a_child(self):
        source = "import os, gc\ndef handler(event, context): return [sorted(os.environ), os.getpid(), gc.isenabled()]"
        channel, pid = self.start({"app.py": source})
        names, process_id, collects = json.loads(channel.invoke()[1])
        self.assertEqual(names, sorted(daemon.variables("", "", {})))
        self.assertEqual(process_id, 1)
        self.assertTrue(collects)
        fds = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}
        self.assertEqual(fds, {0, 1, 2, 3})

    def test_siblings_draw_different_random_values(self):
        self.check_randomness()

    def test_siblings_do_so_even_when_the_zygote_has_drawn_before(self):
        """No pre-imported module draws on import today; one that did would give all children the same values.

        Libraries notice a fork by a changed process id. The zygote gets a PID namespace too, so that it has the same
        as its children.
        """
        runtime = pathlib.Path(self.folder.name, "python")
        shutil.copytree(daemon.RUNTIMES / "python", runtime, dirs_exist_ok=True)
        early = (
            "import ctypes, random, ssl, tempfile\n"
            "random.random(); ssl.RAND_bytes(16); tempfile.mktemp()\n"
            "ctypes.CDLL('libcrypto.so.3').RAND_priv_bytes(ctypes.create_string_buffer(16), 16)\n"
        )
        (runtime / "wayside_runtime" / "early.py").write_text(early)
        with open(runtime / "preimport.txt", "a") as preimport:
            preimport.write("wayside_runtime.early\n")
        command = daemon.command("python")
        command = ["unshare", "--pid", "--fork", *command[:-1], str(runtime / "bootstrap.py")]
        self.zygote = self.start_zygote(command)
        self.check_randomness()

    def check_randomness(self):
        source = (
            "import ctypes, random, uuid, ssl, tempfile, secrets\n"
            "def handler(event, context):\n"
            # What TLS makes its keys of: OpenSSL's private generator, beside the public one of ssl.RAND_bytes.
            "    private = ctypes.create_string_buffer(16)\n"
            "    ctypes.CDLL('libcrypto.so.3').RAND_priv_bytes(private, 16)\n"
            "    return [private.raw.hex(), ssl.RAND_bytes(16).hex(), random.random(), str(uuid.uuid4()),\n"
            "            str(uuid.uuid1()), tempfile.mktemp(), secrets.token_hex()]\n"
        )
        draws = []
        for _ in range(20):
            channel, _ = self.start({"app.py": source})
            draws.append(json.loads(channel.invoke()[1]))
        for kind in zip(*draws):
            self.assertEqual(len(set(kind)), len(draws), kind)

    def test_a_bundle_may_bring_modules_that_were_imported_already(self):
        files = {
            "app.py": "import queue, csv, json\n"
            "def handler(event, context): return [queue.MINE, csv.MINE, json.dumps([1])]",
            "queue.py": "MINE = 'queue of the bundle'",
            "csv/__init__.py": "MINE = 'csv of the bundle'",
            "email/readme.txt": "a folder that is no package hides nothing",
        }
        channel, _ = self.start(files)
        self.assertEqual(json.loads(channel.invoke()[1]), ["queue of the bundle", "csv of the bundle", "[1]"])

    def test_threads_and_asyncio_work_after_the_fork(self):
        source = (
            "import asyncio, concurrent.futures\n"
            "def handler(event, context):\n"
            "    with concurrent.futures.ThreadPoolExecutor(2) as pool:\n"
            "        squares = list(pool.map(lambda n: n * n, range(4)))\n"
            "    return [squares, asyncio.run(asyncio.sleep(0, 'slept'))]\n"
        )
        channel, _ = self.start({"app.py": source})
        self.assertEqual(json.loads(channel.invoke()[1]), [[0, 1, 4, 9], "slept"])


if __name__ == "__main__":
    unittest.main()
