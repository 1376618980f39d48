use super::super::syslog::{Facility, priority};
use super::super::{cef, ecs, ocsf};
use super::*;
use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::hash::Hash;
use crate::sign::SigningKey;

pub(super) fn checkpoint() -> SignedCheckpoint {
    let key = SigningKey::from_seed("auth.example.com/audit".parse().unwrap(), &[1; 32]).unwrap();
    let checkpoint = Checkpoint::new("auth.example.com/audit".parse().unwrap(), 42, Hash::of(b"root")).unwrap();
    checkpoint.sign(&[&key]).unwrap()
}

/// All three of a record.
fn all(record: &Record, original: Option<&str>) -> [Option<String>; 3] {
    [
        ocsf::record(record, original),
        ecs::record(record, original),
        cef::record(record, original),
    ]
}

#[test]
fn an_erased_record_has_nothing_to_map() {
    let line = format!(r#"{{"erased":"{}","seq":7}}"#, "ab".repeat(32));
    let record = Record::from_line(line.as_bytes()).unwrap();
    assert_eq!(all(&record, None), [None, None, None]);
}

#[test]
fn personal_data_can_be_left_out() {
    let whole = full("auth.login.failed");
    let parts: Value = serde_json::from_str(whole.line().unwrap()).unwrap();
    // What is left of it once its personal data is erased is the same.
    let digest = Hash::of(whole.personal_json().unwrap().as_bytes()).to_string();
    let erased = recorded(whole.event_json().unwrap(), &format!("\"{digest}\""));
    assert_eq!(erased.hash(), whole.hash());
    let without = all(&whole.clone().without_personal_data(), None);
    assert_eq!(without, all(&erased, None));
    for line in without.into_iter().flatten() {
        for personal in [
            "alice@",
            "carol@",
            "Bob",
            "Operations",
            "2001:db8",
            "Mozilla",
            "Oslo",
            "dev_1",
            "+47",
            "later",
        ] {
            assert!(parts["personal"].to_string().contains(personal));
            assert!(!line.contains(personal), "{personal} in {line}");
        }
    }
    for line in all(&whole, None).into_iter().flatten() {
        assert!(
            line.contains("alice@example.com") && !line.contains("a5a5a5a5"),
            "{line}"
        );
    }
}

#[test]
fn the_original_is_verified_out_of_another_schema() {
    let record = full("auth.login.failed");
    let [ocsf, ecs, cef] = all(&record, record.line()).map(Option::unwrap);
    let json = |line: &str, path: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        event.pointer(path).and_then(Value::as_str).unwrap().to_owned()
    };
    let originals = [
        json(&ocsf, "/raw_data"),
        json(&ecs, "/event/original"),
        super::cef::split(&cef).1["rawEvent"].clone(),
    ];
    for original in originals {
        assert_eq!(Record::from_line(original.as_bytes()).unwrap(), record);
    }
}

#[test]
fn priorities_in_syslog() {
    assert_eq!(priority(Facility::AuthPriv, Severity::High), 83);
    assert_eq!(priority(Facility::Local7, Severity::Critical), 186);
    for entry in crate::event::catalogue() {
        let expected = 13 * 8 + entry.syslog_severity;
        assert_eq!(priority(Facility::default(), entry.severity), expected);
    }
}

#[test]
fn outputs_are_one_line() {
    for record in [full("auth.login.failed"), bare("auth.login.failed")] {
        for line in all(&record, Some("a\nb\r\n")).into_iter().flatten() {
            assert!(!line.contains(['\n', '\r']), "{line}");
        }
    }
    let time = Timestamp::MAX;
    let checkpoints = [
        ocsf::checkpoint(&checkpoint(), time),
        ecs::checkpoint(&checkpoint(), time),
        cef::checkpoint(&checkpoint(), time),
    ];
    for line in checkpoints {
        assert!(!line.contains(['\n', '\r']), "{line}");
    }
}
