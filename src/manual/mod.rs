//! How to use a log well: chapters for hosts, operators and auditors. There is no code here.
//!
//! - [`guarantees`]: what an acknowledgement means, what verification detects, and what it cannot.
//! - [`hosts`]: failing closed or open, async services, shutting down, rolling deployments, and events that are written
//!   in the transaction of the host's database.
//! - [`operators`]: what stands on disk, keys and their rotation, the second place, backups, crashes, readiness,
//!   platforms.

pub mod guarantees;
pub mod hosts;
pub mod operators;
