"""A program in a terminal, used as a person does: wait for the prompt, type a line, look at what came."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

# Colours, cursor movements and modes.
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r")


class Terminal:
    def __init__(self, *command, **more):
        self._outside, inside = pty.openpty()
        # Wide enough that no line is broken.
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 500, 0, 0))
        environment = os.environ | {"TERM": "xterm"}
        self.process = subprocess.Popen(
            [*map(str, command)], stdin=inside, stdout=inside, stderr=inside, env=environment, **more
        )
        os.close(inside)
        self._seen = b""

    def type(self, line: str):
        os.write(self._outside, line.encode() + b"\r")

    def until(self, pattern: str, seconds: float = 30) -> re.Match:
        """Waits for the pattern in what came since the last call, and forgets what came up to its end."""
        deadline = time.monotonic() + seconds
        while True:
            text = _CONTROL.sub(b"", self._seen).decode(errors="replace")
            found = re.search(pattern, text)
            if found:
                self._seen = text[found.end() :].encode()
                return found
            ready, _, _ = select.select([self._outside], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"after {seconds:g} s there is no {pattern!r} in {text!r}")
            try:
                piece = os.read(self._outside, 65536)
            except OSError:
                # How Linux says that the program has closed its terminal.
                raise EOFError(f"the program has ended, and there is no {pattern!r} in {text!r}") from None
            self._seen += piece

    def end(self) -> int:
        """Returns the exit code; the program must be about to end."""
        code = self.process.wait(20)
        os.close(self._outside)
        return code
