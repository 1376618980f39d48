//! The rules that an event must meet to be recorded (EVENTS §1, FORMAT §1).

use crate::json::{self, DEPTH_MAX, JsonError};
use crate::timestamp::ParseTimestampError;

use super::context::Context;
use super::{Event, Fields, Inner, scan};

/// The bounds on an event. They can be lowered, never raised: the defaults are the most that the format takes.
///
/// ```
/// use indelible::event::Limits;
///
/// let limits = Limits::default().metadata_keys(10).targets(1_000);
/// assert_eq!(limits.metadata_keys_max(), 10);
/// assert_eq!(limits.targets_max(), 50);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    action_bytes: usize,
    id_bytes: usize,
    metadata_keys: usize,
    metadata_key_bytes: usize,
    changes: usize,
    targets: usize,
    event_bytes: usize,
    total_bytes: usize,
}

macro_rules! limits {
    ($($(#[$set_doc:meta])+ $set:ident, $(#[$get_doc:meta])+ $get:ident;)+) => {
        impl Limits {
            $($(#[$set_doc])+
            #[must_use]
            pub fn $set(mut self, max: usize) -> Self {
                self.$set = self.$set.min(max);
                self
            }

            $(#[$get_doc])+
            pub fn $get(&self) -> usize {
                self.$set
            }
            )+
        }
    };
}

limits! {
    /// At most so many bytes in the name of an action; 128 unless lowered.
    action_bytes,
    /// The bytes that the name of an action has at most.
    action_bytes_max;
    /// At most so many bytes in an id; 256 unless lowered. (An event's own id has at most 64.)
    id_bytes,
    /// The bytes that an id has at most.
    id_bytes_max;
    /// At most so many keys of metadata; 50 unless lowered.
    metadata_keys,
    /// The keys of metadata that an event has at most.
    metadata_keys_max;
    /// At most so many bytes in a key of metadata; 40 unless lowered.
    metadata_key_bytes,
    /// The bytes that a key of metadata has at most.
    metadata_key_bytes_max;
    /// At most so many changes; 100 unless lowered.
    changes,
    /// The changes that an event has at most.
    changes_max;
    /// At most so many targets; 50 unless lowered.
    targets,
    /// The targets that an event has at most.
    targets_max;
    /// At most so many bytes of canonical JSON in what is kept for good, the record's `event`; 65,306 unless lowered:
    /// what fits into a hashed form of 65,535 (FORMAT §1).
    event_bytes,
    /// The bytes that a record's `event` has at most.
    event_bytes_max;
    /// At most so many bytes of canonical JSON in the record's `event` and `personal` together; 261,980 unless lowered:
    /// what fits into a line of 262,144 (FORMAT §1).
    total_bytes,
    /// The bytes that a record's `event` and `personal` have at most, taken together.
    total_bytes_max;
}

impl Limits {
    /// The most that the format takes.
    pub(super) const FORMAT: Limits = Limits {
        action_bytes: 128,
        id_bytes: 256,
        metadata_keys: 50,
        metadata_key_bytes: 40,
        changes: 100,
        targets: 50,
        event_bytes: HASHED_FORM_BYTES_MAX - HASHED_FORM_BYTES_BESIDE_EVENT,
        total_bytes: LINE_BYTES_MAX - LINE_BYTES_BESIDE_EVENT_AND_PERSONAL,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::FORMAT
    }
}

/// Why an event is refused. Nothing of it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
#[non_exhaustive]
pub struct InvalidEvent {
    /// The field, such as `actor.id`, `targets[3].id` or `metadata.retry-count`.
    pub field: String,
    /// What is wrong with it.
    pub problem: Problem,
}

impl InvalidEvent {
    #[cold]
    pub(super) fn new(field: impl Into<String>, problem: Problem) -> Self {
        Self {
            field: field.into(),
            problem,
        }
    }
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It is not there and has no default.
    #[error("missing")]
    Missing,
    /// It is there and empty.
    #[error("empty")]
    Empty,
    /// There is no field of this name.
    #[error("no such field")]
    Unknown,
    /// It refers to something that is not there.
    #[error("names nothing in this event")]
    Dangling,
    /// It is a text of too many bytes.
    #[error("{bytes} bytes long, at most {bytes_max} are allowed")]
    TooLong {
        /// The bytes it has.
        bytes: usize,
        /// The bytes it may have.
        bytes_max: usize,
    },
    /// It has too many members.
    #[error("more than the {count_max} that are allowed")]
    TooMany {
        /// The members it may have.
        count_max: usize,
    },
    /// The event as a whole is too large; this field has the most bytes of it.
    #[error("the event takes {bytes} bytes, at most {bytes_max} are allowed, and this field takes the most")]
    TooLarge {
        /// The bytes of canonical JSON that the event takes.
        bytes: usize,
        /// The bytes it may take.
        bytes_max: usize,
    },
    /// It does not have the form it must have.
    #[error("\"{found}\" is not {expected}")]
    Form {
        /// What it must be.
        expected: &'static str,
        /// What it is, shortened.
        found: String,
    },
    /// It is no time that the log takes.
    #[error("\"{found}\" is no time: {problem}")]
    Time {
        /// What it is, shortened.
        found: String,
        /// Why it is none.
        problem: ParseTimestampError,
    },
    /// It is none of the values that it may have.
    #[error("not {expected}")]
    Range {
        /// What it must be.
        expected: &'static str,
    },
    /// It is a JSON value of another type.
    #[error("{found}, not {expected}")]
    Type {
        /// The type it must be of.
        expected: &'static str,
        /// The type it is of.
        found: &'static str,
    },
    /// It is no value of I-JSON (RFC 7493). Noncharacters are taken all the same.
    #[error(transparent)]
    Json(JsonError),
    /// It is an action that only the log itself records.
    #[error("reserved for the log itself")]
    Reserved,
}

/// Checks all rules but that of the sizes, and whether the action is reserved.
pub(super) fn check(event: &Event, limits: &Limits) -> Result<(), InvalidEvent> {
    let Inner { fields, problem, .. } = &*event.0;
    if let Some(problem) = problem {
        return Err(problem.clone());
    }
    check_action(fields, limits)?;
    if let Some(id) = &fields.id {
        check_event_id(id)?;
    }
    let actor = fields
        .actor
        .as_ref()
        .ok_or_else(|| InvalidEvent::new("actor", Problem::Missing))?;
    check_id("actor.id", &actor.id, limits)?;
    if let Some(other) = &fields.on_behalf_of {
        check_id("on_behalf_of.id", &other.id, limits)?;
    }
    check_count("targets", fields.targets.len(), limits.targets)?;
    for (index, target) in fields.targets.iter().enumerate() {
        if is_bad_id(&target.id, limits) {
            check_id(&format!("targets[{index}].id"), &target.id, limits)?;
        }
    }
    check_optional_id("tenant_id", &fields.tenant_id, limits)?;
    check_context(&fields.context, limits)?;
    check_count("changes", fields.changes.len(), limits.changes)?;
    check_count("metadata", fields.metadata.len(), limits.metadata_keys)?;
    fields
        .metadata
        .iter()
        .try_for_each(|entry| check_metadata_key(&entry.key, limits))
}

/// Checks that an event and its personal data, in canonical form, fit into a line and its hashed form.
pub(super) fn check_sizes(event: &[u8], personal: &[u8], limits: &Limits) -> Result<(), InvalidEvent> {
    let total = event.len() + personal.len();
    let (bytes, bytes_max, parts) = if event.len() > limits.event_bytes {
        (event.len(), limits.event_bytes, [event, &[]])
    } else if total > limits.total_bytes {
        (total, limits.total_bytes, [event, personal])
    } else {
        return Ok(());
    };
    Err(InvalidEvent::new(
        largest_field(parts),
        Problem::TooLarge { bytes, bytes_max },
    ))
}

/// The field that takes the most bytes. Within it a field is named that takes more than half of what it stands in.
#[cold]
fn largest_field(parts: [&[u8]; 2]) -> String {
    let members = parts.into_iter().flat_map(scan::members);
    let Some((name, mut value)) = members.max_by_key(|(_, value)| value.len()) else {
        return "event".into();
    };
    let mut path = String::from_utf8_lossy(name).into_owned();
    // What stands deeper is no field, but part of a value of the host's.
    let steps = if name == b"metadata" { 1 } else { 2 };
    for _ in 0..steps {
        let is_most = |part: &[u8]| part.len() > value.len() / 2;
        let mut members = scan::members(value).filter(|(_, part)| is_most(part));
        let mut items = scan::items(value).enumerate().filter(|(_, part)| is_most(part));
        if let Some((key, part)) = members.next() {
            path += &format!(".{}", String::from_utf8_lossy(key));
            value = part;
        } else if let Some((index, part)) = items.next() {
            path += &format!("[{index}]");
            value = part;
        } else {
            break;
        }
    }
    path
}

/// The first characters of a text, for a message; control characters escaped.
pub(super) fn shortened(text: &str) -> String {
    let mut short = String::new();
    for character in text.chars().take(SHOWN_MAX) {
        if character.is_control() {
            short.extend(character.escape_default());
        } else {
            short.push(character);
        }
    }
    if text.chars().nth(SHOWN_MAX).is_some() {
        short.push('…');
    }
    short
}

fn check_action(fields: &Fields, limits: &Limits) -> Result<(), InvalidEvent> {
    let (action, name) = (&fields.action, fields.action.as_str());
    if name.len() > limits.action_bytes {
        return Err(too_long("action", name, limits.action_bytes));
    }
    if action.entry().is_some() || is_action_name(name) {
        return Ok(());
    }
    Err(form("action", name, "of the form [a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)+"))
}

/// Whether a name matches `[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+`.
fn is_action_name(name: &str) -> bool {
    let is_segment = |segment: &str| {
        segment.starts_with(|first: char| first.is_ascii_lowercase())
            && segment
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    name.contains('.') && name.split('.').all(is_segment)
}

fn check_event_id(id: &str) -> Result<(), InvalidEvent> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    match id.len() {
        0 => Err(InvalidEvent::new("id", Problem::Empty)),
        1..=EVENT_ID_BYTES_MAX if id.bytes().all(is_allowed) => Ok(()),
        1..=EVENT_ID_BYTES_MAX => Err(form("id", id, "of the form [A-Za-z0-9._:-]{1,64}")),
        _ => Err(too_long("id", id, EVENT_ID_BYTES_MAX)),
    }
}

fn is_bad_id(id: &str, limits: &Limits) -> bool {
    id.is_empty() || id.len() > limits.id_bytes
}

fn check_id(field: &str, id: &str, limits: &Limits) -> Result<(), InvalidEvent> {
    match id.is_empty() {
        true => Err(InvalidEvent::new(field, Problem::Empty)),
        false if is_bad_id(id, limits) => Err(too_long(field, id, limits.id_bytes)),
        false => Ok(()),
    }
}

fn check_optional_id(field: &str, id: &Option<String>, limits: &Limits) -> Result<(), InvalidEvent> {
    id.as_ref().map_or(Ok(()), |id| check_id(field, id, limits))
}

fn check_count(field: &str, count: usize, count_max: usize) -> Result<(), InvalidEvent> {
    if count > count_max {
        return Err(InvalidEvent::new(field, Problem::TooMany { count_max }));
    }
    Ok(())
}

fn check_context(context: &Context, limits: &Limits) -> Result<(), InvalidEvent> {
    check_optional_id("context.session_id", &context.session_id, limits)?;
    check_optional_id("context.request_id", &context.request_id, limits)?;
    check_optional_id("context.trace_id", &context.trace_id, limits)?;
    check_optional_id("context.correlation_id", &context.correlation_id, limits)?;
    check_optional_id("context.auth.client_id", &context.auth.client_id, limits)?;
    check_optional_id("context.device.id", &context.device.id, limits)?;
    if let Some(score) = context.risk.score {
        let written = json::write::float(&mut Vec::new(), score);
        written.map_err(|problem| InvalidEvent::new("context.risk.score", Problem::Json(problem)))?;
    }
    let location = &context.location;
    check_range(
        "context.location.latitude",
        location.latitude,
        90.0,
        "a latitude from -90 to 90",
    )?;
    check_range(
        "context.location.longitude",
        location.longitude,
        180.0,
        "a longitude from -180 to 180",
    )
}

fn check_range(field: &str, number: Option<f64>, max: f64, expected: &'static str) -> Result<(), InvalidEvent> {
    match number {
        // NaN is in no range.
        Some(number) if !(-max..=max).contains(&number) => Err(InvalidEvent::new(field, Problem::Range { expected })),
        _ => Ok(()),
    }
}

fn check_metadata_key(key: &str, limits: &Limits) -> Result<(), InvalidEvent> {
    let field = || format!("metadata.{}", shortened(key));
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if key.len() > limits.metadata_key_bytes {
        return Err(too_long(field(), key, limits.metadata_key_bytes));
    }
    if !key.bytes().all(is_allowed) {
        return Err(form(field(), key, "a key of the form [A-Za-z0-9_.-]{0,40}"));
    }
    Ok(())
}

#[cold]
fn too_long(field: impl Into<String>, text: &str, bytes_max: usize) -> InvalidEvent {
    InvalidEvent::new(
        field,
        Problem::TooLong {
            bytes: text.len(),
            bytes_max,
        },
    )
}

#[cold]
fn form(field: impl Into<String>, text: &str, expected: &'static str) -> InvalidEvent {
    InvalidEvent::new(
        field,
        Problem::Form {
            expected,
            found: shortened(text),
        },
    )
}

/// Deeper than this no object or list of a merged event nests: it stands one level below the line (FORMAT §1).
pub(super) const EVENT_DEPTH_MAX: usize = DEPTH_MAX - 1;

const EVENT_ID_BYTES_MAX: usize = 64;
const SHOWN_MAX: usize = 48;

/// FORMAT §1.
const LINE_BYTES_MAX: usize = 262_144;
const HASHED_FORM_BYTES_MAX: usize = 65_535;

/// What stands beside `event` and `personal` in a record's line with the longest `seq`, and its LF.
const LINE_BYTES_BESIDE_EVENT_AND_PERSONAL: usize =
    br#"{"event":,"personal":,"prev":"","recorded_at":"YYYY-MM-DDTHH:MM:SS.ffffffZ","seq":9007199254740991}"#.len()
        + 64
        + 1;

/// What stands beside `event` in a hashed form: the same without the LF, and the digest of `personal` in its quotes.
const HASHED_FORM_BYTES_BESIDE_EVENT: usize = LINE_BYTES_BESIDE_EVENT_AND_PERSONAL - 1 + 64 + 2;
