//! One export into a folder, step by step: the data, the manifest's text, the manifest.

use std::path::{Path, PathBuf};

use super::folder::{Folder, NewFile};
use super::manifest::{Manifest, ManifestFile};
use super::source::{Form, Plan, Source};
use super::{Export, Exported, ExportedFiles};
use crate::error::{Cause, Error, Result};
use crate::hash::Hash;
use crate::note::VerifierKey;
use crate::sign::SignError;

/// An export into a folder on its way. Dropped before it is published, it leaves nothing.
pub(crate) struct Exporter<'a> {
    // It goes before the folder is let go.
    data: NewFile,
    folder: Folder,
    source: Source<'a>,
    export: &'a Export,
    plan: Plan,
    name: String,
    text: String,
    exported: Option<Exported>,
}

impl<'a> Exporter<'a> {
    /// Takes the folder, and the name.
    pub(crate) fn begin(source: Source<'a>, export: &'a Export, folder: &Path) -> Result<Self> {
        let plan = source.plan(export)?;
        let filter = plan.filter.to_string();
        if filter.len() > FILTER_MAX {
            let problem = format!("it has {} bytes, at most {FILTER_MAX}", filter.len());
            return Err(Error::configuration("filter", problem));
        }
        let name = name_of(&source, &plan, export, &filter)?;
        let folder = Folder::open(folder)?;
        Ok(Self {
            data: folder.begin(&name)?,
            folder,
            source,
            export,
            plan,
            name,
            text: String::new(),
            exported: None,
        })
    }

    /// Writes the data, durably, and the manifest's text.
    pub(crate) fn write(&mut self) -> Result<Exported> {
        let path = self.data.path.clone();
        let file = self.data.writer()?;
        let exported = self.source.write_plan(self.export, &self.plan, file, &path)?;
        self.data.sync()?;
        let origin = self.source.checkpoint.checkpoint().origin().clone();
        let (number, previous) = self.folder.next(&origin)?;
        let manifest = Manifest {
            origin,
            number,
            previous,
            created_at: self.source.now().into(),
            filter: self.plan.filter.to_string(),
            range: self.plan.range.clone(),
            format: self.export.format,
            with_proofs: self.plan.form == Form::Records,
            formula_guard: matches!(self.plan.form, Form::Csv { formula_guard: true }),
            gone: exported.gone.clone(),
            checkpoint: exported.checkpoint.clone(),
            consistency: exported.consistency.clone(),
            files: vec![ManifestFile {
                name: self.name.clone(),
                bytes: exported.bytes,
                records: exported.records,
                sha256: exported.sha256,
                first: exported.first,
                last: exported.last,
            }],
        };
        self.text = manifest.text();
        self.exported = Some(exported.clone());
        Ok(exported)
    }

    /// What is to be signed.
    pub(crate) fn manifest_text(&self) -> &str {
        &self.text
    }

    /// Checks that a signer made a note of it that verifies.
    pub(crate) fn check(&self, note: &str, vkey: &VerifierKey) -> Result<()> {
        let opened = Manifest::open(note, std::slice::from_ref(vkey));
        opened.map(drop).map_err(|error| {
            let error = SignError::new("the signer's manifest does not verify").with_source(error);
            Cause::Signer(error).into()
        })
    }

    /// Puts the manifest in its place.
    pub(crate) fn publish(self, note: &str) -> Result<ExportedFiles> {
        let Some(exported) = self.exported else {
            return Err(Error::configuration("export", "nothing was written"));
        };
        let files: Vec<PathBuf> = vec![self.data.path.clone()];
        let manifest = self.folder.publish(&self.name, note, self.data)?;
        Ok(ExportedFiles {
            manifest,
            files,
            exported,
        })
    }
}

/// Of the day, the range and, unless all of it is taken, the filter. The same export has the same name each time.
fn name_of(source: &Source<'_>, plan: &Plan, export: &Export, filter: &str) -> Result<String> {
    let (day, from, to) = (source.day(&plan.range)?, plan.range.start, plan.range.end);
    let mut name = format!("{day}-{from:020}-{to:020}");
    if !plan.filter.is_range() {
        let hash = Hash::of(filter.as_bytes()).to_string();
        name.push('-');
        name.push_str(hash.get(..TAG).unwrap_or_default());
    }
    Ok(format!("{name}.{}", export.format.name()))
}

/// How many digits of the filter's hash a name has.
const TAG: usize = 16;

/// The longest filter that a manifest has room for, in bytes.
const FILTER_MAX: usize = 256 * 1024;
