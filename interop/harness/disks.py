"""Disks that are full soon: a small file system, and a limit on the size of files. Disks that are slow, or fail."""

import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from .paths import INTEROP, WORK


class Tmpfs:
    """A file system of one megabyte. Only root may mount it; others skip."""

    reason = "No space left on device"
    preexec = None

    def __init__(self, folder: Path):
        self.folder = folder

    def __enter__(self):
        self.folder.mkdir(parents=True)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", self.folder], capture_output=True, text=True
        )
        if mounted.returncode != 0:
            pytest.skip(f"no tmpfs here: {mounted.stderr.strip()}")
        return self

    def make_room(self):
        subprocess.run(["mount", "-o", "remount,size=16m", self.folder], check=True)

    def __exit__(self, *_):
        # Lazily: a server that a failing test left behind may still have files open there.
        subprocess.run(["umount", "--lazy", self.folder], check=True)


class Limit:
    """A process that may not write files longer than half a megabyte (RLIMIT_FSIZE)."""

    reason = "File too large"

    def __init__(self, folder: Path):
        self.folder = folder

    def preexec(self):
        """To be called in the new process, before the server's program."""
        # Else the limit kills the process instead of failing its writes.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (512 << 10, 512 << 10))

    def __enter__(self):
        os.makedirs(self.folder)
        return self

    def make_room(self):
        """The next server runs without the limit."""

    def __exit__(self, *_):
        pass


class Shim:
    """A disk whose syncs are slow or fail, for a server started with its `environment`."""

    def __init__(self, folder: Path):
        if shutil.which("cc") is None:
            pytest.skip("no C compiler")
        source, library = INTEROP / "c/disk_shim.c", WORK / "disk_shim.so"
        if not library.exists() or library.stat().st_mtime < source.stat().st_mtime:
            flags = ["-std=gnu11", "-Wall", "-Wextra", "-shared", "-fPIC", "-O1"]
            subprocess.run(["cc", *flags, source, "-o", library, "-ldl"], check=True)
        folder.mkdir(parents=True, exist_ok=True)
        self._orders = folder / "disk"
        self.heal()
        self.environment = {"LD_PRELOAD": str(library), "DISK_SHIM": str(self._orders)}

    def delay(self, milliseconds: int):
        """Every sync takes so much longer."""
        self._order(f"delay {milliseconds}")

    def fail(self):
        """Every sync fails with EIO."""
        self._order("fail")

    def heal(self):
        self._order("")

    def _order(self, text: str):
        # In one step: the server reads it at any moment.
        fresh = self._orders.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(self._orders)
