//! The classes of OCSF 1.8.0 that the catalogue uses: what an event of each has.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use super::super::document::{Document, string};
use super::super::source::{Source, is_boolean, is_filled_text, is_group, is_integer, is_person, is_text, service};
use super::super::{Essence, PRODUCT};
use super::parts::{self, UNKNOWN};
use crate::event::scan::text;
use crate::event::{Action, lookup};
use crate::hash::Hash;

/// A class, and an activity in it.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) uid: u32,
    pub(super) name: &'static str,
    pub(super) activity_id: u32,
    pub(super) activity_name: &'static str,
}

impl Class {
    pub(super) const CHECKPOINT: Class = Class {
        uid: 0,
        name: BASE_EVENT,
        activity_id: 99,
        activity_name: "Checkpoint",
    };

    /// That of an action.
    pub(super) fn of(action: &str) -> Self {
        if let Some(entry) = lookup(action) {
            return Self {
                uid: entry.ocsf.class_uid,
                name: entry.ocsf.class_name,
                activity_id: entry.ocsf.activity_id,
                activity_name: entry.ocsf.activity_name,
            };
        }
        let (uid, name) = match Action::from(action).category() {
            "authentication" | "mfa" | "session" => (AUTHENTICATION, "Authentication"),
            "credential" | "user_lifecycle" => (ACCOUNT_CHANGE, "Account Change"),
            "application" | "config" | "organization" | "provisioning" | "sso" | "token" => {
                (ENTITY_MANAGEMENT, "Entity Management")
            }
            "access" | "consent" => (USER_ACCESS, "User Access Management"),
            "group" => (GROUP_MANAGEMENT, "Group Management"),
            "data" | "privacy" => (WEB_RESOURCES, "Web Resources Activity"),
            "api" => (API_ACTIVITY, "API Activity"),
            "audit_log" => (EVENT_LOG, "Event Log Activity"),
            _ => (0, BASE_EVENT),
        };
        Self {
            uid,
            name,
            activity_id: 99,
            activity_name: "Other",
        }
    }

    pub(super) fn category_uid(&self) -> u32 {
        self.uid / 1000
    }

    pub(super) fn category_name(&self) -> &'static str {
        match self.category_uid() {
            1 => "System Activity",
            2 => "Findings",
            3 => "Identity & Access Management",
            6 => "Application Activity",
            _ => "Uncategorized",
        }
    }

    pub(super) fn type_uid(&self) -> u32 {
        self.uid * 100 + self.activity_id
    }

    /// What a finding has for a status; `None` where the class is another.
    pub(super) fn finding_status(&self) -> Option<(u32, &'static str)> {
        match (self.uid, self.activity_id) {
            (DETECTION_FINDING | INCIDENT_FINDING, 2) => Some((2, "In Progress")),
            (DETECTION_FINDING, 3) => Some((4, "Resolved")),
            (INCIDENT_FINDING, 3) => Some((5, "Closed")),
            (DETECTION_FINDING | INCIDENT_FINDING, _) => Some((1, "New")),
            _ => None,
        }
    }

    /// Puts what events of this class have beside what all have.
    pub(super) fn fill<'a>(
        &self,
        document: &mut Document<'a>,
        source: &mut Source<'a>,
        essence: &Essence<'_>,
        hash: Hash,
    ) {
        match self.uid {
            ACCOUNT_CHANGE => self.account_change(document, source, &essence.action),
            AUTHENTICATION => authentication(document, source, &essence.action),
            ENTITY_MANAGEMENT => {
                parts::request(document, source);
                let entity = source.items("targets").first_mut().and_then(parts::thing);
                document.json("entity", entity.unwrap_or_else(|| parts::named(noun(&essence.action))));
            }
            USER_ACCESS => user_access(document, source, &essence.action),
            GROUP_MANAGEMENT => group_management(document, source),
            WEB_RESOURCES => {
                parts::request(document, source);
                document.json("metadata.profiles", &br#"["host"]"#[..]);
                document.objects("web_resources", &parts::things(source));
            }
            API_ACTIVITY => api_activity(document, source, &essence.action),
            APPLICATION_LIFECYCLE => {
                let from = source.text("source").filter(|name| !name.is_empty());
                let (name, version) = from.as_deref().map_or((UNKNOWN, None), service);
                document.text("app.name", name);
                if let Some(version) = version {
                    document.text("app.version", version);
                }
            }
            EVENT_LOG => {
                parts::actor(document, source);
                parts::endpoint(document, source);
                document.word("log_provider", PRODUCT);
                document.word("log_type", "Application");
                document.integer("log_type_id", 2);
            }
            DETECTION_FINDING => {
                document.json("finding_info", finding(source, essence, hash));
                document.json("is_alert", &b"true"[..]);
                document.take("risk_score", source, "context.risk.score", is_integer);
                let mut evidence = Document::default();
                parts::actor(&mut evidence, source);
                parts::endpoint(&mut evidence, source);
                if evidence.has("actor") || evidence.has("src_endpoint") {
                    parts::http(&mut evidence, source);
                    document.objects("evidences", &[evidence.into_json()]);
                }
                document.objects("resources", &parts::things(source));
            }
            INCIDENT_FINDING => {
                document.objects("finding_info_list", &[finding(source, essence, hash)]);
                let assignee = source.at("actor").and_then(parts::person);
                document.json("assignee", assignee.unwrap_or_else(|| parts::named(UNKNOWN)));
            }
            // A Base Event and an Application Error have none.
            _ => {}
        }
    }

    fn account_change<'a>(&self, document: &mut Document<'a>, source: &mut Source<'a>, action: &str) {
        parts::request(document, source);
        parts::factor(document, source);
        // Who registers, or changes a profile, a password or a factor, does it to an account of their own, where no other is
        // named. The rest is done to others.
        let is_own = match action {
            "user.registered" | "user.registration.failed" => true,
            "mfa.bypass.granted" | "mfa.factor.reset" | "password.reset.forced" | "user.invited" => false,
            _ => matches!(self.activity_id, 3 | 4 | 10 | 11 | 99) && !action.starts_with("scim."),
        };
        user(document, source, if is_own { OWN } else { &[] });
        let is_policy = |kind: &str| kind.to_ascii_lowercase().ends_with("policy");
        let policies: Vec<_> = targets(source, is_policy).filter_map(parts::group).collect();
        if !policies.is_empty() {
            document.objects("policies", &policies);
        }
    }
}

fn authentication<'a>(document: &mut Document<'a>, source: &mut Source<'a>, action: &str) {
    document.take("session.uid", source, "context.session_id", is_text);
    document.take("is_mfa", source, "context.auth.mfa", is_boolean);
    parts::request(document, source);
    parts::factor(document, source);
    parts::protocol(document, source);
    let is_user = source.text("actor.type").is_some_and(|kind| kind == "user");
    let instead = match action {
        // A session that is revoked is that of somebody else.
        "session.revoked" => &[],
        // Nobody impersonates themselves, and only users end all their sessions: others end those of users.
        "auth.impersonation.ended" | "auth.impersonation.started" => IMPERSONATED,
        "session.revoked_all" if !is_user => IMPERSONATED,
        _ => OWN,
    };
    user(document, source, instead);
    let other = targets(source, is_thing).find_map(parts::service);
    let service = other.unwrap_or_else(|| {
        let from = source.look("source", is_filled_text).map(text);
        parts::named(from.as_deref().unwrap_or(UNKNOWN))
    });
    document.json("service", service);
}

fn user_access<'a>(document: &mut Document<'a>, source: &mut Source<'a>, action: &str) {
    parts::request(document, source);
    let is_own = action.starts_with("consent.") || action == "access_request.created";
    user(document, source, if is_own { OWN } else { &[] });
    let ids = targets(source, is_thing).filter_map(|target| target.look("id", is_text));
    let privileges: Vec<_> = ids.collect();
    document.json(
        "privileges",
        [b"[", privileges.join(&b","[..]).as_slice(), b"]"].concat(),
    );
    let resources: Vec<_> = targets(source, is_thing).filter_map(parts::thing).collect();
    document.objects("resources", &resources);
}

fn group_management<'a>(document: &mut Document<'a>, source: &mut Source<'a>) {
    parts::request(document, source);
    let group = targets(source, is_group).find_map(parts::group);
    let group = group.or_else(|| targets(source, is_thing).find_map(parts::group));
    document.json("group", group.unwrap_or_else(|| parts::named(UNKNOWN)));
    let member = targets(source, is_person).find_map(parts::person);
    if let Some(member) = member {
        document.json("user", member);
    }
}

fn api_activity<'a>(document: &mut Document<'a>, source: &mut Source<'a>, action: &str) {
    let operation = match (source.text("context.http.method"), source.text("context.http.path")) {
        (Some(method), Some(path)) => string(&format!("{method} {path}")),
        _ => string(action),
    };
    document.json("api.operation", operation);
    parts::request(document, source);
    if !document.has("actor") {
        document.word("actor.app_name", UNKNOWN);
    }
    if !document.has("src_endpoint") {
        document.word("src_endpoint.name", UNKNOWN);
    }
    document.objects("resources", &parts::things(source));
}

/// Puts whom it is about: the first target that is a person, else the first of these that the event names.
fn user<'a>(document: &mut Document<'a>, source: &mut Source<'a>, instead: &[&str]) {
    let mut found = targets(source, is_person).find_map(parts::person);
    for name in instead {
        found = found.or_else(|| match source.look(name, |json| json.starts_with(b"{")) {
            // It stays where it stands: by it alone is told that somebody acted for another.
            Some(json) => parts::person(&mut Source::Json(json)),
            // Of what is in the document already, nothing is left anyway.
            None => source.at(name).and_then(parts::person),
        });
    }
    document.json("user", found.unwrap_or_else(|| parts::named(UNKNOWN)));
}

/// What a finding is about: this event.
fn finding(source: &mut Source<'_>, essence: &Essence<'_>, hash: Hash) -> Vec<u8> {
    let mut finding = Document::default();
    match source.look("id", is_text) {
        Some(id) => finding.json("uid", id),
        None => finding.text("uid", &hash.to_string()),
    }
    finding.text("title", essence.message());
    finding.into_json()
}

/// The targets whose type is of this kind. Such a type stands there.
fn targets<'s, 'a>(
    source: &'s mut Source<'a>,
    is_kind: impl Fn(&str) -> bool,
) -> impl Iterator<Item = &'s mut Source<'a>> {
    let targets = source.items("targets").iter_mut();
    targets.filter_map(move |target| {
        let kind = target.text("type")?;
        is_kind(&kind).then_some(target)
    })
}

/// Whether a target of this type is no person.
fn is_thing(target_type: &str) -> bool {
    !is_person(target_type)
}

/// What an action is done to: `signing_key` in `signing_key.rotated`.
fn noun(action: &str) -> &str {
    action.rsplit_once('.').map_or(action, |(noun, _)| noun)
}

/// Where people do it to themselves: who acts for another does it to the account of the other.
const OWN: &[&str] = &["on_behalf_of", "actor"];

const IMPERSONATED: &[&str] = &["on_behalf_of"];

const BASE_EVENT: &str = "Base Event";

const EVENT_LOG: u32 = 1008;
const DETECTION_FINDING: u32 = 2004;
const INCIDENT_FINDING: u32 = 2005;
const ACCOUNT_CHANGE: u32 = 3001;
const AUTHENTICATION: u32 = 3002;
const ENTITY_MANAGEMENT: u32 = 3004;
const USER_ACCESS: u32 = 3005;
const GROUP_MANAGEMENT: u32 = 3006;
const WEB_RESOURCES: u32 = 6001;
const APPLICATION_LIFECYCLE: u32 = 6002;
const API_ACTIVITY: u32 = 6003;
