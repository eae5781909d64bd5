"""Starts POPs and regions on hosts of their own to try things with, and says how. `make hosts POPS=3 REGIONS=3`."""

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile

from bed import Bed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--pops", type=int, default=2)
    parser.add_argument("--regions", type=int, default=2)
    parser.add_argument("--delay", type=float, default=20, help="one-way milliseconds between a POP and a region")
    parser.add_argument("--once", action="store_true", help="end when everything has answered")
    options = parser.parse_args()
    if not (1 <= options.pops <= 50 and 1 <= options.regions <= 50):
        parser.error("there can be 1 to 50 POPs and 1 to 50 regions")
    folder = tempfile.mkdtemp(prefix="wayside-hosts-")
    bed = Bed(options.binary, folder, options.pops, options.regions, delay=options.delay / 1000)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(bed.close)
        bed.open()
        accounts = {name: bed[name].account() for name in bed.pop_names}
        first = bed.pop_names[0]
        print(f"{options.pops} POPs and {options.regions} regions, {options.delay:g} ms each way between them.\n")
        for name in bed.pop_names + bed.region_names:
            print(f"  {name:10} http://{bed[name].address}:{bed[name].port}   operator: wayside … --data {bed[name].data}")
        print(f"\nThe account {accounts[first].number} at {first}, for awscli and for `wayside deploy` and `invoke`:\n")
        for key, value in accounts[first].environment.items():
            print(f"  export {key}={value}")
        link = f"{first}>{bed.region_names[0]}"
        print(f"""
Try:

  export PATH={options.binary.rpartition("/")[0]}:$PATH WAYSIDE_DATA={bed[first].data}
  wayside deploy hello Runtimes/examples/hello-python --runtime python3.11 --handler app.handler
  wayside invoke hello --explain
  wayside region list
  wayside explain REQUEST --data {bed[bed.region_names[0]].data}

Cut a link, slow it down, mend it (the first word names it: POP>region):

  echo '{{"cut": "{link}", "how": "silence"}}' | nc -NU {folder}/relay.sock
  echo '{{"cut": "{link}", "how": "reset", "after": 100000}}' | nc -NU {folder}/relay.sock      # in the middle of a large answer
  echo '{{"set": "{link}", "delay": 0.2, "jitter": 0.05}}' | nc -NU {folder}/relay.sock
  echo '{{"mend": "{link}"}}' | nc -NU {folder}/relay.sock
""")
        if not options.once:
            # Not before the nodes have been started: they would inherit it.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
            print("Ctrl-C ends them all.", flush=True)
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    return 0


if __name__ == "__main__":
    sys.exit(main())
