//! What the machine itself costs: the network without a server behind it, the disk, and three disks.

pub mod echo;
pub mod mirror;
pub mod sync;
