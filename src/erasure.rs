//! Erasing on demand: what, why, on whose order, and who has a copy.
//!
//! [`AuditLog::erase_personal_data`] and [`AuditLog::erase_records`] take a [`Selection`] and an [`ErasureOrder`], and
//! give [`Erased`].
//!
//! [`AuditLog::erase_personal_data`]: crate::AuditLog::erase_personal_data
//! [`AuditLog::erase_records`]: crate::AuditLog::erase_records

use std::ops::RangeInclusive;

use crate::error::Error;
use crate::event::Actor;
use crate::log::Receipt;
use crate::query::Query;
use crate::timestamp::Timestamp;

/// Which records are to be erased: by a query, by the ids of their events, or by `seq`.
///
/// ```
/// use indelible::{Query, erasure::Selection};
///
/// let by_query = Selection::from(Query::subject("usr_alice123"));
/// let by_ids = Selection::ids(["01890a5d-ac96-774b-bcce-b302099a8057"]);
/// let by_seq = Selection::from([10..=19, 30..=30]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Selection(pub(crate) Selected);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Selected {
    /// Its filters alone count.
    Query(Box<Query>),
    Ids(Vec<String>),
    Ranges(Vec<RangeInclusive<u64>>),
}

impl Selection {
    /// The records with these ids. One that no record has is told ([`Erased::not_found`]).
    pub fn ids<T: Into<String>>(ids: impl IntoIterator<Item = T>) -> Self {
        Self(Selected::Ids(ids.into_iter().map(Into::into).collect()))
    }
}

/// What the query finds now. Its order and limit mean nothing.
impl From<Query> for Selection {
    fn from(query: Query) -> Self {
        Self(Selected::Query(Box::new(query)))
    }
}

impl From<&Query> for Selection {
    fn from(query: &Query) -> Self {
        query.clone().into()
    }
}

impl From<RangeInclusive<u64>> for Selection {
    fn from(range: RangeInclusive<u64>) -> Self {
        Self(Selected::Ranges(vec![range]))
    }
}

impl From<Vec<RangeInclusive<u64>>> for Selection {
    fn from(ranges: Vec<RangeInclusive<u64>>) -> Self {
        Self(Selected::Ranges(ranges))
    }
}

impl<const N: usize> From<[RangeInclusive<u64>; N]> for Selection {
    fn from(ranges: [RangeInclusive<u64>; N]) -> Self {
        Vec::from(ranges).into()
    }
}

/// Why something is erased, and who ordered it: the announcement holds both for good, so no personal data belongs into
/// the reason. A text is a reason alone.
#[derive(Debug, Clone, PartialEq)]
pub struct ErasureOrder {
    pub(crate) reason: String,
    pub(crate) by: Option<Actor>,
}

impl ErasureOrder {
    /// An order for a reason, such as the number of a request.
    pub fn new(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { reason, by: None }
    }

    /// Who ordered it: the actor of the announcement.
    #[must_use]
    pub fn by(mut self, actor: Actor) -> Self {
        self.by = Some(actor);
        self
    }
}

impl From<&str> for ErasureOrder {
    fn from(reason: &str) -> Self {
        Self::new(reason)
    }
}

impl From<&String> for ErasureOrder {
    fn from(reason: &String) -> Self {
        Self::new(reason)
    }
}

/// What was erased.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Erased {
    /// The receipts of the announcements; none where nothing was to be erased.
    pub receipts: Vec<Receipt>,
    /// The records, by `seq`, both ends inclusive.
    pub ranges: Vec<(u64, u64)>,
    /// The ids that no record has (any more).
    pub not_found: Vec<String>,
    /// Who may have a copy, from the log's own records of its exports, oldest first: to be followed up outside the log.
    pub handed_over: Vec<Handover>,
    /// Where exports go that were under way when it was erased. They may have read it before; once each is done, the
    /// log's record of it says which records it holds.
    pub under_way: Vec<String>,
    /// The sinks that may have got a record of them, by how far they were sent records: also those that the log had before, and
    /// each that another process drives now. What a sink began after, or its filter leaves out, it has not got.
    pub sinks: Vec<String>,
    /// Why the list of exports may not be whole: the log could not be read to its end.
    pub unread: Option<Error>,
}

/// An export that may hold what was erased.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Handover {
    /// Where it went: a folder, the address of a bucket, or `a writer` that the host gave.
    pub to: String,
    /// The record that tells of it (`audit_log.exported`).
    pub seq: u64,
    /// When it was recorded.
    pub recorded_at: Option<Timestamp>,
    /// In which format.
    pub format: String,
    /// What was exported, as the query of a URL; `None` once that is erased.
    pub filter: Option<String>,
    /// The first and the last record of it.
    pub range: (u64, u64),
}
