"""Links between servers that can be cut, cut one way, slowed down and reset.

Every link is a small proxy: a server is told the port of the proxy instead of the other server's. This needs no
privileges and works where network namespaces do not. What is cut is held back and delivered when the link is healed,
as TCP does; whoever closes a connection meanwhile is not heard of until then.
"""

import asyncio
import contextlib
import socket
import struct
import threading

from .ports import free_port

_HELLO, _HELLO_MULTI = -65536, -65535
PATIENCE = 0.5
"""For so many seconds a refused connection is tried again: servers dial one who is about to lead a few times, and take
a connection that a link has accepted and then resets for the end of it.
"""
_RESET = struct.pack("ii", 1, 0)


class Direction:
    """What the bytes from one side to another must wait for."""

    def __init__(self):
        self.open = asyncio.Event()
        self.open.set()
        self.delay = 0.0


class Network:
    """All links, run by a thread of their own. Ends are named by anything hashable: server ids, "client"."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()
        self._directions = {}
        self._severed = set()
        self._elections = {}
        self._listeners = []
        self._live = {}

    def route(self, source, target, port: int, election: bool = False) -> int:
        """The port on which `source` reaches `port` of `target`.

        A server says at its election port where it can be called back. Over an election link it is made to say the
        port of the link that leads back, or the other one would go round the proxies.
        """
        return self._call(self._listen(source, target, port, election))

    # Faults

    def cut(self, *pairs):
        """Nothing goes from the first of a pair to the second, nor back."""
        self.cut_one_way(*pairs, *[(target, source) for source, target in pairs])

    def cut_one_way(self, *pairs):
        """Nothing goes from the first of a pair to the second. What the second one says arrives."""
        self._each(pairs, lambda direction: direction.open.clear())

    def delay(self, seconds: float, *pairs):
        """All that goes from the first of a pair to the second takes so much longer."""

        def set_delay(direction):
            direction.delay = seconds

        self._each(pairs, set_delay)

    def sever(self, *pairs):
        """Connections between the two are reset, and new ones as soon as they are made, until the link is healed."""
        self._call(self._sever([frozenset(pair) for pair in pairs]))

    def isolate(self, one, *others, how="cut"):
        """Takes one off from all the others."""
        getattr(self, how)(*[(one, other) for other in others])

    def heal(self):
        """All links are as they were at first."""
        self._call(self._heal())

    def end(self):
        async def close():
            for listener in self._listeners:
                listener.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._call(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # In the thread of the loop

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    def _each(self, pairs, change):
        async def all_of_them():
            for pair in pairs:
                change(self._direction(*pair))

        self._call(all_of_them())

    def _direction(self, source, target) -> Direction:
        return self._directions.setdefault((source, target), Direction())

    async def _listen(self, source, target, port, election):
        listening = free_port()

        async def accepted(reader, writer):
            await self._connection(source, target, port, election, reader, writer)

        self._listeners.append(await asyncio.start_server(accepted, "127.0.0.1", listening))
        if election:
            self._elections[source, target] = listening
        return listening

    async def _sever(self, links):
        self._severed.update(links)
        for link in links:
            for writer in list(self._live.get(link, ())):
                _reset(writer)

    async def _heal(self):
        self._severed.clear()
        for direction in self._directions.values():
            direction.delay = 0.0
            direction.open.set()

    async def _connection(self, source, target, port, election, reader, writer):
        link = frozenset((source, target))
        live = self._live.setdefault(link, set())
        there, back = self._direction(source, target), self._direction(target, source)
        if link in self._severed:
            _reset(writer)
            return
        live.add(writer)
        far_writer = None
        try:
            # A connection over a link that is cut comes to be when the link does.
            await there.open.wait()
            far_reader, far_writer = await _dial(port, patience=0 if election else PATIENCE)
            live.add(far_writer)
            first = await self._hello(source, target, reader) if election else b""
            async with asyncio.TaskGroup() as both:
                both.create_task(_pump(reader, far_writer, there, first))
                both.create_task(_pump(far_reader, writer, back, b""))
        except* (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for one in (writer, far_writer):
                if one is not None:
                    live.discard(one)
                    _reset(one)

    async def _hello(self, source, target, reader) -> bytes:
        """What the dialler of an election port says first, with the way back that leads over the proxies."""
        start = await reader.readexactly(8)
        (version,) = struct.unpack(">q", start)
        if version not in (_HELLO, _HELLO_MULTI):
            return start
        sid = await reader.readexactly(8)
        (length,) = struct.unpack(">i", await reader.readexactly(4))
        await reader.readexactly(length)
        address = f"127.0.0.1:{self._elections[target, source]}".encode()
        return start + sid + struct.pack(">i", len(address)) + address


async def _dial(port: int, patience: float):
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            if loop.time() > deadline:
                raise
        await asyncio.sleep(0.02)


async def _pump(reader, writer, direction: Direction, first: bytes):
    """Passes on what comes, each piece so much later as is set when it comes, and the end at last."""
    queue = asyncio.Queue(maxsize=64)
    loop = asyncio.get_running_loop()

    async def receive():
        piece = first or await _read(reader)
        while True:
            await queue.put((loop.time() + direction.delay, piece))
            if not piece:
                return
            piece = await _read(reader)

    receiving = asyncio.ensure_future(receive())
    try:
        while True:
            due, piece = await queue.get()
            await asyncio.sleep(max(0, due - loop.time()))
            await direction.open.wait()
            if piece is None:
                raise ConnectionResetError
            if not piece:
                break
            writer.write(piece)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()
    finally:
        receiving.cancel()


async def _read(reader):
    """The next piece, nothing at the end; None for a reset, which must reach the other side as well."""
    try:
        return await reader.read(65536)
    except ConnectionError:
        return None


def _reset(writer):
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
