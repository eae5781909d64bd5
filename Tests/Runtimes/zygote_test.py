"""The Python runtime as a zygote; zygote_stub.c plays the launcher's library."""

import json
import os
import time
import unittest

from support import daemon
from support.daemon import READY, RESULT
from support.zygote import ZygoteCase


class ZygoteTests(ZygoteCase):
    def test_children_serve_side_by_side(self):
        source = "state = []\ndef handler(event, context):\n    state.append(event); return state"
        one, _ = self.start({"app.py": source})
        two, _ = self.start({"app.py": source})
        self.assertEqual(one.invoke(1), (RESULT, b"[1]"))
        self.assertEqual(two.invoke(2), (RESULT, b"[2]"))
        self.assertEqual(one.invoke(3), (RESULT, b"[1, 3]"))

    def test_a_bundle_may_bring_modules_that_were_imported_already(self):
        files = {
            "app.py": "import queue, csv, json\n"
            "def handler(event, context): return [queue.MINE, csv.MINE, json.dumps([1])]",
            "queue.py": "MINE = 'queue of the bundle'",
            "csv/__init__.py": "MINE = 'csv of the bundle'",
            "email/readme.txt": "a folder that is no package hides nothing",
        }
        channel, _ = self.start(files)
        self.assertEqual(json.loads(channel.invoke()[1]), ["queue of the bundle", "csv of the bundle", "[1]"])

    def test_threads_and_asyncio_work_after_the_fork(self):
        source = (
            "import asyncio, concurrent.futures\n"
            "def handler(event, context):\n"
            "    with concurrent.futures.ThreadPoolExecutor(2) as pool:\n"
            "        squares = list(pool.map(lambda n: n * n, range(4)))\n"
            "    return [squares, asyncio.run(asyncio.sleep(0, 'slept'))]\n"
        )
        channel, _ = self.start({"app.py": source})
        self.assertEqual(json.loads(channel.invoke()[1]), [[0, 1, 4, 9], "slept"])

    def test_a_fork_of_user_code_runs_all_hooks(self):
        """The zygote's own forks skip those that only make locks anew; a lock held during this one must be free in the child."""
        source = (
            "import logging, os, threading\n"
            "def handler(event, context):\n"
            "    lock = logging.getLogger().handlers[0].lock\n"
            "    held, release = threading.Event(), threading.Event()\n"
            "    def hold():\n"
            "        with lock: held.set(); release.wait()\n"
            "    thread = threading.Thread(target=hold); thread.start(); held.wait()\n"
            "    child = os.fork()\n"
            "    if child == 0:\n"
            "        os._exit(0 if lock.acquire(timeout=5) and threading.active_count() == 1 else 1)\n"
            "    release.set(); thread.join()\n"
            "    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        )
        channel, _ = self.start({"app.py": source})
        self.assertEqual(channel.invoke(), (RESULT, b"0"))

    def test_a_container_in_stock_that_has_rehearsed_is_as_any_other(self):
        """Started without INIT for a while, it does beforehand what it can; nothing of that is left to see."""
        source = (
            "import gc, json, os, sys, threading\n"
            "def handler(event, context):\n"
            "    return [sorted(os.environ.items()), os.getcwd(), sys.path, sorted(sys.modules), sorted(os.listdir('/proc/self/fd')),\n"
            "            threading.active_count(), gc.isenabled(), __name__, __file__, context.function_name]\n"
        )
        daemon.write_bundle(self.bundle.name, {"app.py": source})
        answers = []
        for pause in (0, 0.2):
            channel, pid = self.zygote.fork()
            self.addCleanup(channel.close)
            time.sleep(pause)
            if pause:
                self.assertEqual(os.path.basename(os.readlink(f"/proc/{pid}/cwd")), "rehearsed")
            channel.send_init("app.handler", daemon.variables(self.bundle.name, "", {}))
            self.assertEqual(channel.receive(), (READY, 0, b""))
            answers.append(json.loads(channel.invoke()[1]))
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(dict(answers[0][0])["AWS_LAMBDA_FUNCTION_NAME"], "probe")
        self.assertNotIn("AWS_SECRET_ACCESS_KEY", dict(answers[0][0]))

    def test_a_broken_connection_is_an_exception(self):
        source = (
            "import os\n"
            "def handler(event, context):\n"
            "    read_end, write_end = os.pipe()\n"
            "    os.close(read_end)\n"
            "    try: os.write(write_end, b'x')\n"
            "    except BrokenPipeError: return 'caught'\n"
        )
        channel, _ = self.start({"app.py": source})
        self.assertEqual(channel.invoke(), (RESULT, b'"caught"'))

    def test_standard_output_is_that_of_the_child(self):
        channel, _ = self.start({"app.py": "import sys\ndef handler(event, context): print('one'); sys.stderr.write('two')"})
        channel.invoke()
        self.assertEqual(channel.log(), "one\ntwo")


if __name__ == "__main__":
    unittest.main()
