//! Checking an export: files against manifests, manifests against keys.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::collections::HashSet;
use std::path::Path;

use super::Format;
use super::chain::{Chain, Check, Proven};
use super::content::Content;
use super::folder::{self, LOCK};
use super::manifest::{Manifest, ManifestError, ManifestFile};
use super::place::MANIFEST;
use super::report::{ExportFinding, ExportFindingKind as Kind, ExportReport};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::note::VerifierKey;

/// Verifies a folder of exports, or one manifest and its files, under vkeys that were got from outside.
///
/// Each manifest must be signed by one of the keys, and its checkpoint by the same; each file must be there and have the
/// bytes that its manifest says; in JSON Lines each record must be in the tree of the checkpoint, and the lines of a
/// range must hold all of them. In a folder, the manifests must follow each other without a gap, and none may be signed
/// by a key that another one has replaced before (FORMAT §6). What is wrong is in the report. Memory does not grow with the files, nor with what they unpack to: what is compressed is unpacked only to check
/// lines, up to the first that is wrong, and not to more of them than a file of its size can hold.
///
/// That nobody signed a second export of other content is not shown, nor that manifests are gone before the first
/// ([`ExportReport::first_number`]) or behind the last one: compare the checkpoint with one that was kept elsewhere.
///
/// # Errors
///
/// [`Cause::Export`](crate::Cause::Export) where the folder or the manifest cannot be read,
/// [`Cause::Configuration`](crate::Cause::Configuration) where there is no manifest, or no key.
///
/// ```no_run
/// use indelible::export::verify_export;
///
/// let vkey = "auth.example.com/audit+aace0f41+AZF8w/cAdUtphcBYYuH6PONVS45QiHlj2WD6dU50U2m9".parse()?;
/// let report = verify_export("/mnt/auditors", &[vkey])?;
/// println!("{report}");
/// assert!(report.is_sound());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn verify_export(path: impl AsRef<Path>, vkeys: &[VerifierKey]) -> Result<ExportReport> {
    let path = path.as_ref();
    if vkeys.is_empty() {
        return Err(Error::configuration("vkeys", "at least one is needed"));
    }
    let mut run = Run {
        vkeys,
        report: ExportReport::default(),
        chain: Vec::new(),
        named: HashSet::new(),
    };
    let about = std::fs::metadata(path).map_err(|error| Error::export("read", path, error))?;
    if !about.is_dir() {
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let note = folder::read_note(path).map_err(|error| Error::export("read", path, error))?;
        run.manifest(folder.unwrap_or(Path::new(".")), &name, &note);
        return Ok(run.report);
    }
    let names = folder::names(path)?;
    if !names.iter().any(|name| name.ends_with(MANIFEST)) {
        let problem = format!("{} holds no manifest", path.display());
        return Err(Error::configuration("folder", problem));
    }
    for name in names.iter().filter(|name| name.ends_with(MANIFEST)) {
        match folder::read_note(&path.join(name)) {
            Ok(note) => run.manifest(path, name, &note),
            Err(error) => run.find(Kind::Malformed, name, error.to_string()),
        }
    }
    run.follow();
    let is_named = |name: &String| name.ends_with(MANIFEST) || name == LOCK || run.named.contains(name);
    run.report.unlisted = names.iter().filter(|name| !is_named(name)).cloned().collect();
    Ok(run.report)
}

struct Run<'a> {
    vkeys: &'a [VerifierKey],
    report: ExportReport,
    chain: Vec<Link<'a>>,
    /// The files that manifests name.
    named: HashSet<String>,
}

/// A manifest among those of its folder.
struct Link<'a> {
    number: u64,
    hash: Hash,
    previous: Hash,
    name: String,
    signer: &'a VerifierKey,
}

impl Run<'_> {
    fn find(&mut self, kind: Kind, file: &str, detail: impl AsRef<str>) {
        self.report.push(ExportFinding::new(kind, file, detail));
    }

    fn manifest(&mut self, folder: &Path, name: &str, note: &str) {
        self.report.manifests += 1;
        let (manifest, signer) = match Manifest::open_signed(note, self.vkeys) {
            Ok(opened) => opened,
            Err(error) => {
                let kind = match error {
                    ManifestError::Signature(_) => Kind::BadSignature,
                    ManifestError::Origin { .. } => Kind::WrongOrigin,
                    _ => Kind::Malformed,
                };
                return self.find(kind, name, error.to_string());
            }
        };
        self.chain.push(Link {
            number: manifest.number,
            hash: Hash::of(note.as_bytes()),
            previous: manifest.previous,
            name: name.to_owned(),
            signer,
        });
        self.checkpoint(&manifest, signer, name);
        let gone = &manifest.gone;
        let purged = gone
            .purged
            .as_ref()
            .map_or(0, |purged| purged.end.saturating_sub(purged.start));
        let report = &mut self.report;
        report.purged = report.purged.saturating_add(purged);
        report.erased = report.erased.saturating_add(gone.erased);
        report.personal_erased = report.personal_erased.saturating_add(gone.personal_erased);
        for file in &manifest.files {
            self.report.records = self.report.records.saturating_add(file.records);
            self.named.insert(file.name.clone());
            self.file(folder, &manifest, file);
        }
    }

    fn checkpoint(&mut self, manifest: &Manifest, signer: &VerifierKey, name: &str) {
        let signed = &manifest.checkpoint;
        let checkpoint = signed.checkpoint();
        if *checkpoint.origin() != manifest.origin {
            let problem = format!("the checkpoint is of {}", checkpoint.origin());
            return self.find(Kind::WrongOrigin, name, problem);
        }
        if let Err(error) = signed.verify(signer) {
            return self.find(Kind::BadSignature, name, format!("its checkpoint: {error}"));
        }
        let newest = self.report.checkpoint.get_or_insert_with(|| signed.clone());
        if newest.checkpoint().size() < checkpoint.size() {
            *newest = signed.clone();
        }
    }

    fn file(&mut self, folder: &Path, manifest: &Manifest, file: &ManifestFile) {
        let opened = match folder::open_file(&folder.join(&file.name)) {
            Ok(opened) => opened,
            Err(error) => return self.find(Kind::MissingFile, &file.name, error.to_string()),
        };
        self.report.files += 1;
        let mut check: Option<Box<dyn Check + '_>> = match (manifest.format, manifest.with_proofs) {
            (Format::JsonLines, false) => Some(Box::new(Chain::new(manifest, file, self.vkeys))),
            (Format::JsonLines, true) => Some(Box::new(Proven::new(manifest, file))),
            _ => None,
        };
        let read = Content::of(opened, file.bytes, manifest.compression, check.as_deref_mut());
        let content = match read {
            Ok(content) => content,
            Err(error) => return self.find(Kind::MissingFile, &file.name, error.to_string()),
        };
        self.report.bytes = self.report.bytes.saturating_add(content.bytes);
        if content.bytes > file.bytes {
            self.find(
                Kind::ChangedFile,
                &file.name,
                format!("it has more than {} bytes", file.bytes),
            );
        } else if content.bytes < file.bytes {
            let problem = format!("it has {} bytes, not {}", content.bytes, file.bytes);
            self.find(Kind::ChangedFile, &file.name, problem);
        } else if content.sha256 != file.sha256 {
            self.find(Kind::ChangedFile, &file.name, "its SHA-256 is not that of the manifest");
        }
        if let Some((line, (kind, detail))) = content.problem {
            self.report
                .push(ExportFinding::new(kind, &file.name, detail).line(line));
        }
    }

    /// Whether the manifests of a folder follow each other.
    fn follow(&mut self) {
        let mut chain = std::mem::take(&mut self.chain);
        chain.sort_unstable_by(|a, b| (a.number, a.hash, &a.name).cmp(&(b.number, b.hash, &b.name)));
        self.report.first_number = chain.first().map(|first| first.number);
        let mut replaced = Vec::new();
        for pair in chain.windows(2) {
            let [before, link] = pair else { continue };
            let (last, number) = (before.number, link.number);
            if number == last {
                let problem = format!("another manifest has the number {number}");
                self.find(Kind::BrokenChain, &link.name, problem);
            } else if number - last > 1 {
                let problem = format!("the manifests from number {} to {} are missing", last + 1, number - 1);
                self.find(Kind::MissingManifest, &link.name, problem);
            } else if link.previous != before.hash {
                let problem = format!("it does not name the manifest {last} as it stands");
                self.find(Kind::BrokenChain, &link.name, problem);
            }
            if link.signer != before.signer {
                replaced.push(before.signer);
            }
            if replaced.contains(&link.signer) {
                let problem = "it is signed by a key that another one has replaced before";
                self.find(Kind::BadSignature, &link.name, problem);
            }
        }
        match chain.first() {
            Some(first) if first.number == 0 && first.previous != Hash::ZERO => {
                self.find(
                    Kind::BrokenChain,
                    &first.name,
                    "it is the first, and names one before it",
                );
            }
            _ => {}
        }
    }
}
