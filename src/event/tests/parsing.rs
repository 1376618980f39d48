use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Event, EventError> {
    Event::from_json(text.as_bytes())
}

fn invalid(text: &str) -> (String, Problem) {
    match read(text).unwrap_err() {
        EventError::Invalid(InvalidEvent { field, problem }) => (field, problem),
        other => panic!("{other}"),
    }
}

/// An event with these members besides its action and actor.
fn with(members: &str) -> String {
    format!(r#"{{ "action": "user.updated", "actor": {{"id":"usr_1","type":"user"}}, {members} }}"#)
}

#[test]
fn defaults_are_those_of_the_builder() {
    let event = read(r#"{"actor":{"type":"user","id":"usr_1"},"action":"auth.login.failed"}"#).unwrap();
    assert_eq!(event, login());
    let event = read(&with(r#""outcome":"denied","severity":"critical""#)).unwrap();
    assert_eq!(
        (event.fields().outcome, event.fields().severity),
        (Outcome::Denied, Severity::Critical)
    );
}

#[test]
fn any_spelling_is_read() {
    let event = read(&with(
        r#""occurred_at":"2026-02-01t01:00:00+01:00", "context": {"ip":"2001:DB8::0001","http":{"path":"/a?b=c","status":2e2}},
        "metadata":{"b":[1.0, {"z":1,"a":2}],"a":"\u00e9\/"},"personal":{"metadata":["a"],"changes":[]}"#,
    ))
    .unwrap();
    let (kept, personal) = parts(&event);
    assert!(
        kept.contains(r#""occurred_at":"2026-02-01T00:00:00.000000Z""#),
        "{kept}"
    );
    assert!(kept.contains(r#""http":{"path":"/a","status":200}"#), "{kept}");
    assert!(kept.contains(r#""metadata":{"b":[1,{"a":2,"z":1}]}"#), "{kept}");
    assert!(personal.contains(r#""ip":"2001:db8::1""#), "{personal}");
    assert!(personal.contains(r#""metadata":{"a":"é/"}"#), "{personal}");
}

#[test]
fn empty_objects_and_lists_say_nothing() {
    let event = read(&with(
        r#""context":{"auth":{},"http":{},"risk":{"reasons":[]},"location":{},"device":{},"forwarded_for":[]},
        "changes":[],"targets":[],"metadata":{},"personal":{}"#,
    ));
    assert_eq!(
        event.unwrap(),
        Event::new(action::USER_UPDATED).actor(Actor::user("usr_1"))
    );
}

#[test]
fn unknown_fields_are_named() {
    for (members, field) in [
        (r#""foo":1"#, "foo"),
        (r#""salt":"00""#, "salt"),
        (r#""on_behalf_of":{"foo":1}"#, "on_behalf_of.foo"),
        (
            r#""targets":[{"type":"a","id":"b"},{"type":"a","foo":1}]"#,
            "targets[1].foo",
        ),
        (r#""changes":[{"field":"a","foo":1}]"#, "changes[0].foo"),
        (r#""context":{"foo":1}"#, "context.foo"),
        (r#""context":{"auth":{"foo":1}}"#, "context.auth.foo"),
        (r#""context":{"http":{"foo":1}}"#, "context.http.foo"),
        (r#""context":{"risk":{"foo":1}}"#, "context.risk.foo"),
        (r#""context":{"location":{"foo":1}}"#, "context.location.foo"),
        (r#""context":{"device":{"foo":1}}"#, "context.device.foo"),
        (r#""personal":{"actor":1}"#, "personal.actor"),
        (r#""a\nb":1"#, "a\\nb"),
    ] {
        assert_eq!(invalid(&with(members)), (field.to_owned(), Problem::Unknown));
    }
}

#[test]
fn wrong_types_are_named() {
    for (members, field, found) in [
        (r#""reason":null"#, "reason", "null, not a string"),
        (r#""id":1"#, "id", "a number, not a string"),
        (r#""on_behalf_of":"a""#, "on_behalf_of", "a string, not an object"),
        (r#""targets":{}"#, "targets", "an object, not a list"),
        (
            r#""targets":[{"type":"a","id":[]}]"#,
            "targets[0].id",
            "a list, not a string",
        ),
        (r#""context":[]"#, "context", "a list, not an object"),
        (
            r#""context":{"auth":{"mfa":"yes"}}"#,
            "context.auth.mfa",
            "a string, not true or false",
        ),
        (
            r#""context":{"http":{"status":"200"}}"#,
            "context.http.status",
            "a string, not a number",
        ),
        (
            r#""context":{"risk":{"reasons":[true]}}"#,
            "context.risk.reasons[0]",
            "true or false, not a string",
        ),
        (
            r#""context":{"location":{"latitude":"1"}}"#,
            "context.location.latitude",
            "a string, not a number",
        ),
        (r#""metadata":1"#, "metadata", "a number, not an object"),
        (r#""changes":[1]"#, "changes[0]", "a number, not an object"),
        (
            r#""personal":{"changes":["a"]}"#,
            "personal.changes[0]",
            "a string, not a number",
        ),
        (
            r#""personal":{"metadata":[1]}"#,
            "personal.metadata[0]",
            "a number, not a string",
        ),
    ] {
        let (name, problem) = invalid(&with(members));
        assert!(matches!(problem, Problem::Type { .. }));
        assert_eq!((name.as_str(), problem.to_string().as_str()), (field, found));
    }
    assert_eq!(
        invalid("[]"),
        (
            "event".into(),
            Problem::Type {
                expected: "an object",
                found: "a list"
            }
        )
    );
}

#[test]
fn wrong_values_are_named() {
    for (members, message) in [
        (
            r#""outcome":"Success""#,
            r#"outcome: "Success" is not success, failure, denied or unknown"#,
        ),
        (
            r#""severity":"info""#,
            r#"severity: "info" is not informational, low, medium, high or critical"#,
        ),
        (
            r#""on_behalf_of":{"type":"robot","id":"r"}"#,
            r#"on_behalf_of.type: "robot" is not user, admin, service_account, api_key, oauth_client, agent, system or anonymous"#,
        ),
        (r#""context":{"ip":"203.0.113.999"}"#, "context.ip: not an IP address"),
        (
            r#""context":{"http":{"status":70000}}"#,
            "context.http.status: not a status from 0 to 65535",
        ),
        (
            r#""occurred_at":"2016-12-31T23:59:60Z""#,
            r#"occurred_at: "2016-12-31T23:59:60Z" is no time: leap seconds are not taken"#,
        ),
        (r#""id":"a b""#, r#"id: "a b" is not of the form [A-Za-z0-9._:-]{1,64}"#),
        (r#""tenant_id":"""#, "tenant_id: empty"),
        (r#""targets":[{"type":"a"}]"#, "targets[0].id: missing"),
        (r#""targets":[{"id":"a"}]"#, "targets[0].type: missing"),
        (r#""changes":[{}]"#, "changes[0].field: missing"),
        (r#""on_behalf_of":{"id":"a"}"#, "on_behalf_of.type: missing"),
        (
            r#""metadata":{"retry count":1}"#,
            r#"metadata.retry count: "retry count" is not a key of the form [A-Za-z0-9_.-]{0,40}"#,
        ),
        (
            r#""personal":{"changes":[0]}"#,
            "personal.changes[0]: names nothing in this event",
        ),
        (
            r#""metadata":{"a":1},"personal":{"metadata":["a","b"]}"#,
            "personal.metadata[1]: names nothing in this event",
        ),
    ] {
        assert_eq!(read(&with(members)).unwrap_err().to_string(), message);
    }
    assert_eq!(invalid("{}"), ("action".into(), Problem::Missing));
    assert_eq!(invalid(r#"{"action":"a.b"}"#), ("actor".into(), Problem::Missing));
    assert_eq!(
        invalid(r#"{"action":"A","actor":{"type":"user","id":"a"}}"#).0,
        "action"
    );
}

#[test]
fn numbers_and_texts_out_of_i_json_are_named() {
    for (members, field) in [
        (r#""metadata":{"a":9007199254740992}"#, "metadata.a"),
        (r#""metadata":{"a":{"b":[1e400]}}"#, "metadata.a"),
        (r#""metadata":{"a":{"b":1,"b":2}}"#, "metadata.a"),
        (r#""metadata":{"a":"\ud800"}"#, "metadata.a"),
        (r#""reason":"\ud800""#, "reason"),
        (r#""changes":[{"field":"a","old":[1e400]}]"#, "changes[0].old"),
        (r#""context":{"risk":{"score":1e400}}"#, "context.risk.score"),
        (r#""context":{"http":{"status":-1}}"#, "context.http.status"),
        // So is what is broken between the values.
        (r#""context":{"auth":{},"auth":{}}"#, "context"),
        (r#""context":{"auth":{"mfa":true,}}"#, "context.auth"),
        (r#""context":{"auth":}"#, "context.auth"),
        (r#""targets":[{"type":"a","id":"b"} 1]"#, "targets"),
        (r#""targets":[{"type":"a" "id":"b"}]"#, "targets[0]"),
        (r#""metadata":{"a":1,"a":2}"#, "metadata"),
        (r#""personal":{"changes":[0,]}"#, "personal.changes[1]"),
        (r#""reason":"#, "reason"),
    ] {
        let (name, problem) = invalid(&with(members));
        assert_eq!(name, field);
        assert!(matches!(problem, Problem::Json(_)));
    }
}

#[test]
fn text_that_is_not_json_is_refused() {
    for text in [
        "",
        "{",
        r#"{"action":"a.b"}x"#,
        "\u{feff}{}",
        r#"{"action":"a.b","action":"a.b"}"#,
    ] {
        assert!(matches!(read(text), Err(EventError::Json(_))), "{text}");
    }
    assert!(matches!(
        Event::from_json(b"{\"reason\":\"\xff\"}"),
        Err(EventError::Json(_))
    ));
    let error = read(r#"{"action":"a.b","action":"a.b"}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"the event is not JSON that the log takes: duplicate key "action" at byte 16"#
    );
}

#[test]
fn nesting_is_bounded_as_in_a_line() {
    let nested = |depth: usize| {
        with(&format!(
            r#""metadata":{{"a":{}{}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        ))
    };
    assert!(read(&nested(29)).unwrap().check().is_ok());
    assert_eq!(invalid(&nested(30)).0, "metadata.a");
    assert_eq!(invalid(&nested(100_000)).0, "metadata.a");
    let changed = |depth: usize| {
        with(&format!(
            r#""changes":[{{"field":"a","new":{}{}}}]"#,
            "[".repeat(depth),
            "]".repeat(depth)
        ))
    };
    assert!(read(&changed(28)).unwrap().check().is_ok());
    assert_eq!(invalid(&changed(29)).0, "changes[0].new");
}

#[test]
fn no_more_is_read_than_an_event_may_hold() {
    // After too many of them comes what is no JSON: it is never reached.
    let keys = |count: usize| (0..count).map(|n| format!("\"k{n}\":0,")).collect::<String>();
    for (members, field, count_max) in [
        (format!("\"metadata\":{{{}!", keys(51)), "metadata", 50),
        (
            format!("\"changes\":[{}!", r#"{"field":"a"},"#.repeat(101)),
            "changes",
            100,
        ),
        (
            format!("\"targets\":[{}!", r#"{"type":"a","id":"b"},"#.repeat(51)),
            "targets",
            50,
        ),
        (
            format!("\"personal\":{{\"changes\":[{}!", "0,".repeat(101)),
            "personal.changes",
            100,
        ),
        (
            format!("\"personal\":{{\"metadata\":[{}!", "\"k\",".repeat(51)),
            "personal.metadata",
            50,
        ),
    ] {
        assert_eq!(
            invalid(&with(&members)),
            (field.to_owned(), Problem::TooMany { count_max })
        );
    }
}

proptest! {
    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in any::<String>()) {
        let _ = Event::from_json(&bytes);
        let _ = Event::from_json(text.as_bytes());
    }

    #[test]
    fn never_panics_on_a_damaged_event(event in super::strategy::event(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = event.to_json().unwrap().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(event) = Event::from_json(&text) {
            // A flipped letter may make the action one that only the log records.
            prop_assert!(event.check().is_ok() || event.fields().action.is_reserved());
        }
    }
}
