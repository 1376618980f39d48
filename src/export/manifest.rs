//! The manifest beside an export: what was exported, signed.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::ops::Range;

use super::{Compression, Format};
use crate::checkpoint::SignedCheckpoint;
use crate::hash::Hash;
use crate::json::{self, JsonError, Kind, Reader, string, unsigned};
use crate::note::{Note, NoteError, OpenError, Origin, VerifierKey};
use crate::query::Gone;
use crate::timestamp::Timestamp;

/// What was exported. Its form is specified in [`export`](super).
///
/// ```no_run
/// use indelible::export::Manifest;
///
/// # let vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse()?;
/// let note = std::fs::read_to_string("2026-02-01-00000000000000000000-00000000000000001000.jsonl.manifest")?;
/// let manifest = Manifest::open(&note, &[vkey])?;
/// println!("{} files of {}", manifest.files.len(), manifest.origin);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// The log.
    pub origin: Origin,
    /// Its number among those of its folder, from 0.
    pub number: u64,
    /// The SHA-256 of the file of the manifest before it; 64 zeros for the first.
    pub previous: Hash,
    /// When the export began, by the clock of the log.
    pub created_at: Timestamp,
    /// What was asked for, as [`Query::parse`](crate::Query::parse) reads it.
    pub filter: String,
    /// The records that the filter can take, by `seq`: from the first to before the second.
    pub range: Range<u64>,
    /// The format of the files.
    pub format: Format,
    /// How the files are compressed.
    pub compression: Option<Compression>,
    /// JSON Lines: the records have proofs, and are not the lines of the log.
    pub with_proofs: bool,
    /// CSV: cells are guarded against formulas.
    pub formula_guard: bool,
    /// What the range lacks: see [`Exported::gone`](super::Exported::gone).
    pub gone: Gone,
    /// The log's newest checkpoint when the export began.
    pub checkpoint: SignedCheckpoint,
    /// The lines of the log: the RFC 6962 proof that the tree at the last of them is in that of the checkpoint.
    pub consistency: Vec<Hash>,
    /// The files.
    pub files: Vec<ManifestFile>,
}

/// A file of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManifestFile {
    /// Its name, in the folder of the manifest.
    pub name: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// How many records it has.
    pub records: u64,
    /// The SHA-256 of its bytes.
    pub sha256: Hash,
    /// The `seq` of its first record; `None` without records.
    pub first: Option<u64>,
    /// The `seq` of its last record.
    pub last: Option<u64>,
}

/// Why a text is not a manifest that says anything to who knows these keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// It is no note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// No known key signed it.
    #[error(transparent)]
    Signature(#[from] OpenError),
    /// It is signed by the key of another log.
    #[error("the manifest is of the log {found}, and signed by a key of {signer}")]
    Origin {
        /// The origin that it names.
        found: Origin,
        /// That of the key.
        signer: Origin,
    },
    /// Its text is not that of a manifest.
    #[error("not a manifest: {0}")]
    Malformed(String),
}

impl From<JsonError> for ManifestError {
    fn from(error: JsonError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl Manifest {
    /// Reads a manifest that one of these keys signed. It accepts exactly what is written.
    ///
    /// # Errors
    ///
    /// [`ManifestError`] says what breaks its form, or that no such key signed it.
    pub fn open(note: &str, vkeys: &[VerifierKey]) -> Result<Self, ManifestError> {
        Self::open_signed(note, vkeys).map(|(manifest, _)| manifest)
    }

    /// The same, with the key that signed it.
    pub(super) fn open_signed<'a>(
        note: &str,
        vkeys: &'a [VerifierKey],
    ) -> Result<(Self, &'a VerifierKey), ManifestError> {
        let opened = Note::parse(note)?.open(vkeys)?;
        let manifest = Self::from_text(opened.text)?;
        let has_signed = |key: &&VerifierKey| opened.verified.iter().any(|signature| signature.names(key));
        let mut signers = vkeys.iter().filter(has_signed);
        let signer = signers.clone().find(|signer| *signer.name() == manifest.origin);
        match (signer, signers.next()) {
            (Some(signer), _) => Ok((manifest, signer)),
            (None, Some(other)) => Err(ManifestError::Origin {
                found: manifest.origin,
                signer: other.name().clone(),
            }),
            (None, None) => Err(OpenError::Unverified.into()),
        }
    }

    /// Reads a manifest whoever signed it.
    pub(super) fn unverified(note: &str) -> Result<Self, ManifestError> {
        Self::from_text(Note::parse(note)?.text())
    }

    /// What is signed.
    pub(super) fn text(&self) -> String {
        format!("{HEADER}\n{}\n", self.to_json())
    }

    fn from_text(text: &str) -> Result<Self, ManifestError> {
        let malformed = |problem: &str| ManifestError::Malformed(problem.to_owned());
        let json = text.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('\n'));
        let json = json.and_then(|json| json.strip_suffix('\n'));
        let json =
            json.ok_or_else(|| malformed("its text is the line \"indelible export manifest\" and one of JSON"))?;
        let manifest = Draft::read(json)?
            .finish()
            .ok_or_else(|| malformed("a member is missing or out of place"))?;
        match manifest.to_json() == json {
            true => Ok(manifest),
            false => Err(malformed("it is not in canonical form")),
        }
    }

    /// Canonical JSON.
    fn to_json(&self) -> String {
        let mut out = b"{\"checkpoint\":".to_vec();
        string(&mut out, self.checkpoint.as_str());
        out.extend_from_slice(b",\"consistency\":[");
        for (at, hash) in self.consistency.iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"" } else { b"," });
            string(&mut out, &hash.to_string());
        }
        out.extend_from_slice(b"],\"created_at\":");
        string(&mut out, &self.created_at.to_string());
        number(&mut out, b",\"erased\":", self.gone.erased);
        out.extend_from_slice(b",\"files\":[");
        for (at, file) in self.files.iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"" } else { b"," });
            file.write(&mut out);
        }
        out.extend_from_slice(b"],\"filter\":");
        string(&mut out, &self.filter);
        out.extend_from_slice(b",\"format\":");
        string(&mut out, self.format.name());
        number(&mut out, b",\"number\":", self.number);
        out.extend_from_slice(b",\"options\":{");
        if let Some(compression) = self.compression {
            out.extend_from_slice(b"\"compression\":");
            string(&mut out, compression.name());
            // JSON alone has no other option.
            out.extend_from_slice(if self.format == Format::Json { b"" } else { b"," });
        }
        out.extend_from_slice(match (self.format, self.with_proofs, self.formula_guard) {
            (Format::JsonLines, true, _) => b"\"proofs\":true",
            (Format::JsonLines, false, _) => b"\"proofs\":false",
            (Format::Csv, _, true) => b"\"formula_guard\":true",
            (Format::Csv, _, false) => b"\"formula_guard\":false",
            (Format::Json, ..) => b"",
        });
        out.extend_from_slice(b"},\"origin\":");
        string(&mut out, self.origin.as_str());
        number(&mut out, b",\"personal_erased\":", self.gone.personal_erased);
        out.extend_from_slice(b",\"previous\":");
        string(&mut out, &self.previous.to_string());
        out.extend_from_slice(b",\"purged\":");
        write_purged(&mut out, self.gone.purged.as_ref());
        number(&mut out, b",\"seq_from\":", self.range.start);
        number(&mut out, b",\"seq_to\":", self.range.end);
        out.extend_from_slice(b",\"version\":1}");
        String::from_utf8(out).unwrap_or_default()
    }
}

impl ManifestFile {
    fn write(&self, out: &mut Vec<u8>) {
        number(out, b"{\"bytes\":", self.bytes);
        for (key, seq) in [(b",\"first\":".as_slice(), self.first), (b",\"last\":", self.last)] {
            match seq {
                Some(seq) => number(out, key, seq),
                None => {
                    out.extend_from_slice(key);
                    out.extend_from_slice(b"null");
                }
            }
        }
        out.extend_from_slice(b",\"name\":");
        string(out, &self.name);
        number(out, b",\"records\":", self.records);
        out.extend_from_slice(b",\"sha256\":");
        string(out, &self.sha256.to_string());
        out.push(b'}');
    }

    fn read(value: &mut Reader<'_>) -> Result<Option<Self>, ManifestError> {
        let (mut bytes, mut records, mut name, mut sha256) = (None, None, None, None);
        let (mut first, mut last) = (None, None);
        value.object(|key, value| {
            match key {
                "bytes" => bytes = Some(value.unsigned()?),
                "first" => first = optional(value)?,
                "last" => last = optional(value)?,
                "name" => name = Some(value.string()?.into_owned()),
                "records" => records = Some(value.unsigned()?),
                "sha256" => sha256 = Some(parsed::<Hash>(value)?),
                _ => return Err(unknown(key)),
            }
            Ok(())
        })?;
        let whole = || {
            Some(Self {
                name: name.filter(|name| is_plain(name))?,
                bytes: bytes?,
                records: records?,
                sha256: sha256?,
                first,
                last,
            })
        };
        Ok(whole())
    }
}

/// What of a manifest has been read.
#[derive(Debug, Default)]
struct Draft {
    checkpoint: Option<SignedCheckpoint>,
    consistency: Vec<Hash>,
    created_at: Option<Timestamp>,
    files: Option<Vec<ManifestFile>>,
    filter: Option<String>,
    format: Option<Format>,
    number: Option<u64>,
    compression: Option<Compression>,
    proofs: Option<bool>,
    formula_guard: Option<bool>,
    origin: Option<Origin>,
    previous: Option<Hash>,
    gone: Gone,
    seq_from: Option<u64>,
    seq_to: Option<u64>,
    version: Option<u64>,
}

impl Draft {
    fn read(text: &str) -> Result<Self, ManifestError> {
        let mut draft = Self::default();
        let mut reader = Reader::new(text.as_bytes(), json::DEPTH_MAX)?;
        reader.object(|key, value| draft.member(key, value))?;
        reader.end()?;
        Ok(draft)
    }

    fn member(&mut self, key: &str, value: &mut Reader<'_>) -> Result<(), ManifestError> {
        match key {
            "checkpoint" => self.checkpoint = Some(parsed(value)?),
            "consistency" => value.list(|_, value| {
                self.consistency.push(parsed(value)?);
                Ok::<_, ManifestError>(())
            })?,
            "created_at" => self.created_at = Some(parsed(value)?),
            "erased" => self.gone.erased = value.unsigned()?,
            "files" => {
                let mut files = Some(Vec::new());
                value.list(|_, value| {
                    match (ManifestFile::read(value)?, &mut files) {
                        (Some(file), Some(files)) => files.push(file),
                        _ => files = None,
                    }
                    Ok::<_, ManifestError>(())
                })?;
                self.files = files;
            }
            "filter" => self.filter = Some(value.string()?.into_owned()),
            "format" => self.format = Format::of_name(&value.string()?),
            "number" => self.number = Some(value.unsigned()?),
            "options" => value.object(|key, value| {
                match key {
                    "compression" => self.compression = Compression::of_name(&value.string()?),
                    "proofs" => self.proofs = Some(value.boolean()?),
                    "formula_guard" => self.formula_guard = Some(value.boolean()?),
                    _ => return Err(unknown(key)),
                }
                Ok(())
            })?,
            "origin" => self.origin = Some(parsed(value)?),
            "personal_erased" => self.gone.personal_erased = value.unsigned()?,
            "previous" => self.previous = Some(parsed(value)?),
            "purged" => self.gone.purged = read_purged(value)?,
            "seq_from" => self.seq_from = Some(value.unsigned()?),
            "seq_to" => self.seq_to = Some(value.unsigned()?),
            "version" => self.version = Some(value.unsigned()?),
            _ => return Err(unknown(key)),
        }
        Ok(())
    }

    fn finish(self) -> Option<Manifest> {
        self.version.filter(|version| *version == 1)?;
        Some(Manifest {
            origin: self.origin?,
            number: self.number?,
            previous: self.previous?,
            created_at: self.created_at?,
            filter: self.filter?,
            range: self.seq_from?..self.seq_to?,
            format: self.format?,
            compression: self.compression,
            with_proofs: self.proofs.unwrap_or_default(),
            formula_guard: self.formula_guard.unwrap_or_default(),
            gone: self.gone,
            checkpoint: self.checkpoint?,
            consistency: self.consistency,
            files: self.files?,
        })
    }
}

/// Appends the purged records of a range: `[]`, or `[[first,last]]`.
pub(super) fn write_purged(out: &mut Vec<u8>, purged: Option<&Range<u64>>) {
    out.push(b'[');
    if let Some(purged) = purged.filter(|purged| !purged.is_empty()) {
        number(out, b"[", purged.start);
        number(out, b",", purged.end - 1);
        out.push(b']');
    }
    out.push(b']');
}

fn read_purged(value: &mut Reader<'_>) -> Result<Option<Range<u64>>, ManifestError> {
    let mut ends = Vec::new();
    value.list(|_, value| {
        value.list(|_, value| {
            ends.push(value.unsigned()?);
            Ok::<_, ManifestError>(())
        })
    })?;
    match *ends {
        [] => Ok(None),
        [first, last] if first <= last => Ok(Some(first..last + 1)),
        _ => Err(ManifestError::Malformed("purged is not a list of [first, last]".into())),
    }
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(value: &mut Reader<'_>) -> Result<T, ManifestError> {
    let text = value.string()?;
    text.parse()
        .map_err(|error: T::Err| ManifestError::Malformed(error.to_string()))
}

fn optional(value: &mut Reader<'_>) -> Result<Option<u64>, JsonError> {
    match value.kind()? {
        Kind::Null => value.null().map(|()| None),
        _ => value.unsigned().map(Some),
    }
}

fn unknown(key: &str) -> ManifestError {
    ManifestError::Malformed(format!("the member {:?} is not known", crate::note::plain(key)))
}

fn number(out: &mut Vec<u8>, key: &[u8], value: u64) {
    out.extend_from_slice(key);
    unsigned(out, value);
}

/// Whether this is the name of a file in the same folder.
fn is_plain(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.starts_with('.') && name.bytes().all(is_allowed)
}

/// The first line: no checkpoint begins so, since an origin has no space.
const HEADER: &str = "indelible export manifest";

const NAME_BYTES_MAX: usize = 200;
