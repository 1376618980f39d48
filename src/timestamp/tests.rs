use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::*;

fn micros() -> impl Strategy<Value = i64> {
    let bounds = Timestamp::MIN.unix_micros()..=Timestamp::MAX.unix_micros();
    prop_oneof![bounds, 0..=4_102_444_800_000_000i64, -1_000_000..=1_000_000i64]
}

/// The fixed form, by the `time` crate.
fn fixed(time: OffsetDateTime) -> String {
    let time = time.to_offset(UtcOffset::UTC);
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second, micros) = time.to_hms_micro();
    format!(
        "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z",
        u8::from(month)
    )
}

proptest! {
    #[test]
    fn prints_as_the_time_crate(micros in micros()) {
        let time = Timestamp::from_unix_micros(micros).unwrap();
        prop_assert_eq!(time.to_string(), fixed(time.into()));
        prop_assert_eq!(Timestamp::from(OffsetDateTime::from(time)), time);
    }

    #[test]
    fn parses_what_it_prints(micros in micros()) {
        let time = Timestamp::from_unix_micros(micros).unwrap();
        prop_assert_eq!(time.to_string().parse(), Ok(time));
        prop_assert_eq!(Timestamp::from_fixed(&time.to_fixed()), Some(time));
    }

    #[test]
    fn parses_as_the_time_crate(
        seconds in -62_167_100_000i64..253_402_200_000,
        nanos in 0u32..1_000_000_000,
        offset in -1439i32..=1439,
    ) {
        let offset = UtcOffset::from_whole_seconds(offset * 60).unwrap();
        let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap().replace_nanosecond(nanos).unwrap();
        let text = time.to_offset(offset).format(&Rfc3339);
        // The years before 0000 and after 9999 that an offset can lead to have no form.
        prop_assume!(text.is_ok());
        let parsed: Timestamp = text.unwrap().parse().unwrap();
        prop_assert_eq!(parsed, Timestamp::from(time));
        prop_assert_eq!(parsed.to_string(), fixed(time));
    }

    #[test]
    fn refuses_what_the_time_crate_refuses(text in "[0-9]{4}-[0-9]{2}-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,12})?(Z|[+-][0-2][0-9]:[0-6][0-9])") {
        let second = &text[17..19];
        prop_assume!(second != "60");
        let expected = OffsetDateTime::parse(&text, &Rfc3339).map(|time| time.to_offset(UtcOffset::UTC));
        let expected = expected.ok().filter(|time| (0..=9999).contains(&time.year()));
        prop_assert_eq!(text.parse::<Timestamp>().ok(), expected.map(Timestamp::from));
    }

    #[test]
    fn never_panics(text in any::<String>(), bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let _ = text.parse::<Timestamp>();
        let _ = Timestamp::from_fixed(&bytes);
    }

    #[test]
    fn cuts_a_system_time(nanos in -1_000_000_000_000i64..1_000_000_000_000) {
        let distance = Duration::from_nanos(nanos.unsigned_abs());
        let epoch = SystemTime::UNIX_EPOCH;
        let time = if nanos < 0 { epoch - distance } else { epoch + distance };
        prop_assert_eq!(Timestamp::from(time).unix_micros(), nanos.div_euclid(1000));
    }
}

#[test]
fn takes_every_spelling_of_rfc_3339() {
    let expected = "1985-04-12T23:20:50.520000Z";
    for text in [
        "1985-04-12T23:20:50.52Z",
        "1985-04-12t23:20:50.52z",
        "1985-04-12 23:20:50.520Z",
        "1985-04-12T23:20:50.5200009999999999999999999999Z",
        "1985-04-12T23:20:50.52-00:00",
        "1985-04-13T09:05:50.52+09:45",
        "1985-04-12T00:00:50.52-23:20",
    ] {
        assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), expected, "{text}");
    }
}

#[test]
fn refuses_what_is_no_time() {
    use ParseTimestampError::*;
    for (text, error) in [
        ("", Form),
        ("1985-04-12", Form),
        ("1985-04-12T23:20:50", Form),
        ("1985-04-12T23:20Z", Form),
        ("1985-04-12T23:20:50.Z", Form),
        ("1985-04-12T23:20:50,5Z", Form),
        ("1985-04-12T23:20:50Z ", Form),
        ("1985-04-12T23:20:50+0100", Form),
        ("19850412T232050Z", Form),
        ("+1985-04-12T23:20:50Z", Form),
        ("1985-4-12T23:20:50Z", Form),
        ("1985-04-12T23:20:5٣Z", Form),
        ("1985-00-12T23:20:50Z", NoSuchTime),
        ("1985-13-12T23:20:50Z", NoSuchTime),
        ("1985-04-31T23:20:50Z", NoSuchTime),
        ("1985-02-29T23:20:50Z", NoSuchTime),
        ("1900-02-29T23:20:50Z", NoSuchTime),
        ("1985-04-00T23:20:50Z", NoSuchTime),
        ("1985-04-12T24:00:00Z", NoSuchTime),
        ("1985-04-12T23:60:00Z", NoSuchTime),
        ("1985-04-12T23:20:61Z", NoSuchTime),
        ("1985-04-12T23:20:50+24:00", NoSuchTime),
        ("1985-04-12T23:20:50+01:60", NoSuchTime),
        ("2016-12-31T23:59:60Z", LeapSecond),
        ("2017-01-01T00:59:60.5+01:00", LeapSecond),
        ("0000-01-01T00:00:00+00:01", Year),
        ("9999-12-31T23:59:59-00:01", Year),
    ] {
        assert_eq!(text.parse::<Timestamp>(), Err(error), "{text}");
    }
}

#[test]
fn takes_the_ends_of_its_range() {
    assert_eq!("0000-01-01T00:00:00Z".parse(), Ok(Timestamp::MIN));
    assert_eq!("9999-12-31T23:59:59.9999999Z".parse(), Ok(Timestamp::MAX));
    assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00.000000Z");
    assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
    assert_eq!(Timestamp::from_unix_micros(Timestamp::MIN.unix_micros() - 1), None);
    assert_eq!(Timestamp::from_unix_micros(Timestamp::MAX.unix_micros() + 1), None);
    assert_eq!(
        "2000-02-29T00:00:00Z".parse::<Timestamp>().unwrap().to_string(),
        "2000-02-29T00:00:00.000000Z"
    );
}

#[test]
fn clamps_system_times_beyond_its_range() {
    let far = Duration::from_secs(1 << 40);
    if let Some(time) = SystemTime::UNIX_EPOCH.checked_add(far) {
        assert_eq!(Timestamp::from(time), Timestamp::MAX);
    }
    if let Some(time) = SystemTime::UNIX_EPOCH.checked_sub(far) {
        assert_eq!(Timestamp::from(time), Timestamp::MIN);
    }
}

#[test]
fn the_fixed_form_has_no_other_spelling() {
    assert!(Timestamp::from_fixed(b"2026-02-01T00:00:04.156010Z").is_some());
    for text in [
        "2026-02-01t00:00:04.156010Z",
        "2026-02-01T00:00:04.156010z",
        "2026-02-01 00:00:04.156010Z",
        "2026-02-01T00:00:04.15601Z",
        "2026-02-01T00:00:04.1560100Z",
        "2026-02-01T00:00:04.+00:00Z",
        "2026-02-01T00:00:60.156010Z",
        "2026-02-30T00:00:04.156010Z",
        "2026-02-01T00:00:04Z",
    ] {
        assert_eq!(Timestamp::from_fixed(text.as_bytes()), None, "{text}");
    }
}
