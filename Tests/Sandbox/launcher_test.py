"""Runs wayside-launcher for real and looks at what comes out, and at what does not.

    python3 Tests/Sandbox/launcher_test.py [--binaries DIR] [--measure]

DIR holds wayside-launcher and libwayside-zygote.so (default .build/sandbox). As root the whole suite runs, then once more
what applies to a launcher without privilege, as the user "nobody". Everything is bounded in time.
"""

import errno
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest

from launcher_client import (ASSIGN, CONTAINER_KILL, CONTAINER_START, EXITED, HEADER, INSTANCE_CREATE, INSTANCE_EXIT, INSTANCE_KILL,
                             KILLED, MAGIC, MIB, OUT_OF_MEMORY, PREPARE, PROJECT, SIGNALED, VERSION, WAIT_SECONDS, ZYGOTE_EXIT,
                             Launcher, StartFailed)
from launcher_measure import build_bootstrap, measure

BINARIES = os.path.join(PROJECT, ".build/sandbox")
NOBODY = 65534
TOTAL_SECONDS = 240

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


def cgroups_left():
    found = []
    for top, folders, _ in os.walk("/sys/fs/cgroup"):
        if os.path.basename(top) == NAME:
            found += [os.path.join(top, folder) for folder in folders]
    return found


NAME = "wayside-test"


def eventually(check, seconds=WAIT_SECONDS):
    """The last value of `check` that is true, or the one at the end of the time."""
    end = time.monotonic() + seconds
    while True:
        value = check()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.005)


class Common:
    """What holds for both kinds of launcher."""

    user = None

    @classmethod
    def setUpClass(cls):
        cls.launcher = Launcher(BINARIES, cls.user, ["--cgroup", NAME, "--instances-max", "64", "--containers-max", "300"])
        cls.addClassCleanup(cls.launcher.stop)
        cls.launcher.start()
        cls.bundle = cls.launcher.bundle("probe", {"app.py": PROBE, "note": "text"})
        cls.native = cls.launcher.bundle("native", {"bootstrap": build_bootstrap()})

    def setUp(self):
        self.launcher.events.clear()
        self.instance = self.launcher.create()
        self.addCleanup(self.end_instance)

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

    def test_python_is_forked_from_the_zygote_and_answers(self):
        container = self.python()
        self.assertEqual(container.invoke("os.getuid(), os.getgid(), os.getgroups(), os.getcwd()")[:2], [1051, 1051])
        self.assertEqual(container.invoke("sorted(os.listdir('/var/task'))"), ["app.py", "note"])
        self.launcher.kill(container)
        self.assertEqual(self.launcher.exit_of(container)[:2], (KILLED, signal.SIGKILL))

    def test_python_is_executed_early_and_answers(self):
        self.assertEqual(self.python("pyexec").invoke("sorted(os.listdir('/var/task'))"), ["app.py", "note"])

    def test_a_bundle_that_comes_later_is_readable_and_read_only(self):
        container = self.launcher.container(self.instance, "python", PREPARE)
        self.addCleanup(container.close)
        container.booted()
        self.launcher.assign(self.instance, container, "python", self.bundle, tmp=8 * MIB)
        container.initialise()
        self.assertEqual(container.invoke("open('/var/task/note').read()"), "text")
        self.assertIn(container.invoke("attempt(lambda: open('/var/task/note', 'w'))"), (errno.EACCES, errno.EROFS))
        self.assertEqual(container.invoke("attempt(lambda: fill('/tmp/file', 9))"), errno.ENOSPC)

    def test_a_native_bootstrap_is_reached_over_the_listener(self):
        container, connection = self.bootstrap(arguments=["bootstrap", "x"], environment=["GREETING=hello"])
        self.assertEqual(connection.recv(100), b"bootstrap 2 hello\n")
        connection.send(b"exit 7\n")
        self.assertEqual(self.launcher.exit_of(container)[:2], (EXITED, 7))

    def test_a_native_bootstrap_is_assigned_to_a_prepared_container(self):
        container = self.launcher.container(self.instance, "provided", PREPARE)
        self.addCleanup(container.close)
        self.assertEqual(container.pid, 0)
        self.launcher.assign(self.instance, container, "provided", self.native, arguments=["bootstrap"])
        self.assertGreater(container.pid, 0)
        connection = self.accept(container)
        self.assertEqual(connection.recv(100), b"bootstrap 1 -\n")
        connection.send(b"abort\n")
        self.assertEqual(self.launcher.exit_of(container)[:2], (SIGNALED, signal.SIGABRT))

    def test_a_native_bootstrap_reaches_no_other_port(self):
        if self.launcher.landlock < 4:
            self.skipTest("this kernel's Landlock has no TCP rules")
        _, connection = self.bootstrap()
        connection.recv(100)
        connection.send(b"reach 80\n")
        self.assertEqual(int(connection.recv(100)), errno.EACCES)

    def test_privilege_is_gone(self):
        for runtime in ("python", "pyexec"):
            status = self.python(runtime).invoke("status()")
            self.assertEqual(status["Uid"], "1051\t1051\t1051\t1051")
            self.assertEqual(status["Gid"], "1051\t1051\t1051\t1051")
            for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                self.assertEqual(int(status[name], 16), 0, name)
            self.assertEqual(status["NoNewPrivs"], "1")
            self.assertEqual(status["Seccomp"], "2")
            self.assertEqual(status["SigBlk"].strip("0"), "")

    def test_descriptors_are_the_promised_ones(self):
        for runtime in ("python", "pyexec"):
            found = self.python(runtime).invoke(
                "[os.readlink('/proc/self/fd/' + fd).split(':')[0] for fd in sorted(os.listdir('/proc/self/fd'))"
                " if os.path.exists('/proc/self/fd/' + fd)]")
            self.assertEqual(found, ["/dev/null", "pipe", "pipe", "socket"])

    def test_the_log_pipe_is_standard_output_and_can_be_opened_by_name(self):
        container = self.python()
        container.invoke("subprocess.run(['/bin/sh', '-c', 'echo one; echo two > /dev/stderr']).returncode")
        self.assertEqual(container.log_text(), "one\ntwo\n")

    def test_no_host_files_are_visible(self):
        container = self.python()
        self.assertEqual(container.invoke("sorted(os.listdir('/'))"),
                         sorted({"bin", "dev", "etc", "lib", "lib64", "opt", "proc", "sbin", "tmp", "usr", "var"} |
                                {name for name in ("lib32", "libx32") if os.path.lexists("/" + name)}))
        for path in ("/etc/shadow", "/root", "/home", "/sys", "/work", "/run", self.launcher.folder):
            self.assertEqual(container.invoke(f"os.path.exists({path!r})"), False, path)
        self.assertEqual(container.invoke("open('/etc/passwd').read().split(chr(10))[1].split(':')[0]"), "sbx_user1051")
        mounts = container.invoke("[line.split()[4] for line in open('/proc/self/mountinfo')]")
        self.assertLessEqual(len(mounts), 16, mounts)

    def test_no_other_process_is_visible(self):
        container = self.python()
        self.assertEqual(container.invoke("[name for name in os.listdir('/proc') if name.isdigit() and int(name) != os.getpid()]"), [])
        self.assertIn(container.invoke("attempt(lambda: os.kill(1, 9))"), (errno.EPERM, 0))
        self.assertEqual(container.invoke("1"), 1)

    def test_dangerous_calls_are_denied(self):
        container = self.python()
        calls = {"mount": 165, "unshare": 272, "ptrace": 101, "setns": 308, "bpf": 321, "keyctl": 250, "perf_event_open": 298,
                 "userfaultfd": 323, "io_uring_setup": 425, "fsopen": 430, "open_by_handle_at": 304, "pivot_root": 155, "chroot": 161,
                 "kexec_load": 246, "init_module": 175}
        for name, number in calls.items():
            self.assertEqual(container.invoke(f"answer_of({number}, 0x10000000, 0, 0, 0, 0)"), errno.EPERM, name)
        self.assertEqual(container.invoke("answer_of(435, 0, 0)"), errno.ENOSYS, "clone3")
        self.assertEqual(container.invoke("answer_of(56, 0x10000000 | 17, 0, 0, 0, 0)"), errno.EPERM, "clone with CLONE_NEWUSER")
        self.assertEqual(container.invoke("attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))"), errno.ENOSYS)

    def test_written_paths_are_tmp_alone(self):
        container = self.python()
        self.assertEqual(container.invoke("attempt(lambda: fill('/tmp/file', 1))"), 0)
        for path in ("/x", "/var/task/x", "/var/runtime/x", "/usr/x", "/etc/x", "/dev/x", "/proc/self/oom_score_adj", "/opt/x"):
            self.assertNotEqual(container.invoke(f"attempt(lambda: open({path!r}, 'w'))"), 0, path)
        self.assertEqual(container.invoke("attempt(lambda: fill('/tmp/big', 65))"), errno.ENOSPC)
        self.assertEqual(container.invoke("attempt(lambda: open('/dev/null', 'w').write('x'))"), 0)

    def test_programs_and_threads_start(self):
        container = self.python()
        self.assertEqual(container.invoke("subprocess.run(['/bin/echo', 'x'], capture_output=True).stdout.decode()"), "x\n")
        self.assertEqual(container.invoke("[t.start() or t.join() for t in [threading.Thread(target=len, args=('',))]]"), [None])

    def test_a_start_that_fails_names_the_step_and_leaves_nothing(self):
        cases = [
            (dict(runtime="cobol"), "unknown_runtime", errno.ENOENT),
            (dict(runtime="python", bundle="nowhere"), "mount_task", errno.ENOENT),
            (dict(runtime="python", bundle="../state"), "mount_task", errno.EXDEV),
            (dict(runtime="python", bundle="/etc"), "mount_task", errno.EXDEV),
            (dict(runtime="provided", bundle=self.bundle), "exec", errno.ENOENT),
        ]
        for options, step, error in cases:
            with self.assertRaises(StartFailed) as caught:
                self.launcher.container(self.instance, **options)
            self.assertEqual((caught.exception.step, caught.exception.errno), (step, error), options)
        with self.assertRaises(StartFailed) as caught:
            self.launcher.container(999999, "python", bundle=self.bundle)
        self.assertEqual(caught.exception.step, "unknown_instance")
        self.launcher.kill_instance(self.instance)
        self.assertEqual(self.launcher.events, [])

    def test_malformed_messages_are_answered_and_harm_nothing(self):
        launcher = self.launcher
        for kind, body in ((99, b""), (INSTANCE_CREATE, b"x"), (INSTANCE_CREATE, bytes(24)), (CONTAINER_START, bytes(10)),
                           (CONTAINER_START, bytes(232)), (CONTAINER_START, bytes(5000)), (CONTAINER_KILL, b""), (INSTANCE_KILL, b"")):
            with self.assertRaises(StartFailed) as caught:
                launcher.reply(launcher.send(kind, body))
            self.assertEqual((caught.exception.step, caught.exception.errno), ("protocol", errno.EBADMSG), (kind, len(body)))
        launcher.socket.send(b"short")
        launcher.socket.send(struct.pack("=IHHQII", 1, VERSION, 1, 1, 24, 0))
        noise = random.Random(7)
        for _ in range(300):
            body = noise.randbytes(noise.choice((8, 16, 24, 232, 240, 300)))
            kind = noise.choice((CONTAINER_START, CONTAINER_KILL, INSTANCE_KILL, 3, 8))
            launcher.socket.send(HEADER.pack(MAGIC, VERSION, kind, 1 << 60, HEADER.size + len(body), 0) + body)
        self.assertEqual(self.python().invoke("1 + 1"), 2)
        launcher.replies.clear()

    def test_a_kill_gives_one_exit_and_leaves_no_process(self):
        container = self.python()
        container.invoke("subprocess.Popen(['/bin/sleep', '100']).pid")
        before = set(descendants_of(self.launcher.process.pid))
        self.assertIn(container.pid, before)
        self.launcher.kill(container)
        self.assertEqual(self.launcher.exit_of(container)[0], KILLED)
        with self.assertRaises(StartFailed) as caught:
            self.launcher.kill(container)
        self.assertEqual(caught.exception.step, "unknown_container")
        self.launcher.kill_instance(self.instance)
        self.assertEqual(self.launcher.events, [])
        # The zygote and the worker stay.
        self.assertEqual(len(descendants_of(self.launcher.process.pid)), 2)

    def test_many_containers_leak_nothing(self):
        def once():
            container = self.launcher.container(self.instance, "python", bundle=self.bundle)
            container.booted()
            self.launcher.kill(container)
            self.launcher.exit_of(container)
            container.close()

        once()
        descriptors = f"/proc/{self.launcher.worker}/fd"
        before = len(os.listdir(descriptors))
        for _ in range(200):
            once()
        self.assertTrue(eventually(lambda: len(os.listdir(descriptors)) <= before))
        instances = [self.launcher.create() for _ in range(10)]
        for instance in instances:
            self.launcher.kill_instance(instance)
        self.assertTrue(eventually(lambda: len(os.listdir(descriptors)) <= before))

    def test_a_dead_zygote_is_started_again(self):
        zygote = children_of(self.launcher.worker)[0]
        os.kill(zygote, signal.SIGKILL)
        body = self.launcher.wait(lambda: next((body for kind, body in self.launcher.events if kind == ZYGOTE_EXIT), None))
        self.launcher.events.clear()
        self.assertEqual(body[:6], b"python")

        def starts():
            try:
                return self.python()
            except StartFailed as error:
                self.assertEqual(error.step, "zygote")
                return None

        self.assertEqual(eventually(starts).invoke("1 + 1"), 2)

    def test_z_a_disconnected_daemon_leaves_nothing(self):
        self.python()
        self.bootstrap()
        self.launcher.socket.close()
        self.assertTrue(eventually(lambda: len(descendants_of(self.launcher.process.pid)) == 2))
        if self.launcher.cgroups:
            self.assertTrue(eventually(lambda: cgroups_left() == []), cgroups_left())
        self.launcher.connect()
        self.instance = self.launcher.create()

    def test_z_a_killed_worker_is_started_again_and_leaves_nothing(self):
        container = self.python()
        worker = self.launcher.worker
        os.kill(worker, signal.SIGKILL)
        with self.assertRaises((EOFError, ConnectionError)):
            self.launcher.take()
        self.launcher.socket.close()
        self.assertTrue(eventually(lambda: not os.path.exists(f"/proc/{container.pid}")))
        self.launcher.connect()
        self.assertNotEqual(self.launcher.worker, worker)
        self.assertEqual(cgroups_left(), [])
        self.instance = self.launcher.create()
        self.assertEqual(self.python().invoke("1 + 1"), 2)


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class Privileged(Common, unittest.TestCase):
    def test_memory_hog_is_out_of_memory(self):
        container = self.python(memory=64 * MIB)
        self.assertGreater(int(os.pread(container.peak, 100, 0)), 0)
        with self.assertRaises((EOFError, ConnectionError)):
            container.invoke("hog()")
        reason, status, peak, cpu = self.launcher.exit_of(container)
        self.assertEqual((reason, status), (OUT_OF_MEMORY, signal.SIGKILL))
        self.assertGreater(peak, 60 * MIB)
        self.assertLessEqual(peak, 64 * MIB)
        self.assertGreater(cpu, 0)

    def test_files_in_tmp_count_as_memory(self):
        container = self.python(memory=48 * MIB, tmp=256 * MIB)
        with self.assertRaises((EOFError, ConnectionError)):
            container.invoke("fill('/tmp/file', 200)")
        self.assertEqual(self.launcher.exit_of(container)[0], OUT_OF_MEMORY)

    def test_a_fork_bomb_is_stopped_and_swept(self):
        container = self.python(pids=32)
        self.assertLess(container.invoke("forks()"), 32)
        other = self.python()
        self.assertEqual(other.invoke("1 + 1"), 2)
        self.launcher.kill(container)
        self.assertEqual(self.launcher.exit_of(container)[0], KILLED)

    def test_processor_time_is_limited(self):
        container = self.python(cpu=100)
        began = time.monotonic()
        used = container.invoke(
            "(lambda time: [None for _ in iter(lambda: time.process_time() < 0.2, False)] and time.process_time())"
            "(__import__('time'))")
        self.assertGreater(time.monotonic() - began, 0.8, used)

    def test_instances_have_different_host_users(self):
        other = self.launcher.create()
        first, second = self.python(), self.launcher.container(other, "python", bundle=self.bundle)
        self.addCleanup(second.close)
        owners = {os.stat(f"/proc/{container.pid}").st_uid for container in (first, second)}
        self.assertEqual(len(owners), 2)
        self.assertTrue(all(owner > 100000 for owner in owners))
        self.launcher.kill_instance(other)
        self.launcher.exit_of(second)

    def test_no_process_but_the_supervisor_is_root(self):
        self.python()
        for pid in descendants_of(self.launcher.process.pid):
            self.assertGreater(os.stat(f"/proc/{pid}").st_uid, 100000)

    def test_a_stranger_cannot_connect(self):
        code = "import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1])"
        result = subprocess.run(["/usr/bin/python3", "-c", code, self.launcher.path], user=NOBODY,
                                capture_output=True, timeout=WAIT_SECONDS)
        self.assertIn(b"PermissionError", result.stderr)

    def test_no_cgroup_is_left(self):
        container = self.python()
        self.assertTrue(cgroups_left())
        self.launcher.kill(container)
        self.launcher.exit_of(container)
        self.launcher.kill_instance(self.instance)
        self.assertEqual(cgroups_left(), [])

    def test_a_new_connection_replaces_the_old(self):
        container = self.python()
        old, self.launcher.socket = self.launcher.socket, None
        self.launcher.connect()
        self.assertEqual(old.recv(10), b"")
        old.close()
        self.assertTrue(eventually(lambda: not os.path.exists(f"/proc/{container.pid}")))
        self.instance = self.launcher.create()


@unittest.skipUnless(os.geteuid() == 0, "changes to another user")
class Rootless(Common, unittest.TestCase):
    user = NOBODY

    def test_the_launcher_says_what_it_cannot_enforce(self):
        self.assertIn("not enforced", self.launcher.error_text())
        self.assertFalse(self.launcher.privileged)
        self.assertEqual(self.launcher.cgroups, 0)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if "--binaries" in arguments:
        index = arguments.index("--binaries")
        BINARIES = os.path.abspath(arguments[index + 1])
        del arguments[index : index + 2]
    signal.alarm(TOTAL_SECONDS)
    if "--measure" in arguments:
        measure(BINARIES)
    else:
        unittest.main(argv=[sys.argv[0], *arguments])
