//! Which records are to be erased, and who has a copy of them.

use std::collections::HashSet;

use super::shared::Shared;
use crate::erasure::{Erased, Handover, Selected, Selection};
use crate::error::{Cause, Result};
use crate::event::recorded_id;
use crate::json::{self, JsonError, Reader};
use crate::query::{self, Field, Query};
use crate::reader::{first, walk_near};
use crate::record::Record;
use crate::store::overlaps;

impl Shared {
    /// The records of a selection, as ranges in order.
    pub(super) fn select(&self, selection: &Selection) -> Result<Erased> {
        let mut selected = Erased::default();
        match &selection.0 {
            Selected::Ranges(ranges) => selected.ranges = self.ranges(ranges.iter().cloned())?,
            Selected::Query(query) => self.select_found(query, |record| add(&mut selected.ranges, record.seq()))?,
            Selected::Ids(ids) => {
                let (found, seqs) = self.find_ids(ids)?;
                selected.ranges = self.ranges(seqs.into_iter().map(|seq| seq..=seq))?;
                let missing = ids.iter().filter(|id| !found.contains(id.as_str()));
                selected.not_found.extend(missing.cloned());
            }
        }
        Ok(selected)
    }

    /// Which of these ids records have, and those records: by the indexes, or where the ids are many by going over the
    /// log once.
    fn find_ids<'a>(&self, ids: &'a [String]) -> Result<(HashSet<&'a str>, Vec<u64>)> {
        let wanted: HashSet<&str> = ids.iter().map(String::as_str).collect();
        let (mut found, mut seqs) = (HashSet::new(), Vec::new());
        let mut take = |id: Option<String>, seq: u64| {
            if let Some(id) = id.and_then(|id| wanted.get(id.as_str())) {
                found.insert(*id);
                seqs.push(seq);
            }
        };
        if ids.len() > IDS_BY_INDEX_MAX {
            let store = self.store.as_ref();
            walk_near(store, first(store)?.unwrap_or(0), self.numbers.size(), |leaf| {
                take(leaf.record().and_then(|record| recorded_id(record.event)), leaf.seq);
            })?;
        } else {
            for some in ids.chunks(IDS_AT_A_TIME) {
                let query = some.iter().fold(Query::new(), |query, id| query.with(Field::Id, id));
                self.select_found(&query, |record| take(record.id(), record.seq()))?;
            }
        }
        Ok((found, seqs))
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

    /// The exports that may hold some of these records: ranges in order and apart.
    pub(super) fn handed_over(&self, ranges: &[(u64, u64)]) -> Result<Vec<Handover>> {
        let mut handed_over = Vec::new();
        self.select_found(&Query::new().action("audit_log.exported"), |record| {
            let holds = |handover: &Handover| overlaps(ranges, handover.range.0, handover.range.1.saturating_add(1));
            handed_over.extend(handover_of(record).filter(holds));
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
pub(super) fn add(ranges: &mut Vec<(u64, u64)>, seq: u64) {
    match ranges.last_mut() {
        Some((_, last)) if *last + 1 == seq => *last = seq,
        _ => ranges.push((seq, seq)),
    }
}

/// So many ids are looked for in the indexes at once, and in all.
const IDS_AT_A_TIME: usize = 500;
const IDS_BY_INDEX_MAX: usize = 10_000;
