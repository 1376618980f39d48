//! The catalogue: what an auth service does, and what other schemas call it (EVENTS §2).
//!
//! `catalogue.json` beside this file is its one source. The table here and the constants of
//! [`action`](crate::event::action) are generated from it; `catalogue.md` says how.

mod table;

use super::levels::{Outcome, Severity};
use table::TABLE;

/// All 189 actions of the catalogue, in the order of their names.
///
/// ```
/// use indelible::event::{Severity, catalogue};
///
/// let worst = catalogue().filter(|entry| entry.severity == Severity::Critical);
/// assert_eq!(worst.count(), 7);
/// ```
pub fn catalogue() -> impl ExactSizeIterator<Item = &'static Entry> + Clone {
    TABLE.iter()
}

/// The entry of the action with this name, if it is in the catalogue.
pub fn lookup(name: &str) -> Option<&'static Entry> {
    TABLE
        .binary_search_by(|entry| entry.action.cmp(name))
        .ok()
        .map(|index| &TABLE[index])
}

/// The category of an action that need not be in the catalogue: that of the catalogue's actions with the same first
/// segment, else that segment (EVENTS §2).
pub(super) fn category_of(name: &str) -> &str {
    let segment = name.split_once('.').map_or(name, |(first, _)| first);
    let first_segment = |entry: &Entry| entry.action.split_once('.').map_or(entry.action, |(first, _)| first);
    match TABLE.binary_search_by(|entry| first_segment(entry).cmp(segment)) {
        Ok(index) => TABLE[index].category,
        Err(_) => segment,
    }
}

/// [`lookup`], for constants.
pub(super) const fn lookup_const(name: &str) -> Option<&'static Entry> {
    let (mut low, mut high) = (0, TABLE.len());
    while low < high {
        let middle = low + (high - low) / 2;
        match compare(TABLE[middle].action.as_bytes(), name.as_bytes()) {
            0 => return Some(&TABLE[middle]),
            sign if sign < 0 => low = middle + 1,
            _ => high = middle,
        }
    }
    None
}

/// The entry at this place of the table, which the generated constants know.
pub(super) const fn entry_at(index: usize) -> &'static Entry {
    &TABLE[index]
}

/// An action of the catalogue.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The name, such as `auth.login.failed`.
    pub action: &'static str,
    /// What happened, in one sentence.
    pub description: &'static str,
    /// One of 19 categories, such as `authentication`.
    pub category: &'static str,
    /// The outcome of an event that names none.
    pub outcome: Outcome,
    /// The severity of an event that names none.
    pub severity: Severity,
    /// The severity in syslog (RFC 5424 §6.2.1), 2 to 6.
    pub syslog_severity: u8,
    /// Its place in OCSF 1.8.0.
    pub ocsf: Ocsf,
    /// Its place in ECS 9.4.0.
    pub ecs: Ecs,
}

/// What OCSF 1.8.0 calls an action.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ocsf {
    /// The category, such as 3 for Identity & Access Management.
    pub category_uid: u32,
    /// The class, such as 3002.
    pub class_uid: u32,
    /// The name of the class, such as `Authentication`.
    pub class_name: &'static str,
    /// The activity within the class, 99 for another.
    pub activity_id: u32,
    /// The name of the activity, such as `Logon`.
    pub activity_name: &'static str,
    /// Class and activity in one: `class_uid * 100 + activity_id`.
    pub type_uid: u32,
    /// The status of the default outcome.
    pub status_id: u32,
    /// The severity of the default severity.
    pub severity_id: u32,
}

/// What ECS 9.4.0 calls an action.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ecs {
    /// `event.kind`: `event` or `alert`.
    pub kind: &'static str,
    /// `event.category`.
    pub category: &'static [&'static str],
    /// `event.type`.
    pub types: &'static [&'static str],
    /// `event.outcome` of the default outcome.
    pub outcome: &'static str,
}

/// The class and the activity of a row of the table.
type OcsfRow = (u32, &'static str, u32, &'static str);

/// The kind, the categories and the types of a row of the table.
type EcsRow = (&'static str, &'static [&'static str], &'static [&'static str]);

/// A row of the table. What follows from something else is computed; that the data says the same is tested.
const fn entry(
    action: &'static str,
    category: &'static str,
    (outcome, severity): (Outcome, Severity),
    (class_uid, class_name, activity_id, activity_name): OcsfRow,
    (kind, categories, types): EcsRow,
    description: &'static str,
) -> Entry {
    let ocsf = Ocsf {
        category_uid: class_uid / 1000,
        class_uid,
        class_name,
        activity_id,
        activity_name,
        type_uid: class_uid * 100 + activity_id,
        status_id: outcome.ocsf_status_id(),
        severity_id: severity.ocsf_severity_id(),
    };
    let ecs = Ecs {
        kind,
        category: categories,
        types,
        outcome: outcome.ecs_outcome(),
    };
    Entry {
        action,
        description,
        category,
        outcome,
        severity,
        syslog_severity: severity.syslog(),
        ocsf,
        ecs,
    }
}

/// Negative, 0 or positive as `left` comes before, is or comes after `right`.
const fn compare(left: &[u8], right: &[u8]) -> i32 {
    let mut index = 0;
    while index < left.len() && index < right.len() {
        if left[index] != right[index] {
            return if left[index] < right[index] { -1 } else { 1 };
        }
        index += 1;
    }
    if left.len() == right.len() {
        0
    } else if left.len() < right.len() {
        -1
    } else {
        1
    }
}

#[cfg(test)]
mod tests;
