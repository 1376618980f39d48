//! Checking the lines of an export.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use super::lines::{PROOF, RECORD};
use super::manifest::{Manifest, ManifestFile};
use super::report::ExportFindingKind as Kind;
use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::hash::Hash;
use crate::json::{self, Canonical, JsonError};
use crate::merkle::{self, Tree};
use crate::note::VerifierKey;
use crate::proof::{Proof, TlogProofError};
use crate::record::{Header, LINE_MAX, Line, Personal, Record};

/// What is wrong with a line, or with the end of the lines.
pub(super) type Problem = (Kind, String);

/// Checks the lines of a file, one after the other.
pub(super) trait Check {
    /// Takes the next line, without LF.
    fn take(&mut self, line: &[u8]) -> Result<(), Problem>;
    /// What the lines are in all.
    fn finish(&self) -> Result<(), Problem>;
    /// The longest line.
    fn line_max(&self) -> usize;
}

/// The lines of a log: a chain from a header to a checkpoint that the manifest's continues.
pub(super) struct Chain<'a> {
    manifest: &'a Manifest,
    file: &'a ManifestFile,
    vkeys: &'a [VerifierKey],
    tree: Option<Tree>,
    /// The hash of the record before, where it is known.
    last: Option<Hash>,
    first: u64,
    records: u64,
    erased: u64,
    personal_erased: u64,
    /// Nothing but a checkpoint, or a header, was read behind the last one.
    is_closed: bool,
}

impl<'a> Chain<'a> {
    pub(super) fn new(manifest: &'a Manifest, file: &'a ManifestFile, vkeys: &'a [VerifierKey]) -> Self {
        Self {
            manifest,
            file,
            vkeys,
            tree: None,
            last: None,
            first: 0,
            records: 0,
            erased: 0,
            personal_erased: 0,
            is_closed: true,
        }
    }

    fn header(&mut self, header: Header) -> Result<(), Problem> {
        if header.origin != self.manifest.origin.as_str() {
            return Err((Kind::WrongOrigin, format!("the header is of {}", header.origin)));
        }
        let said =
            Tree::from_peaks(header.first, header.peaks).map_err(|error| (Kind::Malformed, error.to_string()))?;
        match &self.tree {
            None => {
                self.first = said.size();
                self.last = (said.size() == 0).then_some(Hash::ZERO);
                self.tree = Some(said);
                Ok(())
            }
            Some(tree) if *tree == said && self.is_closed => Ok(()),
            Some(_) if !self.is_closed => Err((Kind::Malformed, "a header stands within a commit".into())),
            Some(_) => Err((Kind::WrongRoot, "the header is not that of the records before".into())),
        }
    }

    fn record(&mut self, seq: u64, prev: Option<Hash>, hash: Hash) -> Result<(), Problem> {
        let tree = self.tree.as_mut().ok_or_else(no_header)?;
        if seq != tree.size() {
            return Err((Kind::BadSequence, format!("record {seq}, where {} is due", tree.size())));
        }
        if let (Some(prev), Some(last)) = (prev, self.last)
            && prev != last
        {
            return Err((
                Kind::BrokenLink,
                format!("prev of record {seq} is not the hash of the one before"),
            ));
        }
        tree.push(hash);
        self.last = Some(hash);
        self.records += 1;
        self.is_closed = false;
        Ok(())
    }

    fn checkpoint(&mut self, note: &str) -> Result<(), Problem> {
        let tree = self.tree.as_ref().ok_or_else(no_header)?;
        let signed: SignedCheckpoint = note
            .parse()
            .map_err(|error: CheckpointError| (Kind::Malformed, error.to_string()))?;
        if std::mem::replace(&mut self.is_closed, true) {
            return Err((Kind::Malformed, "a checkpoint without a record before it".into()));
        }
        let said = signed.checkpoint();
        if *said.origin() != self.manifest.origin {
            return Err((Kind::WrongOrigin, format!("the checkpoint is of {}", said.origin())));
        }
        if (said.size(), said.root()) != (tree.size(), tree.root()) {
            let problem = format!("the checkpoint of size {} is not that of the records", said.size());
            return Err((Kind::WrongRoot, problem));
        }
        // The manifest's checkpoint is signed by a key that is known, and commits to this one whoever signed it.
        for key in self.vkeys {
            if let Err(error @ CheckpointError::Signature { .. }) = signed.verify(key) {
                return Err((Kind::BadSignature, error.to_string()));
            }
        }
        Ok(())
    }

    /// All records of the range are there, but for those that the manifest says to be purged.
    fn is_complete(&self, end: u64) -> bool {
        let range = &self.manifest.range;
        let first = match &self.manifest.gone.purged {
            Some(purged) if purged.start != range.start => return false,
            Some(purged) => purged.end,
            None => range.start,
        };
        match self.records {
            0 => first >= range.end,
            _ => self.first == first && end >= range.end,
        }
    }
}

impl Check for Chain<'_> {
    fn take(&mut self, line: &[u8]) -> Result<(), Problem> {
        match Line::parse(line).map_err(|error| (Kind::Malformed, error.to_string()))? {
            Line::Header(header) => self.header(header),
            Line::Record(record) => {
                self.personal_erased += u64::from(matches!(record.personal, Personal::Erased(_)));
                self.record(record.seq, Some(record.prev), record.hash())
            }
            Line::Erased { hash, seq } => {
                self.erased += 1;
                self.record(seq, None, hash)
            }
            Line::Checkpoint(note) => self.checkpoint(&note),
        }
    }

    fn finish(&self) -> Result<(), Problem> {
        let end = self.tree.as_ref().map_or(0, Tree::size);
        if !self.is_closed {
            return Err((Kind::Malformed, "the lines do not end with a checkpoint".into()));
        }
        let gone = &self.manifest.gone;
        let counts = (self.records, self.erased, self.personal_erased);
        if !self.is_complete(end) || counts != (self.file.records, gone.erased, gone.personal_erased) {
            let problem = "the records are not those that the manifest counts".into();
            return Err((Kind::BadSequence, problem));
        }
        let (first, last) = match self.records {
            0 => (None, None),
            _ => (Some(self.first), end.checked_sub(1)),
        };
        if (first, last) != (self.file.first, self.file.last) {
            return Err((Kind::BadSequence, "first and last are not those of the manifest".into()));
        }
        let Some(tree) = self.tree.as_ref().filter(|_| self.records > 0) else {
            return Ok(());
        };
        let newest = self.manifest.checkpoint.checkpoint();
        merkle::verify_consistency(
            end,
            &tree.root(),
            newest.size(),
            &newest.root(),
            &self.manifest.consistency,
        )
        .map_err(|error| {
            (
                Kind::WrongRoot,
                format!("the manifest's checkpoint does not continue them: {error}"),
            )
        })
    }

    fn line_max(&self) -> usize {
        LINE_MAX
    }
}

fn no_header() -> Problem {
    (Kind::Malformed, "the lines do not begin with a header".into())
}

/// Records, each with its proof under the manifest's checkpoint.
pub(super) struct Proven<'a> {
    manifest: &'a Manifest,
    file: &'a ManifestFile,
    first: Option<u64>,
    last: Option<u64>,
    records: u64,
}

impl<'a> Proven<'a> {
    pub(super) fn new(manifest: &'a Manifest, file: &'a ManifestFile) -> Self {
        Self {
            manifest,
            file,
            first: None,
            last: None,
            records: 0,
        }
    }
}

impl Check for Proven<'_> {
    fn take(&mut self, line: &[u8]) -> Result<(), Problem> {
        let malformed = |error: String| (Kind::Malformed, error);
        let (proof, record) = parts(line).map_err(|error| malformed(error.to_string()))?;
        let record = Record::from_line(record).map_err(|error| malformed(error.to_string()))?;
        let proof: Proof = proof
            .parse()
            .map_err(|error: TlogProofError| malformed(error.to_string()))?;
        let seq = record.seq();
        if record.is_erased() {
            return Err(malformed(format!("record {seq} is erased, and matches nothing")));
        }
        if self.last.is_some_and(|last| seq <= last) || !self.manifest.range.contains(&seq) {
            return Err((
                Kind::BadSequence,
                format!("record {seq} is out of order, or of the range"),
            ));
        }
        if proof.index() != seq || proof.checkpoint() != &self.manifest.checkpoint {
            return Err((
                Kind::WrongRoot,
                format!("the proof is not of record {seq} under the manifest's checkpoint"),
            ));
        }
        let checkpoint = self.manifest.checkpoint.checkpoint();
        merkle::verify_inclusion(seq, checkpoint.size(), record.hash(), proof.path(), &checkpoint.root())
            .map_err(|error| (Kind::WrongRoot, format!("record {seq}: {error}")))?;
        self.first = self.first.or(Some(seq));
        self.last = Some(seq);
        self.records += 1;
        Ok(())
    }

    fn finish(&self) -> Result<(), Problem> {
        let found = (self.records, self.first, self.last);
        match found == (self.file.records, self.file.first, self.file.last) {
            true => Ok(()),
            false => Err((
                Kind::BadSequence,
                "the records are not those that the manifest counts".into(),
            )),
        }
    }

    fn line_max(&self) -> usize {
        PROVEN_MAX
    }
}

/// The proof and the record of a line.
fn parts(line: &[u8]) -> Result<(std::borrow::Cow<'_, str>, &[u8]), JsonError> {
    let mut cursor = Canonical::new(line, json::DEPTH_MAX)?;
    cursor.literal(PROOF)?;
    let proof = cursor.string()?;
    cursor.literal(RECORD)?;
    let (record, _) = cursor.object_with(b"")?;
    cursor.literal(b"}")?;
    cursor.end()?;
    Ok((proof, record))
}

/// The longest line of a record with its proof: of the proof, some hundred bytes are usual.
const PROVEN_MAX: usize = LINE_MAX + 2 * crate::proof::PROOF_BYTES_MAX;
