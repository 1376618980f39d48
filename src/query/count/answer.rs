//! Counting segment by segment: by the index alone where that tells it, else record by record.

use std::ops::Range;
use std::time::SystemTime;

use roaring::RoaringBitmap;

use super::tally::Tally;
use super::{CountBy, Counts};
use crate::error::{Cause, Result};
use crate::event::Action;
use crate::query::fetch::RecordReader;
use crate::query::field::Field;
use crate::query::index::{Decided, Index, Indexes, Times};
use crate::query::lines::{Verdict, Wanted, each_record, judge};
use crate::query::matcher::Matcher;
use crate::query::page::Gone;
use crate::query::parts::{self, ALONE, PART, Parts};
use crate::query::source::{Looked, Lost, Part, Source, Told};
use crate::query::{Order, Query};
use crate::store::{Segment, Store};

/// Counts what a query finds among the first `size` records of a log. `now` is when a period that the query names ends.
pub(crate) fn count(
    store: &dyn Store,
    indexes: &Indexes,
    query: &Query,
    by: &CountBy,
    size: u64,
    now: SystemTime,
) -> Result<Counts> {
    query.check_unpaged().map_err(Cause::InvalidQuery)?;
    let filter = query.filter.clone().at(now);
    let matcher = Matcher::new(&filter, filter.start);
    let counting = Counting {
        store,
        indexes,
        matcher: &matcher,
        by,
    };
    let Total { tally, mut gone } = counting.run(filter.range(size))?;
    if by.field.as_ref().is_some_and(Field::is_personal) {
        gone.personal_erased += tally.personal_erased;
    }
    Ok(Counts {
        total: tally.total,
        groups: tally.groups(),
        gone,
        size,
    })
}

struct Counting<'a> {
    store: &'a dyn Store,
    indexes: &'a Indexes,
    matcher: &'a Matcher<'a>,
    by: &'a CountBy,
}

/// What was counted so far.
#[derive(Debug, Default)]
struct Total {
    tally: Tally,
    gone: Gone,
}

/// What was counted of a segment.
#[derive(Debug, Default)]
struct Counted {
    tally: Tally,
    lost: Lost,
    /// The record after the last one.
    next: u64,
}

impl Total {
    /// Adds what was counted of other records.
    fn and(&mut self, other: Self) -> Result<()> {
        if let Some(purged) = other.gone.purged {
            self.gone.purge(purged);
        }
        self.gone.erased += other.gone.erased;
        self.gone.personal_erased += other.gone.personal_erased;
        self.tally.and(other.tally).map_err(Cause::InvalidQuery)?;
        Ok(())
    }
}

impl Counting<'_> {
    /// Counts the records of a range, part by part: on several threads, if it takes a while.
    fn run(&self, wanted: Range<u64>) -> Result<Total> {
        // An index tells of a whole segment at once; where there are words, all is read.
        let records_max = if self.matcher.asks_words() { PART } else { u64::MAX };
        let parts = Parts::new(&self.store.segments()?, wanted, Order::OldestFirst, records_max);
        let worker = || {
            let source = Source::new(self.store, self.indexes, self.matcher);
            move |part: Range<u64>| self.count_part(&source, &part)
        };
        let mut total = Total::default();
        parts::work(parts, ALONE, worker, |counted| total.and(counted?).map(|()| true))?;
        Ok(total)
    }

    /// Counts the records of a range.
    fn count_part(&self, source: &Source<'_>, wanted: &Range<u64>) -> Result<Total> {
        let (mut at, mut total) = (wanted.start, Total::default());
        while at < wanted.end {
            let (counted, first) = source.in_segment(at, |part| self.count(source, part, at, wanted.end))?;
            let next = counted.next.max(first);
            let purged = (at < first).then(|| at..first.min(wanted.end));
            let gone = Gone {
                purged,
                erased: counted.lost.erased,
                personal_erased: counted.lost.personal,
            };
            total.and(Total {
                tally: counted.tally,
                gone,
            })?;
            at = next;
        }
        Ok(total)
    }

    /// Counts the records of a segment from `at` on and before `end`.
    fn count(&self, source: &Source<'_>, part: Part<'_>, at: u64, end: u64) -> Result<Counted> {
        let start = at.max(part.segment.first);
        if start >= end {
            return Ok(Counted {
                next: end,
                ..Counted::default()
            });
        }
        let by_index = |index: &dyn Index| self.by_index(part.segment, index, start..end);
        match source.by_index(part, at, by_index)? {
            Told::By(counted) => Ok(counted),
            Told::Not { first } => {
                let (mut counted, wanted) = (Counted::default(), Wanted::MatchingOrLost(self.matcher));
                counted.next = self.read(part.segment, &(start.max(first)..end), wanted, &mut counted)?;
                Ok(counted)
            }
        }
    }

    fn by_index(&self, segment: &Segment, index: &dyn Index, range: Range<u64>) -> Result<Looked<Counted>> {
        let range = range.start..range.end.min(index.end());
        let mut counted = Counted {
            next: range.end,
            ..Counted::default()
        };
        let Ok(told) = self.tell(index, &range, &mut counted.tally) else {
            return Ok(Looked::Damaged);
        };
        // What is lost is known of the index, and not counted twice.
        let (mut read, wanted) = (Counted::default(), Wanted::Matching(self.matcher));
        match told {
            Some(unsure) => {
                for range in unsure {
                    self.read(segment, &range, wanted, &mut read)?;
                }
            }
            None => match index.candidates(self.matcher, &range) {
                Err(_) => return Ok(Looked::Damaged),
                Ok(None) if !index.is_sealed() => return Ok(Looked::NotTold),
                Ok(None) => _ = self.read(segment, &range, wanted, &mut read)?,
                Ok(Some(candidates)) => match candidates.dense() {
                    Some(dense) => _ = self.read(segment, &dense, wanted, &mut read)?,
                    None => {
                        let reader = RecordReader::new(self.store, segment, index);
                        for seq in candidates.iter() {
                            reader.read(seq, &mut |line| self.look(line, &mut read))?;
                        }
                    }
                },
            },
        }
        if !index.is_current() {
            return Ok(Looked::NotTold);
        }
        let (erased, personal) = index.lost_in(&range);
        counted.lost.erased = erased;
        if self.matcher.is_personal() {
            counted.lost.personal = personal.saturating_sub(read.tally.personal_erased);
        }
        counted.tally.and(read.tally).map_err(Cause::InvalidQuery)?;
        Ok(Looked::Seen(counted))
    }

    /// Counts by the index alone, as far as it tells; gives what is to be read, or `None` where it does not tell.
    fn tell(
        &self,
        index: &dyn Index,
        range: &Range<u64>,
        tally: &mut Tally,
    ) -> std::io::Result<Option<Vec<Range<u64>>>> {
        let Some(decided) = index.decided(self.matcher, range)? else {
            return Ok(None);
        };
        let values = match &self.by.field {
            None => Vec::new(),
            Some(Field::Category) => match index.values(&Field::EventType)? {
                Some(values) => values
                    .into_iter()
                    .map(|(action, records)| (category(action), records))
                    .collect(),
                None => return Ok(None),
            },
            Some(field) => match index.values(field)? {
                Some(values) => values
                    .into_iter()
                    .map(|(text, records)| (text.to_owned(), records))
                    .collect(),
                None => return Ok(None),
            },
        };
        let values: Vec<(String, RoaringBitmap)> = values
            .into_iter()
            .map(|(text, records)| (text, records.as_ref() & &decided.matching))
            .collect();
        let mut unsure = self.add_up(index.first(), &decided, &values, tally);
        for unsure in &mut unsure {
            *unsure = unsure.start.max(range.start)..unsure.end.min(range.end);
        }
        Ok(Some(unsure))
    }

    /// Adds up what is decided, and gives what is to be read.
    fn add_up(
        &self,
        first: u64,
        decided: &Decided,
        values: &[(String, RoaringBitmap)],
        tally: &mut Tally,
    ) -> Vec<Range<u64>> {
        let mut without = decided.matching.clone();
        values.iter().for_each(|(_, records)| without -= records);
        let bucket = self.by.bucket.map(|bucket| move |time| bucket.start_of(time));
        let bucket = bucket.as_ref().map(|bucket| bucket as &dyn Fn(i64) -> i64);
        let mut unsure = Vec::new();
        for (times, stretch) in decided.stretches(bucket) {
            let count = decided.matching.range_cardinality(stretch.clone());
            match times {
                _ if count == 0 => {}
                Times::Out => {}
                Times::Unsure => unsure.push(first + u64::from(stretch.start)..first + u64::from(stretch.end)),
                Times::In(start) => {
                    tally.add(count);
                    tally.add_value(start, None, without.range_cardinality(stretch.clone()));
                    for (text, records) in values {
                        tally.add_value(start, Some(text), records.range_cardinality(stretch.clone()));
                    }
                }
            }
        }
        unsure
    }

    /// Counts record by record. Gives the record after the last one.
    fn read(&self, segment: &Segment, range: &Range<u64>, wanted: Wanted<'_>, counted: &mut Counted) -> Result<u64> {
        each_record(self.store, segment, range, wanted, |line| {
            self.look(line, counted)?;
            Ok(true)
        })
    }

    fn look(&self, line: &[u8], counted: &mut Counted) -> Result<(), String> {
        match judge(line, self.matcher)? {
            Verdict::Matches(record) => counted.tally.add_record(&record, self.by, self.matcher.filter.time),
            Verdict::Erased => counted.lost.erased += 1,
            Verdict::PersonalErased => counted.lost.personal += 1,
            Verdict::Other => {}
        }
        Ok(())
    }
}

fn category(action: &str) -> String {
    Action::from(action).category().to_owned()
}
