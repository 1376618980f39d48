//! Retentions, rules and periods: what is read is printed in one way that reads the same, and says when a record is over.

#![no_main]

use std::sync::LazyLock;

use indelible::retention::{Period, Retention, Rule};
use indelible::{Record, Timestamp};
use libfuzzer_sys::fuzz_target;

static RECORD: LazyLock<Record> = LazyLock::new(|| {
    let record = include_bytes!("../../tests/vectors/format-1/proofs/3.record.json");
    Record::from_json(record).expect("a record")
});

fuzz_target!(|text: &str| {
    if let Ok(period) = text.parse::<Period>() {
        assert_eq!(period.to_string(), text);
        let times = [Timestamp::MIN, RECORD.recorded_at().expect("a time"), Timestamp::MAX];
        let ends = times.map(|time| period.after(time));
        assert!(ends.is_sorted() && ends[0] > times[0] && ends[1] > times[1], "{ends:?}");
    }
    if let Ok(rule) = text.parse::<Rule>() {
        let printed = rule.to_string();
        let again: Rule = printed.parse().expect("what was printed is read");
        assert_eq!(again, rule);
        assert_eq!(again.to_string(), printed);
        // One rule is a line of a retention, beside a default.
        let retention: Retention = format!("{printed};90d").parse().expect("a retention");
        assert_eq!(retention, Retention::keep(Period::DAYS_90).rule(rule));
    }
    if let Ok(retention) = text.parse::<Retention>() {
        assert_eq!(retention.check(), Ok(()));
        let printed = retention.to_string();
        let again: Retention = printed.parse().expect("what was printed is read");
        assert_eq!(again, retention);
        assert_eq!(again.to_string(), printed);
        let over_at = retention.over_at(&RECORD);
        assert_eq!(again.over_at(&RECORD), over_at);
        assert!(over_at.is_none_or(|over_at| Some(over_at) > RECORD.recorded_at()));
    }
});
