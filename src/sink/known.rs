//! How far a sink has come, for those that take records away: what it may need still, and what it may have.

use super::position::Saved;
use super::state::Numbers;

/// How far a sink has come, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    /// It is known by itself, and not by its file alone.
    pub(super) has_begun: bool,
    /// The first record that it may need still.
    pub(super) needs: u64,
    /// The first record that it was never given.
    pub(super) had: u64,
}

impl Known {
    /// That of one that is at work.
    pub(super) fn at_work(numbers: &Numbers) -> Self {
        Self {
            has_begun: numbers.has_begun,
            needs: numbers.confirmed,
            // What was read is not read anew when it is erased.
            had: if numbers.has_read { u64::MAX } else { numbers.had },
        }
    }

    /// That of one that a file remembers. One that cannot be read may need everything, and may have it.
    pub(super) fn of(saved: Saved) -> Self {
        let (needs, had) = match saved {
            Saved::Position(position) => (position.next, position.had()),
            Saved::Nothing | Saved::Damaged => (0, u64::MAX),
        };
        Self {
            has_begun: false,
            needs,
            had,
        }
    }

    /// The same, where two are of one name.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            has_begun: self.has_begun && other.has_begun,
            needs: self.needs.min(other.needs),
            had: self.had.max(other.had),
        }
    }

    /// The same, where there is a file too: before it has begun, that says where it will, or another process drives it.
    pub(super) fn saving(self, saved: Saved) -> Self {
        let remembered = Self::of(saved);
        match (self.has_begun, saved) {
            (true, Saved::Nothing | Saved::Damaged) => self,
            (true, Saved::Position(_)) => Self {
                has_begun: true,
                ..self.and(remembered)
            },
            (false, _) => Self {
                needs: remembered.needs,
                ..self.and(remembered)
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Hash;
    use crate::sink::position::Position;

    fn saved(next: u64, last: u64) -> Saved {
        Saved::Position(Position {
            last: Some((last, Hash::of(b"record"))),
            ..Position::at(next)
        })
    }

    fn at_work(has_begun: bool, needs: u64, had: u64) -> Known {
        Known { has_begun, needs, had }
    }

    fn told(known: Known) -> (u64, u64) {
        (known.needs, known.had)
    }

    #[test]
    fn what_may_be_lost_still_is_needed_and_what_was_given_is_had() {
        assert_eq!(told(Known::of(saved(5, 4))), (5, 5));
        assert_eq!(told(Known::of(saved(5, 9))), (5, 10));
        assert_eq!(told(Known::of(Saved::Damaged)), (0, u64::MAX));
        let mut numbers = Numbers::at(7);
        (numbers.confirmed, numbers.had) = (3, 9);
        assert_eq!(told(Known::at_work(&numbers)), (3, 9));
        numbers.has_read = true;
        assert_eq!(told(Known::at_work(&numbers)), (3, u64::MAX));
    }

    #[test]
    fn a_file_says_where_one_begins_and_keeps_back_one_that_has_begun() {
        // It begins at the end of the log, but for its file.
        assert_eq!(told(at_work(false, 100, 100).saving(saved(5, 9))), (5, 100));
        assert_eq!(told(at_work(false, 0, 0).saving(saved(5, 9))), (5, 10));
        assert_eq!(told(at_work(false, 100, 0).saving(Saved::Damaged)), (0, u64::MAX));
        assert_eq!(told(at_work(true, 8, 9).saving(saved(5, 6))), (5, 9));
        assert_eq!(told(at_work(true, 8, 9).saving(Saved::Damaged)), (8, 9));
    }
}
