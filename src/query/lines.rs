//! Going over the lines of a segment, and telling what each is to a query.

use std::ops::Range;

use super::matcher::Matcher;
use crate::error::{Error, Result};
use crate::record::{Line, Personal, RecordLine};
use crate::store::{LineEnd, Segment, Store};

/// What a record's line is to a query.
#[derive(Debug)]
pub(super) enum Verdict<'a> {
    Matches(RecordLine<'a>),
    Other,
    /// The record is erased.
    Erased,
    /// It might match, had its personal data not been erased.
    PersonalErased,
}

pub(super) fn judge<'a>(line: &'a [u8], matcher: &Matcher<'_>) -> Result<Verdict<'a>, String> {
    if line.starts_with(ERASED) {
        return Ok(Verdict::Erased);
    }
    let may_be_lost = matcher.is_personal() && memchr::memmem::find(line, PERSONAL_ERASED).is_some();
    if !may_be_lost && !matcher.may_match(line) {
        return Ok(Verdict::Other);
    }
    let Line::Record(record) = Line::parse(line).map_err(|error| error.to_string())? else {
        return Ok(Verdict::Other);
    };
    if matcher.matches(&record) {
        return Ok(Verdict::Matches(record));
    }
    match may_be_lost && matches!(record.personal, Personal::Erased(_)) {
        true => Ok(Verdict::PersonalErased),
        false => Ok(Verdict::Other),
    }
}

/// Goes over the records of a range that are in a segment, in order, as long as `goes_on` says so of each; where there is
/// a matcher, not all of those that cannot match. Gives the record after the last one.
pub(super) fn each_record(
    store: &dyn Store,
    segment: &Segment,
    range: &Range<u64>,
    matcher: Option<&Matcher<'_>>,
    mut goes_on: impl FnMut(&[u8]) -> Result<bool, String>,
) -> Result<u64> {
    let mut next = range.start;
    let mut lines = store.lines(segment, range.start)?;
    let matcher = matcher.filter(|matcher| matcher.has_literals());
    loop {
        if let Some(matcher) = matcher {
            lines.pass_over(&|lines| matcher.find(lines));
        }
        let Some(raw) = lines.next_line()? else { break };
        if raw.end != LineEnd::Whole {
            break;
        }
        let Some(seq) = seq_of(raw.bytes).filter(|seq| *seq >= next) else {
            continue;
        };
        if seq >= range.end {
            // What was passed over on the way here is the rest of the range.
            next = matcher.map_or(next, |_| range.end);
            break;
        }
        next = seq + 1;
        let damaged = |problem: String| Error::damaged(&segment.name, None, format!("near seq {seq}: {problem}"));
        // Behind the last one there may be megabytes of space that was written ahead.
        if !goes_on(raw.bytes).map_err(damaged)? || next == range.end {
            return Ok(next);
        }
    }
    // Nothing of a segment that begins here is read: it would be read again and again.
    if next == range.start && range.start < range.end {
        let problem = format!("record {next} is missing");
        return Err(Error::damaged(&segment.name, None, problem));
    }
    Ok(next)
}

/// The `seq` with which a record's line ends.
pub(crate) fn seq_of(line: &[u8]) -> Option<u64> {
    let rest = line.strip_suffix(b"}")?;
    let digits = rest.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let (before, digits) = rest.split_at_checked(rest.len() - digits)?;
    let seq = std::str::from_utf8(digits).ok()?.parse().ok()?;
    before.ends_with(b",\"seq\":").then_some(seq)
}

/// How the line of an erased record begins.
pub(super) const ERASED: &[u8] = b"{\"erased\":\"";

/// What stands in the line of a record whose personal data is erased.
pub(super) const PERSONAL_ERASED: &[u8] = b",\"personal\":\"";
