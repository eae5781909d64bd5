"""What a start costs elsewhere: bubblewrap and runc with the same work, and interpreters by themselves."""

import itertools
import json
import os
import pathlib
import subprocess
import time

PYTHON, NODE, RUBY, RUNC = "/usr/bin/python3", "/usr/bin/node", "/usr/bin/ruby", "/usr/sbin/runc"
BWRAP = ["/usr/bin/bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]


class StartPeers:
    """Commands that start, do nothing and end."""

    def __init__(self, data, languages):
        noop = f"{data}/noop"
        subprocess.run(["musl-gcc", "-O2", "-static", "-x", "c", "-o", noop, "-"], input=b"int main(void) { return 0; }", check=True)
        system = [path for path in ("/usr", "/lib", "/lib64") if os.path.exists(path)]
        self._runs = itertools.count()
        self._commands = {
            "bwrap python": [*BWRAP, PYTHON, "-I", "-c", "pass"],
            "bwrap static": [*BWRAP, noop],
            "runc python": runc_bundle(f"{data}/runc-python", [PYTHON, "-I", "-c", "pass"], system),
            "runc static": runc_bundle(f"{data}/runc-static", [noop], [noop]),
        }
        for language, program in (("node", NODE), ("ruby", RUBY)):
            if language in languages:
                self._commands[f"{language} -e 0"] = [program, "-e", "0"]

    @property
    def names(self):
        return list(self._commands)

    def run(self, name):
        """Seconds from spawning to the end."""
        command = self._commands[name]
        if command[0] == RUNC:
            command = [*command, f"wayside-bench-{os.getpid()}-{next(self._runs)}"]
        return command_time(command)


def command_time(command):
    began = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    _, status = os.waitpid(process, 0)
    took = time.perf_counter() - began
    if status != 0:
        raise SystemExit(f"{' '.join(command)} ended with {status}")
    return took


def runc_bundle(folder, arguments, binds):
    """The command for a bundle of the host's own folders, read-only, with the namespaces and cgroups that `runc spec` gives."""
    pathlib.Path(folder, "rootfs").mkdir(parents=True)
    subprocess.run([RUNC, "spec"], cwd=folder, check=True)
    config = pathlib.Path(folder, "config.json")
    spec = json.loads(config.read_text(encoding="utf-8"))
    spec["process"] |= {"terminal": False, "args": arguments}
    spec["mounts"] = [mount for mount in spec["mounts"] if mount["destination"] in ("/proc", "/dev")] + [
        {"destination": path, "source": path, "type": "bind", "options": ["rbind", "ro"]} for path in binds]
    config.write_text(json.dumps(spec), encoding="utf-8")
    return [RUNC, "run", "--bundle", folder]
