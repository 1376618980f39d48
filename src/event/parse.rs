//! Reads an event from JSON in its merged form (EVENTS §1).

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::fmt;
use std::net::IpAddr;

use crate::json::JsonError;
use crate::json::read::{Kind, Reader};
use crate::timestamp::Timestamp;

use super::actor::{Actor, ActorType, Target};
use super::change::{Change, Json};
use super::context::{Auth, Context, Device, Http, Location, Risk};
use super::rules::{self, EVENT_DEPTH_MAX, InvalidEvent, Limits, Problem, shortened};
use super::{Action, Event, Outcome, Severity};

/// Why a text is not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// It is not JSON of the kind that the log takes, and no field is at fault.
    #[error("the event is not JSON that the log takes: {0}")]
    Json(JsonError),
    /// A field breaks a rule of EVENTS §1, or is not JSON.
    #[error(transparent)]
    Invalid(InvalidEvent),
}

impl From<JsonError> for EventError {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

impl From<InvalidEvent> for EventError {
    fn from(error: InvalidEvent) -> Self {
        Self::Invalid(error)
    }
}

impl Event {
    /// Reads an event from one JSON object in its merged form, in any spelling.
    ///
    /// A top-level `personal` marks what only the host can know: `{"changes":[indices],"metadata":[keys]}`. It stands
    /// in what [`Record::merged_json`](crate::Record::merged_json) gives, and changes and metadata that it does not
    /// mark are kept for good. What is left out has the defaults of the builder. Events of the log itself
    /// (`audit_log.*`) are read, too; a log does not take them.
    ///
    /// `context.ip` is read as an address without zone and port, and `context.http.status` as 0 to 65,535, as the
    /// builder's types have them. What is not of that form goes into `forwarded_for` or `metadata`.
    ///
    /// ```
    /// use indelible::{Event, action};
    ///
    /// let event = Event::from_json(
    ///     br#"{"action":"user.email.changed","actor":{"type":"user","id":"usr_1"},
    ///          "changes":[{"field":"email","old":"a@example.com","new":"b@example.com"}],
    ///          "personal":{"changes":[0]}}"#,
    /// )?;
    /// assert_eq!(event.fields().action, action::USER_EMAIL_CHANGED);
    /// assert!(event.fields().changes[0].personal);
    ///
    /// let error = Event::from_json(br#"{"action":"user.updated","context":{"auth":{"foo":1}}}"#).unwrap_err();
    /// assert_eq!(error.to_string(), "context.auth.foo: no such field");
    /// # Ok::<(), indelible::event::EventError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the text is not I-JSON (RFC 7493; noncharacters are taken), has an unknown field or one of another type, or
    /// breaks a rule of EVENTS §1. Only the sizes are left to be checked when the event is recorded.
    pub fn from_json(text: &[u8]) -> Result<Event, EventError> {
        let mut reader = Reader::new(text, EVENT_DEPTH_MAX)?;
        let event = event(&mut reader)?;
        reader.end()?;
        rules::check(&event, &Limits::FORMAT)?;
        Ok(event)
    }
}

type Result<T, E = EventError> = std::result::Result<T, E>;

/// Where in the event the reader is.
#[derive(Clone, Copy)]
enum Path<'a> {
    Root,
    Member(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl Path<'_> {
    #[cold]
    fn error(&self, problem: Problem) -> EventError {
        InvalidEvent::new(self.to_string(), problem).into()
    }

    /// What is not JSON within a field is a problem of that field.
    #[cold]
    fn json(&self, error: JsonError) -> EventError {
        match self {
            Self::Root => EventError::Json(error),
            _ => self.error(Problem::Json(error)),
        }
    }

    /// The same for what is broken between the values. What stands deeper is named already.
    #[cold]
    fn around(&self, error: EventError) -> EventError {
        match error {
            EventError::Json(error) => self.json(error),
            named => named,
        }
    }

    #[cold]
    fn form(&self, expected: &'static str, found: &str) -> EventError {
        self.error(Problem::Form {
            expected,
            found: shortened(found),
        })
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("event"),
            Self::Member(Self::Root, key) => f.write_str(&shortened(key)),
            Self::Member(parent, key) => write!(f, "{parent}.{}", shortened(key)),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

fn event(reader: &mut Reader<'_>) -> Result<Event> {
    let (mut action, mut outcome, mut severity) = (None, None, None);
    let mut marks = Marks::default();
    let mut event = Event::with_action(Action::from_static(""));
    let fields = &mut event.0.fields;
    object(reader, &Path::Root, |key, reader, at| {
        match key {
            "action" => action = Some(Action::from(text(reader, at)?)),
            "actor" => fields.actor = Some(actor(reader, at)?),
            "changes" => fields.changes = list_up_to(Limits::FORMAT.changes_max(), reader, at, change)?,
            "context" => fields.context = context(reader, at)?,
            "id" => fields.id = Some(text(reader, at)?),
            "metadata" => {
                let (whole, keys_max) = (at, Limits::FORMAT.metadata_keys_max());
                object(reader, at, |key, reader, at| {
                    if fields.metadata.len() == keys_max {
                        return Err(whole.error(Problem::TooMany { count_max: keys_max }));
                    }
                    fields.metadata.set(key.to_owned(), json(reader, at)?, false);
                    Ok(())
                })?;
            }
            "occurred_at" => fields.occurred_at = Some(time(reader, at)?),
            "on_behalf_of" => fields.on_behalf_of = Some(actor(reader, at)?),
            "outcome" => outcome = Some(named(reader, at, OUTCOMES, &Outcome::ALL, Outcome::as_str)?),
            "personal" => marks = read_marks(reader, at)?,
            "reason" => fields.reason = Some(text(reader, at)?),
            "severity" => severity = Some(named(reader, at, SEVERITIES, &Severity::ALL, Severity::as_str)?),
            "source" => fields.source = Some(text(reader, at)?),
            "targets" => fields.targets = list_up_to(Limits::FORMAT.targets_max(), reader, at, target)?,
            "tenant_id" => fields.tenant_id = Some(text(reader, at)?),
            _ => return Err(at.error(Problem::Unknown)),
        }
        Ok(())
    })?;
    fields.action = action.ok_or_else(|| Path::Member(&Path::Root, "action").error(Problem::Missing))?;
    fields.outcome = outcome.unwrap_or_else(|| fields.action.default_outcome());
    fields.severity = severity.unwrap_or_else(|| fields.action.default_severity());
    marks.apply(&mut event)?;
    Ok(event)
}

/// What the host marks as personal.
#[derive(Default)]
struct Marks {
    changes: Vec<u64>,
    metadata: Vec<String>,
}

impl Marks {
    fn apply(self, event: &mut Event) -> Result<()> {
        let (changes, metadata) = (&mut event.0.fields.changes, &mut event.0.fields.metadata);
        let dangling = |list: &str, place: usize| {
            let personal = Path::Member(&Path::Root, "personal");
            Path::Item(&Path::Member(&personal, list), place).error(Problem::Dangling)
        };
        for (place, index) in self.changes.into_iter().enumerate() {
            let change = usize::try_from(index).ok().and_then(|index| changes.get_mut(index));
            change.ok_or_else(|| dangling("changes", place))?.personal = true;
        }
        for (place, key) in self.metadata.iter().enumerate() {
            if !metadata.mark_personal(key) {
                return Err(dangling("metadata", place));
            }
        }
        Ok(())
    }
}

fn read_marks(reader: &mut Reader<'_>, at: &Path<'_>) -> Result<Marks> {
    let mut marks = Marks::default();
    object(reader, at, |key, reader, at| {
        match key {
            "changes" => marks.changes = list_up_to(Limits::FORMAT.changes_max(), reader, at, integer)?,
            "metadata" => marks.metadata = list_up_to(Limits::FORMAT.metadata_keys_max(), reader, at, text)?,
            _ => return Err(at.error(Problem::Unknown)),
        }
        Ok(())
    })?;
    Ok(marks)
}

fn actor(reader: &mut Reader<'_>, at: &Path<'_>) -> Result<Actor> {
    let (mut actor_type, mut id) = (None, None);
    let mut actor = Actor::anonymous();
    object(reader, at, |key, reader, at| {
        match key {
            "type" => actor_type = Some(named(reader, at, ACTOR_TYPES, &ActorType::ALL, ActorType::as_str)?),
            "id" => id = Some(text(reader, at)?),
            "name" => actor.name = Some(text(reader, at)?),
            "email" => actor.email = Some(text(reader, at)?),
            _ => return Err(at.error(Problem::Unknown)),
        }
        Ok(())
    })?;
    actor.actor_type = required(actor_type, at, "type")?;
    actor.id = required(id, at, "id")?;
    Ok(actor)
}

fn target(reader: &mut Reader<'_>, at: &Path<'_>) -> Result<Target> {
    let (mut target_type, mut id) = (None, None);
    let mut target = Target::new("", "");
    object(reader, at, |key, reader, at| {
        match key {
            "type" => target_type = Some(text(reader, at)?),
            "id" => id = Some(text(reader, at)?),
            "name" => target.name = Some(text(reader, at)?),
            "email" => target.email = Some(text(reader, at)?),
            _ => return Err(at.error(Problem::Unknown)),
        }
        Ok(())
    })?;
    target.target_type = required(target_type, at, "type")?;
    target.id = required(id, at, "id")?;
    Ok(target)
}

fn change(reader: &mut Reader<'_>, at: &Path<'_>) -> Result<Change> {
    let mut field = None;
    let mut change = Change::named("");
    object(reader, at, |key, reader, at| {
        match key {
            "field" => field = Some(text(reader, at)?),
            "old" => change.old = Some(json(reader, at)?),
            "new" => change.new = Some(json(reader, at)?),
            _ => return Err(at.error(Problem::Unknown)),
        }
        Ok(())
    })?;
    change.field = required(field, at, "field")?;
    Ok(change)
}

fn context(reader: &mut Reader<'_>, at: &Path<'_>) -> Result<Context> {
    let mut context = Context::new();
    object(reader, at, |key, reader, at| {
        match key {
            "auth" => context.auth = auth(reader, at)?,
            "correlation_id" => context.correlation_id = Some(text(reader, at)?),
            "device" => context.device = device(reader, at)?,
            "forwarded_for" => context.forwarded_for = list(reader, at, text)?,
            "http" => context.http = http(reader, at)?,
            "ip" => context.ip = Some(ip(reader, at)?),
            "location" => context.location = location(reader, at)?,
            "request_id" => context.request_id = Some(text(reader, at)?),
            "risk" => context.risk = risk(reader, at)?,
            "session_id" => context.session_id = Some(text(reader, at)?),
            "trace_id" => context.trace_id = Some(text(reader, at)?),
            "user_agent" => context.user_agent = Some(text(reader, at)?),
            _ => return Err(at.error(Problem::Unknown)),
        }
        Ok(())
    })?;
    Ok(context)
}

fn auth(reader: &mut Reader<'_>, at: &Path<'_>) -> Result<Auth> {
    let mut auth = Auth::new();
    object(reader, at, |key, reader, at| {
        match key {
            "client_id" => auth.client_id = Some(text(reader, at)?),
            "connection" => auth.connection = Some(text(reader, at)?),
            "factor" => auth.factor = Some(text(reader, at)?),
            "method" => auth.method = Some(text(reader, at)?),
            "mfa" => auth.mfa = Some(boolean(reader, at)?),
            _ => return Err(at.error(Problem::Unknown)),
        }
        Ok(())
    })?;
    Ok(auth)
}

fn device(reader: &mut Reader<'_>, at: &Path<'_>) -> Result<Device> {
    let mut device = Device::new();
    object(reader, at, |key, reader, at| {
        match key {
            "id" => device.id = Some(text(reader, at)?),
            "os" => device.os = Some(text(reader, at)?),
            "type" => device.device_type = Some(text(reader, at)?),
            _ => return Err(at.error(Problem::Unknown)),
        }
        Ok(())
    })?;
    Ok(device)
}

fn http(reader: &mut Reader<'_>, at: &Path<'_>) -> Result<Http> {
    let mut http = Http::new();
    object(reader, at, |key, reader, at| {
        match key {
            "method" => http.method = Some(text(reader, at)?),
            "path" => http.path = Http::new().path(text(reader, at)?).path,
            "status" => {
                let expected = "a status from 0 to 65535";
                let status = u16::try_from(integer(reader, at)?);
                http.status = Some(status.map_err(|_| at.error(Problem::Range { expected }))?);
            }
            _ => return Err(at.error(Problem::Unknown)),
        }
        Ok(())
    })?;
    Ok(http)
}

fn location(reader: &mut Reader<'_>, at: &Path<'_>) -> Result<Location> {
    let mut location = Location::new();
    object(reader, at, |key, reader, at| {
        match key {
            "city" => location.city = Some(text(reader, at)?),
            "country" => location.country = Some(text(reader, at)?),
            "latitude" => location.latitude = Some(number(reader, at)?),
            "longitude" => location.longitude = Some(number(reader, at)?),
            "region" => location.region = Some(text(reader, at)?),
            _ => return Err(at.error(Problem::Unknown)),
        }
        Ok(())
    })?;
    Ok(location)
}

fn risk(reader: &mut Reader<'_>, at: &Path<'_>) -> Result<Risk> {
    let mut risk = Risk::new();
    object(reader, at, |key, reader, at| {
        match key {
            "reasons" => risk.reasons = list(reader, at, text)?,
            "score" => risk.score = Some(number(reader, at)?),
            _ => return Err(at.error(Problem::Unknown)),
        }
        Ok(())
    })?;
    Ok(risk)
}

fn object<'a>(
    reader: &mut Reader<'a>,
    at: &Path<'_>,
    mut member: impl FnMut(&str, &mut Reader<'a>, &Path<'_>) -> Result<()>,
) -> Result<()> {
    expect(reader, at, Kind::Object)?;
    reader
        .object(|key, reader| member(key, reader, &Path::Member(at, key)))
        .map_err(|error| at.around(error))
}

fn list<'a, T>(
    reader: &mut Reader<'a>,
    at: &Path<'_>,
    item: impl Fn(&mut Reader<'a>, &Path<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    list_up_to(usize::MAX, reader, at, item)
}

/// A list of which no more is read than it may have: what is too long costs no more than what is not.
fn list_up_to<'a, T>(
    count_max: usize,
    reader: &mut Reader<'a>,
    at: &Path<'_>,
    item: impl Fn(&mut Reader<'a>, &Path<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    expect(reader, at, Kind::List)?;
    let mut items = Vec::new();
    let read = reader.list(|index, reader| {
        if index == count_max {
            return Err(at.error(Problem::TooMany { count_max }));
        }
        items.push(item(reader, &Path::Item(at, index))?);
        Ok(())
    });
    read.map_err(|error| at.around(error))?;
    Ok(items)
}

fn text(reader: &mut Reader<'_>, at: &Path<'_>) -> Result<String> {
    expect(reader, at, Kind::String)?;
    reader.string().map(String::from).map_err(|error| at.json(error))
}

fn boolean(reader: &mut Reader<'_>, at: &Path<'_>) -> Result<bool> {
    expect(reader, at, Kind::Bool)?;
    reader.boolean().map_err(|error| at.json(error))
}

fn integer(reader: &mut Reader<'_>, at: &Path<'_>) -> Result<u64> {
    expect(reader, at, Kind::Number)?;
    reader.unsigned().map_err(|error| at.json(error))
}

fn number(reader: &mut Reader<'_>, at: &Path<'_>) -> Result<f64> {
    expect(reader, at, Kind::Number)?;
    reader.float().map_err(|error| at.json(error))
}

/// A value of any type, in canonical form.
fn json(reader: &mut Reader<'_>, at: &Path<'_>) -> Result<Json> {
    let mut value = Vec::new();
    reader.canonical(&mut value).map_err(|error| at.json(error))?;
    Ok(Json::from_canonical(value))
}

fn time(reader: &mut Reader<'_>, at: &Path<'_>) -> Result<Timestamp> {
    let text = text(reader, at)?;
    text.parse().map_err(|problem| {
        at.error(Problem::Time {
            found: shortened(&text),
            problem,
        })
    })
}

fn ip(reader: &mut Reader<'_>, at: &Path<'_>) -> Result<IpAddr> {
    let text = text(reader, at)?;
    let expected = "an IP address";
    // Not quoted in the error: it may be personal.
    text.parse().map_err(|_| at.error(Problem::Range { expected }))
}

/// One of the values of an enumeration, by its name.
fn named<T: Copy>(
    reader: &mut Reader<'_>,
    at: &Path<'_>,
    expected: &'static str,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<T> {
    let text = text(reader, at)?;
    all.iter()
        .copied()
        .find(|value| name(*value) == text)
        .ok_or_else(|| at.form(expected, &text))
}

fn required<T>(value: Option<T>, at: &Path<'_>, key: &str) -> Result<T> {
    value.ok_or_else(|| Path::Member(at, key).error(Problem::Missing))
}

/// Checks that a value of this kind comes next.
fn expect(reader: &mut Reader<'_>, at: &Path<'_>, kind: Kind) -> Result<()> {
    let found = reader.kind().map_err(|error| at.json(error))?;
    if found == kind {
        return Ok(());
    }
    Err(at.error(Problem::Type {
        expected: described(kind),
        found: described(found),
    }))
}

fn described(kind: Kind) -> &'static str {
    match kind {
        Kind::Object => "an object",
        Kind::List => "a list",
        Kind::String => "a string",
        Kind::Number => "a number",
        Kind::Bool => "true or false",
        Kind::Null => "null",
    }
}

const OUTCOMES: &str = "success, failure, denied or unknown";
const SEVERITIES: &str = "informational, low, medium, high or critical";
const ACTOR_TYPES: &str = "user, admin, service_account, api_key, oauth_client, agent, system or anonymous";
