//! A participant that something happens to.

use grevy_client::{Client, SessionState};
use grevy_testing::{Network, Place, Relay};
use std::time::Duration;

/// Short enough to wait for, in the presence of a server with short ticks.
const SESSION_TIMEOUT: Duration = Duration::from_millis(500);

/// A client behind a network of its own.
pub struct Victim {
    pub client: Client,
    pub relay: Relay,
}

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its connection breaks, and it cannot connect again.
    CutOff,
    /// It hears nothing and nobody hears it, as if its process were stopped.
    Paused,
    /// Its session is ended, as an operator or an expiry does.
    Expired,
}

impl Fate {
    pub const ALL: [Self; 3] = [Self::CutOff, Self::Paused, Self::Expired];
}

impl Victim {
    pub async fn new(place: &Place) -> Self {
        let relay = Relay::to(place).await;
        let connector = relay.connector().session_timeout(SESSION_TIMEOUT);
        let client = connector
            .connect()
            .await
            .expect("the server takes a session");
        Self { client, relay }
    }

    /// Whatever happens, its session ends: sooner or later, whether it knows or not.
    pub async fn meet(&self, fate: Fate, place: &Place) {
        match fate {
            Fate::CutOff => self.relay.set(Network::Down),
            Fate::Paused => self.relay.set(Network::Frozen),
            Fate::Expired => {
                let ticket = self.client.ticket().expect("it has a session");
                let thief = place.connector().resume(ticket).connect().await;
                thief.expect("the session can be resumed").close().await;
            }
        }
    }

    /// Lets it find out what happened.
    pub async fn recover(&self) {
        self.relay.cut();
        let mut state = self.client.state();
        while state != SessionState::Expired {
            state = self.client.state_other_than(state).await;
        }
    }
}
