//! One export to a destination, step by step: the data, the manifest's text, the manifest.

use std::io;
use std::path::Path;

use super::compression::Packer;
use super::manifest::{Manifest, ManifestFile};
use super::place::{Finished, GoesOn, NewFile, Place};
use super::source::{Form, Plan, Source};
use super::{Destination, Export, Exported, ExportedFiles};
use crate::error::{Cause, Error, Result};
use crate::hash::Hash;
use crate::note::VerifierKey;
use crate::sign::SignError;

/// An export on its way. Dropped before it is published, it leaves nothing that is one.
pub(crate) struct Exporter<'a> {
    // It goes before the destination is let go.
    data: NewFile,
    place: Box<dyn Place + 'a>,
    goes_on: GoesOn<'a>,
    number: Option<u64>,
    source: Source<'a>,
    export: &'a Export,
    plan: Plan,
    name: String,
    written: Option<Written>,
}

/// What is durable, and what is to be signed for it.
struct Written {
    data: String,
    number: u64,
    text: String,
    exported: Exported,
}

impl<'a> Exporter<'a> {
    /// Takes the destination, and the name.
    pub(crate) fn begin(
        source: Source<'a>,
        export: &'a Export,
        destination: &Destination,
        goes_on: GoesOn<'a>,
    ) -> Result<Self> {
        let plan = source.plan(export)?;
        // A build that cannot compress says so before anything is made.
        export.compression.map(Packer::new).transpose()?;
        let filter = plan.filter.to_string();
        if filter.len() > FILTER_MAX {
            let problem = format!("it has {} bytes, at most {FILTER_MAX}", filter.len());
            return Err(Error::configuration("filter", problem));
        }
        let name = name_of(&source, &plan, export, &filter)?;
        let mut place = destination.open(goes_on)?;
        Ok(Self {
            data: place.begin(&name)?,
            place,
            goes_on,
            number: None,
            source,
            export,
            plan,
            name,
            written: None,
        })
    }

    /// Says which number the manifest must get: where others exported since that was known, nothing is.
    pub(crate) fn expect_number(&mut self, number: u64) {
        self.number = Some(number);
    }

    /// Writes the data, durably, and the manifest's text. `open` reads a manifest that a key of the log has signed: no
    /// other is followed.
    pub(crate) fn write(&mut self, open: &mut dyn FnMut(&Path, &str) -> Result<Manifest>) -> Result<Exported> {
        let path = self.data.path.clone();
        let mut file = self.data.writer(self.goes_on)?;
        let exported = self.source.write_plan(self.export, &self.plan, &mut file, &path)?;
        let data = self.place.keep(&self.name, &mut self.data, &exported)?;
        let origin = self.source.checkpoint.checkpoint().origin().clone();
        let (number, previous) = match self.place.newest(&origin)? {
            Some((address, note)) => (open(&address, &note)?.number + 1, Hash::of(note.as_bytes())),
            None => (0, Hash::ZERO),
        };
        if self.number.is_some_and(|expected| expected != number) {
            let ahead = io::Error::new(io::ErrorKind::AlreadyExists, "another export got ahead");
            return Err(Error::export("write", &path, ahead));
        }
        let manifest = Manifest {
            origin,
            number,
            previous,
            created_at: self.source.now().into(),
            filter: self.plan.filter.to_string(),
            range: self.plan.range.clone(),
            format: self.export.format,
            with_proofs: self.plan.form == Form::Records,
            compression: self.export.compression,
            formula_guard: matches!(self.plan.form, Form::Csv { formula_guard: true }),
            gone: exported.gone.clone(),
            checkpoint: exported.checkpoint.clone(),
            consistency: exported.consistency.clone(),
            files: vec![ManifestFile {
                name: data.clone(),
                bytes: exported.bytes,
                records: exported.records,
                sha256: exported.sha256,
                first: exported.first,
                last: exported.last,
            }],
        };
        self.written = Some(Written {
            data,
            number,
            text: manifest.text(),
            exported: exported.clone(),
        });
        Ok(exported)
    }

    /// What is to be signed.
    pub(crate) fn manifest_text(&self) -> &str {
        self.written.as_ref().map_or("", |written| &written.text)
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
    pub(crate) fn publish(mut self, note: &str) -> Result<ExportedFiles> {
        let Some(written) = self.written.take() else {
            return Err(Error::configuration("export", "nothing was written"));
        };
        let finished = Finished {
            name: &self.name,
            data: &written.data,
            number: written.number,
            note,
        };
        let [manifest, data] = self.place.publish(&finished, &mut self.data)?;
        Ok(ExportedFiles {
            manifest,
            files: vec![data],
            exported: written.exported,
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
    name.push('.');
    name.push_str(export.format.name());
    if let Some(compression) = export.compression {
        name.push('.');
        name.push_str(compression.extension());
    }
    Ok(name)
}

/// How many digits of the filter's hash a name has.
const TAG: usize = 16;

/// The longest filter that a manifest has room for, in bytes.
const FILTER_MAX: usize = 256 * 1024;
