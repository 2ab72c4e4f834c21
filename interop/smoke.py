"""Uses a server as a client would: opens a session, writes, reads back, and closes. Needs nothing but Python.

Argument: the file into which the server writes its port.
"""

import sys
from pathlib import Path

from harness import records
from harness.waiting import wait_until
from harness.wire import Op, Wire


def main():
    file = Path(sys.argv[1])
    wait_until(lambda: file.exists() and file.read_text().strip(), f"the server writes {file}", seconds=60)
    with Wire(int(file.read_text())) as client:
        session = client.connect()
        assert session.id != 0, session
        client.ok(Op.CREATE, records.create("/smoke", b"hello"))
        data, stat = client.ok(Op.GET_DATA, records.path_and_watch("/smoke"))
        assert (data, stat.version) == (b"hello", 0), (data, stat)
        client.ok(Op.DELETE, records.path_and_version("/smoke"))
        assert client.close_session().err == 0
    print("a client created, read and deleted a node")


if __name__ == "__main__":
    main()
