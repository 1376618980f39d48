//! Goes over the fields of a record that queries know.

use super::field::Field;
use super::matcher::spelled;
use crate::event::scan::{items, members};

/// A field that a record has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place<'a> {
    Field(Field),
    /// The key, as it stands between its quotes.
    Metadata(&'a [u8]),
    /// A whole target, behind the fields that it has.
    Target,
}

/// Visits each field of a record with its value as JSON, once for `event` and once for `personal`. What is derived of
/// others (`category`, `user_id`) is left to who asks for it.
pub(super) fn fields<'a>(part: &'a [u8], visit: &mut impl FnMut(Place<'a>, &'a [u8])) {
    for (key, value) in members(part) {
        let field = match key {
            b"action" => Field::EventType,
            b"id" => Field::Id,
            b"outcome" => Field::Outcome,
            b"reason" => Field::Reason,
            b"severity" => Field::Severity,
            b"source" => Field::Source,
            b"tenant_id" => Field::TenantId,
            b"actor" => {
                actor(value, visit);
                continue;
            }
            b"on_behalf_of" => {
                let ids = members(value).filter(|(key, _)| *key == b"id");
                ids.for_each(|(_, id)| visit(Place::Field(Field::OnBehalfOfId), id));
                continue;
            }
            b"targets" => {
                items(value).for_each(|item| target(item, visit));
                continue;
            }
            b"context" => {
                context(value, visit);
                continue;
            }
            b"metadata" => {
                for (key, value) in members(value) {
                    metadata(key, value, visit);
                }
                continue;
            }
            _ => continue,
        };
        visit(Place::Field(field), value);
    }
}

fn actor<'a>(actor: &'a [u8], visit: &mut impl FnMut(Place<'a>, &'a [u8])) {
    for (key, value) in members(actor) {
        match key {
            b"id" => visit(Place::Field(Field::ActorId), value),
            b"type" => visit(Place::Field(Field::ActorType), value),
            b"email" => visit(Place::Field(Field::ActorEmail), value),
            _ => {}
        }
    }
}

fn target<'a>(target: &'a [u8], visit: &mut impl FnMut(Place<'a>, &'a [u8])) {
    for (key, value) in members(target) {
        match key {
            b"id" => visit(Place::Field(Field::TargetId), value),
            b"type" => visit(Place::Field(Field::TargetType), value),
            _ => {}
        }
    }
    // What is personal of a target stands elsewhere, without its id.
    if members(target).any(|(key, _)| key == b"id") {
        visit(Place::Target, target);
    }
}

fn context<'a>(context: &'a [u8], visit: &mut impl FnMut(Place<'a>, &'a [u8])) {
    for (key, value) in members(context) {
        match key {
            b"session_id" => visit(Place::Field(Field::SessionId), value),
            b"request_id" => visit(Place::Field(Field::RequestId), value),
            b"trace_id" => visit(Place::Field(Field::TraceId), value),
            b"correlation_id" => visit(Place::Field(Field::CorrelationId), value),
            b"ip" => visit(Place::Field(Field::Ip), value),
            b"auth" => {
                for (key, value) in members(value) {
                    match key {
                        b"method" => visit(Place::Field(Field::AuthMethod), value),
                        b"client_id" => visit(Place::Field(Field::ClientId), value),
                        _ => {}
                    }
                }
            }
            b"location" => {
                let countries = members(value).filter(|(key, _)| *key == b"country");
                countries.for_each(|(_, country)| visit(Place::Field(Field::Country), country));
            }
            _ => {}
        }
    }
}

fn metadata<'a>(key: &'a [u8], value: &'a [u8], visit: &mut impl FnMut(Place<'a>, &'a [u8])) {
    match value.first() {
        Some(b'{') => {}
        Some(b'[') => items(value)
            .filter(|item| !matches!(item.first(), Some(b'{' | b'[')))
            .for_each(|item| visit(Place::Metadata(key), item)),
        _ => visit(Place::Metadata(key), value),
    }
}

/// A target as [`Field::Target`] has it.
pub(super) fn spelled_target(target: &[u8]) -> String {
    let member = |name: &[u8]| {
        members(target)
            .find(|(key, _)| *key == name)
            .map(|(_, value)| spelled(value))
    };
    format!(
        "{}:{}",
        member(b"type").unwrap_or_default(),
        member(b"id").unwrap_or_default()
    )
}

/// Visits each value in a part of a record that is neither an object nor a list, but for the salt.
pub(super) fn scalars<'a>(part: &'a [u8], visit: &mut impl FnMut(&'a [u8])) {
    for (_, value) in members(part).filter(|(key, _)| *key != b"salt") {
        scalars_in(value, visit);
    }
}

fn scalars_in<'a>(value: &'a [u8], visit: &mut impl FnMut(&'a [u8])) {
    // A stack of its own: a hostile line may nest as deep as it is long.
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value.first() {
            Some(b'{') => open.extend(members(value).map(|(_, value)| value)),
            Some(b'[') => open.extend(items(value)),
            _ => visit(value),
        }
    }
}
