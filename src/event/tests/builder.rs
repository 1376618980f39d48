use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;

#[test]
fn writes_each_field_into_its_part() {
    let event = Event::new(action::AUTH_LOGIN_FAILED)
        .id("login:1")
        .outcome(Outcome::Denied)
        .reason("invalid_credentials")
        .severity(Severity::High)
        .occurred_at("2026-03-01T12:00:00.5+01:00".parse::<Timestamp>().unwrap())
        .actor(Actor::admin("adm_1").name("Ann").email("ann@example.com"))
        .on_behalf_of(Actor::user("usr_2").email("bob@example.com"))
        .target(Target::new("application", "app_1"))
        .target(Target::user("usr_3").name("Cem").email("cem@example.com"))
        .tenant("org_1")
        .source("auth-service/1.4.2")
        .session("sess_1")
        .request("req_1")
        .trace("trace_1")
        .correlation("corr_1")
        .auth(
            Auth::new()
                .method("password")
                .mfa(true)
                .factor("totp")
                .connection("ldap")
                .client("client_1"),
        )
        .http(Http::new().method("POST").path("/login?user=ann#top").status(403))
        .risk(Risk::new().score(0.75).reason("new_device").reason("new_country"))
        .ip(Ipv4Addr::new(203, 0, 113, 7))
        .forwarded_for(["198.51.100.1", "unknown"])
        .user_agent("Mozilla/5.0")
        .location(
            Location::new()
                .country("CH")
                .region("ZH")
                .city("Zürich")
                .coordinates(47.3769, 8.5417),
        )
        .device(Device::new().id("dev_1").device_type("mobile").os("Android"))
        .change(Change::new("session.max_age", 86400, 3600))
        .change(Change::new("address", "old", "new").personal())
        .metadata("attempt", 3)
        .personal_metadata("nickname", "Annie");
    let (kept, personal) = parts(&event);
    assert_eq!(
        kept,
        concat!(
            r#"{"action":"auth.login.failed","actor":{"id":"adm_1","type":"admin"},"#,
            r#""changes":[{"field":"session.max_age","new":3600,"old":86400},{"field":"address"}],"#,
            r#""context":{"auth":{"client_id":"client_1","connection":"ldap","factor":"totp","method":"password","mfa":true},"#,
            r#""correlation_id":"corr_1","http":{"method":"POST","path":"/login","status":403},"request_id":"req_1","#,
            r#""risk":{"reasons":["new_device","new_country"],"score":0.75},"session_id":"sess_1","trace_id":"trace_1"},"#,
            r#""id":"login:1","metadata":{"attempt":3},"occurred_at":"2026-03-01T11:00:00.500000Z","#,
            r#""on_behalf_of":{"id":"usr_2","type":"user"},"outcome":"denied","reason":"invalid_credentials","severity":"high","#,
            r#""source":"auth-service/1.4.2","targets":[{"id":"app_1","type":"application"},{"id":"usr_3","type":"user"}],"#,
            r#""tenant_id":"org_1"}"#
        )
    );
    assert_eq!(
        personal,
        concat!(
            r#"{"actor":{"email":"ann@example.com","name":"Ann"},"changes":[{},{"new":"new","old":"old"}],"#,
            r#""context":{"device":{"id":"dev_1","os":"Android","type":"mobile"},"forwarded_for":["198.51.100.1","unknown"],"#,
            r#""ip":"203.0.113.7","location":{"city":"Zürich","country":"CH","latitude":47.3769,"longitude":8.5417,"region":"ZH"},"#,
            r#""user_agent":"Mozilla/5.0"},"metadata":{"nickname":"Annie"},"on_behalf_of":{"email":"bob@example.com"},"#,
            r#""salt":"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5","targets":[{},{"email":"cem@example.com","name":"Cem"}]}"#
        )
    );
}

#[test]
fn leaves_out_what_is_absent() {
    let (kept, personal) = parts(&login());
    assert_eq!(
        kept,
        concat!(
            r#"{"action":"auth.login.failed","actor":{"id":"usr_1","type":"user"},"id":"019c167f-dc3c-746f-8ec2-a3d81173e578","#,
            r#""occurred_at":"2026-02-01T00:00:04.156010Z","outcome":"failure","severity":"low"}"#
        )
    );
    assert_eq!(personal, r#"{"salt":"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"}"#);
}

#[test]
fn fills_in_what_the_host_leaves_to_the_log() {
    let fill = Fill {
        source: Some("svc/1"),
        ..fill()
    };
    let (kept, _) = parts_with(&login(), &fill, &Redaction::default());
    assert!(kept.contains(r#""source":"svc/1""#), "{kept}");
    let (kept, _) = parts_with(&login().id("a").source("svc/2"), &fill, &Redaction::default());
    assert!(
        kept.contains(r#""id":"a""#) && kept.contains(r#""source":"svc/2""#),
        "{kept}"
    );
}

#[test]
fn actions_outside_the_catalogue_have_neutral_defaults() {
    let fields = Event::new("billing.invoice.paid")
        .actor(Actor::system("billing"))
        .fields()
        .clone();
    assert_eq!(
        (fields.outcome, fields.severity),
        (Outcome::Unknown, Severity::Informational)
    );
    assert_eq!(Event::new("password.pepper.rotated").category(), "credential");
    assert_eq!(
        Event::new(String::from("user.locked")).fields().severity,
        Severity::Medium
    );
    assert_eq!(Event::new(&action::USER_LOCKED).fields().action, "user.locked");
}

#[test]
fn a_key_given_twice_is_replaced() {
    let event = login()
        .metadata("b", 1)
        .metadata("a", 1)
        .personal_metadata("b", 2)
        .metadata("c", 3);
    let (kept, personal) = parts(&event);
    assert!(kept.contains(r#""metadata":{"a":1,"c":3}"#), "{kept}");
    assert!(personal.contains(r#""metadata":{"b":2}"#), "{personal}");
    assert_eq!(event.fields().metadata.get("b").unwrap().value.as_str(), "2");
    assert_eq!(event.fields().metadata.len(), 3);
    assert!(event.fields().metadata.get("d").is_none());
}

#[test]
fn changes_may_lack_a_side() {
    let event = login()
        .change(Change::added("a", 1))
        .change(Change::removed("b", Some("x")))
        .change(Change::named("c"))
        .change(Change::named("d").personal())
        .change(Change::new("e", None::<u8>, [1.5]));
    let (kept, personal) = parts(&event);
    let changes = r#"[{"field":"a","new":1},{"field":"b","old":"x"},{"field":"c"},{"field":"d"},{"field":"e","new":[1.5],"old":null}]"#;
    assert!(kept.contains(changes), "{kept}");
    assert!(!personal.contains("changes"), "{personal}");
}

#[test]
fn ip_addresses_have_the_form_of_the_standard_library() {
    let addresses: [(IpAddr, &str); 3] = [
        (Ipv4Addr::LOCALHOST.into(), r#""ip":"127.0.0.1""#),
        (Ipv6Addr::LOCALHOST.into(), r#""ip":"::1""#),
        ("2001:DB8:0:0:0:0:0:1".parse().unwrap(), r#""ip":"2001:db8::1""#),
    ];
    for (ip, text) in addresses {
        assert!(parts(&login().ip(ip).forwarded_for([ip])).1.contains(text));
    }
}

#[test]
fn a_context_replaces_what_was_said_before() {
    let event = login().session("a").context(Context::new().request("r")).trace("t");
    let context = &event.fields().context;
    assert_eq!(context.session_id, None);
    assert_eq!(
        (context.request_id.as_deref(), context.trace_id.as_deref()),
        (Some("r"), Some("t"))
    );
}

#[test]
fn a_query_that_is_cut_off_takes_no_room() {
    let path = Http::new().path(format!("/a?{}", "x".repeat(100_000))).path.unwrap();
    assert_eq!(path, "/a");
    assert!(path.capacity() < 100, "{}", path.capacity());
}

/// Its serializer's words hold its value.
struct Refused;

impl Serialize for Refused {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("xxvalue"))
    }
}

#[test]
fn errors_show_no_numbers() {
    let phone = 79_123_456_789_012_345_u64;
    let built = refusal(&login().personal_metadata("phone", phone)).to_string();
    let read = br#"{"action":"a.b","metadata":{"phone":79123456789012345}}"#;
    let read = Event::from_json(read).unwrap_err().to_string();
    for error in [built, read] {
        assert!(
            error.starts_with("metadata.phone: an integer is beyond ±(2^53-1)"),
            "{error}"
        );
    }
}

#[test]
fn debug_shows_nothing_personal_and_no_values() {
    let event = Event::new(action::USER_UPDATED)
        .actor(Actor::user("usr_1").name("xxname").email("xxmail"))
        .on_behalf_of(Actor::user("usr_2").name("xxname"))
        .target(Target::user("usr_3").name("xxname").email("xxmail"))
        .ip(Ipv4Addr::new(192, 0, 2, 99))
        .forwarded_for(["xxproxy"])
        .user_agent("xxagent")
        .location(
            Location::new()
                .country("xxcountry")
                .region("xx")
                .city("xx")
                .coordinates(12.5, 12.5),
        )
        .device(Device::new().id("xxdevice").device_type("xx").os("xx"))
        .change(Change::new("password", "xxold", "xxnew"))
        .metadata("token", "xxtoken")
        .personal_metadata("xxkey", "xxnick")
        .metadata("words", Refused);
    let shown = format!("{event:?}{event:#?}");
    assert!(
        !shown.contains("xx") && !shown.contains("192.0.2.99") && !shown.contains("12.5"),
        "{shown}"
    );
    for part in ["user.updated", "usr_1", "usr_3", "token", "password"] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn an_event_is_a_pointer() {
    assert_eq!(size_of::<Event>(), size_of::<usize>());
}

#[test]
fn events_of_the_log_are_as_the_format_has_them() {
    let event = Event::of_log(action::AUDIT_LOG_CREATED)
        .metadata("format", 1)
        .metadata("vkey", "v")
        .metadata("x_token", "t");
    let redaction = Redaction::default().key("vkey");
    let (mut kept, mut personal) = (Vec::new(), Vec::new());
    let limits = Limits::default().metadata_keys(0).event_bytes(0);
    event
        .write(&fill(), &limits, &redaction, &mut kept, &mut personal)
        .unwrap();
    assert_eq!(
        String::from_utf8(kept).unwrap(),
        concat!(
            r#"{"action":"audit_log.created","actor":{"id":"indelible","type":"system"},"id":"019c167f-dc3c-746f-8ec2-a3d81173e578","#,
            r#""metadata":{"format":1,"vkey":"v","x_token":"t"},"occurred_at":"2026-02-01T00:00:04.156010Z","outcome":"success","#,
            r#""severity":"informational"}"#
        )
    );
}
