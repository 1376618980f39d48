//! What is asked of one field.

use std::collections::BTreeSet;

use super::field::Value;

/// The values of which a field is to have one, and those of which it is to have none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Condition {
    /// Where there is none, any value will do, or none at all.
    pub(super) any: BTreeSet<Value>,
    pub(super) none: BTreeSet<Value>,
}

impl Condition {
    pub(super) fn add(&mut self, value: Value, negated: bool) {
        match negated {
            true => self.none.insert(value),
            false => self.any.insert(value),
        };
    }

    pub(super) fn count(&self) -> usize {
        self.any.len() + self.none.len()
    }
}
