//! Commands against a scripted server: what is asked, what is printed, what is returned.

use crate::client::testing::{PATIENCE, Peer, buffer, int, text};
use crate::console::Console;
use crate::console::tests::Recorder;
use crate::options::Options;
use crate::shell::Shell;
use std::net::TcpListener;
use std::sync::Arc;

/// A request that must come, without its xid, and the answer: an error, and a record.
type Exchange = (Vec<Vec<u8>>, i32, Vec<u8>);

/// Runs a line; returns stdout, stderr and the exit code.
fn run(line: &str, exchanges: Vec<Exchange>) -> (String, String, u8) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let mut peer = Peer::accept(&listener);
        peer.frame();
        peer.accept_session();
        for (xid, (request, err, record)) in (1..).zip(exchanges) {
            let parts: Vec<_> = request.iter().map(Vec::as_slice).collect();
            peer.expect(&[&[&int(xid)[..]], &parts[..]].concat());
            peer.reply(xid, 1, err, &record);
        }
        peer
    });
    let recorder = Arc::new(Recorder::default());
    let options = Options::parse(std::iter::empty());
    let mut shell = Shell::new(Arc::clone(&recorder) as Arc<dyn Console>, options);
    shell.run_line("printwatches off");
    shell.connect(&address.to_string()).unwrap();
    let client = shell.current().get().unwrap();
    client.wait_connected(PATIENCE).unwrap();
    recorder.take();
    shell.run_line(line);
    // The connection is kept until here.
    drop(server.join().unwrap());
    let (out, err) = recorder.take();
    (out, err, shell.exit_code)
}

fn path(op: i32, path: &str) -> Vec<Vec<u8>> {
    vec![int(op), text(path)]
}

fn read(op: i32, path: &str) -> Vec<Vec<u8>> {
    vec![int(op), text(path), vec![0]]
}

fn data(data: &[u8]) -> Vec<u8> {
    [&buffer(data)[..], &[0; 68]].concat()
}

fn names(names: &[&str]) -> Vec<u8> {
    let mut record = int(i32::try_from(names.len()).unwrap());
    for name in names {
        record.extend(text(name));
    }
    record.extend([0; 68]);
    record
}

fn create(path: &str, data: &[u8], flags: i32) -> Vec<Vec<u8>> {
    let op = if flags == 4 { 19 } else { 1 };
    let acl = [int(1), int(31), text("world"), text("anyone")].concat();
    vec![int(op), text(path), buffer(data), acl, int(flags)]
}

fn delete(path: &str, version: i32) -> Vec<Vec<u8>> {
    vec![int(2), text(path), int(version)]
}

#[test]
fn lines_become_requests_and_answers_become_text() {
    const NO_NODE: i32 = -101;
    let empty_stat = crate::format::stat(&grevy_proto::Stat::default());
    let cases: Vec<(&str, Vec<Exchange>, &str, &str, u8)> = vec![
        (
            "ls /a",
            vec![(read(12, "/a"), 0, names(&["y", "x"]))],
            "[x, y]\n",
            "",
            0,
        ),
        (
            "ls /a",
            vec![(read(12, "/a"), NO_NODE, vec![])],
            "",
            "Node does not exist: /a\n",
            3,
        ),
        ("ls a", vec![], "", "Path must start with / character\n", 1),
        (
            "ls -R /",
            vec![
                (read(4, "/"), 0, data(b"")),
                (read(12, "/"), 0, names(&["b", "a"])),
                (read(12, "/a"), 0, names(&["c"])),
                (read(12, "/a/c"), NO_NODE, vec![]),
                (read(12, "/b"), 0, names(&[])),
            ],
            "/\n/a\n/b\n/a/c\n",
            "",
            0,
        ),
        (
            "get /a",
            vec![(read(4, "/a"), 0, data(b"hi"))],
            "hi\n",
            "",
            0,
        ),
        (
            "get -b /a",
            vec![(read(4, "/a"), 0, data(b"hi"))],
            "aGk=\n",
            "",
            0,
        ),
        (
            "get /a",
            vec![(read(4, "/a"), 0, [&int(-1)[..], &[0; 68]].concat())],
            "null\n",
            "",
            0,
        ),
        (
            "stat /a",
            vec![(read(3, "/a"), 0, vec![0; 68])],
            &empty_stat,
            "",
            0,
        ),
        (
            "stat /a",
            vec![(read(3, "/a"), NO_NODE, vec![])],
            "",
            "Node does not exist: /a\n",
            3,
        ),
        (
            "create -s /a x",
            vec![(create("/a", b"x", 2), 0, text("/a0000000003"))],
            "",
            "Created /a0000000003\n",
            0,
        ),
        (
            "create -c /a x",
            vec![(create("/a", b"x", 4), 0, [text("/a"), vec![0; 68]].concat())],
            "",
            "Created /a\n",
            0,
        ),
        (
            "create /a x bogus",
            vec![],
            "",
            "bogus does not have the form scheme:id:perm\nKeeperErrorCode = InvalidACL\nAcl is \
             not valid : null\n",
            1,
        ),
        (
            "create -e /a x",
            vec![(create("/a", b"x", 1), -120, vec![])],
            "",
            "Unable to create ephemeral node on a local session\nKeeperErrorCode = Ephemeral \
             node on local session for /a\n",
            1,
        ),
        (
            "delete -v 3 /a",
            vec![(delete("/a", 3), -103, vec![])],
            "",
            "version No is not valid : /a\n",
            4,
        ),
        (
            "deleteall -b 0 /a",
            vec![
                (read(12, "/a"), 0, names(&["b"])),
                (read(12, "/a/b"), 0, names(&[])),
                (delete("/a/b", -1), 0, vec![]),
                (delete("/a", -1), 0, vec![]),
            ],
            "",
            "",
            0,
        ),
        (
            "deleteall /a",
            vec![
                (read(12, "/a"), 0, names(&[])),
                (
                    vec![
                        int(14),
                        int(2),
                        vec![0],
                        int(-1),
                        text("/a"),
                        int(-1),
                        int(-1),
                        vec![1],
                        int(-1),
                    ],
                    0,
                    [
                        int(-1),
                        vec![0],
                        int(-102),
                        int(-102),
                        int(-1),
                        vec![1],
                        int(-1),
                    ]
                    .concat(),
                ),
            ],
            "",
            "Failed to delete some node(s) in the subtree!\n",
            1,
        ),
        (
            "setAcl -R /a world:anyone:r",
            vec![
                (read(4, "/a"), 0, data(b"")),
                (
                    vec![
                        int(7),
                        text("/a"),
                        int(1),
                        int(1),
                        text("world"),
                        text("anyone"),
                        int(-1),
                    ],
                    -102,
                    vec![],
                ),
                (read(12, "/a"), 0, names(&[])),
            ],
            "KeeperErrorCode = NoAuth for /a",
            "Failed to set the ACL of some node(s) in the subtree!\n",
            1,
        ),
        (
            "getAcl /a",
            vec![(
                path(6, "/a"),
                0,
                [int(1), int(31), text("world"), text("anyone"), vec![0; 68]].concat(),
            )],
            "'world,'anyone\n: cdrwa\n",
            "",
            0,
        ),
        (
            "sync /a",
            vec![(path(9, "/a"), 0, text("/a"))],
            "Sync is OK\n",
            "",
            0,
        ),
        (
            "sync /a",
            vec![(path(9, "/a"), -119, vec![])],
            "Sync has failed. rc=-119\n",
            "",
            0,
        ),
        (
            "getAllChildrenNumber /a",
            vec![(path(104, "/a"), 0, int(7))],
            "7\n",
            "",
            0,
        ),
        (
            "getEphemerals",
            vec![(path(103, "/"), 0, [int(2), text("/b"), text("/a")].concat())],
            "[/b, /a]\n",
            "",
            0,
        ),
        (
            "whoami",
            vec![(
                vec![int(107)],
                0,
                [int(1), text("ip"), text("127.0.0.1")].concat(),
            )],
            "Auth scheme: User\nip: 127.0.0.1\n",
            "",
            0,
        ),
        (
            "config -c",
            vec![(
                read(4, "/zookeeper/config"),
                0,
                data(b"server.1=h:1:2:participant;h:3\nversion=1f"),
            )],
            "1f h:3\n",
            "",
            0,
        ),
        (
            "reconfig -remove 3",
            vec![(
                vec![
                    int(16),
                    int(-1),
                    text("3"),
                    int(-1),
                    (-1i64).to_be_bytes().to_vec(),
                ],
                0,
                data(b"version=2"),
            )],
            "Committed new configuration:\nversion=2\n",
            "",
            0,
        ),
        (
            "listquota /a",
            vec![
                (
                    read(4, "/zookeeper/quota/a/zookeeper_limits"),
                    0,
                    data(b"count=5,bytes=-1"),
                ),
                (
                    read(4, "/zookeeper/quota/a/zookeeper_stats"),
                    0,
                    data(b"count=1,bytes=9"),
                ),
            ],
            "Output quota for /a count=5,bytes=-1\nOutput stat for /a count=1,bytes=9\n",
            "absolute path is /zookeeper/quota/a/zookeeper_limits\n",
            0,
        ),
        (
            "setquota -n 1 /",
            vec![(read(3, "/"), 0, vec![0; 68])],
            "",
            "Path must not end with / character\n",
            1,
        ),
        (
            "setquota -n 1 /a/b",
            vec![
                (read(3, "/a/b"), 0, vec![0; 68]),
                (read(3, "/zookeeper/quota/a/b"), NO_NODE, vec![]),
                (
                    read(12, "/zookeeper/quota/a"),
                    0,
                    names(&["zookeeper_limits"]),
                ),
            ],
            "",
            "/a/b has a parent /a which has a quota\n",
            1,
        ),
    ];
    for (line, exchanges, out, err, exit_code) in cases {
        let seen = run(line, exchanges);
        assert_eq!(seen, (out.to_owned(), err.to_owned(), exit_code), "{line}");
    }
}
