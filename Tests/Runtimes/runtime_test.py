"""All tests of the language runtimes, then a small benchmark:

    /usr/bin/python3 Tests/Runtimes/runtime_test.py [--no-benchmark]

Standard library only. Needs root (PID namespaces of the zygote tests), /usr/bin/node, /usr/bin/ruby, a C compiler, bash and curl.
AWSLAMBDARIC_PACKAGES=FOLDER adds the test of Lambda's own client, installed there by `pip install --target`.
"""

import pathlib
import sys
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent

if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(FOLDER))
    tests = unittest.TestSuite()
    for pattern in ("*_runtime_test.py", "zygote_test.py", "fork_safety_test.py"):
        tests.addTests(unittest.defaultTestLoader.discover(str(FOLDER), pattern=pattern))
    passed = unittest.TextTestRunner(verbosity=1).run(tests).wasSuccessful()
    if passed and "--no-benchmark" not in sys.argv:
        import benchmark

        benchmark.main()
    sys.exit(0 if passed else 1)
