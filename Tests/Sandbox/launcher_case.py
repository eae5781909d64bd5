"""What the tests of the launcher share: one launcher for each class of tests, a fresh instance for each test."""

import os
import select
import time

from launcher_client import PROJECT, WAIT_SECONDS, Launcher, StartFailed
from launcher_measure import build_bootstrap

# Read when a launcher is started, so that the command line can name another folder.
BINARIES = [os.path.join(PROJECT, ".build/sandbox")]
NAME = f"wayside-test-{os.getpid()}"

PROBE = '''
import ctypes, errno, os, socket, subprocess, sys, threading
libc = ctypes.CDLL(None, use_errno=True)

def answer_of(number, *arguments):
    result = libc.syscall(number, *arguments)
    return 0 if result >= 0 else ctypes.get_errno()

def attempt(action):
    try:
        action()
        return 0
    except OSError as error:
        return error.errno

def status():
    with open("/proc/self/status") as file:
        return dict(line.rstrip("\\n").split(":\\t", 1) for line in file if ":\\t" in line)

def hog():
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1 << 20)))

def forks():
    made = 0
    while made < 100000:
        try:
            if os.fork() == 0:
                while True:
                    import time; time.sleep(100)
        except OSError:
            return made
        made += 1

def fill(path, megabytes):
    with open(path, "wb") as file:
        for _ in range(megabytes):
            file.write(b"x" * (1 << 20))

def reach(port):
    return attempt(lambda: socket.create_connection(("127.0.0.1", port), 5).close())

def serve(port):
    return attempt(lambda: kept.append(socket.create_server(("127.0.0.1", port))))

kept = []

def libc_address():
    with open("/proc/self/maps") as file:
        return next(line.split("-")[0] for line in file if "/libc" in line)

def handler(event, context):
    return eval(event, globals())
'''


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def descendants_of(pid):
    found = []
    for child in children_of(pid):
        found += [child] + descendants_of(child)
    return found


def read_text(path):
    with open(path) as file:
        return file.read()


def cgroups_left():
    found = []
    for top, folders, _ in os.walk("/sys/fs/cgroup"):
        if os.path.basename(top) == NAME:
            found += [os.path.join(top, folder) for folder in folders]
    return found



def instances_left():
    """Instances that have a cgroup, those of the stock among them."""
    return len({os.path.basename(path) for path in cgroups_left()})


def eventually(check, seconds=WAIT_SECONDS):
    """The last value of `check` that is true, or the one at the end of the time."""
    end = time.monotonic() + seconds
    while True:
        value = check()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.005)


# Instances the launcher makes ahead of any request; each is two processes, its init and its blank container's.
BLANKS = 2
# The worker, the zygote and the stock.
AT_REST = 2 + 2 * BLANKS


class LauncherCase:
    """A mixin for unittest.TestCase."""

    user = None

    @classmethod
    def setUpClass(cls):
        cls.launcher = Launcher(BINARIES[0], cls.user, ["--cgroup", NAME, "--instances-max", "64", "--containers-max", "300",
                                                         "--blank-instances", str(BLANKS)])
        cls.addClassCleanup(cls.launcher.stop)
        cls.launcher.start()
        cls.bundle = cls.launcher.bundle("probe", {"app.py": PROBE, "note": "text"})
        cls.native = cls.launcher.bundle("native", {"bootstrap": build_bootstrap()})

    def setUp(self):
        self.launcher.events.clear()
        self.instance = self.launcher.create()
        self.addCleanup(self.end_instance)

    def descriptors_at_rest(self):
        """How many descriptors the worker holds, once the stock is full and nothing has changed for a while."""
        counts = []
        folder = f"/proc/{self.launcher.worker}/fd"
        eventually(lambda: counts.append(len(os.listdir(folder))) or (len(counts) > 20 and len(set(counts[-20:])) == 1))
        return counts[-1]

    def end_instance(self):
        try:
            self.launcher.kill_instance(self.instance)
        except (StartFailed, OSError, EOFError):
            pass

    def python(self, runtime="python", **options):
        container = self.launcher.container(self.instance, runtime, bundle=self.bundle, **options)
        self.addCleanup(container.close)
        container.booted()
        container.initialise()
        return container

    def bootstrap(self, **options):
        options.setdefault("arguments", ["bootstrap"])
        container = self.launcher.container(self.instance, "provided", bundle=self.native, **options)
        self.addCleanup(container.close)
        return container, self.accept(container)

    def accept(self, container):
        listener = container.channel
        self.assertTrue(eventually(lambda: select.select([listener], [], [], 1)[0]), container.log_text())
        connection, _ = listener.accept()
        connection.settimeout(WAIT_SECONDS)
        self.addCleanup(connection.close)
        return connection
