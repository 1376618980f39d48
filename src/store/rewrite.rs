//! What erasure and purge do to the lines of a segment, whatever it is stored in (FORMAT §6, §7).

use crate::checkpoint::SignedCheckpoint;
use crate::hash::Hash;
use crate::merkle::Tree;
use crate::proof::Proof;
use crate::record::{Line, Personal, write_erased};
use crate::store::Erasure;

/// Appends `line` with its LF to `out`, erased as `what` says if it is a record in `ranges`, which are in order and
/// apart. Tells whether it was changed.
pub(super) fn erase_line(out: &mut Vec<u8>, line: &[u8], ranges: &[(u64, u64)], what: Erasure) -> bool {
    let changed = match Line::parse(line) {
        Ok(Line::Record(record)) if contains(ranges, record.seq) => match (what, record.personal) {
            (Erasure::Record, _) if !record.is_own() => {
                write_erased(out, &record.hash(), record.seq);
                return true;
            }
            (Erasure::PersonalData, Personal::Present(_)) => {
                out.extend_from_slice(&record.hashed_form());
                true
            }
            _ => false,
        },
        _ => false,
    };
    if !changed {
        out.extend_from_slice(line);
    }
    out.push(b'\n');
    changed
}

/// Whether any record from `first` to before `end` is in `ranges`, which are in order and apart.
pub(crate) fn overlaps(ranges: &[(u64, u64)], first: u64, end: u64) -> bool {
    let next = ranges.partition_point(|(_, to)| *to < first);
    ranges.get(next).is_some_and(|(from, _)| *from < end)
}

fn contains(ranges: &[(u64, u64)], seq: u64) -> bool {
    overlaps(ranges, seq, seq + 1)
}

/// Finds the rotations in a segment that is about to be purged, each with the proof that is kept in `keys/` (FORMAT
/// §6).
#[derive(Debug, Default)]
pub(super) struct Rotations {
    tree: Tree,
    /// The rotation that was the last record so far, and the tree before it.
    last: Option<(u64, Vec<u8>, Tree)>,
    /// The `seq` of each and the content of its file.
    pub(super) found: Vec<(u64, Vec<u8>)>,
}

impl Rotations {
    /// Takes the next line of the segment.
    pub(super) fn take(&mut self, line: &[u8]) {
        match Line::parse(line) {
            Ok(Line::Header(header)) => self.tree = Tree::from_peaks(header.first, header.peaks).unwrap_or_default(),
            Ok(Line::Record(record)) => {
                self.last = (record.action.as_deref() == Some("audit_log.signing_key.rotated"))
                    .then(|| (record.seq, line.to_vec(), self.tree.clone()));
                self.tree.push(record.hash());
            }
            Ok(Line::Erased { hash, .. }) => {
                self.last = None;
                self.tree.push(hash);
            }
            Ok(Line::Checkpoint(note)) => {
                if let Some((seq, line, before)) = self.last.take()
                    && let Ok(checkpoint) = note.parse::<SignedCheckpoint>()
                {
                    self.found.extend(kept(seq, line, &before, checkpoint));
                }
            }
            Err(_) => {}
        }
    }
}

/// The record's line, LF, and its tlog-proof. The last leaf's path is the peaks before it, the smallest first.
fn kept(seq: u64, mut line: Vec<u8>, before: &Tree, checkpoint: SignedCheckpoint) -> Option<(u64, Vec<u8>)> {
    let path: Vec<Hash> = before.peaks().iter().rev().copied().collect();
    let proof = Proof::new(seq, path, checkpoint).ok()?;
    line.push(b'\n');
    line.extend_from_slice(proof.to_string().as_bytes());
    Some((seq, line))
}
