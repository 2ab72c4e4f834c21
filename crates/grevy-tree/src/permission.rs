//! Who may do what. Source: `ZooKeeperServer.checkACL`, `PrepRequestProcessor.fixupACL`, and the
//! authentication providers.
//!
//! Who somebody *is* gets decided elsewhere, by the connection; here a list of [`Id`]s comes in.

mod ip;
mod name;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use grevy_proto::acl::perms;
use grevy_proto::{Acl, ErrorCode, Id};

/// The schemes of authentication that a server knows (`ProviderRegistry`). `world` and `ip` are
/// always among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schemes {
    /// `digest`; on unless `DigestAuthenticationProvider.enabled` is false.
    pub digest: bool,
    /// `x509`; on with a secure client port.
    pub x509: bool,
    /// `sasl`; on if a provider is configured.
    pub sasl: bool,
    /// Entries for this SASL name are open to every SASL user (`letAnySaslUserDoX`).
    pub any_sasl_user: Option<Box<str>>,
}

/// What a server knows that configures nothing about authentication.
impl Default for Schemes {
    fn default() -> Self {
        Self {
            digest: true,
            x509: false,
            sasl: false,
            any_sasl_user: None,
        }
    }
}

/// One of [`Schemes`], with what its ids look like and how they compare.
#[derive(Clone, Copy)]
enum Scheme {
    Ip,
    Digest,
    X509,
    Sasl,
}

impl Schemes {
    /// Whether somebody with `ids` has one of the permissions `perm` (bits of [`perms`]) by the
    /// list `acl`. An empty list permits everything, and `super` may do everything.
    pub fn permits(&self, acl: &[Acl], perm: i32, ids: &[Id]) -> bool {
        acl.is_empty()
            || ids.iter().any(|id| id.scheme == "super")
            || acl
                .iter()
                .filter(|entry| entry.perms & perm != 0)
                .any(|entry| entry.id == Id::ANYONE || self.is_held(&entry.id, ids))
    }

    /// The list that a znode gets when a client with `ids` asks for `acl`: without duplicates,
    /// `auth` replaced by the client's authenticated ids.
    ///
    /// `room` is how many bytes `auth` may yet expand to in this request; it is counted down.
    ///
    /// # Errors
    /// `InvalidAcl`: the list is empty, names an unknown scheme or an id that does not fit its
    /// scheme, asks for `auth` without being authenticated, or has no more room.
    pub fn fixup(
        &self,
        mut acl: Vec<Acl>,
        ids: &[Id],
        room: &mut usize,
    ) -> Result<Vec<Acl>, ErrorCode> {
        if acl.is_empty() {
            return Err(ErrorCode::InvalidAcl);
        }
        remove_duplicates(&mut acl);
        if acl.iter().all(|entry| entry.id.scheme != "auth") {
            return match acl.iter().all(|entry| self.is_valid(&entry.id)) {
                true => Ok(acl),
                false => Err(ErrorCode::InvalidAcl),
            };
        }
        let mut fixed = Vec::new();
        for entry in acl {
            if entry.id.scheme == "auth" {
                self.expand(entry.perms, ids, room, &mut fixed)?;
            } else if self.is_valid(&entry.id) {
                fixed.push(entry);
            } else {
                return Err(ErrorCode::InvalidAcl);
            }
        }
        Ok(fixed)
    }

    /// Appends an entry for each of `ids` that proves who the client is; an address does not.
    fn expand(
        &self,
        perms: i32,
        ids: &[Id],
        room: &mut usize,
        fixed: &mut Vec<Acl>,
    ) -> Result<(), ErrorCode> {
        let before = fixed.len();
        for id in ids {
            if let Some(Scheme::Digest | Scheme::X509 | Scheme::Sasl) = self.scheme(&id.scheme) {
                let size = 12 + id.scheme.len() + id.id.len();
                *room = room.checked_sub(size).ok_or(ErrorCode::InvalidAcl)?;
                let id = id.clone();
                fixed.push(Acl { perms, id });
            }
        }
        match fixed.len() > before {
            true => Ok(()),
            false => Err(ErrorCode::InvalidAcl),
        }
    }

    fn is_valid(&self, id: &Id) -> bool {
        *id == Id::ANYONE
            || match self.scheme(&id.scheme) {
                Some(Scheme::Ip) => ip::Network::parse(&id.id).is_some(),
                Some(Scheme::Digest) => name::is_digest(&id.id),
                Some(Scheme::X509) => name::is_x500(&id.id),
                Some(Scheme::Sasl) => name::is_kerberos(&id.id),
                None => false,
            }
    }

    /// Whether one of `ids` is what the list's entry for `wanted` means.
    fn is_held(&self, wanted: &Id, ids: &[Id]) -> bool {
        let Some(scheme) = self.scheme(&wanted.scheme) else {
            return false;
        };
        let mut same = ids.iter().filter(|id| id.scheme == wanted.scheme);
        match scheme {
            Scheme::Ip => ip::Network::parse(&wanted.id)
                .is_some_and(|network| same.any(|id| network.contains(&id.id))),
            Scheme::Digest | Scheme::X509 => same.any(|id| id.id == wanted.id),
            Scheme::Sasl => {
                let open = self.any_sasl_user.as_deref() == Some(&*wanted.id);
                same.any(|id| open || id.id == "super" || id.id == wanted.id)
            }
        }
    }

    fn scheme(&self, name: &str) -> Option<Scheme> {
        match name {
            "ip" => Some(Scheme::Ip),
            "digest" if self.digest => Some(Scheme::Digest),
            "x509" if self.x509 => Some(Scheme::X509),
            "sasl" if self.sasl => Some(Scheme::Sasl),
            _ => None,
        }
    }

    /// What getACL shows of `acl` to somebody with `ids`: without ADMIN, the password hashes of
    /// digests are masked. `None`: the client may not see it at all.
    pub fn visible<'a>(&self, acl: &'a [Acl], ids: &[Id]) -> Option<Cow<'a, [Acl]>> {
        if self.permits(acl, perms::ADMIN, ids) {
            Some(Cow::Borrowed(acl))
        } else if self.permits(acl, perms::READ, ids) {
            Some(Cow::Owned(acl.iter().map(mask).collect()))
        } else {
            None
        }
    }
}

fn mask(entry: &Acl) -> Acl {
    match entry.id.id.split_once(':') {
        Some((user, _)) if entry.id.scheme == "digest" => Acl {
            perms: entry.perms,
            id: Id::new("digest", format!("{user}:x")),
        },
        _ => entry.clone(),
    }
}

/// Keeps the first of equal entries. Sorts, because a list may have as many entries as fit in a
/// request.
fn remove_duplicates(acl: &mut Vec<Acl>) {
    if acl.len() < 2 {
        return;
    }
    let mut order: Vec<usize> = (0..acl.len()).collect();
    order.sort_by_key(|&at| (&acl[at], at));
    let mut keep = vec![true; acl.len()];
    for pair in order.windows(2) {
        keep[pair[1]] = acl[pair[0]] != acl[pair[1]];
    }
    let mut keep = keep.into_iter();
    acl.retain(|_| keep.next().unwrap_or(true));
}

#[cfg(test)]
mod tests {
    use super::*;
    use perms::{ADMIN, ALL, CREATE, READ, WRITE};

    const ROOM: usize = 1000;

    fn everything() -> Schemes {
        Schemes {
            x509: true,
            sasl: true,
            any_sasl_user: Some("anybody".into()),
            ..Schemes::default()
        }
    }

    /// `scheme:id`, several with blanks between.
    fn ids(text: &str) -> Vec<Id> {
        text.split_whitespace().map(id).collect()
    }

    fn id(text: &str) -> Id {
        let (scheme, id) = text.split_once(':').unwrap_or((text, ""));
        Id::new(
            alloc::string::String::from(scheme),
            alloc::string::String::from(id),
        )
    }

    /// `perms=scheme:id`, several with blanks between.
    fn acl(text: &str) -> Vec<Acl> {
        text.split_whitespace()
            .map(|entry| {
                let (perms, entry) = entry.split_once('=').unwrap_or(("31", entry));
                Acl {
                    perms: perms.parse().unwrap(),
                    id: id(entry),
                }
            })
            .collect()
    }

    #[test]
    fn permissions() {
        for (list, perm, who, expected) in [
            ("", ALL, "", true),
            ("31=world:anyone", WRITE, "", true),
            ("1=world:anyone", WRITE, "", false),
            ("1=world:anyone", READ | ADMIN, "", true),
            ("31=world:someone", READ, "world:someone", false),
            ("31=digest:a:h", READ, "digest:a:h", true),
            ("31=digest:a:h", READ, "digest:a:i", false),
            ("31=digest:a:h", READ, "ip:1.2.3.4", false),
            ("31=digest:a:h", READ, "super:", true),
            ("31=digest:a:h", READ, "ip:1.2.3.4 super:x", true),
            ("1=digest:a:h 4=digest:b:h", CREATE, "digest:a:h", false),
            ("1=digest:a:h 4=digest:b:h", CREATE, "digest:b:h", true),
            ("0=digest:a:h", READ, "digest:a:h", false),
            ("31=ip:10.1.2.0/24", READ, "ip:10.1.2.255", true),
            ("31=ip:10.1.2.0/24", READ, "ip:10.1.3.0", false),
            ("31=ip:10.1.2.0/24", READ, "digest:10.1.2.0", false),
            ("31=x509:CN=a", READ, "x509:CN=a", true),
            ("31=x509:CN=a", READ, "x509:CN=b", false),
            ("31=sasl:a", READ, "sasl:a", true),
            ("31=sasl:a", READ, "sasl:b", false),
            ("31=sasl:a", READ, "sasl:super", true),
            ("31=sasl:anybody", READ, "sasl:b", true),
            ("31=sasl:anybody", READ, "digest:b:h", false),
            ("31=super:", READ, "digest:b:h", false),
            ("31=auth:", READ, "auth:", false),
            ("31=unknown:a", READ, "unknown:a", false),
        ] {
            assert_eq!(
                everything().permits(&acl(list), perm, &ids(who)),
                expected,
                "{list:?} {perm} {who:?}"
            );
        }
    }

    #[test]
    fn schemes_that_are_off_match_nobody() {
        let schemes = Schemes {
            digest: false,
            ..Schemes::default()
        };
        for who in ["digest:a:h", "x509:CN=a", "sasl:a"] {
            let list = acl(&format!("31={who}"));
            assert!(everything().permits(&list, READ, &ids(who)), "{who}");
            assert!(!schemes.permits(&list, READ, &ids(who)), "{who}");
            let fixed = schemes.fixup(list.clone(), &[], &mut ROOM.clone());
            assert_eq!(fixed, Err(ErrorCode::InvalidAcl), "{who}");
            let fixed = everything().fixup(list.clone(), &[], &mut ROOM.clone());
            assert_eq!(fixed, Ok(list), "{who}");
        }
    }

    #[test]
    fn lists_of_requests() {
        for (list, who, expected) in [
            ("", "", None),
            ("31=world:anyone", "", Some("31=world:anyone")),
            ("31=world:me", "", None),
            ("1=world:anyone 1=world:anyone", "", Some("1=world:anyone")),
            (
                "2=world:anyone 1=world:anyone 2=world:anyone 1=ip:::1",
                "",
                Some("2=world:anyone 1=world:anyone 1=ip:::1"),
            ),
            ("31=auth:", "", None),
            ("31=auth:", "ip:1.2.3.4", None),
            ("31=auth:", "super:", None),
            ("31=auth:", "digest:a:h", Some("31=digest:a:h")),
            (
                "1=auth:ignored 2=world:anyone",
                "super: digest:a:h ip:::1 sasl:u",
                Some("1=digest:a:h 1=sasl:u 2=world:anyone"),
            ),
            (
                "1=digest:a:h 1=auth:",
                "digest:a:h",
                Some("1=digest:a:h 1=digest:a:h"),
            ),
            ("31=digest:a", "", None),
            ("31=digest:a:b:c", "", None),
            ("31=ip:10.0.0.256", "", None),
            ("31=ip:10.0.0.0/33", "", None),
            ("31=x509:nothing", "", None),
            ("31=sasl:a@b@c", "", None),
            ("31=super:", "super:", None),
            ("31=unknown:a", "unknown:a", None),
            ("31=auth: 31=unknown:a", "digest:a:h", None),
        ] {
            assert_eq!(
                everything().fixup(acl(list), &ids(who), &mut ROOM.clone()),
                expected.map(acl).ok_or(ErrorCode::InvalidAcl),
                "{list:?} {who:?}"
            );
        }
    }

    #[test]
    fn expansion_is_bounded() {
        let who = ids("digest:a:h digest:b:h");
        let mut room = 70;
        let one = everything().fixup(acl("31=auth:"), &who, &mut room);
        assert_eq!((one.map(|acl| acl.len()), room), (Ok(2), 28));
        let two = everything().fixup(acl("31=auth:"), &who, &mut room);
        assert_eq!(two, Err(ErrorCode::InvalidAcl));
    }

    #[test]
    fn digests_are_masked_without_admin() {
        let list = acl("1=world:anyone 31=digest:a:h 16=ip:1.1.1.1");
        let shown = |who: &str| everything().visible(&list, &ids(who)).map(Cow::into_owned);
        assert_eq!(shown("digest:a:h"), Some(list.clone()));
        assert_eq!(
            shown(""),
            Some(acl("1=world:anyone 31=digest:a:x 16=ip:1.1.1.1"))
        );
        assert_eq!(everything().visible(&acl("2=world:anyone"), &[]), None);
    }
}
