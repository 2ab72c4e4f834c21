use super::*;
use crate::words;
use grevy_proto::{Acl, Id};

fn command(line: &str) -> Result<Command, String> {
    let parse = parse(&words::split(line)).unwrap();
    parse.command.map_err(|error| error.message)
}

fn create_of(mode: CreateMode) -> Command {
    Command::Create {
        path: "/a".to_owned(),
        data: None,
        acl: vec![Acl::OPEN],
        mode,
        ttl: 0,
    }
}

#[test]
fn every_command_and_flag() {
    let path = || "/a".to_owned();
    let get = |stat, watch, format| Command::Get {
        path: path(),
        stat,
        watch,
        format,
    };
    let ls = |stat, watch, recursive| Command::Ls {
        path: path(),
        stat,
        watch,
        recursive,
    };
    let config = |client, watch, stat| Command::Config {
        client,
        watch,
        stat,
    };
    let set = |data: &str, version, stat| Command::Set {
        path: path(),
        data: data.as_bytes().to_vec(),
        version,
        stat,
    };
    let set_acl = |version, stat, recursive| Command::SetAcl {
        path: path(),
        acl: vec![Acl::READ],
        version,
        stat,
        recursive,
    };
    let removal = |which, local| Command::RemoveWatches {
        path: path(),
        which,
        local,
    };
    let set_quota = |limit, value: &str| Command::SetQuota {
        path: path(),
        limit,
        value: value.to_owned(),
    };
    let del_quota = |limit| Command::DelQuota {
        path: path(),
        limit,
    };
    let add_watch = |mode| Command::AddWatch { path: path(), mode };
    let auth = |auth: Option<&str>| Command::AddAuth {
        scheme: "digest".to_owned(),
        auth: auth.map(str::to_owned),
    };
    let delete = |version| Command::Delete {
        path: path(),
        version,
    };
    let delete_all = |batch| Command::DeleteAll {
        path: path(),
        batch,
    };
    let reconfig = |joining: Option<&str>, leaving: Option<&str>, members: Option<&str>| {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Command::Reconfig {
            joining: owned(joining),
            leaving: owned(leaving),
            members: owned(members),
            version: -1,
            stat: false,
        }
    };
    use DataFormat::{Base64, HexDump, Plain};
    for (line, expected) in [
        ("addWatch /a", add_watch(AddWatchMode::PersistentRecursive)),
        (
            "addWatch -m persistent /a",
            add_watch(AddWatchMode::Persistent),
        ),
        (
            "addWatch /a -m PERSISTENT_RECURSIVE",
            add_watch(AddWatchMode::PersistentRecursive),
        ),
        ("addauth digest", auth(None)),
        ("addauth digest u:p", auth(Some("u:p"))),
        ("close", Command::Close),
        ("close -x y", Command::Close),
        ("config", config(false, false, false)),
        ("config -c", config(true, false, false)),
        ("config -w -s", config(false, true, true)),
        ("create /a", create_of(CreateMode::Persistent)),
        ("create -e /a", create_of(CreateMode::Ephemeral)),
        ("create -s /a", create_of(CreateMode::PersistentSequential)),
        (
            "create -s -e /a",
            create_of(CreateMode::EphemeralSequential),
        ),
        ("create -es /a", create_of(CreateMode::EphemeralSequential)),
        ("create -c /a", create_of(CreateMode::Container)),
        ("delete /a", delete(-1)),
        ("delete -v 3 /a", delete(3)),
        ("deleteall /a", delete_all(1000)),
        ("deleteall /a -b 5", delete_all(5)),
        ("delquota /a", del_quota(None)),
        ("delquota -n /a", del_quota(Some(Limit::Count))),
        ("delquota -b /a", del_quota(Some(Limit::Bytes))),
        ("delquota -N /a", del_quota(Some(Limit::CountHard))),
        ("delquota -B /a", del_quota(Some(Limit::BytesHard))),
        ("get /a", get(false, false, Plain)),
        ("get -s -w /a", get(true, true, Plain)),
        ("get -b /a", get(false, false, Base64)),
        ("get -x /a", get(false, false, HexDump)),
        ("get -b -x /a", get(false, false, HexDump)),
        (
            "getAcl /a",
            Command::GetAcl {
                path: path(),
                stat: false,
            },
        ),
        (
            "getAcl -s /a",
            Command::GetAcl {
                path: path(),
                stat: true,
            },
        ),
        (
            "getAllChildrenNumber /a",
            Command::GetAllChildrenNumber { path: path() },
        ),
        (
            "getEphemerals",
            Command::GetEphemerals {
                prefix: "/".to_owned(),
            },
        ),
        (
            "getEphemerals /a",
            Command::GetEphemerals { prefix: path() },
        ),
        ("listquota /a", Command::ListQuota { path: path() }),
        ("ls /a", ls(false, false, false)),
        ("ls -s -w -R /a", ls(true, true, true)),
        ("ls /a -R", ls(false, false, true)),
        ("reconfig -add S.1=A", reconfig(Some("s.1=a"), None, None)),
        ("reconfig -remove 1,2", reconfig(None, Some("1,2"), None)),
        (
            "reconfig -add a -remove 3",
            reconfig(Some("a"), Some("3"), None),
        ),
        ("reconfig -members A,b", reconfig(None, None, Some("a,b"))),
        ("removewatches /a", removal(WatcherType::Any, false)),
        ("removewatches /a -c", removal(WatcherType::Children, false)),
        ("removewatches /a -d", removal(WatcherType::Data, false)),
        (
            "removewatches /a -p -l",
            removal(WatcherType::Persistent, true),
        ),
        (
            "removewatches /a -r",
            removal(WatcherType::PersistentRecursive, false),
        ),
        ("removewatches /a -a", removal(WatcherType::Any, false)),
        ("set /a x", set("x", -1, false)),
        ("set /a x -s -v 4", set("x", 4, true)),
        ("set -b /a aGk=", set("hi", -1, false)),
        ("set -b /a aGk", set("hi", -1, false)),
        ("set /a -- -5", set("-5", -1, false)),
        ("setAcl /a world:anyone:r", set_acl(-1, false, false)),
        (
            "setAcl -s -v 2 -R /a world:anyone:r",
            set_acl(2, true, true),
        ),
        ("setquota -n 5 /a", set_quota(Limit::Count, "5")),
        ("setquota -b -1 /a", set_quota(Limit::Bytes, "-1")),
        ("setquota -N x /a", set_quota(Limit::CountHard, "x")),
        ("setquota /a -B 7", set_quota(Limit::BytesHard, "7")),
        (
            "stat /a",
            Command::Stat {
                path: path(),
                watch: false,
            },
        ),
        (
            "stat -w /a",
            Command::Stat {
                path: path(),
                watch: true,
            },
        ),
        ("sync /a", Command::Sync { path: path() }),
        ("version", Command::Version),
        ("whoami", Command::WhoAmI),
        ("whoami x", Command::WhoAmI),
    ] {
        assert_eq!(command(line), Ok(expected), "{line}");
    }
}

#[test]
fn creates_with_data_acl_and_ttl() {
    let create = |mode, ttl| Command::Create {
        path: "/a".to_owned(),
        data: Some("d e".to_owned()),
        acl: vec![Acl {
            perms: 1,
            id: Id::new("ip", "1.2.3.4"),
        }],
        mode,
        ttl,
    };
    for (line, expected) in [
        (
            "create -t 5 /a 'd e' ip:1.2.3.4:r",
            create(CreateMode::PersistentWithTtl, 5),
        ),
        (
            "create -s /a 'd e' ip:1.2.3.4:r -t 1099511627775",
            create(CreateMode::PersistentSequentialWithTtl, 1_099_511_627_775),
        ),
        (
            "create /a 'd e' ip:1.2.3.4:r",
            create(CreateMode::Persistent, 0),
        ),
    ] {
        assert_eq!(command(line), Ok(expected), "{line}");
    }
}

#[test]
fn misuse() {
    let ttl = "ttl must be positive and cannot be larger than: 1099511627775";
    for (line, expected) in [
        ("create", usage("create").as_str()),
        ("create -t x /a", "-t argument must be a long value"),
        ("create -t 0 /a", ttl),
        ("create -t 1099511627776 /a", ttl),
        (
            "create -t 5 -e /a",
            "TTLs cannot be used with Ephemeral znodes",
        ),
        (
            "create -t 5 -c /a",
            "TTLs cannot be used with Container znodes",
        ),
        (
            "create -c -s /a",
            "-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.",
        ),
        ("delete", "delete [-v version] path"),
        ("delete -v x /a", "-v x is not a version number"),
        ("deleteall -b x /a", "-b argument must be an int value"),
        ("addWatch -m x /a", usage("addWatch").as_str()),
        ("addWatch /a /b", usage("addWatch").as_str()),
        ("version x", "version "),
        ("ls", "ls [-s] [-w] [-R] path"),
        (
            "get",
            "get [-s] [-w] [-b] [-x] path\n -b   Output data in base64 format\n -s   Print znode \
             stats additionally\n -w   Watch for changes on the znode\n -x   Output data in \
             hexdump format\n",
        ),
        (
            "set /a",
            "set path data [-s] [-v version] [-b]\n -b         Supply data in base64 format\n \
             -s         Print znode stats additionally\n -v <arg>   Set with an expected version\n",
        ),
        (
            "set -b /a !!!",
            "!!! is not base64: Invalid symbol 33, offset 0.",
        ),
        ("setquota -n 5", "setquota -n|-b|-N|-B val path"),
        ("reconfig", usage("reconfig").as_str()),
        (
            "reconfig -v zz -remove 3",
            "-v must be followed by a long (configuration version)",
        ),
        (
            "reconfig -members a -add b",
            "Can't use -file or -members together with -add or -remove (mixing incremental and \
             non-incremental modes is not allowed)",
        ),
        (
            "reconfig -members a -file b",
            "Can't use -file and -members together (conflicting non-incremental modes)",
        ),
    ] {
        assert_eq!(command(line), Err(expected.to_owned()), "{line}");
    }
    assert_eq!(parse(&words::split("bogus /a")), None);
    assert_eq!(parse(&[]), None);
}

#[test]
fn old_forms_and_help_are_said() {
    for (line, out, err) in [
        (
            "get /a true",
            "",
            "'get path [watch]' has been deprecated. Please use 'get [-s] [-w] path' instead.\n",
        ),
        (
            "ls /a true",
            "",
            "'ls path [watch]' has been deprecated. Please use 'ls [-w] path' instead.\n",
        ),
        (
            "stat /a true",
            "",
            "'stat path [watch]' has been deprecated. Please use 'stat [-w] path' instead.\n",
        ),
        (
            "delete /a 5",
            "",
            "'delete path [version]' has been deprecated. Please use 'delete [-v version] path' \
             instead.\n",
        ),
        (
            "ls -? /a",
            "usage: ls [options] path\n -?   help\n -R   recurse\n -s   stat\n -w   watch\n",
            "",
        ),
        (
            "create /a d bogus",
            "",
            "bogus does not have the form scheme:id:perm\n",
        ),
        ("setAcl /a x:y:z", "", "Unknown perm type: z\n"),
    ] {
        let parse = parse(&words::split(line)).unwrap();
        assert_eq!(
            (parse.out.as_str(), parse.err.as_str()),
            (out, err),
            "{line}"
        );
        assert!(parse.command.is_ok(), "{line}");
    }
}
