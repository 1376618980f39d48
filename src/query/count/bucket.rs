//! Parts of time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::query::error::{Problem, QueryError};
use crate::query::parse::period;
use crate::timestamp::Timestamp;

/// A part of time that records are counted in: so many seconds, or a month. All in UTC.
///
/// Parts of some seconds are counted from Monday, 1970-01-05T00:00:00Z: so weeks begin on Mondays, days at midnight, and
/// parts that divide a day at the same times every day.
///
/// ```
/// use indelible::query::Bucket;
///
/// assert_eq!("15m".parse(), Ok(Bucket::every(std::time::Duration::from_secs(900))));
/// assert_eq!("month".parse(), Ok(Bucket::MONTH));
/// assert_eq!(Bucket::DAY.to_string(), "86400s");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket(Length);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    /// At least 1.
    Seconds(u64),
    Month,
}

impl Bucket {
    /// A minute.
    pub const MINUTE: Self = Self(Length::Seconds(60));
    /// An hour.
    pub const HOUR: Self = Self(Length::Seconds(3600));
    /// A day, from midnight UTC.
    pub const DAY: Self = Self(Length::Seconds(86_400));
    /// A week, from Monday.
    pub const WEEK: Self = Self(Length::Seconds(7 * 86_400));
    /// A month of the calendar.
    pub const MONTH: Self = Self(Length::Month);

    /// So long, in whole seconds: at least one.
    pub fn every(length: Duration) -> Self {
        Self(Length::Seconds(length.as_secs().max(1)))
    }

    /// When the part begins that a time is in, both in microseconds since 1970.
    pub(super) fn start_of(self, time: i64) -> i64 {
        match self.0 {
            Length::Seconds(seconds) => {
                let length = i128::from(seconds) * 1_000_000;
                let past = (i128::from(time) - i128::from(MONDAY)).rem_euclid(length);
                let start = i64::try_from(i128::from(time) - past).unwrap_or(i64::MIN);
                // A part that begins before all times begins with the first of them.
                start.max(Timestamp::MIN.unix_micros())
            }
            Length::Month => {
                let Some(time) = Timestamp::from_unix_micros(time) else {
                    return time;
                };
                let mut text = time.to_fixed();
                if let Some(rest) = text.get_mut(MONTH_LENGTH..) {
                    rest.copy_from_slice(FIRST_OF_MONTH);
                }
                Timestamp::from_fixed(&text).map_or(time.unix_micros(), Timestamp::unix_micros)
            }
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Length::Seconds(seconds) => write!(f, "{seconds}s"),
            Length::Month => f.write_str(MONTH),
        }
    }
}

impl FromStr for Bucket {
    type Err = QueryError;

    /// `month`, or a number of seconds, minutes, hours, days or weeks: `90s`, `15m`, `1h`, `1d`, `1w`.
    fn from_str(text: &str) -> Result<Self, QueryError> {
        match (text, period(text)) {
            (MONTH, _) => Ok(Self::MONTH),
            (_, Some(length)) => Ok(Self::every(length)),
            (_, None) => {
                let takes = "a period such as 15m, 1h, 1d, 1w or month";
                Err(QueryError::new("every", Problem::value(text, takes)))
            }
        }
    }
}

/// 1970-01-05T00:00:00Z in microseconds.
const MONDAY: i64 = 4 * 86_400 * 1_000_000;

const MONTH: &str = "month";

/// The length of `YYYY-MM`, and what stands behind it at the beginning of a month.
const MONTH_LENGTH: usize = 7;
const FIRST_OF_MONTH: &[u8] = b"-01T00:00:00.000000Z";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_time_begin_where_people_expect_it() {
        let begins = |bucket: &str, time: &str| {
            let time: Timestamp = time.parse().unwrap();
            let start = bucket.parse::<Bucket>().unwrap().start_of(time.unix_micros());
            Timestamp::from_unix_micros(start).unwrap().to_string()
        };
        let time = "2024-02-29T13:14:15.999999Z";
        for (bucket, start) in [
            ("10s", "2024-02-29T13:14:10.000000Z"),
            ("1m", "2024-02-29T13:14:00.000000Z"),
            ("15m", "2024-02-29T13:00:00.000000Z"),
            ("1h", "2024-02-29T13:00:00.000000Z"),
            ("6h", "2024-02-29T12:00:00.000000Z"),
            ("1d", "2024-02-29T00:00:00.000000Z"),
            // A Monday.
            ("1w", "2024-02-26T00:00:00.000000Z"),
            ("month", "2024-02-01T00:00:00.000000Z"),
        ] {
            assert_eq!(begins(bucket, time), start, "{bucket}");
        }
        // Before all of them.
        assert_eq!(begins("1w", "1969-12-31T23:59:59Z"), "1969-12-29T00:00:00.000000Z");
        assert_eq!(begins("month", "0000-01-01T00:00:00Z"), "0000-01-01T00:00:00.000000Z");
        assert_eq!(begins("200000w", "0007-05-04T00:00:00Z"), "0000-01-01T00:00:00.000000Z");
        for time in [i64::MIN, i64::MAX] {
            Bucket::every(Duration::MAX).start_of(time);
            Bucket::MONTH.start_of(time);
        }
    }
}
