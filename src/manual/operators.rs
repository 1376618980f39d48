//! What stands on disk, keys and their rotation, the second place, backups, crashes, readiness, platforms.
//!
//! # The log directory
//!
//! | path | what | evidence |
//! | --- | --- | --- |
//! | `segments/` | the log: lines of JSON, one file for each 64 MiB; `.jsonl.zst` once compressed | yes |
//! | `keys/` | rotations of the key that stood in purged segments | yes |
//! | `recovered/` | bytes that a crash left, moved there and announced; personal data in clear: each erasure removes them, and a purge what stood among the records that go | no |
//! | `tree/` | caches: hashes of the tree, recent ids, the position of the head | no; keep them after a purge, since they hold the only hashes of what was purged |
//! | `index/` | what queries find records by, one file for each segment that is not written to any more; made anew where it is missing | no |
//! | `sinks/` | how far each sink has come, what its target refused and what it answered (an erasure of the record reaches it), reports of other processes; without it sinks begin anew | no |
//! | `lock` | held by the writer; its content is the process id | no |
//! | `pending` | names an erasure or a purge that is under way | no |
//!
//! Files have mode 0600, directories 0700. The active segment ends in zeros: space written ahead, so that a sync need not
//! update the file's metadata. It is cut off when the segment is full and when the log is closed.
//! [`FileStore::space_ahead`](crate::FileStore::space_ahead) turns it off, where space is dear and appends are rare.
//!
//! # Compressed segments
//!
//! With the feature `compress`, `AuditLog::compress` compresses the segments that are not
//! written to any more, and so does `indelible compress` where no service has the log. A login of 760 bytes takes about
//! 120 then: hashes, salts and ids do not compress. Nothing else changes: the log is read, verified, erased in and purged
//! as before, and one record is read without unpacking the rest of its segment. What is compressed stays so; `zstd -d`
//! unpacks a copy, line for line. Every program that reads the log then needs the feature.
//!
//! A segment that is compressed, or erased in, takes its new size more on the disk until it is done.
//!
//! # Keys
//!
//! The signing key is one line in a file of mode 0600, in the form that Go's `note` package reads. Publish its vkey
//! where auditors find it and who writes the log cannot change it. Keep the key from who administers the log's disk, if
//! you can: a [`Signer`](crate::Signer) of your own signs with a KMS or an HSM.
//!
//! A rotation is a record that both keys sign. Who trusts the old vkey trusts the new one through it; still publish the
//! new one, because who starts from an old vkey also believes any history that the holder of the old key writes.
//! [`AuditLog::rotate_key_file`](crate::AuditLog::rotate_key_file) replaces the file,
//! [`Builder::rotate_key_after`](crate::Builder::rotate_key_after) does so by age. If the key is lost, begin a new log
//! whose [`previous`](crate::Builder::previous) is the last checkpoint of the old one.
//!
//! # The second place
//!
//! The log keeps its newest checkpoint in a second place: beside the key file, named for the origin, or where
//! [`Builder::checkpoint_file`](crate::Builder::checkpoint_file) says. It should be on another disk than the log, and
//! must not be in its backup. A log that is missing, shorter than that checkpoint, or another history, is not opened: a
//! restored backup would make the key sign two histories.
//!
//! After the loss of a disk, what is left of the log is evidence up to where it ends. Keep it as it is, and begin a new
//! log with `previous`. Where you know why the second place is missing, open with
//! [`accept_missing_checkpoint`](crate::Builder::accept_missing_checkpoint): the log records it.
//!
//! # Backups
//!
//! Copy the directory at any time, beside the writer: `segments/` in the order of their names, oldest first. A copy
//! that ends within a commit verifies up to its last whole one, and reports the rest as `unsigned_tail`. A copy is for
//! reading; it is not written to.
//!
//! A segment that gets its other name while it is compressed, between being listed and being copied, is missing in the
//! copy. The tool says that a file has vanished: let it copy again.
//!
//! # After a crash
//!
//! Opening finds the newest whole commit, moves what a crash left behind it to `recovered/`, and records
//! `audit_log.recovered`. What cannot be a crash's doing is damage: opening fails and changes nothing. Then verify the
//! log, and keep it.
//!
//! What stands in `recovered/` was never acknowledged, but holds events in clear text. Each erasure removes all of it, also
//! one that finds no record, and a purge removes what stood among the records that go: look at it before, if you want to.
//!
//! A disk that is full fails the append that hits it, and poisons the log: after there is space, open it anew. Nothing
//! acknowledged is lost.
//!
//! # Readiness
//!
//! [`AuditLog::state`](crate::AuditLog::state) is what a probe asks: `healthy`, the queue, the last commit's latency,
//! the last error. A failing signer shows there before events begin to fail.
//!
//! # Platforms
//!
//! Linux and macOS are supported. On macOS a sync is `F_FULLFSYNC`, which takes far longer than on Linux.
//!
//! **Windows**: nothing of this crate builds there. Files are opened and synced with calls of Unix, and not only in
//! [`FileStore`](crate::FileStore).
//!
//! **Network file systems**: the lock is one of the whole open file (`flock`). NFS on Linux turns it into a byte-range
//! lock that its server keeps, and loses it with the connection; SMB and FUSE differ by server and version. Two writers
//! on such a mount may not see each other, and a sync may be acknowledged before it is durable. Put the log on a local
//! disk.
//!
//! **Containers**: the log needs a volume that outlives the container, with the second place on another.
