"""Signals, odd ways to start programs, and the network."""

from .attempt import ALL, NATIVE, NODE, PYTHON, Attempt, Ended, OneOf


def attempts():
    yield Attempt("signals to init", "pid namespace; Landlock", ("signal_init",),
                  lambda seen: set(seen) <= {"EPERM", "ESRCH", "EINVAL"}, ALL)
    yield Attempt("signals to every process number", "pid namespace", ("signal_everyone",),
                  lambda seen: all(item.endswith("EPERM") for item in seen) and len(seen) <= 1, (NATIVE,))
    yield Attempt("the launcher's process by the frame socket (SO_PEERPIDFD)", "pid namespace; seccomp", ("peer_of_the_daemon",),
                  lambda seen: set(seen) <= {"EPERM", "EINVAL", "ESRCH"} or all(item.startswith("no") for item in seen), (PYTHON,))
    yield Attempt("kill all that can be seen", "pid namespace", ("kill_all_that_is_seen",),
                  Ended("Runtime.ExitError", "exit"), (NATIVE,), alone=True)
    yield Attempt("stopping oneself", "time-out", ("stop_itself",), Ended("Sandbox.Timedout", "time_out"), (PYTHON,), alone=True,
                  settings={"Timeout": 1})
    yield Attempt("a port and an abstract socket for other functions", "Landlock", ("shared_with_siblings", 8123),
                  ["ok", "EACCES"], (PYTHON,))
    yield Attempt("another function of the account: its abstract socket and files", "Landlock; mounts", ("reach_sibling",),
                  lambda seen: seen[0] in ("EPERM", "ECONNREFUSED") and seen[1] is False, (PYTHON,), alone=True)
    yield Attempt("a program without argv[0] (CVE-2021-4034)", "kernel", ("no_arguments",), OneOf("argc 1", "argc -78"), (NATIVE,))
    yield Attempt("6 MB of argv", "rlimit (stack)", ("huge_arguments", "arguments"), "E2BIG", (NATIVE,))
    yield Attempt("6 MB of environment", "rlimit (stack)", ("huge_arguments", "environment"), "E2BIG", (NATIVE,))
    yield Attempt("a core file, and the host's core pattern", "rlimit (core)", ("core_dump",),
                  {"signal": 6, "core": 0, "file": 0}, (NATIVE,))
    yield Attempt("the node's API on loopback", "network namespace; Landlock", ("connect", "tcp", "{port}"),
                  OneOf("EACCES", "ECONNREFUSED"), (PYTHON, NODE))
    yield Attempt("the host's abstract sockets (CVE-2020-15257)", "network namespace; Landlock", ("connect", "unix", "@{abstract}"),
                  OneOf("ECONNREFUSED", "EPERM"), (PYTHON, NODE))
    yield Attempt("the operator's socket of the node", "mounts", ("connect", "unix", "{operator}"), "ENOENT", (PYTHON, NODE))
    yield Attempt("a port to listen on", "Landlock", ("listen", 8080), "EACCES", (PYTHON, NODE))
    yield Attempt("a way to the metadata address", "network namespace", ("datagram", "169.254.169.254"), "ENETUNREACH", (PYTHON, NODE))
    yield Attempt("a way to an IPv6 address", "network namespace", ("datagram", "2001:db8::1"),
                  OneOf("ENETUNREACH", "EADDRNOTAVAIL"), (PYTHON,))
    yield Attempt("network devices", "network namespace", ("interfaces",), lambda seen: set(seen) <= {"lo", "sit0", "tunl0", "ip6tnl0"} and
                  "lo" in seen, (PYTHON,))
