//! About the session and the ensemble rather than one znode.

use super::Client;
use super::read::{data_and_stat, strings};
use crate::answer::{Answer, finish};
use crate::error::Operation;
use crate::machine::WatchKind;
use crate::watch::OneshotWatch;
use grevy_proto::request::{Nullable, PathOnly, Read, Reconfig};
use grevy_proto::{DecodeError, Encode, OpCode, Reader, Stat};

/// Where the ensemble's configuration lies, whatever the chroot.
const CONFIG: &str = "/zookeeper/config";

/// Who the session is to its server. Source: `ClientInfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The scheme of authentication.
    pub scheme: String,
    /// The user, as the scheme names it; never a secret.
    pub user: String,
}

impl Client {
    /// Adds an identity to the session; every later server is told of it, too. For the scheme
    /// `digest`, the secret is `user:password`. The answer comes when a server took it.
    ///
    /// # Errors
    ///
    /// [`AuthFailed`](crate::Error::AuthFailed), which ends the session.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// client.add_auth("digest", b"alice:secret").await?;
    /// assert!(client.who_am_i().await?.iter().any(|identity| identity.user == "alice"));
    /// # Ok(())
    /// # });
    /// ```
    pub fn add_auth(&self, scheme: &str, secret: &[u8]) -> Answer<()> {
        let operation = Operation::new(OpCode::Auth, "");
        let receiver = self.submit_auth(scheme, secret);
        Answer::new(receiver, finish(operation, |_| Ok(())))
    }

    /// The session's identities.
    ///
    /// # Errors
    ///
    /// `Unimplemented` before 3.7.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// for identity in client.who_am_i().await? {
    ///     println!("{}: {}", identity.scheme, identity.user);
    /// }
    /// # Ok(())
    /// # });
    /// ```
    pub fn who_am_i(&self) -> Answer<Vec<Identity>> {
        self.ask(Operation::new(OpCode::WhoAmI, ""), &(), |record| {
            let mut reader = Reader::new(record);
            let word = |reader: &mut Reader<'_>| -> Result<String, DecodeError> {
                Ok(reader.string()?.unwrap_or_default().into_owned())
            };
            let mut identities = Vec::new();
            for _ in 0..reader.vector_len()?.unwrap_or(0) {
                identities.push(Identity {
                    scheme: word(&mut reader)?,
                    user: word(&mut reader)?,
                });
            }
            Ok(identities)
        })
    }

    /// Whole paths of the session's ephemeral znodes that start with `prefix`. Neither knows of
    /// the chroot.
    ///
    /// # Errors
    ///
    /// `Unimplemented` before 3.6.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// use grevy_client::CreateOptions;
    ///
    /// client.create("/here", b"", &CreateOptions::ephemeral()).await?;
    /// assert_eq!(client.get_ephemerals("/").await?, ["/here"]);
    /// # Ok(())
    /// # });
    /// ```
    pub fn get_ephemerals(&self, prefix: &str) -> Answer<Vec<String>> {
        let record = PathOnly {
            path: prefix.into(),
        };
        let operation = Operation::new(OpCode::GetEphemerals, prefix);
        self.ask(operation, &record, |record| {
            strings(&mut Reader::new(record))
        })
    }

    /// The ensemble's configuration, whatever the chroot: one line a server, then its version.
    ///
    /// ```
    /// # grevy_testing::run(async |client| {
    /// let (configuration, _) = client.get_config().await?;
    /// println!("{}", String::from_utf8_lossy(&configuration));
    /// # Ok(())
    /// # });
    /// ```
    pub fn get_config(&self) -> Answer<(Vec<u8>, Stat)> {
        let operation = Operation::new(OpCode::GetData, CONFIG);
        self.ask(operation, &config(false), data_and_stat)
    }

    /// As [`get_config`](Self::get_config), with a watch for its change.
    ///
    /// ```no_run
    /// # async fn example(client: grevy_client::Client) -> Result<(), grevy_client::Error> {
    /// // Needs an ensemble that somebody reconfigures.
    /// let (configuration, _, watch) = client.get_config_and_watch().await?;
    /// watch.changed().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn get_config_and_watch(&self) -> Answer<(Vec<u8>, Stat, OneshotWatch)> {
        let operation = Operation::new(OpCode::GetData, CONFIG);
        let body = config(true).to_bytes();
        let (receiver, inbox) =
            self.ask_and_watch(&operation, body, WatchKind::Data, CONFIG.to_owned());
        let read = |record: &[u8]| {
            let (data, stat) = data_and_stat(record)?;
            Ok((data, stat, OneshotWatch::new(inbox)))
        };
        Answer::new(receiver, finish(operation, read))
    }

    /// Changes which servers make up the ensemble, by lines `server.N=…` of servers that join
    /// and numbers of servers that leave; returns the new configuration. `config` is the version
    /// of the configuration that this changes, in its last line; `None`: of any.
    ///
    /// # Errors
    ///
    /// `ReconfigDisabled`, `ReconfigInProgress`, `NewConfigNoQuorum`, `BadArguments`,
    /// `BadVersion`, `NoAuth`.
    ///
    /// ```no_run
    /// # async fn example(client: grevy_client::Client) -> Result<(), grevy_client::Error> {
    /// // Needs an ensemble with `reconfigEnabled`.
    /// let joining = ["server.4=d:2888:3888:observer;2181"];
    /// client.reconfig(&joining, &["3"], None).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn reconfig(
        &self,
        joining: &[&str],
        leaving: &[&str],
        config: Option<i64>,
    ) -> Answer<(Vec<u8>, Stat)> {
        self.ask_reconfig(&Reconfig {
            joining: list(joining),
            leaving: list(leaving),
            members: Nullable(None),
            config_id: config.unwrap_or(-1),
        })
    }

    /// Replaces the ensemble's whole membership. As [`reconfig`](Self::reconfig) otherwise.
    ///
    /// # Errors
    ///
    /// As those of [`reconfig`](Self::reconfig).
    ///
    /// ```no_run
    /// # async fn example(client: grevy_client::Client) -> Result<(), grevy_client::Error> {
    /// // Needs an ensemble with `reconfigEnabled`.
    /// let members = ["server.1=a:2888:3888;2181", "server.2=b:2888:3888;2181"];
    /// client.reconfig_members(&members, None).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn reconfig_members(
        &self,
        members: &[&str],
        config: Option<i64>,
    ) -> Answer<(Vec<u8>, Stat)> {
        self.ask_reconfig(&Reconfig {
            joining: Nullable(None),
            leaving: Nullable(None),
            members: list(members),
            config_id: config.unwrap_or(-1),
        })
    }

    fn ask_reconfig(&self, record: &Reconfig<'_>) -> Answer<(Vec<u8>, Stat)> {
        let operation = Operation::new(OpCode::Reconfig, "");
        self.ask(operation, record, data_and_stat)
    }
}

/// No items are no part of the change.
fn list(items: &[&str]) -> Nullable<'static> {
    Nullable((!items.is_empty()).then(|| items.join(",").into()))
}

fn config(watch: bool) -> Read<'static> {
    Read {
        path: CONFIG.into(),
        watch,
    }
}
