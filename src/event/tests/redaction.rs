use proptest::prelude::*;
use serde_json::{Value, json};

use super::strategy::{event, value};
use super::*;

#[test]
fn names_of_secrets() {
    let redaction = Redaction::default();
    for key in [
        "password",
        "Password",
        "user_password",
        "PASSWD",
        "client-secret",
        "clientSecret",
        "access.token",
        "to_k-e.n",
        "Authorization",
        "set-cookie",
        "x-api-key",
        "API_KEY",
        "apikey",
        "private_key",
        "PrivateKey.",
        "to\u{212a}en",
        "éécookie",
    ] {
        assert!(redaction.covers(key), "{key}");
    }
    for key in [
        "",
        "passwords",
        "password_hash",
        "token_type",
        "key",
        "api",
        "secretary",
        "cookies",
        "vkey",
        "tokén",
    ] {
        assert!(!redaction.covers(key), "{key}");
    }
}

#[test]
fn hosts_add_and_exempt_keys() {
    let redaction = Redaction::default()
        .key("P.I.N")
        .key("__")
        .key("İd")
        .exempt("Page-Token")
        .exempt("password");
    assert!(redaction.covers("card_pin") && redaction.covers("Pin") && redaction.covers("xİ_d"));
    assert!(!redaction.covers("anything") && !redaction.covers("page_token") && !redaction.covers("PASSWORD"));
    assert!(redaction.covers("next_page_token") && redaction.covers("old_password"));
}

#[test]
fn secrets_are_redacted_at_any_depth() {
    let event = login()
        .metadata("api_key", "xx")
        .personal_metadata("refresh-token", json!({"a": "xx"}))
        .metadata(
            "headers",
            json!([{"Cookie": ["xx", {"y": "}]"}], "a": 1, "b\"\\Token": "xx", "\u{8}token": null}, "password"]),
        )
        .metadata("token_count", 2)
        .change(Change::new("smtp.password", "xx", "xx"))
        .change(Change::added("pass_token", json!({"xx": 1})).personal())
        .change(Change::named("secret"))
        .change(Change::new(
            "client",
            json!({"id": 1, "secret": "xx"}),
            json!({"id": 1, "secret": "xx"}),
        ));
    let (kept, personal) = parts(&event);
    assert!(!kept.contains("xx") && !personal.contains("xx"), "{kept} {personal}");
    assert!(kept.contains(
        r#""metadata":{"api_key":"[redacted]","headers":[{"\btoken":"[redacted]","Cookie":"[redacted]","a":1,"b\"\\Token":"[redacted]"},"password"],"token_count":2}"#
    ), "{kept}");
    assert!(kept.contains(
        r#""changes":[{"field":"smtp.password","new":"[redacted]","old":"[redacted]"},{"field":"pass_token"},{"field":"secret"},{"field":"client","new":{"id":1,"secret":"[redacted]"},"old":{"id":1,"secret":"[redacted]"}}]"#
    ), "{kept}");
    assert!(
        personal.contains(r#""changes":[{},{"new":"[redacted]"},{},{}]"#),
        "{personal}"
    );
    assert!(
        personal.contains(r#""metadata":{"refresh-token":"[redacted]"}"#),
        "{personal}"
    );
}

#[test]
fn an_exempt_key_may_hold_secrets() {
    let redaction = Redaction::default().exempt("tokens.by_secret").exempt("page_token");
    let event = login().metadata("tokens.by_secret", json!({"secret": "xx", "page_token": 7}));
    let (kept, _) = parts_with(&event, &fill(), &redaction);
    assert!(
        kept.contains(r#"{"tokens.by_secret":{"page_token":7,"secret":"[redacted]"}}"#),
        "{kept}"
    );
}

/// The rule of EVENTS §1 by its words.
fn reference(value: Value) -> Value {
    match value {
        Value::Object(object) => object
            .into_iter()
            .map(|(key, value)| {
                let value = if names_secret(&key) {
                    json!("[redacted]")
                } else {
                    reference(value)
                };
                (key, value)
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(reference).collect(),
        leaf => leaf,
    }
}

fn names_secret(key: &str) -> bool {
    let plain = key.to_lowercase().replace(['_', '-', '.'], "");
    [
        "password",
        "passwd",
        "secret",
        "token",
        "authorization",
        "cookie",
        "apikey",
        "privatekey",
    ]
    .iter()
    .any(|ending| plain.ends_with(ending))
}

proptest! {
    #[test]
    fn follows_the_rule(value in value()) {
        let mut out = Vec::new();
        Redaction::default().copy(&mut out, Json::of(&value, 32).unwrap().as_bytes());
        let expected = Json::of(&reference(value), 32).unwrap();
        prop_assert_eq!(out, expected.as_bytes());
    }

    #[test]
    fn covers_follows_the_rule(key in "\\PC{0,3}[_.-]?(pass[-_]?word|API.key|ToKen|cooKie|private_key|secrets?)?[_.-]?") {
        prop_assert_eq!(Redaction::default().covers(&key), names_secret(&key));
    }

    #[test]
    fn is_done_once(event in event()) {
        let (kept, personal) = parts(&event);
        let read = Event::from_json(printed(&kept, &personal).as_bytes()).unwrap();
        let (kept_again, personal_again) = parts(&read);
        prop_assert_eq!(printed(&kept_again, &personal_again), printed(&kept, &personal));
    }

    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let mut out = Vec::new();
        Redaction::default().copy(&mut out, &bytes);
        let _ = scan::members(&bytes).count();
        let _ = scan::text(&bytes);
    }
}
