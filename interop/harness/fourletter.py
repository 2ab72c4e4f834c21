"""Four-letter words."""

import socket


def ask(port: int, word: str, timeout: float = 10.0) -> str:
    """Sends a four-letter word and returns all that comes before the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as sock:
        sock.sendall(word.encode())
        return read_all(sock).decode()


def read_all(sock: socket.socket) -> bytes:
    """Everything up to the end of the stream; a reset after the answer counts as its end."""
    received = b""
    while True:
        try:
            piece = sock.recv(65536)
        except ConnectionResetError:
            return received
        if not piece:
            return received
        received += piece


def fields(text: str, separator: str) -> dict[str, str]:
    """The `key<separator>value` lines of an answer, as of `srvr` (": ") or `mntr` (tab)."""
    pairs = (line.split(separator, 1) for line in text.splitlines() if separator in line)
    return {key.strip(): value.strip() for key, value in pairs}
