//! Writes an event in canonical form: split into `event` and `personal`, or merged (EVENTS §1).
//!
//! One function for each object lists its members in canonical order (RFC 8785 §3.2.3) and says where each stands, so
//! that the three forms cannot come apart.

use std::fmt::{self, Write as _};
use std::marker::PhantomData;
use std::net::IpAddr;

use crate::json;
use crate::timestamp::Timestamp;

use super::actor::{Actor, Target};
use super::change::{Change, Json};
use super::context::{Auth, Context, Device, Http, Location, Risk, without_query};
use super::redact::{REDACTED, Redaction};
use super::rules::{self, InvalidEvent, Limits, Problem};
use super::{Event, Fields};

/// What the log sets where a host does not.
#[derive(Clone, Copy)]
pub(crate) struct Fill<'a> {
    /// The id of an event that has none.
    pub(crate) id: &'a str,
    /// The time of an event that has none.
    pub(crate) occurred_at: Timestamp,
    /// The source of an event that has none.
    pub(crate) source: Option<&'a str>,
    /// The salt of `personal`, new for each record (FORMAT §2).
    pub(crate) salt: [u8; 16],
}

impl Fill<'static> {
    /// For an event that is not recorded: an id as long as the UUID of one that is.
    pub(super) const NONE: Self = Self {
        id: "00000000-0000-7000-8000-000000000000",
        occurred_at: Timestamp::MIN,
        source: None,
        salt: [0; 16],
    };
}

impl Event {
    /// Checks the event and appends its two parts in canonical form, secrets redacted.
    ///
    /// Events of the log itself are held to the limits of the format alone, and nothing of them is redacted.
    ///
    /// # Errors
    ///
    /// When the event breaks a rule of EVENTS §1. Both buffers are then as before.
    pub(crate) fn write(
        &self,
        fill: &Fill<'_>,
        limits: &Limits,
        redaction: &Redaction,
        event: &mut Vec<u8>,
        personal: &mut Vec<u8>,
    ) -> Result<(), InvalidEvent> {
        let own = self.0.own;
        let limits = if own { &Limits::FORMAT } else { limits };
        rules::check(self, limits)?;
        if !own && self.0.fields.action.is_reserved() {
            return Err(InvalidEvent::new("action", Problem::Reserved));
        }
        let redaction = (!own).then_some(redaction);
        let (event_start, personal_start) = (event.len(), personal.len());
        event.reserve(512);
        personal.reserve(256);
        Writer::<Kept>::new(event, redaction).event(&self.0.fields, Some(fill));
        Writer::<Personal>::new(personal, redaction).event(&self.0.fields, Some(fill));
        let sizes = rules::check_sizes(&event[event_start..], &personal[personal_start..], limits);
        if sizes.is_err() {
            event.truncate(event_start);
            personal.truncate(personal_start);
        }
        sizes
    }

    /// The event merged, in canonical form, as it comes out of a record but for its salt.
    #[cfg(test)]
    pub(super) fn write_merged(&self, fill: &Fill<'_>, redaction: &Redaction, merged: &mut Vec<u8>) {
        let redaction = (!self.0.own).then_some(redaction);
        Writer::<Merged>::new(merged, redaction).event(&self.0.fields, Some(fill));
    }

    /// The event as one JSON object in its merged, canonical form, as [`from_json`](Self::from_json) reads it back.
    ///
    /// What the log would set is left out, and `personal` marks what the host has marked (EVENTS §1). Secrets are
    /// redacted only when the event is recorded, not here: a host that keeps this text, in an outbox, say, keeps them
    /// with it.
    ///
    /// # Errors
    ///
    /// When the event breaks a rule of EVENTS §1; the error names the field.
    pub fn to_json(&self) -> Result<String, InvalidEvent> {
        rules::check(self, &Limits::FORMAT)?;
        let mut merged = Vec::with_capacity(512);
        Writer::<Marked>::new(&mut merged, None).event(&self.0.fields, None);
        Ok(String::from_utf8_lossy(&merged).into_owned())
    }
}

/// Which fields are written.
trait Part {
    /// What is kept for good.
    const KEPT: bool;
    /// What can be erased.
    const PERSONAL: bool;
    /// What the host has marked as personal.
    const MARKS: bool = false;
}

/// `event` of a record.
struct Kept;

/// `personal` of a record.
struct Personal;

/// Both, merged, as they come out of a record.
#[cfg(test)]
struct Merged;

/// Both, merged, as a host gives them.
struct Marked;

impl Part for Kept {
    const KEPT: bool = true;
    const PERSONAL: bool = false;
}

impl Part for Personal {
    const KEPT: bool = false;
    const PERSONAL: bool = true;
}

#[cfg(test)]
impl Part for Merged {
    const KEPT: bool = true;
    const PERSONAL: bool = true;
}

impl Part for Marked {
    const KEPT: bool = true;
    const PERSONAL: bool = true;
    const MARKS: bool = true;
}

/// Writes objects. A member is written with a comma before it; [`close`](Self::close) makes the first one a brace.
struct Writer<'a, P> {
    out: &'a mut Vec<u8>,
    redaction: Option<&'a Redaction>,
    part: PhantomData<P>,
}

/// The name of a member, ready to be written.
macro_rules! name {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

impl<'a, P: Part> Writer<'a, P> {
    fn new(out: &'a mut Vec<u8>, redaction: Option<&'a Redaction>) -> Self {
        Self {
            out,
            redaction,
            part: PhantomData,
        }
    }

    fn event(&mut self, fields: &Fields, fill: Option<&Fill<'_>>) {
        let start = self.out.len();
        self.kept(name!("action"), Some(fields.action.as_str()));
        if let Some(actor) = &fields.actor {
            self.object(name!("actor"), |writer| writer.actor(actor));
        }
        self.objects(name!("changes"), &fields.changes, Self::change);
        self.object(name!("context"), |writer| writer.context(&fields.context));
        self.kept(name!("id"), fields.id.as_deref().or(fill.map(|fill| fill.id)));
        self.object(name!("metadata"), |writer| writer.metadata(fields));
        self.occurred_at(fields.occurred_at.or(fill.map(|fill| fill.occurred_at)));
        if let Some(actor) = &fields.on_behalf_of {
            self.object(name!("on_behalf_of"), |writer| writer.actor(actor));
        }
        self.kept(name!("outcome"), Some(fields.outcome.as_str()));
        if P::MARKS {
            self.object(name!("personal"), |writer| writer.marks(fields));
        }
        self.kept(name!("reason"), fields.reason.as_deref());
        if P::PERSONAL
            && !P::KEPT
            && let Some(fill) = fill
        {
            self.salt(&fill.salt);
        }
        self.kept(name!("severity"), Some(fields.severity.as_str()));
        self.kept(
            name!("source"),
            fields.source.as_deref().or(fill.and_then(|fill| fill.source)),
        );
        self.objects(name!("targets"), &fields.targets, Self::target);
        self.kept(name!("tenant_id"), fields.tenant_id.as_deref());
        self.close(start);
    }

    fn actor(&mut self, actor: &Actor) {
        self.personal(name!("email"), actor.email.as_deref());
        self.kept(name!("id"), Some(&actor.id));
        self.personal(name!("name"), actor.name.as_deref());
        self.kept(name!("type"), Some(actor.actor_type.as_str()));
    }

    fn target(&mut self, target: &Target) {
        self.personal(name!("email"), target.email.as_deref());
        self.kept(name!("id"), Some(&target.id));
        self.personal(name!("name"), target.name.as_deref());
        self.kept(name!("type"), Some(&target.target_type));
    }

    fn change(&mut self, change: &Change) {
        let secret = self.redaction.is_some_and(|redaction| redaction.covers(&change.field));
        self.kept(name!("field"), Some(&change.field));
        if takes::<P>(change.personal) {
            self.json(name!("new"), change.new.as_ref(), secret);
            self.json(name!("old"), change.old.as_ref(), secret);
        }
    }

    fn context(&mut self, context: &Context) {
        self.object(name!("auth"), |writer| writer.auth(&context.auth));
        self.kept(name!("correlation_id"), context.correlation_id.as_deref());
        self.object(name!("device"), |writer| writer.device(&context.device));
        if P::PERSONAL {
            self.texts(name!("forwarded_for"), &context.forwarded_for);
        }
        self.object(name!("http"), |writer| writer.http(&context.http));
        if P::PERSONAL
            && let Some(ip) = context.ip
        {
            self.ip(name!("ip"), ip);
        }
        self.object(name!("location"), |writer| writer.location(&context.location));
        self.kept(name!("request_id"), context.request_id.as_deref());
        self.object(name!("risk"), |writer| writer.risk(&context.risk));
        self.kept(name!("session_id"), context.session_id.as_deref());
        self.kept(name!("trace_id"), context.trace_id.as_deref());
        self.personal(name!("user_agent"), context.user_agent.as_deref());
    }

    fn auth(&mut self, auth: &Auth) {
        self.kept(name!("client_id"), auth.client_id.as_deref());
        self.kept(name!("connection"), auth.connection.as_deref());
        self.kept(name!("factor"), auth.factor.as_deref());
        self.kept(name!("method"), auth.method.as_deref());
        if P::KEPT
            && let Some(mfa) = auth.mfa
        {
            self.literal(name!("mfa"), if mfa { b"true" } else { b"false" });
        }
    }

    fn device(&mut self, device: &Device) {
        self.personal(name!("id"), device.id.as_deref());
        self.personal(name!("os"), device.os.as_deref());
        self.personal(name!("type"), device.device_type.as_deref());
    }

    fn http(&mut self, http: &Http) {
        self.kept(name!("method"), http.method.as_deref());
        self.kept(name!("path"), http.path.as_deref().map(without_query));
        if P::KEPT
            && let Some(status) = http.status
        {
            self.name(name!("status"));
            json::write::unsigned(self.out, status.into());
        }
    }

    fn location(&mut self, location: &Location) {
        self.personal(name!("city"), location.city.as_deref());
        self.personal(name!("country"), location.country.as_deref());
        if P::PERSONAL {
            self.number(name!("latitude"), location.latitude);
            self.number(name!("longitude"), location.longitude);
        }
        self.personal(name!("region"), location.region.as_deref());
    }

    fn risk(&mut self, risk: &Risk) {
        if P::KEPT {
            self.texts(name!("reasons"), &risk.reasons);
            self.number(name!("score"), risk.score);
        }
    }

    fn metadata(&mut self, fields: &Fields) {
        for entry in fields.metadata.iter().filter(|entry| takes::<P>(entry.personal)) {
            self.out.push(b',');
            json::write::string(self.out, &entry.key);
            self.out.push(b':');
            let secret = self.redaction.is_some_and(|redaction| redaction.covers(&entry.key));
            self.value(&entry.value, secret);
        }
    }

    /// What only the host can know of an event in its merged form: which changes and which metadata are personal.
    fn marks(&mut self, fields: &Fields) {
        let changes = fields.changes.iter().enumerate().filter(|(_, change)| change.personal);
        self.list(name!("changes"), changes, |out, (index, _)| {
            json::write::unsigned(out, index as u64)
        });
        let entries = fields.metadata.iter().filter(|entry| entry.personal);
        self.list(name!("metadata"), entries, |out, entry| {
            json::write::string(out, &entry.key)
        });
    }

    fn salt(&mut self, salt: &[u8; 16]) {
        let mut digits = [0; 32];
        let written = hex::encode_to_slice(salt, &mut digits);
        debug_assert!(written.is_ok(), "two digits for each byte");
        self.name(name!("salt"));
        self.quoted(&digits);
    }

    fn occurred_at(&mut self, time: Option<Timestamp>) {
        if P::KEPT
            && let Some(time) = time
        {
            self.name(name!("occurred_at"));
            self.quoted(&time.to_fixed());
        }
    }

    /// Writes a text that is kept for good.
    fn kept(&mut self, name: &'static str, text: Option<&str>) {
        if P::KEPT
            && let Some(text) = text
        {
            self.name(name);
            json::write::string(self.out, text);
        }
    }

    /// Writes a text that is personal.
    fn personal(&mut self, name: &'static str, text: Option<&str>) {
        if P::PERSONAL
            && let Some(text) = text
        {
            self.name(name);
            json::write::string(self.out, text);
        }
    }

    fn number(&mut self, name: &'static str, number: Option<f64>) {
        if let Some(number) = number {
            self.name(name);
            let written = json::write::float(self.out, number);
            debug_assert!(written.is_ok(), "the rules have checked it");
        }
    }

    fn display(&mut self, name: &'static str, value: impl fmt::Display) {
        self.name(name);
        // Writing into memory does not fail.
        let _ = write!(AsciiWriter(self.out), "\"{value}\"");
    }

    /// The formatter of the standard library would take as long as all the rest of the context.
    fn ip(&mut self, name: &'static str, ip: IpAddr) {
        let IpAddr::V4(ip) = ip else {
            return self.display(name, ip);
        };
        self.name(name);
        for (index, octet) in ip.octets().into_iter().enumerate() {
            self.out.push(if index == 0 { b'"' } else { b'.' });
            json::unsigned(self.out, octet.into());
        }
        self.out.push(b'"');
    }

    fn json(&mut self, name: &'static str, value: Option<&Json>, secret: bool) {
        if let Some(value) = value {
            self.name(name);
            self.value(value, secret);
        }
    }

    fn value(&mut self, value: &Json, secret: bool) {
        match self.redaction {
            _ if secret => self.out.extend_from_slice(REDACTED),
            Some(redaction) => redaction.copy(self.out, value.as_bytes()),
            None => self.out.extend_from_slice(value.as_bytes()),
        }
    }

    fn literal(&mut self, name: &'static str, literal: &[u8]) {
        self.name(name);
        self.out.extend_from_slice(literal);
    }

    /// Writes an object, unless it has no members.
    fn object(&mut self, name: &'static str, members: impl FnOnce(&mut Self)) {
        let undo = self.out.len();
        self.name(name);
        let start = self.out.len();
        members(self);
        if self.out.len() == start {
            self.out.truncate(undo);
        } else {
            self.close(start);
        }
    }

    /// Writes a list of objects, unless none has members.
    fn objects<T>(&mut self, name: &'static str, items: &[T], members: impl Fn(&mut Self, &T)) {
        let undo = self.out.len();
        self.name(name);
        let mut empty = true;
        for (index, item) in items.iter().enumerate() {
            self.out.push(if index == 0 { b'[' } else { b',' });
            let start = self.out.len();
            members(self, item);
            if self.out.len() == start {
                self.out.extend_from_slice(b"{}");
            } else {
                self.close(start);
                empty = false;
            }
        }
        if empty {
            self.out.truncate(undo);
        } else {
            self.out.push(b']');
        }
    }

    fn texts(&mut self, name: &'static str, texts: &[String]) {
        self.list(name, texts.iter(), |out, text| json::write::string(out, text));
    }

    /// Writes a list, unless it is empty.
    fn list<T>(&mut self, name: &'static str, items: impl Iterator<Item = T>, write: impl Fn(&mut Vec<u8>, T)) {
        let undo = self.out.len();
        self.name(name);
        let start = self.out.len();
        for item in items {
            self.out.push(b',');
            write(self.out, item);
        }
        if self.out.len() == start {
            self.out.truncate(undo);
        } else {
            self.out[start] = b'[';
            self.out.push(b']');
        }
    }

    fn quoted(&mut self, ascii: &[u8]) {
        self.out.push(b'"');
        self.out.extend_from_slice(ascii);
        self.out.push(b'"');
    }

    #[inline]
    fn name(&mut self, name: &'static str) {
        self.out.extend_from_slice(name.as_bytes());
    }

    /// Ends the object whose members begin at `start`.
    fn close(&mut self, start: usize) {
        self.out[start] = b'{';
        self.out.push(b'}');
    }
}

/// Whether what the host may have marked as personal belongs into the part.
fn takes<P: Part>(personal: bool) -> bool {
    if personal { P::PERSONAL } else { P::KEPT }
}

/// Formats straight into the buffer what needs no escapes.
struct AsciiWriter<'a>(&'a mut Vec<u8>);

impl fmt::Write for AsciiWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
