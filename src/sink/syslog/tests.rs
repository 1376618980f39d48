//! What is written is read back by a parser of RFC 5424 nobody here wrote.

use proptest::prelude::*;
use syslog_rfc5424::{SyslogMessage, parse_message};

use super::format::{Content, HEADER_BYTES_MAX, Header, Names, What};
use crate::event::Severity;
use crate::hash::Hash;
use crate::schema::syslog::Facility;
use crate::timestamp::Timestamp;

fn names() -> Names {
    Names {
        facility: Facility::Audit,
        enterprise_number: 32473,
        hostname: Some("auth-1.example.com".into()),
        app_name: Some("auth".into()),
    }
}

fn content(text: &str) -> Content<'_> {
    Content {
        severity: Severity::Medium,
        time: Timestamp::from_unix_micros(1_770_000_000_123_456).expect("a time"),
        action: "auth.login.failed",
        what: What::Record(7, Hash::of(b"record")),
        text,
    }
}

fn written(names: &Names, content: &Content<'_>) -> String {
    let mut out = Vec::new();
    Header::new(names).expect("a header").write(&mut out, content);
    String::from_utf8(out).expect("UTF-8")
}

fn parsed(text: &str) -> SyslogMessage {
    parse_message(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn severity() -> impl Strategy<Value = Severity> {
    prop::sample::select(vec![
        Severity::Informational,
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ])
}

#[test]
fn a_message_is_written_as_the_rfc_says() {
    let text = written(&names(), &content("{\"a\":1}"));
    let (process, hash) = (std::process::id(), Hash::of(b"record"));
    let expected = format!(
        "<108>1 2026-02-02T02:40:00.123456Z auth-1.example.com auth {process} auth.login.failed \
         [indelible@32473 seq=\"7\" hash=\"{hash}\"] {{\"a\":1}}"
    );
    assert_eq!(text, expected);
}

#[test]
fn names_of_this_machine_and_program_are_found() {
    let unset = Names {
        hostname: None,
        app_name: None,
        ..names()
    };
    let message = parsed(&written(&unset, &content("{}")));
    assert!(message.appname.is_some_and(|name| name.contains("indelible")));
    assert_eq!(message.hostname.is_some(), cfg!(target_os = "linux"));
}

#[test]
fn names_that_syslog_does_not_take_are_refused_by_option() {
    let with = |change: fn(&mut Names)| {
        let mut names = names();
        change(&mut names);
        Header::new(&names).expect_err("refused").to_string()
    };
    assert!(with(|names| names.hostname = Some("a b".into())).starts_with("hostname: "));
    assert!(with(|names| names.hostname = Some(String::new())).starts_with("hostname: "));
    assert!(with(|names| names.app_name = Some("a".repeat(49))).starts_with("app_name: "));
    assert!(with(|names| names.app_name = Some("é".into())).starts_with("app_name: "));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        facility in prop::sample::select(vec![Facility::AuthPriv, Facility::Audit, Facility::Local0, Facility::Local7]),
        number in any::<u32>(),
        hostname in "[!-~]{1,255}",
        app_name in "[!-~]{1,48}",
        severity in severity(),
        micros in 0_i64..250_000_000_000_000_000,
        action in "\\PC{0,60}",
        seq in prop::option::of(0_u64..1 << 53),
        text in "\\PC{0,200}",
    ) {
        let names = Names {
            facility,
            enterprise_number: number,
            hostname: Some(hostname.clone()),
            app_name: Some(app_name.clone()),
        };
        let hash = Hash::of(text.as_bytes());
        let content = Content {
            severity,
            time: Timestamp::from_unix_micros(micros).expect("a time"),
            action: &action,
            what: seq.map_or(What::Checkpoint(99), |seq| What::Record(seq, hash)),
            text: &text,
        };
        let line = written(&names, &content);
        prop_assert!(line.len() <= HEADER_BYTES_MAX + 6 * text.len());
        let message = parsed(&line);
        prop_assert_eq!(message.facility as u8, facility.code());
        prop_assert_eq!(message.severity as u8, severity.syslog());
        prop_assert_eq!(message.timestamp, Some(micros.div_euclid(1_000_000)));
        prop_assert_eq!(message.timestamp_nanos, Some(u32::try_from(micros.rem_euclid(1_000_000)).unwrap() * 1000));
        let named = |name: &str| (name != "-").then(|| name.to_owned());
        prop_assert_eq!(message.hostname, named(&hostname));
        prop_assert_eq!(message.appname, named(&app_name));
        let id: String = action.chars().filter(char::is_ascii_graphic).take(32).collect();
        prop_assert_eq!(message.msgid, named(&id).filter(|id| !id.is_empty()));
        let id = format!("indelible@{number}");
        let found = |name: &str| message.sd.find_tuple(&id, name).cloned();
        prop_assert_eq!(found("seq"), seq.map(|seq| seq.to_string()));
        prop_assert_eq!(found("hash"), seq.map(|_| hash.to_string()));
        prop_assert_eq!(found("checkpoint"), seq.is_none().then(|| "99".to_owned()));
        prop_assert_eq!(message.msg, text);
    }
}
