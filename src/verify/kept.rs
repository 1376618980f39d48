//! Rotations of purged segments, kept as files beside the segments (FORMAT §6).

use std::collections::BTreeMap;

use super::finding::{Finding, FindingKind};
use super::keys::{KEYS_MAX, KeyRing, check_countersigned};
use super::own::{ROTATED, Rotation};
use super::summary::SegmentSummary;
use super::trust::root_before;
use crate::error::{Cause, Result as StoreResult};
use crate::hash::Hash;
use crate::note::{Origin, VerifierKey};
use crate::proof::{Proof, TlogProofError};
use crate::record::Line;
use crate::store::{KeptRotation, Store};

/// Rotations of purged segments, in order.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The log whose keys they are of.
    origin: Option<Origin>,
    files: Vec<KeptFile>,
}

/// A file with a rotation, and what it says.
#[derive(Debug)]
struct KeptFile {
    name: String,
    /// Of its content.
    digest: Hash,
    read: Result<KeptKey, String>,
}

impl KeptFile {
    fn broken(name: String, problem: String) -> Self {
        Self {
            name,
            digest: Hash::ZERO,
            read: Err(problem),
        }
    }
}

/// A rotation that verifies by itself.
#[derive(Debug)]
pub(super) struct KeptKey {
    pub(super) rotation: Rotation,
    /// The root of the tree up to it, which both its keys signed.
    pub(super) root: Hash,
}

impl Kept {
    /// Reads the files that are there now. Those that are as they were need not be verified again.
    pub(super) fn update(&mut self, store: &dyn Store, origin: &Origin) -> StoreResult<()> {
        let mut known: BTreeMap<String, KeptFile> = std::mem::take(&mut self.files)
            .into_iter()
            .map(|file| (file.name.clone(), file))
            .collect();
        if self.origin.replace(origin.clone()).as_ref() != Some(origin) {
            known.clear();
        }
        let kept = match store.kept_rotations() {
            Ok(kept) => kept,
            Err(error) => {
                let Cause::Damaged { file, problem, .. } = error.cause() else {
                    return Err(error);
                };
                self.files.push(KeptFile::broken(file.clone(), problem.clone()));
                Vec::new()
            }
        };
        for KeptRotation { name, content } in kept {
            if self.files.len() == KEYS_MAX {
                let problem = format!("the log had more than {KEYS_MAX} keys");
                self.files.push(KeptFile::broken(name, problem));
                break;
            }
            let digest = Hash::of(&content);
            let read = match known.remove(&name).filter(|known| known.digest == digest) {
                Some(known) => known.read,
                None => read_kept(&name, &content, origin),
            };
            self.files.push(KeptFile { name, digest, read });
        }
        self.files
            .sort_by_key(|file| file.read.as_ref().map_or(0, |key| key.rotation.seq));
        Ok(())
    }

    /// Those that verify, with the name of the file.
    pub(super) fn keys(&self) -> impl DoubleEndedIterator<Item = (&str, &KeptKey)> {
        self.files
            .iter()
            .filter_map(|file| Some((file.name.as_str(), file.read.as_ref().ok()?)))
    }

    /// The files that do not, and why.
    pub(super) fn broken(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter_map(|file| Some((file.name.as_str(), file.read.as_ref().err()?.as_str())))
    }

    /// The rotations before the record `first`.
    pub(super) fn before(&self, first: u64) -> Vec<Rotation> {
        let rotations = self.keys().map(|(_, key)| &key.rotation);
        rotations.filter(|rotation| rotation.seq < first).cloned().collect()
    }

    /// What is wrong with them: they are one list that leads to the first retained record, of this log, and those of
    /// retained records say the same as these. Beside a writer the run ends at `end`: what is kept from behind it is
    /// not part of the run.
    pub(super) fn check(&self, start: &KeyRing, summaries: &[SegmentSummary], end: Option<u64>) -> Vec<Finding> {
        let finding = |name: &str, problem: &str| Finding::new(FindingKind::BadSignature, name, problem);
        let mut findings: Vec<Finding> = self.broken().map(|(name, problem)| finding(name, problem)).collect();
        let first = summaries.first().map_or(0, |summary| summary.first);
        let before = summaries.first().and_then(|summary| summary.header.as_ref());
        let mut keys: Option<KeyRing> = None;
        for (name, KeptKey { rotation, root }) in self.keys() {
            let problem = if rotation.seq < first {
                let is_other = root_before(before, rotation.seq + 1).is_some_and(|known| known != *root);
                let continued = keys
                    .get_or_insert_with(|| KeyRing::new(rotation.old.clone()))
                    .rotate(rotation);
                if continued.is_err() {
                    keys = None;
                }
                let is_other = is_other.then(|| "the log had another root at that place".to_owned());
                continued.err().or(is_other)
            } else if end.is_some_and(|end| rotation.seq >= end) {
                None
            } else {
                let mut retained = summaries.iter().flat_map(|summary| &summary.rotations);
                let is_there = retained.any(|retained| retained == rotation);
                (!is_there).then(|| "the log has no such rotation at that place".to_owned())
            };
            findings.extend(problem.map(|problem| finding(name, &problem).seq(rotation.seq)));
        }
        if let Some((name, last)) = self.keys().rev().find(|(_, key)| key.rotation.seq < first)
            && last.rotation.new != *start.in_force()
        {
            let problem = "the rotation does not lead to the key in force at the first retained record";
            findings.push(finding(name, problem).seq(last.rotation.seq));
        }
        findings
    }

    /// Whether any of them is to or from this key.
    pub(super) fn names(&self, vkey: &VerifierKey) -> bool {
        self.keys()
            .any(|(_, key)| key.rotation.old == *vkey || key.rotation.new == *vkey)
    }
}

/// Reads a rotation that a purge kept: the record's line, LF, its proof under the checkpoint of its own commit. Says
/// what is wrong, in words.
fn read_kept(name: &str, content: &[u8], origin: &Origin) -> Result<KeptKey, String> {
    let text = std::str::from_utf8(content).map_err(|_| "the file is not UTF-8".to_owned())?;
    let (line, proof) = text
        .split_once('\n')
        .ok_or("the file has no proof behind the record's line")?;
    let record = match Line::parse(line.as_bytes()) {
        Ok(Line::Record(record)) if record.action.as_deref() == Some(ROTATED) => record,
        Ok(_) => return Err("the file's first line is not the record of a rotation".into()),
        Err(error) => return Err(format!("the file's first line: {error}")),
    };
    if !name.ends_with(&format!("{:020}", record.seq)) {
        return Err(format!("the file is not named for its record {}", record.seq));
    }
    let rotation = Rotation::read(record.seq, record.hash(), record.event, origin)?;
    let proof: Proof = proof.parse().map_err(|error: TlogProofError| error.to_string())?;
    let checkpoint = proof.checkpoint();
    if proof.index() != rotation.seq || checkpoint.checkpoint().size() != rotation.seq + 1 {
        return Err("the proof is not of this record under the checkpoint of its own commit".into());
    }
    check_countersigned(&rotation, checkpoint)?;
    proof
        .verify(rotation.record, &rotation.old)
        .map_err(|error| error.to_string())?;
    let root = checkpoint.checkpoint().root();
    Ok(KeptKey { rotation, root })
}
