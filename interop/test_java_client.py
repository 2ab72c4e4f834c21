"""The official Java client, Curator, and ZooKeeper's shell."""

import pytest

from harness.java import run_checks, run_java

SHELL_MAIN = "org.apache.zookeeper.ZooKeeperMain"
GROUPS = ["nodes", "watches", "multi", "access", "sessions", "administration"]


@pytest.mark.parametrize("group", GROUPS)
def test_java_client(server, group):
    run_checks("ClientChecks", server.port, group)


def test_curator(server):
    run_checks("CuratorChecks", server.port)


# Commands of the shell and what it must say to each. They build on one another.
SHELL = [
    ("create /cli hello", "Created /cli"),
    ("create -e /cli/e x", "Created /cli/e"),
    ("create -s /cli/s x", "Created /cli/s0000000001"),
    ("create -c /cli/c", "Created /cli/c"),
    ("create -t 100000 /cli/t x", "Created /cli/t"),
    ("ls /cli", "[c, e, s0000000001, t]"),
    ("ls -R /cli", "/cli/s0000000001"),
    ("get -s /cli", "dataVersion = 0"),
    ("set -s -v 0 /cli world", "dataVersion = 1"),
    ("set -v 0 /cli world", "version No is not valid : /cli"),
    ("stat /cli", "numChildren = 4"),
    ("getAllChildrenNumber /cli", "4"),
    ("getAcl /cli", "'world,'anyone\n: cdrwa"),
    ("setAcl /cli/t world:anyone:r", ""),
    ("set /cli/t y", "Insufficient permission : /cli/t"),
    ("setquota -n 10 /cli", ""),
    ("listquota /cli", "count=10"),
    ("delquota -n /cli", ""),
    ("addWatch -m PERSISTENT /cli", ""),
    ("set /cli again", "WatchedEvent state:SyncConnected type:NodeDataChanged path:/cli"),
    ("removewatches /cli", "type:PersistentWatchRemoved path:/cli"),
    ("addauth digest ann:one", ""),
    ("whoami", "digest: ann"),
    ("config", ""),
    ("reconfig -remove 3", "KeeperErrorCode = Reconfig is disabled"),
    ("sync /cli", "Sync is OK"),
    ("getEphemerals /cli", "[/cli/e]"),
    ("get /none", "Node does not exist: /none"),
    ("create /none/x", "Node does not exist: /none/x"),
    ("create /cli", "Node already exists: /cli"),
    ("delete /cli", "Node not empty: /cli"),
    ("deleteall /cli", ""),
    ("ls /cli", "Node does not exist: /cli"),
    ("version", "ZooKeeper CLI version: 3.9"),
]


def test_shell(server):
    commands = "".join(f"{command}\n" for command, _ in SHELL)
    done = run_java(SHELL_MAIN, "-server", server.address, input=f"{commands}quit\n")
    output = done.stdout + done.stderr
    missing = [(command, expected) for command, expected in SHELL if expected not in output]
    assert not missing, f"{missing} in:\n{output}"
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("command", "code", "expected"),
    [
        ("create /once x", 0, "Created /once"),
        ("get /once", 0, "x"),
        ("delete /once", 0, ""),
        ("get /once", 1, "Node does not exist: /once"),
    ],
)
def test_shell_with_one_command(server, command, code, expected):
    done = run_java(SHELL_MAIN, "-server", server.address, *command.split())
    assert done.returncode == code
    assert expected in done.stdout + done.stderr
