//! What servers say of themselves.

use crate::place::{Place, finish, grevy};
use serde_json::Value;

fn objects(text: &str) -> Vec<Value> {
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("lines of JSON")
}

#[test]
fn servers_are_shown_with_what_they_do() {
    let place = Place::new("status");
    place.ok(&["create", "/a"]);
    let text = place.ok(&["status"]);
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows.len(), 2, "{text}");
    assert!(rows[0].starts_with("ID  SERVER"), "{text}");
    let words: Vec<&str> = rows[1].split_whitespace().collect();
    assert_eq!(words[..3], ["-", place.server.as_str(), "standalone"]);
    let json = objects(&place.ok(&["status", "--output", "json"]));
    assert_eq!(json[0]["mode"], "standalone");
    assert_eq!(json[0]["lag"], "0");
    assert!(json[0]["watches"].is_u64() && json[0]["sessions"].is_u64());
}

#[test]
fn servers_that_do_not_answer_are_shown_too() {
    let place = Place::new("status-down");
    let both = format!("{},127.0.0.1:1", place.server);
    let (code, out, err) = finish(grevy(&["status", "--server", &both, "--listed"]));
    assert_eq!((code, err.as_str()), (1, ""));
    assert!(
        out.contains("127.0.0.1:1") && out.contains("down: connection refused"),
        "{out}"
    );
    let (code, _, err) = finish(grevy(&["status", "--server", "127.0.0.1:1"]));
    assert_eq!(code, 6);
    assert!(err.contains("no server serves"), "{err}");
}

#[test]
fn looks_are_printed_where_there_is_no_terminal() {
    let place = Place::new("top");
    let looks = place.ok(&[
        "top",
        "--count",
        "2",
        "--interval",
        "100",
        "--output",
        "json",
    ]);
    let looks = objects(&looks);
    assert_eq!(looks.len(), 2);
    assert!(looks[0]["requestsPerSecond"].is_null());
    assert!(looks[1]["requestsPerSecond"].is_number());
}

#[test]
fn a_load_is_measured_and_leaves_nothing_behind() {
    let place = Place::new("bench");
    for mix in ["get", "set", "create", "mixed"] {
        let load = [
            "bench",
            "--mix",
            mix,
            "--seconds",
            "1",
            "--connections",
            "2",
        ];
        let text = place.ok(&[&load[..], &["--output", "json"]].concat());
        let object: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert!(object["requests"].as_u64() > Some(0), "{mix}: {text}");
        let (p50, max) = (object["p50ms"].as_f64(), object["maxMs"].as_f64());
        assert!(p50 > Some(0.0) && p50 <= max, "{mix}: {text}");
    }
    assert_eq!(place.ok(&["ls", "/"]), "zookeeper\n");
}
