//! Where a page ended: what a host hands on as text, and gets back from whoever asks for the next one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::{Problem, QueryError};
use super::{Filter, Order};
use crate::hash::Hash;
use crate::timestamp::Timestamp;

/// A place in the answer to a query. It names a record and not a number of records, so that it stays right while records
/// are appended, erased and purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The `seq` at which the next page begins; where the newest record comes first, that after it.
    pub(super) next: u64,
    /// Where the filter's period began.
    pub(super) start: Option<Timestamp>,
}

impl Cursor {
    /// As text of `[A-Za-z0-9_-]`, for the query of which it is a part.
    pub(super) fn print(&self, filter: &Filter, order: Order) -> String {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend_from_slice(&self.next.to_le_bytes());
        bytes.extend_from_slice(&self.start.map_or(i64::MIN, Timestamp::unix_micros).to_le_bytes());
        let check = check(&bytes, filter, order);
        bytes.extend_from_slice(&check);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor of this query.
    ///
    /// # Errors
    ///
    /// Where it is one of another query, or none.
    pub(super) fn parse(text: &str, filter: &Filter, order: Order) -> Result<Self, QueryError> {
        // What an open log knows its readers by stands behind it.
        let text = text.split_once('.').map_or(text, |(cursor, _)| cursor);
        let read = || {
            let bytes = URL_SAFE_NO_PAD
                .decode(text)
                .ok()
                .filter(|bytes| bytes.len() == LENGTH)?;
            let (content, found) = bytes.split_at_checked(LENGTH - CHECK)?;
            let (next, start) = content.split_first_chunk::<8>()?;
            let start = i64::from_le_bytes(*start.first_chunk()?);
            (found == check(content, filter, order)).then_some(Self {
                next: u64::from_le_bytes(*next),
                start: Timestamp::from_unix_micros(start),
            })
        };
        read().ok_or_else(|| QueryError::new("cursor", Problem::Cursor))
    }
}

/// What ties a cursor to its query. It keeps mistakes away; who makes one up sees no more than who asks the query, but for
/// a period ([`Query::last`](super::Query::last)), which may begin at any time.
fn check(content: &[u8], filter: &Filter, order: Order) -> [u8; CHECK] {
    let query = format!("{}\n{filter}", order.name());
    let hash = Hash::of(&[content, query.as_bytes()].concat());
    let mut check = [0; CHECK];
    check.copy_from_slice(&hash.as_bytes()[..CHECK]);
    check
}

const CHECK: usize = 8;

const LENGTH: usize = 8 + 8 + CHECK;
