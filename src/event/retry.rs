//! Tells whether an event that a host gives again is the one that the log has (EVENTS §1, `id`).

use crate::json::merge::merge;
use crate::timestamp::Timestamp;

use super::redact::Redaction;
use super::write::Fill;
use super::{Event, scan};

/// The id in a record's `event`.
pub(crate) fn recorded_id(event: &[u8]) -> Option<String> {
    let (_, id) = scan::members(event).find(|(key, _)| *key == b"id")?;
    Some(scan::text(id).into_owned())
}

impl Event {
    /// Whether the event has the content of a record, of which these are `event` and, unless it is erased, `personal`.
    ///
    /// The merged forms are compared, less the salt and what the log sets: the id, the time and the source of an event
    /// that has none. Where the personal data is erased, only what is kept is compared. An event that breaks a rule, or
    /// is redacted in another way than when it was recorded, is another one.
    pub(crate) fn same_content(&self, event: &[u8], personal: Option<&[u8]>, redaction: &Redaction) -> bool {
        if super::rules::check(self, &super::Limits::FORMAT).is_err() {
            return false;
        }
        let recorded = |name: &[u8]| {
            scan::members(event)
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        };
        let (Some(id), Some(occurred_at)) = (recorded(b"id"), recorded(b"occurred_at")) else {
            return false;
        };
        let Some(occurred_at) = Timestamp::from_fixed(scan::text(occurred_at).as_bytes()) else {
            return false;
        };
        let (id, source) = (scan::text(id), recorded(b"source").map(scan::text));
        let fill = Fill {
            id: &id,
            occurred_at,
            source: source.as_deref(),
            salt: [0; 16],
        };
        let mut given = Vec::with_capacity(event.len() + personal.map_or(0, <[u8]>::len));
        let Some(personal) = personal else {
            self.write_kept(&fill, redaction, &mut given);
            return given == event;
        };
        self.write_merged(&fill, redaction, &mut given);
        let mut merged = Vec::with_capacity(given.len());
        merge(&mut merged, event, personal).is_ok() && merged == given
    }
}
