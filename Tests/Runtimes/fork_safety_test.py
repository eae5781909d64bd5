"""What must not be cloned or inherited when the Python zygote forks: randomness, and everything the zygote had open or set.

The zygote here has done beforehand what no pre-imported module should do: drawn from every generator, opened a
descriptor, set timers, handlers and variables. It is process 1 of a PID namespace as its children are, so that libraries
cannot notice the fork by a changed process id. That /tmp is fresh is the launcher's work: Tests/Sandbox.
"""

import json
import os
import unittest

from support import daemon
from support.zygote import ZygoteCase

FORKS = 1000

EARLY = """
import ctypes, hashlib, os, random, secrets, signal, ssl, tempfile, threading, uuid
random.random(); secrets.token_hex(); uuid.uuid1(); uuid.uuid4(); ssl.RAND_bytes(16); tempfile.mktemp()
ctypes.CDLL('libcrypto.so.3').RAND_priv_bytes(ctypes.create_string_buffer(16), 16)
os.environ['EARLY'] = '1'
os.set_inheritable(os.open('/dev/zero', os.O_RDONLY), True)
signal.alarm(3600)
signal.setitimer(signal.ITIMER_VIRTUAL, 3600)
signal.setitimer(signal.ITIMER_PROF, 3600)
thread = threading.Thread(target=int); thread.start(); thread.join()
"""

# Private draws are OpenSSL's second generator, of which TLS makes its keys.
DRAWS = """
import ctypes, hashlib, os, random, secrets, ssl, tempfile, uuid
crypto = ctypes.CDLL('libcrypto.so.3')
def handler(event, context):
    private = ctypes.create_string_buffer(16)
    crypto.RAND_priv_bytes(private, 16)
    with tempfile.NamedTemporaryFile() as file:
        temporary = file.name
    return {'random.random': random.random(), 'random.Random': random.Random().random(), 'uuid1': str(uuid.uuid1()),
            'uuid4': str(uuid.uuid4()), 'secrets': secrets.token_hex(), 'urandom': os.urandom(16).hex(),
            'RAND_bytes': ssl.RAND_bytes(16).hex(), 'RAND_priv_bytes': private.raw.hex(), 'mktemp': tempfile.mktemp(),
            'NamedTemporaryFile': temporary, 'salted': hashlib.sha256(secrets.token_bytes(8) + b'password').hexdigest()}
"""

STATE = """
import gc, os, re, signal, threading
def handler(event, context):
    status = dict(re.findall('(\\w+):\\t(.*)', open('/proc/self/status').read()))
    # Above 31 are glibc's own, which it sets up with the first thread.
    masks = {name: int(status[name], 16) & (1 << 31) - 1 for name in ('SigPnd', 'SigBlk', 'SigIgn', 'SigCgt')}
    return {'variables': sorted(os.environ), 'pid': os.getpid(), 'collects': gc.isenabled(), 'folder': os.getcwd(),
            'timers': [signal.getitimer(timer) for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)],
            'alarm': signal.alarm(0), 'threads': [thread.name for thread in threading.enumerate()], 'tasks': status['Threads'],
            'native id': threading.main_thread().native_id == threading.get_native_id(), 'masks': masks,
            'handlers': {int(number): str(signal.getsignal(number)) for number in signal.valid_signals()},
            'descriptors': [fd for fd in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + fd)]}
"""


class ForkSafety(ZygoteCase):
    def setUp(self):
        super().setUp()
        self.zygote = self.start_early_zygote(EARLY)

    def test_a_thousand_forks_draw_a_thousand_different_values(self):
        daemon.write_bundle(self.bundle.name, {"app.py": DRAWS})
        draws = {}
        for _ in range(FORKS):
            channel, _ = self.zygote.fork()
            channel.send_init("app.handler", daemon.variables(self.bundle.name, "", {}))
            channel.receive()
            for kind, value in json.loads(channel.invoke()[1]).items():
                draws.setdefault(kind, set()).add(value)
            channel.close()
        self.assertEqual(len(draws), 11)
        for kind, values in draws.items():
            self.assertEqual(len(values), FORKS, kind)

    def test_a_child_is_in_the_state_of_a_process_that_was_just_executed(self):
        channel, _ = self.start({"app.py": STATE})
        state = json.loads(channel.invoke()[1])
        with daemon.Function("python", {"app.py": STATE}) as executed:
            expected = json.loads(executed.invoke()[1])
            self.assertEqual(expected.pop("folder"), executed.task_root)
            del expected["descriptors"]  # some are of whoever runs the tests
        self.assertEqual(state.pop("folder"), self.bundle.name)
        self.assertEqual(sorted(state.pop("descriptors")), ["0", "1", "2", "3"])
        self.assertEqual((state.pop("pid"), expected.pop("pid") == 1), (1, False))
        self.assertEqual(state, expected)
        self.assertEqual((state["timers"], state["alarm"]), ([[0, 0]] * 3, 0))
        self.assertEqual((state["threads"], state["tasks"]), (["MainThread"], "1"))
        self.assertEqual((state["collects"], state["native id"]), (True, True))
        self.assertNotIn("EARLY", state["variables"])


if __name__ == "__main__":
    unittest.main()
