#!/usr/bin/python3
"""The main job, shown: a POP and a region on loopback, functions deployed and called with the unmodified AWS CLI.

Each function is called until the POP has seen it often enough to run it itself. What is printed was measured in this run.
Nothing here is part of the product: it only starts the program, and uses it as an owner and an operator would.
"""

import argparse
import base64
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "Runtimes/examples"
ACCOUNT = "123456789012"
CALLS_MAX = 12

# name, folder, runtime, handler, event. Bash and the C function are two `provided` functions, the Node ones two `nodejs`:
# the second of each finds its account's instance and starts as a container in it.
FUNCTIONS = [
    ("hello-python", "hello-python", "python3.11", "app.handler", {"name": "Ada"}),
    ("order-summary", "order-summary-python", "python3.11", "app.handler",
     {"items": [{"price": "19.90", "quantity": 2, "currency": "EUR"}, {"price": "5", "currency": "USD"}]}),
    ("hello-bash", "hello-bash", "provided.al2023", "bootstrap", {"n": 1}),
    ("hello-c", "hello-c", "provided.al2023", "bootstrap", {"n": 2}),
    ("hello-node", "hello-node", "nodejs20.x", "app.handler", {"name": "Ada"}),
    ("page-render", "page-render-node", "nodejs20.x", "app.handler", {"title": "Wayside", "rows": [1, 2, 3]}),
]

# By frequency: the default, the market, starts a container behind a forwarded call where the region is as near as here, so that no
# caller would be seen to wait for a start.
COMMON = """
log:
  level: warning
placement:
  policy: frequency
  frequentCalls: 3.0
  uncommonCalls: 1.0
"""

REGION = """
node:
  name: region-1
  role: region
  data: {data}/region-1
api:
  listen: 127.0.0.1:{region_api}
peers:
  listen: 127.0.0.1:{peer}
  certificate: {data}/certificates/region-1.pem
  key: {data}/certificates/region-1.key
  authority: {data}/certificates/ca.pem
sandbox:
  cgroup: wayside-demo-region
  uidBase: 1979711488
capacity:
  memoryMebibytes: 2048
"""

# One spare Python instance, and none for the others, so that every start level is seen.
POP = """
node:
  name: pop-1
  role: pop
  data: {data}/pop-1
api:
  listen: 127.0.0.1:{pop_api}
peers:
  certificate: {data}/certificates/pop-1.pem
  key: {data}/certificates/pop-1.key
  authority: {data}/certificates/ca.pem
  regions: ["region-1=https://127.0.0.1:{peer}"]
sandbox:
  cgroup: wayside-demo-pop
capacity:
  memoryMebibytes: 1024
  warming: [python=1]
"""


def say(text=""):
    print(text, flush=True)


class Demo:
    def __init__(self, wayside, aws, data, ports):
        self.wayside, self.aws, self.data = wayside, aws, data
        self.values = dict(zip(["pop_api", "region_api", "peer"], ports), data=data)
        self.nodes = []
        self.environment = dict(os.environ, AWS_REGION="eu-central-1", AWS_DEFAULT_REGION="eu-central-1", AWS_MAX_ATTEMPTS="1",
                                AWS_ENDPOINT_URL=f"http://127.0.0.1:{ports[0]}", WAYSIDE_DATA=f"{data}/pop-1")

    def run(self, *command, **options):
        result = subprocess.run([str(part) for part in command], env=self.environment, capture_output=True, text=True, **options)
        if result.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))}\nended with {result.returncode}:\n{result.stdout}{result.stderr}")
        return result.stdout

    def start(self, name, text):
        config = pathlib.Path(self.data, f"{name}.yaml")
        config.write_text(text.format(**self.values) + COMMON)
        log = open(f"{self.data}/{name}.log", "w", encoding="utf-8")
        node = subprocess.Popen([self.wayside, "serve", "--config", config], stdout=subprocess.DEVNULL, stderr=log,
                                start_new_session=True)
        self.nodes.append(node)
        for _ in range(200):
            if node.poll() is not None:
                raise SystemExit(f"{name} ended at once:\n{pathlib.Path(log.name).read_text(encoding='utf-8')}")
            probe = subprocess.run([self.wayside, "pool", "list", "--data", f"{self.data}/{name}"], capture_output=True, check=False)
            if probe.returncode == 0:
                return
            time.sleep(0.05)
        raise SystemExit(f"{name} did not answer; its log is {log.name}")

    def set_up(self):
        self.run(self.wayside, "cert", "init", "--directory", f"{self.data}/certificates", "--node", "pop-1", "--node", "region-1",
                 "--host", "127.0.0.1")
        self.start("region-1", REGION)
        self.start("pop-1", POP)
        made = json.loads(self.run(self.wayside, "account", "create", ACCOUNT, "--output", "json"))
        self.environment |= {"AWS_ACCESS_KEY_ID": made["accessKeyID"], "AWS_SECRET_ACCESS_KEY": made["secretAccessKey"]}

    def deploy(self, name, folder, runtime, handler):
        archive = shutil.make_archive(f"{self.data}/{name}", "zip", EXAMPLES / folder)
        self.run(self.aws, "lambda", "create-function", "--function-name", name, "--runtime", runtime, "--handler", handler,
                 "--role", f"arn:aws:iam::{ACCOUNT}:role/demo", "--zip-file", f"fileb://{archive}")

    def call(self, name, event):
        """One call with the AWS CLI, and the POP's record of it."""
        answer = f"{self.data}/answer.json"
        said = json.loads(self.run(self.aws, "lambda", "invoke", "--function-name", name, "--payload", json.dumps(event),
                                   "--log-type", "Tail", answer))
        if "FunctionError" in said:
            log = base64.b64decode(said["LogResult"]).decode()
            raise SystemExit(f"{name} failed: {pathlib.Path(answer).read_text(encoding='utf-8')}\n{log}")
        return json.loads(self.run(self.wayside, "explain", "--function", name, "--limit", "1", "--output", "json"))[0]

    def show(self):
        rows, levels = [], {}
        for name, folder, runtime, handler, event in FUNCTIONS:
            self.deploy(name, folder, runtime, handler)
            forwarded, local = [], []
            while len(forwarded) + len(local) < CALLS_MAX and len(local) < 3:
                record = self.call(name, event)
                (forwarded if record["decision"] == "forward" else local).append(record)
                if record["decision"] == "run":
                    levels.setdefault(record["startLevel"], record)
            if not forwarded or not local:
                raise SystemExit(f"{name}: the decision never changed ({len(forwarded)} forwarded, {len(local)} local)")
            rows.append((name, runtime, len(forwarded), forwarded[0]["reason"], local[0]["startLevel"], local[0]["reason"],
                         f"{forwarded[-1]['spans']['total']:.2f}", f"{local[0]['spans']['total']:.2f}",
                         f"{min(record['spans']['total'] for record in local):.2f}"))
            say(f"  {name}: {len(forwarded)} forwarded ({forwarded[0]['reason']}), then local ({local[0]['reason']}, "
                f"start {local[0]['startLevel']})")
        return rows, levels

    def stop(self):
        """With SIGINT: after SIGTERM, containers wait for the node's next process, and there is none."""
        for node in self.nodes:
            node.send_signal(signal.SIGINT)
        for node in self.nodes:
            try:
                node.wait(20)
            except subprocess.TimeoutExpired:
                node.kill()
                raise SystemExit("a node did not end after SIGINT") from None
            if node.returncode != 0:
                raise SystemExit(f"a node ended with {node.returncode}")


def table(header, rows):
    widths = [max(len(str(row[column])) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, *rows]:
        say("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wayside", required=True, help="the program")
    parser.add_argument("--aws", required=True, help="the AWS CLI")
    parser.add_argument("--keep", action="store_true", help="leave it running and print commands to try")
    parser.add_argument("--ports", type=int, nargs=3, default=[9000, 9001, 9443], help="POP's API, region's API, region's peers")
    arguments = parser.parse_args()
    data = tempfile.mkdtemp(prefix="wayside-demo-")
    subprocess.run(["make", "-C", EXAMPLES / "hello-c", "--silent"], check=True)
    demo = Demo(arguments.wayside, arguments.aws, data, arguments.ports)
    is_left_running = False
    try:
        say(f"starting region-1 and pop-1 in {data}")
        demo.set_up()
        say("deploying with the AWS CLI, then calling each function until the POP runs it itself")
        rows, levels = demo.show()
        say("\none call of each start level, explained")
        for level in ["boot", "zygote", "instance", "container", "warm"]:
            if level not in levels:
                raise SystemExit(f"no call started at level {level}")
            say("\n" + demo.run(demo.wayside, "explain", levels[level]["requestID"]).rstrip())
        say("\na forwarded call, explained")
        newest = json.loads(demo.run(demo.wayside, "explain", "--function", FUNCTIONS[0][0], "--output", "json"))
        say("\n" + demo.run(demo.wayside, "explain", next(r["requestID"] for r in newest if r["decision"] == "forward")).rstrip())
        say("\nsummary; milliseconds are the POP's own, from arrival to answer\n")
        table(("FUNCTION", "RUNTIME", "FORWARDED", "BECAUSE", "FIRST LOCAL", "BECAUSE", "FORWARD MS", "FIRST LOCAL MS", "WARM MS"), rows)
        if arguments.keep:
            is_left_running = True
            say(f"\nStill running (process ids {', '.join(str(node.pid) for node in demo.nodes)}). Try:\n")
            for name in ["AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "WAYSIDE_DATA"]:
                say(f"  export {name}={demo.environment[name]}")
            say(f"  {demo.aws} lambda list-functions\n  {demo.wayside} invoke hello-python --payload '{{\"name\":\"you\"}}' --explain")
            say(f"  {demo.wayside} pool list\n  kill -INT {' '.join(str(node.pid) for node in demo.nodes)}; rm -r {data}")
    finally:
        if not is_left_running:
            demo.stop()
            shutil.rmtree(data)
    if not is_left_running:
        say("\nstopped; nothing is left behind")


if __name__ == "__main__":
    main()
