//! Which key is in force at the beginning of each segment, before anything is verified, so that segments can be
//! verified beside each other. A wrong guess costs time and nothing else: a segment that was verified under the wrong
//! keys is verified again.

use memchr::memmem;

use super::keys::{KEYS_MAX, KeyRing, check_countersigned, starting_keys};
use super::own::{ROTATED, Rotation};
use crate::checkpoint::SignedCheckpoint;
use crate::error::Result;
use crate::note::{Origin, VerifierKey};
use crate::record::{CHECKPOINT, Line};
use crate::store::{COMMIT_MAX, LineEnd, Segment, Store};

/// What the segments say of their keys, unverified.
#[derive(Debug)]
pub(super) struct Guess {
    /// The first signer of each segment's first checkpoint.
    signers: Vec<Option<u32>>,
    /// The rotations of each segment that was looked into.
    rotations: Vec<Option<Vec<Rotation>>>,
}

impl Guess {
    /// Looks at the first commit of each segment.
    pub(super) fn new(store: &dyn Store, segments: &[Segment], origin: &Origin) -> Self {
        // Whatever cannot be read here is read again, and told there.
        let signers = segments
            .iter()
            .map(|segment| first_signer(store, segment, origin).ok().flatten())
            .collect();
        Self {
            signers,
            rotations: vec![None; segments.len()],
        }
    }

    /// Looks for rotations in the segments at whose end another key signs, and in the last one if nothing else shows
    /// where `vkeys` come from.
    pub(super) fn find_rotations(&mut self, store: &dyn Store, segments: &[Segment], vkeys: &[VerifierKey]) {
        for (at, segment) in segments.iter().enumerate() {
            let changes = match (self.signers.get(at), self.signers.get(at + 1)) {
                (Some(before), Some(after)) => before != after,
                _ => !vkeys.iter().any(|vkey| self.names(vkey)),
            };
            if let (true, Some(place), Some(vkey)) = (changes, self.rotations.get_mut(at), vkeys.first()) {
                *place = Some(rotations_in(store, segment, vkey.name()).unwrap_or_default());
            }
        }
    }

    /// The keys at the beginning of each segment, for who trusts `vkey`.
    pub(super) fn keys(&self, vkey: &VerifierKey, kept: &[Rotation]) -> Vec<KeyRing> {
        let retained: Vec<Rotation> = self.rotations.iter().flatten().flatten().cloned().collect();
        let mut keys = starting_keys(vkey, kept, &retained);
        let mut at_beginnings = Vec::with_capacity(self.rotations.len());
        for rotations in &self.rotations {
            at_beginnings.push(keys.clone());
            for rotation in rotations.iter().flatten() {
                // One that does not continue the chain changes no trust.
                let _ = keys.rotate(rotation);
            }
        }
        at_beginnings
    }

    /// Whether `vkey` is a key of the log, as far as was looked.
    pub(super) fn names(&self, vkey: &VerifierKey) -> bool {
        self.signers.contains(&Some(vkey.id()))
            || self
                .rotations
                .iter()
                .flatten()
                .flatten()
                .any(|rotation| rotation.old == *vkey || rotation.new == *vkey)
    }
}

/// The origin that a segment's header names.
pub(super) fn origin_of(store: &dyn Store, segment: &Segment) -> Result<Option<String>> {
    let mut lines = store.lines(segment, 0)?;
    Ok(match lines.next_line()?.map(|raw| Line::parse(raw.bytes)) {
        Some(Ok(Line::Header(header))) => Some(header.origin),
        _ => None,
    })
}

/// The first of the log's own keys that the first checkpoint of a segment names.
fn first_signer(store: &dyn Store, segment: &Segment, origin: &Origin) -> Result<Option<u32>> {
    let mut lines = store.lines(segment, 0)?;
    let mut bytes = 0;
    while let Some(raw) = lines.next_line()? {
        bytes += raw.bytes.len();
        if raw.end != LineEnd::Whole || bytes > 2 * COMMIT_MAX {
            break;
        }
        if raw.bytes.starts_with(CHECKPOINT)
            && let Ok(Line::Checkpoint(note)) = Line::parse(raw.bytes)
        {
            let signers = note
                .parse::<SignedCheckpoint>()
                .map(|checkpoint| checkpoint.signers())
                .unwrap_or_default();
            return Ok(signers
                .iter()
                .find(|signer| signer.name() == origin.as_str())
                .map(|signer| signer.id()));
        }
    }
    Ok(None)
}

/// The rotations in a segment whose checkpoint both keys signed, as many as are followed.
pub(super) fn rotations_in(store: &dyn Store, segment: &Segment, origin: &Origin) -> Result<Vec<Rotation>> {
    let finder = memmem::Finder::new(ROTATED);
    let mut lines = store.lines(segment, 0)?;
    let (mut found, mut last) = (Vec::new(), None);
    while let Some(raw) = lines.next_line()? {
        if raw.end != LineEnd::Whole || found.len() == KEYS_MAX {
            break;
        }
        if raw.bytes.starts_with(CHECKPOINT) {
            let Some(rotation) = last.take() else { continue };
            if let Ok(Line::Checkpoint(note)) = Line::parse(raw.bytes)
                && let Ok(checkpoint) = note.parse::<SignedCheckpoint>()
                && check_countersigned(&rotation, &checkpoint).is_ok()
            {
                found.push(rotation);
            }
            continue;
        }
        last = None;
        if finder.find(raw.bytes).is_some()
            && let Ok(Line::Record(record)) = Line::parse(raw.bytes)
            && record.action.as_deref() == Some(ROTATED)
        {
            last = Rotation::read(record.seq, record.hash(), record.event, origin).ok();
        }
    }
    Ok(found)
}
