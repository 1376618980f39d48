//! The events that the log records about itself (FORMAT §2, §6, §7, §8).

use crate::erasure::ErasureOrder;
use crate::event::{Actor, Event, action};
use crate::export::{Export, Exported};
use crate::note::{Origin, VerifierKey};
use crate::query::{Filter, Query};
use crate::record::RecordLine;
use crate::retention::RetentionReport;
use crate::store::{Erasure, Moved};

/// Record 0.
pub(super) fn created(origin: &Origin, vkey: &VerifierKey, previous: Option<&str>) -> Event {
    let event = Event::of_log(action::AUDIT_LOG_CREATED)
        .metadata("format", 1)
        .metadata("origin", origin.as_str())
        .metadata("vkey", vkey.to_string());
    match previous {
        Some(previous) => event.metadata("previous", previous),
        None => event,
    }
}

/// The log was opened for writing, by this version of this crate.
pub(super) fn started(source: Option<&str>) -> Event {
    let event = Event::of_log(action::AUDIT_LOG_STARTED).metadata("version", env!("CARGO_PKG_VERSION"));
    match source {
        Some(source) => event.source(source),
        None => event,
    }
}

/// The log was asked, by whom the query says.
pub(super) fn accessed(query: &Query, records: u64) -> Event {
    let event = Event::of_log(action::AUDIT_LOG_ACCESSED).metadata("records", records);
    with_query(event, query)
}

/// The log is followed from now on, by whom the query says.
pub(super) fn followed(query: &Query) -> Event {
    let event = Event::of_log(action::AUDIT_LOG_ACCESSED).metadata("live", true);
    with_query(event, query)
}

/// Records were exported, for whom the query says.
pub(super) fn exported(export: &Export, exported: &Exported, to: &str) -> Event {
    let mut event = Event::of_log(action::AUDIT_LOG_EXPORTED)
        .metadata("format", export.format_name())
        .metadata("records", exported.records)
        .metadata("to", to);
    if let (Some(first), Some(last)) = (exported.first, exported.last) {
        event = event.metadata("first", first).metadata("last", last);
    }
    with_query(event, export.query())
}

/// With the filter, and who asked.
fn with_query(event: Event, query: &Query) -> Event {
    let mut filter = query.filter.to_string();
    if let Some((end, _)) = filter.char_indices().nth(FILTER_TOLD_MAX) {
        filter.truncate(end);
    }
    let event = match query.filter.is_personal() {
        true => event.personal_metadata("filter", filter),
        false => event.metadata("filter", filter),
    };
    match &query.reader {
        Some(reader) => event.actor(reader.clone()),
        None => event,
    }
}

/// Whether a record is one of those with which an opening begins.
pub(super) fn is_first(record: &RecordLine<'_>) -> bool {
    matches!(
        record.action.as_deref(),
        Some("audit_log.created" | "audit_log.recovered" | "audit_log.started")
    )
}

/// The log was closed in order.
pub(super) fn stopped() -> Event {
    Event::of_log(action::AUDIT_LOG_STOPPED)
}

/// The log was opened though it was not closed in order. `checkpoint_missing` is why there was no checkpoint in the
/// second place.
pub(super) fn recovered(moved: Option<&Moved>, checkpoint_missing: Option<&str>) -> Event {
    let mut event = Event::of_log(action::AUDIT_LOG_RECOVERED).metadata("bytes", moved.map_or(0, |moved| moved.bytes));
    if let Some(moved) = moved {
        event = event
            .metadata("file", &moved.file)
            .metadata("sha256", moved.sha256.to_string());
        if let Some(checkpoint) = &moved.checkpoint {
            event = event.metadata("checkpoint", checkpoint);
        }
    }
    match checkpoint_missing {
        Some(problem) => event.metadata("checkpoint_missing", problem),
        None => event,
    }
}

/// The key in force changes with this record.
pub(super) fn rotated(old: &VerifierKey, new: &VerifierKey) -> Event {
    Event::of_log(action::AUDIT_LOG_SIGNING_KEY_ROTATED)
        .metadata("old", old.to_string())
        .metadata("new", new.to_string())
}

/// The records before this one go.
pub(super) fn purged(before: u64) -> Event {
    Event::of_log(action::AUDIT_LOG_PURGED).metadata("before", before)
}

/// Content of these records goes.
pub(super) fn erased(ranges: &[(u64, u64)], what: Erasure, order: &ErasureOrder) -> Event {
    let action = match what {
        Erasure::Record => action::AUDIT_LOG_RECORD_ERASED,
        Erasure::PersonalData => action::AUDIT_LOG_PERSONAL_DATA_ERASED,
    };
    let event = Event::of_log(action)
        .metadata("ranges", ranges)
        .metadata("reason", &order.reason);
    match &order.by {
        Some(by) => event.actor(by.clone()),
        None => event,
    }
}

/// A legal hold is in force from here on. It is found again by this: the filter is whole.
pub(super) fn hold_placed(name: &str, filter: &Filter, reason: &str, by: Actor) -> Event {
    let event = Event::of_log(action::AUDIT_LOG_LEGAL_HOLD_PLACED)
        .actor(by)
        .metadata("name", name)
        .metadata("reason", reason);
    match filter.is_personal() {
        true => event.personal_metadata("filter", filter.to_string()),
        false => event.metadata("filter", filter.to_string()),
    }
}

/// A legal hold is in force no more.
pub(super) fn hold_released(name: &str, reason: &str, by: Actor) -> Event {
    Event::of_log(action::AUDIT_LOG_LEGAL_HOLD_RELEASED)
        .actor(by)
        .metadata("name", name)
        .metadata("reason", reason)
}

/// Records are kept by another retention from here on.
pub(super) fn policy_updated(old: Option<&str>, new: &str) -> Event {
    let event = Event::of_log(action::AUDIT_LOG_RETENTION_POLICY_UPDATED).metadata("policy", new);
    match old {
        Some(old) => event.metadata("old", old),
        None => event,
    }
}

/// Records go that somebody should have got.
pub(super) fn dropped(ranges: &[(u64, u64)], sinks: &[&str]) -> Event {
    let count: u64 = ranges.iter().map(|(from, to)| to - from + 1).sum();
    let told = ranges.get(..ranges.len().min(RANGES_TOLD_MAX)).unwrap_or_default();
    let rest = ranges.get(told.len()..).unwrap_or_default();
    // The rest of them as one: more may be named than are dropped, and none is left out.
    let rest = rest.first().zip(rest.last()).map(|((from, _), (_, to))| (*from, *to));
    let ranges: Vec<(u64, u64)> = told.iter().copied().chain(rest).collect();
    Event::of_log(action::AUDIT_LOG_EVENTS_DROPPED)
        .metadata("count", count)
        .metadata("ranges", ranges)
        .metadata("sinks", sinks)
        .metadata("reason", super::retention::REASON)
}

/// What a run of a retention took and left; `first` is the first record that is left. It purges nothing more.
pub(super) fn retained(first: u64, report: &RetentionReport) -> Event {
    purged(first)
        .metadata("reason", super::retention::REASON)
        .metadata("at", report.at.to_string())
        .metadata("taken", report.records())
        .metadata("segments", report.segments.len())
        .metadata("left", report.left)
        .metadata("held", report.held.values().sum::<u64>())
        .metadata("waiting", report.waiting)
}

/// A longer filter may not fit into the event that tells of it.
const FILTER_TOLD_MAX: usize = 8 * 1024;

/// So many ranges are told one by one.
const RANGES_TOLD_MAX: usize = 900;
