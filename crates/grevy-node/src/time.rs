//! Time as it is handed in; nothing here reads a clock.

pub use grevy_zab::time::Time;

/// The present, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// What every timeout goes by.
    pub time: Time,
    /// Milliseconds since 1970; goes into transactions and nowhere else.
    pub wall_ms: i64,
}
