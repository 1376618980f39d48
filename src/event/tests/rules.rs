use super::*;

fn broken(field: &str, problem: Problem) -> InvalidEvent {
    InvalidEvent::new(field, problem)
}

fn too_long(field: &str, bytes: usize, bytes_max: usize) -> InvalidEvent {
    broken(field, Problem::TooLong { bytes, bytes_max })
}

/// The field and the message of an error.
fn told(error: InvalidEvent) -> (String, String) {
    (error.field, error.problem.to_string())
}

#[test]
fn an_event_needs_an_actor() {
    assert_eq!(
        refusal(&Event::new(action::USER_CREATED)),
        broken("actor", Problem::Missing)
    );
    assert_eq!(
        Event::new(action::USER_CREATED).check().unwrap_err().to_string(),
        "actor: missing"
    );
}

#[test]
fn actions_have_their_form() {
    let event = |name: &str| Event::new(name).actor(Actor::system("s"));
    for name in ["a.b", "a_.b_9", "billing.invoice.paid", "a.b.c.d.e", "a1.b2"] {
        assert_eq!(event(name).check(), Ok(()), "{name}");
    }
    for name in [
        "",
        "login",
        "Auth.login",
        "auth.",
        ".auth",
        "auth..login",
        "auth.1login",
        "1a.b",
        "_a.b",
        "a.b-c",
        "a.é",
        "a.b ",
    ] {
        let error = refusal(&event(name));
        assert_eq!(error.field, "action", "{name}");
        assert!(matches!(error.problem, Problem::Form { .. }), "{name}");
    }
    let longest = format!("a.{}", "b".repeat(126));
    assert_eq!(event(&longest).check(), Ok(()));
    assert_eq!(refusal(&event(&(longest + "b"))), too_long("action", 129, 128));
    let error = refusal_with(&login(), &Limits::default().action_bytes(10));
    assert_eq!(error, too_long("action", 17, 10));
    assert_eq!(
        told(refusal(&event("a.B\u{7}"))).1,
        r#""a.B\u{7}" is not of the form [a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+"#
    );
}

#[test]
fn the_log_keeps_its_own_actions() {
    for name in [
        "audit_log.created",
        "audit_log.purged",
        "audit_log.access.denied",
        "audit_log.anything",
        "audit_log.accessed.x",
    ] {
        assert_eq!(
            refusal(&Event::new(name).actor(Actor::system("indelible"))),
            broken("action", Problem::Reserved)
        );
    }
    for open in [
        "audit_log.review.completed",
        "audit_log.accessed",
        "audit_log.exported",
        "audit_log.archived",
        "audit_logs.x",
    ] {
        assert_eq!(Event::new(open).actor(Actor::admin("a")).check(), Ok(()));
    }
}

#[test]
fn the_id_of_an_event_has_its_form() {
    for id in ["a", "A-Z_0.9:x", &"x".repeat(64)] {
        assert_eq!(login().id(id).check(), Ok(()));
    }
    assert_eq!(refusal(&login().id("")), broken("id", Problem::Empty));
    assert_eq!(refusal(&login().id("x".repeat(65))), too_long("id", 65, 64));
    for id in ["a b", "a/b", "é", "a\n"] {
        assert!(matches!(refusal(&login().id(id)).problem, Problem::Form { .. }));
    }
}

#[test]
fn ids_are_neither_empty_nor_too_long() {
    type Set = fn(Event, &str) -> Event;
    let fields: [(&str, Set); 10] = [
        ("actor.id", |event, id| event.actor(Actor::user(id))),
        ("on_behalf_of.id", |event, id| event.on_behalf_of(Actor::user(id))),
        ("targets[1].id", |event, id| {
            event.target(Target::user("a")).target(Target::user(id))
        }),
        ("tenant_id", |event, id| event.tenant(id)),
        ("context.session_id", |event, id| event.session(id)),
        ("context.request_id", |event, id| event.request(id)),
        ("context.trace_id", |event, id| event.trace(id)),
        ("context.correlation_id", |event, id| event.correlation(id)),
        ("context.auth.client_id", |event, id| event.auth(Auth::new().client(id))),
        ("context.device.id", |event, id| event.device(Device::new().id(id))),
    ];
    for (field, set) in fields {
        assert_eq!(refusal(&set(login(), "")), broken(field, Problem::Empty));
        assert_eq!(set(login(), &"é".repeat(128)).check(), Ok(()));
        assert_eq!(refusal(&set(login(), &"x".repeat(257))), too_long(field, 257, 256));
        assert_eq!(
            refusal_with(&set(login(), "123456"), &Limits::default().id_bytes(5)),
            too_long(field, 6, 5)
        );
    }
}

#[test]
fn targets_and_changes_are_counted() {
    let targets = |count| (0..count).fold(login(), |event, _| event.target(Target::user("a")));
    assert_eq!(targets(50).check(), Ok(()));
    assert_eq!(
        refusal(&targets(51)),
        broken("targets", Problem::TooMany { count_max: 50 })
    );
    let changes = |count| (0..count).fold(login(), |event, _| event.change(Change::named("a")));
    assert_eq!(changes(100).check(), Ok(()));
    assert_eq!(
        refusal(&changes(101)),
        broken("changes", Problem::TooMany { count_max: 100 })
    );
    let limits = Limits::default().targets(1).changes(0).metadata_keys(0);
    assert_eq!(refusal_with(&targets(2), &limits).field, "targets");
    assert_eq!(refusal_with(&changes(1), &limits).field, "changes");
    assert_eq!(refusal_with(&login().metadata("a", 1), &limits).field, "metadata");
}

#[test]
fn metadata_has_bounded_keys() {
    let keys = |count| (0..count).fold(login(), |event, key| event.metadata(format!("k{key}"), key));
    assert_eq!(keys(50).check(), Ok(()));
    assert_eq!(
        refusal(&keys(51)),
        broken("metadata", Problem::TooMany { count_max: 50 })
    );
    assert_eq!(login().metadata("Az09_.-".repeat(5), 1).check(), Ok(()));
    let long = "x".repeat(41);
    assert_eq!(
        refusal(&login().metadata(&long, 1)),
        too_long(&format!("metadata.{long}"), 41, 40)
    );
    let short = Limits::default().metadata_key_bytes(2);
    assert_eq!(
        refusal_with(&login().metadata("abc", 1), &short),
        too_long("metadata.abc", 3, 2)
    );
    for key in ["retry count", "a/b", "é", "a\"b"] {
        let error = refusal(&login().personal_metadata(key, 1));
        assert_eq!(error.field, format!("metadata.{key}"));
        assert!(matches!(error.problem, Problem::Form { .. }));
    }
}

#[test]
fn values_are_i_json() {
    let big = 9_007_199_254_740_992u64;
    assert_eq!(
        login().metadata("a", big - 1).metadata("b", 1 - big as i64).check(),
        Ok(())
    );
    for (field, event) in [
        ("metadata.retry-count", login().metadata("retry-count", big)),
        (
            "metadata.a",
            login().metadata("a", [-(big as i64)]).metadata("b", f64::NAN),
        ),
        ("metadata.a", login().metadata("a", f64::NAN).metadata("a", 1)),
        ("metadata.a", login().personal_metadata("a", f64::INFINITY)),
        ("metadata.a", login().metadata("a", i128::MAX)),
        ("changes[0].new", login().change(Change::new("x", 1, f64::NAN))),
        ("changes[0].old", login().change(Change::new("x", f32::NAN, f64::NAN))),
        (
            "changes[2].old",
            login()
                .change(Change::named("a"))
                .change(Change::named("a"))
                .change(Change::removed("b", big)),
        ),
        ("context.risk.score", login().risk(Risk::new().score(f64::NAN))),
        ("context.risk.score", login().risk(Risk::new().score(1e17))),
    ] {
        let error = refusal(&event);
        assert_eq!(error.field, field);
        assert!(matches!(error.problem, Problem::Json(_)));
    }
    assert_eq!(login().risk(Risk::new().score(1e22)).check(), Ok(()));
}

#[test]
fn places_are_on_the_earth() {
    let place = |latitude, longitude| login().location(Location::new().coordinates(latitude, longitude));
    assert_eq!(place(-90.0, 180.0).check(), Ok(()));
    for (latitude, longitude, field) in [
        (90.5, 0.0, "context.location.latitude"),
        (f64::NAN, 0.0, "context.location.latitude"),
        (0.0, -180.5, "context.location.longitude"),
        (0.0, f64::INFINITY, "context.location.longitude"),
    ] {
        let error = refusal(&place(latitude, longitude));
        assert_eq!(error.field, field);
        assert!(matches!(error.problem, Problem::Range { .. }));
    }
}

/// Lists in lists, so many of them.
fn nested(depth: usize) -> serde_json::Value {
    (1..depth).fold(serde_json::json!([]), |inner, _| serde_json::json!([inner]))
}

#[test]
fn a_line_nests_at_most_32_deep() {
    // The line, `event` and `metadata` are three levels; a change is one more.
    assert_eq!(login().metadata("a", nested(29)).check(), Ok(()));
    assert_eq!(refusal(&login().metadata("a", nested(30))).field, "metadata.a");
    assert_eq!(login().change(Change::added("a", nested(28))).check(), Ok(()));
    assert_eq!(
        refusal(&login().change(Change::added("a", nested(29)))).field,
        "changes[0].new"
    );
}

#[test]
fn what_a_check_passes_a_log_takes() {
    let event = |reason: usize| login().reason("x".repeat(reason));
    let room = 65_306 - parts(&event(0)).0.len();
    assert_eq!(parts(&event(room)).0.len(), 65_306);
    assert_eq!(event(room).check(), Ok(()));
    assert_eq!(event(room + 1).check(), Err(refusal(&event(room + 1))));
}

#[test]
fn the_sizes_of_the_format_are_kept() {
    // A line with the longest `seq`, without LF.
    let line = |kept: &str, personal: &str| {
        let (hash, time) = ("0".repeat(64), "2026-02-01T00:00:04.156010Z");
        format!(
            r#"{{"event":{kept},"personal":{personal},"prev":"{hash}","recorded_at":"{time}","seq":9007199254740991}}"#
        )
    };
    let event = |kept: usize, personal: usize| {
        login()
            .metadata("a", "x".repeat(kept))
            .personal_metadata("b", "y".repeat(personal))
    };
    let (event_max, total_max) = (65_306, 261_980);
    let (kept, personal) = parts(&event(0, 0));
    let kept_room = event_max - kept.len();
    let personal_room = total_max - event_max - personal.len();
    let (kept, personal) = parts(&event(kept_room, personal_room));
    assert_eq!(line(&kept, &format!("\"{}\"", "0".repeat(64))).len(), 65_535);
    assert_eq!(line(&kept, &personal).len() + 1, 262_144);
    let error = refusal(&event(kept_room + 1, 0));
    assert_eq!(
        error,
        broken(
            "metadata.a",
            Problem::TooLarge {
                bytes: event_max + 1,
                bytes_max: event_max
            }
        )
    );
    let error = refusal(&event(kept_room, personal_room + 1));
    assert_eq!(
        error,
        broken(
            "metadata.b",
            Problem::TooLarge {
                bytes: total_max + 1,
                bytes_max: total_max
            }
        )
    );

    let error = refusal(&login().user_agent("x".repeat(300_000)));
    assert_eq!(error.field, "context.user_agent");
    let error = refusal_with(&login().reason("x".repeat(500)), &Limits::default().event_bytes(400));
    assert_eq!(error.field, "reason");
    assert_eq!(told(error).1.split(',').next(), Some("the event takes 704 bytes"));
    assert_eq!(
        refusal_with(
            &login().user_agent("x".repeat(500)),
            &Limits::default().total_bytes(400)
        )
        .field,
        "context.user_agent"
    );
}

#[test]
fn what_makes_an_event_too_large_is_named() {
    let long = || "x".repeat(300_000);
    let half = || "x".repeat(150_000);
    for (event, field) in [
        (login().location(Location::new().city(long())), "context.location.city"),
        (login().http(Http::new().path(long())), "context.http.path"),
        (
            login().forwarded_for(["a".to_owned(), long()]),
            "context.forwarded_for[1]",
        ),
        (login().risk(Risk::new().reason(long())), "context.risk.reasons"),
        (login().actor(Actor::user("a").name(long())), "actor.name"),
        (
            login()
                .target(Target::user("a"))
                .target(Target::user("a").email(long())),
            "targets[1].email",
        ),
        (login().change(Change::added("a", long())), "changes[0].new"),
        (
            login().change(Change::new("a", "b", vec![long()]).personal()),
            "changes[0].new",
        ),
        (
            login().metadata("a", std::collections::BTreeMap::from([("b", long())])),
            "metadata.a",
        ),
        // Where none takes the most, what they stand in is named.
        (login().metadata("a", half()).metadata("b", half()), "metadata"),
        (login().change(Change::new("a", half(), half())), "changes[0]"),
    ] {
        let error = refusal(&event);
        assert!(matches!(error.problem, Problem::TooLarge { .. }));
        assert_eq!(error.field, field);
    }
}

#[test]
fn limits_are_only_lowered() {
    let raised = Limits::default()
        .action_bytes(999)
        .id_bytes(999)
        .metadata_keys(999)
        .metadata_key_bytes(999)
        .changes(999)
        .targets(999)
        .event_bytes(999_999)
        .total_bytes(999_999);
    assert_eq!(raised, Limits::default());
    assert_eq!(Limits::default().targets(3).targets(5).targets_max(), 3);
}

#[test]
fn strings_may_hold_any_character() {
    let text = "\0\u{1f}\"\\\u{7f}\u{2028}\u{fffd}\u{10ffff}é";
    let event = login().reason(text).metadata("a", text).user_agent(text);
    let (kept, _) = parts(&event);
    assert!(
        kept.contains("\"reason\":\"\\u0000\\u001f\\\"\\\\\u{7f}\u{2028}\u{fffd}\u{10ffff}é\""),
        "{kept}"
    );
    assert_eq!(Event::from_json(event.to_json().unwrap().as_bytes()).unwrap(), event);
}
