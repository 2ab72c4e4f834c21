"""kazoo clients for tests."""

import contextlib

from kazoo.client import KazooClient
from kazoo.handlers.threading import SequentialThreadingHandler
from kazoo.retry import KazooRetry


class _PatientHandler(SequentialThreadingHandler):
    """Connects to a server only when it serves.

    A Java server that is starting may accept a connection and then forget it; a client that was too early
    waits for an answer until its session is over.
    """

    def __init__(self, server):
        super().__init__()
        self._server = server

    def create_connection(self, *args, **kwargs):
        if not self._server.serves():
            raise ConnectionRefusedError("not serving yet")
        return super().create_connection(*args, **kwargs)


def _handler(server):
    return _PatientHandler(server) if server.kind == "java" else SequentialThreadingHandler()


@contextlib.contextmanager
def kazoo(server, chroot: str = "", timeout: float = 10.0, **more):
    """A connected client; it retries commands that a lost connection interrupted."""
    retry = KazooRetry(max_tries=-1, delay=0.05, max_delay=0.5, deadline=60)
    client = KazooClient(
        hosts=server.address + chroot,
        timeout=timeout,
        handler=_handler(server),
        connection_retry=retry,
        command_retry=retry.copy(),
        **more,
    )
    client.start(timeout=30)
    try:
        yield client
    finally:
        client.stop()
        client.close()
