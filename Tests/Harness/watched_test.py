"""What `watched.py` promises: a step that hangs says where and is ended; nothing is left; statuses are the step's own."""

import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

WATCHED = pathlib.Path(__file__).with_name("watched.py")


def alive(pid):
    """Whether the process is there and more than a name that nobody has taken yet."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Watched(unittest.TestCase):
    def arguments(self, *command, limit=30, silence=30, leave=0.5):
        return [sys.executable, str(WATCHED), "--limit", str(limit), "--silence", str(silence), "--leave", str(leave), "--", *command]

    def run_step(self, *command, **limits):
        return subprocess.run(self.arguments(*command, **limits), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)

    def assert_ended(self, text):
        """The step prints `child N` for each process that it starts."""
        children = re.findall(r"child (\d+)", text)
        self.assertTrue(children, text)
        for pid in children:
            self.assertFalse(alive(pid), text)

    def test_output_and_status_are_the_steps_own(self):
        done = self.run_step("sh", "-c", "echo out; echo err >&2; exit 3")
        self.assertEqual((done.returncode, done.stdout), (3, "out\nerr\n"))
        self.assertEqual(self.run_step("true").returncode, 0)
        self.assertEqual(self.run_step("sh", "-c", "kill -9 $$").returncode, 128 + signal.SIGKILL)

    def test_a_program_that_is_not_there_is_a_clear_error(self):
        done = self.run_step("/nonexistent/program")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("/nonexistent/program", done.stdout)

    def test_silence_and_a_long_run_are_ended_with_the_processes_named(self):
        for limits, reason in (({"silence": 1}, "said nothing for 1 s"), ({"limit": 1}, "not ended in 1 s")):
            done = self.run_step("sh", "-c", "setsid sleep 4321 & echo child $!; wait", **limits)
            self.assertEqual(done.returncode, 124, done.stdout)
            self.assertIn(reason, done.stdout)
            self.assertRegex(done.stdout, r"watched: +\d+ S .*: sleep 4321\n")
            self.assert_ended(done.stdout)

    def test_a_step_that_keeps_printing_is_not_silent(self):
        self.assertEqual(self.run_step("sh", "-c", "for n in 1 2 3 4 5 6; do echo $n; sleep 0.4; done", silence=1.5).returncode, 0)

    def test_orphans_that_end_are_taken(self):
        """As whoever waits for one to be gone expects of the process that adopts it."""
        code = ("import os, time\nread, write = os.pipe()\n"
                "if os.fork() == 0:\n    child = os.fork()\n    if child == 0: os._exit(0)\n"
                "    os.write(write, str(child).encode())\n    os._exit(0)\n"
                "os.wait()\npath = '/proc/' + os.read(read, 9).decode()\n"
                "for _ in range(100):\n    if not os.path.exists(path): break\n    time.sleep(0.1)\n"
                "else: raise SystemExit('there is still ' + path)")
        done = self.run_step(sys.executable, "-c", code)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_swift_tests_that_wait_are_named(self):
        lines = ['Test "a" started.', 'Test case passing 1 argument n to "b" started.', 'Test "b" started.', 'Test "c" started.',
                 'Test "b" with 2 test cases passed after 0.1 seconds.', 'Test "c" failed after 0.2 seconds with 1 issue.',
                 "Test f() started.", "Test f() passed after 0.2 seconds.", "Test run started."]
        text = "".join(f"* {line}\\n" for line in lines)
        done = self.run_step("sh", "-c", f"printf '{text}'; sleep 4321", silence=1)
        self.assertIn('watched: tests that have begun and not ended:\nwatched:   "a"\nwatched: processes:', done.stdout)

    def test_python_says_itself_where_it_waits(self):
        code = "import time\ndef waiting_for_godot(): time.sleep(4321)\nwaiting_for_godot()"
        done = self.run_step(sys.executable, "-c", code, silence=1)
        self.assertIn("in waiting_for_godot", done.stdout)

    def test_whoever_wants_it_gone_hears_where_it_stood(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with subprocess.Popen(self.arguments("sh", "-c", "sleep 4321 & echo child $!; wait"), stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True) as watched:
                first = watched.stdout.readline()
                watched.send_signal(number)
                text = first + watched.stdout.read()
            self.assertEqual(watched.returncode, 124)
            self.assertIn(f"it was running when {number.name} came", text)
            self.assertIn(": sleep 4321", text)
            self.assert_ended(text)

    def test_what_is_left_behind_is_ended_and_makes_a_success_fail(self):
        for status, expected in ((0, 125), (3, 3)):
            began = time.monotonic()
            done = self.run_step("sh", "-c", f"setsid sleep 4321 & echo child $!; exit {status}")
            self.assertLess(time.monotonic() - began, 20)
            self.assertEqual(done.returncode, expected, done.stdout)
            self.assertIn("left behind", done.stdout)
            self.assert_ended(done.stdout)

    def test_what_goes_by_itself_in_time_is_no_leftover(self):
        self.assertEqual(self.run_step("sh", "-c", "sleep 0.5 & exit 0", leave=10).returncode, 0)


if __name__ == "__main__":
    unittest.main()
