use std::collections::BTreeMap;

use super::super::cef;
use super::*;

/// The seven fields of the header and the extension, read strictly: every escape is one that its place has, every key is
/// there once.
pub(super) fn split(line: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let mut header = Vec::new();
    let mut rest = line;
    while header.len() < 7 {
        let end = unescaped(rest, '|').expect("seven fields");
        header.push(unescape(&rest[..end], "\\|"));
        rest = &rest[end + 1..];
    }
    let mut fields = BTreeMap::new();
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=').expect("a key");
        assert!(
            !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "{key:?} in {line}"
        );
        // The value ends with the space before the next key, or with the line.
        let end = unescaped(value, '=').map(|next| value[..next].rfind(' ').expect("a space"));
        let (value, after) = value.split_at(end.unwrap_or(value.len()));
        let value = unescape(value, "\\=nr");
        assert!(fields.insert(key.to_owned(), value).is_none(), "{key} twice in {line}");
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    (header, fields)
}

/// Where the first of these characters stands that no backslash escapes.
fn unescaped(text: &str, wanted: char) -> Option<usize> {
    let mut is_escaped = false;
    text.find(|char| {
        let is_it = char == wanted && !is_escaped;
        is_escaped = char == '\\' && !is_escaped;
        is_it
    })
}

fn unescape(text: &str, escapes: &str) -> String {
    let (mut plain, mut chars) = (String::new(), text.chars());
    while let Some(char) = chars.next() {
        assert!(!"\n\r".contains(char), "a line break");
        plain.push(match char {
            '\\' => match chars.next().filter(|char| escapes.contains(*char)).expect("an escape") {
                'n' => '\n',
                'r' => '\r',
                other => other,
            },
            _ => char,
        });
    }
    plain
}

fn mapped(record: &Record) -> (Vec<String>, BTreeMap<String, String>) {
    let (header, fields) = split(&cef::record(record, None).unwrap());
    assert_eq!(header[0], "CEF:0");
    assert!(header.iter().all(|field| !field.is_empty()));
    assert_eq!((&*fields["cn1"], &*fields["cn1Label"]), ("7", "seq"));
    assert_eq!(
        (&*fields["cs1"], &*fields["cs1Label"]),
        (&*record.hash().to_string(), "hash")
    );
    (header, fields)
}

#[test]
fn every_action_is_read_back() {
    for action in actions() {
        for record in [bare(&action), full(&action)] {
            let (header, fields) = mapped(&record);
            assert_eq!(header[4], action);
            assert_eq!(fields["act"], action);
            assert!(header[6].parse::<u8>().unwrap() <= 10);
        }
    }
}

#[test]
fn real_events_are_read_back() {
    let mapped: Vec<_> = real().map(|record| mapped(&record)).collect();
    assert_eq!(mapped.len(), 2900);
}

#[test]
fn each_thing_stands_in_its_place() {
    let (header, fields) = mapped(&full("auth.login.failed"));
    assert_eq!(header[1..4], ["indelible", "audit log", env!("CARGO_PKG_VERSION")]);
    assert_eq!(
        header[4..],
        [
            "auth.login.failed",
            "A login failed, such as with a wrong password or for an unknown user.",
            "8"
        ]
    );
    let field = |key: &str| &*fields[key];
    assert_eq!(field("reason"), "line\nfeed and \r return");
    assert_eq!((field("suid"), field("suser")), ("usr_alice123", "alice@example.com"));
    assert_eq!((field("duid"), field("duser")), ("usr_carol", "carol@example.com"));
    assert_eq!(
        (field("c6a2"), field("c6a2Label")),
        ("2001:db8::1", "Source IPv6 Address")
    );
    assert_eq!((field("start"), field("rt")), ("1769904004156", "1769904005000"));
    assert_eq!((field("outcome"), field("cat")), ("denied", "authentication"));
    assert_eq!((field("cn2"), field("cfp1")), ("200", "12"));
    assert_eq!(
        field("requestClientApplication"),
        r"Mozilla/5.0 (X11; Linux x86_64) a=b\c"
    );
    let rest: Value = serde_json::from_str(field("indelibleUnmapped")).unwrap();
    assert_eq!(rest["occurred_at"], "2026-02-01T00:00:04.156010Z");
    assert_eq!(rest["actor"]["name"], "Alice \"A\" Å\u{2028}lesund");
    assert_eq!(rest["metadata"]["note"], "call = back\nlater \\");
    assert_eq!(rest["targets"][2]["id"], "role_billing");
}

#[test]
fn an_ipv4_address_is_the_source() {
    let event = Event::new("auth.login.failed")
        .actor(Actor::user("u"))
        .ip(std::net::Ipv4Addr::LOCALHOST);
    let (_, fields) = mapped(&record_of(&event));
    assert_eq!(fields["src"], "127.0.0.1");
    assert!(!fields.contains_key("c6a2") && !fields.contains_key("duid"));
}

#[test]
fn nothing_is_cut() {
    let event = |id: &str| Event::new("auth.login.failed").actor(Actor::user("u")).id(id);
    let (_, fields) = mapped(&record_of(&event(&"a".repeat(40))));
    assert_eq!(fields["externalId"], "a".repeat(40));
    let (_, fields) = mapped(&record_of(&event(&"a".repeat(41)).reason("é".repeat(1023)).source("")));
    assert!(!fields.contains_key("externalId") && !fields.contains_key("sourceServiceName"));
    assert_eq!(fields["reason"], "é".repeat(1023));
    let rest: Value = serde_json::from_str(&fields["indelibleUnmapped"]).unwrap();
    assert_eq!(rest["id"], "a".repeat(41));
    assert_eq!(rest["source"], "");
}

#[test]
fn control_characters_stand_as_json_escapes_them() {
    let event = Event::new("auth.login.failed")
        .actor(Actor::user("tab\there").email("\u{7}@example.com"))
        .reason("\u{1b}[2J\0");
    let record = record_of(&event);
    let line = cef::record(&record, record.line()).unwrap();
    assert!(line.chars().all(|char| char >= ' '), "{line:?}");
    let fields = split(&line).1;
    let rest: Value = serde_json::from_str(&fields["indelibleUnmapped"]).unwrap();
    assert_eq!(
        (&rest["actor"]["id"], &rest["reason"]),
        (&"tab\there".into(), &"\u{1b}[2J\0".into())
    );
    assert_eq!(rest["actor"]["email"], "\u{7}@example.com");
    assert_eq!(Record::from_line(fields["rawEvent"].as_bytes()).unwrap(), record);
}

#[test]
fn a_header_has_no_line_breaks() {
    let record = recorded(
        r#"{"action":"a|b\\c\nd=e"}"#,
        r#"{"salt":"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"}"#,
    );
    let line = cef::record(&record, None).unwrap();
    assert!(line.contains(r"|a\|b\\c d=e|a\|b\\c d=e|0|"), "{line}");
    assert_eq!(split(&line).1["act"], "a|b\\c\nd=e");
}

#[test]
fn checkpoints_are_read_back() {
    let (header, fields) = split(&cef::checkpoint(&interface::checkpoint(), Timestamp::MIN));
    assert_eq!(header[4], "audit_log.checkpoint");
    assert_eq!((&*fields["cn1"], &*fields["rt"]), ("42", "-62167219200000"));
    assert_eq!(fields["rawEvent"], interface::checkpoint().as_str());
}

proptest! {
    #[test]
    fn any_event_is_read_back(event in strategy::event()) {
        mapped(&record_of(&event));
    }

    #[test]
    fn whatever_stands_in_a_record_is_read_back(record in wild()) {
        mapped(&record);
    }
}
