use super::*;
use crate::event::{Event, action};
use crate::log::AuditLog;
use crate::query::network::Network;
use crate::record::Record;
use crate::store::{FileStore, Store};

fn error(text: &str) -> String {
    Query::parse(text).expect_err(text).to_string()
}

#[test]
fn what_is_wrong_names_the_parameter_and_what_it_takes() {
    let wrong = [
        (
            "actor=usr_1",
            "actor: no such parameter; those that there are: event_type, ",
        ),
        ("Actor_id=usr_1", "Actor_id: no such parameter"),
        ("metadata.=x", "metadata.: no such parameter"),
        (
            "event_type=auth.*.failed",
            "event_type: takes an action such as auth.login.failed",
        ),
        ("event_type=*", "event_type: takes"),
        ("event_type=auth", "event_type: takes"),
        ("event_type=auth.", "event_type: takes"),
        ("metadata.not.not=x&metadata.=y", "metadata.: no such parameter"),
        ("event_type=auth*", "event_type: takes"),
        ("action=Auth.login", "event_type: takes"),
        ("actor_id=", "actor_id: takes a value that is not empty"),
        ("actor_id=a,,b", "actor_id: takes a value that is not empty"),
        (
            "outcome=failed",
            "outcome: takes one of success, failure, denied, unknown, not \"failed\"",
        ),
        (
            "severity=urgent",
            "severity: takes one of informational, low, medium, high, critical",
        ),
        ("severity_min=", "severity_min: takes"),
        ("severity_min.not=low", "severity_min.not: cannot be negated"),
        ("q.not=x", "q.not: cannot be negated"),
        ("actor_type=human", "actor_type: takes one of user, admin,"),
        ("target=app_dashboard", "target: takes a target as TYPE:ID"),
        ("target=:app", "target: takes"),
        ("ip=203.0.113", "ip: takes an IP address, or a network"),
        ("ip=203.0.113.0/33", "ip: takes"),
        ("ip=2001:db8::/129", "ip: takes"),
        ("ip=203.0.113.0/+8", "ip: takes"),
        (
            "actor_email=a+b@example.com",
            "actor_email: takes an e-mail address without spaces, its + written as %2B",
        ),
        ("start_time=yesterday", "start_time: takes an RFC 3339 time"),
        ("start_time=2026-02-01T00:00:00+01:00", "start_time: takes"),
        (
            "start_time=2026-02-02T00:00:00Z&end_time=2026-02-01T00:00:00Z",
            "start_time: is not before end_time",
        ),
        (
            "start_time=2026-02-01T00:00:00Z&end_time=2026-02-01T00:00:00Z",
            "start_time: is not before end_time",
        ),
        (
            "start_time=2026-02-01T00:00:00Z&last=1h",
            "last: cannot be given together with start_time",
        ),
        (
            "start_time=2026-02-01T00:00:00Z&start_time=2026-02-01T00:00:00Z",
            "start_time: is given more than once",
        ),
        ("last=24", "last: takes a period such as"),
        ("last=0h", "last: takes"),
        ("last=-1h", "last: takes"),
        ("last=99999999999999999w", "last: takes"),
        ("time=created_at", "time: takes occurred_at or recorded_at"),
        ("seq_from=-1", "seq_from: takes a number"),
        ("seq_from=01", "seq_from: takes a number"),
        ("seq_to=9007199254740992", "seq_to: takes a number"),
        ("seq_from=5&seq_to=5", "seq_from: is not before seq_to"),
        ("order=descending", "order: takes newest or oldest"),
        ("limit=0", "limit: takes 1 to 1000"),
        ("limit=1001", "limit: takes 1 to 1000"),
        ("proof=yes", "proof: takes true or false"),
        ("q=+", "q: takes words"),
        ("q", "q: takes words"),
        ("actor_id=%ff", "actor_id: is not percent-encoded UTF-8"),
        ("actor_id=%2", "actor_id: is not percent-encoded UTF-8"),
        ("%zz=1", "%zz: is not percent-encoded UTF-8"),
    ];
    for (text, expected) in wrong {
        let error = error(text);
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    let many = (0..1_001).map(|id| id.to_string()).collect::<Vec<_>>().join(",");
    assert_eq!(error(&format!("actor_id={many}")), "actor_id: at most 1000 of them");
    let fields: Vec<String> = (0..65).map(|key| format!("metadata.k{key}=1")).collect();
    assert_eq!(error(&fields.join("&")), "metadata: at most 64 of them");
    assert!(error(&format!("outcome={}", "x".repeat(100_000))).len() < 200);
}

#[test]
fn a_builder_says_its_first_mistake_when_it_is_asked() {
    let query = Query::new()
        .with(Field::Outcome, "bad")
        .with(Field::Ip, "worse")
        .limit(0);
    assert_eq!(query.check().expect_err("wrong").parameter(), "outcome");
    assert_eq!(Query::new().limit(0).check().expect_err("wrong").parameter(), "limit");
    Query::new().check().expect("all records");
    for period in [Duration::ZERO, Duration::from_millis(999), Duration::MAX] {
        let error = Query::new().last(period).check().expect_err("no period");
        assert!(error.to_string().starts_with("last: takes a period"), "{error}");
    }
    let nameless = Query::new().with(Field::Metadata(String::new()), "x");
    assert_eq!(nameless.check().expect_err("no key").parameter(), "metadata.");
}

#[test]
fn a_query_that_is_bounded_names_no_other_value() {
    let bounded = |text: &str| {
        let query = Query::parse(text).expect(text).only(Field::TenantId, "org_1");
        (query.to_string(), query.check().is_ok())
    };
    for text in ["", "tenant_id=org_1", "tenant_id=org_2,org_1&tenant_id=org_3"] {
        assert_eq!(bounded(text), ("tenant_id=org_1".into(), true), "{text}");
    }
    // What is excluded stays so: nothing is left.
    let none = bounded("tenant_id.not=org_1");
    assert_eq!(none, ("tenant_id=org_1&tenant_id.not=org_1".into(), true));
    assert!(Query::new().only(Field::TenantId, "").check().is_err());
}

/// Legal holds are found again by what is printed.
#[test]
fn what_a_builder_makes_is_read_again_as_it_was_printed() {
    for key in ["plan", "not", "x.not", ".not", "x.not.not", "not.x", "a b"] {
        let field = || Field::Metadata(key.into());
        for query in [
            Query::new().with(field(), "1"),
            Query::new().without(field(), "1"),
            Query::new().with(field(), "1").without(field(), "2"),
        ] {
            assert_eq!(Query::parse(&query.to_string()), Ok(query.clone()), "{query}");
        }
    }
    let excluded = Query::new().without(Field::Metadata("x".into()), "1");
    assert_eq!(Query::parse("metadata.x.not=1"), Ok(excluded));
    assert_eq!(
        Query::parse("actor_id%2Enot=1"),
        Ok(Query::new().without(Field::ActorId, "1"))
    );
    let range = Query::new().seq_from(5).seq_to(u64::MAX);
    assert_eq!(Query::parse(&range.to_string()), Ok(range));
}

/// An index is older than an erasure where a query has listed it before.
#[test]
fn what_is_erased_while_it_is_looked_for_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = FileStore::new(folder.path().join("audit")).segment_size(30_000);
    let log = AuditLog::builder("auth.example.com/audit")
        .key_file(folder.path().join("audit.key"))
        .open(store.clone())
        .expect("opens");
    for number in 0..100 {
        let actor = Actor::user(format!("usr_{}", number % 10)).email("alice@example.com");
        let event = Event::new(action::AUTH_LOGIN_FAILED).actor(actor);
        log.append(event).expect("recorded");
    }
    while Indexes::default().names(&store).is_empty() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let end = store.segments().expect("listed")[1].first;
    let query = Query::new()
        .actor_id("usr_3")
        .with(Field::ActorEmail, "alice@example.com");
    let indexes = Indexes::default();
    let matcher = Matcher::new(&query.filter, None);
    let source = source::Source::new(&store, &indexes, &matcher);
    let look = || {
        let range = |_, first| first..end;
        source.look(0, range, Order::OldestFirst, 100).expect("readable").0
    };
    let before: Vec<u64> = look().found.iter().map(Record::seq).collect();
    assert!(before.len() > 2, "{before:?}");
    log.erase_records([before[0]..=before[0]], "test").expect("erased");
    log.erase_personal_data([before[1]..=before[1]], "test")
        .expect("erased");
    let after = look();
    let found: Vec<u64> = after.found.iter().map(Record::seq).collect();
    assert_eq!(found, before[2..]);
    assert_eq!((after.lost.erased, after.lost.personal), (1, 1));
}

#[test]
fn a_comma_is_an_or_and_an_encoded_one_is_a_comma() {
    let two = Query::new().actor_id("a").actor_id("b");
    for text in ["actor_id=a,b", "actor_id=b&actor_id=a", "&actor_id=a&&actor_id=b,a&"] {
        assert_eq!(Query::parse(text), Ok(two.clone()), "{text}");
    }
    let one = Query::new().actor_id("a,b c+d&e=f%");
    assert_eq!(one.to_string(), "actor_id=a%2Cb+c%2Bd%26e%3Df%25");
    assert_eq!(Query::parse(&one.to_string()), Ok(one));
    let key = Query::new().with(Field::Metadata("a&b=c.d".into()), "1");
    assert_eq!(Query::parse(&key.to_string()), Ok(key));
}

#[test]
fn networks_are_those_of_the_rfcs() {
    let network = |text: &str| text.parse::<Network>().map(|network| network.to_string());
    let printed = [
        ("203.0.113.7", "203.0.113.7"),
        ("203.0.113.7/32", "203.0.113.7"),
        ("203.0.113.7/24", "203.0.113.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7/120", "203.0.113.0/24"),
        ("2001:DB8::1", "2001:db8::1"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("::/0", "::/0"),
    ];
    for (text, expected) in printed {
        assert_eq!(network(text).as_deref(), Ok(expected), "{text}");
    }
    for text in [
        "",
        "/",
        "1.2.3.4/",
        "1.2.3.4/33",
        "1.2.3.4/0x8",
        "::/129",
        "::ffff:1.2.3.4/95",
        "1.2.3.4/24/8",
    ] {
        assert_eq!(network(text), Err(()), "{text}");
    }
    let contains = |network: &str, address: &str| {
        let network: Network = network.parse().expect("a network");
        network.contains(address.parse().expect("an address"))
    };
    assert!(contains("203.0.113.0/24", "203.0.113.255") && !contains("203.0.113.0/24", "203.0.114.0"));
    assert!(contains("203.0.113.0/24", "::ffff:203.0.113.9"));
    assert!(contains("::/0", "2001:db8::1") && !contains("::/0", "1.2.3.4") && !contains("0.0.0.0/0", "::1"));
}

#[test]
fn letters_of_other_scripts_do_not_become_ascii() {
    assert_eq!(matcher::folded("Straße ÄÖ K \u{212A} İ"), "straße äö k \u{212A} İ");
}
