"""grevy-client against Java servers of each line, alone, in an ensemble and with TLS, and against Grevy."""

import os
import subprocess

import pytest

from harness.certificates import Certificates
from harness.paths import REPOSITORY
from harness.ports import free_port

JAVA = ["3.5.10", "3.6.4", "3.7.2", "3.8.4", "3.9.5"]
PROPERTIES = {"zookeeper.extendedTypesEnabled": "true"}


@pytest.fixture(scope="module")
def program() -> str:
    """The checks, an example of grevy-client."""
    build = ["cargo", "build", "--quiet", "--package", "grevy-client", "--example", "checks", "--features", "tls"]
    subprocess.run(build, cwd=REPOSITORY, check=True)
    target = os.environ.get("CARGO_TARGET_DIR", str(REPOSITORY / "target"))
    return f"{target}/debug/examples/checks"


def run(program, restart, address, version, *files):
    """Runs the checks, restarting the server when they ask for it."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([program, address, version, *files], text=True, **pipes)
    try:
        if process.stdout.readline() == "restart\n":
            restart()
        output, errors = process.communicate("\n", timeout=60)
        assert (process.returncode, output) == (0, "done\n"), errors
    finally:
        process.kill()


@pytest.mark.parametrize("version", JAVA)
def test_java_servers(new_server, program, version):
    server = new_server.java(None, PROPERTIES, version=version).start()
    run(program, server.restart, server.address, version)


def test_server(new_server, program):
    server = new_server(None, PROPERTIES).start()
    run(program, server.restart, server.address, "3.9")


@pytest.mark.parametrize("version", ["3.5.10", "3.9.5"])
def test_tls(new_server, program, version, tmp_path):
    certificates = Certificates(tmp_path)
    port = free_port()
    server = new_server.java(certificates.server_config(port), PROPERTIES, version=version).start()
    files = [certificates.path(name) for name in ("ca.pem", "client.pem", "client.key")]
    run(program, server.restart, f"localhost:{port}", version, *files)


def test_ensemble(new_server, program):
    members = {f"server.{n}": f"127.0.0.1:{free_port()}:{free_port()}" for n in (1, 2, 3)}
    servers = [new_server.java(members, PROPERTIES) for _ in members]
    for number, server in enumerate(servers, 1):
        server.data.mkdir()
        (server.data / "myid").write_text(str(number))
        server.spawn()
    for server in servers:
        server.wait()

    def lose_the_client_s_server():
        """The session must go on at one of the others, which are a quorum."""
        (its,) = [server for server in servers if "sid=0x" in server.ask("cons")]
        its.kill()

    addresses = ",".join(server.address for server in servers)
    run(program, lose_the_client_s_server, addresses, "3.9")
