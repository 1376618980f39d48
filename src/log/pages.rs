//! Which pages of an answer are recorded already, with the first one.
//!
//! A cursor names a place, and whoever knows the query can make one up. So a cursor that an open log hands out has a mark
//! behind it, for the query and the reader who got it: what comes without the mark is recorded like a first page. No mark
//! outlives the opening of the log that made it.

use std::fmt;

use super::entropy::Entropy;
use crate::error::Result;
use crate::hash::Hash;
use crate::query::Query;

/// Makes and knows the marks.
pub(super) struct Pages {
    key: [u8; 32],
}

impl Pages {
    pub(super) fn new(entropy: Entropy) -> Result<Self> {
        let key = entropy.random()?;
        Ok(Self { key })
    }

    /// The cursor that leads the query's reader on.
    pub(super) fn marked(&self, cursor: &str, query: &Query) -> String {
        format!("{cursor}.{}", self.mark(cursor, query))
    }

    /// Whether the query asks for a page to which its reader was led.
    pub(super) fn is_recorded(&self, query: &Query) -> bool {
        let cursor = query.cursor.as_deref().and_then(|cursor| cursor.split_once('.'));
        cursor.is_some_and(|(cursor, mark)| mark == self.mark(cursor, query))
    }

    fn mark(&self, cursor: &str, query: &Query) -> String {
        let reader = query.reader.as_ref().map(|reader| (reader.actor_type, &reader.id));
        let asked = format!("{cursor}\n{}\n{}\n{reader:?}", query.order.name(), query.filter);
        let hash = Hash::of(&[&self.key, asked.as_bytes()].concat());
        hex::encode(&hash.as_bytes()[..MARK])
    }
}

/// Without the key.
impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}

/// So many bytes nobody guesses.
const MARK: usize = 16;
