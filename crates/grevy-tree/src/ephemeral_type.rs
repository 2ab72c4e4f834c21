//! What the field `ephemeralOwner` says of a znode. Source: `EphemeralType`,
//! `EphemeralTypeEmulate353` (ZOOKEEPER-2163, ZOOKEEPER-2609, ZOOKEEPER-2901).

use grevy_proto::SessionId;

/// What kind of znode it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EphemeralType {
    /// An ordinary znode.
    Persistent,
    /// It goes when this session ends.
    Ephemeral(SessionId),
    /// It goes some time after its last child.
    Container,
    /// It goes when it had no children and no new data for this many milliseconds.
    Ttl(i64),
}

/// The stored owner of a container (`EphemeralType.CONTAINER_EPHEMERAL_OWNER`).
pub const CONTAINER_OWNER: i64 = i64::MIN;
/// The longest time to live in ms: 40 bits (`EphemeralType.TTL.maxValue`).
pub const MAX_TTL: i64 = 0xff_ffff_ffff;

const EXTENDED: i64 = 0xff00_0000_0000_0000_u64.cast_signed();
const FEATURE: i64 = 0x00ff_ff00_0000_0000;

/// The stored owner of a znode with a time to live of `ttl` ms; `None` unless it is from 1 to
/// [`MAX_TTL`].
pub fn ttl_owner(ttl: i64) -> Option<i64> {
    (1..=MAX_TTL).contains(&ttl).then_some(EXTENDED | ttl)
}

impl EphemeralType {
    /// What a stored owner means. `extended`: TTL znodes are enabled; without it their owner
    /// reads as that of a session. `emulate_353`: also in the layout that 3.5.3 wrote, where
    /// every negative number is one.
    pub fn of(owner: i64, extended: bool, emulate_353: bool) -> Self {
        let is_ttl = (owner & EXTENDED == EXTENDED && owner & FEATURE == 0)
            || (emulate_353 && owner < 0 && owner != CONTAINER_OWNER);
        match owner {
            0 => Self::Persistent,
            _ if extended && is_ttl => Self::Ttl(owner & MAX_TTL),
            CONTAINER_OWNER => Self::Container,
            _ => Self::Ephemeral(SessionId(owner)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners() {
        use EphemeralType::*;
        let session = |owner: u64| Ephemeral(SessionId(owner.cast_signed()));
        for (owner, plain, extended, emulated) in [
            (0, Persistent, Persistent, Persistent),
            (
                0x0100_0000_0000_0001,
                session(0x0100_0000_0000_0001),
                session(0x0100_0000_0000_0001),
                session(0x0100_0000_0000_0001),
            ),
            (0x8000_0000_0000_0000, Container, Container, Container),
            (
                0xff00_0000_0000_03e8,
                session(0xff00_0000_0000_03e8),
                Ttl(1000),
                Ttl(1000),
            ),
            (
                0xff00_00ff_ffff_ffff,
                session(0xff00_00ff_ffff_ffff),
                Ttl(MAX_TTL),
                Ttl(MAX_TTL),
            ),
            (
                0xff00_0100_0000_0001,
                session(0xff00_0100_0000_0001),
                session(0xff00_0100_0000_0001),
                Ttl(1),
            ),
            (
                0x8000_0000_0000_03e8,
                session(0x8000_0000_0000_03e8),
                session(0x8000_0000_0000_03e8),
                Ttl(1000),
            ),
            (
                0xfe00_0000_0000_0001,
                session(0xfe00_0000_0000_0001),
                session(0xfe00_0000_0000_0001),
                Ttl(1),
            ),
        ] {
            let owner = u64::cast_signed(owner);
            assert_eq!(EphemeralType::of(owner, false, true), plain, "{owner:x}");
            assert_eq!(EphemeralType::of(owner, true, false), extended, "{owner:x}");
            assert_eq!(EphemeralType::of(owner, true, true), emulated, "{owner:x}");
        }
    }

    #[test]
    fn times_to_live() {
        for (ttl, owner) in [
            (-1, None),
            (0, None),
            (1, Some(0xff00_0000_0000_0001_u64)),
            (MAX_TTL, Some(0xff00_00ff_ffff_ffff)),
            (MAX_TTL + 1, None),
        ] {
            assert_eq!(ttl_owner(ttl), owner.map(u64::cast_signed), "{ttl}");
        }
    }
}
