//! Queries against a plain reading of every record as JSON, while the log rolls, erases and purges.

mod beside;
mod hostile;
mod recorded;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use indelible::event::{Auth, Context, Location};
use indelible::query::{Bucket, CountBy, Order, Page, TimeField};
use indelible::{Actor, AuditLog, Cause, Event, FileStore, LogReader, MemoryStore, Outcome, Query, Severity, Target};
use proptest::prelude::*;
use serde_json::Value;

use crate::scene::*;

const ACTIONS: [&str; 7] = [
    "auth.login.failed",
    "auth.login.succeeded",
    "auth.logout.succeeded",
    "user.created",
    "config.updated",
    "authz.role.assigned",
    "billing.invoice.paid",
];
const IDS: [&str; 6] = ["usr_1", "usr_2", "a,b", "ü&=", "quote\"d\\", "usr"];
const IPS: [&str; 5] = [
    "203.0.113.7",
    "203.0.113.200",
    "198.51.100.1",
    "2001:db8::1",
    "2001:db8:1::1",
];
const TEXTS: [&str; 5] = [
    "Mozilla/5.0 (X11)",
    "curl/8 Straße",
    "KELVIN \u{212A}",
    "7",
    "tab\tand \"quotes\"",
];

fn pick<'a>(from: &[&'a str], random: &mut u64) -> &'a str {
    *random = random
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    from[usize::try_from(*random >> 33).expect("small") % from.len()]
}

/// An event whose values come of small sets, so that queries find some.
fn event(number: u64) -> Event {
    let random = &mut (number * 7919 + 1);
    let mut actor = Actor::user(pick(&IDS, random)).email(format!("{}+x@example.com", number % 3));
    if number.is_multiple_of(7) {
        actor = Actor::admin(pick(&IDS, random));
    }
    let mut event = Event::new(pick(&ACTIONS, random))
        .actor(actor)
        .tenant(pick(&["org_1", "org_2"], random))
        .metadata("plan", pick(&["free", "paid"], random))
        .metadata("attempt", number % 4)
        .metadata("flags", ["beta", pick(&["x", "y"], random)])
        .personal_metadata("note", pick(&TEXTS, random));
    if !number.is_multiple_of(3) {
        let context = Context::new()
            .session(format!("ses_{}", number % 5))
            .ip(pick(&IPS, random).parse::<IpAddr>().expect("an address"))
            .user_agent(pick(&TEXTS, random))
            .location(Location::new().country(pick(&["DE", "AT"], random)))
            .auth(Auth::new().method(pick(&["password", "passkey"], random)));
        event = event.context(context);
    }
    if number % 4 == 1 {
        event = event.target(Target::new("application", pick(&IDS, random)));
        event = event.target(Target::new("user", pick(&IDS, random)).email("t@example.com"));
        event = event.target(Target::new(
            pick(&["urn:app", "urn"], random),
            pick(&["x", "app:x", "7"], random),
        ));
    }
    if number % 5 == 2 {
        event = event.on_behalf_of(Actor::user(pick(&IDS, random)));
    }
    if number % 6 == 3 {
        event = event.severity(Severity::High).outcome(Outcome::Denied).reason("policy");
    }
    event.occurred_at(time(number % 50))
}

fn time(seconds: u64) -> indelible::Timestamp {
    let text = format!("2026-02-01T00:00:{:02}Z", seconds % 60);
    text.parse().expect("a time")
}

/// All texts, numbers and booleans at a path, through lists.
fn at<'a>(value: &'a Value, path: &[&str]) -> Vec<&'a Value> {
    match (value, path) {
        (Value::Array(items), _) => items.iter().flat_map(|item| at(item, path)).collect(),
        (Value::Object(object), [key, rest @ ..]) => object.get(*key).map_or_else(Vec::new, |value| at(value, rest)),
        (Value::Object(_), []) | (_, [_, ..]) => Vec::new(),
        (scalar, []) => vec![scalar],
    }
}

fn texts(event: &Value, path: &[&str]) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    at(event, path).into_iter().map(text).collect()
}

fn values(event: &Value, field: &str) -> Vec<String> {
    match field {
        "event_type" => texts(event, &["action"]),
        "category" => {
            let action = texts(event, &["action"]);
            action
                .iter()
                .map(|action| indelible::Action::from(action.as_str()).category().to_owned())
                .collect()
        }
        "actor_id" => texts(event, &["actor", "id"]),
        "actor_type" => texts(event, &["actor", "type"]),
        "actor_email" => texts(event, &["actor", "email"]),
        "on_behalf_of_id" => texts(event, &["on_behalf_of", "id"]),
        "user_id" => ["actor_id", "on_behalf_of_id", "target_id"]
            .iter()
            .flat_map(|field| values(event, field))
            .collect(),
        "target_id" => texts(event, &["targets", "id"]),
        "target_type" => texts(event, &["targets", "type"]),
        "target" => {
            let one = |target: &Value| {
                format!(
                    "{}:{}",
                    texts(target, &["type"]).concat(),
                    texts(target, &["id"]).concat()
                )
            };
            event["targets"]
                .as_array()
                .map_or_else(Vec::new, |targets| targets.iter().map(one).collect())
        }
        "ip" => texts(event, &["context", "ip"]),
        "country" => texts(event, &["context", "location", "country"]),
        "session_id" => texts(event, &["context", "session_id"]),
        "auth_method" => texts(event, &["context", "auth", "method"]),
        other => match other.strip_prefix("metadata.") {
            Some(key) => texts(event, &["metadata", key]),
            None => texts(event, &[other]),
        },
    }
}

fn is(field: &str, value: &str, wanted: &str) -> bool {
    match field {
        "event_type" => wanted
            .strip_suffix('*')
            .map_or(value == wanted, |start| value.starts_with(start)),
        "ip" => match wanted {
            "203.0.113.0/24" => value.starts_with("203.0.113."),
            "2001:db8::/32" => value.starts_with("2001:db8:"),
            "0.0.0.0/0" => value.contains('.'),
            _ => value == wanted,
        },
        _ => value == wanted,
    }
}

/// One parameter: its name, its values, and whether it excludes.
type Parameter = (&'static str, Vec<String>, bool);

fn matches(event: &Value, recorded_at: &str, parameters: &[Parameter]) -> bool {
    parameters.iter().all(|(field, wanted, negated)| {
        let single = wanted[0].as_str();
        match *field {
            "start_time" => event["occurred_at"].as_str() >= Some(single),
            "end_time" => event["occurred_at"].as_str() < Some(single),
            "recorded_until" => recorded_at < single,
            "severity_min" => {
                let rank = |name: &str| Severity::ALL.iter().position(|severity| severity.as_str() == name);
                rank(event["severity"].as_str().expect("a severity")) >= rank(single)
            }
            "q" => {
                let mut all = Vec::new();
                collect(event, &mut all);
                single
                    .split(' ')
                    .all(|word| all.iter().any(|text| text.to_lowercase().contains(word)))
            }
            _ => {
                let has = values(event, field)
                    .iter()
                    .any(|value| wanted.iter().any(|wanted| is(field, value, wanted)));
                has != *negated
            }
        }
    })
}

fn collect(value: &Value, all: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, all)),
        Value::Object(object) => {
            // What marks metadata as personal is no value of the event's.
            let members = object.iter().filter(|(key, _)| *key != "personal");
            members.for_each(|(_, value)| collect(value, all));
        }
        Value::String(text) => all.push(text.clone()),
        scalar => all.push(scalar.to_string()),
    }
}

fn parameter() -> impl Strategy<Value = Parameter> {
    let of = |field: &'static str, pool: Vec<&'static str>| {
        let values = prop::collection::vec(prop::sample::select(pool), 1..3);
        (Just(field), values, any::<bool>())
            .prop_map(|(field, values, negated)| (field, values.into_iter().map(str::to_owned).collect(), negated))
    };
    let once = |field: &'static str, pool: Vec<String>| {
        prop::sample::select(pool).prop_map(move |value| (field, vec![value], false))
    };
    let times: Vec<String> = (0..50).step_by(7).map(|second| time(second).to_string()).collect();
    let actions = [&ACTIONS[..], &["auth.*", "auth.login.*", "nobody.did.it"]].concat();
    prop_oneof![
        of("event_type", actions),
        of("category", vec!["authentication", "billing", "user_lifecycle"]),
        of("outcome", vec!["success", "failure", "denied", "unknown"]),
        of("severity", vec!["informational", "low", "medium", "high"]),
        of("reason", vec!["policy", "none"]),
        of("actor_id", IDS.to_vec()),
        of("actor_type", vec!["user", "admin", "system"]),
        of("actor_email", vec!["0+x@example.com", "1+x@example.com"]),
        of("on_behalf_of_id", IDS.to_vec()),
        of("user_id", IDS.to_vec()),
        of("target_id", IDS.to_vec()),
        of("target_type", vec!["application", "user"]),
        of(
            "target",
            vec![
                "application:usr_1",
                "user:usr_2",
                "user:quote\"d\\",
                "user:ü&=",
                "urn:app:x",
                "urn:app:7",
                "urn:app:app:x"
            ]
        ),
        of("tenant_id", vec!["org_1", "org_2", "org_3"]),
        of(
            "ip",
            [&IPS[..], &["203.0.113.0/24", "2001:db8::/32", "0.0.0.0/0"]].concat()
        ),
        of("country", vec!["DE", "AT"]),
        of("session_id", vec!["ses_1", "ses_4"]),
        of("auth_method", vec!["password", "passkey"]),
        of("metadata.plan", vec!["free", "paid"]),
        of("metadata.attempt", vec!["0", "3"]),
        of("metadata.flags", vec!["beta", "x"]),
        of("metadata.note", TEXTS.to_vec()),
        once("severity_min", vec!["low".into(), "medium".into(), "high".into()]),
        once("start_time", times.clone()),
        once("end_time", times),
        once(
            "q",
            ["mozilla", "usr_1 org_2", "straße", "kelvin", "x11 quotes", "7"]
                .map(str::to_owned)
                .to_vec()
        ),
    ]
}

/// The values of a field that comes several times are one list.
fn merged(parameters: &[Parameter]) -> Vec<Parameter> {
    let mut merged: Vec<Parameter> = Vec::new();
    for (field, values, negated) in parameters {
        match merged
            .iter_mut()
            .find(|(other, _, excludes)| other == field && excludes == negated)
        {
            Some((_, known, _)) => known.extend(values.iter().cloned()),
            None => merged.push((field, values.clone(), *negated)),
        }
    }
    merged
}

fn encoded(value: &str) -> String {
    value.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The parameters as a URL has them.
fn url(parameters: &[Parameter]) -> String {
    let pairs = parameters.iter().map(|(field, values, negated)| {
        let values: Vec<String> = values.iter().map(|value| encoded(value)).collect();
        format!("{field}{}={}", if *negated { ".not" } else { "" }, values.join(","))
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// All pages of a query.
fn all(reader: &LogReader, query: &Query) -> Vec<Page> {
    let mut pages = vec![reader.query(query).expect("an answer")];
    while let Some(next) = pages.last().and_then(|page| page.next.clone()) {
        pages.push(reader.query(&query.clone().after(next)).expect("an answer"));
    }
    pages
}

/// What a log's records are, read one by one.
struct Plain(Vec<(u64, Option<Value>, String, bool)>);

impl Plain {
    fn of(reader: &LogReader) -> Self {
        let records = reader.records(..).expect("readable").map(|record| {
            let record = record.expect("readable");
            let event = record
                .merged_json()
                .map(|json| serde_json::from_str(&json).expect("JSON"));
            let recorded_at = record.recorded_at().map_or_else(String::new, |time| time.to_string());
            let is_without = !record.is_erased() && record.personal_json().is_none();
            (record.seq(), event, recorded_at, is_without)
        });
        Self(records.collect())
    }

    /// How many records match, by the value of a field and the time in steps of `seconds`.
    fn counts(&self, parameters: &[Parameter], field: Option<&str>, seconds: Option<u64>) -> Groups {
        let mut groups = Groups::new();
        for (_, event, recorded_at, _) in &self.0 {
            let Some(event) = event.as_ref().filter(|event| matches(event, recorded_at, parameters)) else {
                continue;
            };
            let start = seconds.map(|seconds| {
                let at: indelible::Timestamp = event["occurred_at"].as_str().expect("a time").parse().expect("a time");
                let step = i64::try_from(seconds).expect("small") * 1_000_000;
                let monday = 4 * 86_400_000_000;
                indelible::Timestamp::from_unix_micros(at.unix_micros() - (at.unix_micros() - monday) % step)
                    .expect("a time")
            });
            let values: BTreeSet<String> =
                field.map_or_else(BTreeSet::new, |field| values(event, field).into_iter().collect());
            if values.is_empty() {
                *groups.entry((start, None)).or_default() += 1;
            }
            for value in values {
                *groups.entry((start, Some(value))).or_default() += 1;
            }
        }
        groups
    }

    fn matching(&self, parameters: &[Parameter]) -> Vec<u64> {
        let is_found =
            |event: &Option<Value>, at: &str| event.as_ref().is_some_and(|event| matches(event, at, parameters));
        let found = self.0.iter().filter(|(_, event, at, _)| is_found(event, at));
        found.map(|(seq, ..)| *seq).collect()
    }
}

fn check_query(reader: &LogReader, plain: &Plain, parameters: &[Parameter], limit: usize) {
    let url = url(parameters);
    let Ok(query) = Query::parse(&url) else {
        // The end of a range that comes before its beginning, or a repeated parameter.
        return;
    };
    let printed = query.to_string();
    assert_eq!(Query::parse(&printed).as_ref(), Ok(&query), "{printed}");
    let mut expected = plain.matching(&merged(parameters));
    let first = plain.0.first().map_or(0, |(seq, ..)| *seq);
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let query = query.clone().order(order).limit(limit);
        let pages = all(reader, &query);
        let found: Vec<u64> = pages
            .iter()
            .flat_map(|page| &page.found)
            .map(|found| found.record.seq())
            .collect();
        assert_eq!(found, expected, "{url}, {order:?}");
        assert!(
            pages.iter().rev().skip(1).all(|page| page.found.len() == limit),
            "{url}"
        );
        let sum = |count: fn(&Page) -> u64| pages.iter().map(count).sum::<u64>();
        let erased = plain.0.iter().filter(|(_, event, ..)| event.is_none()).count();
        assert_eq!(sum(|page| page.gone.erased), erased as u64, "{url}");
        let purged: Vec<_> = pages.iter().filter_map(|page| page.gone.purged.clone()).collect();
        let expected_purged: Vec<_> = Some(0..first).filter(|purged| !purged.is_empty()).into_iter().collect();
        assert_eq!(purged, expected_purged, "{url}, {order:?}");
        let without = plain.0.iter().filter(|(_, _, _, is_without)| *is_without).count() as u64;
        assert!(sum(|page| page.gone.personal_erased) <= without, "{url}");
        expected.reverse();
    }
}

/// How many records have a time and a value.
type Groups = BTreeMap<(Option<indelible::Timestamp>, Option<String>), u64>;

fn check_count(reader: &LogReader, plain: &Plain, parameters: &[Parameter], field: Option<&str>, seconds: Option<u64>) {
    let url = url(parameters);
    let Ok(query) = Query::parse(&url) else { return };
    let mut by = CountBy::new();
    if let Some(field) = field {
        by = by.field(field.parse().expect("a field"));
    }
    if let Some(seconds) = seconds {
        by = by.every(Bucket::every(Duration::from_secs(seconds)));
    }
    let counts = reader.count(&query, &by).expect("an answer");
    let parameters = merged(parameters);
    assert_eq!(counts.total, plain.matching(&parameters).len() as u64, "{url}, {by:?}");
    let groups = counts.groups.into_iter();
    let groups: Groups = groups
        .map(|group| ((group.start, group.value), group.records))
        .collect();
    assert_eq!(groups, plain.counts(&parameters, field, seconds), "{url}, {by:?}");
    let erased = plain.0.iter().filter(|(_, event, ..)| event.is_none()).count();
    assert_eq!(counts.gone.erased, erased as u64, "{url}, {by:?}");
    let first = plain.0.first().map_or(0, |(seq, ..)| *seq);
    assert_eq!(
        counts.gone.purged,
        Some(0..first).filter(|purged| !purged.is_empty()),
        "{url}"
    );
}

fn fill(log: &AuditLog, count: u64) {
    for number in 0..=count {
        match number % 10 {
            0 => drop(log.append(event(number)).expect("recorded")),
            _ => drop(log.submit(event(number)).expect("room")),
        }
    }
}

/// Waits until each sealed segment has an index.
fn indexed(scene: &Scene) -> usize {
    let mut count = 0;
    eventually("the segments are indexed", || {
        let folder = scene.folder().join("index");
        let is_index = |path: &std::path::PathBuf| path.extension().is_some_and(|end| end == "idx");
        let files = if folder.exists() { list(&folder) } else { Vec::new() };
        count = files.into_iter().filter(is_index).count();
        count + 1 == scene.segment_files().len()
    });
    count
}

/// In memory; in files, which are sealed and indexed but for the last one; the same without indexes; and in memory while
/// the log is open, which has an index of what it holds.
fn scenes() -> &'static [LogReader; 4] {
    use std::sync::OnceLock;
    static LOGS: OnceLock<(Scene, Scene, AuditLog, [LogReader; 4])> = OnceLock::new();
    let (_, _, _, readers) = LOGS.get_or_init(|| {
        let signer = TestSigner::new();
        let memory = MemoryStore::new();
        let log = in_memory(&signer).open(memory.clone()).expect("opens");
        fill(&log, 220);
        log.close(SOON).expect("closed");
        // Segments of some twenty records, with gaps of all kinds.
        let scene = Scene::new();
        let store = || FileStore::new(scene.folder()).segment_size(16_000);
        let log = scene.builder().open(store()).expect("opens");
        fill(&log, 260);
        for start in [60, 100, 140] {
            log.append(event(start)).expect("recorded");
        }
        log.erase_records([70..=75, 120..=120], "test").expect("erased");
        log.erase_personal_data([80..=95, 200..=210], "test").expect("erased");
        assert!(log.purge(50).expect("purged") > 0);
        log.append(event(1)).expect("recorded");
        assert!(indexed(&scene) > 8);
        log.close(SOON).expect("closed");
        let plain = scene.crash_copy();
        std::fs::remove_dir_all(plain.folder().join("index")).expect("removed");
        let open = memory_log();
        fill(&open, 150);
        std::thread::sleep(Duration::from_millis(1_500));
        // Some records that the index does not know yet.
        fill(&open, 20);
        let readers = [
            LogReader::new(memory),
            LogReader::new(scene.store()),
            LogReader::new(plain.store()),
            open.reader(),
        ];
        (scene, plain, open, readers)
    });
    readers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn queries_find_what_a_plain_reading_does(
        parameters in prop::collection::vec(parameter(), 0..4),
        limit in prop::sample::select(vec![1_usize, 3, 20, 1000]),
    ) {
        for reader in scenes() {
            check_query(reader, &Plain::of(reader), &parameters, limit);
        }
    }

    #[test]
    fn counts_are_those_of_a_plain_reading(
        parameters in prop::collection::vec(parameter(), 0..3),
        field in prop::option::of(prop::sample::select(vec![
            "event_type", "category", "outcome", "severity", "reason", "actor_id", "actor_email", "on_behalf_of_id",
            "user_id", "target_id", "target_type", "target", "tenant_id", "country", "session_id", "metadata.flags", "metadata.note",
        ])),
        seconds in prop::option::of(prop::sample::select(vec![1_u64, 7, 60, 3600])),
    ) {
        for reader in scenes() {
            check_count(reader, &Plain::of(reader), &parameters, field, seconds);
        }
    }
}

#[test]
fn counts_by_time_are_right_where_records_of_one_time_stand_together() {
    let scene = Scene::new();
    let store = || FileStore::new(scene.folder()).segment_size(1_000_000);
    let log = scene.builder().open(store()).expect("opens");
    // Some seven seconds apart, not quite in order, and once a whole day later.
    for number in 0..5_000_u64 {
        let day = if number == 3_000 { 86_400 } else { 0 };
        let micros = 1_770_000_000_000_000 + (number * 7 + number % 40 + day) * 1_000_000;
        let at = indelible::Timestamp::from_unix_micros(i64::try_from(micros).expect("small")).expect("a time");
        drop(log.submit(event(number).occurred_at(at)).expect("room"));
    }
    log.append(event(5_000)).expect("recorded");
    log.erase_records([700..=1_300, 2_000..=2_000], "test").expect("erased");
    assert!(indexed(&scene) > 1);
    let reader = log.reader();
    let plain = Plain::of(&reader);
    let parameter = |field, value: &str| -> Parameter { (field, vec![value.into()], false) };
    let (start, end) = ("2026-02-02T04:00:00.000000Z", "2026-02-02T09:00:00.000000Z");
    for parameters in [
        vec![],
        vec![parameter("outcome", "denied")],
        vec![parameter("start_time", start), parameter("end_time", end)],
        vec![parameter("start_time", start), parameter("user_id", "usr_1")],
    ] {
        for field in [None, Some("event_type"), Some("actor_id")] {
            for seconds in [None, Some(60), Some(3600), Some(86_400)] {
                check_count(&reader, &plain, &parameters, field, seconds);
            }
        }
    }
}

#[test]
fn counting_is_recorded_and_refuses_what_it_cannot_do() {
    let log = memory_log();
    log.append(event(1)).expect("recorded");
    let query = Query::new().actor_id("usr_1").asked_by(Actor::admin("usr_bob"));
    let counts = log.count(&query, &CountBy::new()).expect("counted");
    assert_eq!(
        counts.groups.iter().map(|group| group.records).sum::<u64>(),
        counts.total
    );
    log.append(event(2)).expect("recorded");
    let reader = log.reader();
    let accessed = reader.records(..).expect("readable");
    let accessed = accessed.map(|record| record.expect("readable").merged_json().expect("kept"));
    let accessed: Vec<String> = accessed.filter(|json| json.contains("audit_log.accessed")).collect();
    assert_eq!(accessed.len(), 1);
    assert!(
        accessed[0].contains("usr_bob") && accessed[0].contains("actor_id=usr_1"),
        "{}",
        accessed[0]
    );
    let refused = |query: Query| log.count(&query, &CountBy::new()).expect_err("refused").to_string();
    assert!(refused(Query::new().after("xyz")).contains("cursor: is for pages"));
    assert!(refused(Query::new().seq_from(5).seq_to(5)).contains("seq_from"));
    assert!("1h,1d".parse::<CountBy>().is_err());
    assert!("outcome,severity".parse::<CountBy>().is_err());
    let error = "fortnight".parse::<CountBy>().expect_err("none").to_string();
    assert!(error.starts_with("by: takes a field"), "{error}");
}

#[test]
fn the_example_of_the_product_page_works_as_it_stands() {
    let log = memory_log();
    let query = "start_time=2026-02-01T00:00:00Z&event_type=auth.login.failed&actor_id=usr_alice123";
    let query = Query::parse(query).expect("a query");
    let login = |second| {
        Event::new("auth.login.failed")
            .actor(Actor::user("usr_alice123"))
            .occurred_at(time(second))
    };
    let before = "2026-01-31T23:59:59.999999Z"
        .parse::<indelible::Timestamp>()
        .expect("a time");
    log.append(login(0).occurred_at(before)).expect("recorded");
    let wanted = log.append(login(1)).expect("recorded");
    log.append(login(2).actor(Actor::user("usr_bob"))).expect("recorded");
    let page = log.query(&query).expect("an answer");
    let found: Vec<u64> = page.found.iter().map(|found| found.record.seq()).collect();
    assert_eq!(found, [wanted.seq]);
}

#[test]
fn a_cursor_stays_right_while_the_log_grows_erases_and_purges() {
    let scene = Scene::new();
    let log = scene
        .builder()
        .open(FileStore::new(scene.folder()).segment_size(4_000))
        .expect("opens");
    for number in 0..60 {
        log.append(login(number)).expect("recorded");
    }
    let reader = log.reader();
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let query = Query::new().action("auth.login.*").order(order).limit(7);
        let mut seen: Vec<u64> = Vec::new();
        let (mut cursor, mut purged, mut round) = (None::<String>, false, 0);
        loop {
            let asked = cursor
                .take()
                .map_or(query.clone(), |cursor| query.clone().after(cursor));
            let page = reader.query(&asked).expect("an answer");
            seen.extend(page.found.iter().map(|found| found.record.seq()));
            purged |= page.gone.purged.is_some();
            round += 1;
            log.append(login("more")).expect("recorded");
            if round == 2 {
                log.erase_records([40..=44], "test").expect("erased");
            }
            if round == 3 {
                log.purge(30).expect("purged");
            }
            match page.next {
                Some(next) if round < 100 => cursor = Some(next),
                _ => break,
            }
        }
        let distinct: BTreeSet<u64> = seen.iter().copied().collect();
        assert_eq!(distinct.len(), seen.len(), "none is repeated");
        let is_sorted = match order {
            Order::OldestFirst => seen.is_sorted(),
            Order::NewestFirst => seen.is_sorted_by(|a, b| a >= b),
        };
        assert!(is_sorted && purged, "{seen:?}");
        let first = reader.first().expect("readable").expect("a record");
        let newest_first = order == Order::NewestFirst;
        for record in reader
            .records(..60)
            .expect("readable")
            .map(|record| record.expect("readable"))
        {
            let is_login = record.action().is_some_and(|action| action.starts_with("auth.login"));
            assert!(
                !is_login || seen.contains(&record.seq()),
                "{} of {first}, {newest_first}",
                record.seq()
            );
        }
    }
    log.close(SOON).expect("closed");
}

#[test]
fn a_cursor_of_another_query_is_refused() {
    let reader = &scenes()[0];
    let query = Query::new().action("auth.*").limit(1);
    let next = reader.query(&query).expect("an answer").next.expect("more");
    let others = [
        Query::new().action("auth.login.*"),
        query.clone().order(Order::OldestFirst),
        query.clone().with(indelible::query::Field::Outcome, "failure"),
    ];
    for other in others {
        let error = reader.query(&other.after(&*next)).expect_err("another query");
        assert!(
            matches!(error.cause(), Cause::InvalidQuery(_)) && error.to_string().starts_with("cursor: "),
            "{error}"
        );
    }
    for (at, _) in next.char_indices() {
        let mut damaged = next.clone();
        let other = if &next[at..=at] == "A" { "B" } else { "A" };
        damaged.replace_range(at..=at, other);
        let result = reader.query(&query.clone().after(damaged));
        // The last digit has bits that say nothing.
        assert!(result.is_err() || at + 1 == next.len(), "byte {at}");
    }
    // Another limit is the same query.
    reader.query(&query.limit(2).after(next)).expect("an answer");
}

#[test]
fn a_period_begins_once_for_all_pages() {
    let log = memory_log();
    let now = std::time::SystemTime::now();
    for seconds in [0, 1, 2, 30, 50, 70, 7200] {
        let then = now - Duration::from_secs(seconds);
        log.append(login(seconds).occurred_at(then)).expect("recorded");
    }
    let query = Query::parse("last=1m&event_type=auth.login.*&order=oldest&limit=1").expect("a query");
    let pages = all(&log.reader(), &query);
    assert_eq!(pages.iter().map(|page| page.found.len()).sum::<usize>(), 5);
    let by_log = Query::new()
        .last(Duration::from_secs(60))
        .by(TimeField::RecordedAt)
        .action("auth.login.*");
    assert_eq!(log.reader().query(&by_log).expect("an answer").found.len(), 7);
}

#[test]
fn asking_is_recorded_once_for_all_pages_and_says_who_and_what() {
    let log = memory_log();
    for number in 0..5 {
        log.append(login(number)).expect("recorded");
    }
    let query = Query::parse("event_type=auth.login.*&ip.not=10.0.0.0/8&limit=2").expect("a query");
    let query = query.asked_by(Actor::admin("usr_auditor"));
    let next = log.query(&query).expect("an answer").next.expect("more");
    log.query(&query.clone().after(next)).expect("an answer");
    log.query(&Query::new().tenant("org_9")).expect("an answer");
    log.query(&Query::new().limit(0)).expect_err("no page");
    log.append(login("after")).expect("recorded");
    let accessed = log
        .reader()
        .query(&Query::new().action("audit_log.accessed").order(Order::OldestFirst));
    let accessed: Vec<Value> = accessed
        .expect("an answer")
        .found
        .iter()
        .map(|found| serde_json::from_str(&found.record.merged_json().expect("there")).expect("JSON"))
        .collect();
    assert_eq!(accessed.len(), 2);
    assert_eq!(accessed[0]["actor"]["id"], "usr_auditor");
    assert_eq!(
        accessed[0]["metadata"]["filter"],
        "event_type=auth.login.*&ip.not=10.0.0.0/8"
    );
    assert_eq!(accessed[0]["metadata"]["records"], 2);
    assert_eq!(
        accessed[0]["personal"]["metadata"][0], "filter",
        "an address may be in it"
    );
    assert_eq!(accessed[1]["metadata"]["filter"], "tenant_id=org_9");
    assert!(accessed[1].get("personal").is_none());
}

#[test]
fn a_page_has_proofs_if_they_are_wanted() {
    let scene = Scene::new();
    let log = scene.open();
    for number in 0..20 {
        log.append(login(number)).expect("recorded");
    }
    let query = Query::new().action("auth.login.*").limit(3);
    assert!(
        log.query(&query)
            .expect("an answer")
            .found
            .iter()
            .all(|found| found.proof.is_none())
    );
    let query = query.with_proofs();
    let readers = [log.query(&query), LogReader::new(scene.store()).query(&query)];
    for page in readers {
        for found in page.expect("an answer").found {
            let proof = found.proof.as_ref().expect("a proof");
            proof.verify(found.record.hash(), &log.vkey()).expect("verifies");
            let json: Value = serde_json::from_str(&found.to_json().expect("there")).expect("JSON");
            assert_eq!(json["seq"], found.record.seq());
            assert_eq!(json["proof"], proof.to_string());
        }
    }
    log.close(SOON).expect("closed");
}

#[test]
fn a_damaged_index_changes_no_answer_and_is_made_anew() {
    let scene = Scene::new();
    let open = || {
        let store = FileStore::new(scene.folder()).segment_size(40_000);
        scene.builder().open(store).expect("opens")
    };
    let log = open();
    fill(&log, 150);
    let sealed = indexed(&scene);
    log.close(SOON).expect("closed");
    let queries = [
        "actor_id=usr_1",
        "outcome=denied&tenant_id=org_1",
        "metadata.attempt=3&end_time=2026-02-01T00:00:20Z",
    ];
    let queries = queries.map(|query| Query::parse(query).expect("a query").limit(1000));
    let answers = |reader: &LogReader| {
        let found = |page: Page| page.found.iter().map(|found| found.record.seq()).collect::<Vec<_>>();
        queries
            .each_ref()
            .map(|query| found(reader.query(query).expect("an answer")))
    };
    let right = answers(&LogReader::new(scene.store()));
    assert!(right.iter().all(|found| found.len() > 3), "{right:?}");
    let index = list(&scene.folder().join("index")).pop().expect("an index");
    let content = std::fs::read(&index).expect("readable");
    let mut damaged: Vec<Vec<u8>> = (0..content.len())
        .step_by(61)
        .map(|at| {
            let mut damaged = content.clone();
            damaged[at] ^= 0x10;
            damaged
        })
        .collect();
    damaged.extend(
        (0..content.len())
            .step_by(1000)
            .map(|length| content[..length].to_vec()),
    );
    for (at, damaged) in damaged.iter().enumerate() {
        std::fs::write(&index, damaged).expect("written");
        assert_eq!(answers(&LogReader::new(scene.store())), right, "damage {at}");
        assert!(index.exists(), "a reader removes nothing");
    }
    // The log itself makes it anew.
    std::fs::write(&index, &damaged[0]).expect("written");
    let log = open();
    assert_eq!(answers(&log.reader()), right);
    log.append(login("more")).expect("recorded");
    eventually("it is removed", || !index.exists());
    assert!(indexed(&scene) >= sealed, "it is made anew");
    assert_eq!(answers(&log.reader()), right);
    log.close(SOON).expect("closed");
}

#[test]
fn what_is_erased_is_erased_from_the_indexes() {
    let scene = Scene::new();
    let store = FileStore::new(scene.folder()).segment_size(30_000);
    let log = scene.builder().open(store).expect("opens");
    let email = "gone@example.com";
    for number in 0..100 {
        let event = login(number).actor(Actor::user(format!("usr_{number}")).email(email));
        log.append(event).expect("recorded");
    }
    indexed(&scene);
    let query = Query::new()
        .with(indelible::query::Field::ActorEmail, email)
        .limit(1000);
    assert_eq!(log.reader().query(&query).expect("an answer").found.len(), 100);
    let before = list(&scene.folder().join("index"));
    log.erase_personal_data([10..=90], "gdpr_art_17").expect("erased");
    let page = log.reader().query(&query).expect("an answer");
    assert_eq!((page.found.len(), page.gone.personal_erased), (19, 81));
    indexed(&scene);
    let after = list(&scene.folder().join("index"));
    let kept = after.iter().filter(|path| before.contains(path)).count();
    assert!(kept <= 1, "an index of what was there is left: {kept}");
    let page = log.reader().query(&query).expect("an answer");
    assert_eq!((page.found.len(), page.gone.personal_erased), (19, 81));
    log.close(SOON).expect("closed");
}

/// Nothing is appended after it: the segment that it ended is the last one still.
#[test]
fn what_is_erased_of_the_newest_records_is_told_at_once() {
    let scene = Scene::new();
    let log = scene.open();
    for number in 0..20 {
        log.append(login(number % 2)).expect("recorded");
    }
    let query = Query::new().actor_id("usr_1").seq_from(2);
    let reader = log.reader();
    let gone = || {
        let page = reader.query(&query).expect("an answer");
        (page.found.len(), page.gone.erased)
    };
    // By then what is written to is indexed in memory.
    std::thread::sleep(Duration::from_millis(2_200));
    assert_eq!(gone(), (10, 0));
    log.erase_records(&query, "request").expect("erased");
    assert_eq!(gone(), (0, 10));
    std::thread::sleep(Duration::from_millis(2_200));
    assert_eq!(gone(), (0, 10));
    log.append(login(1)).expect("recorded");
    assert_eq!(gone(), (1, 10));
}

/// What is passed over may reach beyond the range that is asked for.
#[test]
fn a_range_that_ends_before_the_next_match_is_whole() {
    let scene = Scene::new();
    let log = crate::export::log_of(&scene, 40);
    for (from, to) in (0..42).flat_map(|from| (from + 1..=42).map(move |to| (from, to))) {
        let text = format!("event_type=auth.login.failed&seq_from={from}&seq_to={to}&order=oldest");
        let page = log.reader().query(&crate::export::query(&text)).expect("found");
        let found: Vec<u64> = page.found.iter().map(|found| found.record.seq()).collect();
        let failed: Vec<u64> = (from.max(2)..to).filter(|seq| seq % 3 == 0).collect();
        assert_eq!(found, failed, "{text}");
    }
}
