//! Four-letter words.
use crate::shared::Shared;
use std::net::SocketAddr;
/// A word.
pub struct Word(pub String);
/// Parsed.
pub enum Parsed {
    /// x
    NotYet,
    /// x
    Word(Word),
    /// x
    None,
}
impl Word {
    /// Parses.
    pub fn parse(bytes: &[u8]) -> Parsed {
        match bytes.first_chunk::<4>() {
            None => Parsed::NotYet,
            Some(w) if w.iter().all(|b| b.is_ascii_lowercase()) => {
                Parsed::Word(Word(String::from_utf8_lossy(w).into()))
            }
            _ => Parsed::None,
        }
    }
}
/// Answers.
pub fn answer(shared: &Shared, word: Word, _peer: SocketAddr) -> String {
    match &*word.0 {
        "ruok" => "imok".into(),
        "srvr" => format!(
            "Zookeeper version: 3.9.5\nZxid: {}\nMode: standalone\nNode count: {}\n",
            shared.tree.read().last_zxid(),
            shared.tree.read().znode_count()
        ),
        _ => format!(
            "{} is not executed because it is not in the whitelist.\n",
            word.0
        ),
    }
}
