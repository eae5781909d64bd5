"""A wire between two hosts, in user space: connections and datagrams pass with delay, with loss, or not at all.

What it emulates: a link's one-way delay and jitter on whatever passes; the loss of datagrams; a link that is cut. What it does not:
bandwidth, reordering, and the loss of single TCP segments, which the kernels at both ends would repair: a lost chunk of a connection
comes later by `repair` seconds instead, and what follows it waits, as behind a retransmission.

Run as `relay.py CONTROL-SOCKET` inside the network namespace between the hosts. Commands are JSON objects, a line each:

    {"open": NAME, "listen": [HOST, PORT], "to": [HOST, PORT], "delay": SECONDS, "jitter": SECONDS, "loss": 0..1, "repair": SECONDS}
    {"set": NAME, "delay": …, "jitter": …, "loss": …}
    {"cut": NAME, "how": "silence" | "reset"}      silence: nothing passes and nobody is told; reset: connections end, and
                                                   new ones are refused. With "after": BYTES the link is cut when so many
                                                   more have come back over it, with "after": [BYTES, BYTES] when so many have
                                                   gone there or come back; a connection is cut between two bytes
    {"mend": NAME}
    {"count": NAME}                                answers {"connections": now, "accepted": ever, "bytes": [there, back],
                                                   "passing": whether it is not cut}

Each is answered by a line, {"ok": true, …} or {"error": …}.
"""

import asyncio
import contextlib
import json
import math
import random
import socket
import struct
import sys

CHUNK = 256 * 1024
WINDOW = 8 * 1024 * 1024  # bytes on the way in one direction of a connection; a sender that is ahead of that waits


class Link:
    """One listening address and where it leads."""

    def __init__(self, listen, to, delay=0.0, jitter=0.0, loss=0.0, repair=0.2):
        self.listen, self.to = tuple(listen), tuple(to)
        self.delay, self.jitter, self.loss, self.repair = delay, jitter, loss, repair
        self.passing = asyncio.Event()
        self.passing.set()
        self.server = None
        self.accepted = 0
        self.bytes = [0, 0]
        self.bytes_max = [math.inf, math.inf]
        self.cut_how = None
        self.tasks = set()

    async def open(self):
        self.server = await asyncio.start_server(self._serve, *self.listen, limit=CHUNK)

    async def cut(self, how, after=None):
        if after is not None:
            after = after if isinstance(after, list) else [math.inf, after]
            self.bytes_max = [now + more for now, more in zip(self.bytes, after, strict=True)]
            self.cut_how = how
            return
        self.bytes_max = [math.inf, math.inf]
        self.passing.clear()
        if how == "reset":
            self.server.close()
            for task in list(self.tasks):
                task.cancel()

    async def mend(self):
        self.passing.set()
        if not self.server.is_serving():
            await self.open()

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        self.accepted += 1
        far = None
        try:
            await self._pause()
            far = await asyncio.open_connection(*self.to, limit=CHUNK)
            for side in (writer, far[1]):
                side.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._carry(reader, far[1], 0))
                group.create_task(self._carry(far[0], writer, 1))
        except (OSError, asyncio.CancelledError, ExceptionGroup):
            for side in (writer, far[1] if far else None):
                if side:
                    with contextlib.suppress(OSError):
                        side.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    side.transport.abort()
        finally:
            self.tasks.discard(task)
            for side in (writer, far[1] if far else None):
                if side:
                    side.close()

    async def _carry(self, reader, writer, direction):
        """One direction: what is read now is written when its time has come, in order."""
        clock = asyncio.get_running_loop().time
        queue, room = asyncio.Queue(), asyncio.Semaphore(WINDOW // CHUNK)

        async def write():
            while True:
                due, data = await queue.get()
                await asyncio.sleep(max(0.0, due - clock()))
                await self.passing.wait()
                if not data:
                    writer.write_eof()
                    return
                left = self.bytes_max[direction] - self.bytes[direction]
                if len(data) > left:
                    await self._send(writer, data[:int(left)], direction)
                    data = data[int(left):]
                    await self.cut(self.cut_how)
                    await self.passing.wait()
                await self._send(writer, data, direction)
                room.release()

        async def read():
            last = 0.0
            while True:
                await room.acquire()
                data = await reader.read(CHUNK)
                late = self.repair if self.loss and random.random() < self.loss else 0.0
                last = max(last, clock() + self._delay() + late)
                queue.put_nowait((last, data))
                if not data:
                    return

        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            group.create_task(read())

    async def _send(self, writer, data, direction):
        writer.write(data)
        await writer.drain()
        self.bytes[direction] += len(data)

    def _delay(self):
        return max(0.0, self.delay + random.uniform(-self.jitter, self.jitter))

    async def _pause(self):
        """The way of a connection's first segment and its answer."""
        await asyncio.sleep(2 * self._delay())
        await self.passing.wait()


class Relay:
    def __init__(self):
        self.links = {}

    async def obey(self, command):
        """The answer to one command."""
        if "open" in command:
            name = command.pop("open")
            link = Link(**command)
            await link.open()
            self.links[name] = link
            return {}
        verb, name = next((verb, command.pop(verb)) for verb in ("set", "cut", "mend", "count") if verb in command)
        link = self.links[name]
        if verb == "set":
            for key, value in command.items():
                if key not in ("delay", "jitter", "loss", "repair"):
                    raise ValueError(f"a link has no {key}")
                setattr(link, key, value)
        elif verb == "cut":
            await link.cut(command.get("how", "silence"), command.get("after"))
        elif verb == "mend":
            await link.mend()
        else:
            return {"connections": len(link.tasks), "accepted": link.accepted, "bytes": link.bytes, "passing": link.passing.is_set()}
        return {}

    async def listen(self, reader, writer):
        while line := await reader.readline():
            try:
                answer = {"ok": True} | await self.obey(json.loads(line))
            except (KeyError, ValueError, TypeError, StopIteration, OSError) as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()


async def main(path):
    relay = Relay()
    server = await asyncio.start_unix_server(relay.listen, path)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
