//! The bodies of requests.

use crate::json;
use crate::sink::{Delivery, Encoded, Encoder, Message};
use crate::timestamp::Timestamp;

/// How the body of `PutLogEvents` is written.
#[derive(Debug, Clone)]
pub(super) struct Encoding {
    pub(super) group: String,
    pub(super) stream: String,
}

impl Encoding {
    /// The body of these messages. Each event has its own time, or all have the given one.
    pub(super) fn write<'a>(
        &self,
        messages: impl IntoIterator<Item = &'a Message>,
        time: Option<Timestamp>,
    ) -> Vec<u8> {
        let mut body = b"{\"logEvents\":[".to_vec();
        for (at, message) in messages.into_iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            body.extend_from_slice(b"{\"message\":");
            json::string(&mut body, message.text());
            body.extend_from_slice(b",\"timestamp\":");
            let millis = time.unwrap_or(message.recorded_at()).unix_micros().div_euclid(1000);
            json::unsigned(&mut body, u64::try_from(millis).unwrap_or(0));
            body.push(b'}');
        }
        body.extend_from_slice(b"],");
        let names = write_names(&[("logGroupName", &self.group), ("logStreamName", &self.stream)]);
        body.extend_from_slice(names.get(1..).unwrap_or_default());
        body
    }
}

impl Encoder for Encoding {
    fn encode(&self, messages: &[Message]) -> Result<Encoded, Delivery> {
        Ok(Encoded::new(self.write(messages, None)))
    }
}

/// An object of texts.
pub(super) fn write_names(names: &[(&str, &str)]) -> Vec<u8> {
    let mut body = vec![b'{'];
    for (key, value) in names {
        if body.len() > 1 {
            body.push(b',');
        }
        json::string(&mut body, key);
        body.push(b':');
        json::string(&mut body, value);
    }
    body.push(b'}');
    body
}
