//! What an acknowledgement means, what verification detects, and what it cannot.
//!
//! # An acknowledgement
//!
//! When [`append`](crate::AuditLog::append) returns a [`Receipt`](crate::Receipt), the event is on disk (written and
//! synced), linked to the record before it, in the tree, and under a checkpoint that the log's key has signed. That
//! holds through a kill of the process and through a loss of power, as far as the disk keeps what it has said to be
//! synced.
//!
//! When it returns an error, the event was not recorded, with these exceptions:
//!
//! - After [`Cause::Io`](crate::Cause::Io) from a write or a sync, nobody can know what the disk holds. The log is then
//!   poisoned: every later append fails with that error, and the log must be opened anew. The same holds where a thread
//!   of the log panicked; who waited then may get [`Cause::Closed`](crate::Cause::Closed).
//! - [`Cause::IdReused`](crate::Cause::IdReused), or another error for an event whose `id` was recorded before: this
//!   attempt was not recorded, an earlier one was.
//!
//! An event that was given an `id` of the host's own is simply appended again: if it is there, its first receipt comes
//! back.
//!
//! Not every [`Cause::Io`](crate::Cause::Io) poisons the log. Where the operating system gives no random bytes, or the
//! first record of a repeated `id` cannot be read, nothing was written and the log goes on.
//! [`LogState::healthy`](crate::LogState) and [`Cause::Poisoned`](crate::Cause::Poisoned) tell them apart. And a time
//! limit that passes while a ticket is waited for decides nothing: the event stays in the queue.
//!
//! # What verification detects
//!
//! Anyone who has the public key and the log finds every change to what stands before its last checkpoint: a record
//! that was changed, removed, inserted, repeated or moved; personal data or content that was erased without an
//! announcement in the log; segments that are missing; a key that was changed without the consent of the one before;
//! records that no checkpoint covers. Each is reported with its kind, its `seq`, and its file and line.
//!
//! With a checkpoint that was kept elsewhere (an auditor's file, a SIEM, a witness) it also finds that the end of the
//! log was cut off, or that the whole of it was written anew, even by who holds the key.
//!
//! # What it cannot detect
//!
//! - What the host never recorded, or recorded wrongly. Who can submit events can submit false ones.
//! - A history that was written anew by who holds the signing key, as long as no checkpoint of the old one is kept
//!   elsewhere. Send checkpoints away: each one that has left the machine pins all before it.
//! - Acknowledged events that are newer than the last checkpoint kept elsewhere, if the disk is put back to an earlier
//!   state. The log itself keeps its newest checkpoint in a second place, at least once a second, and refuses to be
//!   written to where it is shorter than that.
//! - That a deletion of the whole log happened, other than by its absence.
//!
//! # Erasure
//!
//! A record's hash covers a digest of its personal data, not the data itself, and the data holds 128 random bits. So
//! personal data can be erased, and no hash, proof or checkpoint changes; nor does the digest that stays tell anything
//! about what was there. The content of whole records can be erased in the same way, and whole segments purged from the
//! beginning. Each is announced in the log first: content that is missing without such an announcement is tampering.
