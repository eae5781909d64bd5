"""System calls that a function has no use for, with arguments that would succeed, or fail otherwise, if nothing refused them."""

import pathlib
import re
import subprocess

from .attempt import ALL, NATIVE, PYTHON, Attempt, OneOf

RULES = pathlib.Path(__file__).resolve().parents[4] / "Sandbox/Core/seccomp_rules.def"
SWEPT = 1024


def read_numbers():
    """The numbers of the system calls on this machine, as its headers have them."""
    text = subprocess.run(["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"], check=True, capture_output=True,
                          text=True).stdout
    named = dict(re.findall(r"#define __NR_(\w+) (\d+)\b", text))
    # Newer than the headers of some machines.
    recent = {"memfd_secret": 447, "cachestat": 451, "map_shadow_stack": 453, "statmount": 457, "listmount": 458,
              "lsm_get_self_attr": 459, "mseal": 462, "open_tree_attr": 467}
    return recent | {name: int(number) for name, number in named.items()}


NUMBERS = read_numbers()
NEWUSER, NEWNS, NEWPID, NEWNET, NEWTIME, NEWCGROUP = 0x10000000, 0x20000, 0x20000000, 0x40000000, 0x80, 0x2000000
SIGCHLD = 17
TIOCSTI, TIOCLINUX, RNDADDENTROPY = 0x5412, 0x541C, 0x40085203

# (name of the attempt, system call and arguments, layers, what is seen)
CALLS = [
    ("mount a tmpfs", ("mount", "text:x", "text:/tmp", "text:tmpfs"), "seccomp; no capabilities", "EPERM"),
    ("mount the cgroups (CVE-2022-0492)", ("mount", "text:x", "text:/tmp", "text:cgroup", 0, "text:memory"), "seccomp; no capabilities",
     "EPERM"),
    ("mount -o bind /", ("mount", "text:/", "text:/tmp", 0, 4096), "seccomp; no capabilities", "EPERM"),
    ("umount /proc", ("umount2", "text:/proc", 2), "seccomp; no capabilities", "EPERM"),
    ("pivot_root", ("pivot_root", "text:/tmp", "text:/tmp"), "seccomp; no capabilities", "EPERM"),
    ("chroot", ("chroot", "text:/tmp"), "seccomp; no capabilities", "EPERM"),
    ("fsopen (CVE-2022-0185)", ("fsopen", "text:tmpfs", 0), "seccomp", "EPERM"),
    ("fsconfig (CVE-2022-0185)", ("fsconfig", -1, 0, 0, 0, 0), "seccomp", "EPERM"),
    ("fsmount", ("fsmount", -1, 0, 0), "seccomp", "EPERM"),
    ("fspick", ("fspick", -100, "text:/", 0), "seccomp", "EPERM"),
    ("open_tree", ("open_tree", -100, "text:/", 0), "seccomp", "EPERM"),
    ("move_mount", ("move_mount", -1, "text:/", -1, "text:/", 0), "seccomp", "EPERM"),
    ("mount_setattr", ("mount_setattr", -100, "text:/", 0, "buffer", 32), "seccomp", "EPERM"),
    ("statmount", ("statmount", "buffer", "buffer", 512, 0), "seccomp", OneOf("EPERM", "ENOSYS")),
    ("listmount", ("listmount", "buffer", "buffer", 8, 0), "seccomp", OneOf("EPERM", "ENOSYS")),
    ("unshare: user namespace", ("unshare", NEWUSER), "seccomp", "EPERM"),
    ("unshare: mount namespace", ("unshare", NEWNS), "seccomp", "EPERM"),
    ("unshare: network namespace", ("unshare", NEWNET), "seccomp", "EPERM"),
    ("unshare: time namespace", ("unshare", NEWTIME), "seccomp", "EPERM"),
    ("unshare: cgroup namespace (CVE-2022-0492)", ("unshare", NEWCGROUP), "seccomp", "EPERM"),
    ("setns", ("setns", -1, 0), "seccomp", "EPERM"),
    ("clone: user namespace", ("clone", NEWUSER | SIGCHLD), "seccomp", "EPERM"),
    ("clone: user and mount namespace", ("clone", NEWUSER | NEWNS | SIGCHLD), "seccomp", "EPERM"),
    ("clone: pid namespace", ("clone", NEWPID | SIGCHLD), "seccomp", "EPERM"),
    ("clone3, whose flags no filter sees", ("clone3", "buffer", 88), "seccomp", "ENOSYS"),
    ("ptrace: be traced", ("ptrace", 0), "seccomp", "EPERM"),
    ("ptrace: seize init", ("ptrace", 0x4206, 1), "seccomp; pid namespace", "EPERM"),
    ("process_vm_readv of oneself", ("process_vm_readv", 2, 0, 0, 0, 0, 0), "seccomp", "EPERM"),
    ("process_vm_writev of init", ("process_vm_writev", 1, 0, 0, 0, 0, 0), "seccomp", "EPERM"),
    ("process_madvise", ("process_madvise", -1, 0, 0, 0, 0), "seccomp", "EPERM"),
    ("kcmp", ("kcmp", 1, 1, 0, 0, 0), "seccomp", "EPERM"),
    ("pidfd_getfd", ("pidfd_getfd", -1, 0, 0), "seccomp", "EPERM"),
    ("keyctl: the session's keyring", ("keyctl", 0, -3, 0), "seccomp", "EPERM"),
    ("add_key", ("add_key", "text:user", "text:x", "text:x", 1, -4), "seccomp", "EPERM"),
    ("request_key", ("request_key", "text:user", "text:x", 0, 0), "seccomp", "EPERM"),
    ("bpf: load a program", ("bpf", 5, "buffer", 64), "seccomp; no capabilities", "EPERM"),
    ("perf_event_open", ("perf_event_open", "buffer", 0, -1, -1, 0), "seccomp", "EPERM"),
    ("userfaultfd", ("userfaultfd", 1), "seccomp", "EPERM"),
    ("io_uring_setup", ("io_uring_setup", 1, "buffer"), "seccomp", "EPERM"),
    ("io_uring_enter", ("io_uring_enter", -1, 0, 0, 0, 0), "seccomp", "EPERM"),
    ("io_uring_register", ("io_uring_register", -1, 0, 0, 0), "seccomp", "EPERM"),
    ("open_by_handle_at (shocker)", ("open_by_handle_at", -100, "buffer", 0), "seccomp; no capabilities", "EPERM"),
    ("name_to_handle_at", ("name_to_handle_at", -100, "text:/", "buffer", "buffer", 0), "seccomp", "EPERM"),
    ("kexec_load", ("kexec_load", 0, 0, 0, -1), "seccomp; no capabilities", "EPERM"),
    ("kexec_file_load", ("kexec_file_load", -1, -1, 0, 0, -1), "seccomp; no capabilities", "EPERM"),
    ("init_module", ("init_module", 0, 0, 0), "seccomp; no capabilities", "EPERM"),
    ("finit_module", ("finit_module", -1, 0, 0), "seccomp; no capabilities", "EPERM"),
    ("delete_module", ("delete_module", "text:none", 0), "seccomp; no capabilities", "EPERM"),
    ("settimeofday", ("settimeofday", 0, 0), "seccomp; no capabilities", "EPERM"),
    ("clock_settime", ("clock_settime", 0, 0), "seccomp", "EPERM"),
    ("clock_adjtime", ("clock_adjtime", 0, "buffer"), "seccomp", "EPERM"),
    ("adjtimex, only reading", ("adjtimex", "buffer"), "seccomp", "EPERM"),
    ("sethostname", ("sethostname", "text:x", -1), "seccomp; no capabilities", "EPERM"),
    ("setdomainname", ("setdomainname", "text:x", -1), "seccomp; no capabilities", "EPERM"),
    ("swapon", ("swapon", "text:/tmp/none", 0), "seccomp; no capabilities", "EPERM"),
    ("swapoff", ("swapoff", "text:/tmp/none"), "seccomp; no capabilities", "EPERM"),
    ("quotactl", ("quotactl", 0x80000100, 0, 0, 0), "seccomp", "EPERM"),
    ("syslog: read the kernel's log", ("syslog", 3, "buffer", 4096), "seccomp; no capabilities", "EPERM"),
    ("acct", ("acct", "text:/tmp/none"), "seccomp; no capabilities", "EPERM"),
    ("reboot with a wrong magic", ("reboot", 0, 0, 0, 0), "seccomp; no capabilities", "EPERM"),
    ("vhangup", ("vhangup",), "seccomp; no capabilities", "EPERM"),
    ("move_pages", ("move_pages", 0, 0, 0, 0, 0, 0), "seccomp", "EPERM"),
    ("migrate_pages", ("migrate_pages", 0, 0, 0, 0), "seccomp", "EPERM"),
    ("mbind", ("mbind", 0, 0, 0, 0, 0, 0), "seccomp", "EPERM"),
    ("set_mempolicy", ("set_mempolicy", 0, 0, 0), "seccomp", "EPERM"),
    ("fanotify_init", ("fanotify_init", 0x200, 0), "seccomp", "EPERM"),
    ("fanotify_mark", ("fanotify_mark", -1, 0, 0, 0, 0), "seccomp", "EPERM"),
    ("memfd_secret", ("memfd_secret", 0), "seccomp", OneOf("EPERM", "ENOSYS")),
    ("personality: no address-space randomisation", ("personality", 0x40000), "seccomp", OneOf("EPERM", "ENOSYS")),
    ("prctl: move the program break", ("prctl", 35, 13, 0, 0, 0), "seccomp; no capabilities", OneOf("EPERM", "ENOSYS")),
    ("prctl: let anyone trace", ("prctl", 0x59616D61, -1, 0, 0, 0), "seccomp", OneOf("EPERM", "ENOSYS")),
    ("prctl: unlock the securebits", ("prctl", 28, 0, 0, 0, 0), "seccomp; securebits", OneOf("EPERM", "ENOSYS")),
    ("prctl: syscall dispatch", ("prctl", 59, 1, 0, 0, 0), "seccomp", OneOf("EPERM", "ENOSYS")),
    ("ioctl: type into a terminal (TIOCSTI)", ("ioctl", 0, TIOCSTI, "text:x"), "seccomp", "EPERM"),
    ("ioctl: TIOCSTI with high bits set (CVE-2019-10063)", ("ioctl", 0, TIOCSTI | 1 << 32, "text:x"), "seccomp",
     OneOf("EPERM", "ENOSYS")),
    ("ioctl: paste into a console (TIOCLINUX)", ("ioctl", 0, TIOCLINUX, "text:x"), "seccomp", "EPERM"),
    ("ioctl: feed the random generator", ("ioctl", 0, RNDADDENTROPY, "buffer"), "seccomp; no capabilities", OneOf("EPERM", "ENOSYS")),
    ("ioctl: a process's namespaces by its pidfd", ("ioctl", 0, 0xFF03, 0), "seccomp", OneOf("EPERM", "ENOSYS")),
    ("socket: raw packets (AF_PACKET)", ("socket", 17, 3, 0x300), "seccomp; no capabilities", OneOf("EPERM", "ENOSYS")),
    ("socket: raw IP", ("socket", 2, 3, 255), "seccomp; no capabilities", OneOf("EPERM", "ENOSYS")),
    ("socket: ping", ("socket", 2, 2, 1), "seccomp; network namespace", OneOf("EACCES", "EPERM", "ENOSYS")),
    ("socket: netlink audit", ("socket", 16, 3, 9), "seccomp", OneOf("EPERM", "ENOSYS")),
    ("socket: netlink netfilter", ("socket", 16, 3, 12), "seccomp", OneOf("EPERM", "ENOSYS")),
    ("socket: netlink uevents", ("socket", 16, 3, 15), "seccomp", OneOf("EPERM", "ENOSYS")),
    ("socket: machine's hypervisor (AF_VSOCK)", ("socket", 40, 1, 0), "seccomp", OneOf("EPERM", "ENOSYS")),
    ("socket: kernel cryptography (AF_ALG)", ("socket", 38, 5, 0), "seccomp", OneOf("EPERM", "ENOSYS")),
    ("socket: AF_KEY", ("socket", 15, 3, 2), "seccomp", OneOf("EPERM", "ENOSYS")),
    ("socket: AF_BLUETOOTH", ("socket", 31, 3, 1), "seccomp", OneOf("EPERM", "ENOSYS")),
    ("socket: AF_TIPC", ("socket", 30, 1, 0), "seccomp", OneOf("EPERM", "ENOSYS")),
    ("socket: AF_XDP", ("socket", 44, 3, 0), "seccomp", OneOf("EPERM", "ENOSYS")),
    ("TCP Fast Open, past Landlock's ports: sendto", ("sendto", -1, "buffer", 1, 0x20000000, "buffer", 16), "seccomp", "EPERM"),
    ("TCP Fast Open, past Landlock's ports: sendmsg", ("sendmsg", -1, "buffer", 0x20000000), "seccomp", "EPERM"),
    ("TCP Fast Open, past Landlock's ports: sendmmsg", ("sendmmsg", -1, "buffer", 1, 0x20000000), "seccomp", "EPERM"),
    ("setsockopt: a packet filter in the kernel", ("setsockopt", -1, 1, 26, "buffer", 16), "seccomp", "ENOSYS"),
    ("setsockopt: a program that spreads connections", ("setsockopt", -1, 1, 51, "buffer", 16), "seccomp", "ENOSYS"),
    ("setsockopt: a protocol on top of TCP", ("setsockopt", -1, 6, 31, "buffer", 4), "seccomp", "ENOSYS"),
    ("let the host's core handler run", ("prlimit64", 0, 4, "buffer", 0), "seccomp", "ENOSYS"),
    ("socket: multipath TCP, which Landlock does not see", ("socket", 2, 1, 262), "seccomp", OneOf("EPERM", "ENOSYS", "EPROTONOSUPPORT")),
    ("socket: UDP-Lite", ("socket", 2, 2, 136), "seccomp", OneOf("EPERM", "ENOSYS", "EPROTONOSUPPORT")),
    ("fcntl: signals about a directory (dnotify)", ("fcntl", 0, 1026, 0x80000001), "seccomp", OneOf("EPERM", "ENOSYS")),
    ("fcntl: a lease on a file", ("fcntl", 0, 1024, 0), "seccomp", OneOf("EPERM", "ENOSYS")),
    ("mknod: the first disk", ("mknod", "text:/tmp/disk", 0o060666, 0x800), "Landlock; no capabilities", OneOf("EPERM", "EACCES")),
    ("capset: all of them", ("capset", "bytes:2205082000000000", "bytes:" + "ff" * 24),
     "seccomp; no capabilities", OneOf("EPERM", "ENOSYS")),
    ("setuid 0", ("setuid", 0), "no capabilities", OneOf("EPERM", "EINVAL")),
    ("setgid 0", ("setgid", 0), "no capabilities", OneOf("EPERM", "EINVAL")),
    ("setpriority: above all others", ("setpriority", 0, 0, -20), "no capabilities", "EACCES"),
    ("ioprio: real time", ("ioprio_set", 1, 0, 1 << 13), "seccomp; no capabilities", OneOf("EPERM", "ENOSYS")),
    ("mlock more than 64 KiB", ("mlock", "buffer", 1 << 30), "seccomp; rlimit", OneOf("ENOMEM", "EPERM", "ENOSYS")),
    ("mq_open: kernel memory outside the cgroup", ("mq_open", "text:x", 0o102, 0o600, 0), "seccomp; rlimit",
     OneOf("EPERM", "ENOSYS", "EMFILE")),
]
X86_CALLS = [
    ("iopl", ("iopl", 3), "seccomp; no capabilities", "EPERM"),
    ("ioperm", ("ioperm", 0x80, 1, 1), "seccomp; no capabilities", "EPERM"),
    ("modify_ldt", ("modify_ldt", 0, "buffer", 16), "seccomp", "EPERM"),
    ("sysfs", ("sysfs", 3), "seccomp", "EPERM"),
    ("ustat", ("ustat", 0, "buffer"), "seccomp", "EPERM"),
]


def allowed_bits():
    """One bit for each system call that some rule allows, under whatever condition; 64 in a word."""
    words = [0] * (SWEPT // 64)
    # The kernel lets these two pass every filter: they only do something where it has itself put a probe.
    for number in (NUMBERS.get("uretprobe", 335), NUMBERS.get("uprobe", 336)):
        words[number // 64] |= 1 << number % 64
    for name in re.findall(r"^\s*ALLOW\w*\((\w+)", RULES.read_text(encoding="utf-8"), re.MULTILINE):
        number = NUMBERS.get(name)
        if number is not None and number < SWEPT:
            words[number // 64] |= 1 << number % 64
    return [f"{word:x}" for word in words]


def attempts():
    for name, (call, *arguments), layer, expected in CALLS + (X86_CALLS if "iopl" in NUMBERS else []):
        if call in NUMBERS:
            yield Attempt(name, layer, ("call", NUMBERS[call], *arguments), expected, ALL)
    yield Attempt(f"all {SWEPT} numbers that no rule allows", "seccomp", ("sweep", SWEPT, *allowed_bits()),
                  lambda seen: len(seen) == 1 and int(seen[0]) > 500, (NATIVE,))
    if "iopl" in NUMBERS:
        yield Attempt("an x32 system call", "seccomp", ("x32_call",), {"signal": "SIGSYS"}, (NATIVE,))
        yield Attempt("a 32-bit system call by int 0x80", "seccomp", ("i386_call",), OneOf({"signal": "SIGSYS"}, {"signal": "SIGSEGV"}),
                      (NATIVE,))
    yield Attempt("an address for loopback by netlink", "no capabilities", ("route",), "EPERM", (PYTHON,))
