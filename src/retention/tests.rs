use proptest::prelude::*;
use time::{Date, Month, OffsetDateTime};

use super::*;
use crate::record::Draft;
use crate::{Action, Hash, Severity};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn the_days_that_not_every_month_or_year_has() {
    let year = Period::YEAR_1;
    let month = Period::months(1).unwrap();
    for (period, from, to) in [
        (year, "2024-02-29T13:00:00Z", "2025-03-01T00:00:00Z"),
        (
            Period::years(4).unwrap(),
            "2024-02-29T13:00:00Z",
            "2028-02-29T13:00:00Z",
        ),
        (
            Period::years(76).unwrap(),
            "2024-02-29T13:00:00Z",
            "2100-03-01T00:00:00Z",
        ),
        (
            Period::years(376).unwrap(),
            "2024-02-29T13:00:00Z",
            "2400-02-29T13:00:00Z",
        ),
        (year, "2024-02-28T13:00:00Z", "2025-02-28T13:00:00Z"),
        (year, "2023-03-01T00:00:00Z", "2024-03-01T00:00:00Z"),
        (month, "2023-01-31T05:00:00Z", "2023-03-01T00:00:00Z"),
        (month, "2024-01-31T05:00:00Z", "2024-03-01T00:00:00Z"),
        (month, "2024-01-29T05:00:00Z", "2024-02-29T05:00:00Z"),
        (month, "2023-12-31T23:59:59.999999Z", "2024-01-31T23:59:59.999999Z"),
        (
            Period::months(14).unwrap(),
            "2022-12-31T01:00:00Z",
            "2024-03-01T00:00:00Z",
        ),
        (Period::DAYS_90, "2024-01-31T05:00:00Z", "2024-04-30T05:00:00Z"),
        (Period::DAYS_90, "2023-01-31T05:00:00Z", "2023-05-01T05:00:00Z"),
        (Period::HIPAA, "2026-11-22T08:00:00Z", "2032-11-22T08:00:00Z"),
        (year, "9998-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ] {
        assert_eq!(period.after(time(from)), time(to), "{period} after {from}");
    }
    assert_eq!(year.after(time("9999-01-01T00:00:00Z")), Timestamp::MAX);
    assert_eq!(Period::days(365_000).unwrap().after(Timestamp::MAX), Timestamp::MAX);
}

fn period() -> impl Strategy<Value = Period> {
    prop_oneof![
        (1_u32..=365_000).prop_map(|count| Period::days(count).unwrap()),
        (1_u32..4_000).prop_map(|count| Period::days(count).unwrap()),
        (1_u32..=12_000).prop_map(|count| Period::months(count).unwrap()),
        (1_u32..100).prop_map(|count| Period::months(count).unwrap()),
        (1_u32..=1_000).prop_map(|count| Period::years(count).unwrap()),
        (1_u32..12).prop_map(|count| Period::years(count).unwrap()),
    ]
}

/// Any instant, and those around the ends of months.
fn instant() -> impl Strategy<Value = Timestamp> {
    let around =
        (1900_i32..2500, 1_u8..=12, -3_i64..3, 0_i64..86_400_000_000).prop_map(|(year, month, day, micros)| {
            let first = Date::from_calendar_date(year, Month::try_from(month).unwrap(), 1).unwrap();
            let start = first.midnight().assume_utc().unix_timestamp() + day * 86_400;
            Timestamp::from_unix_micros(start * 1_000_000 + micros).unwrap()
        });
    let any = (Timestamp::MIN.unix_micros()..Timestamp::MAX.unix_micros())
        .prop_map(|micros| Timestamp::from_unix_micros(micros).unwrap());
    prop_oneof![3 => around, 1 => any]
}

/// The same by the `time` crate, one month after the other.
fn expected(period: Period, from: Timestamp) -> Option<OffsetDateTime> {
    let text = period.to_string();
    let (count, unit) = text.split_at(text.len() - 1);
    let count: i32 = count.parse().unwrap();
    let from = OffsetDateTime::from(from);
    if unit == "d" {
        return from.checked_add(time::Duration::days(count.into()));
    }
    let (mut year, mut month) = (from.year(), from.month());
    for _ in 0..if unit == "y" { 12 * count } else { count } {
        month = month.next();
        year += i32::from(month == Month::January);
    }
    match Date::from_calendar_date(year, month, from.day()) {
        Ok(date) => Some(from.replace_date(date)),
        Err(_) if year > 9999 => None,
        Err(_) => {
            let last = Date::from_calendar_date(year, month, month.length(year)).unwrap();
            Some(last.next_day()?.midnight().assume_utc())
        }
    }
}

proptest! {
    #[test]
    fn a_period_is_that_of_the_calendar(period in period(), from in instant()) {
        let wanted = expected(period, from).filter(|end| end.year() <= 9999);
        prop_assert_eq!(period.after(from), wanted.map_or(Timestamp::MAX, Timestamp::from));
        prop_assert_eq!(period.to_string().parse(), Ok(period));
    }

    #[test]
    fn what_begins_first_never_ends_last(period in period(), from in instant(), apart in 0_i64..200_000_000_000) {
        let Some(later) = Timestamp::from_unix_micros(from.unix_micros() + apart) else { return Ok(()) };
        prop_assert!(period.after(from) <= period.after(later));
        prop_assert!(period.after(from) > from || from == Timestamp::MAX);
    }

    #[test]
    fn a_year_is_twelve_months(years in 1_u32..=1_000, from in instant()) {
        prop_assert_eq!(Period::years(years).unwrap().after(from), Period::months(12 * years).unwrap().after(from));
    }

    #[test]
    fn any_text_is_a_retention_or_an_error(text in ".{0,60}") {
        if let Ok(retention) = text.parse::<Retention>() {
            prop_assert_eq!(retention.to_string().parse(), Ok(retention));
        }
    }
}

#[test]
fn periods_as_text() {
    for wrong in [
        "",
        "d",
        "0d",
        "07y",
        "+7y",
        "7",
        "7w",
        "7 y",
        "-1d",
        "1001y",
        "12001m",
        "365001d",
        "99999999999d",
        "7Y",
        "é",
    ] {
        let error = wrong.parse::<Period>().unwrap_err();
        assert!(error.to_string().contains(&format!("not \"{wrong}\"")), "{error}");
    }
    assert!(Period::days(0).is_err() && Period::years(1_001).is_err());
}

#[test]
fn errors_name_the_rule_and_what_it_takes() {
    for (text, error) in [
        ("", "it says no default: a period, or forever"),
        ("7y tenant_id=a", "it says no default: a period, or forever"),
        ("1y; 2y", "it says two defaults"),
        ("1w", "takes a period such as 90d, 6m or 7y, or forever, not \"1w\""),
        (
            "1y; 2y actor_id=usr_1",
            "rule \"2y actor_id=usr_1\": a rule is for some of tenant_id, event_type, category, severity and \
             severity_min, and for nothing else",
        ),
        (
            "1y; 2y limit=5",
            "rule \"2y \": a rule is for some of tenant_id, event_type, category, severity and \
             severity_min, and for nothing else",
        ),
        (
            "1y; 2y severity=loud",
            "rule \"2y severity=loud\": severity: takes one of informational, low, medium, high, critical, not \"loud\"",
        ),
    ] {
        assert_eq!(text.parse::<Retention>().unwrap_err().to_string(), error, "{text}");
    }
    let all = Retention::keep_forever()
        .rule(Rule::keep(Period::YEAR_1))
        .check()
        .unwrap_err();
    assert_eq!(
        all.to_string(),
        "rule \"1y \": it is for every record, as only the default is"
    );
    let tenant = Retention::keep_forever().rule(Rule::keep(Period::YEAR_1).tenant(""));
    assert!(
        tenant
            .check()
            .unwrap_err()
            .to_string()
            .contains("tenant_id: takes a value")
    );
    let text = "forever\n90d tenant_id=a%3Bb+c\n\n7y severity_min=high&event_type.not=auth.*";
    let retention: Retention = text.parse().unwrap();
    let same = Retention::keep_forever()
        .rule(Rule::keep(Period::DAYS_90).tenant("a;b c"))
        .rule("7y event_type.not=auth.*&severity_min=high".parse().unwrap());
    assert_eq!(retention, same);
    assert_eq!(same.to_string().parse(), Ok(same));
}

/// A record as a line.
fn record(action: &str, tenant: &str, severity: Severity, recorded_at: &str) -> Record {
    let mut line = Vec::new();
    Draft::begin(&mut line);
    line.extend_from_slice(
        format!("{{\"action\":\"{action}\",\"severity\":\"{severity}\",\"tenant_id\":\"{tenant}\"}}").as_bytes(),
    );
    let draft = Draft::end(&mut line, br#"{"salt":"00000000000000000000000000000000"}"#);
    draft.finish(&mut line, &Hash::ZERO, recorded_at.as_bytes(), 7);
    Record::from_line(&line[1..line.len() - 1]).unwrap()
}

proptest! {
    #[test]
    fn of_the_rules_that_match_the_longest_wins(
        default in proptest::option::of(period()),
        rules in proptest::collection::vec((proptest::option::of(period()), 0_usize..4, 0_usize..3), 0..6),
        action in 0_usize..3,
        tenant in 0_usize..3,
        severity in 0_usize..5,
        recorded_at in instant(),
    ) {
        let actions = ["auth.login.failed", "auth.logout.succeeded", "billing.invoice.paid"];
        let tenants = ["org_1", "org_2", "org_3"];
        let severity = Severity::ALL[severity];
        let recorded_at = time(&recorded_at.to_string());
        let record = record(actions[action], tenants[tenant], severity, &recorded_at.to_string());
        let mut retention = default.map_or_else(Retention::keep_forever, Retention::keep);
        let mut ends = Vec::new();
        for (keep, field, value) in rules {
            let rule = keep.map_or_else(Rule::keep_forever, Rule::keep);
            let (rule, matches) = match field {
                0 => (rule.tenant(tenants[value]), value == tenant),
                1 => (rule.action(actions[value]), value == action),
                2 => {
                    let category = Action::from(actions[value]).category().to_owned();
                    let same = Action::from(actions[action]).category() == category;
                    (rule.category(category).tenant(tenants[value]), same && value == tenant)
                }
                _ => (rule.severity(Severity::ALL[value]), Severity::ALL[value] == severity),
            };
            retention = retention.rule(rule);
            if matches {
                ends.push(keep.map(|keep| keep.after(recorded_at)));
            }
        }
        let wanted = match ends.iter().any(Option::is_none) {
            true => None,
            false => match ends.into_iter().flatten().max() {
                Some(longest) => Some(longest),
                None => default.map(|default| default.after(recorded_at)),
            },
        };
        prop_assert_eq!(retention.over_at(&record), wanted);
        prop_assert_eq!(retention.to_string().parse(), Ok(retention));
    }
}

#[test]
fn a_report_lists_only_so_many_ranges_and_counts_them_all() {
    let mut report = RetentionReport::new(Timestamp::MIN);
    for part in 0..3_u64 {
        let ranges: Vec<(u64, u64)> = (0..40_000)
            .map(|number| (part * 100_000 + 2 * number, part * 100_000 + 2 * number))
            .collect();
        let taken = Taken {
            counts: [(None, 40_000)].into(),
            dropped: vec![ranges[0]],
            step: Step::Erase { ranges },
        };
        report.add(taken, |_| "90d".to_owned());
    }
    assert_eq!(
        (report.records(), report.erased.len(), report.unlisted),
        (120_000, 100_000, 20_000)
    );
    assert_eq!(report.erased.last(), Some(&(239_998..=239_998)));
    assert_eq!(report.dropped, [0..=0, 100_000..=100_000, 200_000..=200_000]);
}
