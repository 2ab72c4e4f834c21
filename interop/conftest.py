"""Command-line options, and the servers that tests ask for."""

import shutil
import os
import re

import pytest

from harness.ensemble import Ensemble
from harness.network import Network
from harness.paths import RUNS
from harness.server import KINDS, JavaServer


def pytest_addoption(parser):
    parser.addoption("--server", choices=sorted(KINDS), default="grevy", help="which server to test")
    parser.addoption("--seed", type=int, default=None, help="differential: run this one sequence")
    parser.addoption("--sequences", type=int, default=None, help="differential: how many sequences a profile")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.failed:
        item.session.interop_failed = True
        item.interop_failed = True
        for folder in getattr(item, "interop_folders", []):
            report.sections.append(("servers' files kept in", str(folder)))
    return report


class Launcher:
    """Makes servers, each in a folder below one test's own, and ends those left running."""

    def __init__(self, folder, kind):
        self.folder = folder
        self.kind = kind
        self.servers = []

    def __call__(self, config=None, properties=None, *, kind=None, name=None, **more):
        """A server of the kind under test (or of `kind`), not yet started."""
        kind = kind or self.kind
        folder = self.folder / (name or f"{kind}-{len(self.servers) + 1}")
        server = KINDS[kind](folder, config, properties, **more)
        self.servers.append(server)
        return server

    def java(self, *args, **more) -> JavaServer:
        """A Java server, whatever is under test."""
        return self(*args, kind="java", **more)

    def end(self):
        for server in self.servers:
            if server.alive():
                server.kill()


def _launcher(request):
    name = re.sub(r"[^\w.-]+", "_", request.node.nodeid)[-120:]
    folder = RUNS / str(os.getpid()) / name
    folder.mkdir(parents=True, exist_ok=True)
    launcher = Launcher(folder, request.config.getoption("--server"))
    folders = getattr(request.node, "interop_folders", [])
    request.node.interop_folders = [*folders, folder]
    yield launcher
    launcher.end()
    failed = request.session.interop_failed if request.scope != "function" else request.node.interop_failed
    if not failed:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def new_server(request):
    """A launcher of servers for one test; they are ended, and their files removed unless it failed."""
    request.node.interop_failed = False
    yield from _launcher(request)


@pytest.fixture
def new_ensemble(new_server):
    """Makes ensembles for one test, which are ended with it."""
    return lambda *kinds, **more: Ensemble(new_server, kinds, **more)


@pytest.fixture
def network():
    """Links for the ensembles of one test."""
    links = Network()
    yield links
    links.end()


@pytest.fixture(scope="module")
def new_module_server(request):
    """The same for servers that the tests of a module share."""
    yield from _launcher(request)


@pytest.fixture(scope="module")
def server(new_module_server):
    """One running server of the kind under test, shared by the tests of a module, which must not stop it."""
    return new_module_server(name="shared", properties=SHARED_PROPERTIES).start()


SHARED_PROPERTIES = {
    "zookeeper.extendedTypesEnabled": "true",
    # Containers and expired TTL nodes go at the next check: often, so that a test can wait for it.
    "znode.container.checkIntervalMs": "500",
}


def pytest_sessionstart(session):
    session.interop_failed = False
