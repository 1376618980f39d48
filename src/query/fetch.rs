//! Reading single records of a segment that has an index.

use std::cell::OnceCell;
use std::fs::File;
use std::os::unix::fs::FileExt;

use super::index::Index;
use super::lines::{Wanted, each_record, seq_of};
use crate::error::Result;
use crate::store::{Segment, Store};

/// Reads single records of a segment.
pub(super) struct RecordReader<'a> {
    store: &'a dyn Store,
    segment: &'a Segment,
    index: &'a dyn Index,
    file: OnceCell<Option<File>>,
}

impl<'a> RecordReader<'a> {
    pub(super) fn new(store: &'a dyn Store, segment: &'a Segment, index: &'a dyn Index) -> Self {
        Self {
            store,
            segment,
            index,
            file: OnceCell::new(),
        }
    }

    /// Has `look` take the line of a record.
    pub(super) fn read(&self, seq: u64, look: &mut dyn FnMut(&[u8]) -> Result<(), String>) -> Result<()> {
        if self.read_at_offset(seq, look).is_some() {
            return Ok(());
        }
        let look = |line: &[u8]| look(line).map(|()| false);
        each_record(self.store, self.segment, &(seq..seq + 1), Wanted::All, look)?;
        Ok(())
    }

    /// Where the index says that it stands; `None` where it does not.
    fn read_at_offset(&self, seq: u64, look: &mut dyn FnMut(&[u8]) -> Result<(), String>) -> Option<()> {
        let lines = self.index.lines_of(seq).ok().flatten()?;
        let open = || {
            let file = File::open(self.store.folder()?.join(&self.segment.name)).ok()?;
            // Before a segment is replaced its index is removed: offsets of the one are never used in the other.
            self.index.is_current().then_some(file)
        };
        let file = self.file.get_or_init(open).as_ref()?;
        let length = usize::try_from(lines.end - lines.start).ok();
        let mut bytes = vec![0; length.filter(|length| *length <= LINES_MAX)?];
        file.read_exact_at(&mut bytes, lines.start).ok()?;
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let line = lines.find(|line| seq_of(line) == Some(seq))?;
        look(line).ok()
    }
}

/// More than the lines of so many records as the index leaves between two offsets.
const LINES_MAX: usize = 16 * 1024 * 1024;
