//! Whether a record is one that a query asks for.

use std::borrow::Cow;

use memchr::memmem::Finder;

use super::condition::Condition;
use super::field::{Field, Value};
use super::lines::{ERASED, PERSONAL_ERASED};
use super::visit::{Place, fields, scalars, spelled_target};
use super::word::{Word, finder};
use super::{Filter, TimeField};
use crate::event::scan::text;
use crate::event::{Action, Severity};
use crate::json;
use crate::record::{Personal, RecordLine};
use crate::timestamp::Timestamp;

/// A filter, made ready to look at many records.
#[derive(Debug)]
pub(crate) struct Matcher<'a> {
    pub(super) filter: &'a Filter,
    conditions: Vec<(&'a Field, &'a Condition)>,
    /// The conditions that a record must meet, a bit for each.
    required: u64,
    /// The filter's own, or where its period began.
    pub(super) start: Option<Timestamp>,
    end: Option<Timestamp>,
    literals: Vec<Literal>,
    /// What stands in the lines of records that cannot match any more, and are counted.
    lost: Vec<Finder<'static>>,
}

/// Bytes that stand in the line of every record that matches.
#[derive(Debug)]
enum Literal {
    Exact(Box<Finder<'static>>),
    /// A line may have it in any letter case.
    AnyCase(Box<Word>),
}

impl Literal {
    fn find(&self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Exact(finder) => finder.find(text),
            Self::AnyCase(word) => word.find(text),
        }
    }

    /// How long it is: the longer, the fewer lines have it.
    fn length(&self) -> usize {
        match self {
            Self::Exact(finder) => finder.needle().len(),
            Self::AnyCase(word) => word.length(),
        }
    }
}

impl<'a> Matcher<'a> {
    /// `start` is the filter's own, or where its period began.
    pub(crate) fn new(filter: &'a Filter, start: Option<Timestamp>) -> Self {
        let conditions: Vec<_> = filter.conditions.iter().collect();
        let is_required = |(at, (_, condition)): (usize, &(&Field, &Condition))| match condition.any.is_empty() {
            true => 0,
            false => 1_u64 << at,
        };
        Self {
            filter,
            required: conditions.iter().enumerate().map(is_required).sum(),
            literals: literals(filter),
            lost: match filter.is_personal() {
                true => vec![finder(ERASED), finder(PERSONAL_ERASED)],
                false => vec![finder(ERASED)],
            },
            start,
            end: filter.end,
            conditions,
        }
    }

    /// When the time that is asked for begins and ends, in microseconds; `None` where all times are.
    pub(super) fn period(&self) -> Option<(i64, i64)> {
        let start = self.start.map_or(i64::MIN, Timestamp::unix_micros);
        let end = self.end.map_or(i64::MAX, Timestamp::unix_micros);
        (self.start.is_some() || self.end.is_some()).then_some((start, end))
    }

    /// Whether personal data decides on what matches.
    pub(super) fn is_personal(&self) -> bool {
        self.filter.is_personal()
    }

    /// Whether a line may be one that matches, by its bytes.
    pub(crate) fn may_match(&self, line: &[u8]) -> bool {
        self.literals.iter().all(|literal| literal.find(line).is_some())
    }

    /// Whether words are asked for, which no index tells of.
    pub(super) fn asks_words(&self) -> bool {
        !self.filter.words.is_empty()
    }

    /// Whether there are bytes that every line has that matches.
    pub(super) fn has_literals(&self) -> bool {
        !self.literals.is_empty()
    }

    /// A place in the first of some lines that may match.
    pub(super) fn find(&self, lines: &[u8]) -> Option<usize> {
        self.literals.first().map_or(Some(0), |literal| literal.find(lines))
    }

    /// A place in the first of some lines that may match or might have, had nothing of it been erased.
    pub(super) fn find_or_lost(&self, lines: &[u8]) -> Option<usize> {
        let mut start = 0;
        // Some lines at a time: what is near is found before what is far is looked for.
        while let Some(rest) = lines.get(start..).filter(|rest| !rest.is_empty()) {
            let near = rest.get(..LOOK).and_then(|near| memchr::memrchr(b'\n', near));
            let end = near.or_else(|| memchr::memchr(b'\n', rest));
            let near = rest.get(..=end.unwrap_or(rest.len())).unwrap_or(rest);
            let mut found = self.find(near);
            for lost in &self.lost {
                let before = near.get(..found.unwrap_or(near.len())).unwrap_or_default();
                found = lost.find(before).or(found);
            }
            if let Some(found) = found {
                return Some(start + found);
            }
            start += near.len();
        }
        None
    }

    /// Whether it asks for nothing but a range of records.
    fn takes_all(&self) -> bool {
        let filter = self.filter;
        let is_plain = self.conditions.is_empty() && filter.words.is_empty() && filter.severity_min.is_none();
        is_plain && self.period().is_none()
    }

    pub(crate) fn matches(&self, record: &RecordLine<'_>) -> bool {
        if !self.filter.range(u64::MAX).contains(&record.seq) {
            return false;
        }
        if self.takes_all() {
            return true;
        }
        let mut look = Look {
            matcher: self,
            met: 0,
            is_excluded: false,
            severity: None,
            occurred_at: None,
        };
        look.at(record.event);
        let personal = match record.personal {
            Personal::Present(personal) => personal,
            Personal::Erased(_) => &[],
        };
        look.at(personal);
        if look.is_excluded || look.met != self.required {
            return false;
        }
        let time = match self.filter.time {
            TimeField::OccurredAt => look.occurred_at.unwrap_or_default(),
            TimeField::RecordedAt => record.recorded_at.as_bytes(),
        };
        let is_timed = self.start.is_some() || self.end.is_some();
        let is_between = |time| self.start.is_none_or(|start| time >= start) && self.end.is_none_or(|end| time < end);
        let is_in_time = !is_timed || Timestamp::from_fixed(time).is_some_and(is_between);
        let is_severe = self.filter.severity_min.is_none_or(|min| look.severity >= Some(min));
        is_in_time && is_severe && self.has_words(record.event, personal)
    }

    fn has_words(&self, event: &[u8], personal: &[u8]) -> bool {
        if self.filter.words.is_empty() {
            return true;
        }
        let mut missing: Vec<&str> = self.filter.words.iter().map(String::as_str).collect();
        let mut look = |value: &[u8]| {
            let value = folded(&spelled(value));
            missing.retain(|word| !value.contains(word));
        };
        scalars(event, &mut look);
        scalars(personal, &mut look);
        missing.is_empty()
    }
}

/// What was seen of a record so far.
struct Look<'a, 'b> {
    matcher: &'b Matcher<'b>,
    met: u64,
    is_excluded: bool,
    severity: Option<Severity>,
    occurred_at: Option<&'a [u8]>,
}

impl<'a> Look<'a, '_> {
    fn at(&mut self, part: &'a [u8]) {
        if self.matcher.start.is_some() || self.matcher.end.is_some() {
            let mut members = crate::event::scan::members(part);
            let occurred_at = members.find(|(key, _)| *key == b"occurred_at");
            let unquoted = |value: &'a [u8]| value.strip_prefix(b"\"")?.strip_suffix(b"\"");
            self.occurred_at = self.occurred_at.or(occurred_at.and_then(|(_, value)| unquoted(value)));
        }
        fields(part, &mut |place, value| self.field(&place, value));
    }

    fn field(&mut self, place: &Place<'_>, value: &[u8]) {
        match place {
            Place::Field(Field::Severity) if self.matcher.filter.severity_min.is_some() => {
                let name = spelled(value);
                self.severity = Severity::named(&name);
            }
            Place::Field(Field::EventType) if self.asks(&Field::Category) => {
                let action = Action::from(&*spelled(value));
                self.compare(|field| *field == Field::Category, action.category());
            }
            Place::Field(Field::ActorId | Field::OnBehalfOfId | Field::TargetId) if self.asks(&Field::UserId) => {
                self.compare(|field| *field == Field::UserId, &spelled(value));
            }
            Place::Target if self.asks(&Field::Target) => {
                self.compare(|field| *field == Field::Target, &spelled_target(value));
            }
            _ => {}
        }
        let is_meant = |field: &Field| match (place, field) {
            (Place::Field(place), field) => place == field,
            (Place::Metadata(key), Field::Metadata(name)) => key_is(key, name),
            (Place::Metadata(_) | Place::Target, _) => false,
        };
        if self.matcher.conditions.iter().any(|(field, _)| is_meant(field)) {
            self.compare(is_meant, &spelled(value));
        }
    }

    fn asks(&self, field: &Field) -> bool {
        self.matcher.filter.conditions.contains_key(field)
    }

    fn compare(&mut self, is_meant: impl Fn(&Field) -> bool, value: &str) {
        for (at, (_, condition)) in self
            .matcher
            .conditions
            .iter()
            .enumerate()
            .filter(|(_, (field, _))| is_meant(field))
        {
            if condition.any.iter().any(|wanted| wanted.is(value)) {
                self.met |= 1 << at;
            }
            self.is_excluded |= condition.none.iter().any(|unwanted| unwanted.is(value));
        }
    }
}

/// A text in lower case. ASCII letters come of ASCII letters alone, so that a word of them is found by its bytes.
pub(super) fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for char in text.chars() {
        let is_plain = char.is_ascii() || char.to_lowercase().any(|lower| lower.is_ascii());
        match is_plain {
            true => folded.push(char.to_ascii_lowercase()),
            false => folded.extend(char.to_lowercase()),
        }
    }
    folded
}

/// What may be the id of a target as [`Field::Target`] has it: behind each colon, since a type may have one too.
pub(super) fn ids_of(target: &str) -> impl Iterator<Item = &str> {
    target.match_indices(':').filter_map(|(at, _)| target.get(at + 1..))
}

/// The text of a string, or another value as it is written.
pub(super) fn spelled(value: &[u8]) -> Cow<'_, str> {
    match value.first() {
        Some(b'"') => text(value),
        _ => String::from_utf8_lossy(value),
    }
}

pub(super) fn key_is(key: &[u8], name: &str) -> bool {
    if !key.contains(&b'\\') {
        return key == name.as_bytes();
    }
    text(&[b"\"", key, b"\""].concat()) == name
}

/// What every line that matches holds, so that most lines are not looked into.
fn literals(filter: &Filter) -> Vec<Literal> {
    let mut literals = Vec::new();
    for (field, condition) in &filter.conditions {
        let (1, Some(value)) = (condition.any.len(), condition.any.first()) else {
            continue;
        };
        let mut bytes = Vec::new();
        match (field, value) {
            // It is derived of others, or not always spelled in the same way.
            (Field::Category | Field::Ip, _) | (_, Value::Network(_)) => continue,
            (Field::EventType, Value::Beginning(beginning)) => {
                bytes.extend_from_slice(b"\"action\":\"");
                bytes.extend_from_slice(beginning.as_bytes());
            }
            (Field::EventType, Value::Text(action)) => {
                bytes.extend_from_slice(b"\"action\":");
                json::string(&mut bytes, action);
            }
            (_, Value::Beginning(_)) => continue,
            (Field::Target, Value::Text(target)) => {
                json::string(&mut bytes, ids_of(target).last().unwrap_or_default());
                // Where there are several, the last one may be the end of another.
                if ids_of(target).nth(1).is_some() {
                    bytes.remove(0);
                }
            }
            // It may be a number.
            (Field::Metadata(_), Value::Text(text)) => {
                json::string(&mut bytes, text);
                bytes.pop();
                bytes.remove(0);
            }
            (_, Value::Text(text)) => json::string(&mut bytes, text),
        }
        literals.push(Literal::Exact(Box::new(finder(&bytes))));
    }
    // A word with other characters may be spelled in several ways.
    let is_plain = |word: &&String| {
        word.bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
    };
    let words = filter.words.iter().filter(is_plain);
    literals.extend(words.map(|word| Literal::AnyCase(Box::new(Word::new(word)))));
    literals.sort_by_key(|literal| std::cmp::Reverse(literal.length()));
    literals
}

/// So many bytes are looked at together, unless a line is longer.
const LOOK: usize = 16 * 1024;
