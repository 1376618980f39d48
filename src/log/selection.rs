//! Which records are to be erased, and who has a copy of them.

use super::shared::Shared;
use crate::erasure::{Erased, Handover, Selected, Selection};
use crate::error::{Cause, Result};
use crate::json::{self, JsonError, Reader};
use crate::query::{self, Field, Query};
use crate::record::Record;

impl Shared {
    /// The records of a selection, as ranges in order.
    pub(super) fn select(&self, selection: &Selection) -> Result<Erased> {
        let mut selected = Erased::default();
        match &selection.0 {
            Selected::Ranges(ranges) => selected.ranges = self.ranges(ranges.iter().cloned())?,
            Selected::Query(query) => self.select_found(query, |record| add(&mut selected.ranges, record.seq()))?,
            Selected::Ids(ids) => {
                for some in ids.chunks(IDS_AT_A_TIME) {
                    let query = some.iter().fold(Query::new(), |query, id| query.with(Field::Id, id));
                    let mut found = Vec::new();
                    self.select_found(&query, |record| {
                        selected.ranges.push((record.seq(), record.seq()));
                        found.extend(record.id());
                    })?;
                    let missing = some.iter().filter(|id| !found.contains(*id));
                    selected.not_found.extend(missing.cloned());
                }
                let ranges = std::mem::take(&mut selected.ranges);
                selected.ranges = self.ranges(ranges.into_iter().map(|(from, to)| from..=to))?;
            }
        }
        Ok(selected)
    }

    fn select_found(&self, query: &Query, mut take: impl FnMut(&Record)) -> Result<()> {
        query.check_unpaged().map_err(Cause::InvalidQuery)?;
        let filter = query.filter.clone().at(self.options.clock.now());
        let wanted = filter.range(self.numbers.size());
        query::each(self.store.as_ref(), &self.indexes, &filter, wanted, |records| {
            records.iter().for_each(&mut take);
            Ok(())
        })?;
        Ok(())
    }

    /// The exports that may hold some of these records.
    pub(super) fn handed_over(&self, ranges: &[(u64, u64)]) -> Result<Vec<Handover>> {
        let mut handed_over = Vec::new();
        self.select_found(&Query::new().action("audit_log.exported"), |record| {
            let handover = handover_of(record);
            let overlaps = |handover: &Handover| {
                ranges
                    .iter()
                    .any(|(from, to)| *from <= handover.range.1 && handover.range.0 <= *to)
            };
            handed_over.extend(handover.filter(overlaps));
        })?;
        Ok(handed_over)
    }
}

/// The export that a record tells of.
fn handover_of(record: &Record) -> Option<Handover> {
    let (mut first, mut last) = (None, None);
    let (mut to, mut format, mut filter) = (None, None, None);
    for part in [record.event_json(), record.personal_json()].into_iter().flatten() {
        let mut reader = Reader::new(part.as_bytes(), json::DEPTH_MAX).ok()?;
        let entry = |key: &str, value: &mut Reader<'_>| match key {
            "metadata" => value.object(|key, value| {
                match key {
                    "first" => first = Some(value.unsigned()?),
                    "last" => last = Some(value.unsigned()?),
                    "to" => to = Some(value.string()?.into_owned()),
                    "format" => format = Some(value.string()?.into_owned()),
                    "filter" => filter = Some(value.string()?.into_owned()),
                    _ => value.skip()?,
                }
                Ok(())
            }),
            _ => value.skip(),
        };
        reader.object::<JsonError>(entry).ok()?;
    }
    Some(Handover {
        to: to?,
        seq: record.seq(),
        recorded_at: record.recorded_at(),
        format: format?,
        filter,
        range: (first?, last?),
    })
}

/// Adds the next record to ranges that are in order.
fn add(ranges: &mut Vec<(u64, u64)>, seq: u64) {
    match ranges.last_mut() {
        Some((_, last)) if *last + 1 == seq => *last = seq,
        _ => ranges.push((seq, seq)),
    }
}

/// So many ids are looked for at once.
const IDS_AT_A_TIME: usize = 500;
