//! What the machine itself costs: the network without a server behind it, and the disk.

pub mod echo;
pub mod sync;
