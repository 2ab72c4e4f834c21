//! Reaching another server: whichever of its addresses answers first.

use grevy_proto::HostPort;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Looks the names up, tries all addresses at once and keeps the first connection.
///
/// # Errors
/// The last error, with its address, if no address answers within `limit`.
pub async fn connect(addresses: &[HostPort], limit: Duration) -> io::Result<TcpStream> {
    let tries = addresses.iter().cloned().map(connect_to);
    let stream = tokio::time::timeout(limit, first_of(tries)).await;
    let stream = stream.map_err(|_| {
        let tried: Vec<String> = addresses.iter().map(HostPort::to_string).collect();
        at(&tried.join(", "), &io::Error::from(io::ErrorKind::TimedOut))
    })??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn connect_to(address: HostPort) -> io::Result<TcpStream> {
    let found = tokio::net::lookup_host((&*address.host, address.port)).await;
    let found: Vec<SocketAddr> = found
        .map_err(|error| {
            let text = format!("{} cannot be looked up: {error}", address.host);
            io::Error::new(error.kind(), text)
        })?
        .collect();
    let connect = move |found: SocketAddr| {
        let address = address.clone();
        async move {
            let connected = TcpStream::connect(found).await;
            connected.map_err(|error| match found.to_string() == address.to_string() {
                true => at(&address.to_string(), &error),
                false => at(&format!("{address} ({found})"), &error),
            })
        }
    };
    first_of(found.into_iter().map(connect)).await
}

/// The error with the address where it occurred, which the system does not name.
fn at(address: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{address}: {error}"))
}

/// The first success; the other tries end with it.
async fn first_of<T: Send + 'static>(
    tries: impl Iterator<Item = impl Future<Output = io::Result<T>> + Send + 'static>,
) -> io::Result<T> {
    let mut running: JoinSet<io::Result<T>> = tries.collect();
    let mut last = io::Error::other("the server has no address");
    while let Some(ended) = running.join_next().await {
        match ended.map_err(io::Error::other).flatten() {
            Ok(done) => return Ok(done),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn address(text: &str) -> HostPort {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn the_address_that_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
        let nobody = address(&nobody.unwrap().to_string());
        let limit = Duration::from_secs(60);
        let both = [nobody.clone(), address(&format!("localhost:{port}"))];
        let stream = connect(&both, limit).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().port(), port);
        let refused = connect(&both[..1], limit).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let text = refused.to_string();
        assert!(text.starts_with(&format!("{nobody}: ")), "{text}");
        // A name is told with what it stands for.
        let named = address(&format!("localhost:{}", nobody.port));
        let text = connect(&[named], limit).await.unwrap_err().to_string();
        let found = format!("localhost:{} (127.0.0.1:{0}): ", nobody.port);
        let found_v6 = format!("localhost:{} ([::1]:{0}): ", nobody.port);
        let told = text.starts_with(&found) || text.starts_with(&found_v6);
        assert!(told, "{text}");
        assert!(connect(&[], limit).await.is_err());
        let unknown = connect(&[address("host.invalid:1")], limit).await;
        let text = unknown.unwrap_err().to_string();
        assert!(
            text.starts_with("host.invalid cannot be looked up"),
            "{text}"
        );
    }
}
