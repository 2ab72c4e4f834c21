//! Four-letter words, from the side that asks.

use super::server::NoReport;
use grevy_proto::HostPort;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// More than any answer needs; `mntr` has some 30 KiB.
const MAX_ANSWER: u64 = 4 << 20;

/// What a server answers to a word; the error says why it does not.
pub fn ask(server: &HostPort, word: &str, timeout: Duration) -> Result<String, NoReport> {
    let down = |error: io::Error| NoReport::Down(reason(&error));
    let addresses = (&*server.host, server.port)
        .to_socket_addrs()
        .map_err(|error| NoReport::Down(format!("cannot look up {}: {error}", server.host)))?;
    let mut failure = NoReport::Down(format!("{} has no address", server.host));
    for address in addresses {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                let answer = exchange(stream, word, timeout).map_err(down)?;
                return match answer.contains("is not executed because it is not in the whitelist") {
                    true => Err(NoReport::Unclear(format!(
                        "4lw.commands.whitelist does not have {word}"
                    ))),
                    false => Ok(answer),
                };
            }
            Err(error) => failure = down(error),
        }
    }
    Err(failure)
}

fn exchange(mut stream: TcpStream, word: &str, timeout: Duration) -> io::Result<String> {
    stream.set_read_timeout(Some(timeout))?;
    stream.write_all(word.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        ErrorKind::TimedOut | ErrorKind::WouldBlock => "no answer in time".to_owned(),
        _ => error.to_string(),
    }
}
