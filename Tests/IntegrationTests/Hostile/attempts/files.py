"""Files, devices and what /proc shows: of the host, of other accounts, of the sandbox itself."""

from .attempt import ALL, NATIVE, NODE, PYTHON, Attempt, OneOf

HOST_PATHS = ["/etc/shadow", "/root", "/home", "/sys/fs/cgroup", "/sys/kernel/debug", "/run", "/boot", "/var/lib/dpkg", "/dev/kmsg",
              "/dev/mem", "/dev/vda", "/dev/sda", "/dev/tty", "/dev/console", "/dev/ptmx", "/dev/fuse", "/dev/kvm", "/dev/net/tun",
              "/dev/loop0"]
KERNEL_FILES = ["sysrq-trigger", "sys/kernel/core_pattern", "sys/kernel/modprobe", "sys/kernel/hostname", "sys/vm/drop_caches",
                "sys/kernel/yama/ptrace_scope", "sys/fs/binfmt_misc/register", "sys/kernel/ns_last_pid", "sys/net/ipv4/ip_forward",
                "irq/default_smp_affinity", "mtrr", "acpi/wakeup", "scsi/scsi", "timer_list", "kcore"]
OWN_FILES = ["self/oom_score_adj", "self/oom_adj", "self/uid_map", "self/gid_map", "self/setgroups", "self/coredump_filter",
             "self/loginuid", "self/attr/current", "self/attr/exec", "self/mem", "self/comm", "self/clear_refs", "self/timens_offsets",
             "self/autogroup", "self/projid_map", "self/make-it-fail", "1/oom_score_adj", "1/mem"]
SECRET_FILES = ["/proc/kcore", "/proc/kmsg", "/proc/kpageflags", "/proc/kpagecount", "/proc/slabinfo", "/proc/vmallocinfo",
                "/proc/timer_list", "/proc/1/environ", "/proc/1/mem", "/proc/1/maps"]

DEVICES = ["full", "null", "random", "urandom", "zero"]


def is_denied(seen):
    return set(seen) <= {"ENOENT", "EACCES", "EROFS", "EPERM", "EISDIR", "ENXIO", "ENODEV", "ENOTDIR", "ETXTBSY"}


def is_hidden(seen):
    return set(seen) <= {"ENOENT", "ENOTDIR"}


def only_devices(seen):
    """Only the harmless devices could be opened, nothing could be made or changed, and the walk went through everything."""
    return sorted(seen["writable"]) == [f"open /dev/{name}" for name in DEVICES] and seen["end"] == 0 and seen["visited"] > 1000


def shows_no_addresses(texts):
    return all(set(line.split()[0]) == {"0"} for text in texts for line in text.splitlines()[:1000])


def attempts():
    yield Attempt("host files and devices by name", "mounts", ("open_paths", *HOST_PATHS), is_hidden, ALL)
    yield Attempt("the host's /proc files of root", "user namespace; Landlock", ("open_paths", *SECRET_FILES), is_denied, ALL)
    yield Attempt("write kernel settings in /proc", "mounts; user namespace; Landlock",
                  ("open_paths", *[f"/proc/{name}" for name in ("sysrq-trigger", "sys/kernel/core_pattern")]),
                  lambda seen: is_denied(seen[1::2]), (NODE, NATIVE))
    yield Attempt("write kernel settings in /proc", "user namespace; Landlock", ("proc_writes", *KERNEL_FILES), is_denied, (PYTHON,))
    yield Attempt("write one's own /proc files", "Landlock", ("proc_writes", *OWN_FILES), is_denied, (PYTHON,))
    yield Attempt("write into every visible path", "mounts; Landlock", ("write_everywhere", "{marker}"), only_devices, (NATIVE,))
    yield Attempt("another account's bundle, by name and content", "mounts",
                  ("grep", "{marker}", "/var", "/opt", "/tmp", "/etc", "/dev"), [], (PYTHON,))
    yield Attempt("another account's environment and memory", "pid namespace", ("steal",),
                  lambda seen: set(seen) <= {"ENOENT", "EACCES", "EPERM"}, (PYTHON,))
    yield Attempt("other processes in /proc", "pid namespace; hidepid", ("list_processes",), [], (PYTHON, NODE))
    yield Attempt("environments in /proc", "pid namespace; hidepid", ("environments",), [], (NODE,))
    yield Attempt("kernel addresses in /proc/kallsyms", "no capabilities", ("read_texts", "/proc/kallsyms"), shows_no_addresses, (PYTHON,))
    yield Attempt("the host's paths in /proc", "mount, cgroup and network namespace",
                  ("paths_that_name", "{folder}", "/proc/self/cgroup", "/proc/self/maps", "/proc/net/unix", "/proc/locks", "/proc/mounts"),
                  [], (PYTHON,))
    yield Attempt("kernel addresses in /proc/iomem", "no capabilities", ("read_texts", "/proc/iomem"),
                  lambda texts: all(line.strip().startswith("00000000-00000000") for line in texts[0].splitlines()), (PYTHON,))
    yield Attempt("one's own bundle", "mounts; Landlock",
                  ("truncate_paths", "/var/task/app.py", "/var/runtime/bootstrap.py", "/usr/bin/python3"),
                  lambda seen: set(seen) <= {"EACCES", "EROFS"}, (PYTHON,))
    yield Attempt("a link race in /tmp", "mounts", ("link_race", "{folder}"),
                  lambda seen: seen["reached"] == 0 and seen["raced"] is True, (NATIVE,))
    yield Attempt("leaked descriptors (CVE-2024-21626)", "descriptors closed", ("leaked_descriptors",),
                  lambda seen: seen == ["/dev/null", "pipe", "pipe"], (NATIVE,))
    yield Attempt("the directory above the root (CVE-2024-21626)", "mounts",
                  ("open_paths", "/proc/self/cwd/../../../{folder}", "/proc/self/root/..{folder}", "/../../..{folder}"), is_hidden, ALL)
    yield Attempt("overwrite the running program (CVE-2019-5736)", "mounts; Landlock; hidepid", ("overwrite_program",),
                  lambda seen: seen[0] in ("EACCES", "EROFS", "ETXTBSY") and is_denied(seen[1:]), (NATIVE,))
    yield Attempt("write memory that is read-only (CVE-2016-5195)", "Landlock; mounts", ("write_own_memory",),
                  ["EACCES", "EACCES", "EACCES"], (NATIVE,))
    yield Attempt("disks and memory by mknod", "Landlock; no capabilities", ("make_device",),
                  lambda seen: set(seen) <= {"EPERM", "EACCES"}, (PYTHON,))
    yield Attempt("a setuid program", "no_new_privs; nosuid", ("setuid_program", "{setuid}"), [1051, 0], (PYTHON, NODE))
    yield Attempt("a setuid file of one's own", "no_new_privs; nosuid; user namespace", ("own_setuid_file",),
                  OneOf(["ok", "1051", "EPERM"], ["ok", "1051", "EINVAL"], ["EPERM", "1051", "EPERM"]), (PYTHON,))
    yield Attempt("become root", "no capabilities", ("become_root",), lambda seen: set(seen) <= {"EPERM", "EINVAL"}, (PYTHON,))
    yield Attempt("what others open below /usr, by inotify", "seccomp", ("watch", "/usr/bin", "/usr/lib"),
                  lambda seen: set(seen) <= {"EPERM", "ENOSYS", "EACCES"}, (PYTHON,))
    yield Attempt("locks on files that all accounts and the host share", "seccomp", ("lock", "/usr/bin/tac", "/etc/passwd"),
                  lambda seen: set(seen) <= {"EPERM", "ENOSYS"}, (PYTHON,), alone=True, admitted="flock")
    yield Attempt("mount(8)", "seccomp", ("program", "/usr/bin/mount", "-t", "tmpfs", "x", "/tmp"),
                  lambda seen: seen != "status 0", (NODE,))
    yield Attempt("unshare(1)", "seccomp", ("program", "/usr/bin/unshare", "-Ur", "/bin/true"), lambda seen: seen != "status 0", (NODE,))
