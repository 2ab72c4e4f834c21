//! The admin server: commands, probes, the page.

use crate::client::Client;
use crate::place::Place;
use grevy_node::auth;
use grevy_proto::{Id, OpCode};
use grevy_server::admin::COMMANDS;
use serde_json::{Value, json};
use std::net::TcpListener;

const ROOT: &str = "Authorization: digest root:pw\r\n";

/// A server with a client that has done a few things.
fn busy(name: &str, lines: &str) -> (Place, Client) {
    let place = Place::new(name, lines);
    let mut client = Client::connect(place.address);
    client.create("/a", b"", 0);
    client.create("/a/e", b"x", 1);
    client.watch(OpCode::GetData, "/a");
    (place, client)
}

/// The keys of an object, those of objects within behind a dot; ids are left out.
fn keys(value: &Value, before: &str, found: &mut Vec<String>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        if key.bytes().all(|b| b.is_ascii_digit()) || key.starts_with('/') {
            continue;
        }
        found.push(format!("{before}{key}"));
        keys(value, &format!("{before}{key}."), found);
        keys(&value[0], &format!("{before}{key}."), found);
    }
}

#[test]
fn each_command_has_zookeepers_keys() {
    let (place, _client) = busy("keys", "");
    let connection = "remote_socket_address interest_ops outstanding_requests packets_received \
                      packets_sent";
    let detailed = "session_id last_operation established session_timeout last_cxid last_zxid \
                    last_response_time last_latency min_latency avg_latency max_latency";
    let within = |before: &str, keys: &str| -> String {
        let keys = keys.split_whitespace();
        keys.map(|key| format!("{before}.{key} ")).collect()
    };
    let sizes = "last_buffer_size min_buffer_size max_buffer_size";
    let stats = format!(
        "version read_only server_stats {} {} {} client_response {} node_count",
        within(
            "server_stats",
            "packets_sent packets_received fsync_threshold_exceed_count client_response_stats"
        ),
        within("server_stats.client_response_stats", sizes),
        within(
            "server_stats",
            "data_dir_size log_dir_size provider_null last_processed_zxid outstanding_requests \
             server_state avg_latency max_latency min_latency num_alive_client_connections uptime \
             auth_failed_count non_mtlsremote_conn_count non_mtlslocal_conn_count"
        ),
        within("client_response", sizes),
    );
    for (name, expected) in [
        (
            "configuration",
            "client_port data_dir data_log_dir tick_time max_client_cnxns min_session_timeout \
             max_session_timeout server_id client_port_listen_backlog"
                .to_owned(),
        ),
        (
            "connections",
            format!(
                "connections {} secure_connections",
                within("connections", &format!("{connection} {detailed}"))
            ),
        ),
        ("dirs", "datadir_size logdir_size".to_owned()),
        (
            "dump",
            "expiry_time_to_session_ids session_id_to_ephemeral_paths".to_owned(),
        ),
        ("get_trace_mask", "tracemask".to_owned()),
        ("hash", "digests".to_owned()),
        ("initial_configuration", "initial_configuration".to_owned()),
        ("is_read_only", "read_only".to_owned()),
        ("last_snapshot", "zxid timestamp".to_owned()),
        ("observer_connection_stat_reset", String::new()),
        ("observers", "synced_observers observers".to_owned()),
        ("ruok", String::new()),
        ("server_stats", stats.clone()),
        (
            "stats",
            format!(
                "{stats} connections {} secure_connections",
                within("connections", connection)
            ),
        ),
        ("voting_view", "current_config".to_owned()),
        (
            "watch_summary",
            "num_connections num_paths num_total_watches".to_owned(),
        ),
        ("watches", "session_id_to_watched_paths".to_owned()),
        ("watches_by_path", "path_to_session_ids".to_owned()),
        ("zabstate", "voting zabstate".to_owned()),
        ("stat_reset", String::new()),
        ("connection_stat_reset", String::new()),
    ] {
        let answer = place.command(name);
        let mut found = Vec::new();
        keys(&answer, "", &mut found);
        let expected: Vec<&str> = expected
            .split_whitespace()
            .chain(["command", "error"])
            .collect();
        assert_eq!(found, expected, "{name}");
        assert_eq!(
            (&answer["command"], &answer["error"]),
            (&json!(name), &Value::Null)
        );
    }
}

#[test]
fn commands_tell_what_is_there() {
    let (place, client) = busy("values", "snapCount=12345\nssl.hidden.password=xyz\n");
    let session = client.session.0;
    let id = session.to_string();
    for (name, pointer, expected) in [
        ("wchs", "/num_total_watches", json!(1)),
        ("wchp", "/path_to_session_ids/~1a/0", json!(session)),
        (
            "wchc",
            &format!("/session_id_to_watched_paths/{id}/0"),
            json!("/a"),
        ),
        (
            "dump",
            &format!("/session_id_to_ephemeral_paths/{id}/0"),
            json!("/a/e"),
        ),
        ("cons", "/connections/0/session_id", json!(session)),
        ("cons", "/connections/0/last_operation", json!("GETD")),
        (
            "cons",
            "/connections/0/remote_socket_address",
            json!(client.local_address().to_string()),
        ),
        ("srvr", "/node_count", json!(7)),
        ("srvr", "/server_stats/last_processed_zxid", json!(3)),
        ("mntr", "/znode_count", json!(7)),
        ("mntr", "/avg_quorum_ack_latency", json!(0.0)),
        ("mntr", "/server_state", json!("standalone")),
        ("conf", "/tick_time", json!(2000)),
        ("lsnp", "/zxid", json!("0")),
        ("lead", "/error", json!("server is not initialized")),
        ("sysp", "/zookeeper.snapCount", json!("12345")),
        ("sysp", "/zookeeper.ssl.hidden.password", json!("***")),
        (
            "stmk",
            "/error",
            json!("setTraceMask requires long traceMask argument"),
        ),
        (
            "stmk?traceMask=x",
            "/error",
            json!("setTraceMask requires long traceMask argument, got x"),
        ),
        ("stmk?traceMask=5", "/tracemask", json!(5)),
        ("gtmk", "/tracemask", json!(5)),
        ("nonsense", "/error", json!("Unknown command: nonsense")),
    ] {
        let answer = place.command(name);
        assert_eq!(
            answer.pointer(pointer),
            Some(&expected),
            "{name}: {answer:#}"
        );
    }
    let icfg = place.command("icfg").to_string();
    assert!(
        icfg.contains("snapCount=12345") && !icfg.contains("xyz"),
        "{icfg}"
    );
    let (status, _, links) = place.http("GET /commands", "", "");
    assert_eq!(status, 200);
    for command in COMMANDS {
        let link = format!("<a href=\"/commands/{0}\">{0}</a>", command.name);
        assert!(links.contains(&link), "{link}");
    }
}

#[test]
fn methods_and_paths_that_are_not_meant_are_refused() {
    let place = Place::new("methods", "admin.commandURL=/zk/{x}\n");
    for (request, status) in [
        ("GET /zk/{x}/ruok", 200),
        ("HEAD /zk/{x}/ruok", 200),
        ("POST /zk/{x}/ruok", 405),
        ("GET /zk/{x}/restore", 405),
        ("TRACE /zk/{x}", 405),
        ("DELETE /health", 405),
        ("GET /zk/{x}ruok", 404),
        ("GET /commands/ruok", 404),
        ("GET /", 200),
        ("GET /health", 200),
        ("GET /ready", 200),
        ("GET /metrics", 200),
    ] {
        assert_eq!(place.http(request, "", "").0, status, "{request}");
    }
    let long = format!("X: {}\r\n", "y".repeat(32 << 10));
    assert_eq!(place.http("GET /health", &long, "").0, 431);
}

#[test]
fn the_page_is_whole_and_asks_nobody_else() {
    let place = Place::new("page", "");
    let (_, head, page) = place.http("GET /", "", "");
    assert!(
        head.to_lowercase()
            .contains("content-security-policy: default-src 'none'"),
        "{head}"
    );
    assert!(
        page.contains("content=\"/commands\"") && page.ends_with("</html>\n"),
        "{page}"
    );
    for elsewhere in ["http:", "https:", "src=", "@import", "{{"] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
}

#[test]
fn probes_fail_when_the_server_does_not_serve() {
    let place = Place::new("probes", "");
    for path in ["/health", "/ready", "/commands/ruok"] {
        assert_eq!(place.http(&format!("GET {path}"), "", "").0, 200);
    }
    place.shared.stop();
    assert_eq!(place.http("GET /health", "", "").0, 200);
    assert_eq!(place.http("GET /ready", "", "").0, 503);
    place.shared.storage_failed("the disk is full".to_owned());
    for path in ["/health", "/ready", "/commands/ruok"] {
        let (status, _, body) = place.http(&format!("GET {path}"), "", "");
        assert_eq!(status, 503, "{path}");
        assert!(body.contains("full") || body.contains("stopping"), "{body}");
    }
    for command in COMMANDS
        .iter()
        .filter(|command| !command.needs_permission())
    {
        let (status, ..) = place.http(&format!("GET /commands/{}", command.name), "", "");
        let expected = if command.needs_service() { 503 } else { 200 };
        assert_eq!(status, expected, "{}", command.name);
    }
}

#[test]
fn commands_that_need_permission() {
    let (place, mut client) = busy("permission", "admin.rateLimiterIntervalInMS=0\n");
    let get = "GET /commands/snapshot?streaming=false";
    // At first everybody may do everything, but has to say who he is.
    for (header, status, error) in [
        ("", 401, "Auth info is missing for the command"),
        ("Authorization: digest\r\n", 401, "Not authenticated"),
        ("Authorization: nonsense x\r\n", 401, "Not authenticated"),
        ("Authorization: digest a b\r\n", 401, "Not authenticated"),
        ("Authorization: ip\r\n", 200, ""),
    ] {
        let (got, _, body) = place.http(get, header, "");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(
            (got, body["error"].as_str().unwrap_or_default()),
            (status, error),
            "{header}"
        );
    }
    client.protect_root(Id::new("digest", auth::digest("root:pw")));
    for (header, status) in [
        ("Authorization: ip\r\n", 403),
        ("Authorization: digest root:other\r\n", 403),
        (ROOT, 200),
    ] {
        assert_eq!(place.http(get, header, "").0, status, "{header}");
        let shed = place.http(
            "POST /commands/shed_connections",
            header,
            "{\"percentage\":0}",
        );
        assert_eq!(shed.0, status, "{header}");
    }
    assert_eq!(place.http("POST /commands/restore", ROOT, "").0, 501);
}

#[test]
fn a_snapshot_is_taken_and_handed_out_whole() {
    let (place, _client) = busy("snapshot", "");
    let (status, head, body) = place.http("GET /commands/snap", ROOT, "");
    assert_eq!(status, 200, "{head}");
    assert!(head.contains("last_zxid: 0x3"), "{head}");
    let newest = place
        .shared
        .snapshots
        .outcome()
        .newest
        .expect("there is one");
    let file = std::fs::read(&newest.path).expect("it can be read");
    assert!(
        head.contains(&format!("snapshot_size: {}", file.len())),
        "{head}"
    );
    assert_eq!(body, String::from_utf8_lossy(&file));
    assert_eq!(place.command("last_snapshot")["zxid"], json!("3"));
    // Not again so soon.
    assert_eq!(place.http("GET /commands/snap", ROOT, "").0, 429);
    assert_eq!(
        place.command("monitor")["snapshot_rate_limited_count"],
        json!(1)
    );
    for (name, line, status) in [
        ("snapshot-off", "admin.snapshot.enabled=false\n", 503),
        (
            "snapshot-plain",
            "serializeLastProcessedZxid.enabled=false\n",
            500,
        ),
    ] {
        let place = Place::new(name, line);
        assert_eq!(
            place.http("GET /commands/snap", ROOT, "").0,
            status,
            "{name}"
        );
    }
}

#[test]
fn connections_are_shed_evenly() {
    let place = Place::new("shed", "");
    let mut clients: Vec<Client> = (0..4).map(|_| Client::connect(place.address)).collect();
    let post = |body: &str| place.http("POST /commands/shed", ROOT, body);
    for body in [
        "",
        "{",
        "{}",
        "{\"percentage\":101}",
        "{\"percentage\":\"x\"}",
    ] {
        assert_eq!(post(body).0, 400, "{body}");
    }
    assert_eq!(post(&"x".repeat(8 << 10)).0, 400);
    let (status, _, body) = post("{\"percentage\":50}");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((status, &body["connections_shed"]), (200, &json!(2)));
    assert_eq!(body["percentage_requested"], json!(50));
    for n in [3, 1] {
        clients.remove(n).wait_for_end();
    }
    clients.iter_mut().for_each(Client::sync);
}

#[test]
fn idle_connections_are_ended() {
    let place = Place::new("idle", "admin.idleTimeout=100\n");
    let admin = place.admin.expect("there is an admin server");
    for (sent, answered) in [
        ("", false),
        ("GET /he", false),
        ("GET /health HTTP/1.1\r\nHost: x\r\n\r\n", true),
    ] {
        // Nobody asks to have the connection closed, and yet it ends.
        let answer = crate::place::exchange(admin, sent.as_bytes());
        assert_eq!(
            answer.starts_with("HTTP/1.1 200"),
            answered,
            "{sent}: {answer}"
        );
    }
}

#[test]
fn a_port_that_is_taken_is_done_without() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let line = format!("admin.serverPort={port}\n");
    // The earlier setting in the file gives way to the later one.
    let place = Place::new("taken", &line);
    assert_eq!(place.admin, None);
    assert!(place.word(b"srvr").contains("Mode: standalone"));
}

#[test]
fn metrics_can_be_turned_off() {
    let lines = "4lw.commands.whitelist=*\n\
                 metricsProvider.className=org.apache.zookeeper.metrics.impl.NullMetricsProvider\n";
    let place = Place::new("null", lines);
    assert_eq!(place.http("GET /metrics", "", "").0, 404);
    assert_eq!(place.word(b"mntr").lines().count(), 2);
    let monitor = place.command("monitor");
    assert_eq!(
        monitor.as_object().map(serde_json::Map::len),
        Some(4),
        "{monitor}"
    );
}
