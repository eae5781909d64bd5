"""Hosts on one machine: network namespaces, links between them that can be slow or cut, and a node on each.

    test process ──┐
                   ├── wire namespace (routes the test's traffic; relays, and nothing else, join the hosts)
    host pop-1 ────┤      10.77.N.1 ─ 10.77.N.2, N counted from 1; the test process is N = 0
    host region-1 ─┘

A host has no route to another: whatever passes between two goes through a relay (relay.py says what that emulates) at an address of
the wire's end of the sender's link, one port to each receiver. So a link is a pair with a direction of calling, and cutting it cuts
that pair alone. Needs root and iproute2.
"""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "Harness"))

from wayside_node import Node, wait_for  # noqa: E402

API_PORT, PEERS_PORT, LINKS_PORT = 9000, 9443, 20000


def ip(*arguments, namespace=None):
    subprocess.run(["ip", *(("-n", namespace) if namespace else ()), *arguments], check=True, capture_output=True)


class Wire:
    """The namespace in the middle and its relay. Several beds on one machine have networks of their own, 10.77.0.0/16 and up."""

    made = 0

    def __init__(self, folder):
        self.octet, self.folder = None, pathlib.Path(folder)
        Wire.made += 1
        self.prefix = f"ws{os.getpid()}-{Wire.made}"
        self.namespace = f"{self.prefix}-wire"
        self.namespaces = []
        self.hosts = {}
        self.links = {}
        self.relay = self.control = None

    def address(self, number, end=2):
        return f"10.{self.octet}.{number}.{end}"

    def open(self):
        self._namespace(self.namespace)
        ip("link", "add", f"{self.prefix}t", "type", "veth", "peer", "name", "test", "netns", self.namespace)
        ip("link", "set", f"{self.prefix}t", "up")
        self._take_network()
        ip("addr", "add", f"{self.address(0, 1)}/30", "dev", "test", namespace=self.namespace)
        ip("link", "set", "test", "up", namespace=self.namespace)
        self._run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        control = self.folder / "relay.sock"
        self.relay = subprocess.Popen([*self._inside(self.namespace), sys.executable, str(HERE / "relay.py"), str(control)],
                                      start_new_session=True)
        self.control = socket.socket(socket.AF_UNIX)
        wait_for(lambda: self._connects(control), "the relay listens")
        return self

    def _take_network(self):
        """The route is what only one bed can have."""
        for self.octet in range(77, 256):
            ip("addr", "add", f"{self.address(0)}/30", "dev", f"{self.prefix}t")
            with contextlib.suppress(subprocess.CalledProcessError):
                return ip("route", "add", f"10.{self.octet}.0.0/16", "via", self.address(0, 1), "dev", f"{self.prefix}t")
            ip("addr", "del", f"{self.address(0)}/30", "dev", f"{self.prefix}t")
        raise OSError("no network from 10.77.0.0/16 to 10.255.0.0/16 is free")

    def _connects(self, control):
        with contextlib.suppress(OSError):
            self.control.connect(str(control))
            return True
        return False

    def close(self):
        if self.control:
            self.control.close()
        if self.relay:
            self.relay.kill()
            self.relay.wait(10)
        for namespace in reversed(self.namespaces):
            subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", f"{self.prefix}t"], check=False, capture_output=True)

    def _namespace(self, name):
        ip("netns", "add", name)
        self.namespaces.append(name)
        ip("link", "set", "lo", "up", namespace=name)

    @staticmethod
    def _inside(namespace):
        """Not `ip netns exec`, which hides the cgroups: it mounts /sys anew."""
        return ["nsenter", f"--net=/run/netns/{namespace}"]

    def inside(self, name):
        """What a command in a host's network begins with."""
        return self._inside(f"{self.prefix}-{name}")

    def _run(self, *command):
        subprocess.run([*self._inside(self.namespace), *command], check=True, capture_output=True)

    def host(self, name):
        """Makes a host; answers its number."""
        number = len(self.hosts) + 1
        namespace = f"{self.prefix}-{name}"
        self._namespace(namespace)
        ip("link", "add", f"h{number}", "netns", self.namespace, "type", "veth", "peer", "name", "wire", "netns", namespace)
        ip("addr", "add", f"{self.address(number, 1)}/30", "dev", f"h{number}", namespace=self.namespace)
        ip("link", "set", f"h{number}", "up", namespace=self.namespace)
        ip("addr", "add", f"{self.address(number)}/30", "dev", "wire", namespace=namespace)
        ip("link", "set", "wire", "up", namespace=namespace)
        ip("route", "add", f"{self.address(0)}/32", "via", self.address(number, 1), namespace=namespace)
        self.hosts[name] = number
        return number

    def link(self, sender, receiver, port=PEERS_PORT, **quality):
        """Joins two hosts; answers the address at which the sender finds the receiver."""
        at = (self.address(self.hosts[sender], 1), LINKS_PORT + self.hosts[receiver])
        self.tell({"open": f"{sender}>{receiver}", "listen": at, "to": (self.address(self.hosts[receiver]), port)} | quality)
        self.links[sender, receiver] = at
        return "%s:%d" % at

    def tell(self, command):
        self.control.sendall(json.dumps(command).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            answer += self.control.recv(65536) or sys.exit("the relay has ended")
        answer = json.loads(answer)
        if "error" in answer:
            raise ValueError(f"{command}: {answer['error']}")
        return answer

    def set(self, sender, receiver, **quality):
        self.tell({"set": f"{sender}>{receiver}"} | quality)

    def cut(self, sender, receiver, how="silence", after=None):
        """`after`: bytes that still come back, or [bytes that still go there, bytes that still come back]."""
        self.tell({"cut": f"{sender}>{receiver}", "how": how} | ({} if after is None else {"after": after}))

    def throttle(self, host, bits):
        """At most so many bits a second leave a host, `None`: as many as it likes. By its kernel (tc-tbf), not by the relay."""
        what = f"replace dev wire root tbf burst 16kb latency 500ms rate {bits}bit" if bits else "del dev wire root"
        subprocess.run(["tc", "-n", f"{self.prefix}-{host}", "qdisc", *what.split()], check=True, capture_output=True)

    def mend(self, sender, receiver):
        self.tell({"mend": f"{sender}>{receiver}"})

    def count(self, sender, receiver):
        return self.tell({"count": f"{sender}>{receiver}"})


def wrong_clock(folder, seconds):
    """What a command begins with whose wall clock is wrong by so much (wrong_clock.c); its monotonic clocks are right."""
    library = pathlib.Path(folder, "wrong_clock.so")
    subprocess.run(["cc", "-std=c17", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, HERE / "wrong_clock.c"],
                   check=True)
    return ["env", f"LD_PRELOAD={library}", f"WRONG_CLOCK_SECONDS={seconds}"]


class HostNode(Node):
    """A node in a host's network namespace."""

    def __init__(self, wire, binary, folder, name, configuration):
        self.address = wire.address(wire.hosts[name])
        api = {"listen": f"{self.address}:{API_PORT}"}
        merged = {group: dict(keys) for group, keys in configuration.items()}
        merged["api"] = api | merged.get("api", {})
        super().__init__(binary, folder, name, merged, port=API_PORT)
        self.command = [*wire.inside(name), *self.command]


class Bed:
    """POPs and regions of one authority, each POP joined to each region.

    - Parameters:
      - delays: one-way seconds by (POP, region); others have `delay`.
      - clocks: by how many seconds the wall clock of a node's process is wrong, by node (wrong_clock.c).
    """

    def __init__(self, binary, folder, pops=1, regions=1, delay=0.0, delays=None, pop=None, region=None, clocks=None):
        self.folder = pathlib.Path(folder)
        self.wire = Wire(folder)
        self.pop_names = [f"pop-{number}" for number in range(1, pops + 1)]
        self.region_names = [f"region-{number}" for number in range(1, regions + 1)]
        self.binary, self.delay, self.delays, self.clocks = str(binary), delay, delays or {}, clocks or {}
        self.configurations = {"pop": pop or {}, "region": region or {}}
        self.nodes = {}

    def open(self):
        self.wire.open()
        names = self.pop_names + self.region_names
        for name in names:
            self.wire.host(name)
        certificates = self.folder / "certificates"
        hosts = [argument for number in range(1, len(names) + 1) for end in (1, 2)
                 for argument in ("--host", self.wire.address(number, end))]
        subprocess.run([self.binary, "cert", "init", "--directory", str(certificates),
                        *(argument for name in names for argument in ("--node", name)), *hosts], check=True, capture_output=True)
        for count, name in enumerate(names):
            peers = {"certificate": f"{certificates}/{name}.pem", "key": f"{certificates}/{name}.key",
                     "authority": f"{certificates}/ca.pem", "probeIntervalMilliseconds": 100}
            role = "pop" if name in self.pop_names else "region"
            if role == "region":
                peers["listen"] = f"{self.wire.address(self.wire.hosts[name])}:{PEERS_PORT}"
            else:
                peers["regions"] = [
                    f"{region}=https://{self.wire.link(name, region, delay=self.delays.get((name, region), self.delay))}"
                    for region in self.region_names]
            values = {"node": {"role": role}, "sandbox": {"uidBase": 1879048192 + (count << 24)}, "peers": peers}
            for group, keys in self.configurations[role].items():
                values[group] = values.get(group, {}) | keys
            node = self.nodes[name] = HostNode(self.wire, self.binary, self.folder, name, values)
            if name in self.clocks:
                node.command = [*wrong_clock(self.folder, self.clocks[name]), *node.command]
        for name in reversed(names):
            self.nodes[name].start()
        return self

    def __getitem__(self, name):
        return self.nodes[name]

    def close(self):
        with contextlib.ExitStack() as last:
            last.callback(self.wire.close)
            for node in self.nodes.values():
                if node.process and node.process.poll() is None:
                    last.callback(node.stop)
