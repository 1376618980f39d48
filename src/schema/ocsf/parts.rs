//! The objects of OCSF 1.8.0 that several classes have. Each takes what it holds out of the event, and is made only
//! where the schema allows it with that.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use super::super::document::{Document, string};
use super::super::source::{Source, is_boolean, is_filled_text, is_integer, is_ip, is_ips, is_number, is_text};
use crate::event::scan::text;

/// Who did it, from where, by which request.
pub(super) fn request<'a>(document: &mut Document<'a>, source: &mut Source<'a>) {
    actor(document, source);
    endpoint(document, source);
    http(document, source);
}

/// `actor`. A session that has been put elsewhere is left there.
pub(super) fn actor<'a>(document: &mut Document<'a>, source: &mut Source<'a>) {
    if let Some(user) = source.at("actor").and_then(person) {
        document.json("actor.user", user);
    }
    if !document.has("session") {
        document.take("actor.session.uid", source, "context.session_id", is_text);
    }
    if !document.has("is_mfa") {
        document.take("actor.session.is_mfa", source, "context.auth.mfa", is_boolean);
    }
    document.take("actor.app_uid", source, "context.auth.client_id", is_text);
    if document.has("actor") {
        document.take("actor.idp.uid", source, "context.auth.connection", is_text);
    }
}

/// `src_endpoint`, of an address or a device.
pub(super) fn endpoint<'a>(document: &mut Document<'a>, source: &mut Source<'a>) {
    document.take("src_endpoint.ip", source, "context.ip", is_ip);
    document.take("src_endpoint.uid", source, "context.device.id", is_text);
    if !document.has("src_endpoint") {
        return;
    }
    document.take("src_endpoint.type", source, "context.device.type", is_text);
    if document.take("src_endpoint.os.name", source, "context.device.os", is_text) {
        document.integer("src_endpoint.os.type_id", 0);
    }
    document.take("src_endpoint.location.city", source, "context.location.city", is_text);
    document.take(
        "src_endpoint.location.country",
        source,
        "context.location.country",
        is_text,
    );
    document.take(
        "src_endpoint.location.region",
        source,
        "context.location.region",
        is_text,
    );
    if document.has("src_endpoint.location") {
        document.take(
            "src_endpoint.location.lat",
            source,
            "context.location.latitude",
            is_number,
        );
        document.take(
            "src_endpoint.location.long",
            source,
            "context.location.longitude",
            is_number,
        );
    }
}

/// `http_request` and `http_response`.
pub(super) fn http<'a>(document: &mut Document<'a>, source: &mut Source<'a>) {
    document.take("http_request.http_method", source, "context.http.method", is_method);
    document.take("http_request.url.path", source, "context.http.path", is_text);
    document.take("http_request.user_agent", source, "context.user_agent", is_text);
    document.take("http_request.uid", source, "context.request_id", is_text);
    document.take("http_request.x_forwarded_for", source, "context.forwarded_for", is_ips);
    document.take("http_response.code", source, "context.http.status", is_integer);
}

/// `auth_factors`: one.
pub(super) fn factor<'a>(document: &mut Document<'a>, source: &mut Source<'a>) {
    let Some(factor) = source.take("context.auth.factor", is_text) else {
        return;
    };
    let type_id = match &*text(factor).to_ascii_lowercase() {
        "sms" => 1,
        "security_question" => 2,
        "phone" | "phone_call" | "voice" => 3,
        "biometric" => 4,
        "push" => 5,
        "hardware_token" => 6,
        "otp" | "totp" | "hotp" => 7,
        "email" => 8,
        "u2f" => 9,
        "webauthn" | "passkey" | "fido2" => 10,
        "password" => 11,
        _ => 99,
    };
    let mut object = Document::default();
    object.json("factor_type", factor);
    object.integer("factor_type_id", type_id);
    document.objects("auth_factors", &[object.into_json()]);
}

/// `auth_protocol`, where the method of a login is a protocol.
pub(super) fn protocol<'a>(document: &mut Document<'a>, source: &mut Source<'a>) {
    let method = source.text("context.auth.method").unwrap_or_default();
    let protocol_id = match &*method.to_ascii_lowercase() {
        "kerberos" => 2,
        "oidc" | "openid" | "openid_connect" => 4,
        "saml" => 5,
        "oauth" | "oauth2" => 6,
        "radius" => 10,
        "basic" => 11,
        "ldap" => 12,
        _ => return,
    };
    document.take("auth_protocol", source, "context.auth.method", is_text);
    document.integer("auth_protocol_id", protocol_id);
}

/// A `user` of an actor or a target that has an id or a name.
pub(super) fn person(person: &mut Source<'_>) -> Option<Vec<u8>> {
    let mut user = Document::default();
    user.take("uid", person, "id", is_text);
    user.take("name", person, "name", is_text);
    if !user.has("uid") && !user.has("name") {
        return None;
    }
    user.take("email_addr", person, "email", is_email);
    if let Some(kind) = person.take("type", is_text) {
        user.json("type", kind);
        let type_id = match &*text(kind) {
            "user" => 1,
            "admin" => 2,
            "system" => 3,
            "service_account" => 4,
            _ => 99,
        };
        user.integer("type_id", type_id);
    }
    Some(user.into_json())
}

/// A `managed_entity`, `resource_details` or `web_resource` of a target that has an id or a name: they have the same
/// names, and take whatever else there is as `data`.
pub(super) fn thing(target: &mut Source<'_>) -> Option<Vec<u8>> {
    let mut thing = named_thing(target)?;
    thing.take("type", target, "type", is_text);
    if let Some(rest) = target.rest() {
        thing.json("data", rest);
    }
    *target = Source::Taken(b"{}");
    Some(thing.into_json())
}

/// All targets that can be a [`thing`].
pub(super) fn things(source: &mut Source<'_>) -> Vec<Vec<u8>> {
    source.items("targets").iter_mut().filter_map(thing).collect()
}

/// A `group` or a `policy` of a target that has an id or a name.
pub(super) fn group(target: &mut Source<'_>) -> Option<Vec<u8>> {
    let mut group = named_thing(target)?;
    group.take("type", target, "type", is_text);
    Some(group.into_json())
}

/// A `service` of a target that has an id or a name.
pub(super) fn service(target: &mut Source<'_>) -> Option<Vec<u8>> {
    named_thing(target).map(Document::into_json)
}

/// An object with nothing but a name, where the schema asks for one.
pub(super) fn named(name: &str) -> Vec<u8> {
    [b"{\"name\":", string(name).as_slice(), b"}"].concat()
}

fn named_thing<'a>(target: &mut Source<'a>) -> Option<Document<'a>> {
    let mut thing = Document::default();
    thing.take("uid", target, "id", is_text);
    thing.take("name", target, "name", is_text);
    (thing.has("uid") || thing.has("name")).then_some(thing)
}

/// Whether it is a method that the schema lists.
fn is_method(json: &[u8]) -> bool {
    let method = json.strip_prefix(b"\"").and_then(|json| json.strip_suffix(b"\""));
    method.is_some_and(|method| METHODS.contains(&method))
}

/// Whether it is an address of the form of `email_t`: `[a-zA-Z0-9!#$%&'*+-/=?^_`{|}~.]+@[a-zA-Z0-9-]+\.[a-zA-Z0-9-.]+`.
/// There, `+-/` is a range, of which the comma is part.
fn is_email(json: &[u8]) -> bool {
    if !is_filled_text(json) {
        return false;
    }
    let address = text(json);
    let Some((local, domain)) = address.split_once('@') else {
        return false;
    };
    let is_label = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let (first, rest) = domain.split_once('.').unwrap_or_default();
    !local.is_empty()
        && local
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+,-./=?^_`{|}~".contains(&byte))
        && !first.is_empty()
        && first.bytes().all(is_label)
        && !rest.is_empty()
        && rest.bytes().all(|byte| is_label(byte) || byte == b'.')
}

const METHODS: [&[u8]; 9] = [
    b"CONNECT", b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"PATCH", b"POST", b"PUT", b"TRACE",
];

/// The name of what an event does not name, and the schema asks for.
pub(super) const UNKNOWN: &str = "unknown";
