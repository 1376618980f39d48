//! How to use a log well, and what it is to the byte: chapters for hosts, readers, operators and auditors, and the two
//! documents that bind this crate. There is no code here.
//!
//! - [`guarantees`]: what an acknowledgement means, what verification detects, and what it cannot.
//! - [`hosts`]: failing closed or open, async services, shutting down, rolling deployments, events that are written in
//!   the transaction of the host's database, and the erasure of personal data.
//! - [`readers`]: filters, pages, counts, following, history, what is held about a person, what purged and erased mean,
//!   the command line.
//! - [`delivery`]: sinks for SIEMs and others, what they get, what comes twice, alarms, a process of their own.
//! - [`auditors`]: how to verify a log, read its report, keep checkpoints and check the proof of one record.
//! - [`operators`]: what stands on disk, keys and their rotation, the second place, backups, crashes, readiness,
//!   platforms.
//! - [`retention`]: how long records are kept, what a run takes and costs, legal holds.
//! - [`mod@format`]: the log on disk and on the wire, for who writes a verifier or a reader of their own. FORMAT § in
//!   these docs are its sections.
//! - [`events`]: the fields of an event, their rules, and the form in which JSON holds them. EVENTS § are its sections.

pub mod auditors;
pub mod delivery;
pub mod guarantees;
pub mod hosts;
pub mod operators;
pub mod readers;
pub mod retention;

/// What a log is on disk and on the wire, and how anyone checks one, in any language. Normative: FORMAT § in these
/// docs.
///
#[doc = include_str!("format.md")]
pub mod format {}

/// What an event holds, and the rules that it must meet. Normative: EVENTS § in these docs.
///
#[doc = include_str!("events.md")]
pub mod events {}
