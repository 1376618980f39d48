//! Tells whether an event that a host gives again is the one that the log has (EVENTS §1, `id`).

use crate::json::merge::merge;

use super::{Event, scan};

/// The id in a record's `event`.
pub(crate) fn recorded_id(event: &[u8]) -> Option<String> {
    let (_, id) = scan::members(event).find(|(key, _)| *key == b"id")?;
    Some(scan::text(id).into_owned())
}

/// What a host gave of an event with an id of its own, so that it may be a retry. The log sets the rest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given {
    occurred_at: bool,
    source: bool,
}

impl Given {
    /// `None` where the log sets the id.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        let fields = event.fields();
        fields.id.as_ref()?;
        Some(Self {
            occurred_at: fields.occurred_at.is_some(),
            source: fields.source.is_some(),
        })
    }

    /// Whether the event whose line begins with `line` has the content of a record, of which these are `event` and,
    /// unless it is erased, `personal`.
    ///
    /// The merged forms are compared, less the salt and what the log set. Where the personal data is erased, only what
    /// is kept is compared. An event that is redacted in another way than when it was recorded is another one.
    pub(crate) fn is_in(self, line: &[u8], event: &[u8], personal: Option<&[u8]>) -> bool {
        let mut parts = scan::members(line).map(|(_, part)| part);
        let (Some(new_event), Some(new_personal)) = (parts.next(), parts.next()) else {
            return false;
        };
        let Some(personal) = personal else {
            return self.is_same(new_event, event);
        };
        let (mut new, mut recorded) = (Vec::new(), Vec::new());
        merge(&mut new, new_event, new_personal).is_ok()
            && merge(&mut recorded, event, personal).is_ok()
            && self.is_same(&new, &recorded)
    }

    fn is_same(self, new: &[u8], recorded: &[u8]) -> bool {
        let is_given = |(key, _): &(&[u8], &[u8])| match *key {
            b"occurred_at" => self.occurred_at,
            b"source" => self.source,
            _ => true,
        };
        let members = |object| scan::members(object).filter(is_given);
        members(new).eq(members(recorded))
    }
}
