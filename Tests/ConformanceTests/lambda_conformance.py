"""The Lambda API of a running engine, through the clients that people use: boto3 and the AWS command line.

    python3 Tests/ConformanceTests/lambda_conformance.py --endpoint http://127.0.0.1:9000 \\
        --access-key AKIA… --secret-key … --other-access-key AKIA… --other-secret-key … [--region eu-central-1] [--aws aws] [PATTERN …]

Needs boto3 and awscli, and two accounts of the engine. Functions are made with names of their own and removed again.
A PATTERN, as unittest's -k takes it, picks tests. Exits 0 when all have passed.
"""

import argparse
import pathlib
import sys
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description="Checks the Lambda API of a running engine with real clients.")
    parser.add_argument("--endpoint", required=True, help="URL of the engine, without a path")
    parser.add_argument("--access-key", required=True)
    parser.add_argument("--secret-key", required=True)
    parser.add_argument("--other-access-key", required=True, help="of another account")
    parser.add_argument("--other-secret-key", required=True)
    parser.add_argument("--region", default="eu-central-1")
    parser.add_argument("--aws", default="aws", help="the AWS command line to run")
    parser.add_argument("patterns", nargs="*", help="run only tests whose names contain one of these")
    arguments = parser.parse_args()

    sys.dont_write_bytecode = True
    sys.path.insert(0, str(FOLDER))
    import conformance

    for name in ("endpoint", "access_key", "secret_key", "other_access_key", "other_secret_key", "region", "aws"):
        setattr(conformance.Engine, name, getattr(arguments, name))
    loader = unittest.TestLoader()
    if arguments.patterns:
        loader.testNamePatterns = [pattern if "*" in pattern else f"*{pattern}*" for pattern in arguments.patterns]
    tests = loader.discover(str(FOLDER), pattern="*_test.py")
    result = unittest.TextTestRunner(verbosity=2).run(tests)
    if result.testsRun == 0:
        print("No test has this name.", file=sys.stderr)
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)


if __name__ == "__main__":
    main()
