//! Instants: when an event happened, and when the log took it.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;

/// An instant in UTC, to the microsecond, in the years 0000 to 9999.
///
/// It is printed in one fixed form, `YYYY-MM-DDTHH:MM:SS.ffffffZ` (FORMAT §2), and parsed from any RFC 3339 time: an
/// offset is applied, a fraction is cut to microseconds, a leap second is refused (EVENTS §1).
///
/// ```
/// use indelible::Timestamp;
///
/// let time: Timestamp = "2026-02-01t13:00:04.15601099+13:00".parse()?;
/// assert_eq!(time.to_string(), "2026-02-01T00:00:04.156010Z");
/// assert!("2016-12-31T23:59:60Z".parse::<Timestamp>().is_err());
/// # Ok::<(), indelible::timestamp::ParseTimestampError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The first instant of the year 0000.
    pub const MIN: Timestamp = Timestamp(-62_167_219_200_000_000);

    /// The last microsecond of the year 9999.
    pub const MAX: Timestamp = Timestamp(253_402_300_799_999_999);

    /// The instant so many microseconds after 1970-01-01T00:00:00Z; `None` outside the years 0000 to 9999.
    pub const fn from_unix_micros(micros: i64) -> Option<Self> {
        if micros < Self::MIN.0 || micros > Self::MAX.0 {
            None
        } else {
            Some(Self(micros))
        }
    }

    /// The microseconds since 1970-01-01T00:00:00Z, leap seconds not counted; negative before it.
    pub const fn unix_micros(self) -> i64 {
        self.0
    }

    /// The instant whose fixed form this is; `None` for any other spelling of a time.
    pub(crate) fn from_fixed(text: &[u8]) -> Option<Self> {
        let &[
            _,
            _,
            _,
            _,
            b'-',
            _,
            _,
            b'-',
            _,
            _,
            b'T',
            _,
            _,
            b':',
            _,
            _,
            b':',
            _,
            _,
            b'.',
            ..,
            b'Z',
        ] = text
        else {
            return None;
        };
        if text.len() != 27 { None } else { parse(text).ok() }
    }

    /// The fixed form, in ASCII.
    pub(crate) fn to_fixed(self) -> [u8; 27] {
        let (days, in_day) = (self.0.div_euclid(MICROS_PER_DAY), self.0.rem_euclid(MICROS_PER_DAY));
        let (year, month, day) = date_of(days);
        let (seconds, micros) = (in_day / MICROS_PER_SECOND, in_day % MICROS_PER_SECOND);
        let [y0, y1] = pair(year / 100);
        let [y2, y3] = pair(year % 100);
        let [m0, m1] = pair(month);
        let [d0, d1] = pair(day);
        let [h0, h1] = pair(seconds / 3600);
        let [n0, n1] = pair(seconds / 60 % 60);
        let [s0, s1] = pair(seconds % 60);
        let [f0, f1] = pair(micros / 10_000);
        let [f2, f3] = pair(micros / 100 % 100);
        let [f4, f5] = pair(micros % 100);
        #[rustfmt::skip]
        let text = [
            y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T',
            h0, h1, b':', n0, n1, b':', s0, s1, b'.', f0, f1, f2, f3, f4, f5, b'Z',
        ];
        text
    }

    fn clamped(micros: i128) -> Self {
        match i64::try_from(micros) {
            Ok(micros) => Self(micros.clamp(Self::MIN.0, Self::MAX.0)),
            Err(_) if micros < 0 => Self::MIN,
            Err(_) => Self::MAX,
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_fixed();
        f.pad(str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    /// Any RFC 3339 time: `T` and `Z` in either case, a space in place of `T` (§5.6, note), any offset, any number of
    /// digits of fraction.
    ///
    /// # Errors
    ///
    /// Text of another form, days and times that do not exist, leap seconds, and what lies outside the years 0000 to
    /// 9999 once its offset is applied.
    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        parse(text.as_bytes())
    }
}

/// Cut to microseconds. Times outside the years 0000 to 9999 become the first or the last instant of them.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let micros = |nanos: Duration| i128::try_from(nanos.as_nanos()).unwrap_or(i128::MAX);
        Self::clamped(match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => micros(after).div_euclid(1000),
            Err(before) => (-micros(before.duration())).div_euclid(1000),
        })
    }
}

/// Cut to microseconds. Times outside the years 0000 to 9999 become the first or the last instant of them.
impl From<OffsetDateTime> for Timestamp {
    fn from(time: OffsetDateTime) -> Self {
        Self::clamped(time.unix_timestamp_nanos().div_euclid(1000))
    }
}

impl From<Timestamp> for OffsetDateTime {
    fn from(time: Timestamp) -> Self {
        // Every `Timestamp` is in the range of an `OffsetDateTime`.
        Self::from_unix_timestamp_nanos(i128::from(time.0) * 1000).unwrap_or(Self::UNIX_EPOCH)
    }
}

/// Why a text is no time of the kind that the log takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseTimestampError {
    /// It does not have the form of RFC 3339 §5.6.
    #[error("not of the form YYYY-MM-DDTHH:MM:SS[.fraction](Z|±HH:MM) of RFC 3339")]
    Form,
    /// It names a month, a day, a time of day or an offset that does not exist.
    #[error("there is no such day or time of day")]
    NoSuchTime,
    /// Its seconds are 60: a microsecond of UTC in fixed form cannot stand for it.
    #[error("leap seconds are not taken")]
    LeapSecond,
    /// In UTC it lies outside the years 0000 to 9999.
    #[error("not in the years 0000 to 9999 of UTC")]
    Year,
}

fn parse(text: &[u8]) -> Result<Timestamp, ParseTimestampError> {
    let mut rest = text;
    let fields = (|| {
        let year = digits::<4>(&mut rest)?;
        one_of(&mut rest, b"-")?;
        let month = digits::<2>(&mut rest)?;
        one_of(&mut rest, b"-")?;
        let day = digits::<2>(&mut rest)?;
        one_of(&mut rest, b"Tt ")?;
        let hour = digits::<2>(&mut rest)?;
        one_of(&mut rest, b":")?;
        let minute = digits::<2>(&mut rest)?;
        one_of(&mut rest, b":")?;
        let second = digits::<2>(&mut rest)?;
        let micros = if one_of(&mut rest, b".").is_some() {
            fraction(&mut rest)?
        } else {
            0
        };
        let (offset_hour, offset_minute, sign) = match one_of(&mut rest, b"Zz+-")? {
            sign @ (b'+' | b'-') => {
                let hour = digits::<2>(&mut rest)?;
                one_of(&mut rest, b":")?;
                (hour, digits::<2>(&mut rest)?, if sign == b'+' { 1 } else { -1 })
            }
            _ => (0, 0, 1),
        };
        rest.is_empty().then_some((
            [year, month, day, hour, minute, second, micros],
            offset_hour,
            offset_minute,
            sign,
        ))
    })();
    let Some(([year, month, day, hour, minute, second, micros], offset_hour, offset_minute, sign)) = fields else {
        return Err(ParseTimestampError::Form);
    };
    if second == 60 {
        return Err(ParseTimestampError::LeapSecond);
    }
    let exists = (1..=12).contains(&month) && day >= 1 && day <= days_in(year, month) && hour < 24 && minute < 60;
    if !exists || second > 59 || offset_hour > 23 || offset_minute > 59 {
        return Err(ParseTimestampError::NoSuchTime);
    }
    let offset = sign * (offset_hour * 3600 + offset_minute * 60);
    let seconds = days_before(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset;
    Timestamp::from_unix_micros(seconds * MICROS_PER_SECOND + micros).ok_or(ParseTimestampError::Year)
}

fn digits<const COUNT: usize>(rest: &mut &[u8]) -> Option<i64> {
    let (digits, after) = rest.split_first_chunk::<COUNT>()?;
    let mut number = 0;
    for digit in digits {
        number = number * 10 + value_of(*digit)?;
    }
    *rest = after;
    Some(number)
}

/// The microseconds of a fraction of at least one digit; the digits after the sixth are cut off.
fn fraction(rest: &mut &[u8]) -> Option<i64> {
    let (mut micros, mut unit) = (digits::<1>(rest)? * 100_000, 100_000);
    while let Some(digit) = digits::<1>(rest) {
        unit /= 10;
        micros += digit * unit;
    }
    Some(micros)
}

fn one_of(rest: &mut &[u8], bytes: &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    if !bytes.contains(first) {
        return None;
    }
    *rest = after;
    Some(*first)
}

fn value_of(digit: u8) -> Option<i64> {
    digit.is_ascii_digit().then(|| i64::from(digit - b'0'))
}

pub(crate) fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The days from 1970-01-01 to this day of the Gregorian calendar, counting years from March so that the leap day is
/// the last of its year.
pub(crate) fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - MARCH_0000_TO_1970
}

/// The year, month and day that lies so many days after 1970-01-01: the inverse of [`days_before`].
pub(crate) fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + MARCH_0000_TO_1970;
    let (cycle, in_cycle) = (days.div_euclid(DAYS_PER_CYCLE), days.rem_euclid(DAYS_PER_CYCLE));
    // Taking the leap days out leaves years of 365 days; the last day of a cycle is one itself.
    let year = (in_cycle - in_cycle / 1460 + in_cycle / 36_524 - in_cycle / 146_096) / 365;
    let in_year = in_cycle - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let year = year + 400 * cycle;
    if month < 10 {
        (year, month + 3, day)
    } else {
        (year + 1, month - 9, day)
    }
}

/// The two digits of a number below 100.
fn pair(number: i64) -> [u8; 2] {
    let number = u8::try_from(number).unwrap_or_default();
    [b'0' + number / 10 % 10, b'0' + number % 10]
}

const SECONDS_PER_DAY: i64 = 86_400;
const MICROS_PER_SECOND: i64 = 1_000_000;
pub(crate) const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * MICROS_PER_SECOND;

/// Days from 1970-01-01 to 10000-01-01, which no [`Timestamp`] reaches.
pub(crate) const DAYS_BEFORE_YEAR_MAX: i64 = 2_932_897;

/// Days of the 400 years after which the Gregorian calendar repeats.
const DAYS_PER_CYCLE: i64 = 146_097;

/// Days from 0000-03-01 to 1970-01-01.
const MARCH_0000_TO_1970: i64 = 719_468;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
