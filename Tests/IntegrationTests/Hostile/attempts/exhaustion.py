"""Taking everything there is of something. What is taken is still held while the others are asked whether they are well."""

from .attempt import NATIVE, NODE, PYTHON, Attempt, Ended, OneOf

KILLED = Ended("Runtime.ExitError", "out_of_memory")
TMP_MIB = 512


def stopped(error, most):
    """It stopped with `error`, after `most` of it at the latest."""
    def check(seen):
        return seen["error"] == error and 0 < seen.get("amount", seen.get("made")) <= most
    return check


def attempts():
    yield Attempt("memory", "cgroup (memory)", ("hog", 400), KILLED, (PYTHON, NODE, NATIVE), excused="memory", alone=True)
    yield Attempt("memory by files in /tmp", "cgroup (memory)", ("fill_tmp", 400), KILLED, (NATIVE,), excused="memory", alone=True)
    yield Attempt("memory by System V segments", "cgroup (memory)", ("shared_memory", 400), KILLED, (NATIVE,), excused="memory", alone=True)
    yield Attempt("System V segments that outlive their container", "IPC namespace", ("shared_memory_left",), 0, (NATIVE,), alone=True,
                  before=(("shared_memory", 64), ("kill_all_that_is_seen",)))
    yield Attempt("more in /tmp than it holds", "mounts (size)", ("fill_tmp", 600), stopped("ENOSPC", TMP_MIB), (NATIVE,), alone=True,
                  settings={"MemorySize": 1024})
    yield Attempt("empty files without an end", "mounts (inodes)", ("inodes", 200_000), stopped("ENOSPC", TMP_MIB * 64), (NATIVE,),
                  alone=True)
    yield Attempt("a sparse file of 1 TiB", "mounts (size)", ("sparse_file",), lambda seen: seen[1] in ("ENOSPC", "EFBIG"), (NATIVE,),
                  alone=True)
    yield Attempt("processes", "cgroup (pids); rlimit", ("fork_bomb",), stopped("EAGAIN", 1024), (NATIVE, NODE), alone=True,
                  settings={"MemorySize": 2048})
    yield Attempt("processes that fork for ever", "cgroup (pids); rlimit; time-out", ("fork_bomb",),
                  OneOf(Ended("Sandbox.Timedout", "time_out"), KILLED), (PYTHON,), alone=True, settings={"Timeout": 2})
    yield Attempt("threads", "cgroup (pids); rlimit", ("thread_bomb",), stopped("EAGAIN", 1024), (NATIVE,), alone=True,
                  settings={"MemorySize": 512})
    yield Attempt("descriptors", "rlimit (nofile)", ("descriptors",), stopped("EMFILE", 1024), (NATIVE, NODE), alone=True)
    yield Attempt("inotify instances", "seccomp", ("inotify",), lambda seen: seen["error"] in ("EPERM", "ENOSYS"),
                  (NATIVE,), alone=True)
    yield Attempt("timers", "rlimit (sigpending)", ("timers", 300_000), stopped("EAGAIN", 10_000), (NATIVE,), alone=True,
                  settings={"MemorySize": 1024})
    yield Attempt("memory in pipes", "kernel (pipe-user-pages)", ("pipes",), lambda seen: seen["amount"] <= 512, (NATIVE,), alone=True,
                  settings={"MemorySize": 1024})
    yield Attempt("descriptors under way in sockets", "kernel; rlimit (nofile)", ("in_flight",),
                  lambda seen: seen["error"] in ("ETOOMANYREFS", "EMFILE") and seen["amount"] < 200_000, (NATIVE,), alone=True,
                  settings={"MemorySize": 512})
    yield Attempt("the processor", "cgroup (cpu); time-out", ("busy",), Ended("Sandbox.Timedout", "time_out"), (PYTHON,), alone=True,
                  settings={"Timeout": 1})
    yield Attempt("64 MiB of output", "protocol (log limit)", ("output", 64), "written", (PYTHON,), alone=True)
    yield Attempt("an answer of 7 MiB", "protocol (size)", ("large_answer", 7), Ended("Function.ResponseSizeTooLarge", "function"),
                  (PYTHON,), alone=True, settings={"MemorySize": 256})
