"""Starting, ending, dying and coming back of a real node."""

import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from support import BINARY, ECHO, SLEEP, NodeTest
from wayside_node import Node, free_port, wait_for


class LifecycleTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="wayside-it-")
        self.addCleanup(shutil.rmtree, self.folder)

    def node(self, name="node", configuration=None):
        node = Node(BINARY, self.folder, name, configuration or {}).start()
        self.addCleanup(lambda: node.process.poll() is None and node.stop())
        return node

    def test_SIGTERM_lets_calls_finish_and_leaves_nothing(self):
        node = self.node()
        account = node.account()
        account.must_create("sleep", {"app.py": SLEEP})
        answers = []
        thread = threading.Thread(target=lambda: answers.append(account.invoke("sleep", {"seconds": 2})))
        thread.start()
        wait_for(lambda: node.pools()["containersBusy"] == 1, "the call runs")
        node.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        with contextlib.suppress(OSError):
            late = account.invoke("sleep", {"seconds": 0})
            self.assertEqual(late.status, 503, late.body)
        thread.join()
        self.assertEqual((answers[0].status, answers[0].json()), (200, "slept"))
        self.assertEqual(node.process.wait(30), 0)
        self.assertEqual(node.leftovers(), [])

    def test_calls_that_outlast_the_time_to_drain_are_cut_off_and_answered(self):
        node = self.node(configuration={"drain": {"timeoutSeconds": 1}})
        account = node.account()
        account.must_create("sleep", {"app.py": SLEEP}, Timeout=60)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(account.invoke("sleep", {"seconds": 50})))
        thread.start()
        wait_for(lambda: node.pools()["containersBusy"] == 1, "the call runs")
        began = time.monotonic()
        self.assertEqual(node.stop(20), 0)
        self.assertLess(time.monotonic() - began, 10)
        thread.join()
        self.assertEqual((answers[0].status, answers[0].headers["Wayside-Error"]), (500, "launcher_lost"))
        self.assertIn("shut down", answers[0].body.decode())
        self.assertEqual(node.leftovers(), [])

    def level(self, node, account):
        """The start level of a call."""
        answer = account.invoke("echo", 1)
        self.assertEqual((answer.status, answer.body), (200, b"1"))
        return node.record_of(answer)["startLevel"]

    def test_SIGTERM_leaves_what_is_warm_to_the_next_start_and_SIGINT_does_not(self):
        node = self.node(configuration={"drain": {"parkSeconds": 30}, "capacity": {"warming": []}})
        account = node.account()
        account.must_create("echo", {"app.py": ECHO})
        self.assertEqual(self.level(node, account), "zygote")
        for ended_by, level in ((signal.SIGTERM, "warm"), (signal.SIGINT, "zygote"), (signal.SIGTERM, "warm")):
            with self.subTest(ended_by.name):
                launcher = node.launcher() or self.parked
                node.process.send_signal(ended_by)
                self.assertEqual(node.process.wait(30), 0)
                if ended_by == signal.SIGINT:
                    self.assertEqual(node.leftovers(), [])
                else:
                    os.kill(launcher, 0)
                    self.parked = launcher
                node.start()
                self.assertEqual(self.level(node, account), level)
        # A launcher that was taken over is nobody's child. It goes all the same, with a daemon that is killed...
        node.kill()
        wait_for(lambda: not node.leftovers(), f"nothing is left: {node.leftovers()}", seconds=10)
        node.start()
        self.assertEqual(self.level(node, account), "zygote")
        node.process.send_signal(signal.SIGINT)
        self.assertEqual(node.process.wait(30), 0)

    def test_a_restart_with_other_settings_of_the_sandboxes_begins_anew(self):
        node = self.node(configuration={"drain": {"parkSeconds": 30}, "capacity": {"warming": []}, "sandbox": {"uidBase": 1879048192}})
        account = node.account()
        account.must_create("echo", {"app.py": ECHO})
        self.level(node, account)
        self.assertEqual(node.stop(), 0)
        node.config.write_text(node.config.read_text(encoding="utf-8").replace("1879048192", "1979711488"), encoding="utf-8")
        node.start()
        self.assertEqual(self.level(node, account), "zygote")
        node.process.send_signal(signal.SIGINT)
        self.assertEqual(node.process.wait(30), 0)
        self.assertEqual(node.leftovers(), [])

    def test_dedicated_containers_outlive_a_restart_and_are_not_made_twice(self):
        node = self.node(configuration={"drain": {"parkSeconds": 30}})
        account = node.account()
        account.must_create("echo", {"app.py": ECHO})
        self.assertEqual(account.request("POST", "/2015-03-31/functions/echo/versions", b"{}").status, 201)
        path = "/2019-09-30/functions/echo/provisioned-concurrency?Qualifier=1"
        self.assertEqual(account.request("PUT", path, b'{"ProvisionedConcurrentExecutions": 2}').status, 202)

        def dedicated():
            instances = json.loads(node.tool("instance", "list", "--output", "json").stdout)["instances"]
            return sorted(each["container"] for entry in instances for each in entry["containers"]
                          if each["isDedicated"] and each["state"] == "idle")

        wait_for(lambda: len(dedicated()) == 2, "both are ready")
        before = dedicated()
        self.assertEqual(node.stop(), 0)
        node.start()
        self.assertEqual(dedicated(), before)
        time.sleep(1)
        self.assertEqual((dedicated(), node.pools()["containersStarting"]), (before, 0))
        self.assertEqual(account.invoke("echo:1", 7).json(), 7)
        node.process.send_signal(signal.SIGINT)
        self.assertEqual(node.process.wait(30), 0)
        self.assertEqual(node.leftovers(), [])

    def test_the_tool_says_at_once_that_no_node_answers(self):
        closed = free_port()
        environment = os.environ | {"AWS_ACCESS_KEY_ID": "AKIAAAAAAAAAAAAAAAAA", "AWS_SECRET_ACCESS_KEY": "x"}
        for arguments in (["function", "list", "--endpoint", f"http://127.0.0.1:{closed}"], ["pool", "list", "--data", self.folder],
                          ["account", "list", "--data", self.folder]):
            with self.subTest(arguments[0]):
                result = subprocess.run([BINARY, *arguments], capture_output=True, text=True, env=environment, timeout=15, check=False)
                self.assertEqual(result.returncode, 1)
                self.assertIn("Error: ", result.stderr)
        self.assertEqual(os.listdir(self.folder), [])

    def test_after_kill_9_of_the_daemon_nothing_acknowledged_is_lost_and_leftovers_are_swept(self):
        node = self.node()
        account = node.account()
        account.must_create("echo", {"app.py": ECHO})
        account.must_create("sleep", {"app.py": SLEEP}, Timeout=60)
        self.assertEqual(account.request("POST", "/2015-03-31/functions/echo/versions", b"{}").status, 201)
        thread = threading.Thread(target=self._call_that_is_cut_off, args=(account,))
        thread.start()
        wait_for(lambda: node.pools()["containersBusy"] == 1, "the call runs")
        node.kill()
        thread.join()
        node.start()
        self.assertEqual(account.invoke("echo", {"still": "here"}).json(), {"still": "here"})
        self.assertEqual(account.invoke("echo:1", 7).json(), 7)
        self.assertEqual(node.pools()["containersBusy"], 0)
        self.assertEqual(node.stop(), 0)
        wait_for(lambda: not node.leftovers(), f"nothing is left: {node.leftovers()}", seconds=5)

    @staticmethod
    def _call_that_is_cut_off(account):
        with contextlib.suppress(OSError, http.client.HTTPException):
            account.invoke("sleep", {"seconds": 50})

    def test_a_launcher_that_dies_fails_its_calls_clearly_and_is_restarted(self):
        node = self.node()
        account = node.account()
        account.must_create("sleep", {"app.py": SLEEP}, Timeout=60)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(account.invoke("sleep", {"seconds": 50})))
        thread.start()
        wait_for(lambda: node.pools()["containersBusy"] == 1, "the call runs")
        first = node.launcher()
        self.assertIsNotNone(first)
        os.kill(first, signal.SIGKILL)
        thread.join(20)
        self.assertEqual(answers[0].status, 500, answers[0].body)
        self.assertEqual(answers[0].headers["Wayside-Error"], "launcher_lost")
        self.assertEqual(node.record_of(answers[0])["endingParty"], "engine")
        answer = wait_for(lambda: (lambda answer: answer.status == 200 and answer)(account.invoke("sleep", {"seconds": 0})),
                          "calls run again", seconds=10)
        self.assertEqual(answer.json(), "slept")
        self.assertNotEqual(node.launcher(), first)
        pools = node.pools()
        self.assertEqual((pools["containersBusy"], pools["containersStarting"], pools["waiting"]), (0, 0, 0))

    def test_a_node_without_privilege_uses_a_launcher_that_runs_by_itself(self):
        nobody = 65534
        os.chmod(self.folder, 0o755)
        run = pathlib.Path(self.folder, "run")
        run.mkdir(mode=0o755)
        node = Node(BINARY, self.folder, "node", {"sandbox": {"launcherSocket": f"{run}/launcher.sock"}})
        node.command = ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups", "--no-new-privs", *node.command]
        launcher_command = [BINARY, "launcher", "--config", str(node.config), "--user", str(nobody)]
        launcher = subprocess.Popen(launcher_command, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: launcher.poll() is None and (launcher.terminate(), launcher.wait(10)))
        wait_for(lambda: (run / "launcher.sock").exists(), "the launcher listens")
        node.start()
        self.addCleanup(lambda: node.process.poll() is None and node.stop())
        account = node.account()
        account.must_create("echo", {"app.py": ECHO})
        self.assertEqual(account.invoke("echo", 1).json(), 1)
        status = pathlib.Path(f"/proc/{node.process.pid}/status").read_text(encoding="ascii")
        self.assertIn(f"Uid:\t{nobody}\t{nobody}\t{nobody}\t{nobody}", status)
        self.assertIn("CapEff:\t0000000000000000", status)
        launcher.kill()
        launcher.wait(10)
        launcher = subprocess.Popen(launcher_command, stderr=subprocess.DEVNULL)
        answer = wait_for(lambda: (lambda answer: answer.status == 200 and answer)(account.invoke("echo", 2)), "calls run again")
        self.assertEqual(answer.json(), 2)
        self.assertEqual(node.stop(), 0)
        launcher.terminate()
        launcher.wait(10)

    def test_a_full_disk_refuses_what_is_new_and_harms_nothing(self):
        mount = pathlib.Path(self.folder, "small")
        mount.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", mount], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", mount], check=True)
        node = Node(BINARY, mount, "node", {}).start()
        self.addCleanup(lambda: node.process.poll() is None and node.stop())
        account = node.account()
        account.must_create("echo", {"app.py": ECHO})
        filler = node.data / "filler"
        with contextlib.suppress(OSError), open(filler, "wb") as file:
            while True:
                file.write(bytes(65536))
                file.flush()
        answer = account.create("large", {"app.py": ECHO, "data": os.urandom(200_000)})
        self.assertGreaterEqual(answer.status, 500, answer.body)
        self.assertEqual(account.invoke("echo", 1).json(), 1)
        filler.unlink()
        account.must_create("large", {"app.py": ECHO, "data": os.urandom(200_000)})
        self.assertEqual(account.invoke("large", 2).json(), 2)
        self.assertEqual(node.stop(), 0)

    def test_a_bad_configuration_stops_the_start_and_is_named(self):
        cases = [("capacity:\n  memoryMebibites: 1\n", "capacity.memoryMebibites"), ("api:\n  listen: nowhere\n", "api.listen"),
                 ("node:\n  role: star\n", "node.role"), ("capacity:\n  containersMax: many\n", "capacity.containersMax"),
                 ("node:\n  role: region\n", "peers.listen"), ("placement: [\n", "config.yaml")]
        for text, named in cases:
            with self.subTest(named):
                path = pathlib.Path(self.folder, "config.yaml")
                path.write_text(text, encoding="utf-8")
                result = subprocess.run(
                    [BINARY, "serve", "--check", "--config", path], capture_output=True, text=True, timeout=30, check=False)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn(named, result.stderr)

    def test_two_nodes_cannot_share_a_data_folder(self):
        node = self.node()
        second = subprocess.run(node.command, capture_output=True, text=True, timeout=30, check=False)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn("another node uses", second.stderr)


class ManyCallsTest(NodeTest):
    def test_ten_thousand_calls_leave_no_descriptor_process_or_memory_behind(self):
        self.account.must_create("echo", {"app.py": ECHO})

        def calls(count):
            for _ in range(count):
                self.assertEqual(self.account.invoke("echo", {"n": 1}).status, 200)

        def held():
            pid = self.node.process.pid
            status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            return (len(os.listdir(f"/proc/{pid}/fd")), int(status.split("VmRSS:")[1].split()[0]) // 1024,
                    len(self.node.leftovers()))
        calls(1000)
        descriptors, memory, held_before = held()
        calls(9000)
        later = held()
        self.assertLessEqual(later[0], descriptors + 2)
        self.assertLess(later[1], memory + 40)
        # Processes, mounts and cgroups that carry the node's name.
        self.assertLessEqual(later[2], held_before)
        pools = self.node.pools()
        self.assertEqual((pools["containersBusy"], pools["waiting"]), (0, 0))


if __name__ == "__main__":
    unittest.main()
