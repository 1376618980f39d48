use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::json;

use super::super::ocsf;
use super::json_schema::problems;
use super::*;
use crate::json::canonicalize;

/// The schema of a class by its uid.
fn schema(class_uid: u64) -> &'static Value {
    static SCHEMAS: OnceLock<BTreeMap<u64, Value>> = OnceLock::new();
    let schemas = SCHEMAS.get_or_init(|| {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/ocsf-1.8.0");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let schemas = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        let schemas = schemas.map(|path| {
            let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            (schema["properties"]["class_uid"]["const"].as_u64().unwrap(), schema)
        });
        schemas.collect()
    });
    &schemas[&class_uid]
}

/// The event that a record becomes, which conforms to the schema of its class.
fn mapped(record: &Record) -> Value {
    let line = ocsf::record(record, None).unwrap();
    conforming(&line)
}

fn conforming(line: &str) -> Value {
    assert_eq!(canonicalize(line.as_bytes(), 40).unwrap(), line.as_bytes(), "canonical");
    let event: Value = serde_json::from_str(line).unwrap();
    let found = problems(schema(event["class_uid"].as_u64().unwrap()), &event);
    assert!(found.is_empty(), "{found:?} in {line}");
    assert_eq!(
        event["type_uid"].as_u64(),
        Some(event["class_uid"].as_u64().unwrap() * 100 + event["activity_id"].as_u64().unwrap())
    );
    event
}

#[test]
fn every_action_conforms() {
    let mut count = 0;
    for action in actions() {
        for record in [bare(&action), full(&action)] {
            let event = mapped(&record);
            assert_eq!(event["metadata"]["event_code"], *action);
            assert_eq!(event["metadata"]["sequence"], 7);
            assert_eq!(event["raw_data_hash"]["value"], record.hash().to_string());
            if let Some(entry) = lookup(&action) {
                assert_eq!(event["class_uid"], entry.ocsf.class_uid);
                assert_eq!(event["type_uid"], entry.ocsf.type_uid);
                assert_eq!(event["category_uid"], entry.ocsf.category_uid);
            } else {
                assert_eq!(event["activity_id"], 99);
            }
            count += 1;
        }
    }
    assert!(count > 2 * 189);
}

#[test]
fn real_events_conform() {
    let mut classes = BTreeMap::<_, u32>::new();
    for record in real() {
        *classes
            .entry(mapped(&record)["class_uid"].as_u64().unwrap())
            .or_default() += 1;
    }
    assert_eq!(classes[&6003], 2446 + 281 + 3);
    assert_eq!(classes.values().sum::<u32>(), 2900);
}

#[test]
fn each_thing_stands_in_its_place() {
    let event = mapped(&full("auth.login.failed"));
    assert_eq!(event["actor"]["user"]["email_addr"], "alice@example.com");
    assert_eq!(event["actor"]["user"]["type_id"], 2);
    assert_eq!(event["actor"]["app_uid"], "app_1");
    assert_eq!(event["actor"]["idp"], json!({"uid": "conn_okta"}));
    assert_eq!(event["actor"]["session"], Value::Null);
    assert_eq!(event["session"], json!({"uid": "sess_19"}));
    assert_eq!(
        (&event["is_mfa"], &event["auth_protocol_id"]),
        (&json!(true), &json!(5))
    );
    assert_eq!(
        event["auth_factors"],
        json!([{"factor_type": "totp", "factor_type_id": 7}])
    );
    assert_eq!(event["user"]["uid"], "usr_carol");
    assert_eq!(event["service"], json!({"name": "Operations", "uid": "grp_ops"}));
    assert_eq!(event["src_endpoint"]["ip"], "2001:db8::1");
    assert_eq!(event["src_endpoint"]["location"]["country"], "NO");
    assert_eq!(event["src_endpoint"]["os"], json!({"name": "Linux 6.1", "type_id": 0}));
    assert_eq!(event["http_request"]["url"], json!({"path": "/v1/users"}));
    assert_eq!(event["http_response"], json!({"code": 200}));
    assert_eq!((&event["status"], &event["status_id"]), (&json!("Failure"), &json!(2)));
    assert_eq!(event["severity_id"], 4);
    assert_eq!(event["time"], 1_769_904_004_156_u64);
    assert_eq!(event["metadata"]["original_time"], "2026-02-01T00:00:04.156010Z");
    assert_eq!(event["metadata"]["logged_time"], 1_769_904_005_000_u64);
    assert_eq!(event["metadata"]["tenant_uid"], "org_acme");
    let unmapped = &event["unmapped"];
    assert_eq!(unmapped["outcome"], "denied");
    assert_eq!(unmapped["on_behalf_of"]["email"], "bob@example.com");
    assert_eq!(unmapped["context"]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    // Only addresses may stand in `x_forwarded_for`.
    assert_eq!(unmapped["context"]["forwarded_for"], json!(["203.0.113.7", "unknown"]));
    assert_eq!(unmapped["metadata"]["attempt"], 3);
    assert_eq!(unmapped["personal"], json!({"changes": [1], "metadata": ["note"]}));
    assert_eq!(unmapped["targets"][0], json!({}));
    assert_eq!(unmapped["targets"][1], json!({"type": "group"}));
}

#[test]
fn addresses_that_are_none_stay_where_they_are() {
    let event = |email: &str, forwarded_for: [&str; 2]| {
        let context = crate::event::Context::new().forwarded_for(forwarded_for);
        let event = Event::new("auth.login.failed")
            .actor(Actor::user("u").email(email))
            .context(context);
        mapped(&record_of(&event))
    };
    let there = event("o'b+a-1@mail.example.co.uk", ["203.0.113.7", "::1"]);
    assert_eq!(there["actor"]["user"]["email_addr"], "o'b+a-1@mail.example.co.uk");
    assert_eq!(there["http_request"]["x_forwarded_for"], json!(["203.0.113.7", "::1"]));
    for email in [
        "",
        "alice",
        "@example.com",
        "a@b",
        "a@.b",
        "a b@example.com",
        "å@example.com",
        "a@b@c.d",
        "a@b.",
    ] {
        let left = event(email, ["203.0.113.7", "0000:0000:0000:0000:0000:ffff:203.0.113.7"]);
        assert_eq!(left["actor"]["user"]["email_addr"], Value::Null, "{email}");
        assert_eq!(left["unmapped"]["actor"]["email"], email);
        assert_eq!(left["unmapped"]["context"]["forwarded_for"][0], "203.0.113.7");
    }
}

#[test]
fn targets_are_what_the_class_is_about() {
    let event = mapped(&full("role.assigned"));
    assert_eq!(event["user"]["uid"], "usr_carol");
    assert_eq!(
        event["privileges"],
        json!(["grp_ops", "role_billing", "app_dashboard", "pol_1"])
    );
    assert_eq!(event["resources"][1], json!({"type": "role", "uid": "role_billing"}));
    let event = mapped(&full("group.member.added"));
    assert_eq!(
        event["group"],
        json!({"name": "Operations", "type": "group", "uid": "grp_ops"})
    );
    assert_eq!(event["user"]["uid"], "usr_carol");
    let event = mapped(&full("role.created"));
    assert_eq!(
        event["entity"],
        json!({"data": {"email": "carol@example.com"}, "name": "Carol", "type": "user", "uid": "usr_carol"})
    );
    assert_eq!(event["unmapped"]["targets"][1]["id"], "grp_ops");
    let event = mapped(&full("policy.attached"));
    assert_eq!(event["policies"], json!([{"type": "AWS::IAM::Policy", "uid": "pol_1"}]));
    let event = mapped(&full("data.exported"));
    assert_eq!(event["web_resources"].as_array().unwrap().len(), 5);
    assert_eq!(event["metadata"]["profiles"], json!(["host"]));
    let event = mapped(&full("security.brute_force.detected"));
    assert_eq!(event["evidences"][0]["actor"]["user"]["uid"], "usr_alice123");
    assert_eq!((&event["status"], &event["risk_score"]), (&json!("New"), &json!(12)));
    let event = mapped(&full("security.incident.closed"));
    assert_eq!(
        (&event["status"], &event["assignee"]["uid"]),
        (&json!("Closed"), &json!("usr_alice123"))
    );
    let event = mapped(&full("api.request.completed"));
    assert_eq!(event["api"], json!({"operation": "POST /v1/users"}));
    let event = mapped(&full("service.started"));
    assert_eq!(event["app"], json!({"name": "auth-service", "version": "1.4.2"}));
}

#[test]
fn what_the_event_does_not_name_is_unknown() {
    let unknown = json!({"name": "unknown"});
    assert_eq!(mapped(&bare("role.assigned"))["user"], unknown);
    assert_eq!(mapped(&bare("user.deleted"))["user"], unknown);
    assert_eq!(mapped(&bare("group.updated"))["group"], unknown);
    assert_eq!(mapped(&bare("api.request.denied"))["src_endpoint"], unknown);
    assert_eq!(
        mapped(&bare("audit_log.signing_key.rotated"))["entity"],
        json!({"name": "audit_log.signing_key"})
    );
    // A password is changed by whose it is, where nobody else is named.
    for own in [
        "password.changed",
        "user.registered",
        "user.updated",
        "auth.login.failed",
        "session.ended",
    ] {
        assert_eq!(mapped(&bare(own))["user"]["uid"], "anonymous", "{own}");
    }
    // Whoever invites somebody, or ends the session of another, is not who that is done to.
    for others in [
        "user.invited",
        "mfa.factor.reset",
        "password.reset.forced",
        "scim.user.updated",
        "session.revoked",
    ] {
        let event = mapped(&bare(others));
        assert_eq!(
            (&event["user"], &event["actor"]["user"]["uid"]),
            (&unknown, &json!("anonymous")),
            "{others}"
        );
    }
}

#[test]
fn who_acts_for_another_does_it_to_the_other() {
    let by = |action: &str, actor: Actor| mapped(&record_of(&Event::of_log(action.into()).actor(actor)));
    let (admin, user) = (|| Actor::admin("usr_root"), || Actor::user("usr_alice123"));
    // Whose sessions an admin ends, or in whose name one acts, is not the admin.
    for action in [
        "auth.impersonation.started",
        "auth.impersonation.ended",
        "session.revoked_all",
    ] {
        let event = by(action, admin());
        assert_eq!(
            (&event["user"], &event["actor"]["user"]["uid"]),
            (&json!({"name": "unknown"}), &json!("usr_root")),
            "{action}"
        );
    }
    assert_eq!(by("session.revoked_all", user())["user"]["uid"], "usr_alice123");
    for action in [
        "auth.impersonation.started",
        "auth.impersonation.ended",
        "session.revoked_all",
        "session.ended",
        "password.changed",
        "consent.granted",
    ] {
        let event = Event::of_log(action.into()).actor(admin()).on_behalf_of(user());
        let event = mapped(&record_of(&event));
        assert_eq!(
            (&event["user"]["uid"], &event["actor"]["user"]["uid"]),
            (&json!("usr_alice123"), &json!("usr_root")),
            "{action}"
        );
        assert_eq!(event["unmapped"]["on_behalf_of"]["id"], "usr_alice123", "{action}");
    }
    let event = Event::of_log("user.invited".into()).actor(admin()).on_behalf_of(user());
    assert_eq!(mapped(&record_of(&event))["user"], json!({"name": "unknown"}));
}

#[test]
fn actions_outside_the_catalogue_have_the_class_of_their_category() {
    let class = |action: &str| mapped(&bare(action))["class_uid"].as_u64().unwrap();
    assert_eq!(class("session.paused"), 3002);
    assert_eq!(class("password.pepper_rotated"), 3001);
    assert_eq!(class("billing.invoice.paid"), 0);
    let event = mapped(&bare("billing.invoice.paid"));
    assert_eq!(
        (&event["status"], &event["message"]),
        (&json!("Unknown"), &json!("billing.invoice.paid"))
    );
}

#[test]
fn checkpoints_conform() {
    let event = conforming(&ocsf::checkpoint(&interface::checkpoint(), Timestamp::MIN));
    assert_eq!(event["unmapped"]["size"], 42);
    assert_eq!(event["raw_data"], interface::checkpoint().as_str());
}

proptest! {
    #[test]
    fn any_event_conforms(event in strategy::event()) {
        mapped(&record_of(&event));
    }

    #[test]
    fn whatever_stands_in_a_record_conforms(record in wild()) {
        mapped(&record);
    }
}
