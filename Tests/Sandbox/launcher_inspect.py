"""The report on a container says what holds for it, and follows the policy it was started with."""

import errno
import os

from launcher_case import LauncherCase, eventually
from launcher_client import ALONE, LEARN, MIB, PREPARE, StartFailed


class Inspect(LauncherCase):
    SECTIONS = ["status", "namespaces", "id_maps", "mounts", "limits", "cgroup", "landlock", "seccomp", "unenforced"]

    def test_a_report_says_what_holds(self):
        container = self.python(cpu=250, weight=300)
        report = self.launcher.inspect(container)
        self.assertEqual(list(report), self.SECTIONS)
        status = dict(line.split(":\t") for line in report["status"])
        self.assertEqual((status["NoNewPrivs"], status["Seccomp_filters"]), ("1", "2"))
        # As the worker counts: each instance has its own 2048 ids, or, rootless, all have the one there is.
        self.assertEqual({int(user) % 2048 for user in status["Uid"].split()}, {1051 if self.launcher.privileged else 0})
        self.assertEqual({status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}, {"0" * 16})
        namespaces = {line.split()[0]: line.split()[1:] for line in report["namespaces"]}
        self.assertEqual(sorted(name for name, (_, kind) in namespaces.items() if kind == "own"),
                         ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"])
        self.assertEqual(namespaces["net"][0], container.invoke("os.readlink('/proc/self/ns/net')")[5:-1])
        self.assertEqual([line.split()[4] for line in report["mounts"]],
                         container.invoke("[line.split()[4] for line in open('/proc/self/mountinfo')]"))
        self.assertIn("Max open files            1024                 1024                 files     ", report["limits"])
        # Timers and waiting signals are kernel memory that no cgroup counts.
        self.assertIn("Max pending signals       4096                 4096                 signals   ", report["limits"])
        self.assertIn("/tmp", [line.split()[0] for line in report["landlock"]])

    def test_containers_have_system_v_objects_of_their_own(self):
        def namespace(container):
            return next(line.split()[1] for line in self.launcher.inspect(container)["namespaces"] if line.startswith("ipc "))

        native = {namespace(self.bootstrap()[0]) for _ in range(2)}
        forked = {namespace(self.python()) for _ in range(2)}
        self.assertEqual((len(native), len(forked), len(native | forked)), (2, 2, 4))

    def test_a_report_names_the_limits_of_the_cgroup(self):
        container = self.python(memory=200 * MIB, cpu=250, weight=300, pids=33)
        found = dict(line.split(" ", 1) for line in self.launcher.inspect(container)["cgroup"])
        wanted = {0: {}, 1: {"memory.limit_in_bytes": str(200 * MIB), "cpu.cfs_quota_us": "25000", "cpu.shares": "300", "pids.max": "33"},
                  2: {"memory.max": str(200 * MIB), "cpu.max": "25000 100000", "cpu.weight": "300", "pids.max": "33"}}
        for name, value in wanted[self.launcher.cgroups].items():
            self.assertEqual(found[name], value, name)
        self.assertEqual(bool(found), self.launcher.cgroups > 0)

    def test_a_report_follows_the_policy(self):
        plain = self.launcher.inspect(self.python())
        calls = {line.split()[1] for line in plain["seccomp"] if line.startswith("allow ")}
        self.assertTrue({"read", "execve"} < calls and not calls & {"mount", "shmget"}, calls)
        self.assertTrue(any(line.startswith("refuse mount ") for line in plain["seccomp"]))
        self.assertTrue(any(line.startswith("allow socket EQUALS(0, AF_UNIX) ") for line in plain["seccomp"]))
        self.assertEqual([line for line in plain["landlock"] if line.startswith("tcp")], [])
        egress = self.launcher.inspect(self.python(egress=3128, flags=ALONE))
        if self.launcher.landlock >= 4:
            self.assertEqual([line for line in egress["landlock"] if line.startswith("tcp")],
                             ["tcp connect 3128", "tcp bind 8080", "tcp connect 8080"])
        container, _ = self.bootstrap(syscalls=["read", "connect", "socket", "write", "arch_prctl", "brk", "mount", "set_tid_address",
                                                "set_robust_list", "rseq", "prlimit64", "readlinkat", "readlink", "getrandom", "mprotect",
                                                "mmap", "munmap", "fstat", "newfstatat"])
        narrowed = [line.split()[:2] for line in self.launcher.inspect(container)["seccomp"]]
        self.assertIn(["refuse", "mount"], narrowed)
        self.assertIn(["allow", "exit_group"], narrowed)
        self.assertNotIn(["allow", "openat"], narrowed)

    def test_only_a_runtime_that_runs_is_reported_on(self):
        prepared = self.launcher.container(self.instance, "provided", PREPARE)
        self.addCleanup(prepared.close)
        gone = self.python()
        self.launcher.kill(gone)
        self.launcher.exit_of(gone)
        for container in (prepared, gone):
            with self.assertRaises(StartFailed) as caught:
                self.launcher.inspect(container)
            self.assertEqual((caught.exception.step, caught.exception.errno), ("unknown_container", errno.ESRCH))
        learned = self.python(flags=LEARN)
        self.assertEqual(list(self.launcher.inspect(learned)), self.SECTIONS)

    def test_reports_leak_nothing(self):
        container = self.python()
        self.launcher.inspect(container)
        before = self.descriptors_at_rest()
        for _ in range(50):
            self.launcher.inspect(container)
        self.assertLessEqual(self.descriptors_at_rest(), before)
