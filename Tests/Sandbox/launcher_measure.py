"""Times the launcher: `launcher_test.py --measure`."""

import os
import shutil
import statistics
import subprocess
import tempfile
import time

from launcher_client import PREPARE, Launcher, StartFailed


def build_bootstrap():
    folder = tempfile.mkdtemp(prefix="wayside-bootstrap-")
    target = os.path.join(folder, "bootstrap")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bootstrap.c")
    subprocess.run(["cc", "-O2", "-static", "-o", target, source], check=True)
    with open(target, "rb") as file:
        program = file.read()
    shutil.rmtree(folder)
    return program


def measure(binaries):
    """Prints medians of start times by level; the client is Python, so its own overhead is included."""
    launcher = Launcher(binaries, None, ["--cgroup", "wayside-measure"])
    try:
        launcher.start()
        bundle = launcher.bundle("plain", {"app.py": "def handler(event, context):\n    return event\n"})
        native = launcher.bundle("native", {"bootstrap": build_bootstrap()})
        times = {}

        def timed(name, action):
            began = time.perf_counter()
            result = action()
            times.setdefault(name, []).append((time.perf_counter() - began) * 1000)
            return result

        def first_answer(instance, runtime):
            def run():
                container = launcher.container(instance, runtime, bundle=bundle)
                container.booted()
                container.initialise()
                container.invoke("1")
                return container
            return run

        def boot(instance):
            container = launcher.container(instance, "python", PREPARE)
            container.booted()
            return container

        def assign(instance, container):
            launcher.assign(instance, container, "python", bundle)
            container.initialise()
            container.invoke("1")

        def first_line(instance):
            def run():
                container = launcher.container(instance, "provided", bundle=native, arguments=["bootstrap"])
                container.channel.setblocking(True)
                connection, _ = container.channel.accept()
                connection.recv(10)
                connection.close()
                return container
            return run

        def whole(start):
            def run():
                instance = launcher.create()
                return instance, start(instance)()
            return run

        def end(container):
            try:
                launcher.kill(container)
            except StartFailed:
                pass  # the native one ends with its connection
            launcher.exit_of(container)
            container.close()

        instance = launcher.create()
        end(first_answer(instance, "python")())
        for _ in range(200):
            end(timed("python: container start to reply", lambda: launcher.container(instance, "python", bundle=bundle)))
            end(timed("python: container start to first answer", first_answer(instance, "python")))
            prepared = timed("python: PREPARE to booted", lambda: boot(instance))
            timed("python: ASSIGN to first answer", lambda: assign(instance, prepared))
            end(prepared)
            end(timed("native: container start to reply", lambda: launcher.container(instance, "provided", bundle=native)))
            end(timed("native: container start to first bytes", first_line(instance)))
            launcher.kill_instance(timed("instance create", launcher.create))
            for name, start in (("python: instance + container to first answer", lambda i: first_answer(i, "python")),
                                ("native: instance + container to first bytes", first_line)):
                made, container = timed(name, whole(start))
                timed("kill to exit event", lambda: end(container))
                launcher.kill_instance(made)
        for name, values in times.items():
            values.sort()
            print(f"{name:48} p50 {statistics.median(values):7.3f} ms   p95 {values[int(len(values) * 0.95)]:7.3f} ms")
    finally:
        launcher.stop()
