//! Indexer acknowledgement: asking Splunk whether what it has got is indexed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::answer::{Said, taken};
use crate::json::{self, JsonError, Reader};
use crate::sink::http::{Answer, compressed};
use crate::sink::{Delivery, Encoded};

/// A channel of this sink's own, in which Splunk counts the requests: to another it would give the same ids.
#[derive(Debug)]
pub(super) struct Channel {
    within: Duration,
    /// A UUID; `None` until the first batch, and after one that was not confirmed in time.
    id: Option<String>,
}

impl Channel {
    pub(super) fn new(within: Duration) -> Self {
        Self { within, id: None }
    }

    /// Another one is opened with the next batch.
    pub(super) fn forget(&mut self) {
        self.id = None;
    }

    /// Its id. Of a new one it is asked first whether the token has acknowledgements at all: without them each batch would be
    /// taken, never confirmed and sent again.
    ///
    /// # Errors
    ///
    /// What becomes of a batch that is not sent.
    pub(super) fn open(
        &mut self,
        ask: impl FnOnce(&str, &Encoded) -> Result<Answer, Delivery>,
    ) -> Result<String, Delivery> {
        if let Some(id) = &self.id {
            return Ok(id.clone());
        }
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| Delivery::retry(format!("no random numbers: {error}")))?;
        let id = uuid::Builder::from_random_bytes(random).into_uuid().to_string();
        let answer = ask(&id, &question(&BTreeSet::from([0])))?;
        match refusal(&answer) {
            Some(refusal) => Err(refusal),
            // That it does not know such a request yet.
            None if matches!(answer.status, 200..=299 | 400) => Ok(self.id.insert(id).clone()),
            None => Err(answer.delivery()),
        }
    }

    /// Asks until Splunk has indexed the requests with these ids, and gives those of which it has not said so in time.
    ///
    /// # Errors
    ///
    /// What becomes of all of them, where asking is refused.
    pub(super) fn wait(
        &mut self,
        mut ids: BTreeSet<u64>,
        mut ask: impl FnMut(&Encoded) -> Result<Answer, Delivery>,
    ) -> Result<BTreeSet<u64>, Delivery> {
        let began = Instant::now();
        while !ids.is_empty() {
            if began.elapsed() >= self.within {
                self.forget();
                break;
            }
            std::thread::sleep(ASK_EVERY);
            // Where it cannot be asked now, it is asked again.
            let Ok(answer) = ask(&question(&ids)) else {
                continue;
            };
            if let Some(refusal) = refusal(&answer) {
                self.forget();
                return Err(refusal);
            }
            if answer.status == 200 {
                read_confirmed(&answer.body, |id| _ = ids.remove(&id));
            }
        }
        Ok(ids)
    }
}

/// What says that asking is of no use: no acknowledgements, no such channel, no permission, no such place.
fn refusal(answer: &Answer) -> Option<Delivery> {
    match (answer.status, Said::read(&answer.body).code) {
        (400, Some(10 | 11 | 14)) | (401 | 403 | 404, _) => taken(answer, 0, true).err(),
        _ => None,
    }
}

/// `{"acks":[0,1]}`.
fn question(ids: &BTreeSet<u64>) -> Encoded {
    let mut text = b"{\"acks\":[".to_vec();
    for (at, id) in ids.iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        json::unsigned(&mut text, *id);
    }
    text.extend_from_slice(b"]}");
    compressed(text)
}

/// Calls `confirmed` with each id that is true in `{"acks":{"0":true,"1":false}}`. Splunk forgets those.
fn read_confirmed(body: &[u8], mut confirmed: impl FnMut(u64)) {
    let entry = |key: &str, value: &mut Reader<'_>| match key {
        "acks" => value.object(|id, value| {
            if let (true, Ok(id)) = (value.boolean()?, id.parse()) {
                confirmed(id);
            }
            Ok::<_, JsonError>(())
        }),
        _ => value.skip(),
    };
    // An answer that cannot be read confirms nothing more.
    let _ = Reader::new(body, json::DEPTH_MAX).and_then(|mut reader| reader.object::<JsonError>(entry));
}

/// Splunk says so within about a second.
const ASK_EVERY: Duration = Duration::from_millis(250);
