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
import tempfile
import sys
import time
import unittest

from launcher_case import (AT_REST, BINARIES, BLANKS, LauncherCase, cgroups_left, children_of, descendants_of, eventually, instances_left)
from launcher_cgroups import Cgroups
from launcher_client import (CONTAINER_KILL, CONTAINER_START, EXITED, HEADER, INSTANCE_CREATE, INSTANCE_KILL, KILLED, LEARN, MAGIC, MIB,
                             PREPARE, SIGNALED, VERSION, WAIT_SECONDS, ZYGOTE_EXIT, StartFailed)
from launcher_inspect import Inspect
from launcher_measure import measure
from launcher_parking import Orphan, Parking
from launcher_policy import Policy
from launcher_shells import Shells

NOBODY = 65534
TOTAL_SECONDS = 240

class Common(LauncherCase):
    """What holds for both kinds of launcher."""

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

    def test_node_is_executed_early_and_answers(self):
        script = "exports.handler = async () => [os.networkInterfaces().lo?.length ?? 0, await thread(), child(), watched()];"
        script = (
            "const os = require('os'), fs = require('fs'), {Worker} = require('worker_threads'), {execFileSync} = require('child_process');"
            "const thread = () => new Promise((done, failed) => new Worker('require(\"worker_threads\").parentPort.postMessage(7)',"
            " {eval: true}).on('message', done).on('error', failed));"
            "const child = () => execFileSync('/bin/echo', ['x']).toString();"
            "const watched = () => { try { fs.watch('/usr/bin', () => {}); } catch (error) { return error.code; } };" + script)
        bundle = self.launcher.bundle(f"node-{self.instance}", {"app.js": script})
        container = self.launcher.container(self.instance, "nodejs", bundle=bundle, memory=512 * MIB)
        self.addCleanup(container.close)
        container.booted()
        container.initialise()
        self.assertEqual(container.invoke({})[1:], [7, "x\n", "EPERM"])

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
        for family, kind, protocol in (("AF_PACKET", "SOCK_RAW", 0), ("AF_INET", "SOCK_STREAM", 262), ("AF_INET6", "SOCK_STREAM", 132),
                                       ("AF_INET", "SOCK_SEQPACKET", 0), ("AF_INET", "SOCK_DGRAM", 1), ("AF_NETLINK", "SOCK_RAW", 4)):
            made = f"socket.socket(socket.{family}, socket.{kind}, {protocol})"
            self.assertEqual(container.invoke(f"attempt(lambda: {made})"), errno.ENOSYS, made)
        # Watching: by inotify, and by the F_NOTIFY of fcntl, also with bits that the kernel does not look at.
        self.assertEqual(container.invoke("answer_of(294, 0)"), errno.EPERM)
        self.assertEqual(container.invoke("answer_of(72, os.open('/usr/bin', 0), 1026, 0x80000001)"), errno.EPERM)
        self.assertEqual(container.invoke("answer_of(72, os.open('/usr/bin', 0), ctypes.c_long(1026 | 1 << 32), 0x80000001)"), errno.ENOSYS)

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
            (dict(runtime="provided", bundle=self.native, flags=LEARN, arguments=["x"] * 65), "protocol", errno.EBADMSG),
            (dict(runtime="provided", bundle=self.bundle, flags=LEARN), "exec", errno.ENOENT),
            (dict(runtime="provided", bundle=self.native, egress=9001), "listener", errno.EADDRINUSE),
            (dict(runtime="python", bundle=self.bundle, egress=65536), "protocol", errno.EBADMSG),
            (dict(runtime="python", bundle=self.bundle, flags=4), "protocol", errno.EBADMSG),
            (dict(runtime="python", bundle=self.bundle, syscalls=["read", "teleport"]), "seccomp", errno.EINVAL),
            (dict(runtime="python", bundle=self.bundle, syscalls=["read"] * 513), "protocol", errno.EBADMSG),
            (dict(runtime="python", stages=PREPARE, syscalls=["read"]), "protocol", errno.EBADMSG),
            (dict(runtime="python", stages=PREPARE, flags=LEARN), "protocol", errno.EBADMSG),
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
        for kind, body in ((99, b""), (INSTANCE_CREATE, b"x"), (INSTANCE_CREATE, bytes(32)), (CONTAINER_START, bytes(10)),
                           (CONTAINER_START, bytes(248)), (CONTAINER_START, bytes(5000)), (CONTAINER_KILL, b""), (INSTANCE_KILL, b"")):
            with self.assertRaises(StartFailed) as caught:
                launcher.reply(launcher.send(kind, body))
            self.assertEqual((caught.exception.step, caught.exception.errno), ("protocol", errno.EBADMSG), (kind, len(body)))
        launcher.socket.send(b"short")
        launcher.socket.send(struct.pack("=IHHQII", 1, VERSION, 1, 1, 24, 0))
        noise = random.Random(7)
        for _ in range(300):
            body = noise.randbytes(noise.choice((8, 16, 32, 248, 256, 300)))
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
        self.assertTrue(eventually(lambda: len(descendants_of(self.launcher.process.pid)) == AT_REST))

    def test_a_request_without_a_number_is_done_and_not_answered(self):
        container = self.python()
        self.launcher.send(CONTAINER_KILL, struct.pack("=Q", container.id), request=0)
        self.assertEqual(self.launcher.exit_of(container)[0], KILLED)
        self.assertNotIn(0, self.launcher.replies)

    def test_many_containers_leak_nothing(self):
        def one_after_the_other(count):
            # An instance of their own, which ends with the shells it has kept.
            instance = self.launcher.create()
            for _ in range(count):
                container = self.launcher.container(instance, "python", bundle=self.bundle)
                container.booted()
                self.launcher.kill(container)
                self.launcher.exit_of(container)
                container.close()
            self.launcher.kill_instance(instance)

        one_after_the_other(1)
        before = self.descriptors_at_rest()
        one_after_the_other(200)
        self.assertLessEqual(self.descriptors_at_rest(), before)
        instances = [self.launcher.create() for _ in range(10)]
        for instance in instances:
            self.launcher.kill_instance(instance)
        self.assertLessEqual(self.descriptors_at_rest(), before)

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
        self.assertTrue(eventually(lambda: len(descendants_of(self.launcher.process.pid)) == AT_REST))
        if self.launcher.cgroups:
            self.assertTrue(eventually(lambda: instances_left() <= BLANKS), cgroups_left())
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
        self.assertLessEqual(instances_left(), BLANKS)
        self.instance = self.launcher.create()
        self.assertEqual(self.python().invoke("1 + 1"), 2)


class Index(unittest.TestCase):

    def test_the_index_answers_as_a_list_would(self):
        launcher = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Sandbox/Launcher")
        model = os.path.join(os.path.dirname(os.path.abspath(__file__)), "index_model.c")
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "index_model")
            subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", f"-I{launcher}", "-o", program, model,
                            os.path.join(launcher, "index.c")], check=True)
            for seed in range(1, 6):
                done = subprocess.run([program, str(seed)], capture_output=True, text=True, timeout=WAIT_SECONDS)
                self.assertEqual(done.returncode, 0, f"seed {seed}: {done.stderr}")


class Filters(unittest.TestCase):

    def test_a_shortened_filter_answers_as_the_original(self):
        here = os.path.dirname(os.path.abspath(__file__))
        core, wire = os.path.join(here, "../../Sandbox/Core"), os.path.join(here, "../../Sandbox/Protocol/include")
        sources = [os.path.join(core, name) for name in ("seccomp_shorten.c", "seccomp_table.c", "seccomp_narrow.c")]
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "filter_model")
            subprocess.run(["cc", "-O2", "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
                            f"-I{core}", f"-I{core}/include", f"-I{wire}", "-o", program,
                            os.path.join(here, "filter_model.c"), *sources, "-lseccomp"], check=True)
            done = subprocess.run([program], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class Privileged(Policy, Inspect, Cgroups, Shells, Parking, Common, unittest.TestCase):

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

    def test_a_stranger_cannot_connect_to_what_is_parked(self):
        self.launcher.park(self.python())
        self.launcher.socket.close()
        self.test_a_stranger_cannot_connect()
        self.launcher.connect()
        self.assertEqual(self.launcher.parked, 1)
        self.launcher.adopt().close()

    def test_a_new_connection_replaces_the_old(self):
        container = self.python()
        old, self.launcher.socket = self.launcher.socket, None
        self.launcher.connect()
        self.assertEqual(old.recv(10), b"")
        old.close()
        self.assertTrue(eventually(lambda: not os.path.exists(f"/proc/{container.pid}")))
        self.instance = self.launcher.create()


@unittest.skipUnless(os.geteuid() == 0, "changes to another user")
class Rootless(Policy, Inspect, Parking, Common, unittest.TestCase):
    user = NOBODY

    def test_the_launcher_says_what_it_cannot_enforce(self):
        self.assertIn("not enforced", self.launcher.error_text())
        self.assertFalse(self.launcher.privileged)
        self.assertEqual(self.launcher.cgroups, 0)


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class OrphanPrivileged(Orphan, unittest.TestCase):
    pass


@unittest.skipUnless(os.geteuid() == 0, "changes to another user")
class OrphanRootless(Orphan, unittest.TestCase):
    user = NOBODY


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if "--binaries" in arguments:
        index = arguments.index("--binaries")
        BINARIES[0] = os.path.abspath(arguments[index + 1])
        del arguments[index : index + 2]
    signal.alarm(TOTAL_SECONDS)
    if "--measure" in arguments:
        measure(BINARIES[0])
    else:
        unittest.main(argv=[sys.argv[0], *arguments])
