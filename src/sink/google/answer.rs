//! What Google Cloud Logging answers
//! (<https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/write>).

use crate::json::{JsonError, Kind, Reader};
use crate::sink::http::Answer;
use crate::sink::{Delivery, Problem, Rejection};

/// What became of a batch of `count` entries.
pub(super) fn delivery(answer: &Answer, count: usize) -> Delivery {
    let read = Refusal::read(&answer.body);
    match (answer.status, read) {
        (200, Ok(_)) => Delivery::Delivered,
        // A proxy's, or a portal's: Google says 200.
        (200..=299, _) => Delivery::retry("the answer is none of Google Cloud Logging"),
        (_, Ok(refusal)) if refusal.entries.iter().any(|entry| entry.index < count) => {
            partly(answer, &refusal.entries, count)
        }
        // Of the names of a 400, these alone may be for an entry; one without a name is not Google's.
        (400, Ok(refusal)) if matches!(refusal.status.as_str(), "INVALID_ARGUMENT" | "OUT_OF_RANGE") => {
            answer.delivery()
        }
        (400, _) => Delivery::hold(answer.problem()),
        _ => answer.delivery(),
    }
}

/// What is refused, and which entries: all others were written.
#[derive(Debug, Default)]
struct Refusal {
    status: String,
    entries: Vec<EntryError>,
}

#[derive(Debug, Default)]
struct EntryError {
    index: usize,
    /// Of `google.rpc.Code`.
    code: u64,
    message: String,
}

impl Refusal {
    fn read(body: &[u8]) -> Result<Self, JsonError> {
        let mut refusal = Self::default();
        let mut reader = Reader::new(body, DEPTH_MAX)?;
        reader.object::<JsonError>(|key, value| match key {
            "error" if value.kind()? == Kind::Object => {
                value.object::<JsonError>(|key, value| match (key, value.kind()?) {
                    ("status", Kind::String) => {
                        refusal.status = value.string()?.into_owned();
                        Ok(())
                    }
                    ("details", Kind::List) => value.list::<JsonError>(|_, value| refusal.read_detail(value)),
                    _ => value.skip(),
                })
            }
            _ => value.skip(),
        })?;
        reader.end()?;
        Ok(refusal)
    }

    fn read_detail(&mut self, value: &mut Reader<'_>) -> Result<(), JsonError> {
        if value.kind()? != Kind::Object {
            return value.skip();
        }
        value.object::<JsonError>(|key, value| match (key, value.kind()?) {
            ("logEntryErrors", Kind::Object) => value.object::<JsonError>(|key, value| {
                let mut error = EntryError::default();
                value.object::<JsonError>(|key, value| {
                    match (key, value.kind()?) {
                        ("code", Kind::Number) => error.code = value.unsigned()?,
                        ("message", Kind::String) => error.message = value.string()?.into_owned(),
                        _ => value.skip()?,
                    }
                    Ok(())
                })?;
                if let Ok(index) = key.parse() {
                    self.entries.push(EntryError { index, ..error });
                }
                Ok(())
            }),
            _ => value.skip(),
        })
    }
}

/// What the codes of entries mean: `ALREADY_EXISTS` (6) is no failure; what passes, says nothing, or is a permission or a
/// project, is not the entry's fault.
fn partly(answer: &Answer, entries: &[EntryError], count: usize) -> Delivery {
    let (mut rejected, mut undelivered, mut is_held) = (Vec::new(), Vec::new(), false);
    for entry in entries.iter().filter(|entry| entry.index < count) {
        match entry.code {
            6 => {}
            0 | 1 | 2 | 4 | 8 | 10 | 13 | 14 => undelivered.push(entry.index),
            5 | 7 | 9 | 12 | 16 => {
                is_held = true;
                undelivered.push(entry.index);
            }
            code => {
                let problem = Problem::new(format!("entry error {code}")).with_answer(entry.message.as_str());
                rejected.push(Rejection::new(entry.index, problem));
            }
        }
    }
    let problem = answer.problem();
    match (rejected.is_empty(), undelivered.len()) {
        (false, _) => Delivery::Rejected { rejected, undelivered },
        (true, 0) => Delivery::Delivered,
        (true, all) if all == count && is_held => Delivery::Hold { problem },
        (true, all) if all == count => match answer.pause() {
            Some(pause) => Delivery::Throttled {
                pause: Some(pause),
                problem,
            },
            None => Delivery::Retry { problem },
        },
        (true, _) => Delivery::Partly { undelivered },
    }
}

const DEPTH_MAX: usize = 32;
