//! What is used until it ends: a token, credentials.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};

use crate::sink::Delivery;

/// Something with an end. It is renewed when four fifths of its life are over; while that fails, it is used to its end.
#[derive(Debug)]
pub(in crate::sink) struct Lease<T>(Option<Held<T>>);

#[derive(Debug)]
struct Held<T> {
    value: T,
    /// `None` where it has no end: it is used until it is refused.
    times: Option<Times>,
}

#[derive(Debug, Clone, Copy)]
struct Times {
    renewed: SystemTime,
    ends: SystemTime,
}

impl<T> Lease<T> {
    pub(in crate::sink) fn new() -> Self {
        Self(None)
    }

    /// What is held, renewed where that is due. `renew` gives it anew, and when that ends.
    ///
    /// # Errors
    ///
    /// What `renew` says, where nothing is held that still holds.
    pub(in crate::sink) fn get(
        &mut self,
        now: SystemTime,
        renew: impl FnOnce() -> Result<(T, Option<SystemTime>), Delivery>,
    ) -> Result<&T, Delivery> {
        let held = match self.0.take() {
            Some(held) if held.times.is_none_or(|times| now < times.renewed) => held,
            old => match (renew(), old) {
                (Ok((value, ends)), _) => Held::new(value, now, ends),
                (Err(_), Some(old)) if old.times.is_none_or(|times| now < times.ends) => old.renewed_at(now + AGAIN),
                (Err(delivery), _) => return Err(delivery),
            },
        };
        Ok(&self.0.insert(held).value)
    }

    /// It is renewed the next time: the target refuses it.
    pub(in crate::sink) fn forget(&mut self) {
        self.0 = None;
    }

    /// It is renewed the next time where delivery is held: who has mended the credentials need not wait for their end.
    pub(in crate::sink) fn forget_if_held(&mut self, delivery: &Delivery) {
        if matches!(delivery, Delivery::Hold { .. }) {
            self.forget();
        }
    }
}

impl<T> Held<T> {
    fn new(value: T, now: SystemTime, ends: Option<SystemTime>) -> Self {
        let times = ends.map(|ends| Times {
            renewed: now + ends.duration_since(now).unwrap_or_default().mul_f64(LIFE_USED),
            ends,
        });
        Self { value, times }
    }

    fn renewed_at(mut self, renewed: SystemTime) -> Self {
        self.times = self.times.map(|times| Times { renewed, ..times });
        self
    }
}

/// A credential that no header takes is not kept: the next one may be better.
pub(in crate::sink) fn check_credential(text: &str) -> Result<(), Delivery> {
    match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err(Delivery::hold(
            "what was given as a credential is none: it is empty, or has a space or a control character",
        )),
    }
}

/// What a host's closure gives. A panic in it is a failure of it.
pub(in crate::sink) fn ask_host<T>(give: &dyn Fn() -> Result<T, String>) -> Result<T, Delivery> {
    let asked = catch_unwind(AssertUnwindSafe(give));
    let given = asked.unwrap_or_else(|_| Err("what gives the credentials panicked".to_owned()));
    given.map_err(Delivery::hold)
}

/// How much of its life is over when something is renewed.
const LIFE_USED: f64 = 0.8;

/// How soon it is tried again to renew what still holds.
const AGAIN: Duration = Duration::from_secs(10);

/// Credentials that the machine gives come soon or not at all.
pub(in crate::sink) const NEARBY_TIMEOUT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_renewed_at_four_fifths_and_used_to_its_end_while_that_fails() {
        let mut lease = Lease::new();
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let at = |seconds| start + Duration::from_secs(seconds);
        let fails = || Err::<(i32, _), _>(Delivery::retry("the token endpoint is away"));
        assert!(lease.get(at(0), fails).is_err());
        assert_eq!(lease.get(at(0), || Ok((1, Some(at(100))))), Ok(&1));
        assert_eq!(lease.get(at(79), || panic!("not due")), Ok(&1));
        assert_eq!(lease.get(at(80), fails), Ok(&1));
        assert_eq!(lease.get(at(85), || panic!("too soon again")), Ok(&1));
        assert_eq!(lease.get(at(99), fails), Ok(&1));
        assert!(lease.get(at(109), fails).is_err());
        assert_eq!(lease.get(at(110), || Ok((2, None))), Ok(&2));
        assert_eq!(lease.get(at(1_000_000), || panic!("it has no end")), Ok(&2));
        lease.forget();
        assert_eq!(lease.get(at(1_000_000), || Ok((3, None))), Ok(&3));
    }
}
