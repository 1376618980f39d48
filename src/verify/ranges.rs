//! Sets of records as ranges of `seq`: 16 bytes a range, whatever they span.

/// Both ends inclusive.
pub(super) type Range = (u64, u64);

/// A set of records: ranges in ascending order that neither overlap nor touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<Range>);

impl Ranges {
    /// The records that are in any of `ranges`, which come in any order.
    pub(super) fn of(mut ranges: Vec<Range>) -> Self {
        ranges.sort_unstable();
        ranges.dedup_by(|later, earlier| {
            let joined = later.0 <= earlier.1.saturating_add(1);
            if joined {
                earlier.1 = earlier.1.max(later.1);
            }
            joined
        });
        ranges.shrink_to_fit();
        Self(ranges)
    }

    /// The ranges, in ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Range> + '_ {
        self.0.iter().copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many records are in the set.
    pub(super) fn count(&self) -> u64 {
        self.0.iter().fold(0, |count, (first, last)| {
            (last - first).saturating_add(1).saturating_add(count)
        })
    }

    pub(super) fn contains(&self, seq: u64) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= seq);
        after
            .checked_sub(1)
            .and_then(|at| self.0.get(at))
            .is_some_and(|(_, last)| *last >= seq)
    }

    /// The records of this set that are not in `other`.
    pub(super) fn minus(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut others = other.0.iter().peekable();
        for (mut first, last) in self.iter() {
            while others.next_if(|(_, other_last)| *other_last < first).is_some() {}
            let mut is_over = false;
            while let Some((other_first, other_last)) = others.peek().copied().copied()
                && other_first <= last
            {
                if other_first > first {
                    left.push((first, other_first - 1));
                }
                // It may cover the next range too.
                is_over = other_last >= last;
                if is_over {
                    break;
                }
                first = other_last + 1;
                others.next();
            }
            if !is_over {
                left.push((first, last));
            }
        }
        Self(left)
    }

    /// The records of this set from `first` on that come before `end`.
    pub(super) fn within(&self, first: u64, end: u64) -> Self {
        let start = self.0.partition_point(|(_, last)| *last < first);
        let inside = self
            .0
            .get(start..)
            .unwrap_or_default()
            .iter()
            .take_while(|range| range.0 < end);
        Self(
            inside
                .map(|(from, to)| ((*from).max(first), (*to).min(end - 1)))
                .collect(),
        )
    }
}

/// Ranges that grow record by record, mostly in order.
#[derive(Debug, Default)]
pub(super) struct Growing(Vec<Range>);

impl Growing {
    pub(super) fn push(&mut self, seq: u64) {
        match self.0.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(seq) => *last = seq,
            _ => self.0.push((seq, seq)),
        }
    }

    pub(super) fn into_ranges(self) -> Ranges {
        Ranges::of(self.0)
    }
}
