//! Who may do what.

use std::collections::BTreeSet;
use std::fmt;

use super::reader::Reader;
use super::value::quoted;

/// Authentication and permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Whether everybody may do everything.
    pub skip_acl: bool,
    /// Whether what a client may not do is refused before it is passed on.
    pub eager_acl_check: bool,
    /// Whether the scheme `digest` is there.
    pub digest_enabled: bool,
    /// The `user:digest` that is the super user.
    pub super_digest: Option<Secret>,
    /// The schemes, one of which a client must have authenticated with; none if it need not.
    pub enforced_schemes: Option<BTreeSet<String>>,
    /// Whether the scheme `ensemble` is there, and the names it takes.
    pub ensemble_names: Option<EnsembleNames>,
}

/// What a client of the scheme `ensemble` may say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnsembleNames {
    /// Anything.
    Any,
    /// One of these; with another name, its connection is closed.
    OneOf(BTreeSet<String>),
}

/// A text that must not get into logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Access {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let skip_acl = reader.flag("skipACL");
        if skip_acl {
            reader.warn("skipACL", "nobody's permissions are checked");
        }
        let digest_enabled = reader.flag("DigestAuthenticationProvider.enabled");
        Access {
            skip_acl,
            eager_acl_check: reader.flag("enableEagerACLCheck"),
            digest_enabled,
            super_digest: super_digest(reader),
            enforced_schemes: enforced_schemes(reader, digest_enabled),
            ensemble_names: ensemble_names(reader),
        }
    }
}

fn super_digest(reader: &mut Reader<'_>) -> Option<Secret> {
    const KEY: &str = "DigestAuthenticationProvider.superDigest";
    let text = reader.text(KEY).filter(|text| !text.is_empty())?;
    if text.split(':').count() != 2 {
        reader.warn(
            KEY,
            "is not of the form super:<base64 of SHA-1>, so that nobody can be the super user",
        );
    }
    Some(Secret(text))
}

fn enforced_schemes(reader: &mut Reader<'_>, digest_enabled: bool) -> Option<BTreeSet<String>> {
    let schemes: BTreeSet<String> = reader
        .words("enforce.auth.schemes")
        .unwrap_or_default()
        .into_iter()
        .collect();
    if !reader.flag("enforce.auth.enabled") {
        return None;
    }
    if schemes.is_empty() {
        reader.error(
            "enforce.auth.enabled",
            "is true, but enforce.auth.schemes is not set; name the schemes there, such as digest",
        );
    }
    for scheme in &schemes {
        match scheme.as_str() {
            "ip" => {}
            "digest" if digest_enabled => {}
            "digest" => reader.error(
                "enforce.auth.schemes",
                "names digest, which DigestAuthenticationProvider.enabled turns off",
            ),
            other => reader.error(
                "enforce.auth.schemes",
                format!(
                    "names {}, which this version of Grevy cannot enforce; it knows digest and ip",
                    quoted(other)
                ),
            ),
        }
    }
    Some(schemes)
}

/// ZooKeeper loads authentication providers by class name; those that come with it are known here.
fn ensemble_names(reader: &mut Reader<'_>) -> Option<EnsembleNames> {
    let mut enabled = false;
    for (_, setting) in reader.family("authProvider.*") {
        let class = setting
            .value
            .strip_prefix("org.apache.zookeeper.server.auth.");
        let text = match class {
            Some("EnsembleAuthenticationProvider") => {
                enabled = true;
                continue;
            }
            // They are always there, or turned off by a key of their own.
            Some("DigestAuthenticationProvider" | "IPAuthenticationProvider") => continue,
            Some("SASLAuthenticationProvider") => {
                "this version of Grevy does without SASL; remove the setting, or keep to ZooKeeper \
                 where clients authenticate so"
                    .to_owned()
            }
            Some("X509AuthenticationProvider") => {
                "this version of Grevy does without TLS; remove the setting, or keep to ZooKeeper \
                 where clients authenticate so"
                    .to_owned()
            }
            _ => format!(
                "{} is a Java class, which Grevy cannot load; remove the setting, or keep to \
                 ZooKeeper where clients authenticate so",
                quoted(&setting.value)
            ),
        };
        reader.report.error(&setting.origin, &setting.name, text);
    }
    let names = reader.words("ensembleAuthName");
    if names.is_some() && !enabled {
        reader.warn("ensembleAuthName", "has no effect without authProvider.1=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider");
    }
    enabled.then(|| match names {
        Some(names) => EnsembleNames::OneOf(names.into_iter().collect()),
        None => EnsembleNames::Any,
    })
}
