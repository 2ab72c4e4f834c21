"""Free loopback ports, taken below the range from which the kernel gives ports to clients.

A port from that range could be given to a client's socket between a server's stop and its restart.
"""

import itertools
import os
import socket

_FIRST, _LAST = 20_000, 31_999
_next = itertools.count(os.getpid() * 37)


def free_port() -> int:
    """A port on which a server can listen now, and which this run has not handed out before."""
    for offset in itertools.islice(_next, _LAST - _FIRST):
        port = _FIRST + offset % (_LAST - _FIRST)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no free port between {_FIRST} and {_LAST}")
