//! What the verification of an export found.

use std::fmt;

use crate::checkpoint::SignedCheckpoint;
use crate::json::{string, unsigned};
use crate::note::plain;

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ExportFindingKind {
    /// A manifest, its checkpoint or one in a file is not signed by a key that was given, or not validly.
    BadSignature,
    /// A manifest, a checkpoint or a header names another log.
    WrongOrigin,
    /// A manifest, a line, or what a manifest says of its files, is not of its form.
    Malformed,
    /// A manifest is gone from between others.
    MissingManifest,
    /// A manifest does not name the one before it.
    BrokenChain,
    /// A file that a manifest names cannot be read.
    MissingFile,
    /// A file is not the one that was exported.
    ChangedFile,
    /// Records of the range are missing, repeated or out of order.
    BadSequence,
    /// `prev` is not the hash of the record before.
    BrokenLink,
    /// A root, or the path to one, is not that of the records.
    WrongRoot,
}

impl ExportFindingKind {
    /// Its name: `changed_file`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::WrongOrigin => "wrong_origin",
            Self::Malformed => "malformed",
            Self::MissingManifest => "missing_manifest",
            Self::BrokenChain => "broken_chain",
            Self::MissingFile => "missing_file",
            Self::ChangedFile => "changed_file",
            Self::BadSequence => "bad_sequence",
            Self::BrokenLink => "broken_link",
            Self::WrongRoot => "wrong_root",
        }
    }
}

impl fmt::Display for ExportFindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that is wrong with an export.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportFinding {
    /// What it is about.
    pub kind: ExportFindingKind,
    /// The manifest or the file, by its name in the folder.
    pub file: String,
    /// The line in the file, from 1.
    pub line: Option<u64>,
    /// What is wrong, in words.
    pub detail: String,
}

impl ExportFinding {
    pub(super) fn new(kind: ExportFindingKind, file: &str, detail: impl AsRef<str>) -> Self {
        Self {
            kind,
            file: plain(file).into_owned(),
            line: None,
            // It may repeat what the export says.
            detail: plain(detail.as_ref()).chars().take(DETAIL_MAX).collect(),
        }
    }

    pub(super) fn line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }
}

impl fmt::Display for ExportFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.kind, self.file, self.detail)?;
        self.line.map_or(Ok(()), |line| write!(f, " (line {line})"))
    }
}

/// What the verification of an export found, and the numbers of what was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ExportReport {
    /// What is wrong, manifest after manifest. At most 200 are kept.
    pub findings: Vec<ExportFinding>,
    /// How many findings there are, kept or not.
    pub findings_total: u64,
    /// Manifests read.
    pub manifests: u64,
    /// The number of the first of them. Those before it, if it is not 0, were not looked for.
    pub first_number: Option<u64>,
    /// Files read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The records in them, as the manifests say that are signed.
    pub records: u64,
    /// The records of the ranges that were purged before.
    pub purged: u64,
    /// Those that were erased before.
    pub erased: u64,
    /// Those that had lost their personal data.
    pub personal_erased: u64,
    /// The newest checkpoint of those that verify.
    pub checkpoint: Option<SignedCheckpoint>,
    /// Files in the folder that no manifest names: what a crash left, or who knows.
    pub unlisted: Vec<String>,
}

impl ExportReport {
    /// Whether nothing was found: then the files are what the holder of a key exported.
    pub fn is_sound(&self) -> bool {
        self.findings_total == 0
    }

    pub(super) fn push(&mut self, finding: ExportFinding) {
        self.findings_total += 1;
        if self.findings.len() < KEPT_MAX {
            self.findings.push(finding);
        }
    }

    /// The report as one JSON object in canonical form, with the keys `bytes`, `checkpoint`, `erased`, `files`,
    /// `findings`, `findings_total`, `first_number`, `manifests`, `personal_erased`, `purged`, `records`, `sound` and
    /// `unlisted`. A finding has `detail`, `file`, `kind` and `line`; what there is not is `null`.
    pub fn to_json(&self) -> String {
        let mut out = Vec::with_capacity(256 + 256 * self.findings.len());
        let number = |out: &mut Vec<u8>, key: &str, value: Option<u64>| {
            out.extend_from_slice(key.as_bytes());
            match value {
                Some(value) => unsigned(out, value.min(crate::json::INTEGER_MAX)),
                None => out.extend_from_slice(b"null"),
            }
        };
        number(&mut out, "{\"bytes\":", Some(self.bytes));
        out.extend_from_slice(b",\"checkpoint\":");
        match &self.checkpoint {
            Some(checkpoint) => string(&mut out, checkpoint.as_str()),
            None => out.extend_from_slice(b"null"),
        }
        number(&mut out, ",\"erased\":", Some(self.erased));
        number(&mut out, ",\"files\":", Some(self.files));
        out.extend_from_slice(b",\"findings\":[");
        for (at, finding) in self.findings.iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"{\"detail\":" } else { b",{\"detail\":" });
            string(&mut out, &finding.detail);
            out.extend_from_slice(b",\"file\":");
            string(&mut out, &finding.file);
            out.extend_from_slice(b",\"kind\":");
            string(&mut out, finding.kind.as_str());
            number(&mut out, ",\"line\":", finding.line);
            out.push(b'}');
        }
        number(&mut out, "],\"findings_total\":", Some(self.findings_total));
        number(&mut out, ",\"first_number\":", self.first_number);
        number(&mut out, ",\"manifests\":", Some(self.manifests));
        number(&mut out, ",\"personal_erased\":", Some(self.personal_erased));
        number(&mut out, ",\"purged\":", Some(self.purged));
        number(&mut out, ",\"records\":", Some(self.records));
        out.extend_from_slice(b",\"sound\":");
        out.extend_from_slice(if self.is_sound() { b"true" } else { b"false" });
        out.extend_from_slice(b",\"unlisted\":[");
        for (at, name) in self.unlisted.iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"" } else { b"," });
            string(&mut out, name);
        }
        out.extend_from_slice(b"]}");
        String::from_utf8(out).unwrap_or_default()
    }
}

impl fmt::Display for ExportReport {
    /// For people: the verdict, the findings, the numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.findings_total {
            0 => writeln!(f, "sound: {} records in {} files", self.records, self.files)?,
            1 => writeln!(f, "NOT SOUND: 1 finding")?,
            total => writeln!(f, "NOT SOUND: {total} findings")?,
        }
        for finding in self.findings.iter().take(SHOWN_MAX) {
            writeln!(f, "  {finding}")?;
        }
        let shown = self.findings.len().min(SHOWN_MAX) as u64;
        if self.findings_total > shown {
            writeln!(f, "  and {} more", self.findings_total - shown)?;
        }
        for name in &self.unlisted {
            writeln!(f, "notice: no manifest names {}", plain(name))?;
        }
        let first = self.first_number.unwrap_or_default();
        writeln!(
            f,
            "manifests: {}, from number {first}; bytes: {}; not in them: purged {}, erased {}, personal data erased {}",
            self.manifests, self.bytes, self.purged, self.erased, self.personal_erased
        )?;
        match &self.checkpoint {
            Some(signed) => {
                let checkpoint = signed.checkpoint();
                let (origin, size, root) = (checkpoint.origin(), checkpoint.size(), checkpoint.root());
                writeln!(f, "checkpoint of {origin}: size {size}, root {root}")
            }
            None => writeln!(f, "checkpoint: none that verifies"),
        }
    }
}

/// How many findings are kept.
const KEPT_MAX: usize = 200;

/// How many findings people are shown.
const SHOWN_MAX: usize = 20;

/// How many characters of what is wrong are kept.
const DETAIL_MAX: usize = 500;
