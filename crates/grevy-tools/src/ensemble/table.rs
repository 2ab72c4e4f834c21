//! The servers as a table.

use super::server::{Lag, Report, Server, lag};
use std::fmt::Display;

/// A row each, below a heading. With `rates`, the requests a second of each server.
pub fn lines(servers: &[Server], rates: Option<&[Option<f64>]>) -> Vec<String> {
    let mut rows = vec![heading(rates.is_some())];
    for (at, server) in servers.iter().enumerate() {
        let rate = rates.map(|rates| rates.get(at).copied().flatten());
        rows.push(row(server, servers, rate));
    }
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let whole = |row: &&Vec<String>| row.len() == columns || column + 1 < row.len();
        let cells = rows.iter().filter(whole).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter().map(|row| aligned(row, &widths)).collect()
}

/// Numbers to the right, words to the left; the version is the last of a whole row. The reason for which a server does not answer, the last
/// in its row, may be longer than its column.
fn aligned(row: &[String], widths: &[usize]) -> String {
    let cells: Vec<String> = row
        .iter()
        .zip(widths)
        .enumerate()
        .map(|(column, (cell, &width))| match column {
            0..=2 => format!("{cell:<width$}"),
            _ if column + 1 == widths.len() => cell.clone(),
            _ => format!("{cell:>width$}"),
        })
        .collect();
    cells.join("  ").trim_end().to_owned()
}

fn heading(with_rate: bool) -> Vec<String> {
    let mut names = vec![
        "ID", "SERVER", "ROLE", "ZXID", "LAG", "SESSIONS", "CONNS", "WATCHES", "ZNODES", "WAITING",
        "AVG MS", "MAX MS",
    ];
    if with_rate {
        names.push("REQ/S");
    }
    names.push("VERSION");
    names.into_iter().map(str::to_owned).collect()
}

fn row(server: &Server, all: &[Server], rate: Option<Option<f64>>) -> Vec<String> {
    let mut cells = vec![shown(server.member.id), server.member.address.to_string()];
    match &server.report {
        Err(why) => cells.push(why.to_string()),
        Ok(report) => {
            cells.extend(figures(report, lag(server, all)));
            if let Some(rate) = rate {
                cells.push(shown(rate.map(|rate| format!("{rate:.0}"))));
            }
            cells.push(short(&report.version));
        }
    }
    cells
}

fn figures(report: &Report, lag: Option<Lag>) -> [String; 10] {
    [
        report.mode.clone(),
        shown(report.zxid),
        shown(lag),
        shown(report.sessions),
        shown(report.connections),
        shown(report.watches),
        shown(report.znodes),
        shown(report.outstanding),
        shown(report.latency),
        shown(report.max_latency),
    ]
}

/// A release of the Java server, without most of the hash of its source.
fn short(version: &str) -> String {
    const HASH: usize = 8;
    match version.split_once('-') {
        Some((number, hash)) if hash.len() == 40 => match hash.get(..HASH) {
            Some(hash) => format!("{number}-{hash}"),
            None => version.to_owned(),
        },
        _ => version.to_owned(),
    }
}

fn shown(value: Option<impl Display>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ensemble::members::Member;
    use crate::ensemble::server::NoReport;
    use grevy_proto::HostPort;
    use grevy_proto::Zxid;

    #[test]
    fn columns_are_aligned() {
        let server = |host: &str, report| Server {
            member: Member {
                id: Some(1),
                address: HostPort {
                    host: host.into(),
                    port: 2181,
                },
            },
            report,
        };
        let report = Report {
            mode: "leader".to_owned(),
            zxid: Some(Zxid(0x1_0000_0000)),
            sessions: Some(12),
            version: "3.9.5-293c895a8d966a3ecb92872be4a1daf87d725da2".to_owned(),
            ..Report::default()
        };
        let servers = [
            server("a", Ok(report)),
            server(
                "b",
                Err(NoReport::Down("refused by the firewall".to_owned())),
            ),
        ];
        assert_eq!(
            lines(&servers, Some(&[Some(1234.5), None])),
            [
                "ID  SERVER  ROLE           ZXID  LAG  SESSIONS  CONNS  WATCHES  ZNODES  \
                 WAITING  AVG MS  MAX MS  REQ/S  VERSION",
                "1   a:2181  leader  0x100000000    0        12      -        -       -  \
                 \x20     -       -       -   1234  3.9.5-293c895a",
                "1   b:2181  down: refused by the firewall",
            ]
        );
    }
}
