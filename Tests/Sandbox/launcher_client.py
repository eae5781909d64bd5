"""Speaks the wire of Sandbox/Protocol/include to a launcher that it starts in a temporary directory."""

import array
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(os.path.dirname(HERE))
WAIT_SECONDS = 10

MAGIC, VERSION = 0x314C5357, 3
HELLO, HELLO_REPLY, REPLY, INSTANCE_CREATE, INSTANCE_KILL, CONTAINER_START, CONTAINER_KILL = range(1, 8)
CONTAINER_EXIT, INSTANCE_EXIT, ZYGOTE_EXIT, CONTAINER_SYSCALLS, CONTAINER_INSPECT = range(8, 13)
CONTAINER_PARK, ADOPT, ADOPTED = range(13, 16)
PREPARE, ASSIGN = 1, 2
ALONE, LEARN = 1, 2
CHANNEL, LOG, MEMORY, CPU, FREEZER, EGRESS, REPORT, CONNECTION = (1 << bit for bit in range(8))
EXITED, SIGNALED, OUT_OF_MEMORY, KILLED = range(4)
HEADER = struct.Struct("=IHHQII")

REPORT_MAX = 256 * 1024
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE

LABEL_MAX = 4096
PARK_SECONDS_MAX = 86400
PARK_HEAD, ADOPTED_HEAD = struct.Struct("=QIIII"), struct.Struct("=QQIIII32s")

FRAME = struct.Struct("<IBBHI")
MIB = 1 << 20


def step_names():
    """The step numbers' names, read from the header so that this file cannot fall behind it."""
    import re

    with open(os.path.join(PROJECT, "Sandbox/Protocol/include/wayside_protocol.h")) as header:
        return re.findall(r'^\s+X\(\w+, "(\w+)"\)', header.read(), re.MULTILINE)


STEPS = step_names()


class StartFailed(Exception):
    def __init__(self, step, error):
        self.step, self.errno = step, error
        super().__init__(f"{step}: {os.strerror(error)}")


def bits_of(mask):
    return [1 << bit for bit in range(32) if mask >> bit & 1]


class Container:
    """The daemon's side of one container: its frame socket or listener, its log pipe, the files of its cgroup, its egress listener."""

    def __init__(self, identifier, pid, fds):
        self.id, self.pid, self.fds = identifier, pid, fds
        self.instance, self.label, self.runtime = None, b"", ""
        self.channel = socket.socket(fileno=fds[CHANNEL])
        self.channel.settimeout(WAIT_SECONDS)
        self.log, self.peak = fds[LOG], fds.get(MEMORY)
        self.egress = socket.socket(fileno=fds[EGRESS]) if EGRESS in fds else None
        self.sequence = 0

    def send(self, kind, sequence, payload):
        self.channel.sendall(FRAME.pack(len(payload), kind, 1, 0, sequence) + payload)

    def receive(self):
        def exactly(count):
            data = b""
            while len(data) < count:
                part = self.channel.recv(count - len(data))
                if not part:
                    raise EOFError("the runtime closed its socket; its log: " + self.log_text())
                data += part
            return data

        length, kind, _, _, sequence = FRAME.unpack(exactly(FRAME.size))
        return kind, sequence, exactly(length)

    def booted(self):
        assert self.receive()[0] == 1

    def initialise(self, handler="app.handler", environment=None):
        message = {"handler": handler, "environment": environment or {"PATH": "/usr/bin:/bin", "LAMBDA_TASK_ROOT": "/var/task"}}
        self.send(2, 0, json.dumps(message).encode())
        kind, _, payload = self.receive()
        assert kind == 3, payload

    def invoke(self, event):
        self.sequence += 1
        strings = b"request" + b"arn"
        head = struct.pack("<QHHHH", int(time.time() * 1000) + 60000, 7, 3, 0, 0)
        self.send(4, self.sequence, head + strings + json.dumps(event).encode())
        kind, sequence, payload = self.receive()
        assert sequence == self.sequence
        if kind != 5:
            raise RuntimeError(payload.decode())
        return json.loads(payload)

    def log_text(self):
        try:
            return os.read(self.log, 65536).decode(errors="replace")
        except BlockingIOError:
            return ""

    def close(self):
        self.channel.close()
        if self.egress:
            self.egress.close()
        for bit, fd in self.fds.items():
            if bit not in (CHANNEL, EGRESS):
                os.close(fd)
        self.fds = {}

    def freeze(self, version):
        os.write(self.fds[FREEZER], b"FROZEN" if version == 1 else b"1")

    def thaw(self, version):
        os.write(self.fds[FREEZER], b"THAWED" if version == 1 else b"0")


class Launcher:
    def __init__(self, binaries, user=None, more=(), lifeline=False):
        self.lifeline = lifeline
        self.folder = tempfile.mkdtemp(prefix="wayside-launcher-")
        os.chmod(self.folder, 0o755)
        self.content = os.path.join(self.folder, "content")
        self.state = os.path.join(self.folder, "state")
        for path in (self.content, self.state):
            os.mkdir(path)
        self.path = os.path.join(self.folder, "launcher.sock")
        self.binaries, self.user, self.more = binaries, user, list(more)
        # A pipe, as under a service manager: the zygote's standard error is then of the same kind as a container's.
        self.errors, self.errors_end = os.pipe()
        os.set_blocking(self.errors, False)
        self.errors_text = ""
        self.process, self.socket = None, None
        self.events, self.replies = [], {}
        self.number = 0

    def command(self):
        runtimes = os.path.join(PROJECT, "Runtimes")
        return [
            os.path.join(self.binaries, "wayside-launcher"), "--socket", self.path, "--content", self.content,
            "--state", self.state, "--peer-uid", str(self.user or os.geteuid()),
            "--zygote-library", os.path.join(self.binaries, "libwayside-zygote.so"),
            "--runtime", f"python:fork/interpreter:{runtimes}/python:/usr/bin/python3 -I -S -B -X utf8 /var/runtime/bootstrap.py",
            "--runtime", f"pyexec:exec_early/interpreter:{runtimes}/python:/usr/bin/python3 -I -S -B -X utf8 /var/runtime/bootstrap.py",
            "--runtime", f"nodejs:exec_early/jit:{runtimes}/node:/usr/bin/node /var/runtime/bootstrap.mjs",
            "--runtime", f"provided:exec_late:{runtimes}/provided:/var/task/bootstrap",
        ] + self.more + (["--lifeline"] if self.lifeline else [])

    def start(self):
        extra = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        if self.user:
            for path in (self.folder, self.content, self.state):
                os.chown(path, self.user, self.user)
        given = subprocess.PIPE if self.lifeline else subprocess.DEVNULL
        self.process = subprocess.Popen(self.command(), stdin=given, stderr=self.errors_end, **extra)
        return self.connect()

    def connect(self, messages=None):
        """Connects and greets; waits while the worker is being started. `messages`: where the launcher's are to go."""
        end = time.monotonic() + WAIT_SECONDS
        self.events, self.replies = [], {}
        while True:
            if self.socket:
                self.socket.close()
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.socket.settimeout(WAIT_SECONDS)
            try:
                self.socket.connect(self.path)
                break
            except OSError:
                assert time.monotonic() < end and self.process.poll() is None, self.error_text()
                time.sleep(0.005)
        self.send(HELLO, b"", fds=[messages] if messages is not None else [])
        body = self.wait(lambda: self.replies.pop("hello", None))
        self.worker, privileged, self.cgroups, self.landlock = struct.unpack("=IIII", body[:16])
        self.privileged = bool(privileged)
        self.parked, _, self.parked_number_max = struct.unpack("=IIQ", body[24:40])
        self.number = max(self.number, self.parked_number_max)
        return self

    def error_text(self):
        try:
            self.errors_text += os.read(self.errors, 65536).decode(errors="replace")
        except BlockingIOError:
            pass
        return self.errors_text

    def send(self, kind, body, request=None, fds=()):
        if request is None:
            self.number += 1
            request = self.number
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.socket.sendmsg([HEADER.pack(MAGIC, VERSION, kind, request, HEADER.size + len(body), 0) + body], rights)
        return request

    def take(self):
        data, control, _, _ = self.socket.recvmsg(65536, socket.CMSG_SPACE(8 * 4), socket.MSG_CMSG_CLOEXEC)
        if not data:
            raise EOFError(self.error_text())
        fds = array.array("i")
        for _, _, part in control:
            fds.frombytes(part)
        _, _, kind, request, _, _ = HEADER.unpack(data[: HEADER.size])
        body = data[HEADER.size :]
        if kind == HELLO_REPLY:
            self.replies["hello"] = body
        elif kind == ADOPTED:
            self.replies[request] = (body, list(fds))
        elif kind == REPLY:
            self.replies[request] = (struct.unpack("=IiII", body), list(fds))
        else:
            self.events.append((kind, body))

    def wait(self, ready, seconds=WAIT_SECONDS):
        end = time.monotonic() + seconds
        while True:
            result = ready()
            if result is not None:
                return result
            left = end - time.monotonic()
            assert left > 0 and select.select([self.socket], [], [], left)[0], "no answer: " + self.error_text()
            self.take()

    def reply(self, request):
        (step, error, pid, bits), fds = self.wait(lambda: self.replies.pop(request, None))
        present = bits_of(bits)
        assert len(present) == len(fds), (present, fds)
        if step != 0:
            assert not fds
            raise StartFailed(STEPS[step], error)
        return pid, dict(zip(present, fds))

    def create_request(self, memory=1024 * MIB, cpu=0, weight=0, pids=512):
        self.number += 1
        identifier = self.number
        return identifier, self.send(INSTANCE_CREATE, struct.pack("=QQIIII", identifier, memory, cpu, weight, pids, 0))

    def create(self, **limits):
        identifier, request = self.create_request(**limits)
        self.reply(request)
        return identifier

    def start_request(self, instance, runtime, stages, bundle="", container=None, memory=256 * MIB, cpu=0, weight=0, pids=64,
                      tmp=64 * MIB, files=1024, file_size=0, arguments=(), environment=(), syscalls=(), flags=0, egress=0):
        if container is None:
            self.number += 1
            container = self.number
        strings = b"".join(text.encode() + b"\0" for text in (*arguments, *environment, *syscalls))
        body = struct.pack("=QQIIIIQIIIIQQ32s128sIIII", instance, container, stages, flags, files, egress, memory, cpu, weight, pids, 0,
                           tmp, file_size, runtime.encode(), bundle.encode(), len(arguments), len(environment), len(syscalls), len(strings))
        return container, self.send(CONTAINER_START, body + strings)

    def container(self, instance, runtime, stages=PREPARE | ASSIGN, bundle="", **options):
        identifier, request = self.start_request(instance, runtime, stages, bundle, **options)
        pid, fds = self.reply(request)
        return Container(identifier, pid, fds)

    def assign(self, instance, container, runtime, bundle, **options):
        _, request = self.start_request(instance, runtime, ASSIGN, bundle, container=container.id, **options)
        container.pid = self.reply(request)[0] or container.pid

    def kill(self, container):
        self.reply(self.send(CONTAINER_KILL, struct.pack("=Q", container.id)))

    def kill_instance(self, instance):
        self.reply(self.send(INSTANCE_KILL, struct.pack("=Q", instance)))
        self.wait(lambda: self.event(INSTANCE_EXIT, instance))

    def event(self, kind, identifier):
        for index, (found, body) in enumerate(self.events):
            if found == kind and struct.unpack("=Q", body[:8])[0] == identifier:
                return self.events.pop(index)[1]
        return None

    def exit_of(self, container, seconds=WAIT_SECONDS):
        """(reason, status, peak bytes, cpu nanoseconds)"""
        body = self.wait(lambda: self.event(CONTAINER_EXIT, container.id), seconds)
        return struct.unpack("=QIiQQ", body)[1:]

    def learned_from(self, container):
        """The names of the system calls that the container made; they come before its end is told."""
        body = self.wait(lambda: self.event(CONTAINER_SYSCALLS, container.id))
        _, count, length = struct.unpack("=QII", body[:16])
        names = body[16:].split(b"\0")
        assert len(body) == 16 + length and len(names) == count + 1 and names.pop() == b""
        return [name.decode() for name in names]

    def park(self, container, seconds=60, label=b"", state=0, fds=None):
        """Gives the container's descriptors to the launcher; our own are closed afterwards."""
        given = container.fds if fds is None else fds
        mask = sum(given)
        head = PARK_HEAD.pack(container.id, seconds, mask, state, len(label))
        self.reply(self.send(CONTAINER_PARK, head + label, fds=[given[bit] for bit in bits_of(mask)]))
        container.close()

    def adopt(self):
        """One of the parked containers; None when there is none."""
        request = self.send(ADOPT, b"")
        body, fds = self.wait(lambda: self.replies.pop(request, None))
        instance, identifier, pid, mask, state, length, runtime = ADOPTED_HEAD.unpack(body[: ADOPTED_HEAD.size])
        if instance == 0:
            assert not fds
            return None
        assert len(bits_of(mask)) == len(fds) and len(body) == ADOPTED_HEAD.size + length
        container = Container(identifier, pid, dict(zip(bits_of(mask), fds)))
        container.instance, container.label, container.sequence = instance, body[ADOPTED_HEAD.size :], state
        container.runtime = runtime.rstrip(b"\0").decode()
        return container

    def inspect(self, container):
        """The report on a running container, as a dictionary from section to lines."""
        _, fds = self.reply(self.send(CONTAINER_INSPECT, struct.pack("=Q", container.id)))
        with open(fds[REPORT], "rb", buffering=0) as file:
            text = os.pread(file.fileno(), REPORT_MAX + 1, 0).decode()
            seals = fcntl.fcntl(file, fcntl.F_GET_SEALS)
        assert len(text) <= REPORT_MAX and seals == SEALS, (len(text), seals)
        sections, lines = {}, None
        for line in text.splitlines():
            if line.startswith("["):
                lines = sections.setdefault(line.strip("[]"), [])
            else:
                lines.append(line)
        return sections

    def bundle(self, name, files):
        folder = os.path.join(self.content, name)
        os.makedirs(folder)
        for path, text in files.items():
            target = os.path.join(folder, path)
            with open(target, "wb") as file:
                file.write(text if isinstance(text, bytes) else text.encode())
            os.chmod(target, 0o755)
        return name

    def stop(self):
        if self.socket:
            self.socket.close()
        if self.process and self.process.stdin:
            self.process.stdin.close()
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(WAIT_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        os.close(self.errors)
        os.close(self.errors_end)
        shutil.rmtree(self.folder, ignore_errors=True)
