"""What a container leaves to the next of its instance, and what it must not."""

import os
import signal
import struct

from launcher_case import LauncherCase, cgroups_left, children_of, eventually
from launcher_client import CONTAINER_KILL, CPU, KILLED, MIB, OUT_OF_MEMORY

SHELLS_MAX = 4  # worker.h
SHMGET = 29


class Shells(LauncherCase):
    def cgroup_of(self, container):
        """Its path, e.g. /…/i7/c12: the shell's name."""
        with open(f"/proc/{container.pid}/cgroup") as file:
            return next(line.rstrip().split(":", 2)[2] for line in file if line.rstrip().rsplit("/", 1)[-1].startswith("c"))

    def end(self, container, reason=KILLED):
        self.launcher.kill(container)
        self.assertEqual(self.launcher.exit_of(container)[0], reason)

    def follow(self, first, bundle=None, **options):
        """Ends the container; the next one, which must have its shell."""
        shell = self.cgroup_of(first)
        self.end(first)
        second = self.launcher.container(self.instance, "python", bundle=bundle or self.bundle, **options)
        self.addCleanup(second.close)
        second.booted()
        second.initialise()
        self.assertEqual(self.cgroup_of(second), shell)
        return second

    def assert_no_heir(self, shell):
        """A container that starts now must have another shell, and the old one is gone before long."""
        self.assertNotEqual(self.cgroup_of(self.python()), shell)
        self.assertTrue(eventually(lambda: not any(os.path.exists(f"/sys/fs/cgroup/{name}{shell}") for name in ("pids", "memory"))), shell)

    def test_the_next_container_finds_nothing_of_the_last(self):
        first = self.python(tmp=32 * MIB)
        looks = ("sorted(os.listdir('/tmp'))", "sorted(os.listdir('/var/task'))", "sorted(os.listdir('/proc'), key=len)[-1:]",
                 "sorted(line.split()[4] for line in open('/proc/self/mountinfo'))", "sorted(os.listdir('/proc/self/fd'))",
                 "open('/proc/sysvipc/shm').read()", "dict(os.environ)", "os.statvfs('/tmp').f_blocks")
        fresh = [first.invoke(look) for look in looks]
        self.assertEqual(first.invoke("fill('/tmp/secret', 1)"), None)
        self.assertEqual(first.invoke("os.mkdir('/tmp/left')"), None)
        other = self.launcher.bundle("another", {"app.py": "def handler(event, context):\n    return eval(event)\n", "mine": "text"})
        second = self.follow(first, bundle=other, tmp=32 * MIB)
        self.assertEqual(second.invoke("sorted(__import__('os').listdir('/var/task'))"), ["app.py", "mine"])
        third = self.follow(second, tmp=32 * MIB)
        self.assertEqual([third.invoke(look) for look in looks], fresh)
        self.assertEqual(third.invoke("attempt(lambda: fill('/tmp/file', 31))"), 0)

    def test_a_new_container_beside_a_shell_has_the_mounts_of_any_other(self):
        """The instance's init visits the shell to renew its mounts, and must come home: what is cloned next is cloned from where it is."""
        look = "sorted(line.split(' ', 3)[3] for line in open('/proc/self/mountinfo') if ' /proc ' not in line)"
        first = self.python(tmp=32 * MIB)
        fresh, init = first.invoke(look), os.readlink(f"/proc/{self.parent_of_init(first)}/ns/mnt")
        second = self.follow(first, tmp=32 * MIB)
        for _ in range(3):
            self.assertEqual(self.python(tmp=32 * MIB).invoke(look), fresh)
        self.assertEqual(os.readlink(f"/proc/{self.parent_of_init(second)}/ns/mnt"), init)

    def parent_of_init(self, container):
        """The instance's init: the one child of the worker that is in the instance's cgroup itself."""
        instance = os.path.dirname(self.cgroup_of(container))
        for child in children_of(self.launcher.worker):
            with open(f"/proc/{child}/cgroup") as file:
                if any(line.rstrip().endswith((instance, f"{instance}/init")) for line in file):
                    return child
        self.fail(f"{instance} has no init")

    def test_counters_and_limits_begin_anew(self):
        first = self.python(memory=64 * MIB, pids=8, weight=77)
        first.invoke("[sum(range(1000000)) for _ in range(30)] and len(bytearray(os.urandom(30 << 20)))")
        peak = int(os.pread(first.peak, 100, 0))
        self.assertGreater(peak, 30 * MIB)
        used = int(os.pread(first.fds[CPU], 4096, 0).split()[-1 if self.launcher.cgroups == 1 else 1])
        second = self.follow(first, memory=0, pids=0)
        self.assertLess(int(os.pread(second.peak, 100, 0)), peak / 2)
        self.assertLess(int(os.pread(second.fds[CPU], 4096, 0).split()[-1 if self.launcher.cgroups == 1 else 1]), used / 2)
        limits = "\n".join(self.launcher.inspect(second)["cgroup"])
        for gone in (str(64 * MIB), "pids.max 8", " 77"):
            self.assertNotIn(gone, limits)
        third = self.follow(second, memory=48 * MIB, pids=6)
        limits = "\n".join(self.launcher.inspect(third)["cgroup"])
        for wanted in (str(48 * MIB), "pids.max 6"):
            self.assertIn(wanted, limits)
        with self.assertRaises((EOFError, ConnectionError)):
            third.invoke("hog()")
        self.assertEqual(self.launcher.exit_of(third)[0], OUT_OF_MEMORY)

    def test_a_frozen_container_leaves_a_shell_that_runs(self):
        first = self.python()
        first.freeze(self.launcher.cgroups)
        self.assertEqual(self.follow(first).invoke("1 + 1"), 2)

    def test_a_process_that_stays_behind_ends_with_the_shell(self):
        first = self.python()
        left = first.invoke("subprocess.Popen(['/usr/bin/sleep', '100'], start_new_session=True).pid")
        self.assertGreater(left, 1)
        shell = self.cgroup_of(first)
        self.end(first)
        self.assert_no_heir(shell)

    def test_a_container_that_ends_by_itself_leaves_no_shell(self):
        first = self.python()
        shell = self.cgroup_of(first)
        with self.assertRaises((EOFError, ConnectionError)):
            first.invoke("os.kill(os.getpid(), 11)")
        self.launcher.exit_of(first)
        self.assert_no_heir(shell)

    def test_a_system_v_object_ends_with_the_shell(self):
        ipc = os.readlink(f"/proc/{self.launcher.worker}/ns/ipc")
        self.end(self.bootstrap()[0])
        self.assertEqual(os.readlink(f"/proc/{self.launcher.worker}/ns/ipc"), ipc)
        first, connection = self.bootstrap(arguments=["bootstrap"])
        connection.recv(100)
        connection.send(f"call {SHMGET}\n".encode())
        self.assertEqual(connection.recv(100), b"0\n")
        shell = self.cgroup_of(first)
        self.end(first)
        self.assert_no_heir(shell)

    def test_a_native_container_follows_another(self):
        """The network is the shell's too, with a listener of the new container's."""
        first, connection = self.bootstrap(arguments=["bootstrap", "one"])
        self.assertEqual(connection.recv(100), b"bootstrap 2 -\n")
        shell = self.cgroup_of(first)
        self.end(first)
        connection.close()
        first.close()
        second, connection = self.bootstrap(arguments=["bootstrap"], environment=["GREETING=second"])
        self.assertEqual(connection.recv(100), b"bootstrap 1 second\n")
        self.assertEqual(self.cgroup_of(second), shell)

    def test_a_shell_stays_in_its_instance(self):
        first = self.python()
        shell = self.cgroup_of(first)
        self.end(first)
        instance, self.instance = self.instance, self.launcher.create()
        second = self.python()
        self.assertNotEqual(os.path.dirname(self.cgroup_of(second)), os.path.dirname(shell))
        self.launcher.kill_instance(self.instance)
        self.instance = instance

    def test_shells_are_few(self):
        containers = [self.python() for _ in range(SHELLS_MAX + 3)]
        folder = os.path.basename(os.path.dirname(self.cgroup_of(containers[0])))
        # All at once, as a daemon does: none is a shell yet when the last is killed.
        for container in containers:
            self.launcher.send(CONTAINER_KILL, struct.pack("=Q", container.id))
        for container in containers:
            self.assertEqual(self.launcher.exit_of(container)[0], KILLED)
        homes = [path for path in cgroups_left() if os.path.basename(path) == folder]
        kept = lambda: max(sum(name.startswith("c") and name[1:].isdigit() for name in os.listdir(home)) for home in homes)
        self.assertTrue(eventually(lambda: kept() == SHELLS_MAX), kept())

    def test_an_instance_ends_with_its_shells(self):
        first = self.python()
        self.launcher.kill(first)
        # At once, so that the shell may be anywhere on its way.
        self.launcher.kill_instance(self.instance)
        self.assertEqual(self.launcher.exit_of(first)[:2], (KILLED, signal.SIGKILL))
        self.instance = self.launcher.create()
