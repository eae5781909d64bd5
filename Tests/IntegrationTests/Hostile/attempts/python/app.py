"""A function that does what its event names: {attempt, words}. It answers with what it has seen."""

import array
import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import struct
import subprocess
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
BUFFER = ctypes.create_string_buffer(65536)
HELD = []


def name_of(error):
    return errno.errorcode.get(error, str(error))


def outcome(action, *arguments):
    """What `action` came to: "ok" or an errno's name."""
    try:
        action(*arguments)
    except OSError as error:
        return name_of(error.errno)
    return "ok"


def value_of(word):
    if word.startswith("text:"):
        return ctypes.c_char_p(word[5:].encode())
    if word.startswith("bytes:"):
        return ctypes.create_string_buffer(bytes.fromhex(word[6:]))
    return BUFFER if word == "buffer" else ctypes.c_long(int(word, 0) if int(word, 0) < 1 << 63 else int(word, 0) - (1 << 64))


def call(*words):
    """One system call."""
    process = os.getpid()
    result = LIBC.syscall(*[value_of(word) for word in words])
    if os.getpid() != process:
        os._exit(0)
    return "ok" if result >= 0 else name_of(ctypes.get_errno())


def open_paths(*paths):
    return [outcome(lambda: os.close(os.open(path, flags | os.O_NONBLOCK))) for path in paths for flags in (os.O_RDONLY, os.O_WRONLY)]


def truncate_paths(*paths):
    return [outcome(lambda: os.close(os.open(path, os.O_WRONLY | os.O_TRUNC))) for path in paths]


def watch(*paths):
    """Being told what anyone opens there."""
    events = LIBC.inotify_init1(0)
    results = [LIBC.inotify_add_watch(events, path.encode(), 0x20) for path in paths]
    error = ctypes.get_errno()
    if events >= 0:
        os.close(events)
    return ["ok" if result >= 0 else name_of(error) for result in results]


def lock(*paths):
    """Exclusive locks, which are kept."""
    HELD.extend(os.open(path, os.O_RDONLY) for path in paths)
    return [outcome(fcntl.flock, descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB) for descriptor in HELD]


def stop_itself():
    os.kill(os.getpid(), 19)


def list_processes():
    return [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def steal():
    """Other processes' memory, environment, directories and descriptors, as far as /proc shows them."""
    found = []
    for process in ["1", *list_processes()]:
        for part in ("environ", "cmdline", "maps", "mem", "root/etc/shadow", "cwd/x", "fd/0", "exe", "ns/mnt"):
            found.append(outcome(lambda: os.close(os.open(f"/proc/{process}/{part}", os.O_RDONLY))))
    return sorted(set(found))


def read_texts(*paths):
    """What can be read of `paths`, cut."""
    texts = []
    for path in paths:
        with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
            texts.append(file.read(200_000))
    return texts


def paths_that_name(text, *paths):
    return [path for path in paths if any(text in content for content in read_texts(path))]


def grep(text, *roots):
    """Where `text` is a part of a file or of its name."""
    found = []
    for root in roots:
        for folder, _, names in os.walk(root):
            for name in names:
                path = os.path.join(folder, name)
                with contextlib.suppress(OSError):
                    if os.path.isfile(path) and (text in path or text in open(path, "rb").read(1 << 20).decode(errors="replace")):
                        found.append(path)
    return found


def signal_init():
    return [outcome(os.kill, 1, 9), outcome(os.kill, 1, 15), outcome(os.kill, 4000, 0)]


def become_root():
    return [outcome(os.setuid, 0), outcome(os.setgid, 0), outcome(os.setgroups, [0]), outcome(os.setresuid, 0, 0, 0)]


def setuid_program(path):
    """What the kernel told a setuid program about itself; the loader prints that only to one without gained privilege."""
    text = subprocess.run([path, "--help"], env={"LD_SHOW_AUXV": "1"}, capture_output=True, text=True, check=False).stdout
    values = dict(line.split(":", 1) for line in text.splitlines() if line.startswith("AT_"))
    return [int(values["AT_EUID"]), int(values["AT_SECURE"])]


def own_setuid_file():
    with open("/tmp/sh", "wb") as target, open("/bin/sh", "rb") as source:
        target.write(source.read())
    return [outcome(os.chmod, "/tmp/sh", 0o6755), subprocess.run(["/tmp/sh", "-p", "-c", "id -u"], capture_output=True, text=True,
                                                              check=False).stdout.strip(), outcome(os.chown, "/tmp/sh", 0, 0)]


def make_device():
    return [outcome(os.mknod, "/tmp/disk", 0o060600, os.makedev(*numbers)) for numbers in ((8, 0), (253, 0))] + [
        outcome(os.mknod, "/tmp/mem", 0o020600, os.makedev(1, 1))]


def connect(kind, place):
    """A stream connection to an abstract ("@name") or a named Unix socket, or to a port of 127.0.0.1."""
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    with socket.socket(family) as stream:
        stream.settimeout(3)
        return outcome(stream.connect, place.replace("@", "\0") if kind == "unix" else ("127.0.0.1", int(place)))


def listen(port):
    with socket.socket() as listener:
        return outcome(listener.bind, ("127.0.0.1", int(port)))


def datagram(address):
    """Connecting a datagram socket sends nothing, but needs a way."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        return outcome(probe.connect, (address, 53))


def interfaces():
    return [name for _, name in socket.if_nameindex()]


def route():
    """Adding an address to the loopback device by netlink."""
    with socket.socket(16, socket.SOCK_RAW, 0) as link:
        body = struct.pack("=BBBBI", 2, 8, 0, 0, 1) + struct.pack("=HH4s", 8, 2, bytes([10, 9, 8, 7]))
        link.send(struct.pack("=IHHII", 16 + len(body), 20, 0x605, 1, 0) + body)
        link.settimeout(3)
        return name_of(-struct.unpack_from("=i", link.recv(4096), 16)[0])


def peer_of_the_daemon():
    """A descriptor of the process at the other end of fd 3, and what can be done with it."""
    stream = socket.socket(fileno=os.dup(3))
    try:
        peer = struct.unpack("i", stream.getsockopt(socket.SOL_SOCKET, 77, 4))[0]
    except OSError as error:
        return ["no descriptor: " + name_of(error.errno)] * 3
    return [call("424", str(peer), "9", "0", "0"), call("438", str(peer), "0", "0"), call("308", str(peer), "0x10000000")]


def descriptors_for_the_daemon(hexadecimal):
    """An answer with descriptors that the daemon never asked for."""
    stream = socket.socket(fileno=os.dup(3))
    stream.sendmsg([bytes.fromhex(hexadecimal)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 200))])
    time.sleep(100)


def shared_with_siblings(port):
    """What another function of the same account can reach: an abstract socket, a port, a file."""
    listener = socket.socket(socket.AF_UNIX)
    abstract = outcome(listener.bind, "\0wayside-sibling")
    listener.listen()
    HELD.append(listener)
    with open("/tmp/sibling", "w", encoding="ascii") as file:
        file.write("secret of the sibling")
    return [abstract, listen(port)]


def reach_sibling():
    return [connect("unix", "@wayside-sibling"), os.path.exists("/tmp/sibling")]


def proc_writes(*names):
    return sorted({outcome(lambda: os.close(os.open(f"/proc/{name}", os.O_WRONLY))) for name in names})


def frames(hexadecimal, then):
    """Bytes on the connection to the daemon, behind the runtime's back."""
    data = bytes.fromhex(hexadecimal)
    while data:
        try:
            data = data[os.write(3, data):]
        except BlockingIOError:
            time.sleep(0.001)
        except OSError as error:
            return name_of(error.errno)
    if then == "hang":
        time.sleep(100)
    if then == "exit":
        os._exit(0)
    if then == "shut":
        os.close(3)
        time.sleep(100)
    return "answered"


def answer_in_advance(hexadecimal):
    """The answer to a call that has not come yet, sent after this one's."""
    threading.Timer(0.01, lambda: os.write(3, bytes.fromhex(hexadecimal))).start()
    return "answered"


def hog(mebibytes):
    for _ in range(int(mebibytes)):
        HELD.append(bytearray(os.urandom(1 << 10)) * 1024)
    return {"error": "ok", "amount": len(HELD)}


def fork_bomb():
    while True:
        with contextlib.suppress(OSError):
            os.fork()


def busy():
    threads = [threading.Thread(target=lambda: all(iter(lambda: True, False)), daemon=True) for _ in range(16)]
    for thread in threads:
        thread.start()
    time.sleep(100)


def output(mebibytes):
    line = b"x" * 65535 + b"\n"
    for _ in range(int(mebibytes) * 16):
        os.write(1, line)
    return "written"


def large_answer(mebibytes):
    return "x" * (int(mebibytes) << 20)


def handler(event, _):
    return globals()[event["attempt"]](*event["words"])
