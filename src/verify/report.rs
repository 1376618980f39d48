use std::fmt;

use super::finding::{Finding, Notice};
use crate::hash::Hash;
use crate::json;
use crate::note::VerifierKey;

/// What a verification found: what breaks the format, and the numbers of what was read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Each breach, the most important one first: causes before what follows from them. At most 200 of a kind are kept.
    pub findings: Vec<Finding>,
    /// How many findings there are, kept or not.
    pub findings_total: u64,
    /// What does not make the log unsound.
    pub notices: Vec<Notice>,
    /// Records read, erased ones among them.
    pub records: u64,
    /// Those of which only `seq` and hash are left.
    pub erased: u64,
    /// Those whose personal data is erased.
    pub personal_erased: u64,
    /// Checkpoints read.
    pub checkpoints: u64,
    /// The first retained record.
    pub first: u64,
    /// The size of the log at its last checkpoint.
    pub size: u64,
    /// The root at that size, if that checkpoint verifies.
    pub root: Option<Hash>,
    /// Which of the vkeys that were given is one of the log.
    pub vkey: Option<VerifierKey>,
    /// The key in force at the end, as far as the rotations verify.
    pub key_in_force: VerifierKey,
}

impl Report {
    /// Whether nothing was found. Then the log is what the holder of its key recorded, from its first retained record
    /// to its last checkpoint (FORMAT §9).
    pub fn is_sound(&self) -> bool {
        self.findings_total == 0
    }

    /// The report as one JSON object in canonical form, with the keys `checkpoints`, `erased`, `findings`, `first`,
    /// `notices`, `records`, `root`, `size` and `sound`.
    ///
    /// A finding has `detail`, `expected`, `file`, `found`, `kind`, `line` and `seq`, a notice `detail`, `kind` and
    /// `seq`; what there is not is `null`.
    pub fn to_json(&self) -> String {
        let mut out = Vec::with_capacity(256 + 512 * self.findings.len());
        number(&mut out, b"{\"checkpoints\":", self.checkpoints);
        number(&mut out, b",\"erased\":", self.erased);
        out.extend_from_slice(b",\"findings\":");
        list(&mut out, &self.findings, write_finding);
        number(&mut out, b",\"first\":", self.first);
        out.extend_from_slice(b",\"notices\":");
        list(&mut out, &self.notices, write_notice);
        number(&mut out, b",\"records\":", self.records);
        text(
            &mut out,
            b",\"root\":",
            self.root.map(|root| root.to_string()).as_deref(),
        );
        number(&mut out, b",\"size\":", self.size);
        out.extend_from_slice(b",\"sound\":");
        out.extend_from_slice(if self.is_sound() { b"true}" } else { b"false}" });
        String::from_utf8(out).unwrap_or_default()
    }
}

impl fmt::Display for Report {
    /// For people: the verdict, then the findings, the most important one first, then notices and numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.findings_total {
            0 => writeln!(
                f,
                "sound: {} records, signed by {}",
                self.records,
                self.key_in_force.key_id()
            )?,
            1 => writeln!(f, "NOT SOUND: 1 finding")?,
            total => writeln!(f, "NOT SOUND: {total} findings, the most important first")?,
        }
        for finding in self.findings.iter().take(SHOWN_MAX) {
            writeln!(f, "  {finding}")?;
        }
        let shown = u64::try_from(self.findings.len().min(SHOWN_MAX)).unwrap_or_default();
        if self.findings_total > shown {
            writeln!(f, "  and {} more", self.findings_total - shown)?;
        }
        for notice in &self.notices {
            writeln!(f, "notice: {notice}")?;
        }
        let Self {
            records,
            erased,
            personal_erased,
            checkpoints,
            first,
            size,
            ..
        } = self;
        writeln!(
            f,
            "records: {records}, from {first} to the size {size}; erased: {erased}; personal data erased: {personal_erased}"
        )?;
        write!(f, "checkpoints: {checkpoints}; root: ")?;
        match self.root {
            Some(root) => writeln!(f, "{root}"),
            None => writeln!(f, "none that verifies"),
        }
    }
}

fn write_finding(out: &mut Vec<u8>, finding: &Finding) {
    text(out, b"{\"detail\":", Some(&finding.detail));
    text(out, b",\"expected\":", finding.expected.as_deref());
    text(out, b",\"file\":", Some(&finding.file));
    text(out, b",\"found\":", finding.found.as_deref());
    text(out, b",\"kind\":", Some(finding.kind.as_str()));
    optional(out, b",\"line\":", finding.line);
    optional(out, b",\"seq\":", finding.seq);
    out.push(b'}');
}

fn write_notice(out: &mut Vec<u8>, notice: &Notice) {
    text(out, b"{\"detail\":", Some(&notice.detail));
    text(out, b",\"kind\":", Some(notice.kind.as_str()));
    optional(out, b",\"seq\":", notice.seq);
    out.push(b'}');
}

fn list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

fn text(out: &mut Vec<u8>, key: &[u8], value: Option<&str>) {
    out.extend_from_slice(key);
    match value {
        Some(value) => json::string(out, value),
        None => out.extend_from_slice(b"null"),
    }
}

fn optional(out: &mut Vec<u8>, key: &[u8], value: Option<u64>) {
    match value {
        Some(value) => number(out, key, value),
        None => text(out, key, None),
    }
}

fn number(out: &mut Vec<u8>, key: &[u8], value: u64) {
    out.extend_from_slice(key);
    json::unsigned(out, value.min(json::INTEGER_MAX));
}

/// How many findings people are shown.
const SHOWN_MAX: usize = 20;
