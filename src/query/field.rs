//! The fields that a query filters by, and the values that they take.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use super::error::{Problem, QueryError};
use super::network::Network;
use crate::event::{ActorType, Outcome, Severity};

/// A field of an event that a query filters by: its `Display` is the name of the parameter.
///
/// ```
/// use indelible::query::Field;
///
/// assert_eq!("event_type".parse(), Ok(Field::EventType));
/// assert_eq!("action".parse(), Ok(Field::EventType));
/// assert_eq!(Field::Metadata("plan".into()).to_string(), "metadata.plan");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Field {
    /// `event_type`, also called `action`: an action such as `auth.login.failed`, or all with the same beginning:
    /// `auth.login.*`, `auth.*`.
    EventType,
    /// `category` of the action, such as `authentication`.
    Category,
    /// `outcome`: `success`, `failure`, `denied` or `unknown`.
    Outcome,
    /// `reason`.
    Reason,
    /// `severity`: `informational`, `low`, `medium`, `high` or `critical`.
    Severity,
    /// `actor_id`.
    ActorId,
    /// `actor_type`, such as `user` or `service_account`.
    ActorType,
    /// `actor_email`. Personal.
    ActorEmail,
    /// `on_behalf_of_id`: the id of whom the actor impersonated.
    OnBehalfOfId,
    /// `user_id`: the id of the actor, of whom it impersonated, or of a target.
    UserId,
    /// `target_id`, of any of the targets.
    TargetId,
    /// `target_type`, of any of the targets.
    TargetType,
    /// `tenant_id`.
    TenantId,
    /// `ip` of the client: an address or a network such as `203.0.113.0/24` (RFC 4632, RFC 4291 §2.3). Personal.
    Ip,
    /// `country` of the client. Personal.
    Country,
    /// `session_id`.
    SessionId,
    /// `request_id`.
    RequestId,
    /// `trace_id`.
    TraceId,
    /// `correlation_id`.
    CorrelationId,
    /// `auth_method`.
    AuthMethod,
    /// `client_id` of the authentication.
    ClientId,
    /// `source`: the service that recorded it.
    Source,
    /// `id` of the event.
    Id,
    /// `target`: one of the targets, by type and id: `TYPE:ID`, such as `application:app_dashboard`.
    Target,
    /// `metadata.KEY`: a text, number or boolean under a key at the top of the metadata, or in a list there.
    Metadata(String),
}

impl Field {
    /// All fields but those of metadata.
    pub const ALL: [Field; 24] = [
        Self::EventType,
        Self::Category,
        Self::Outcome,
        Self::Reason,
        Self::Severity,
        Self::ActorId,
        Self::ActorType,
        Self::ActorEmail,
        Self::OnBehalfOfId,
        Self::UserId,
        Self::TargetId,
        Self::TargetType,
        Self::TenantId,
        Self::Ip,
        Self::Country,
        Self::SessionId,
        Self::RequestId,
        Self::TraceId,
        Self::CorrelationId,
        Self::AuthMethod,
        Self::ClientId,
        Self::Source,
        Self::Id,
        Self::Target,
    ];

    /// The name of its parameter.
    pub fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::EventType => "event_type",
            Self::Category => "category",
            Self::Outcome => "outcome",
            Self::Reason => "reason",
            Self::Severity => "severity",
            Self::ActorId => "actor_id",
            Self::ActorType => "actor_type",
            Self::ActorEmail => "actor_email",
            Self::OnBehalfOfId => "on_behalf_of_id",
            Self::UserId => "user_id",
            Self::TargetId => "target_id",
            Self::TargetType => "target_type",
            Self::TenantId => "tenant_id",
            Self::Ip => "ip",
            Self::Country => "country",
            Self::SessionId => "session_id",
            Self::RequestId => "request_id",
            Self::TraceId => "trace_id",
            Self::CorrelationId => "correlation_id",
            Self::AuthMethod => "auth_method",
            Self::ClientId => "client_id",
            Self::Source => "source",
            Self::Id => "id",
            Self::Target => "target",
            Self::Metadata(key) => return Cow::Owned(format!("metadata.{key}")),
        })
    }

    /// Whether its values can be erased as personal data. Metadata is personal where the host said so.
    pub fn is_personal(&self) -> bool {
        matches!(self, Self::ActorEmail | Self::Ip | Self::Country | Self::Metadata(_))
    }

    /// The value that a text says.
    pub(super) fn value(&self, text: &str) -> Result<Value, QueryError> {
        let wrong = |takes: &str| QueryError::new(self.name(), Problem::value(text, takes));
        match self {
            Self::EventType => {
                pattern(text).ok_or_else(|| wrong("an action such as auth.login.failed, or auth.login.*"))
            }
            Self::Outcome => one_of(text, &Outcome::ALL.map(Outcome::as_str)).map_err(|names| wrong(&names)),
            Self::Severity => one_of(text, &Severity::ALL.map(Severity::as_str)).map_err(|names| wrong(&names)),
            Self::ActorType => one_of(text, &ActorType::ALL.map(ActorType::as_str)).map_err(|names| wrong(&names)),
            Self::Ip => network(text).ok_or_else(|| wrong("an IP address, or a network such as 203.0.113.0/24")),
            Self::Target
                if !text
                    .split_once(':')
                    .is_some_and(|(kind, id)| !kind.is_empty() && !id.is_empty()) =>
            {
                Err(wrong("a target as TYPE:ID, such as application:app_dashboard"))
            }
            // A raw + says a space in a URL.
            Self::ActorEmail if text.contains(char::is_whitespace) => {
                Err(wrong("an e-mail address without spaces, its + written as %2B"))
            }
            Self::Metadata(key) if key.is_empty() => Err(QueryError::new(self.name(), Problem::Unknown)),
            _ if text.is_empty() => Err(wrong("a value that is not empty")),
            _ => Ok(Value::Text(text.to_owned())),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

impl std::str::FromStr for Field {
    type Err = QueryError;

    /// By the name of the parameter.
    fn from_str(name: &str) -> Result<Self, QueryError> {
        if let Some(key) = name.strip_prefix("metadata.").filter(|key| !key.is_empty()) {
            return Ok(Self::Metadata(key.to_owned()));
        }
        let known = Self::ALL.into_iter().find(|field| field.name() == name);
        let field = known.or((name == "action").then_some(Self::EventType));
        field.ok_or_else(|| QueryError::new(name.to_owned(), Problem::Unknown))
    }
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Value {
    Text(String),
    /// All that begins so: `auth.` for `auth.*`.
    Beginning(String),
    Network(Network),
}

impl Value {
    /// Whether a field has it, whose value is `text`.
    pub(super) fn is(&self, text: &str) -> bool {
        match self {
            Self::Text(value) => value == text,
            Self::Beginning(beginning) => text.starts_with(beginning.as_str()),
            Self::Network(network) => text.parse().is_ok_and(|address: IpAddr| network.contains(address)),
        }
    }
}

impl Value {
    /// The one text that a field has, whose value this is; `None` where there are several.
    pub(super) fn exact(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Beginning(_) => None,
            Self::Network(network) => network.address().map(|address| address.to_string()),
        }
    }
}

/// As it is written in a query.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Beginning(beginning) => write!(f, "{beginning}*"),
            Self::Network(network) => network.fmt(f),
        }
    }
}

fn pattern(text: &str) -> Option<Value> {
    let name = text.strip_suffix(".*").unwrap_or(text);
    let is_segment = |segment: &str| {
        segment.starts_with(|first: char| first.is_ascii_lowercase())
            && segment
                .chars()
                .all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_')
    };
    if !name.split('.').all(is_segment) {
        return None;
    }
    match text.strip_suffix('*') {
        Some(beginning) => Some(Value::Beginning(beginning.to_owned())),
        // An action has a dot: without one, all that begin so were meant.
        None => text.contains('.').then(|| Value::Text(text.to_owned())),
    }
}

fn one_of(text: &str, names: &[&'static str]) -> Result<Value, String> {
    match names.contains(&text) {
        true => Ok(Value::Text(text.to_owned())),
        false => Err(format!("one of {}", names.join(", "))),
    }
}

fn network(text: &str) -> Option<Value> {
    text.parse().ok().map(Value::Network)
}
