"""The accounts' verbs of the command line, which write to the catalog of a node that need not run."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

from support import BINARY

ID = "123456789012"
STANDARD = {"mayGrow": True, "shortage": "spill", "subPoolKinds": ["general", "variable"]}


class AccountTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="wayside-it-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.tool("account", "create", ID, "--name", "Alice")

    def tool(self, *arguments, fails=None):
        """Runs the tool and answers what it printed; what it complained of, if it must fail with this status."""
        done = subprocess.run(
            [BINARY, *arguments, "--data", self.folder], env=dict(os.environ), capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, fails or 0, done.stderr)
        return done.stderr if fails else done.stdout

    def permission(self):
        return json.loads(self.tool("account", "show", ID, "--output", "json"))["permission"]

    def set(self, *arguments):
        """Sets, and answers the permission that is printed, which must be the one that is kept."""
        printed = json.loads(self.tool("account", "set", ID, *arguments, "--output", "json"))["permission"]
        self.assertEqual(printed, self.permission())
        return printed

    def test_every_part_of_a_permission_is_set_alone_and_taken_back(self):
        self.assertEqual(self.permission(), STANDARD)
        for arguments, member, value, back in [
            (["--no-may-grow"], "mayGrow", False, ["--may-grow"]),
            (["--instances-max", "3"], "instancesMax", 3, ["--instances-max", "none"]),
            (["--instances-max", "0"], "instancesMax", 0, ["--instances-max", "none"]),
            (["--memory-max", "512"], "memoryMaxMebibytes", 512, ["--memory-max", "none"]),
            (["--shortage", "wait"], "shortage", "wait", ["--shortage", "spill"]),
            (["--shortage", "reject"], "shortage", "reject", ["--shortage", "spill"]),
            (["--bid", "0.05"], "bid", 0.05, ["--bid", "none"]),
            (["--sub-pools", "none"], "subPoolKinds", [], ["--sub-pools", "general,variable"]),
            (["--sub-pools", "general"], "subPoolKinds", ["general"], ["--sub-pools", "general,variable"]),
        ]:
            with self.subTest(arguments):
                self.assertEqual(self.set(*arguments), STANDARD | {member: value})
                self.assertEqual(self.set(*back), STANDARD)

    def test_sub_pools_are_named(self):
        named = self.set("--sub-pools", "general,fixed:gold,variable:spot")
        self.assertEqual((named["subPoolKinds"], named["named"]), (["fixed", "general", "variable"], ["gold", "spot"]))
        self.assertEqual(self.set("--sub-pools", "fixed/gold")["named"], ["gold"])
        self.assertNotIn("named", self.set("--sub-pools", "general,variable"))

    def test_what_is_wrong_is_refused_with_what_to_do_and_changes_nothing(self):
        for arguments, text in [
            ([], "Give what to change, such as --instances-max 3."),
            (["--instances-max=-1"], "Give a number of instances, or none."),
            (["--memory-max", "1G"], "Give a number of MiB, or none."),
            (["--bid", "nan"], "Give a price of 0 or more, or none."),
            (["--shortage", "x"], "Give spill, wait or reject."),
            (["--isolation", "x"], "give shared or exec"),
            (["--sub-pools", "fixed"], "give fixed:NAME."),
            (["--sub-pools", "general:x"], "give general alone."),
            (["--sub-pools", "fixed:a,variable"], "variable:NAME instead of variable."),
            (["--sub-pools", "dedicated"], "leave them out."),
            (["--sub-pools", "fixed:"], "Give general, fixed:NAME, variable or variable:NAME, or none."),
            (["--sub-pools", "x"], "Give general, fixed:NAME, variable or variable:NAME, or none."),
        ]:
            with self.subTest(arguments):
                self.assertIn(text, self.tool("account", "set", ID, *arguments, fails=64))
        self.assertEqual(self.permission(), STANDARD)
        for verb in (["show"], ["set", "--bid", "1"]):
            complaint = self.tool("account", verb[0], "999999999999", *verb[1:], fails=1)
            self.assertIn("There is no account 999999999999. Create it first.", complaint)

    def test_an_account_is_shown_to_people_and_listed_to_programs(self):
        shown = self.tool("account", "set", ID, "--no-may-grow", "--instances-max", "3", "--isolation", "exec")
        for text in (ID, "Alice", "exec", "at most 3", "no: it has what it holds and what is dedicated to it", "no variable capacity"):
            self.assertIn(text, " ".join(shown.split()))
        self.assertTrue(all(len(line) <= 80 for line in shown.splitlines()))
        self.assertEqual(self.tool("account", "show", ID), shown)
        listed = json.loads(self.tool("account", "list", "--output", "json"))
        self.assertEqual([(item["account"], item["isolation"], item["permission"]["instancesMax"]) for item in listed], [(ID, "exec", 3)])


if __name__ == "__main__":
    unittest.main()
