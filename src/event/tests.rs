//! What the tests of events share.

mod builder;
mod parsing;
mod real;
mod redaction;
mod retries;
mod rules;
mod splitting;
pub(crate) mod strategy;

use super::*;
use crate::json::read::canonicalize;

const SALT: [u8; 16] = [0xa5; 16];

fn fill() -> Fill<'static> {
    let occurred_at = "2026-02-01T00:00:04.156010Z".parse().unwrap();
    Fill {
        id: "019c167f-dc3c-746f-8ec2-a3d81173e578",
        occurred_at,
        source: None,
        salt: SALT,
    }
}

/// An event that meets all rules.
fn login() -> Event {
    Event::new(action::AUTH_LOGIN_FAILED).actor(Actor::user("usr_1"))
}

/// The two parts of an event, recorded with [`fill`] under the default rules.
pub(crate) fn parts(event: &Event) -> (String, String) {
    parts_with(event, &fill(), &Redaction::default())
}

fn parts_with(event: &Event, fill: &Fill<'_>, redaction: &Redaction) -> (String, String) {
    let (mut kept, mut personal) = (Vec::new(), Vec::new());
    event
        .write(fill, &Limits::default(), redaction, &mut kept, &mut personal)
        .unwrap();
    for part in [&kept, &personal] {
        assert_eq!(
            &canonicalize(part, 32).unwrap(),
            part,
            "not canonical: {}",
            String::from_utf8_lossy(part)
        );
    }
    (String::from_utf8(kept).unwrap(), String::from_utf8(personal).unwrap())
}

/// What `cat` prints of a record.
fn printed(kept: &str, personal: &str) -> String {
    String::from_utf8(merged(kept.as_bytes(), personal.as_bytes()).unwrap()).unwrap()
}

/// The error of an event that a log with these limits refuses.
fn refusal_with(event: &Event, limits: &Limits) -> InvalidEvent {
    let (mut kept, mut personal) = (b"before".to_vec(), b"as".to_vec());
    let error = event
        .write(&fill(), limits, &Redaction::default(), &mut kept, &mut personal)
        .unwrap_err();
    assert_eq!(
        (&kept[..], &personal[..]),
        (&b"before"[..], &b"as"[..]),
        "a refused event leaves the buffers as they were"
    );
    error
}

fn refusal(event: &Event) -> InvalidEvent {
    refusal_with(event, &Limits::default())
}
