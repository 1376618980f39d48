//! Events: what happened, as the host says it ([EVENTS](crate::manual::events)).
//!
//! An [`Event`] names an [`Action`] and an [`Actor`]; the rest has defaults. It is checked, redacted and split into
//! `event` and `personal` when it is given to a log, and comes back merged.
//!
//! - [`Event`] is the builder and the event; [`Fields`] is what stands in it.
//! - [`Action`] is what was done; [`action`] holds the [`catalogue`] as constants.
//! - [`Actor`], [`Target`], [`Context`], [`Change`] and [`Metadata`] are its parts.
//! - [`Limits`] and [`Redaction`] are the rules; [`InvalidEvent`] and [`EventError`] name the field that breaks one.
//!
//! **Personal data** are names, e-mail and IP addresses, user agents, locations, devices, and what the host marks as
//! personal. They can be erased later without breaking the log (FORMAT §7). Ids, actions, reasons and the path of a
//! request can not: no personal data belongs there.

pub mod action;
mod actor;
mod catalogue;
mod change;
mod context;
mod levels;
mod merged;
mod metadata;
mod parse;
mod redact;
mod retry;
mod rules;
pub(crate) mod scan;
mod write;

use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

use crate::json::JsonError;
use crate::timestamp::Timestamp;

pub use action::Action;
pub use actor::{Actor, ActorType, Target};
pub use catalogue::{Ecs, Entry, Ocsf, catalogue, lookup};
pub use change::{Change, Json};
pub use context::{Auth, Context, Device, Http, Location, Risk};
pub use levels::{Outcome, Severity};
pub(crate) use merged::merged;
pub use metadata::{Metadata, MetadataEntry};
pub use parse::EventError;
pub use redact::Redaction;
pub(crate) use retry::{Given, recorded_id};
pub use rules::{InvalidEvent, Limits, Problem};
pub(crate) use write::Fill;

/// What happened, as the host says it.
///
/// Its methods take and give the event, so that it is written in one expression. None of them fails: what is wrong with
/// a value is reported when the event is given to a log, by an error that names the field. [`fields`](Self::fields)
/// reads back what it holds.
///
/// ```
/// use std::net::Ipv4Addr;
/// use indelible::{Actor, Event, Outcome, Target, action};
///
/// let event = Event::new(action::AUTH_LOGIN_FAILED)
///     .actor(Actor::user("usr_alice123").email("alice@example.com"))
///     .target(Target::new("application", "app_dashboard"))
///     .tenant("org_acme")
///     .ip(Ipv4Addr::new(203, 0, 113, 7))
///     .user_agent("Mozilla/5.0 (X11; Linux x86_64)")
///     .reason("invalid_credentials")
///     .metadata("attempt", 3);
///
/// assert_eq!(event.fields().outcome, Outcome::Failure);
/// assert_eq!(event.check(), Ok(()));
/// ```
///
/// `Debug` shows neither personal data nor the values of metadata and changes.
#[must_use = "an event is recorded only once it is given to a log"]
#[derive(Clone, PartialEq)]
pub struct Event(Box<Inner>);

#[derive(Clone, PartialEq)]
struct Inner {
    fields: Fields,
    /// The first value that the builder could not take.
    problem: Option<InvalidEvent>,
    /// Whether the log itself says it.
    own: bool,
}

/// What an event holds, read with [`Event::fields`]: the fields of EVENTS §1 by their names.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Fields {
    /// The host's own id; `None` where the log is to set one.
    pub id: Option<String>,
    /// What was done.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// A short machine-readable cause.
    pub reason: Option<String>,
    /// How much it matters.
    pub severity: Severity,
    /// When it happened; `None` where it is when the log takes the event.
    pub occurred_at: Option<Timestamp>,
    /// Who did it. An event without an actor is refused.
    pub actor: Option<Actor>,
    /// Whom the actor impersonated.
    pub on_behalf_of: Option<Actor>,
    /// What it was done to.
    pub targets: Vec<Target>,
    /// The organization it belongs to.
    pub tenant_id: Option<String>,
    /// The service that recorded it; `None` where it is that of the log.
    pub source: Option<String>,
    /// Where it came from.
    pub context: Context,
    /// What was changed.
    pub changes: Vec<Change>,
    /// Anything else.
    pub metadata: Metadata,
}

impl Event {
    /// An event of this action, with its default outcome and severity.
    ///
    /// Takes a constant of [`action`], or the name of an action.
    pub fn new(action: impl Into<Action>) -> Self {
        Self::with_action(action.into())
    }

    fn with_action(action: Action) -> Self {
        let fields = Fields {
            id: None,
            outcome: action.default_outcome(),
            reason: None,
            severity: action.default_severity(),
            action,
            occurred_at: None,
            actor: None,
            on_behalf_of: None,
            targets: Vec::new(),
            tenant_id: None,
            source: None,
            context: Context::new(),
            changes: Vec::new(),
            metadata: Metadata::default(),
        };
        Self(Box::new(Inner {
            fields,
            problem: None,
            own: false,
        }))
    }

    /// An event of the log itself: the only kind that may have a reserved action.
    pub(crate) fn of_log(action: Action) -> Self {
        let mut event = Self::with_action(action).actor(Actor::system("indelible"));
        event.0.own = true;
        event
    }

    /// An id of the host's own, 1 to 64 bytes of `[A-Za-z0-9._:-]`, in place of the UUIDv7 (RFC 9562) that the log
    /// sets.
    ///
    /// It makes a retry idempotent: an event given again with the same id and content is recorded once, and its first
    /// receipt comes back. With other content it is refused, as [`IdReused`](crate::Cause::IdReused). That is known of
    /// the last 100,000 records; beyond them the event is recorded again. Content is compared as it is recorded: where
    /// the log's [`Redaction`] was changed meanwhile, an event with what it redacts is another one.
    ///
    /// An id is kept for good: no personal data.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.0.fields.id = Some(id.into());
        self
    }

    /// How it ended, in place of the action's default.
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.0.fields.outcome = outcome;
        self
    }

    /// A short machine-readable cause, such as `invalid_credentials`. Kept for good: no personal data.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.0.fields.reason = Some(reason.into());
        self
    }

    /// How much it matters, in place of the action's default.
    pub fn severity(mut self, severity: Severity) -> Self {
        self.0.fields.severity = severity;
        self
    }

    /// When it happened, where that is not when the log takes the event. See [`Timestamp`] for what it is made from.
    pub fn occurred_at(mut self, time: impl Into<Timestamp>) -> Self {
        self.0.fields.occurred_at = Some(time.into());
        self
    }

    /// Who did it.
    pub fn actor(mut self, actor: Actor) -> Self {
        self.0.fields.actor = Some(actor);
        self
    }

    /// Whom the actor impersonated. The actor is who really acted, on every event of the impersonated session.
    pub fn on_behalf_of(mut self, actor: Actor) -> Self {
        self.0.fields.on_behalf_of = Some(actor);
        self
    }

    /// One thing that it was done to. May be called up to 50 times.
    pub fn target(mut self, target: Target) -> Self {
        self.0.fields.targets.push(target);
        self
    }

    /// The organization that it belongs to, by its id of 1 to 256 bytes.
    pub fn tenant(mut self, id: impl Into<String>) -> Self {
        self.0.fields.tenant_id = Some(id.into());
        self
    }

    /// The service that records it, such as `auth-service/1.4.2`, in place of that of the log.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.0.fields.source = Some(source.into());
        self
    }

    /// Where it came from, in place of all that was said about it before.
    pub fn context(mut self, context: Context) -> Self {
        self.0.fields.context = context;
        self
    }

    /// The session, as [`Context::session`].
    pub fn session(mut self, id: impl Into<String>) -> Self {
        self.0.fields.context.session_id = Some(id.into());
        self
    }

    /// The request, as [`Context::request`].
    pub fn request(mut self, id: impl Into<String>) -> Self {
        self.0.fields.context.request_id = Some(id.into());
        self
    }

    /// The distributed trace, as [`Context::trace`].
    pub fn trace(mut self, id: impl Into<String>) -> Self {
        self.0.fields.context.trace_id = Some(id.into());
        self
    }

    /// What ties events of several requests together, as [`Context::correlation`].
    pub fn correlation(mut self, id: impl Into<String>) -> Self {
        self.0.fields.context.correlation_id = Some(id.into());
        self
    }

    /// How the actor was authenticated, as [`Context::auth`].
    pub fn auth(mut self, auth: Auth) -> Self {
        self.0.fields.context.auth = auth;
        self
    }

    /// The HTTP request, as [`Context::http`].
    pub fn http(mut self, http: Http) -> Self {
        self.0.fields.context.http = http;
        self
    }

    /// How risky it looked, as [`Context::risk`].
    pub fn risk(mut self, risk: Risk) -> Self {
        self.0.fields.context.risk = risk;
        self
    }

    /// The client's IP address, as [`Context::ip`]. Personal: it can be erased.
    pub fn ip(mut self, ip: impl Into<IpAddr>) -> Self {
        self.0.fields.context.ip = Some(ip.into());
        self
    }

    /// The addresses that the request was forwarded for, as [`Context::forwarded_for`]. Personal: they can be erased.
    pub fn forwarded_for<T: ToString>(mut self, addresses: impl IntoIterator<Item = T>) -> Self {
        self.0.fields.context.forwarded_for = addresses.into_iter().map(|address| address.to_string()).collect();
        self
    }

    /// The client's user agent, as [`Context::user_agent`]. Personal: it can be erased.
    pub fn user_agent(mut self, agent: impl Into<String>) -> Self {
        self.0.fields.context.user_agent = Some(agent.into());
        self
    }

    /// Where the client is, as [`Context::location`]. Personal: it can be erased.
    pub fn location(mut self, location: Location) -> Self {
        self.0.fields.context.location = location;
        self
    }

    /// The client's device, as [`Context::device`]. Personal: it can be erased.
    pub fn device(mut self, device: Device) -> Self {
        self.0.fields.context.device = device;
        self
    }

    /// One change that was made. May be called up to 100 times.
    pub fn change(mut self, change: Change) -> Self {
        if let Some((side, problem)) = &change.problem {
            self.remember(
                |event| format!("changes[{}].{side}", event.fields.changes.len()),
                problem.clone(),
            );
        }
        self.0.fields.changes.push(change);
        self
    }

    /// Anything else, under a key of at most 40 bytes of `[A-Za-z0-9_.-]`; up to 50 of them. Kept for good: what is
    /// personal goes to [`personal_metadata`](Self::personal_metadata). A key that was given before is replaced.
    ///
    /// The value is whatever serde can serialize into I-JSON (RFC 7493): no NaN or infinity, integers within ±(2^53−1).
    /// (Unlike there, strings may hold noncharacters.) Secrets are redacted by the names of their keys, at any depth
    /// (see [`Redaction`]).
    ///
    /// An `f32` is recorded as the double of the same value: `0.1_f32` as `0.10000000149011612`. A `serde_json::Value`
    /// that was made from it may say `0.1` where the host turns on serde_json's feature `arbitrary_precision`: give an
    /// `f64` instead.
    pub fn metadata(self, key: impl Into<String>, value: impl Serialize) -> Self {
        self.set_metadata(key.into(), &value, false)
    }

    /// Anything else that is personal, as [`metadata`](Self::metadata): key and value can be erased.
    pub fn personal_metadata(self, key: impl Into<String>, value: impl Serialize) -> Self {
        self.set_metadata(key.into(), &value, true)
    }

    /// What the event holds.
    pub fn fields(&self) -> &Fields {
        &self.0.fields
    }

    /// The [`category`](Action::category) of its action.
    pub fn category(&self) -> &str {
        self.0.fields.action.category()
    }

    /// Whether a log with the default [`Limits`] and [`Redaction`] would take the event. The log's own
    /// [`source`](crate::Builder::source), which an event without one gets, is not counted in its size.
    ///
    /// # Errors
    ///
    /// When it breaks a rule of EVENTS §1; the error names the field.
    pub fn check(&self) -> Result<(), InvalidEvent> {
        let (mut event, mut personal) = (Vec::new(), Vec::new());
        self.write(
            &Fill::NONE,
            &Limits::default(),
            &Redaction::default(),
            &mut event,
            &mut personal,
        )
    }

    fn set_metadata(mut self, key: String, value: &impl Serialize, personal: bool) -> Self {
        match Json::of(value, change::VALUE_DEPTH_MAX + 1) {
            Ok(value) => self.0.fields.metadata.set(key, value, personal),
            Err(problem) => self.remember(|_| format!("metadata.{}", rules::shortened(&key)), problem),
        }
        self
    }

    fn remember(&mut self, field: impl FnOnce(&Inner) -> String, problem: JsonError) {
        if self.0.problem.is_none() {
            self.0.problem = Some(InvalidEvent::new(field(&self.0), Problem::Json(problem)));
        }
    }
}

/// Without what the builder could not take: a host's own words may stand there.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Event").field(&self.0.fields).finish()
    }
}

#[cfg(test)]
pub(crate) mod tests;
