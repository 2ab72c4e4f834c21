//! Who a client is: auth packets and what they add to a connection's identities. Source:
//! `DigestAuthenticationProvider`, `IPAuthenticationProvider`, `EnsembleAuthenticationProvider`,
//! `AuthUtil`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use core::net::IpAddr;
use grevy_proto::Id;
use sha1::Digest as _;

/// How auth packets are judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthConfig {
    /// Whether there is a `digest` scheme (`DigestAuthenticationProvider.enabled`).
    pub digest_enabled: bool,
    /// `super:` and the hash of whoever may do everything
    /// (`DigestAuthenticationProvider.superDigest`).
    pub super_digest: Option<String>,
    /// Names by which clients may know this ensemble (`ensembleAuthName`); an empty list: any.
    /// `None`: there is no such scheme.
    pub ensemble_names: Option<Vec<String>>,
    /// Schemes of which a client must have one before it may do anything
    /// (`enforce.auth.schemes`); empty: none.
    pub required_schemes: Vec<String>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            digest_enabled: true,
            super_digest: None,
            ensemble_names: None,
            required_schemes: Vec::new(),
        }
    }
}

/// What an auth packet led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// These identities are added to the connection's.
    Add(Vec<Id>),
    /// The client gets an error and its connection is closed.
    Fail,
    /// The connection is closed without a word: the client expected another ensemble.
    WrongEnsemble,
}

/// Judges an auth packet of a client whose address is `address`, as an identity; see [`ip_id`].
pub fn authenticate(
    config: &AuthConfig,
    address: &Id,
    scheme: &str,
    auth: Option<&[u8]>,
) -> Verdict {
    match scheme {
        "ip" => Verdict::Add(alloc::vec![address.clone()]),
        "digest" if config.digest_enabled => {
            let Some(auth) = auth else {
                return Verdict::Fail;
            };
            let digest = digest(&String::from_utf8_lossy(auth));
            let mut ids = Vec::new();
            if config.super_digest.as_deref() == Some(&digest) {
                ids.push(Id::new("super", ""));
            }
            ids.push(Id::new("digest", digest));
            Verdict::Add(ids)
        }
        "ensemble" => {
            let Some(names) = &config.ensemble_names else {
                return Verdict::Fail;
            };
            let name = String::from_utf8_lossy(auth.unwrap_or_default());
            match names.is_empty() || name.is_empty() || names.iter().any(|n| *n == name) {
                true => Verdict::Add(Vec::new()),
                false => Verdict::WrongEnsemble,
            }
        }
        _ => Verdict::Fail,
    }
}

/// What stands in an access control list for `user:password`: `user:base64(SHA-1)`.
pub fn digest(user_password: &str) -> String {
    let user = user_password.split(':').next().unwrap_or_default();
    let hash = BASE64.encode(sha1::Sha1::digest(user_password));
    format!("{user}:{hash}")
}

/// The identity that every connection has: its address, written as Java writes it.
pub fn ip_id(address: IpAddr) -> Id {
    let text = match address.to_canonical() {
        IpAddr::V4(v4) => format!("{v4}"),
        IpAddr::V6(v6) => {
            let groups: Vec<String> = v6.segments().iter().map(|g| format!("{g:x}")).collect();
            groups.join(":")
        }
    };
    Id::new("ip", text)
}

/// What whoAmI calls an identity: its user, without secrets.
pub fn user_name(id: &Id) -> &str {
    match &*id.scheme {
        "digest" => id.id.split(':').next().unwrap_or_default(),
        "super" => "",
        _ => &id.id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    const HERE: IpAddr = IpAddr::V4(core::net::Ipv4Addr::LOCALHOST);
    /// From ZooKeeper's administrator's guide: `super:super`.
    const SUPER: &str = "super:gG7s8t3oDEtIqF6DM9LlI/R+9Ss=";

    #[test]
    fn digests() {
        assert_eq!(super::digest("super:super"), SUPER);
    }

    #[test]
    fn verdicts() {
        let config = AuthConfig {
            super_digest: Some(SUPER.to_string()),
            ensemble_names: Some(vec!["east".to_string()]),
            ..AuthConfig::default()
        };
        let digest = |text: &str| Id::new("digest", super::digest(text));
        for (scheme, auth, expected) in [
            ("digest", "u:p", Verdict::Add(vec![digest("u:p")])),
            (
                "digest",
                "super:super",
                Verdict::Add(vec![Id::new("super", ""), digest("super:super")]),
            ),
            ("ip", "", Verdict::Add(vec![Id::new("ip", "127.0.0.1")])),
            ("world", "anyone", Verdict::Fail),
            ("nonsense", "", Verdict::Fail),
            ("ensemble", "east", Verdict::Add(vec![])),
            ("ensemble", "west", Verdict::WrongEnsemble),
        ] {
            let verdict = authenticate(&config, &ip_id(HERE), scheme, Some(auth.as_bytes()));
            assert_eq!(verdict, expected, "{scheme} {auth}");
        }
    }

    #[test]
    fn addresses_look_as_in_java() {
        for (address, expected) in [
            ("10.0.0.1", "10.0.0.1"),
            ("::1", "0:0:0:0:0:0:0:1"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(ip_id(address.parse().unwrap()).id, expected);
        }
    }
}
