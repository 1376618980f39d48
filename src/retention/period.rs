//! Periods of the calendar.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use super::error::RetentionError;
use crate::timestamp::{DAYS_BEFORE_YEAR_MAX, MICROS_PER_DAY, Timestamp, date_of, days_before, days_in};

/// How long a record is kept: days, months or years of the calendar, in UTC.
///
/// Its text form is a number and a unit: `90d`, `6m`, `7y`. At most a thousand years.
///
/// ```
/// use indelible::{Timestamp, retention::Period};
///
/// let taken: Timestamp = "2027-03-31T08:30:00Z".parse()?;
/// assert_eq!(Period::YEARS_7.after(taken), "2034-03-31T08:30:00Z".parse()?);
/// assert_eq!("90d".parse(), Ok(Period::DAYS_90));
/// assert_eq!(Period::months(18)?.to_string(), "18m");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    count: NonZeroU32,
    unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Unit {
    Days,
    Months,
    Years,
}

impl Period {
    /// 90 days.
    pub const DAYS_90: Period = Period::preset(90, Unit::Days);

    /// 180 days.
    pub const DAYS_180: Period = Period::preset(180, Unit::Days);

    /// One year.
    pub const YEAR_1: Period = Period::preset(1, Unit::Years);

    /// Three years.
    pub const YEARS_3: Period = Period::preset(3, Unit::Years);

    /// Seven years.
    pub const YEARS_7: Period = Period::preset(7, Unit::Years);

    /// The six years of HIPAA (45 CFR § 164.316(b)(2)(i)).
    pub const HIPAA: Period = Period::preset(6, Unit::Years);

    const fn preset(count: u32, unit: Unit) -> Self {
        match NonZeroU32::new(count) {
            Some(count) => Self { count, unit },
            None => panic!("a preset is not empty"),
        }
    }

    /// So many days of 24 hours.
    ///
    /// # Errors
    ///
    /// For 0, and for more than 365,000.
    pub fn days(count: u32) -> Result<Self, RetentionError> {
        Self::checked(count, Unit::Days)
    }

    /// So many months.
    ///
    /// # Errors
    ///
    /// For 0, and for more than 12,000.
    pub fn months(count: u32) -> Result<Self, RetentionError> {
        Self::checked(count, Unit::Months)
    }

    /// So many years.
    ///
    /// # Errors
    ///
    /// For 0, and for more than 1,000.
    pub fn years(count: u32) -> Result<Self, RetentionError> {
        Self::checked(count, Unit::Years)
    }

    fn checked(count: u32, unit: Unit) -> Result<Self, RetentionError> {
        let wrong = || RetentionError::period(&format!("{count}{}", unit.letter()));
        let count = NonZeroU32::new(count).filter(|count| count.get() <= unit.count_max());
        count.map(|count| Self { count, unit }).ok_or_else(wrong)
    }

    /// When the period is over that began at `from`: at the same time of the same day, of the month or year that comes
    /// so much later.
    ///
    /// Where that month has no such day, the period ends with its last day, and is over at the first instant of the day
    /// that follows: a year after 29 February at the beginning of 1 March, a month after 31 January too. So no period
    /// is shorter than it says, and of two that begin one after the other the first one never ends last. What would end
    /// after the year 9999 ends at [`Timestamp::MAX`].
    pub fn after(self, from: Timestamp) -> Timestamp {
        let micros = from.unix_micros();
        let (days, in_day) = (micros.div_euclid(MICROS_PER_DAY), micros.rem_euclid(MICROS_PER_DAY));
        let count = i64::from(self.count.get());
        let (day, in_day) = match self.unit {
            Unit::Days => (days + count, in_day),
            Unit::Months => months_after(days, in_day, count),
            Unit::Years => months_after(days, in_day, 12 * count),
        };
        let end = Some(day).filter(|day| *day < DAYS_BEFORE_YEAR_MAX);
        let end = end.and_then(|day| Timestamp::from_unix_micros(day * MICROS_PER_DAY + in_day));
        end.unwrap_or(Timestamp::MAX)
    }
}

/// The day and the time of day so many months later.
fn months_after(days: i64, in_day: i64, count: i64) -> (i64, i64) {
    let (year, month, day) = date_of(days);
    let months = 12 * year + (month - 1) + count;
    let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
    let last = days_in(year, month);
    match day <= last {
        true => (days_before(year, month, day), in_day),
        false => (days_before(year, month, last) + 1, 0),
    }
}

impl Unit {
    const ALL: [Unit; 3] = [Self::Days, Self::Months, Self::Years];

    const fn letter(self) -> char {
        match self {
            Self::Days => 'd',
            Self::Months => 'm',
            Self::Years => 'y',
        }
    }

    const fn count_max(self) -> u32 {
        match self {
            Self::Days => 365_000,
            Self::Months => 12_000,
            Self::Years => 1_000,
        }
    }
}

/// As it is read: `90d`, `6m`, `7y`.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}{}", self.count, self.unit.letter()))
    }
}

impl FromStr for Period {
    type Err = RetentionError;

    /// A number without sign or leading zeros, and `d`, `m` or `y`.
    fn from_str(text: &str) -> Result<Self, RetentionError> {
        let read = || {
            let unit = Unit::ALL.into_iter().find(|unit| text.ends_with(unit.letter()))?;
            let digits = text.strip_suffix(unit.letter())?;
            let is_plain = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
            let count = digits.parse().ok().filter(|_| is_plain)?;
            Self::checked(count, unit).ok()
        };
        read().ok_or_else(|| RetentionError::period(text))
    }
}
