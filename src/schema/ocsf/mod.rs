//! OCSF 1.8.0: the Open Cybersecurity Schema Framework (<https://schema.ocsf.io/1.8.0>), one JSON object an event.
//!
//! An action of the [catalogue](crate::event::catalogue) has its class, activity and type there
//! ([`Entry::ocsf`](crate::event::Entry::ocsf)). Another action has activity 99, `Other`, in the class that most actions
//! of its [category](crate::Action::category) have; of the category `provisioning`, which has none of that kind, in Entity
//! Management. It is a Base Event (class 0) where the category is the host's own, and where it is `security`: whether that
//! is a finding, the host alone knows.
//!
//! In every class:
//!
//! | event | OCSF |
//! | --- | --- |
//! | `action` | `metadata.event_code`; `message` is its sentence in the catalogue |
//! | `outcome` | `status_id`, `status`; `denied` is a Failure and stands in `unmapped.outcome` too. In findings the status is New, In Progress, Resolved or Closed, and `unmapped.outcome` how the action ended |
//! | `severity` | `severity_id`, `severity` |
//! | `reason` | `status_code` |
//! | `id` | `metadata.uid` |
//! | `occurred_at` | `time` in milliseconds since 1970, `metadata.original_time` as it is |
//! | `tenant_id` | `metadata.tenant_uid` |
//! | `source` | `metadata.source` |
//! | `context.correlation_id` | `metadata.correlation_uid` |
//! | `seq` of the record | `metadata.sequence`, a number |
//! | hash of the record | `raw_data_hash` with the algorithm `indelible record`: it is the hash of FORMAT §2, not of the bytes of `raw_data` |
//! | `recorded_at` of the record | `metadata.logged_time`, in milliseconds since 1970 |
//! | what is given as `original` | `raw_data` |
//! | everything else | as below, or in `unmapped` |
//!
//! In the classes that have them (a finding has them in `evidences`):
//!
//! | event | OCSF |
//! | --- | --- |
//! | `actor` | `actor.user`: `uid`, `name`, `email_addr`, `type`, `type_id` |
//! | `context.session_id`, `auth.mfa` | `actor.session`; in Authentication `session.uid` and `is_mfa` |
//! | `context.auth.client_id`, `auth.connection` | `actor.app_uid`, `actor.idp.uid` |
//! | `context.ip`, `device`, `location` | `src_endpoint` |
//! | `context.http`, `user_agent`, `request_id`, `forwarded_for` | `http_request`, `http_response` |
//! | `context.auth.factor` | `auth_factors` (Account Change, Authentication) |
//! | `context.auth.method` | `auth_protocol`, `auth_protocol_id` where it is one (Authentication) |
//!
//! `targets` are what the class is about:
//!
//! | class | takes |
//! | --- | --- |
//! | 3001 Account Change | the first person as `user`; policies as `policies` |
//! | 3002 Authentication | the first person as `user`; the first other target as `service`, else `source` |
//! | 3004 Entity Management | the first target as `entity` |
//! | 3005 User Access Management | the first person as `user`; the others as `resources`, their ids as `privileges` |
//! | 3006 Group Management | the first group as `group`, the first person as `user` |
//! | 6001 Web Resources Activity (profile `host`, for the actor), 6003 API Activity | all as `web_resources`, `resources` |
//! | 2004 Detection Finding | all as `resources`; the event is `finding_info` |
//! | 2005 Incident Finding | none; the event is in `finding_info_list`, the actor is the `assignee` |
//!
//! A person is a target whose type is `user`, `admin`, `service_account`, `account`, `member`, `agent`, `customer` or
//! `employee`, or ends so behind a `:`, `.` or `/`. Where the class asks for a user and no target is a person, it is
//! whom the actor acts for (`on_behalf_of`, which stands in `unmapped` too), else the actor, if people do that to their
//! own account; the impersonated, if it begins or ends an impersonation; else its name is `unknown`. So are a service, a
//! group and an endpoint.
//!
//! The output validates against the JSON Schemas of the classes; keys are in canonical order (RFC 8785).

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

mod class;
mod parts;

use super::document::Document;
use super::source::{Source, is_severity, is_text};
use super::{CHECKPOINT, CHECKPOINT_MESSAGE, Essence, PRODUCT, PRODUCT_VERSION, millis, unsigned};
use crate::checkpoint::SignedCheckpoint;
use crate::event::{Outcome, Severity};
use crate::hash::Hash;
use crate::record::Record;
use crate::timestamp::Timestamp;
use class::Class;

/// The version of the schema.
pub const VERSION: &str = "1.8.0";

/// A record as an OCSF event, one line of JSON; `None` for a record that is erased.
/// `original` goes as it is into `raw_data`.
///
/// ```
/// # use indelible::{Actor, AuditLog, Event, MemoryStore, SigningKey, Target, action};
/// use indelible::schema::ocsf;
///
/// # let log = AuditLog::builder("auth.example.com/audit")
/// #     .signer(SigningKey::generate("auth.example.com/audit".parse()?)?)
/// #     .without_checkpoint_file()
/// #     .open(MemoryStore::new())?;
/// let receipt = log.append(
///     Event::new(action::ROLE_ASSIGNED)
///         .actor(Actor::admin("usr_root"))
///         .target(Target::new("user", "usr_alice123"))
///         .target(Target::new("role", "billing_admin")),
/// )?;
/// let event = ocsf::record(&log.reader().record(receipt.seq)?, None).unwrap();
///
/// assert!(event.contains(r#""actor":{"user":{"type":"admin","type_id":2,"uid":"usr_root"}}"#));
/// assert!(event.contains(r#""privileges":["billing_admin"]"#));
/// assert!(event.contains(r#""user":{"type":"user","type_id":1,"uid":"usr_alice123"}"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn record(record: &Record, original: Option<&str>) -> Option<String> {
    let event = record.merged_json()?;
    let recorded_at = record.recorded_at()?;
    let mut source = Source::new(&event);
    let essence = Essence::of(&mut source, recorded_at);
    let class = Class::of(&essence.action);

    let mut document = Document::default();
    head(&mut document, &class, essence.time, essence.message());
    status(&mut document, &mut source, &class, essence.outcome);
    severity(&mut document, essence.severity);
    source.take("severity", is_severity);
    document.take("metadata.event_code", &mut source, "action", is_text);
    document.take("status_code", &mut source, "reason", is_text);
    document.take("metadata.uid", &mut source, "id", is_text);
    document.take("metadata.original_time", &mut source, "occurred_at", is_text);
    document.take("metadata.tenant_uid", &mut source, "tenant_id", is_text);
    document.take("metadata.source", &mut source, "source", is_text);
    document.take(
        "metadata.correlation_uid",
        &mut source,
        "context.correlation_id",
        is_text,
    );
    document.integer("metadata.sequence", unsigned(record.seq()));
    document.integer("metadata.logged_time", millis(recorded_at));
    fingerprint(&mut document, record.hash());
    if let Some(original) = original {
        document.text("raw_data", original);
    }
    class.fill(&mut document, &mut source, &essence, record.hash());
    if let Some(rest) = source.rest() {
        document.json("unmapped", rest);
    }
    document.into_line()
}

/// A checkpoint as an OCSF event: a Base Event whose `raw_data` is the note, with origin, size and root in `unmapped`.
/// One line of JSON.
///
/// A checkpoint does not say when it was made; `time` is when it is handed on.
///
/// ```
/// # use indelible::{Checkpoint, Origin, SigningKey, Hash};
/// use indelible::schema::ocsf;
///
/// let origin = Origin::new("auth.example.com/audit")?;
/// let key = SigningKey::generate(origin.clone())?;
/// let checkpoint = Checkpoint::new(origin, 42, Hash::of(b"root"))?.sign(&[&key])?;
///
/// let event = ocsf::checkpoint(&checkpoint, "2026-02-01T00:00:04Z".parse()?);
/// assert!(event.contains(r#""unmapped":{"origin":"auth.example.com/audit","root":"4813494d"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn checkpoint(checkpoint: &SignedCheckpoint, time: Timestamp) -> String {
    let mut document = Document::default();
    head(&mut document, &Class::CHECKPOINT, time, CHECKPOINT_MESSAGE);
    severity(&mut document, Some(Severity::Informational));
    let said = checkpoint.checkpoint();
    document.word("metadata.event_code", CHECKPOINT);
    document.text("metadata.log_name", said.origin().as_str());
    document.text("raw_data", checkpoint.as_str());
    document.text("unmapped.origin", said.origin().as_str());
    document.text("unmapped.root", &said.root().to_string());
    document.integer("unmapped.size", unsigned(said.size()));
    document.into_line().unwrap_or_default()
}

/// What every event of the schema has.
fn head(document: &mut Document<'_>, class: &Class, time: Timestamp, message: &str) {
    document.integer("activity_id", class.activity_id);
    document.word("activity_name", class.activity_name);
    document.integer("category_uid", class.category_uid());
    document.word("category_name", class.category_name());
    document.integer("class_uid", class.uid);
    document.word("class_name", class.name);
    document.integer("type_uid", class.type_uid());
    document.text("type_name", &format!("{}: {}", class.name, class.activity_name));
    document.integer("time", millis(time));
    document.text("message", message);
    document.word("metadata.version", VERSION);
    document.word("metadata.product.name", PRODUCT);
    document.word("metadata.product.vendor_name", PRODUCT);
    document.word("metadata.product.version", PRODUCT_VERSION);
}

fn status<'a>(document: &mut Document<'a>, source: &mut Source<'a>, class: &Class, outcome: Option<Outcome>) {
    let (id, name) = match (class.finding_status(), outcome) {
        (Some(status), _) => status,
        (None, Some(outcome)) => {
            if outcome != Outcome::Denied {
                source.take("outcome", is_text);
            }
            let name = match outcome {
                Outcome::Success => "Success",
                Outcome::Failure | Outcome::Denied => "Failure",
                Outcome::Unknown => "Unknown",
            };
            (outcome.ocsf_status_id(), name)
        }
        (None, None) => return,
    };
    document.integer("status_id", id);
    document.word("status", name);
}

fn severity(document: &mut Document<'_>, severity: Option<Severity>) {
    let name = match severity {
        Some(Severity::Informational) => "Informational",
        Some(Severity::Low) => "Low",
        Some(Severity::Medium) => "Medium",
        Some(Severity::High) => "High",
        Some(Severity::Critical) => "Critical",
        None => "Unknown",
    };
    document.integer("severity_id", severity.map_or(0, Severity::ocsf_severity_id));
    document.word("severity", name);
}

/// The hash of the record. Its algorithm is 99, Other: SHA-256 over the hashed form and a byte before it.
fn fingerprint(document: &mut Document<'_>, hash: Hash) {
    document.word("raw_data_hash.algorithm", "indelible record");
    document.integer("raw_data_hash.algorithm_id", 99);
    document.text("raw_data_hash.value", &hash.to_string());
}
