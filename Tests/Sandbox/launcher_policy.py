"""What a function's policy changes about its container: egress, a process of its own, families of system calls, profiles."""

import ctypes
import errno
import mmap
import os
import select
import signal
import struct
import time
from collections import Counter

from launcher_case import LauncherCase, children_of, read_text
from launcher_client import (ALONE, ASSIGN, CONTAINER_EXIT, CONTAINER_KILL, CONTAINER_SYSCALLS, EXITED, LEARN, MIB, PREPARE, SIGNALED,
                             WAIT_SECONDS, StartFailed)

HUGE_PAGE, MADV_COLLAPSE = 2 * MIB, 25


class Policy(LauncherCase):
    def command(self, connection, line):
        connection.send(line.encode() + b"\n")
        return int(connection.recv(100))

    def test_egress_is_one_listener_in_a_network_of_its_own(self):
        if self.launcher.landlock < 4:
            self.skipTest("this kernel's Landlock has no TCP rules")
        first, second = (self.python(egress=3128) for _ in range(2))
        for container in (first, second):
            self.assertEqual(container.invoke("reach(3128)"), 0)
            self.assertTrue(select.select([container.egress], [], [], WAIT_SECONDS)[0])
            container.egress.accept()[0].close()
            self.assertEqual(container.invoke("[reach(9001), reach(80), serve(8081), serve(3128)]"), [errno.EACCES] * 4)
            # A web server of its own, where no other container's can be mistaken for it.
            self.assertEqual(container.invoke("[serve(8080), reach(8080)]"), [0, 0])
        self.assertEqual(self.python().invoke("[reach(3128), reach(8080), serve(8080)]"), [errno.EACCES] * 3)

    def test_a_native_bootstrap_has_both_listeners(self):
        if self.launcher.landlock < 4:
            self.skipTest("this kernel's Landlock has no TCP rules")
        container, connection = self.bootstrap(egress=3128)
        connection.recv(100)
        self.assertEqual([self.command(connection, line) for line in ("reach 3128", "serve 8080", "reach 8080")], [0, 0, 0])
        container.egress.accept()[0].close()
        self.assertEqual(self.command(connection, "serve 8081"), errno.EACCES)
        prepared = self.launcher.container(self.instance, "provided", PREPARE, egress=3128)
        self.addCleanup(prepared.close)
        self.assertIsNotNone(prepared.egress)

    def test_a_function_that_is_alone_shares_no_address_space_layout(self):
        forked = {self.python().invoke("libc_address()") for _ in range(3)}
        alone = {self.python(flags=ALONE).invoke("libc_address()") for _ in range(3)}
        self.assertEqual((len(forked), len(alone | forked)), (1, 4))

    def test_a_family_has_what_it_needs_and_no_more(self):
        # shmget, signalfd4, personality, seccomp; then mlock, which native programs may.
        python = self.python()
        for number in (29, 289, 135, 317, 149):
            self.assertEqual(python.invoke(f"answer_of({number}, 0, 4096, 0o1600)"), errno.ENOSYS, number)
        _, connection = self.bootstrap()
        connection.recv(100)
        self.assertEqual(self.command(connection, "call 29"), 0)
        self.assertNotEqual(self.command(connection, "call 289"), errno.ENOSYS)
        self.assertEqual(self.command(connection, "call 165"), errno.EPERM)

    def test_a_zygote_runs_under_a_filter_and_its_children_under_two(self):
        def filters(pid):
            lines = dict(line.split(":\t", 1) for line in read_text(f"/proc/{pid}/status").splitlines() if ":\t" in line)
            return lines["NoNewPrivs"], lines["Seccomp"], lines["Seccomp_filters"]

        zygote = children_of(self.launcher.worker)[0]
        self.assertEqual(filters(zygote), ("1", "2", "1"))
        self.assertEqual(filters(self.python().pid), ("1", "2", "2"))
        self.assertEqual(filters(self.python(flags=ALONE).pid), ("1", "2", "1"))

    def test_a_zygote_lies_in_huge_pages_where_the_kernel_has_them(self):
        memory = mmap.mmap(-1, 2 * HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.write(bytes(len(memory)))
        page = -(-ctypes.addressof(ctypes.c_char.from_buffer(memory)) // HUGE_PAGE) * HUGE_PAGE
        if ctypes.CDLL(None).madvise(ctypes.c_void_p(page), ctypes.c_size_t(HUGE_PAGE), MADV_COLLAPSE) != 0:
            self.skipTest("this kernel makes no huge pages on request")
        self.python()  # it has booted
        found = Counter()
        for line in read_text(f"/proc/{children_of(self.launcher.worker)[0]}/smaps").splitlines():
            words = line.split()
            if len(words) > 4:
                kind = ("code" if words[1].startswith("r-x") else "heap" if words[-1] == "[heap]" else "objects")
            elif words[0] == "AnonHugePages:":
                found[kind] += int(words[1]) // 1024
        for kind in ("code", "heap", "objects"):
            self.assertGreaterEqual(found[kind], 2, found)

    def test_calls_of_another_architecture_end_the_process(self):
        for line in (b"i386\n", b"x32\n"):
            container, connection = self.bootstrap()
            connection.recv(100)
            connection.send(line)
            self.assertEqual(self.launcher.exit_of(container)[:2], (SIGNALED, signal.SIGSYS), line)

    def learned(self, action, **options):
        container = self.python(flags=LEARN | options.pop("flags", 0), **options)
        action(container)
        self.launcher.kill(container)
        self.launcher.wait(lambda: any(kind == CONTAINER_EXIT for kind, _ in self.launcher.events) or None)
        kinds = [kind for kind, body in self.launcher.events if struct.unpack("=Q", body[:8])[0] == container.id]
        self.assertEqual(kinds, [CONTAINER_SYSCALLS, CONTAINER_EXIT])
        self.launcher.exit_of(container)
        return self.launcher.learned_from(container)

    def test_learning_names_the_calls_that_were_made(self):
        def use(container):
            self.assertEqual(container.invoke("os.mkdir('/tmp/made')"), None)
            self.assertEqual(container.invoke("answer_of(165, 0, 0, 0, 0, 0)"), errno.EPERM)
            self.assertEqual(container.invoke("subprocess.run(['/bin/true']).returncode"), 0)
            self.assertEqual(container.invoke("[t.start() or t.join() for t in [threading.Thread(target=len, args=('',))]]"), [None])
            found = container.invoke("[os.readlink('/proc/self/fd/' + fd).split(':')[0] for fd in sorted(os.listdir('/proc/self/fd'))"
                                     " if os.path.exists('/proc/self/fd/' + fd)]")
            self.assertEqual(found, ["/dev/null", "pipe", "pipe", "socket"])

        names = self.learned(use)
        for name in ("mkdir", "openat", "read", "execve"):
            self.assertIn(name, names)
        # Refused before anyone is asked, and never made.
        for name in ("mount", "symlink"):
            self.assertNotIn(name, names)
        self.assertEqual(names, sorted(set(names), key=names.index))

    def test_what_was_learned_is_enough_and_the_rest_is_unknown(self):
        def use(container):
            self.assertEqual(container.invoke("os.mkdir('/tmp/made') or os.listdir('/tmp')"), ["made"])

        for flags in (0, ALONE):
            names = self.learned(use, flags=flags)
            container = self.python(syscalls=names, flags=flags)
            use(container)
            self.assertEqual(container.invoke("attempt(lambda: os.symlink('a', '/tmp/b'))"), errno.ENOSYS)
            self.assertEqual(container.invoke("answer_of(165, 0, 0, 0, 0, 0)"), errno.ENOSYS)
            self.assertEqual(container.invoke("1 + 1"), 2)

    def test_a_native_bootstrap_is_learned_and_narrowed(self):
        container, connection = self.bootstrap(flags=LEARN)
        connection.recv(100)
        connection.send(b"exit 0\n")
        self.assertEqual(self.launcher.exit_of(container)[:2], (EXITED, 0))
        names = self.launcher.learned_from(container)
        self.assertIn("connect", names)
        container, connection = self.bootstrap(syscalls=names)
        connection.recv(100)
        self.assertEqual(self.command(connection, "call 29"), errno.ENOSYS)
        self.assertEqual(self.command(connection, "serve 8080"), errno.ENOSYS)
        connection.send(b"x32\n")
        self.assertEqual(self.launcher.exit_of(container)[:2], (SIGNALED, signal.SIGSYS))

    def test_a_container_that_is_learned_from_is_killed_at_any_time(self):
        for wait in (0, 0.001, 0.002, 0.005, 0.02, 0.1):
            identifier, request = self.launcher.start_request(self.instance, "pyexec", PREPARE | ASSIGN, self.bundle, flags=LEARN)
            time.sleep(wait)
            self.launcher.reply(self.launcher.send(CONTAINER_KILL, struct.pack("=Q", identifier)))
            try:
                for fd in self.launcher.reply(request)[1].values():
                    os.close(fd)
            except StartFailed as error:
                self.assertEqual(error.errno, errno.ECANCELED)
        self.launcher.kill_instance(self.instance)
