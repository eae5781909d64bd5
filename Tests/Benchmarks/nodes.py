"""Nodes under measurement, the functions on them, and a client that costs as little as possible.

The client keeps its connection, as the SDKs do, and writes a request, signed before the clock starts, in one piece.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/Harness"))

from wayside_node import Node, free_port, wait_for, zipped  # noqa: E402

__all__ = [
    "LANGUAGES", "ROOT", "Bench", "Caller", "bundle", "cpu_seconds", "deploy", "deploy_many", "descendants", "free_port", "invocation_path",
    "is_settled", "is_whole", "signed_request", "start_level", "wait_for",
]

EXAMPLES = ROOT / "Runtimes/examples"
UID_BASE, UIDS_PER_NODE = 1_900_000_000, 4_000_000

# The language's name: (the runtime's folder, its identifier in the API, the bundle of a function that does nothing, its handler).
LANGUAGES = {
    "python": ("python", "python3.11", "noop-python", "app.handler"),
    "native": ("provided", "provided.al2023", "hello-c", "bootstrap"),
    "node": ("node", "nodejs20.x", "noop-node", "app.handler"),
    "ruby": ("ruby", "ruby3.3", "noop-ruby", "lambda_function.lambda_handler"),
}


def invocation_path(name):
    return f"/2015-03-31/functions/{name}/invocations"


class Bench:
    """The programs under measurement, a folder for data, and the nodes that were started."""

    def __init__(self, build, vendor, data):
        """`build`: holds release/wayside and sandbox/. `vendor`: holds the peers in Python. `data`: not below /tmp, which bwrap covers."""
        self.build, self.vendor, self.data = pathlib.Path(build), pathlib.Path(vendor), pathlib.Path(data)
        # A build that was put aside has the runtimes that fit it.
        self.runtimes = self.build / "Runtimes" if (self.build / "Runtimes").is_dir() else ROOT / "Runtimes"
        self.nodes = 0
        subprocess.run(["make", "-C", EXAMPLES / "hello-c", "--silent"], check=True)

    @contextlib.contextmanager
    def node(self, name, groups=None, echo=None):
        """A node that runs while the block does; with `echo`, an echo route at that port in the same process."""
        self.nodes += 1
        base = UID_BASE + self.nodes * UIDS_PER_NODE
        values = {"capacity": {"memoryMebibytes": 8192, "warming": []}, "sandbox": {"uidBase": base},
                  "drain": {"timeoutSeconds": 1}}
        values["programs"] = {"runtimes": str(self.runtimes)}
        for group, keys in (groups or {}).items():
            values[group] = values.get(group, {}) | keys
        made = Node(self.build / "release/wayside", self.data, f"{self.nodes}-{name}", values)
        made.cgroup = f"wayside-{os.getpid()}-{made.name}"
        if echo:
            made.command = [str(self.build / "release/wayside-bench"), "--config", str(made.config), "--echo-port", str(echo)]
        made.start()
        try:
            yield made
        finally:
            made.stop()
            shutil.rmtree(made.folder, ignore_errors=True)

    def languages(self):
        """The languages that this machine and this checkout have."""
        present = []
        for name, (folder, _, example, _) in LANGUAGES.items():
            manifest = self.runtimes / folder / "runtime.json"
            if manifest.exists() and (EXAMPLES / example).exists():
                command = json.loads(manifest.read_text(encoding="utf-8")).get("command", "").split()
                if not command or not command[0].startswith("/usr") or os.path.exists(command[0]):
                    present.append(name)
        return present


def bundle(language):
    """The files of the function that does nothing."""
    folder = EXAMPLES / LANGUAGES[language][2]
    names = ["bootstrap"] if language == "native" else [path.name for path in folder.iterdir() if path.is_file()]
    return zipped({name: (folder / name).read_bytes() for name in names})


def deploy(account, name, language, files=None, **settings):
    """A function of the language; without `files` the one that does nothing."""
    account.must_create(name, files or bundle(language), runtime=LANGUAGES[language][1], handler=LANGUAGES[language][3],
                        **{"MemorySize": 128} | settings)


def deploy_many(account, language, count):
    """Functions without warm containers: their names."""
    package = bundle(language)
    names = [f"{language}-{number}" for number in range(count)]
    for name in names:
        deploy(account, name, language, package)
    return names


def is_settled(node, busy=0, ready=0):
    """Whether nothing is starting or ending: `busy` containers of calls under way, `ready` instances in the warming pool."""
    pools = node.pools()
    return pools["containers"] == busy + ready and pools["instancesReady"] == ready and pools["instances"] - ready == busy


def descendants(process):
    """All processes below one. O(processes of the machine)."""
    children = {}
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found, open_ones = [], [process]
    while open_ones:
        below = children.get(open_ones.pop(), [])
        found += below
        open_ones += below
    return found


def cpu_seconds(node):
    """What the daemon, the launcher and all sandboxes of a node, ended ones included, have used of the processors."""
    supervisor = node.launcher()
    return cpu_of(node.process.pid) + sum(cpu_of(process, with_ended_children=True) for process in [supervisor, *descendants(supervisor)])


def cpu_of(process, with_ended_children=False):
    try:
        text = pathlib.Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0  # it has just ended, and its parent has its time
    fields = text.rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15 if with_ended_children else 13]) / os.sysconf("SC_CLK_TCK")


class Caller:
    """One kept connection of one account."""

    def __init__(self, account):
        self.account = account
        self.connection = None
        self._reconnect()

    def _reconnect(self):
        self.connection = socket.create_connection(("127.0.0.1", self.account.node.port), timeout=60)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, name):
        return signed_request(self.account, name)

    def send(self, request):
        """Seconds from the first byte out to the last byte in, and how the call started. Ends the benchmark on a failure."""
        began = time.perf_counter()
        self.connection.sendall(request)
        answer = self.connection.recv(65536)
        while not is_whole(answer):
            more = self.connection.recv(65536)
            if not more:
                raise SystemExit(f"the node hung up after {answer!r}")
            answer += more
        took = time.perf_counter() - began
        return took, start_level(answer)

    def call(self, name):
        """A call on a warmed-up connection."""
        return self.send(self.request(name))

    def close(self):
        self.connection.close()


def signed_request(account, name, event=b"{}"):
    """The bytes of a call; valid for five minutes."""
    path = invocation_path(name)
    headers = account.signer.headers("POST", path, event, f"127.0.0.1:{account.node.port}")
    lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{lines}content-length: {len(event)}\r\n\r\n".encode() + event


def is_whole(answer):
    """Whether a response with a known length has arrived completely."""
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return length is not None and len(body) >= int(length[1])


def start_level(answer):
    """The start level in a successful response."""
    head = answer.partition(b"\r\n\r\n")[0]
    level = re.search(rb"(?i)\r\nwayside-start-level: (\w+)", head)
    if not head.startswith(b"HTTP/1.1 200") or level is None or b"x-amz-function-error" in head.lower():
        raise SystemExit(f"a call failed: {answer!r}")
    return level[1].decode()
