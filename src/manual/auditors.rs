//! How to verify a log, read its report, keep checkpoints, and check the proof of one record.
//!
//! An auditor needs the log directory or a copy of it, the log's vkey, and best a checkpoint of an earlier day. Nothing
//! here needs the service, its key or the network. Who trusts no code of ours reads the [format](super::format) and
//! checks a log with SHA-256, Ed25519 and a JSON parser.
//!
//! # The vkey
//!
//! A vkey is the log's public key in one line: its origin, a short hash and the key, as in
//! `auth.example.com/audit+a47277fb+AS…`. It must come from outside the log, from where its owner publishes it: a
//! forger writes a key of his own beside a log of his own. Take the newest one. An older one verifies as well, through
//! the rotations in the log, but with it you also believe whatever the holder of that older key writes.
//!
//! The owner prints it with `indelible vkey audit.key`, or reads it from [`AuditLog::vkey`](crate::AuditLog::vkey).
//!
//! # Verifying
//!
//! ```text
//! indelible verify audit --vkey "$(cat audit.vkey)" --checkpoint kept.checkpoint
//! ```
//!
//! The exit status is 0 for a sound log, 1 where something was found, and 2 where the log could not be checked.
//! `--json` prints the same as JSON. The service may go on writing meanwhile. In Rust:
//!
//! ```no_run
//! use indelible::{SignedCheckpoint, Verifier, VerifierKey};
//!
//! let vkey: VerifierKey = std::fs::read_to_string("audit.vkey")?.trim().parse()?;
//! let kept: SignedCheckpoint = std::fs::read_to_string("kept.checkpoint")?.parse()?;
//! let report = Verifier::new(vkey).trusted(kept).verify_dir("audit")?;
//! if !report.is_sound() {
//!     print!("{report}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The report
//!
//! The first lines say what was read: how many records, from which `seq` to which size, how many are erased, how many
//! checkpoints, and the root at the end. Then come the findings, the most important one first, each with its kind, its
//! `seq`, the file and line, and what was expected and found there:
//!
//! | finding | what it tells |
//! | --- | --- |
//! | `forked`, `rolled_back` | this is not the log of the checkpoint that you kept, or its end is gone |
//! | `bad_signature`, `wrong_origin` | it is signed by another key, or it is another log |
//! | `broken_link`, `wrong_root`, `bad_sequence` | records were changed, inserted, repeated or moved |
//! | `missing_records`, `unannounced_erasure` | records or their contents are gone, and the log does not say why |
//! | `unsigned_tail` | what follows the last checkpoint: a copy that was cut within a commit, a crash, or a forgery |
//! | `bad_time`, `malformed` | a time that steps back where it may not, a line or file that is not of the format |
//!
//! FORMAT §9 defines each. One change often gives several findings: a changed byte breaks a link and every root after
//! it. Content that was erased or purged with an announcement is no finding; the report counts it, and the
//! announcement in the log tells the reason. Two notices are no findings either: `pending_erasure`, an erasure that is
//! announced and not carried out yet, and `not_comparable`, a checkpoint from before the first record that is left.
//!
//! # Keeping checkpoints
//!
//! ```text
//! indelible checkpoint audit > kept.checkpoint
//! ```
//!
//! A checkpoint is a few lines that pin every record before it. Keep one of each visit where neither the service nor
//! its administrators can write, and give it to the next verification. Without one, verification cannot show that the
//! end was cut off, or that the holder of the key wrote everything anew. A service hands its checkpoints out by
//! [`AuditLog::checkpoint`](crate::AuditLog::checkpoint), to an auditor, a SIEM or a witness.
//!
//! # One record
//!
//! A proof shows that one record is in the log, without the rest of it. The service gives the record's line and:
//!
//! ```text
//! indelible prove audit 27 > 27.tlog-proof
//! ```
//!
//! Whoever gets both checks them with the vkey alone. A copy of the record that a SIEM has printed anew will do, as
//! long as its values are the same:
//!
//! ```text
//! indelible check-proof 27.tlog-proof --vkey "$(cat audit.vkey)" --record 27.json
//! ```
//!
//! In Rust these are [`LogReader::prove`](crate::LogReader::prove) and
//! [`Verifier::verify_record`](crate::Verifier::verify_record).
//!
//! # Exports
//!
//! An [`export`](crate::export) is a file and its manifest, which the log's key has signed. Neither the log nor the
//! network is needed to check it:
//!
//! ```text
//! indelible verify-export /mnt/auditors --vkey "$(cat audit.vkey)"
//! ```
//!
//! JSON Lines of a range of `seq` are complete: no record of it can be left out. JSON Lines of a filter show of each
//! record that it is in the log, and JSON and CSV that the file is the one that was signed; that nothing else matched
//! is the exporter's word.
//!
//! # What is proven, and what is not
//!
//! A sound log is what the holder of its key recorded, complete and in order, from its first retained record to its
//! last checkpoint; with a checkpoint that you kept, also that it continues the log that you saw then. It is not proven
//! that what was recorded is true, that everything was recorded, or that the times are right: they are the service's
//! clock. [`guarantees`](super::guarantees) says more.
