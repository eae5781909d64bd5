"""The way out of functions: none without an allow-list, and with one exactly what it lists, on a real node.

What is reached are servers on this machine's loopback: a function's own loopback is another one, so whoever gets there went through
the proxy. 127.0.0.2 is used, because clients leave 127.0.0.1 and localhost out of proxying.
"""

import concurrent.futures
import contextlib
import http.server
import pathlib
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

from support import BINARY, NodeTest
from wayside_node import free_port, wait_for

HERE = pathlib.Path(__file__).resolve().parent
HOST = "127.0.0.2"
MIB = 1 << 20

PYTHON = """
import os, socket, ssl, urllib.error, urllib.request

def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=8, context=ssl._create_unverified_context()) as answer:
            return [answer.status, answer.read(100).decode()]
    except urllib.error.HTTPError as error:
        return [error.code, error.read(300).decode()]
    except OSError as error:
        return [0, str(error)]

def proxied(line):
    with socket.create_connection(("127.0.0.1", 3128), 8) as proxy:
        proxy.sendall((line + " HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n").encode())
        return proxy.recv(4096).decode().split("\\r\\n")[0]

def size(url):
    total = 0
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            while part := answer.read(65536):
                total += len(part)
    except urllib.error.HTTPError as error:
        return -error.code
    except OSError:
        pass
    return total

def tcp(host, port):
    try:
        socket.create_connection((host, port), 2).close()
        return "connected"
    except OSError as error:
        return type(error).__name__

def udp(host, port):
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            return sender.sendto(b"out", (host, port))
    except OSError as error:
        return type(error).__name__

def resolve(name):
    try:
        return socket.getaddrinfo(name, 80)[0][4][0]
    except OSError as error:
        return type(error).__name__

def variables():
    return {name: value for name, value in os.environ.items() if "proxy" in name.lower()}

def handler(event, context):
    return globals()[event[0]](*event[1:])
"""

NODE = """
const http = require("node:http"), tls = require("node:tls");

const proxy = new URL(process.env.HTTP_PROXY ?? "http://127.0.0.1:3128");
const refused = (error) => [0, error.code ?? error.message];

const read = (socket, resolve) => {
    let text = "";
    socket.on("data", (part) => { text += part; }).on("end", () => resolve(text)).on("error", (error) => resolve(refused(error)));
};

// http:// as it is given to the proxy; https:// through CONNECT.
exports.handler = ({ url }) => new Promise((resolve) => {
    const target = new URL(url), common = { host: proxy.hostname, port: proxy.port };
    if (target.protocol === "http:") {
        http.get({ ...common, path: url, headers: { host: target.host } }, (answer) => {
            read(answer, (text) => resolve([answer.statusCode, text]));
        }).on("error", (error) => resolve(refused(error)));
        return;
    }
    http.request({ ...common, method: "CONNECT", path: target.host }).on("connect", (answer, socket) => {
        if (answer.statusCode !== 200) { socket.destroy(); resolve([answer.statusCode, ""]); return; }
        const secure = tls.connect({ socket, rejectUnauthorized: false }, () => {
            secure.write(`GET ${target.pathname} HTTP/1.0\\r\\nHost: ${target.host}\\r\\n\\r\\n`);
        });
        read(secure, (text) => resolve([200, String(text).split("\\r\\n\\r\\n")[1]]));
    }).on("error", (error) => resolve(refused(error))).end();
});
"""


class Answers(http.server.BaseHTTPRequestHandler):
    """Says hello, or sends as many bytes as the path's last part says."""

    def do_GET(self):
        self.server.paths.append(self.path)
        count = int(self.path.rpartition("/")[2]) if self.path.startswith("/bytes/") else 0
        body = b"x" * count if count else b"hello from outside"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_):
        """Tests need no log."""


class Server(http.server.ThreadingHTTPServer):
    """A server on the host's loopback that remembers which paths it was asked for, and who has connected."""

    daemon_threads = True

    def __init__(self, address=HOST, port=0, context=None):
        self.paths, self.connections = [], 0
        super().__init__((address, port), Answers)
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def verify_request(self, request, client_address):
        self.connections += 1
        return True

    def close(self):
        self.shutdown()
        self.server_close()


class EgressTest(NodeTest):
    configuration = {"log": {"level": "info"}, "egress": {"connectionMebibytesMax": 1, "containerMebibytesMax": 3}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.allowed, cls.other = Server(), Server()
        for server in (cls.allowed, cls.other):
            cls.addClassCleanup(server.close)
        cls.entry = f"127.0.0.0/8:{cls.allowed.port}"
        cls.url = f"http://{HOST}:{cls.allowed.port}/hello"
        for name, entries in (("closed", None), ("open", [cls.entry])):
            cls.deploy(name, entries)

    @classmethod
    def deploy(cls, name, entries, files=None, **settings):
        if entries is not None:
            settings["Wayside"] = {"Egress": entries}
        cls.account.must_create(name, files or {"app.py": PYTHON}, **settings)

    def call(self, name, *event):
        answer = self.account.invoke(name, list(event))
        self.assertEqual((answer.status, answer.error), (200, None), answer.body)
        return answer.json()

    def logged(self, name, verdict):
        """Lines about a function's connections that ended so; `wayside` writes them when they end."""
        def lines():
            text = self.node.log.read_text(encoding="utf-8", errors="replace")
            return [line for line in text.splitlines() if re.search(rf"egress \S+:function:{name}\S* .* {verdict} ", line)]

        return wait_for(lines, f"the log has a connection of {name} that ended in {verdict}", seconds=5)

    def attempts(self, name):
        """Everything a function might try past its proxy."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
            listener.bind((HOST, 0))
            listener.setblocking(False)
            port = listener.getsockname()[1]
            for address in (HOST, "127.0.0.1", "192.0.2.1", "169.254.169.254", "10.0.0.1"):
                self.assertNotEqual(self.call(name, "tcp", address, self.allowed.port), "connected", address)
                self.call(name, "udp", address, port)
            self.assertEqual(self.call(name, "resolve", "example.com"), "gaierror")
            with self.assertRaises(BlockingIOError, msg="a datagram came out"):
                listener.recv(16)

    def test_a_function_without_a_list_reaches_nothing(self):
        before = self.allowed.connections
        self.attempts("closed")
        self.assertNotEqual(self.call("closed", "tcp", "127.0.0.1", 3128), "connected")
        self.assertEqual(self.call("closed", "variables"), {})
        self.assertEqual(self.call("closed", "fetch", self.url)[0], 0)
        self.assertEqual(self.allowed.connections, before)

    def test_a_function_with_a_list_reaches_nothing_past_its_proxy(self):
        before = self.allowed.connections
        self.attempts("open")
        self.assertEqual(self.allowed.connections, before)

    def test_the_environment_leads_clients_to_the_proxy(self):
        variables = self.call("open", "variables")
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            self.assertEqual(variables[name], "http://127.0.0.1:3128")

    def test_python_reaches_what_is_listed_and_nothing_else(self):
        before = self.other.connections
        self.assertEqual(self.call("open", "fetch", self.url), [200, "hello from outside"])
        status, text = self.call("open", "fetch", f"http://{HOST}:{self.other.port}/hello")
        self.assertEqual(status, 403, text)
        self.assertIn(f"{HOST}:{self.other.port}", text)
        for url in ("http://192.0.2.1/", "http://169.254.169.254/latest/meta-data/", "http://example.com/",
                    f"http://[::1]:{self.allowed.port}/"):
            self.assertEqual(self.call("open", "fetch", url)[0], 403, url)
        self.assertEqual(self.other.connections, before)
        self.assertIn(f" GET {HOST}:{self.allowed.port} {HOST}:{self.allowed.port} relayed sent=", self.logged("open", "relayed")[0])
        self.assertIn(f" GET {HOST}:{self.other.port} - deniedTarget sent=", "\n".join(self.logged("open", "deniedTarget")))

    def test_node_and_python_reach_http_and_https(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([BINARY, "cert", "init", "--directory", f"{folder}/c", "--node", "a", "--host", HOST], check=True,
                           capture_output=True)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(f"{folder}/c/a.pem", f"{folder}/c/a.key")
        secure = Server(context=context)
        self.addCleanup(secure.close)
        entries = [self.entry, f"{HOST}:{secure.port}"]
        self.deploy("secure", entries)
        self.deploy("node", entries, {"app.js": NODE}, runtime="nodejs20.x")
        url = f"https://{HOST}:{secure.port}/hello"
        self.assertEqual(self.call("secure", "fetch", url), [200, "hello from outside"])
        for address, expected in ((self.url, 200), (url, 200), (f"http://{HOST}:{self.other.port}/", 403),
                                  (f"https://{HOST}:{self.other.port}/", 403)):
            answer = self.account.invoke("node", {"url": address}).json()
            self.assertEqual(answer[0], expected, (address, answer))
            self.assertEqual("hello from outside" in answer[1], expected == 200, answer)

    def test_a_program_in_C_reaches_what_is_listed_and_nothing_else(self):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder, "bootstrap")
            subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-static", "-o", program,
                            HERE / "egress_client.c"], check=True)
            self.deploy("c", [self.entry], {"bootstrap": program.read_bytes()}, runtime="provided.al2023", handler="x")

        before = self.other.connections

        def ask(text):
            answer = self.account.invoke("c", text)
            self.assertEqual((answer.status, answer.error), (200, None), answer.body)
            return answer.json()

        self.assertEqual(ask(f"GET {self.url}"), "HTTP/1.1 200 OK")
        self.assertIn(" 200 ", ask(f"CONNECT {HOST}:{self.allowed.port}"))
        for line in (f"CONNECT {HOST}:{self.other.port}", f"GET http://{HOST}:{self.other.port}/", "CONNECT 192.0.2.1:443"):
            self.assertIn(" 403 ", ask(line))
        for line in ("GET /hello", "GET http://a@b/", "CONNECT 0x7f.0.0.2:80", "CONNECT 127.2:80"):
            self.assertIn(" 400 ", ask(line))
        self.assertRegex(ask(f"direct {HOST} {self.allowed.port}"), "^errno ")
        self.assertEqual(self.other.connections, before)

    def test_a_listed_name_that_leads_to_an_address_nobody_listed_is_refused(self):
        port = free_port()
        with contextlib.closing(Server("127.0.0.1", port)) as server:
            self.deploy("rebound", [f"localhost:{port}"])
            self.assertIn(" 403 ", self.call("rebound", "proxied", f"CONNECT localhost:{port}"))
            self.assertIn(" 403 ", self.call("rebound", "proxied", f"GET http://LOCALHOST.:{port}/"))
            self.assertEqual(server.connections, 0)
            self.logged("rebound", "deniedAddress")
            self.deploy("meant", [f"localhost:{port}", f"127.0.0.0/8:{port}"])
            self.assertIn(" 200 ", self.call("meant", "proxied", f"GET http://localhost:{port}/"))

    def test_a_connection_and_a_container_carry_only_so_much(self):
        self.deploy("hungry", [self.entry])
        url = f"http://{HOST}:{self.allowed.port}/bytes/{2 * MIB}"
        whole = self.call("hungry", "size", f"http://{HOST}:{self.allowed.port}/bytes/{MIB // 4}")
        self.assertEqual(whole, MIB // 4)
        for _ in range(2):
            self.assertLessEqual(self.call("hungry", "size", url), MIB)
        self.logged("hungry", "connectionBytes")
        self.call("hungry", "size", url)
        self.assertEqual(self.call("hungry", "size", url), -429)
        self.logged("hungry", "containerBytes")
        self.assertEqual(self.call("open", "fetch", self.url)[0], 200, "another container has its own account")

    def test_containers_of_one_account_do_not_share_a_way_out(self):
        self.deploy("elsewhere", [f"127.0.0.0/8:{self.other.port}"])
        own = f"http://{HOST}:{self.other.port}/hello"
        before = self.other.connections

        def calls(name, url, expected):
            for _ in range(5):
                self.assertEqual(self.call(name, "fetch", url)[0], expected, (name, url))

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            plan = (("open", self.url, 200), ("elsewhere", own, 200), ("elsewhere", self.url, 403), ("closed", self.url, 0))
            for future in [pool.submit(calls, *arguments) for arguments in plan]:
                future.result()
        self.assertEqual(self.other.connections, before + 5)
        self.assertNotEqual(self.call("closed", "tcp", "127.0.0.1", 3128), "connected")
        self.assertEqual(self.call("elsewhere", "variables")["HTTP_PROXY"], "http://127.0.0.1:3128")

    def test_a_list_can_be_given_at_deployment_and_wrong_ones_are_refused_with_a_reason(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "app.py").write_text(PYTHON, encoding="utf-8")
            arguments = ["deploy", "deployed", folder, "--runtime", "python3.11", "--handler", "app.handler"]
            self.node.tool(*arguments, "--egress", self.entry, "--egress", "*.example.com:443", environment=self.account.environment)
            self.assertEqual(self.call("deployed", "fetch", self.url)[0], 200)
            self.assertIn(self.entry, self.node.tool("function", "show", "deployed", environment=self.account.environment).stdout)
            for entry in ("http://example.com", "10.0.0.1/8", "example.com:0", "0x7f.1", ""):
                answer = self.account.create("wrong", {"app.py": PYTHON}, Wayside={"Egress": [entry]})
                self.assertEqual((answer.status, answer.error), (400, "InvalidParameterValueException"), (entry, answer.body))
                self.assertIn("Egress", answer.body.decode())
            self.node.tool(*arguments, "--no-egress", environment=self.account.environment)
            self.assertEqual(self.call("deployed", "fetch", self.url)[0], 0)


if __name__ == "__main__":
    unittest.main()
