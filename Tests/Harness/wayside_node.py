"""Starts real nodes in processes of their own, and talks to them as owners and operators do. Standard library only.

Used by the integration tests and the benchmarks. Nothing is simulated: the program under test is the product.
"""

import base64
import contextlib
import datetime
import hashlib
import hmac
import http.client
import io
import json
import os
import pathlib
import signal
import socket
import stat
import struct
import subprocess
import time
import urllib.parse
import zipfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
REGION = "eu-central-1"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, what, seconds=20, pause=0.02):
    """The first true value of `condition`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(pause)
    raise AssertionError(f"waited {seconds} s in vain until {what}")


def zipped(files):
    """A package of {name: text or bytes}; `bootstrap` is executable."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.external_attr = (stat.S_IFREG | (0o755 if name == "bootstrap" else 0o644)) << 16
            archive.writestr(info, content)
    return buffer.getvalue()


class Signer:
    """AWS Signature Version 4 for requests without a query or with a simple one."""

    def __init__(self, key, secret):
        self.key, self.secret = key, secret

    def headers(self, method, path, body, host, extra=None, now=None):
        now = (now or datetime.datetime.now(datetime.timezone.utc)).strftime("%Y%m%dT%H%M%SZ")
        path, _, query = path.partition("?")
        headers = {"host": host, "x-amz-date": now} | {name.lower(): value for name, value in (extra or {}).items()}
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        # The path on the wire is encoded already, and is encoded once more.
        canonical = (f"{method}\n{urllib.parse.quote(path, safe='/-_.~')}\n{'&'.join(sorted(query.split('&')))}\n{lines}\n{names}\n"
                     f"{hashlib.sha256(body).hexdigest()}")
        scope = f"{now[:8]}/{REGION}/lambda/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{self.secret}".encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        return headers | {
            "authorization": f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={names}, Signature={signature}"}


class Answer:
    """A response, read whole."""

    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """The exception's name, or the function error's type."""
        if self.headers.get("X-Amz-Function-Error"):
            return self.json()["errorType"]
        return self.headers.get("x-amzn-ErrorType")

    @property
    def log(self):
        return base64.b64decode(self.headers["X-Amz-Log-Result"]).decode(errors="replace")


class Streamed:
    """The answer of InvokeWithResponseStream, read message by message: iterate over (event type, payload)."""

    def __init__(self, connection, response):
        self.connection, self.response = connection, response
        self.status, self.headers = response.status, response.headers

    def __iter__(self):
        return self

    def __next__(self):
        prelude = self.response.read(12)
        if not prelude:
            raise StopIteration
        total, headers_length, checksum = struct.unpack(">III", prelude)
        rest = self.response.read(total - 12)
        if zlib.crc32(prelude[:8]) != checksum or zlib.crc32(prelude + rest[:-4]) != struct.unpack(">I", rest[-4:])[0]:
            raise AssertionError("a checksum is wrong")
        fields, start = {}, 0
        while start < headers_length:
            name, start = self._text(rest, start, ">B")
            value, start = self._text(rest, start + 1, ">H")
            fields[name] = value
        return fields[":event-type"], rest[headers_length:-4]

    @staticmethod
    def _text(data, start, length):
        begin = start + struct.calcsize(length)
        end = begin + struct.unpack_from(length, data, start)[0]
        return data[begin:end].decode(), end

    def collect(self):
        """All that was streamed, and what InvokeComplete said."""
        chunks, complete = [], None
        for kind, payload in self:
            if kind == "PayloadChunk":
                chunks.append(payload)
            else:
                complete = json.loads(payload)
        return b"".join(chunks), complete

    def close(self):
        """The client goes away."""
        self.response.close()
        self.connection.close()


class Account:
    """Calls the Lambda API of one node as one account."""

    def __init__(self, node, number, key, secret):
        self.node, self.number, self.signer = node, number, Signer(key, secret)
        self.environment = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": REGION,
                            "AWS_ENDPOINT_URL": f"http://{node.address}:{node.port}"}

    def request(self, method, path, body=b"", headers=None, timeout=120):
        host = f"{self.node.address}:{self.node.port}"
        connection = http.client.HTTPConnection(self.node.address, self.node.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, body, self.signer.headers(method, path, body, host, headers))
            return Answer(connection.getresponse())

    def create(self, name, package, runtime="python3.11", handler="app.handler", **settings):
        """`package`: zip bytes, or files for `zipped`."""
        if isinstance(package, dict):
            package = zipped(package)
        body = {"FunctionName": name, "Runtime": runtime, "Handler": handler, "Role": f"arn:aws:iam::{self.number}:role/test",
                "Code": {"ZipFile": base64.b64encode(package).decode()}, "Timeout": 10} | settings
        return self.request("POST", "/2015-03-31/functions", json.dumps(body).encode())

    def must_create(self, name, package, **settings):
        answer = self.create(name, package, **settings)
        assert answer.status == 201, (answer.status, answer.body)
        return answer.json()

    def invoke(self, name, event=None, headers=None, timeout=120):
        body = event if isinstance(event, bytes) else json.dumps({} if event is None else event).encode()
        return self.request("POST", f"/2015-03-31/functions/{name}/invocations", body, headers, timeout)

    def stream(self, name, event=None, headers=None, timeout=120):
        """Calls with InvokeWithResponseStream; close what it returns."""
        path, body = f"/2021-11-15/functions/{name}/response-streaming-invocations", json.dumps({} if event is None else event).encode()
        connection = http.client.HTTPConnection(self.node.address, self.node.port, timeout=timeout)
        host = f"{self.node.address}:{self.node.port}"
        connection.request("POST", path, body, self.signer.headers("POST", path, body, host, headers))
        return Streamed(connection, connection.getresponse())

    def delete(self, name):
        return self.request("DELETE", f"/2015-03-31/functions/{name}")


class Node:
    """A node: its data folder, its configuration, its process."""

    address = "127.0.0.1"

    def __init__(self, binary, folder, name, configuration="", port=None):
        """`configuration`: nested {group: {key: value}} over the defaults; values are written as YAML by JSON's rules."""
        self.binary, self.name, self.folder = str(binary), name, pathlib.Path(folder, name)
        self.port = port or free_port()
        self.data = self.folder / "data"
        self.folder.mkdir(parents=True)
        values = {"node": {"name": name, "data": str(self.data)}, "api": {"listen": f"{self.address}:{self.port}"},
                  "sandbox": {"cgroup": f"wayside-{os.getpid()}-{name}"}, "log": {"level": "warning"},
                  # A node that ends is expected to leave nothing; tests of restarts say how long containers wait for the next.
                  "drain": {"parkSeconds": 0}}
        for group, keys in (configuration or {}).items():
            values.setdefault(group, {}).update(keys)
        self.config = self.folder / "wayside.yaml"
        self.config.write_text("".join(
            f"{group}:\n" + "".join(f"  {key}: {json.dumps(value)}\n" for key, value in keys.items()) for group, keys in values.items()),
            encoding="utf-8")
        self.log = self.folder / "log"
        self.process = None
        self.command = [self.binary, "serve", "--config", str(self.config)]

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stderr=log, start_new_session=True)
        try:
            wait_for(self._answers, f"node {self.name} answers")
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"{error}\n{self.log.read_text(errors='replace')}") from None
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log.read_text(errors='replace')}")
        with contextlib.suppress(OSError), socket.create_connection((self.address, self.port), 1):
            return self.tool("pool", "list", "--output", "json", check=False).returncode == 0
        return False

    def stop(self, seconds=40):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self):
        """SIGKILL to the daemon alone."""
        self.process.kill()
        self.process.wait(10)

    def tool(self, *arguments, check=True, environment=None):
        """The operator's command line on this node."""
        return subprocess.run([self.binary, *arguments], check=check, capture_output=True, text=True,
                              env=os.environ | {"WAYSIDE_DATA": str(self.data)} | (environment or {}), timeout=60)

    def account(self, number="123456789012"):
        made = json.loads(self.tool("account", "create", number, "--output", "json").stdout)
        return Account(self, number, made["accessKeyID"], made["secretAccessKey"])

    def pools(self):
        return json.loads(self.tool("pool", "list", "--output", "json").stdout)

    def status(self):
        """What the node says of itself: whether it drains, what is under way, whether the pool's books are right."""
        connection = http.client.HTTPConnection("node", timeout=10)
        with contextlib.closing(connection), socket.socket(socket.AF_UNIX) as connected:
            connected.connect(str(self.data / "operator.sock"))
            connection.sock = connected
            connection.request("GET", "/v1/status")
            return Answer(connection.getresponse()).json()

    def record(self, request_id):
        return json.loads(self.tool("explain", request_id, "--output", "json").stdout)

    def record_of(self, answer):
        """The record of an invocation by its answer."""
        return self.record(answer.headers["x-amzn-RequestId"])

    def launcher(self):
        """The process id of this node's launcher."""
        children = []
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):  # Threads come and go.
                children += (task / "children").read_text(encoding="ascii").split()
        for child in children:
            with contextlib.suppress(OSError):
                if "wayside-launcher" in os.readlink(f"/proc/{child}/exe"):
                    return int(child)
        return None

    def leftovers(self):
        """Processes, mounts and cgroups that this node's sandboxes have left on the machine."""
        found = []
        marker = str(self.folder).encode()
        for process in pathlib.Path("/proc").iterdir():
            if process.name.isdigit():
                with contextlib.suppress(OSError):
                    if marker in (process / "cmdline").read_bytes():
                        found.append(f"process {process.name}")
        found += [line for line in pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines() if str(self.folder) in line]
        cgroup = f"wayside-{os.getpid()}-{self.name}"
        for folder, names, _ in os.walk("/sys/fs/cgroup"):
            found += [f"cgroup {folder}/{name}" for name in names if name == cgroup]
        return found


class Fleet:
    """A POP and regions with certificates of one authority. All regions have the same configuration."""

    def __init__(self, binary, folder, pop=None, region=None, regions=1):
        certificates = pathlib.Path(folder, "certificates")
        names = [f"region-{number}" for number in range(1, regions + 1)]
        subprocess.run([str(binary), "cert", "init", "--directory", str(certificates),
                        *(part for name in ["pop-1", *names] for part in ("--node", name)), "--host", "127.0.0.1"],
                       check=True, capture_output=True)
        ports = {name: free_port() for name in names}

        def peers(name, **more):
            return {"certificate": f"{certificates}/{name}.pem", "key": f"{certificates}/{name}.key",
                    "authority": f"{certificates}/ca.pem"} | more

        def merged(first, second):
            result = {group: dict(keys) for group, keys in first.items()}
            for group, keys in (second or {}).items():
                result.setdefault(group, {}).update(keys)
            return result

        self.regions = [
            Node(binary, folder, name, merged(
                {"node": {"role": "region"}, "sandbox": {"uidBase": 1979711488 + number * 4_194_304},
                 "peers": peers(name, listen=f"127.0.0.1:{ports[name]}")}, region)) for number, name in enumerate(names)]
        self.region = self.regions[0]
        addresses = [f"{name}=https://127.0.0.1:{port}" for name, port in ports.items()]
        self.pop = Node(binary, folder, "pop-1", merged({"peers": peers("pop-1", regions=addresses, probeIntervalMilliseconds=100)}, pop))

    def start(self):
        for node in (*self.regions, self.pop):
            node.start()
        return self

    def stop(self):
        for node in (self.pop, *self.regions):
            if node.process and node.process.poll() is None:
                node.stop()
