//! Four-letter words: four raw bytes on a fresh connection ask for a text, after which the
//! connection ends. Source: `FourLetterCommands`, `CommandExecutor`.
//!
//! A length that begins a frame is never taken for a word: it would be of more than 1.6 GB.

mod text;

use crate::inspect::server;
use crate::shared::Shared;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;

/// What a server answers that cannot do what it is asked.
pub const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

/// A word, and what came with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// The configuration, in numbers.
    Conf,
    /// The connections, in detail.
    Cons,
    /// Connections count anew.
    Crst,
    /// How much data there is.
    Dirs,
    /// Sessions, ephemeral znodes, connections.
    Dump,
    /// Where the server runs.
    Envi,
    /// The trace mask.
    Gtmk,
    /// Digests of the tree at some zxids.
    Hash,
    /// The configuration file.
    Icfg,
    /// Whether the server takes writes.
    Isro,
    /// All metrics.
    Mntr,
    /// Whether the server is well.
    Ruok,
    /// The server counts anew.
    Srst,
    /// The server at a glance.
    Srvr,
    /// The same, with its connections.
    Stat,
    /// Sets the trace mask.
    Stmk(i64),
    /// Watches by session.
    Wchc,
    /// Watches by path.
    Wchp,
    /// How many watches there are.
    Wchs,
    /// What telnet sends when it ends; there is no answer.
    TelnetClose,
}

/// Words without anything behind them.
const SIMPLE: [(&[u8; 4], Word); 19] = [
    (b"conf", Word::Conf),
    (b"cons", Word::Cons),
    (b"crst", Word::Crst),
    (b"dirs", Word::Dirs),
    (b"dump", Word::Dump),
    (b"envi", Word::Envi),
    (b"gtmk", Word::Gtmk),
    (b"hash", Word::Hash),
    (b"icfg", Word::Icfg),
    (b"isro", Word::Isro),
    (b"mntr", Word::Mntr),
    (b"ruok", Word::Ruok),
    (b"srst", Word::Srst),
    (b"srvr", Word::Srvr),
    (b"stat", Word::Stat),
    (b"wchc", Word::Wchc),
    (b"wchp", Word::Wchp),
    (b"wchs", Word::Wchs),
    (b"\xff\xf4\xff\xfd", Word::TelnetClose),
];

/// What the first bytes of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// More bytes are needed to tell.
    NotYet,
    /// A word; what comes after it does not matter.
    Word(Word),
    /// No word, but ZooKeeper's protocol.
    None,
}

impl Word {
    /// Looks at the first bytes of a connection. The mask of `stmk` is waited for only if the
    /// server `allows` the word: a refusal does not depend on it.
    pub fn parse(bytes: &[u8], allows: impl Fn(&str) -> bool) -> Parsed {
        let Some((first, rest)) = bytes.split_first_chunk::<4>() else {
            return Parsed::NotYet;
        };
        if first == b"stmk" {
            return match rest.first_chunk::<8>() {
                Some(mask) => Parsed::Word(Self::Stmk(i64::from_be_bytes(*mask))),
                None if allows("stmk") => Parsed::NotYet,
                None => Parsed::Word(Self::Stmk(0)),
            };
        }
        let found = SIMPLE.iter().find(|(name, _)| *name == first);
        found.map_or(Parsed::None, |(_, word)| Parsed::Word(*word))
    }

    /// The word itself, as in `4lw.commands.whitelist`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Conf => "conf",
            Self::Cons => "cons",
            Self::Crst => "crst",
            Self::Dirs => "dirs",
            Self::Dump => "dump",
            Self::Envi => "envi",
            Self::Gtmk => "gtmk",
            Self::Hash => "hash",
            Self::Icfg => "icfg",
            Self::Isro => "isro",
            Self::Mntr => "mntr",
            Self::Ruok => "ruok",
            Self::Srst => "srst",
            Self::Srvr => "srvr",
            Self::Stat => "stat",
            Self::Stmk(_) => "stmk",
            Self::Wchc => "wchc",
            Self::Wchp => "wchp",
            Self::Wchs => "wchs",
            Self::TelnetClose => "telnet close",
        }
    }

    /// Whether it is answered by a server that does not serve, too.
    fn needs_service(self) -> bool {
        !matches!(self, Self::Envi | Self::Gtmk | Self::Stmk(_))
    }
}

/// The answer to a word from `peer`; after it the connection ends.
pub fn answer(shared: &Shared, word: Word, peer: SocketAddr) -> String {
    if word == Word::TelnetClose {
        return String::new();
    }
    let name = word.name();
    if !shared.config.administration.words.allows(name) {
        return format!("{name} is not executed because it is not in the whitelist.\n");
    }
    if word.needs_service()
        && let Some(why) = shared.not_serving()
    {
        return match word {
            Word::Isro => "null".to_owned(),
            // Whoever asks whether the server is well takes "imok" alone for yes; and it is well
            // while it looks for a leader.
            Word::Ruok => match shared.broken() {
                Some(why) => format!("the server does not serve: {why}\n"),
                None => "imok".to_owned(),
            },
            _ => format!("{NOT_SERVING}\n{why}\n"),
        };
    }
    match word {
        Word::Ruok => "imok".to_owned(),
        Word::Isro => match server::is_read_only(shared) {
            true => "ro".to_owned(),
            false => "rw".to_owned(),
        },
        Word::Gtmk => shared.trace_mask.load(Relaxed).to_string(),
        Word::Stmk(mask) => {
            shared.trace_mask.store(mask, Relaxed);
            mask.to_string()
        }
        Word::Conf => text::conf(shared),
        Word::Cons => text::cons(shared, peer),
        Word::Crst => text::crst(shared),
        Word::Dirs => text::dirs(shared),
        Word::Dump => text::dump(shared),
        Word::Envi => text::envi(),
        Word::Hash => text::hash(shared),
        Word::Icfg => text::icfg(shared),
        Word::Mntr => text::mntr(shared),
        Word::Srst => text::srst(shared),
        Word::Srvr => text::srvr(shared),
        Word::Stat => text::stat(shared, peer),
        Word::Wchc => text::wchc(shared),
        Word::Wchp => text::wchp(shared),
        Word::Wchs => text::wchs(shared),
        Word::TelnetClose => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FourLetterWords;

    #[test]
    fn first_bytes_tell_words_from_frames() {
        for (bytes, expected) in [
            (&b""[..], Parsed::NotYet),
            (b"sta", Parsed::NotYet),
            (b"stat", Parsed::Word(Word::Stat)),
            (b"ruok\n", Parsed::Word(Word::Ruok)),
            (b"\xff\xf4\xff\xfd\x06", Parsed::Word(Word::TelnetClose)),
            (b"stmk", Parsed::NotYet),
            (b"stmk\0\0\0\0\0\0\x01", Parsed::NotYet),
            (b"stmk\0\0\0\0\0\0\x01\x32", Parsed::Word(Word::Stmk(306))),
            (b"STAT", Parsed::None),
            (b"\0\0\0\x2d", Parsed::None),
            (b"GET /", Parsed::None),
        ] {
            assert_eq!(Word::parse(bytes, |_| true), expected, "{bytes:?}");
        }
        let refused = Word::parse(b"stmk", |_| false);
        assert_eq!(refused, Parsed::Word(Word::Stmk(0)), "it needs no mask");
    }

    #[test]
    fn every_word_that_can_be_allowed_is_known_by_its_name() {
        for name in FourLetterWords::ALL {
            let bytes = [name.as_bytes(), &[0; 8]].concat();
            let Parsed::Word(word) = Word::parse(&bytes, |_| true) else {
                panic!("{name} is no word");
            };
            assert_eq!(word.name(), name);
        }
    }
}
