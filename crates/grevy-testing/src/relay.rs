//! A network between one client and a server, which can be broken.

use crate::place::{Place, connector};
use grevy_client::{Connector, OpCode};
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// It passes everything.
    Whole,
    /// What the server says is lost.
    Mute,
    /// Nothing gets through, and nobody notices.
    Frozen,
    /// Connections break, and no new ones come about.
    Down,
}

/// A relay that passes bytes to a server and back.
///
/// ```
/// use grevy_client::SessionState;
/// use grevy_testing::{Network, Place, Relay};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// let place = Place::new("broken-network");
/// let relay = Relay::to(&place).await;
/// let client = relay.connector().connect().await?;
/// relay.set(Network::Down);
/// let state = client.state_other_than(SessionState::Connected).await;
/// assert_eq!(state, SessionState::Disconnected);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Relay {
    /// Where it listens.
    pub address: SocketAddr,
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    network: Network,
    /// How often it broke all connections.
    cuts: u64,
    /// The operation whose answer, and all later ones, will be lost.
    mute_at: Option<OpCode>,
}

impl Relay {
    /// A whole network to the server.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, and if there is no free port.
    pub async fn to(place: &Place) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = watch::Sender::new(State {
            network: Network::Whole,
            cuts: 0,
            mute_at: None,
        });
        tokio::spawn(accept(listener, place.address, state.clone()));
        Self { address, state }
    }

    /// How to connect through it.
    pub fn connector(&self) -> Connector {
        connector(self.address)
    }

    /// Breaks or mends the network.
    pub fn set(&self, network: Network) {
        self.state.send_modify(|state| {
            state.network = network;
            state.cuts += u64::from(network == Network::Down);
        });
    }

    /// Loses what the server says from its answer to the next such request on.
    pub fn mute_at(&self, op: OpCode) {
        self.state.send_modify(|state| state.mute_at = Some(op));
    }

    /// Breaks all connections; new ones come about at once.
    pub fn cut(&self) {
        self.set(Network::Down);
        self.set(Network::Whole);
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, state: watch::Sender<State>) {
    while let Ok((client, _)) = listener.accept().await {
        if state.borrow().network == Network::Down {
            continue;
        }
        let Ok(server) = TcpStream::connect(server).await else {
            continue;
        };
        let (client_in, client_out) = client.into_split();
        let (server_in, server_out) = server.into_split();
        tokio::spawn(pass(client_in, server_out, state.clone(), false));
        tokio::spawn(pass(server_in, client_out, state.clone(), true));
    }
}

/// Passes bytes until the connection ends or is to break. The other direction notices that the
/// sockets are gone.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    sender: watch::Sender<State>,
    is_from_server: bool,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    let mut state = sender.subscribe();
    let cuts = state.borrow_and_update().cuts;
    loop {
        let State {
            network,
            cuts: now,
            mute_at,
        } = *state.borrow_and_update();
        if now != cuts {
            return Ok(());
        }
        tokio::select! {
            biased;
            changed = state.changed() => if changed.is_err() {
                return Ok(());
            },
            len = from.read(&mut buffer), if network != Network::Frozen => match len? {
                0 => return Ok(()),
                _ if network == Network::Mute && is_from_server => {}
                len if !is_from_server && asks_for(&buffer[..len], mute_at) => {
                    sender.send_modify(|state| {
                        state.network = Network::Mute;
                        state.mute_at = None;
                    });
                    to.write_all(&buffer[..len]).await?;
                }
                len => to.write_all(&buffer[..len]).await?,
            }
        }
    }
}

/// Whether a frame that comes alone is a request of this kind.
fn asks_for(frame: &[u8], op: Option<OpCode>) -> bool {
    op.is_some_and(|op| frame.get(8..12) == Some(&op.wire().to_be_bytes()))
}
