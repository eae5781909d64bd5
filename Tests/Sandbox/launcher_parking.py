"""Containers that outlive the connection they were started over, and a launcher that outlives who started it."""

import errno
import os
import select
import signal
import struct
import time

from launcher_case import BINARIES, BLANKS, NAME, PROBE, LauncherCase, cgroups_left, eventually, instances_left
from launcher_client import (CHANNEL, CONNECTION, CONTAINER_KILL, CONTAINER_PARK, FREEZER, KILLED, LABEL_MAX, PARK_HEAD, PARK_SECONDS_MAX,
                             PREPARE, WAIT_SECONDS, Launcher, StartFailed)

COUNT = "kept.append(0) or len(kept)"


def gone(container):
    return not os.path.exists(f"/proc/{container.pid}")


class Parking(LauncherCase):
    def reconnect(self):
        self.launcher.socket.close()
        self.launcher.connect()

    def adopted(self):
        container = self.launcher.adopt()
        self.assertIsNotNone(container)
        self.addCleanup(container.close)
        return container

    def counting(self, **options):
        container = self.python(**options)
        self.assertEqual(container.invoke(COUNT), 1)
        return container

    def refused(self, step, error, container, **options):
        with self.assertRaises(StartFailed) as caught:
            self.launcher.park(container, **options)
        self.assertEqual((caught.exception.step, caught.exception.errno), (step, error), options)

    def test_a_parked_container_serves_the_next_connection_with_all_it_has(self):
        for runtime in ("python", "pyexec"):
            container = self.counting(runtime=runtime)
            container.invoke("open('/tmp/kept', 'w').write('text')")
            if FREEZER in container.fds:
                container.freeze(self.launcher.cgroups)
            self.launcher.park(container, label=b"\0label\xff", state=7)
            self.reconnect()
            self.assertEqual((self.launcher.parked, self.launcher.parked_number_max), (1, max(self.instance, container.id)))
            again = self.adopted()
            self.assertEqual((again.id, again.instance, again.pid, again.label, again.sequence, again.runtime),
                             (container.id, self.instance, container.pid, b"\0label\xff", 7, runtime))
            if FREEZER in again.fds:
                again.thaw(self.launcher.cgroups)
            self.assertEqual(again.invoke(COUNT), 2)
            self.assertEqual(again.invoke("open('/tmp/kept').read()"), "text")
            self.assertEqual(again.invoke("print('said') or sys.stdout.flush()"), None)
            self.assertEqual(again.log_text(), "said\n")
            self.assertIsNone(self.launcher.adopt())
            # It is this connection's in every way: others start beside it, it is inspected, killed and reported.
            self.assertEqual(self.python().invoke("1 + 1"), 2)
            self.assertIn("status", self.launcher.inspect(again))
            self.launcher.kill(again)
            self.assertEqual(self.launcher.exit_of(again)[0], KILLED)

    def test_what_is_not_parked_ends_with_the_connection(self):
        sibling, kept, other = self.python(), self.counting(), self.launcher.create()
        elsewhere = self.launcher.container(other, "python", bundle=self.bundle)
        self.addCleanup(elsewhere.close)
        spare = self.launcher.container(self.instance, "python", PREPARE)
        self.addCleanup(spare.close)
        self.launcher.park(kept)
        self.reconnect()
        for container in (sibling, elsewhere, spare):
            self.assertTrue(eventually(lambda: gone(container)))
        self.assertFalse(gone(kept))
        if self.launcher.cgroups:
            self.assertTrue(eventually(lambda: instances_left() <= BLANKS + 1), cgroups_left())
        self.assertEqual(self.adopted().invoke(COUNT), 2)
        self.reconnect()
        self.assertTrue(eventually(lambda: gone(kept)))
        self.assertEqual(self.launcher.parked, 0)

    def test_several_of_one_instance_and_of_others_are_adopted(self):
        instances = [self.instance, self.launcher.create(), self.launcher.create()]
        expected = set()
        for instance in instances * 3:
            container = self.launcher.container(instance, "python", bundle=self.bundle)
            container.booted()
            container.initialise()
            self.launcher.park(container, label=str(container.id).encode())
            expected.add((instance, container.id))
        self.reconnect()
        found = [self.adopted() for _ in range(9)]
        self.assertIsNone(self.launcher.adopt())
        self.assertEqual({(container.instance, container.id) for container in found}, expected)
        for container in found:
            self.assertEqual(container.label, str(container.id).encode())
            self.assertEqual(container.invoke("1 + 1"), 2)
        for instance in instances[1:]:
            self.launcher.kill_instance(instance)

    def test_parked_containers_end_when_their_time_is_over(self):
        first, second = self.counting(), self.counting()
        self.launcher.park(first, seconds=1)
        self.launcher.park(second, seconds=2)
        self.reconnect()
        self.assertEqual(self.launcher.parked, 2)
        self.assertTrue(eventually(lambda: gone(first)))
        self.assertFalse(gone(second))
        self.assertTrue(eventually(lambda: gone(second)))
        if self.launcher.cgroups:
            self.assertTrue(eventually(lambda: instances_left() <= BLANKS), cgroups_left())
        self.assertIsNone(self.launcher.adopt())

    def test_an_adopted_container_has_no_time_that_ends(self):
        self.launcher.park(self.counting(), seconds=1)
        self.reconnect()
        again = self.adopted()
        time.sleep(1.1)
        self.assertEqual(again.invoke(COUNT), 2)

    def test_what_is_not_adopted_waits_for_the_next_connection(self):
        self.launcher.park(self.counting())
        self.reconnect()
        self.assertEqual(self.python_elsewhere().invoke("1 + 1"), 2)
        self.reconnect()
        self.assertEqual(self.launcher.parked, 1)
        self.assertEqual(self.adopted().invoke(COUNT), 2)

    def python_elsewhere(self):
        container = self.launcher.container(self.launcher.create(), "python", bundle=self.bundle)
        self.addCleanup(container.close)
        container.booted()
        container.initialise()
        return container

    def test_what_dies_while_it_is_parked_is_not_adopted(self):
        container = self.counting()
        self.launcher.park(container)
        self.launcher.socket.close()
        os.kill(container.pid, signal.SIGKILL)
        self.assertTrue(eventually(lambda: gone(container)))
        if self.launcher.cgroups:
            self.assertTrue(eventually(lambda: instances_left() <= BLANKS), cgroups_left())
        self.launcher.connect()
        self.assertIsNone(self.launcher.adopt())
        self.assertEqual(self.launcher.parked, 0)

    def test_a_parked_container_can_still_be_killed(self):
        container = self.counting()
        self.launcher.park(container)
        self.launcher.reply(self.launcher.send(CONTAINER_KILL, struct.pack("=Q", container.id)))
        self.assertEqual(self.launcher.exit_of(container)[0], KILLED)
        self.assertIsNone(self.launcher.adopt())

    def test_numbers_that_were_given_away_again_cost_what_was_parked(self):
        container = self.counting()
        self.launcher.park(container)
        self.launcher.socket.close()
        self.launcher.connect()
        self.launcher.number = self.instance - 1
        self.assertEqual(self.launcher.create(), self.instance)
        self.assertIsNone(self.launcher.adopt())
        self.assertTrue(eventually(lambda: gone(container)))
        self.launcher.number = max(self.launcher.number, container.id)

    def test_what_cannot_be_parked_is_refused_and_goes_on(self):
        spare = self.launcher.container(self.instance, "python", PREPARE)
        self.addCleanup(spare.close)
        spare.booted()
        late = self.launcher.container(self.instance, "provided", PREPARE)
        self.addCleanup(late.close)
        container = self.counting()
        self.refused("park", errno.EBUSY, spare)
        self.refused("park", errno.EBUSY, late)
        self.refused("protocol", errno.EBADMSG, container, label=b"x" * (LABEL_MAX + 1))
        for seconds in (0, PARK_SECONDS_MAX + 1):
            self.refused("protocol", errno.EBADMSG, container, seconds=seconds)
        for fds in ({}, {CHANNEL: container.fds[CHANNEL]}, {**container.fds, 1 << 6: 0}, {**container.fds, 1 << 20: 0}):
            self.refused("park", errno.EINVAL, container, fds=fds)
        for sent in ([], list(container.fds.values())[1:]):
            head = PARK_HEAD.pack(container.id, 60, sum(container.fds), 0, 0)
            with self.assertRaises(StartFailed) as caught:
                self.launcher.reply(self.launcher.send(CONTAINER_PARK, head, fds=sent))
            self.assertEqual(caught.exception.errno, errno.EINVAL)
        number, container.id = container.id, 999999
        self.refused("unknown_container", errno.ESRCH, container)
        container.id = number
        self.assertEqual(container.invoke(COUNT), 2)
        before = self.descriptors_at_rest()
        twice = {bit: os.dup(fd) for bit, fd in container.fds.items()}
        self.launcher.park(container, label=b"x" * LABEL_MAX)
        self.refused("park", errno.EALREADY, container, fds=twice)
        for fd in twice.values():
            os.close(fd)
        again = self.adopted()
        self.assertEqual(again.label, b"x" * LABEL_MAX)
        self.assertEqual(again.invoke(COUNT), 3)
        self.assertLessEqual(self.descriptors_at_rest(), before)

    def test_a_native_bootstrap_keeps_its_listener_and_its_connection(self):
        container, connection = self.bootstrap()
        self.assertEqual(connection.recv(100), b"bootstrap 1 -\n")
        container.fds[CONNECTION] = os.dup(connection.fileno())
        self.launcher.park(container)
        connection.close()
        self.reconnect()
        again = self.adopted()
        self.assertEqual(again.runtime, "provided")
        os.write(again.fds[CONNECTION], b"exit 7\n")
        self.assertEqual(self.launcher.exit_of(again)[1], 7)
        self.assertTrue(again.channel.getsockname(), ("127.0.0.1", 9001))


class Orphan:
    """A launcher whose standard input is its daemon's, for unittest.TestCase: each test has one of its own."""

    user = None

    def setUp(self):
        self.launcher = Launcher(BINARIES[0], self.user, ["--cgroup", NAME + "-o", "--blank-instances", "1"], lifeline=True)
        self.addCleanup(self.launcher.stop)
        self.launcher.start()
        self.bundle = self.launcher.bundle("probe", {"app.py": PROBE})

    def parked(self, seconds=60):
        container = self.launcher.container(self.launcher.create(), "python", bundle=self.bundle)
        container.booted()
        container.initialise()
        self.assertEqual(container.invoke(COUNT), 1)
        if FREEZER in container.fds:
            container.freeze(self.launcher.cgroups)
        self.launcher.park(container, seconds=seconds)
        return container

    def end_daemon(self):
        """What the kernel does when a daemon ends, however it does."""
        self.launcher.process.stdin.close()
        self.launcher.socket.close()
        os.close(self.launcher.errors)
        self.launcher.errors = os.open("/dev/null", os.O_RDONLY | os.O_NONBLOCK)

    def assert_ended(self):
        self.assertEqual(self.launcher.process.wait(WAIT_SECONDS), 0)
        self.assertFalse(os.path.exists(self.launcher.path))

    def test_with_nothing_parked_it_ends_with_its_daemon(self):
        container = self.launcher.container(self.launcher.create(), "python", bundle=self.bundle)
        self.end_daemon()
        self.assert_ended()
        self.assertTrue(gone(container))
        container.close()

    def test_with_something_parked_it_waits_for_the_next_daemon_and_ends_with_that_one(self):
        container = self.parked()
        self.end_daemon()
        time.sleep(0.2)
        messages, end = os.pipe()
        self.launcher.connect(messages=end)
        os.close(end)
        again = self.launcher.adopt()
        self.assertEqual((again.id, again.pid), (container.id, container.pid))
        if FREEZER in again.fds:
            again.thaw(self.launcher.cgroups)
        self.assertEqual(again.invoke(COUNT), 2)
        again.close()
        # The pipe that came with the greeting is the worker's now: it closes when the worker ends.
        self.assertFalse(select.select([messages], [], [], 0)[0])
        self.launcher.socket.close()
        self.assert_ended()
        self.assertTrue(gone(container))
        self.assertEqual((select.select([messages], [], [], WAIT_SECONDS)[0], os.read(messages, 100)), ([messages], b""))
        os.close(messages)

    def test_it_ends_when_the_time_of_what_is_parked_is_over(self):
        container = self.parked(seconds=1)
        self.end_daemon()
        self.assertFalse(gone(container))
        self.assert_ended()
        self.assertTrue(gone(container))

    def test_it_is_not_started_again_for_nobody(self):
        container = self.parked()
        self.end_daemon()
        os.kill(self.launcher.worker, signal.SIGKILL)
        self.assert_ended()
        self.assertTrue(gone(container))

    def test_it_ends_when_it_is_told_to_whatever_is_parked(self):
        container = self.parked()
        self.end_daemon()
        self.launcher.process.terminate()
        self.assert_ended()
        self.assertTrue(gone(container))

    def test_nobody_reading_its_messages_does_not_end_it(self):
        os.close(self.launcher.errors)
        os.close(self.launcher.errors_end)
        self.launcher.errors = os.open("/dev/null", os.O_RDONLY | os.O_NONBLOCK)
        self.launcher.errors_end = os.open("/dev/null", os.O_WRONLY)
        worker = self.launcher.worker
        # The supervisor says that it starts another.
        os.kill(worker, signal.SIGKILL)
        self.launcher.connect()
        self.assertNotEqual(self.launcher.worker, worker)
        self.launcher.create()
