//! How far a series of exports has come: what the manifests at its destination cover, from record 0 on without a gap.
//!
//! The manifests are the position. A file beside the log only remembers it, so that not all of them are read each
//! time, and is right or useless whatever becomes of it: it names the manifest whose range ends there, by number and
//! hash, and is believed where that stands at the destination and says so.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::folder::read_note;
use super::manifest::Manifest;
use super::place::GoesOn;
use super::{Destination, Export, Format};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::json::{self, JsonError, Reader, string, unsigned};
use crate::query::Query;
use crate::timestamp::Timestamp;

/// Exports of the same records in the same form to one destination, one range after the other.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) destination: Destination,
    pub(crate) export: Export,
}

/// How far a series has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Position {
    /// The first record that is not exported.
    pub(crate) seq: u64,
    /// When the last export began.
    pub(crate) exported_at: Option<Timestamp>,
    /// The manifest of the series whose range ends there: its number, and the hash of its file.
    pub(crate) manifest: Option<(u64, Hash)>,
    /// The number of the next manifest, whatever it is of. It is not remembered.
    pub(crate) next: u64,
}

impl Series {
    /// Checks that it can be a series.
    pub(crate) fn check(&self) -> Result<()> {
        let query = &self.export.query;
        let wrong = |problem: &str| Error::configuration("export_every", problem);
        query.check_unpaged().map_err(|error| wrong(&error.to_string()))?;
        match query.filter == query.filter.clone().without_range().at(SystemTime::UNIX_EPOCH) {
            true => Ok(()),
            false => Err(wrong(
                "each export has a range of its own: the query takes neither seq_from nor seq_to nor last",
            )),
        }
    }

    /// The export of the records from `from` to before `to`.
    pub(crate) fn export(&self, from: u64, to: u64) -> Export {
        let mut export = self.export.clone();
        export.query = export.query.seq_from(from).seq_to(to);
        export
    }

    /// What it is, as a name for a file.
    pub(crate) fn id(&self) -> String {
        let Export {
            format,
            formula_guard,
            compression,
            ..
        } = &self.export;
        let compression = compression.map(|name| format!(" {name}")).unwrap_or_default();
        let text = format!(
            "{}\n{format} {formula_guard}{compression}\n{}",
            self.destination,
            self.filter()
        );
        Hash::of(text.as_bytes()).to_string().chars().take(ID_DIGITS).collect()
    }

    fn filter(&self) -> String {
        self.export.query.filter.to_string()
    }

    /// Whether a manifest is of an export of this series.
    fn has(&self, manifest: &Manifest) -> bool {
        let Export {
            format,
            formula_guard,
            compression,
            ..
        } = &self.export;
        let guard = *format == Format::Csv && *formula_guard;
        let filter = Query::parse(&manifest.filter).map(|query| query.filter.without_range().to_string());
        let form = (manifest.format, manifest.formula_guard, manifest.compression);
        form == (*format, guard, *compression) && filter == Ok(self.filter())
    }

    /// Learns the position from the destination. `open` reads a manifest that a key of the log has signed.
    ///
    /// # Errors
    ///
    /// Where the destination cannot be read, a manifest is none of this log, or covers what the log does not have.
    pub(crate) fn learn(
        &self,
        known: &Position,
        size: u64,
        goes_on: GoesOn<'_>,
        open: &mut dyn FnMut(&Path, &str) -> Result<Manifest>,
    ) -> Result<Position> {
        let mut place = self.destination.open(goes_on)?;
        let mut learn = |from: u64| -> Result<Learned> {
            let mut learned = Learned::default();
            place.manifests(from, &mut |address, note| {
                learned.take(self, &open(address, note)?, Hash::of(note.as_bytes()));
                Ok(())
            })?;
            Ok(learned)
        };
        let learned = learn(known.manifest.map_or(0, |(number, _)| number))?;
        match known.manifest {
            Some(manifest) if learned.says(manifest, known.seq) => learned.after(known.seq, size),
            // What does not stand there, or does not say so, counts for nothing.
            Some((1.., _)) => learn(0)?.after(0, size),
            _ => learned.after(0, size),
        }
    }
}

/// What manifests say.
#[derive(Debug, Default)]
struct Learned {
    /// The ranges of the series: where each begins and ends, and its manifest.
    ranges: Vec<(u64, u64, (u64, Hash))>,
    /// When the last of them began, by its number.
    exported_at: Option<(u64, Timestamp)>,
    next: u64,
}

impl Learned {
    fn take(&mut self, series: &Series, manifest: &Manifest, hash: Hash) {
        let Manifest { number, ref range, .. } = *manifest;
        if series.has(manifest) {
            self.ranges.push((range.start, range.end, (number, hash)));
            self.exported_at = self.exported_at.max(Some((number, manifest.created_at)));
        }
        self.next = self.next.max(number.saturating_add(1));
    }

    /// Whether this manifest is there, and its range ends here.
    fn says(&self, manifest: (u64, Hash), seq: u64) -> bool {
        self.ranges
            .iter()
            .any(|(_, end, said)| (*said, *end) == (manifest, seq))
    }

    /// The position that they lead to from another one.
    fn after(mut self, seq: u64, size: u64) -> Result<Position> {
        let mut position = Position {
            seq,
            exported_at: self.exported_at.map(|(_, exported_at)| exported_at),
            manifest: None,
            next: self.next,
        };
        self.ranges.sort_unstable();
        for (start, end, manifest) in self.ranges {
            if start <= position.seq && end >= position.seq {
                (position.seq, position.manifest) = (end, Some(manifest));
            }
        }
        if position.seq > size {
            let problem = format!("records up to {} are exported, of a log of {size}", position.seq);
            return Err(Error::configuration("export_every", problem));
        }
        Ok(position)
    }
}

impl Position {
    /// Reads what was remembered in a log's folder. Where that is nothing of this form, nothing was.
    pub(crate) fn read(folder: &Path, id: &str) -> Self {
        let text = read_note(&path(folder, id));
        text.ok()
            .and_then(|text| Self::parse(&text).ok().flatten())
            .unwrap_or_default()
    }

    /// Remembers it: whole or not at all, and durably.
    pub(crate) fn write(&self, folder: &Path, id: &str) -> Result<()> {
        let path = path(folder, id);
        let write = || {
            let (folder, new) = (path.parent().unwrap_or(Path::new(".")), path.with_extension("new"));
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            file.write_all(self.to_json().as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(folder)?.sync_all()
        };
        write().map_err(|error: io::Error| Error::export("write", &path, error))
    }

    fn to_json(&self) -> String {
        let mut out = b"{".to_vec();
        if let Some(exported_at) = self.exported_at {
            out.extend_from_slice(b"\"exported_at\":");
            string(&mut out, &exported_at.to_string());
            out.push(b',');
        }
        if let Some((number, hash)) = &self.manifest {
            out.extend_from_slice(b"\"manifest\":");
            string(&mut out, &hash.to_string());
            out.extend_from_slice(b",\"number\":");
            unsigned(&mut out, *number);
            out.push(b',');
        }
        out.extend_from_slice(b"\"seq\":");
        unsigned(&mut out, self.seq);
        out.extend_from_slice(b"}\n");
        String::from_utf8(out).unwrap_or_default()
    }

    fn parse(text: &str) -> Result<Option<Self>, JsonError> {
        let (mut position, mut number, mut hash, mut seq) = (Self::default(), None, None, None);
        let mut reader = Reader::new(text.trim_end().as_bytes(), json::DEPTH_MAX)?;
        reader.object(|key, value| {
            match key {
                "exported_at" => position.exported_at = value.string()?.parse().ok(),
                "manifest" => hash = value.string()?.parse().ok(),
                "number" => number = Some(value.unsigned()?),
                "seq" => seq = Some(value.unsigned()?),
                _ => {}
            }
            Ok::<_, JsonError>(())
        })?;
        reader.end()?;
        position.manifest = number.zip(hash);
        Ok(seq.map(|seq| Self { seq, ..position }))
    }
}

/// The file for a series, in the folder of a log (FORMAT §5: a position).
fn path(folder: &Path, id: &str) -> PathBuf {
    folder.join("exports").join(id)
}

/// So many digits of a hash tell series apart.
const ID_DIGITS: usize = 16;
