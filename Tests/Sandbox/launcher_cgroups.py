"""Limits, weights and freezing: what only cgroups can do."""

import os
import select
import signal
import struct
import time

from launcher_case import BLANKS, LauncherCase, cgroups_left, eventually, instances_left, read_text
from launcher_client import (CHANNEL, CONTAINER_KILL, CPU, FREEZER, KILLED, LOG, MEMORY, MIB, OUT_OF_MEMORY, PREPARE, WAIT_SECONDS)


class Cgroups(LauncherCase):
    def cgroup_text(self, container, *names):
        """The content of the first of these files that the container's cgroup has, and that its instance's has."""
        with open(f"/proc/{container.pid}/cgroup") as file:
            own = [line.rstrip().split(":", 2)[1:] for line in file]
        for controllers, path in own:
            for name in names:
                folder = f"/sys/fs/cgroup/{controllers}{path}"
                if os.path.exists(os.path.join(folder, name)):
                    return [read_text(os.path.join(where, name)).strip() for where in (folder, os.path.dirname(folder))]
        self.fail(f"none of {names} in {own}")

    def test_an_instance_weighs_as_much_as_its_containers(self):
        files = ("cpu.shares", "cpu.weight")
        first = self.python(weight=128)
        self.assertEqual(self.cgroup_text(first, *files), ["128", "128"])
        second = self.launcher.container(self.instance, "python", PREPARE)
        self.addCleanup(second.close)
        self.assertEqual(self.cgroup_text(second, *files)[1], "128")
        self.launcher.assign(self.instance, second, "python", self.bundle, weight=99999)
        self.assertEqual(self.cgroup_text(second, *files)[0], "10000")
        self.assertEqual(self.cgroup_text(first, *files), ["128", "10128" if self.launcher.cgroups == 1 else "10000"])
        self.launcher.kill(second)
        self.launcher.exit_of(second)
        self.assertEqual(self.cgroup_text(first, *files), ["128", "128"])

    def test_a_reply_brings_the_files_of_the_cgroup(self):
        container = self.python()
        self.assertEqual(sorted(container.fds), [CHANNEL, LOG, MEMORY, CPU, FREEZER])
        used = int(os.pread(container.fds[CPU], 4096, 0).split()[-1 if self.launcher.cgroups == 1 else 1])
        container.invoke("sum(range(1000000))")
        self.assertGreater(int(os.pread(container.fds[CPU], 4096, 0).split()[-1 if self.launcher.cgroups == 1 else 1]), used)

    def frozen(self):
        container = self.python()
        self.assertEqual(container.invoke("threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()"), None)
        container.freeze(self.launcher.cgroups)
        state = lambda: self.cgroup_text(container, "freezer.state", "cgroup.events")[0]
        self.assertTrue(eventually(lambda: state().endswith(("FROZEN", "frozen 1"))), state())
        spent = os.pread(container.fds[CPU], 4096, 0)
        time.sleep(0.05)
        self.assertEqual(os.pread(container.fds[CPU], 4096, 0), spent)
        return container

    def test_a_frozen_container_stands_still_and_goes_on(self):
        container = self.frozen()
        container.thaw(self.launcher.cgroups)
        self.assertEqual(container.invoke("1 + 1"), 2)

    def gone_within(self, container, action, milliseconds=50):
        """`action` ends the container's process, whose zombie counts as gone, within the time."""
        process = os.pidfd_open(container.pid)
        try:
            began = time.monotonic()
            action()
            self.assertTrue(select.select([process], [], [], WAIT_SECONDS)[0], "still there")
            self.assertLess((time.monotonic() - began) * 1000, milliseconds)
        finally:
            os.close(process)

    def test_a_frozen_container_is_killed_at_once(self):
        container = self.frozen()
        self.gone_within(container, lambda: self.launcher.kill(container))
        self.assertEqual(self.launcher.exit_of(container)[0], KILLED)

    def test_a_frozen_container_is_killed_with_its_instance(self):
        container = self.frozen()
        self.gone_within(container, lambda: self.launcher.kill_instance(self.instance))
        self.assertEqual(self.launcher.exit_of(container)[0], KILLED)

    def test_a_container_frozen_while_it_ends_ends(self):
        container = self.frozen()
        self.launcher.send(CONTAINER_KILL, struct.pack("=Q", container.id))
        for _ in range(20):
            try:
                container.freeze(self.launcher.cgroups)
            except OSError:
                break  # its cgroup is gone
        self.assertEqual(self.launcher.exit_of(container)[0], KILLED)

    def test_z_a_frozen_container_is_killed_when_the_link_ends(self):
        container = self.frozen()
        self.gone_within(container, self.launcher.socket.close)
        self.assertTrue(eventually(lambda: instances_left() <= BLANKS), cgroups_left())
        self.launcher.connect()
        self.instance = self.launcher.create()

    def test_z_a_frozen_container_is_killed_when_the_worker_is_killed(self):
        container = self.frozen()
        worker = self.launcher.worker
        self.gone_within(container, lambda: os.kill(worker, signal.SIGKILL))
        self.launcher.connect()
        self.assertNotEqual(self.launcher.worker, worker)
        self.instance = self.launcher.create()
        self.assertEqual(self.python().invoke("1 + 1"), 2)

    def test_processor_time_is_limited(self):
        container = self.python(cpu=100)
        began = time.monotonic()
        used = container.invoke(
            "(lambda time: [None for _ in iter(lambda: time.process_time() < 0.2, False)] and time.process_time())"
            "(__import__('time'))")
        self.assertGreater(time.monotonic() - began, 0.8, used)

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

    def test_no_cgroup_is_left(self):
        container = self.python()
        mine = {path for path in cgroups_left() if any(self.holds(path, name, container) for name in os.listdir(path))}
        self.assertTrue(mine)
        self.launcher.kill(container)
        self.launcher.exit_of(container)
        self.launcher.kill_instance(self.instance)
        self.assertTrue(mine.isdisjoint(cgroups_left()))

    @staticmethod
    def holds(path, name, container):
        """Whether the process of a container is in the cgroup `name` below `path`."""
        return os.path.isdir(f"{path}/{name}") and str(container.pid) in read_text(f"{path}/{name}/cgroup.procs").split()
