//! A query as text: the query of a URL (WHATWG URL, `application/x-www-form-urlencoded`).
//!
//! A comma between values is an "or", unless it is percent-encoded; a parameter may also come several times. `+` is a
//! space. Nothing is guessed: what is not known or not of its form is an error that names the parameter.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::error::{Problem, QueryError};
use super::field::Field;
use super::{Order, Query, TimeField};
use crate::event::Severity;
use crate::timestamp::Timestamp;

impl Query {
    /// Reads the query of a URL, without its `?`. All filters of [`Field`] are parameters, and with `.not` behind the
    /// name they exclude. Beside them:
    ///
    /// | parameter | takes |
    /// | --- | --- |
    /// | `start_time`, `end_time` | an RFC 3339 time; the first is inclusive, the second exclusive |
    /// | `last` | a period such as `90s`, `15m`, `24h`, `7d` or `2w` |
    /// | `time` | which time is meant: `occurred_at` (unless told otherwise) or `recorded_at` |
    /// | `severity_min` | a severity |
    /// | `seq_from`, `seq_to` | a `seq`; the first is inclusive, the second exclusive |
    /// | `q` | words |
    /// | `order` | `newest` (unless told otherwise) or `oldest` first |
    /// | `limit` | how many records a page has: 1 to 1000 |
    /// | `cursor` | that of the page before |
    /// | `proof` | `true`: with a proof for each record |
    ///
    /// # Errors
    ///
    /// Names the first parameter that is not known or has a wrong value, and says what it takes.
    ///
    /// ```
    /// use indelible::Query;
    ///
    /// Query::parse("start_time=2026-02-01T00:00:00Z&event_type=auth.login.failed&actor_id=usr_alice123")?;
    /// assert!(Query::parse("actor=usr_alice123").is_err());
    /// # Ok::<(), indelible::query::QueryError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let mut query = Self::new();
        let mut seen = BTreeSet::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (encoded, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(encoded).ok_or_else(|| QueryError::new(encoded.to_owned(), Problem::Encoding))?;
            query.take((&name, encoded), value, &mut seen)?;
        }
        query.check()?;
        Ok(query)
    }

    fn take(
        &mut self,
        (name, encoded): (&str, &str),
        value: &str,
        seen: &mut BTreeSet<&'static str>,
    ) -> Result<(), QueryError> {
        let decoded = |value: &str| {
            let decoded = decode(value).map(Cow::into_owned);
            decoded.ok_or_else(|| QueryError::new(name.to_owned(), Problem::Encoding))
        };
        if let Some(single) = SINGLE.iter().find(|single| **single == name) {
            if !seen.insert(*single) {
                return Err(QueryError::new(*single, Problem::Repeated));
            }
            return self.set(single, &decoded(value)?);
        }
        let (field, negated) = match name.strip_suffix(NOT) {
            Some(field) if SINGLE.contains(&field) => return Err(QueryError::new(name.to_owned(), Problem::Negated)),
            // A key of metadata may end so too: there it is encoded, or all of the key.
            Some(field) if field == METADATA || field.starts_with(METADATA) && !encoded.ends_with(NOT) => (name, false),
            Some(field) => (field, true),
            None => (name, false),
        };
        let field: Field = field.parse()?;
        for value in value.split(',') {
            self.add(field.clone(), &decoded(value)?, negated);
        }
        self.problem.take().map_or(Ok(()), Err)
    }

    /// A parameter that has one value.
    fn set(&mut self, name: &'static str, value: &str) -> Result<(), QueryError> {
        let wrong = |takes: &str| QueryError::new(name, Problem::value(value, takes));
        let time = || value.parse::<Timestamp>().map_err(|_| wrong(TIME));
        let seq = || number(value).ok_or_else(|| wrong("a number from 0 to 9007199254740991"));
        let filter = &mut self.filter;
        match name {
            "start_time" => filter.start = Some(time()?),
            "end_time" => filter.end = Some(time()?),
            "last" => filter.last = Some(period(value).ok_or_else(|| wrong(super::LAST))?),
            "time" => {
                let times = [TimeField::OccurredAt, TimeField::RecordedAt];
                let found = times.into_iter().find(|time| time.name() == value);
                filter.time = found.ok_or_else(|| wrong("occurred_at or recorded_at"))?;
            }
            "severity_min" => {
                let found = Severity::named(value);
                filter.severity_min =
                    Some(found.ok_or_else(|| wrong(&Severity::ALL.map(Severity::as_str).join(", ")))?);
            }
            "seq_from" => filter.seq_from = Some(seq()?),
            "seq_to" => filter.seq_to = Some(seq()?),
            "order" => {
                let found = [Order::NewestFirst, Order::OldestFirst].into_iter();
                let found = found.into_iter().find(|order| order.name() == value);
                self.order = found.ok_or_else(|| wrong("newest or oldest"))?;
            }
            "limit" => {
                let limit = number(value).and_then(|limit| usize::try_from(limit).ok());
                self.limit = limit.ok_or_else(|| wrong("1 to 1000"))?;
            }
            "proof" => {
                self.with_proofs = match value {
                    "true" => true,
                    "false" => false,
                    _ => return Err(wrong("true or false")),
                }
            }
            "cursor" => self.cursor = Some(value.to_owned()),
            _ if value.split_whitespace().next().is_none() => return Err(wrong("words")),
            _ => *self = std::mem::take(self).words(value),
        }
        Ok(())
    }
}

impl FromStr for Query {
    type Err = QueryError;

    /// As [`Query::parse`].
    fn from_str(text: &str) -> Result<Self, QueryError> {
        Self::parse(text)
    }
}

/// As [`Query::parse`] reads it, each query in one way. Who asks is not in it.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pairs = self.filter.pairs();
        if self.order != Order::default() {
            pairs.push(("order".into(), self.order.name().into()));
        }
        if self.limit != super::LIMIT_DEFAULT {
            pairs.push(("limit".into(), self.limit.to_string()));
        }
        if self.with_proofs {
            pairs.push(("proof".into(), "true".into()));
        }
        if let Some(cursor) = &self.cursor {
            pairs.push(("cursor".into(), encode(cursor)));
        }
        write_pairs(f, pairs)
    }
}

impl fmt::Display for super::Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_pairs(f, self.pairs())
    }
}

impl super::Filter {
    /// The parameters and their values, which are encoded.
    fn pairs(&self) -> Vec<(Cow<'static, str>, String)> {
        let mut pairs: Vec<(Cow<'static, str>, String)> = Vec::new();
        for (field, condition) in &self.conditions {
            let mut name = encode(&field.name());
            if let Some(key) = name.strip_suffix(NOT) {
                name = format!("{key}%2Enot");
            }
            for (values, suffix) in [(&condition.any, ""), (&condition.none, NOT)] {
                let values: Vec<String> = values.iter().map(|value| encode(&value.to_string())).collect();
                if !values.is_empty() {
                    pairs.push((format!("{name}{suffix}").into(), values.join(",")));
                }
            }
        }
        let mut push = |name: &'static str, value: Option<String>| {
            pairs.extend(value.map(|value| (Cow::Borrowed(name), encode(&value))));
        };
        push("severity_min", self.severity_min.map(|severity| severity.to_string()));
        push("start_time", self.start.map(|time| time.to_string()));
        push("end_time", self.end.map(|time| time.to_string()));
        push("last", self.last.map(|period| format!("{}s", period.as_secs())));
        push(
            "time",
            Some(self.time)
                .filter(|time| *time != TimeField::default())
                .map(|time| time.name().to_owned()),
        );
        push("seq_from", self.seq_from.map(|seq| seq.to_string()));
        push("seq_to", self.seq_to.map(|seq| seq.to_string()));
        push("q", Some(self.words.join(" ")).filter(|words| !words.is_empty()));
        pairs
    }
}

fn write_pairs(f: &mut fmt::Formatter<'_>, pairs: Vec<(Cow<'static, str>, String)>) -> fmt::Result {
    for (at, (name, value)) in pairs.into_iter().enumerate() {
        let separator = if at == 0 { "" } else { "&" };
        write!(f, "{separator}{name}={value}")?;
    }
    Ok(())
}

impl TimeField {
    /// The field's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OccurredAt => "occurred_at",
            Self::RecordedAt => "recorded_at",
        }
    }
}

impl Order {
    /// Its name in a query: `newest` or `oldest`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NewestFirst => "newest",
            Self::OldestFirst => "oldest",
        }
    }
}

/// A number as the log has it: without sign or leading zeros.
fn number(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse()
        .ok()
        .filter(|number| is_plain && *number <= crate::merkle::SIZE_MAX)
}

pub(crate) fn period(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    let count = number(text.strip_suffix(unit)?).filter(|count| *count > 0)?;
    Some(Duration::from_secs(count.checked_mul(seconds)?))
}

/// Reads `application/x-www-form-urlencoded`; `None` for what is not percent-encoded UTF-8.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(16 * digit()? + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// Encodes what [`decode`] reads, and no more than it takes to tell values apart.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b'@' | b'*' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// What stands behind the name of a field that is not to have a value.
const NOT: &str = ".not";

/// What stands before a key of metadata, and a dot.
const METADATA: &str = "metadata";

/// The parameters that have one value.
const SINGLE: [&str; 12] = [
    "start_time",
    "end_time",
    "last",
    "time",
    "severity_min",
    "seq_from",
    "seq_to",
    "q",
    "order",
    "limit",
    "cursor",
    "proof",
];

const TIME: &str = "an RFC 3339 time such as 2026-02-01T00:00:00Z, the + of an offset written as %2B";

/// What an error says that there is.
pub(super) const NAMES: &str = "event_type, category, outcome, reason, severity, severity_min, actor_id, actor_type, \
    actor_email, on_behalf_of_id, user_id, target_id, target_type, tenant_id, ip, country, session_id, request_id, \
    trace_id, correlation_id, auth_method, client_id, source, id, target, metadata.KEY, each also with .not, and start_time, \
    end_time, last, time, seq_from, seq_to, q, order, limit, cursor, proof";
