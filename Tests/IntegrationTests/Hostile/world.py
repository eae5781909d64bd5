"""What surrounds the hostile functions: a node in one of two modes, a neighbour who must not notice, and what could be stolen."""

import contextlib
import os
import pathlib
import secrets
import shutil
import socket
import stat
import subprocess
import tempfile

from attempts.attempt import NATIVE, NODE, PYTHON, Ended
from support import BINARY
from wayside_node import Node, wait_for, zipped

HERE = pathlib.Path(__file__).resolve().parent / "attempts"
NOBODY = 65534
RUNTIMES = {PYTHON: ("python3.11", "app.handler"), NODE: ("nodejs20.x", "app.handler"), NATIVE: ("provided.al2023", "bootstrap")}

NEIGHBOUR = """import os

calls = 0
with open("/tmp/mine", "w") as file:
    file.write(os.environ["SECRET"])

def handler(event, context):
    global calls
    calls += 1
    print(os.environ["SECRET"])
    return {"calls": calls, "event": event, "file": open("/tmp/mine").read()}
"""
# What a function ought to get of what is counted for users of the host.
FRESH = """import ctypes, errno, os

libc = ctypes.CDLL(None, use_errno=True)

def seen(result):
    return "ok" if result >= 0 else errno.errorcode[ctypes.get_errno()]

def handler(event, context):
    timer = ctypes.c_void_p()
    request = (ctypes.c_long * 8)(0, 1 << 32)
    return {"event": event, "inotify": seen(libc.inotify_init1(0)), "timer": seen(libc.timer_create(1, request, ctypes.byref(timer))),
            "process": seen(os.spawnv(os.P_WAIT, "/bin/true", ["true"])), "pipe": seen(os.pipe()[0])}
"""


def compiled(folder):
    """The hostile functions as packages, by language."""
    program, addon = pathlib.Path(folder, "bootstrap"), pathlib.Path(folder, "addon.node")
    strict = ["cc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*strict, "-static", "-s", "-o", program, *sorted((HERE / "native").glob("*.c"))], check=True)
    subprocess.run([*strict, "-shared", "-fPIC", "-s", "-o", addon, HERE / "node/addon.c", HERE / "native/calls.c",
                    HERE / "native/answers.c"], check=True)
    return {PYTHON: zipped({"app.py": (HERE / "python/app.py").read_bytes()}),
            NODE: zipped({"app.mjs": (HERE / "node/app.mjs").read_bytes(), "addon.node": addon.read_bytes()}),
            NATIVE: zipped({"bootstrap": program.read_bytes()})}


class World:
    """One node with its accounts. `mode`: "root", or "rootless", where daemon and launcher are nobody."""

    def __init__(self, mode, cleanup):
        self.mode, self.made = mode, 0
        self.folder = tempfile.mkdtemp(prefix="wayside-hostile-")
        cleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o755)
        self.node = Node(BINARY, self.folder, f"node-{mode}", {"capacity": {"memoryMebibytes": 6144, "warming": ["node=1"]}})
        if mode == "rootless":
            os.chown(self.node.folder, NOBODY, NOBODY)
            self.node.command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs",
                                 *self.node.command]
        self.node.start()
        cleanup(self.stop)
        self.packages = compiled(self.folder)
        self.marker = f"marker-{secrets.token_hex(8)}"
        self.attacker, self.neighbour = self.node.account("111111111111"), self.node.account("222222222222")
        self.neighbour.must_create("neighbour", {"app.py": NEIGHBOUR, f"{self.marker}.txt": self.marker},
                                   Environment={"Variables": {"SECRET": self.marker}})
        self.neighbour_calls = 0
        self.listener = socket.socket(socket.AF_UNIX)
        cleanup(self.listener.close)
        abstract = f"wayside-hostile-{os.getpid()}-{mode}"
        self.listener.bind(f"\0{abstract}")
        self.listener.listen()
        setuid = next(path for path in ("/usr/bin/su", "/usr/bin/passwd", "/usr/bin/mount", "/bin/su")
                      if os.path.exists(path) and os.stat(path).st_mode & stat.S_ISUID)
        operator = next(path for path in self.node.data.rglob("*") if path.is_socket())
        self.facts = {"marker": self.marker, "folder": self.folder, "port": self.node.port, "abstract": abstract, "setuid": setuid,
                      "operator": operator}
        for language in RUNTIMES:
            self.create(language, language, {})
        self.descriptors_before = 0
        self.launcher = self.node.launcher()
        self.processes = {self.node.process.pid, self.launcher}
        assert None not in self.processes

    def stop(self):
        if self.node.process.poll() is None:
            self.node.stop()
        wait_for(lambda: not self.node.leftovers(), f"nothing is left: {self.node.leftovers()}", 10)

    def create(self, name, language, settings):
        runtime, handler = RUNTIMES[language]
        self.attacker.must_create(name, self.packages[language], runtime=runtime, handler=handler,
                                  **({"Timeout": 20, "MemorySize": 256} | settings))

    def daemon_descriptors(self):
        return len(os.listdir(f"/proc/{self.node.process.pid}/fd"))

    @contextlib.contextmanager
    def function_for(self, attempt, language):
        """The name of the function that makes the attempt."""
        if not attempt.alone:
            yield language
            return
        self.made += 1
        name = f"alone-{self.made}"
        self.create(name, language, {"MemorySize": 128} | attempt.settings)
        try:
            yield name
        finally:
            self.attacker.delete(name)

    def run(self, words, language, name):
        """What an attempt's function has seen, and the log of it."""
        words = [str(word) for word in words]
        words = [word.format(**self.facts) if word.count("{") == 1 else word for word in words]
        event = " ".join(words) if language == NATIVE else {"attempt": words[0], "words": words[1:]}
        answer = self.attacker.invoke(name, event, headers={"X-Amz-Log-Type": "Tail"})
        if answer.status != 200:
            return f"status {answer.status} {answer.body[:200]}", ""
        if answer.error:
            return Ended(answer.error, self.node.record_of(answer)["endingParty"]), answer.log + answer.json().get("errorMessage", "")
        return answer.json(), answer.log

    def check_all_are_well(self, test, thoroughly):
        """The daemon and the launcher are the same processes; the neighbour's container never ended; thoroughly: others can start."""
        test.assertIsNone(self.node.process.poll(), "the daemon has ended")
        test.assertEqual(self.node.launcher(), self.launcher, "the launcher was started again")
        self.neighbour_calls += 1
        answer = self.neighbour.invoke("neighbour", self.neighbour_calls)
        test.assertEqual((answer.status, answer.json()), (200, {"calls": self.neighbour_calls, "event": self.neighbour_calls,
                                                                "file": self.marker}), "the neighbour is affected")
        if not thoroughly:
            return
        name = f"fresh-{self.made}"
        self.neighbour.must_create(name, {"app.py": FRESH})
        answer = self.neighbour.invoke(name, "well")
        self.neighbour.delete(name)
        test.assertEqual((answer.status, answer.json().pop("event")), (200, "well"), "the neighbour cannot start a function")
        # A filter may refuse inotify to everybody.
        short = {what for what, seen in answer.json().items() if seen not in ("ok", "well", "EPERM", "ENOSYS")}
        test.assertEqual(short, set(), "the neighbour does not get what it needs")
