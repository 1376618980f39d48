//! The bodies of requests.

use crate::json;
use crate::sink::Message;
use crate::timestamp::Timestamp;

/// The body of `PutLogEvents`. Each event has its own time, or all have the given one.
pub(super) fn write_events(messages: &[&Message], group: &str, stream: &str, time: Option<Timestamp>) -> Vec<u8> {
    let mut body = b"{\"logEvents\":[".to_vec();
    for (at, message) in messages.iter().enumerate() {
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
    let names = write_names(&[("logGroupName", group), ("logStreamName", stream)]);
    body.extend_from_slice(names.get(1..).unwrap_or_default());
    body
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
