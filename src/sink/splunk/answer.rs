//! What the collector's answers say became of a request.
//!
//! The codes are those of "Troubleshoot HTTP Event Collector" in Splunk's manual "Getting Data In".

use crate::json::{self, JsonError, Kind, Reader};
use crate::sink::http::Answer;
use crate::sink::{Delivery, Problem, Rejection};

/// What an answer says besides its status.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) code: Option<u64>,
    /// The place of an event that is refused, from 0.
    invalid_event: Option<usize>,
    ack_id: Option<u64>,
}

impl Said {
    /// What can be read of it.
    pub(super) fn read(body: &[u8]) -> Self {
        let mut said = Self::default();
        let entry = |key: &str, value: &mut Reader<'_>| {
            match (key, value.kind()?) {
                ("code", Kind::Number) => said.code = Some(value.unsigned()?),
                ("invalid-event-number", Kind::Number) => said.invalid_event = value.unsigned()?.try_into().ok(),
                ("ackId", Kind::Number) => said.ack_id = Some(value.unsigned()?),
                _ => value.skip()?,
            }
            Ok(())
        };
        let read = Reader::new(body, json::DEPTH_MAX).and_then(|mut reader| {
            reader.object::<JsonError>(entry)?;
            reader.end()
        });
        match read {
            Ok(()) => said,
            Err(_) => Self::default(),
        }
    }
}

/// Gives the acknowledgement's id of a request of `count` events, where there is one.
///
/// Where an event is refused, those before it are indexed, and those behind it are not. `is_acknowledged` says that this
/// does not do, since there is no id to ask for: then those before it are sent again too.
///
/// # Errors
///
/// What became of it, where Splunk has not taken all of it.
pub(super) fn taken(answer: &Answer, count: usize, is_acknowledged: bool) -> Result<Option<u64>, Delivery> {
    let said = Said::read(&answer.body);
    let problem = || match said.code {
        Some(code) => {
            let what = format!("HTTP {}, code {code}{}", answer.status, meaning(code));
            Problem::new(what).with_answer(answer.said())
        }
        None => answer.problem(),
    };
    match (answer.status, said.code) {
        (200..=299, Some(0 | 24 | 25)) => Ok(said.ack_id),
        // A proxy, or another service: it has not said that it has the events.
        (200..=299, _) => Err(Delivery::retry(
            Problem::new("what answers does not do so as Splunk does").with_answer(answer.said()),
        )),
        // These are wrong with all events alike, and one without a code is not Splunk's.
        (400, None | Some(7 | 10 | 11 | 14 | 15 | 21 | 22)) => Err(Delivery::hold(problem())),
        (400, _) => Err(match said.invalid_event.filter(|at| *at < count) {
            Some(at) => Delivery::Rejected {
                rejected: vec![Rejection::new(at, problem())],
                undelivered: (0..count)
                    .filter(|other| *other > at || is_acknowledged && *other < at)
                    .collect(),
            },
            None => Delivery::split(problem()),
        }),
        (401 | 403, _) => Err(Delivery::hold(problem())),
        _ => Err(answer.delivery()),
    }
}

/// What a code of Splunk means that someone has to do something about.
fn meaning(code: u64) -> &'static str {
    match code {
        1 => ": the token is disabled",
        2 | 3 => ": there is no token",
        4 | 21 | 22 => ": the token is not valid",
        7 => ": there is no such index, or the token may not write to it",
        10 | 11 => ": the token asks for acknowledgements, see Splunk::acknowledged",
        14 => ": the token has no acknowledgements, see useACK",
        15 => ": an indexed field is not taken",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a request of four events, in a word.
    fn outcome(status: u16, body: &str, is_acknowledged: bool) -> String {
        let answer = Answer::new(status, Default::default(), body.into());
        match taken(&answer, 4, is_acknowledged) {
            Ok(None) => "taken".into(),
            Ok(Some(id)) => format!("taken as {id}"),
            Err(Delivery::Rejected { rejected, undelivered }) => {
                let rejected: Vec<usize> = rejected.iter().map(|rejection| rejection.index).collect();
                format!("rejected {rejected:?}, undelivered {undelivered:?}")
            }
            Err(Delivery::Hold { .. }) => "hold".into(),
            Err(Delivery::Retry { .. }) => "retry".into(),
            Err(Delivery::Throttled { .. }) => "throttled".into(),
            Err(Delivery::Split { .. }) => "split".into(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_code_has_its_outcome() {
        for (status, code, expected) in [
            (200, 0, "taken"),
            (200, 24, "taken"),
            (200, 25, "taken"),
            (200, 9, "retry"),
            (401, 2, "hold"),
            (401, 3, "hold"),
            (403, 1, "hold"),
            (403, 4, "hold"),
            (400, 5, "split"),
            (400, 6, "split"),
            (400, 7, "hold"),
            (400, 10, "hold"),
            (400, 11, "hold"),
            (400, 12, "split"),
            (400, 13, "split"),
            (400, 14, "hold"),
            (400, 15, "hold"),
            (400, 21, "hold"),
            (400, 22, "hold"),
            (404, 404, "hold"),
            (413, 27, "split"),
            (415, 0, "hold"),
            (429, 26, "throttled"),
            (429, 27, "throttled"),
            (500, 8, "retry"),
            (503, 9, "retry"),
            (503, 18, "retry"),
            (503, 20, "retry"),
            (503, 23, "retry"),
        ] {
            let body = format!(r#"{{"text":"x","code":{code}}}"#);
            assert_eq!(outcome(status, &body, false), expected, "{status}/{code}");
        }
        assert_eq!(outcome(400, "<html>TLS is spoken here</html>", false), "hold");
        assert_eq!(outcome(200, r#"{"code":0,"ackId":7}"#, true), "taken as 7");
    }

    #[test]
    fn the_event_that_is_named_parts_the_request() {
        let named = |at: u64, is_acknowledged| {
            let body = format!(r#"{{"text":"x","code":13,"invalid-event-number":{at}}}"#);
            outcome(400, &body, is_acknowledged)
        };
        assert_eq!(named(0, false), "rejected [0], undelivered [1, 2, 3]");
        assert_eq!(named(2, false), "rejected [2], undelivered [3]");
        assert_eq!(named(3, false), "rejected [3], undelivered []");
        // Those before it are taken, but nothing tells whether they are indexed.
        assert_eq!(named(2, true), "rejected [2], undelivered [0, 1, 3]");
        // There is no such event.
        assert_eq!(named(4, false), "split");
        assert_eq!(named(1 << 52, false), "split");
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        for body in [
            "",
            "[]",
            "{",
            "{\"code\":-1}",
            "{\"code\":0,\"code\":0}",
            "{\"code\":0.5}",
            "{\"code\":0}<html>",
            "\u{feff}{}",
        ] {
            assert_eq!(Said::read(body.as_bytes()), Said::default(), "{body}");
        }
        assert_eq!(Said::read(br#"{"code":"0","ackId":null}"#), Said::default());
    }
}
