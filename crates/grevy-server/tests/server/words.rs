//! The texts of the four-letter words, as the Java server 3.9.5 writes them.

use crate::client::Client;
use crate::place::Place;
use crate::template::assert_fits;
use grevy_proto::{ErrorCode, OpCode};
use grevy_server::config::FourLetterWords;

const ALL: &str = "4lw.commands.whitelist=*\n";
const VERSION: &str = "3.9.5-grevy-*, built on @-@-@ @:@ UTC";
const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

/// A client with a session, an ephemeral znode and watches.
fn busy_client(place: &Place) -> Client {
    let mut client = Client::connect(place.address);
    client.create("/a", b"", 0);
    client.create("/a/e", b"x", 1);
    client.watch(OpCode::GetData, "/a");
    client.watch(OpCode::GetChildren, "/a");
    client.watch(OpCode::Exists, "/nope");
    client
}

#[test]
fn each_word_has_zookeepers_text() {
    let place = Place::new("texts", ALL);
    let client = busy_client(&place);
    let (session, address) = (client.session, client.local_address());
    let data = place.shared.store.dirs().snapshots();
    let data = data.display();
    for (word, expected) in [
        ("ruok", "imok".to_owned()),
        ("isro", "rw".to_owned()),
        ("gtmk", "306".to_owned()),
        (
            "srvr",
            format!(
                "Zookeeper version: {VERSION}\nLatency min/avg/max: @/@.@/@\nReceived: 6\nSent: 6\n\
                 Connections: 2\nOutstanding: 0\nZxid: 0x3\nMode: standalone\nNode count: 7\n"
            ),
        ),
        (
            "stat",
            format!(
                "Zookeeper version: {VERSION}\nClients:\n /{address}[1](queued=0,recved=6,sent=6)\n \
                 /127.0.0.1:@[0](queued=0,recved=1,sent=0)\n\nLatency min/avg/max: @/@.@/@\n\
                 Received: 6\nSent: 6\nConnections: 2\nOutstanding: 0\nZxid: 0x3\n\
                 Mode: standalone\nNode count: 7\n"
            ),
        ),
        (
            "cons",
            format!(
                " /{address}[1](queued=0,recved=6,sent=6,sid={session},lop=EXIS,est=@,to=20000,\
                 lcxid=0x5,lzxid=0x3,lresp=@,llat=@,minlat=@,avglat=@,maxlat=@)\n \
                 /127.0.0.1:@[0](queued=0,recved=1,sent=0)\n\n"
            ),
        ),
        (
            "conf",
            format!(
                "clientPort=0\nsecureClientPort=-1\ndataDir={data}\ndataDirSize=@\n\
                 dataLogDir={data}\ndataLogSize=@\ntickTime=2000\nmaxClientCnxns=60\n\
                 minSessionTimeout=4000\nmaxSessionTimeout=40000\nclientPortListenBacklog=4096\n\
                 serverId=0\n"
            ),
        ),
        ("dirs", "datadir_size: @\nlogdir_size: @\n".to_owned()),
        (
            "dump",
            format!(
                "SessionTracker dump:\nSession Sets (1)/(1):\n1 expire at * UTC @:\n\t{session}\n\
                 ephemeral nodes dump:\nSessions with Ephemerals (1):\n{session}:\n\t/a/e\n\
                 Connections dump:\nConnections Sets (2)/(2):\n1 expire at * UTC @:\n\t\
                 ip: /127.0.0.1:@ sessionId: 0x0\n1 expire at * UTC @:\n\t\
                 ip: /{address} sessionId: {session}\n"
            ),
        ),
        ("hash", String::new()),
        (
            "wchs",
            "1 connections watching 2 paths\nTotal watches:2\n".to_owned(),
        ),
        ("wchc", format!("{session}\n\t/a\n\t/nope\n\n")),
        ("wchp", format!("/a\n\t{session}\n/nope\n\t{session}\n\n")),
        ("crst", "Connection stats reset.\n".to_owned()),
        (
            "cons",
            format!(
                " /{address}[1](queued=0,recved=0,sent=0,sid={session},lop=NA,est=@,to=20000,\
                 lzxid=0xffffffffffffffff,lresp=0,llat=0,minlat=0,avglat=0,maxlat=0)\n \
                 /127.0.0.1:@[0](queued=0,recved=1,sent=0)\n\n"
            ),
        ),
        ("srst", "Server stats reset.\n".to_owned()),
    ] {
        assert_fits(&place.word(word.as_bytes()), &expected);
    }
    let srvr = place.word(b"srvr");
    assert!(
        srvr.contains("Latency min/avg/max: 0/0.0/0\nReceived: 0\nSent: 0\n"),
        "{srvr}"
    );
    let envi = place.word(b"envi");
    let mut lines = envi.lines();
    assert_eq!(lines.next(), Some("Environment:"));
    assert_fits(
        lines.next().unwrap_or_default(),
        &format!("zookeeper.version={VERSION}"),
    );
    assert!(lines.all(|line| line.contains('=')), "{envi}");
    let icfg = place.word(b"icfg");
    assert!(
        icfg.starts_with("dataDir=") && icfg.ends_with(ALL),
        "{icfg}"
    );
    assert_eq!(place.word(b"stmk\0\0\0\0\0\0\0\x07"), "7");
    assert_eq!(place.word(b"gtmk"), "7");
    assert_eq!(place.word(b"\xff\xf4\xff\xfd"), "");
}

#[test]
fn the_number_of_the_last_request_is_not_that_of_a_ping() {
    let place = Place::new("cxid", ALL);
    let mut client = busy_client(&place);
    client.ping();
    let cons = place.word(b"cons");
    assert!(
        cons.contains(",lop=PING,") && cons.contains(",lcxid=0x5,"),
        "{cons}"
    );
    place.word(b"crst");
    client.ping();
    let cons = place.word(b"cons");
    assert!(
        cons.contains(",lop=PING,") && !cons.contains(",lcxid="),
        "{cons}"
    );
}

#[test]
fn mntr_tells_what_was_counted() {
    let place = Place::new("mntr", ALL);
    let _client = busy_client(&place);
    let text = place.word(b"mntr");
    let value = |name: &str| {
        let found = text
            .lines()
            .find_map(|l| l.strip_prefix(&format!("zk_{name}\t")));
        found.unwrap_or_else(|| panic!("no {name} in\n{text}"))
    };
    for (name, expected) in [
        ("server_state", "standalone"),
        ("znode_count", "7"),
        ("watch_count", "3"),
        ("ephemerals_count", "1"),
        ("global_sessions", "1"),
        ("num_alive_connections", "2"),
        ("connection_request_count", "1"),
        ("commit_count", "3"),
        ("proposal_count", "3"),
        ("cnt_fsynctime", "3"),
        ("sum_sync_processor_batch_size", "3"),
        ("cnt_readlatency", "3"),
        ("cnt_updatelatency", "3"),
        ("cnt_dbinittime", "1"),
        ("looking_count", "0"),
        ("p99_quorum_ack_latency", "0"),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    assert!(value("version").starts_with("3.9.5-grevy-"));
    for line in text.lines() {
        assert!(
            line.split_once('\t')
                .is_some_and(|(k, v)| !k.is_empty() && !v.is_empty()),
            "{line}"
        );
    }
    place.word(b"srst");
    let text = place.word(b"mntr");
    assert!(
        text.contains("zk_commit_count\t0\n") && text.contains("zk_znode_count\t7\n"),
        "{text}"
    );
}

#[test]
fn mntr_tells_how_many_watch_and_what_quotas_refuse() {
    let place = Place::new("watching", &format!("{ALL}enforceQuota=true\n"));
    let mut client = busy_client(&place);
    let mut other = Client::connect(place.address);
    other.watch(OpCode::GetData, "/a");
    for (path, data) in [
        ("/zookeeper/quota/a", ""),
        (
            "/zookeeper/quota/a/zookeeper_limits",
            "count=-1,bytes=-1=;byteHardLimit=3;countHardLimit=-1",
        ),
        ("/zookeeper/quota/a/zookeeper_stats", "count=0,bytes=0"),
    ] {
        client.create(path, data.as_bytes(), 0);
    }
    for _ in 0..2 {
        assert_eq!(other.set("/a", b"long"), ErrorCode::QuotaExceeded);
    }
    assert_eq!(client.set("/a/e", b"y"), ErrorCode::Ok);
    other.create("/nope", b"", 0);
    assert_eq!(client.event(), "/nope");
    let text = place.word(b"mntr");
    for line in [
        "zk_cnt_node_created_watch_count\t1",
        "zk_max_node_created_watch_count\t1",
        "zk_cnt_node_changed_watch_count\t0",
        "zk_a_quota_exceeded_error_per_namespace\t2",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    // The header, the event's kind and state, and its path.
    let bytes = 16 + 4 + 4 + 4 + "/nope".len();
    let line = format!("zk_watch_bytes\t{bytes}\n");
    assert!(text.contains(&line), "{text}");
}

#[test]
fn a_long_answer_comes_whole() {
    let filler = format!("# {}\n", "x".repeat(8 << 20));
    let place = Place::new("long", &format!("{ALL}{filler}"));
    let answer = place.word(b"icfg");
    assert_eq!(answer.len(), place.shared.initial_text.len());
    assert!(answer.ends_with(&filler));
}

#[test]
fn hash_tells_digests_of_some_zxids() {
    let place = Place::new("hash", ALL);
    let mut client = Client::connect(place.address);
    for n in 0..260 {
        client.create(&format!("/{n}"), b"", 0);
    }
    let digests = place.word(b"hash");
    assert_fits(&digests, "80: *\n100: *\n");
    let command = place.command("hash");
    let first = &command["digests"][0];
    assert_eq!(
        (&first["zxid"], &first["digest_version"]),
        (&128.into(), &2.into())
    );
    assert!(
        digests.contains(&format!("80: {}\n", first["digest"])),
        "{digests} {first}"
    );
}

#[test]
fn words_that_are_not_listed_are_refused() {
    let place = Place::new("refused", "4lw.commands.whitelist=ruok\n");
    for word in FourLetterWords::ALL {
        let answer = place.word(word.as_bytes());
        let refusal = format!("{word} is not executed because it is not in the whitelist.\n");
        match word {
            "ruok" => assert_eq!(answer, "imok"),
            "srvr" => assert!(answer.starts_with("Zookeeper version: "), "{answer}"),
            _ => assert_eq!(answer, refusal),
        }
    }
}

#[test]
fn a_server_without_storage_says_so_whatever_it_is_asked() {
    let place = Place::new("no-storage", ALL);
    place.shared.storage_failed("the disk is full".to_owned());
    for word in FourLetterWords::ALL {
        let bytes = [word.as_bytes(), &[0; 8]].concat();
        let answer = place.word(&bytes);
        match word {
            "ruok" => {
                assert!(
                    !answer.contains("imok") && answer.contains("the disk is full"),
                    "{answer}"
                );
            }
            "isro" => assert_eq!(answer, "null"),
            "envi" => assert!(answer.starts_with("Environment:\n"), "{answer}"),
            "gtmk" => assert_eq!(answer, "306"),
            "stmk" => assert_eq!(answer, "0"),
            _ => assert_eq!(answer, format!("{NOT_SERVING}\nthe disk is full\n")),
        }
        if word == "stmk" {
            place.word(b"stmk\0\0\0\0\0\0\x01\x32");
        }
    }
}
