//! Publishing a log as C2SP tlog-tiles: static files that anyone can serve, mirror and verify (FORMAT §10).
//!
//! [`AuditLog::publish`](crate::AuditLog::publish) and [`LogReader::publish`](crate::LogReader::publish) write into a
//! folder or, with the feature `object-store`, an `export::Bucket`:
//!
//! | path | what |
//! | --- | --- |
//! | `checkpoint` | the checkpoint, replaced whole |
//! | `tile/<L>/<N>`, `tile/<L>/<N>.p/<W>` | hashes of the tree |
//! | `tile/entries/<N>`, `tile/entries/<N>.p/<W>` | entries: the hashed forms of records, each behind its length in two bytes, big-endian |
//! | `withheld` | which bundles are not served, with the size and the root of the checkpoint: what the next publication begins from |
//!
//! A hashed form holds nothing that identifies a person beyond an opaque id. An auditor who has the vkey checks all of it
//! with any client of that format, `aics-tlog` for one.
//!
//! # A crash at any step
//!
//! Entries come first, then tiles, both durable before the checkpoint that needs them replaces the one before. A tile or
//! a bundle appears whole under its name and never changes after that: what a crash left is taken as it stands where it
//! is as it should be, and is an error where it is not. Only what changed since the published checkpoint is written; a
//! partial tile that is full now is removed once the checkpoint is there.
//!
//! In a bucket, tiles and bundles are created where there are none (`If-None-Match: *`), 16 at a time, and the checkpoint
//! takes the place of the one that was read and of no other (`If-Match`; Google: `x-goog-if-generation-match`). So of two
//! that publish at a time one gets an error that a later try mends, and what is published never goes back. Yet the one
//! that began before an erasure can still create a bundle that the other one has just withdrawn: where records are
//! erased, one publishes at a time. It takes the permissions of an export (see `export::bucket`), and to delete: on S3
//! `s3:DeleteObject`, on Google Cloud Storage `storage.objects.delete`, with which it also replaces.
//!
//! The log must continue the published checkpoint. One that does not, because it was rolled back or the folder is of
//! another log, is refused, and nothing is changed.
//!
//! # What is erased or purged
//!
//! - A record whose personal data is erased has the same entry as before.
//! - An erased record has no entry any more, only its hash. Of a bundle that holds one, the tile stays and the entries
//!   are not published; where they were before, they are removed ([`Published::withheld`]). What mirrors hold cannot be
//!   recalled.
//! - Of purged records nothing is written any more, and the bundles that end before the first retained record, rounded
//!   up to a multiple of 256 ([`Published::minimum_index`]), are removed. Their tiles stay: they hold hashes alone. A
//!   folder that is made after a purge lacks the tiles of what was purged, but for those that the log still has.
//!
//! What is erased is learned from the announcements (FORMAT §7) since the last publication, also before it is done. So
//! each publication reads what is new in the log, and the bundle that it ends in; only the first, and one that finds no
//! `withheld` that goes with the checkpoint, searches the whole log for announcements.
//!
//! Memory does not grow with the log as long as its tree cache is there; without it, it takes 32 bytes a record.

mod files;
#[cfg(feature = "object-store")]
mod objects;
mod place;
mod run;
mod withheld;

pub(crate) use run::publish;

use crate::checkpoint::SignedCheckpoint;

/// What is published now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The checkpoint.
    pub checkpoint: SignedCheckpoint,
    /// How many records were published before.
    pub from: u64,
    /// How many files were written, the checkpoint among them.
    pub files: u64,
    /// The first record whose entry can be published (C2SP tlog-tiles, "Pruning").
    pub minimum_index: u64,
    /// The bundles that are not served though they end behind it, by their index: each holds a record that is erased, or
    /// purged.
    pub withheld: Vec<u64>,
}
