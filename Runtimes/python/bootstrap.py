"""Entry point of the Python runtime; the command in runtime.json starts it.

It runs in one of two modes, chosen by the environment:

    zygote   WAYSIDE_ZYGOTE_FD is set: import the common modules once, then fork a copy for each container.
    plain    otherwise: serve one container directly.

Either way a process ends up in `serve`, with fd 3 connected to the daemon and no user code loaded yet.
"""

import os
import sys

RUNTIME_FOLDER = os.path.dirname(os.path.abspath(__file__))
FRAMES_FD = 3


def main():
    """Import the runtime, take `sys.path` back for user code, and serve."""
    # -I leaves the script's folder off sys.path. It is needed only to import our one package: all modules of the
    # runtime live in `wayside_runtime`, so that a bundle may name its own modules anything else without meeting ours.
    sys.path.insert(0, RUNTIME_FOLDER)
    zygote_wanted = "WAYSIDE_ZYGOTE_FD" in os.environ
    if zygote_wanted:
        from wayside_runtime import fork_hooks

        fork_hooks.begin()  # before log, which imports logging and with it threading
    from wayside_runtime import log, serve
    from wayside_runtime.frames import FrameStream

    sys.path.remove(RUNTIME_FOLDER)
    sys.argv[:] = [os.path.join(RUNTIME_FOLDER, "bootstrap.py")]
    # Whatever can be done before the function is known is done here: a zygote then does it once for all its children.
    if zygote_wanted:
        needed = set(sys.modules)
        from wayside_runtime import zygote

        zygote.run(os.path.join(RUNTIME_FOLDER, "preimport.txt"), needed, FRAMES_FD)
    else:
        log.configure()
        os.environ.clear()  # nothing of the engine's own environment reaches user code
        serve.serve(FrameStream(FRAMES_FD))


main()
