//! What a member of an ensemble tells: one that leads, for it is the only one, and one that waits
//! for the others. What followers and observers tell, beside what Java servers do, is tested with
//! Java servers.

use crate::client::Client;
use crate::place::Place;
use crate::ports::ports;
use crate::template::assert_fits;
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};

const ALL: &str = "4lw.commands.whitelist=*\ninitLimit=10\nsyncLimit=5\nstandaloneEnabled=false\n";
const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

#[test]
fn a_leader_tells_of_itself() {
    let [quorum, election] = ports();
    let line = format!("server.1=127.0.0.1:{quorum}:{election}");
    let place = Place::member("leader", &format!("{ALL}{line}\n"));
    place.wait_until(|| place.word(b"isro") == "rw", "it leads");
    let mut client = Client::connect(place.address);
    client.create("/a", b"", 0);

    let srvr = place.word(b"srvr");
    let tail = srvr.split_once("Zxid: ").expect("there is a zxid").1;
    assert_fits(
        tail,
        "0x100000002\nMode: leader\nNode count: 6\nProposal sizes last/min/max: @/@/@\n",
    );
    let conf = place.word(b"conf");
    let tail = conf.split_once("serverId=").expect("there is an id").1;
    assert_eq!(
        tail,
        format!(
            "1\ninitLimit=10\nsyncLimit=5\nelectionAlg=3\nelectionPort={election}\n\
             quorumPort={quorum}\npeerType=0\nmembership: \n{line}:participant\nversion=0"
        )
    );
    let mntr = place.word(b"mntr");
    for line in [
        "zk_server_state\tleader",
        "zk_peer_state\tleading - broadcast",
        "zk_quorum_size\t1",
        "zk_learners\t0",
        "zk_proposal_count\t2",
        "zk_commit_count\t2",
        "zk_looking_count\t1",
        "zk_cnt_election_time\t1",
        "zk_cnt_leader_unavailable_time\t1",
        "zk_cnt_quorum_ack_latency\t2",
        "zk_cnt_1_ack_latency\t2",
    ] {
        assert!(mntr.lines().any(|told| told == line), "{line} in {mntr}");
    }
    for (command, expected) in [
        (
            "leader",
            json!({ "is_leader": true, "leader_id": 1, "leader_ip": "127.0.0.1" }),
        ),
        (
            "observers",
            json!({ "synced_observers": 0, "observers": [] }),
        ),
        (
            "zabstate",
            json!({
                "myid": 1, "is_leader": true, "voting": true, "last_zxid": "0x100000002",
                "zab_epoch": 1, "zab_counter": 2, "zabstate": "broadcast",
                "quorum_address": { "one": format!("127.0.0.1:{quorum}") },
                "client_address": "127.0.0.1:0",
            }),
        ),
        (
            "voting_view",
            json!({ "current_config": { "1": {
                "server_addresses": [format!("127.0.0.1:{quorum}")],
                "election_addresses": [format!("127.0.0.1:{election}")],
                "client_address": "127.0.0.1:0",
                "learner_type": "participant",
            } } }),
        ),
        (
            "ensemble",
            json!({
                "member": true, "leader_id": 1, "epoch": 1, "waits": null, "voters": [],
                "learners": [], "state": "leading - broadcast",
            }),
        ),
    ] {
        assert_holds(&place.command(command), &expected, command);
    }
}

#[test]
fn a_member_begins_with_one_of_its_addresses() {
    let [quorum, election, other_quorum, other_election, observers] = ports();
    let in_use = TcpListener::bind(("127.0.0.2", other_election)).expect("an address in use");
    let for_observers = TcpListener::bind(("127.0.0.1", observers)).expect("an address in use");
    let place = Place::member(
        "addresses",
        &format!(
            "{ALL}multiAddress.enabled=true\nobserverMasterPort={observers}\nserver.1=\
             127.0.0.1:{quorum}:{election}|127.0.0.2:{other_quorum}:{other_election}\n"
        ),
    );
    place.wait_until(|| place.word(b"isro") == "rw", "it leads");
    drop((in_use, for_observers));
    let later = [("127.0.0.2", other_election), ("127.0.0.1", observers)];
    let is_open = |address| TcpStream::connect(address).is_ok();
    place.wait_until(|| later.into_iter().all(is_open), "the others are open");
}

/// Everything that is expected is there; more may be.
fn assert_holds(told: &Value, expected: &Value, what: &str) {
    match expected {
        Value::Object(expected) => {
            for (key, value) in expected {
                assert_holds(&told[key], value, &format!("{what}, {key}"));
            }
        }
        _ => assert_eq!(told, expected, "{what}"),
    }
}

#[test]
fn who_waits_for_a_leader_is_well_and_says_for_whom() {
    let [a, b, c, d, e, f] = ports();
    let servers = format!(
        "server.1=127.0.0.1:{a}:{b}\nserver.2=127.0.0.1:{c}:{d}\nserver.3=127.0.0.1:{e}:{f}\n"
    );
    let place = Place::member("waiting", &format!("{ALL}{servers}"));
    let why = "it has no leader: too few servers for a quorum can be reached; it waits for servers \
               2 and 3";
    place.wait_until(
        || place.word(b"srvr") == format!("{NOT_SERVING}\n{why}\n"),
        "it knows that nobody is there",
    );
    assert_eq!(place.word(b"ruok"), "imok");
    assert_eq!(place.word(b"isro"), "null");
    assert_eq!(place.http("GET /health", "", "").0, 200);
    let (status, _, body) = place.http("GET /ready", "", "");
    assert!(status == 503 && body.contains(why), "{status} {body}");
    let error = &place.command("leader")["error"];
    assert_eq!(*error, format!("{NOT_SERVING}: {why}"));
    assert_holds(
        &place.command("ensemble"),
        &json!({ "state": "looking", "leader_id": null, "waits": why }),
        "ensemble",
    );
    assert_holds(
        &place.command("monitor"),
        &json!({ "server_state": "looking", "peer_state": "looking", "looking_count": 1 }),
        "monitor",
    );
    assert_eq!(place.command("zabstate")["zabstate"], "election");
}

#[test]
fn who_may_serve_without_a_leader_says_that_it_does() {
    let [a, b, c, d, e, f] = ports();
    let servers = format!(
        "server.1=127.0.0.1:{a}:{b}\nserver.2=127.0.0.1:{c}:{d}\nserver.3=127.0.0.1:{e}:{f}\n"
    );
    let lines = format!("{ALL}readonlymode.enabled=true\ntickTime=200\n{servers}");
    let place = Place::member("read-only", &lines);
    place.wait_until(|| place.word(b"isro") == "ro", "it serves readers");
    let srvr = place.word(b"srvr");
    let second = srvr.lines().nth(1);
    assert_eq!(
        second,
        Some("READ-ONLY mode; serving only read-only clients")
    );
    assert!(srvr.contains("\nMode: read-only\n"), "{srvr}");
    let states = json!({ "server_state": "read-only" });
    assert_holds(&place.command("monitor"), &states, "monitor");
    let told = json!({ "read_only": true });
    for command in ["is_read_only", "server_stats", "ensemble"] {
        assert_holds(&place.command(command), &told, command);
    }
}
