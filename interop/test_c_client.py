"""The C client, from the library that Debian ships."""

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.paths import INTEROP, WORK


@pytest.fixture(scope="module")
def program():
    """The compiled C program; a machine without the library skips, as only root can install it."""
    if not Path("/usr/include/zookeeper/zookeeper.h").exists() or shutil.which("cc") is None:
        pytest.skip("libzookeeper-mt-dev is not installed")
    target = WORK / "c-client"
    flags = ["-std=gnu11", "-Wall", "-Wextra", "-DTHREADED"]
    subprocess.run(["cc", *flags, INTEROP / "c/client.c", "-o", target, "-lzookeeper_mt", "-lpthread"], check=True)
    return target


def test_c_client(server, program):
    done = subprocess.run([program, server.address], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok ") > 30
