"""Starts a node with two accounts and runs the conformance tests against it, with the clients of a virtual environment.

    python3 Tests/ConformanceTests/on_a_node.py --clients .build-vendor/aws [PATTERN …]
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "Tests/Harness"))

from wayside_node import Node  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", required=True, help="a virtual environment with boto3 and awscli")
    parser.add_argument("--binary", default=os.environ.get("WAYSIDE_BINARY", ROOT / ".build/debug/wayside"))
    parser.add_argument("patterns", nargs="*")
    arguments = parser.parse_args()
    clients = pathlib.Path(arguments.clients).absolute()
    folder = tempfile.mkdtemp(prefix="wayside-conformance-")
    node = Node(arguments.binary, folder, "node").start()
    try:
        first, other = node.account("123456789012"), node.account("210987654321")
        result = subprocess.run(
            [clients / "bin/python3", ROOT / "Tests/ConformanceTests/lambda_conformance.py",
             "--endpoint", f"http://127.0.0.1:{node.port}", "--access-key", first.signer.key, "--secret-key", first.signer.secret,
             "--other-access-key", other.signer.key, "--other-secret-key", other.signer.secret, "--aws", clients / "bin/aws",
             *arguments.patterns], check=False)
    finally:
        node.stop()
        shutil.rmtree(folder)
    sys.exit(result.returncode)


if __name__ == "__main__":
    main()
