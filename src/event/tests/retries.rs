use proptest::prelude::*;

use super::strategy::event;
use super::*;

fn same(event: &Event, kept: &str, personal: Option<&str>) -> bool {
    let (mut line, mut own) = (Vec::new(), Vec::new());
    crate::record::Draft::begin(&mut line);
    let written = event.write(&fill(), &Limits::default(), &Redaction::default(), &mut line, &mut own);
    crate::record::Draft::end(&mut line, &own);
    let given = Given::of(&event.clone().id("any")).expect("an id");
    written.is_ok() && given.is_in(&line[1..], kept.as_bytes(), personal.map(str::as_bytes))
}

#[test]
fn what_the_log_sets_is_not_compared() {
    let event = login().id("login:1").metadata("a", 1).user_agent("agent");
    let recorded = Fill {
        source: Some("svc/\"1\""),
        salt: [7; 16],
        ..fill()
    };
    let (kept, personal) = parts_with(&event, &recorded, &Redaction::default());
    assert!(same(&event, &kept, Some(&personal)));
    assert!(same(&event, &kept, None));
    let time: Timestamp = "2026-02-01T00:00:04.156010Z".parse().unwrap();
    assert!(same(
        &event.clone().source("svc/\"1\"").occurred_at(time),
        &kept,
        Some(&personal)
    ));
    assert!(!same(&event.clone().source("svc/2"), &kept, Some(&personal)));
    assert!(!same(&event.occurred_at(Timestamp::MAX), &kept, Some(&personal)));
}

#[test]
fn any_other_content_differs() {
    let event = login()
        .id("login:1")
        .metadata("a", 1)
        .user_agent("agent")
        .tenant("org_1");
    let (kept, personal) = parts(&event);
    for other in [
        event.clone().id("login:2"),
        event.clone().tenant("org_2"),
        event.clone().outcome(Outcome::Success),
        event.clone().metadata("a", 2),
        event.clone().metadata("b", 1),
        event.clone().target(Target::user("u")),
        event.clone().reason("r"),
    ] {
        assert!(
            !same(&other, &kept, Some(&personal)) && !same(&other, &kept, None),
            "{other:?}"
        );
    }
    let other = event.clone().user_agent("other");
    assert!(!same(&other, &kept, Some(&personal)));
    assert!(same(&other, &kept, None), "what is erased cannot be compared");
    let invalid = event.metadata("a b", 1);
    assert!(!same(&invalid, &kept, Some(&personal)));
}

#[test]
fn how_it_is_marked_is_no_content() {
    let event = login()
        .id("login:1")
        .personal_metadata("a", 1)
        .change(Change::new("f", 1, 2).personal());
    let (kept, personal) = parts(&event);
    let unmarked = login().id("login:1").metadata("a", 1).change(Change::new("f", 1, 2));
    assert!(same(&unmarked, &kept, Some(&personal)));
}

#[test]
fn a_record_that_is_none_is_another() {
    let event = login().id("a");
    for kept in [
        "",
        "{}",
        "{\"id\":\"a\"}",
        "{\"id\":\"a\",\"occurred_at\":\"now\"}",
        "[",
        "{\"id\"",
    ] {
        assert!(!same(&event, kept, Some("{}")) && !same(&event, kept, None));
    }
}

proptest! {
    #[test]
    fn an_event_is_itself(event in event()) {
        let (kept, personal) = parts(&event);
        prop_assert!(same(&event, &kept, Some(&personal)));
        prop_assert!(same(&event, &kept, None));
        let read = Event::from_json(event.to_json().unwrap().as_bytes()).unwrap();
        prop_assert!(same(&read, &kept, Some(&personal)));
    }

    #[test]
    fn another_event_is_another(event in event(), other in event()) {
        let (kept, personal) = parts(&event);
        let (kept_other, personal_other) = parts(&other);
        let equal = (&kept, &personal) == (&kept_other, &personal_other);
        prop_assert_eq!(same(&other, &kept, Some(&personal)), equal);
    }
}
