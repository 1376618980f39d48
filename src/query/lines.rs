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

/// Which records are looked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'a> {
    All,
    /// Those that match.
    Matching(&'a Matcher<'a>),
    /// Those too of which something is erased.
    MatchingOrLost(&'a Matcher<'a>),
}

impl Wanted<'_> {
    /// What finds a place in the first of some lines that is looked for, if that is faster than taking each.
    fn finder(&self) -> Option<impl Fn(&[u8]) -> Option<usize>> {
        let (matcher, with_lost) = match *self {
            Self::All => return None,
            Self::Matching(matcher) => (matcher, false),
            Self::MatchingOrLost(matcher) => (matcher, true),
        };
        let find = move |lines: &[u8]| match with_lost {
            true => matcher.find_or_lost(lines),
            false => matcher.find(lines),
        };
        matcher.has_literals().then_some(find)
    }
}

/// Goes over the records of a range that are in a segment, in order, as long as `goes_on` says so of each: over all that
/// are wanted, and some others. Gives the record after the last one.
pub(super) fn each_record(
    store: &dyn Store,
    segment: &Segment,
    range: &Range<u64>,
    wanted: Wanted<'_>,
    mut goes_on: impl FnMut(&[u8]) -> Result<bool, String>,
) -> Result<u64> {
    let mut next = range.start;
    let mut lines = store.lines(segment, range.start)?;
    let find = wanted.finder();
    loop {
        if let Some(find) = &find {
            lines.pass_over(find);
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
            next = if find.is_some() { range.end } else { next };
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
