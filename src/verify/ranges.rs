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
        if first >= end {
            return Self::default();
        }
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

/// A set of records that grows, mostly in order. It never takes much more memory than its ranges do once they are
/// merged, however often the same records come.
#[derive(Debug, Clone, Default)]
pub(super) struct Growing {
    merged: Ranges,
    fresh: Vec<Range>,
}

impl Growing {
    #[inline]
    pub(super) fn push(&mut self, seq: u64) {
        self.push_range((seq, seq));
    }

    pub(super) fn extend(&mut self, ranges: &Ranges) {
        ranges.iter().for_each(|range| self.push_range(range));
    }

    #[inline]
    fn push_range(&mut self, (first, last): Range) {
        match self.fresh.last_mut() {
            Some(before) if before.1.checked_add(1) == Some(first) => before.1 = last,
            _ => self.push_apart((first, last)),
        }
    }

    fn push_apart(&mut self, range: Range) {
        if self.fresh.len() > self.merged.0.len() + FRESH_MAX {
            self.merge();
        }
        self.fresh.push(range);
    }

    fn merge(&mut self) {
        let mut all = std::mem::take(&mut self.merged).0;
        all.append(&mut self.fresh);
        self.merged = Ranges::of(all);
    }

    /// How many ranges it holds, merged or not.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.merged.0.len() + self.fresh.len()
    }

    /// The records so far.
    pub(super) fn ranges(&mut self) -> &Ranges {
        if !self.fresh.is_empty() {
            self.merge();
        }
        &self.merged
    }

    pub(super) fn into_ranges(mut self) -> Ranges {
        self.merge();
        self.merged
    }
}

/// How many ranges are worth merging.
const FRESH_MAX: usize = 1024;
