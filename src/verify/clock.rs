//! `recorded_at` along the chain (FORMAT §2).

use crate::timestamp::Timestamp;

/// The fixed form of an instant. Two of them are in the order of their bytes.
pub(super) type Fixed = [u8; 27];

/// The time of the last record that has one.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Clock {
    pub(super) last: Option<Fixed>,
}

/// What is wrong with a `recorded_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeError {
    /// It is not a valid instant in fixed form.
    Form,
    /// It is before that of the record before.
    StepsBack(Fixed),
}

impl Clock {
    /// Takes the time of the next record, and gives it in fixed form. `may_step_back` is for the record that says that
    /// the clock was corrected.
    #[inline]
    pub(super) fn take(&mut self, text: &[u8], may_step_back: bool) -> Result<Fixed, TimeError> {
        let time = *text.first_chunk::<27>().ok_or(TimeError::Form)?;
        if text.len() != time.len() || !self.is_valid(&time) {
            return Err(TimeError::Form);
        }
        match self.last.replace(time) {
            Some(last) if time < last && !may_step_back => Err(TimeError::StepsBack(last)),
            _ => Ok(time),
        }
    }

    /// Most records differ from the one before in the fraction of the second alone.
    #[inline]
    fn is_valid(&self, time: &Fixed) -> bool {
        let (to_second, fraction) = time.split_at(FRACTION);
        let same_second = self.last.is_some_and(|last| last.starts_with(to_second));
        if same_second {
            matches!(fraction, [digits @ .., b'Z'] if digits.iter().all(u8::is_ascii_digit))
        } else {
            Timestamp::from_fixed(time).is_some()
        }
    }
}

/// Where the six digits of the fraction begin.
const FRACTION: usize = 20;
