//! Bearer tokens (RFC 6750): asked for before they end, and when one is refused.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use super::lease::check_credential;
use super::{Answer, Client, Lease};
use crate::json::{JsonError, Kind, Reader};
use crate::sink::{Delivery, Encoded};

/// A bearer token, and when it ends. It is not in `Debug`, an error or a log.
#[derive(Clone)]
pub struct Token {
    text: Zeroizing<String>,
    ends: Option<SystemTime>,
}

impl Token {
    /// A token that is used until it is refused.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: Zeroizing::new(text.into()),
            ends: None,
        }
    }

    /// Good until then. It is asked for anew when four fifths of its life are over.
    pub fn until(mut self, ends: SystemTime) -> Self {
        self.ends = Some(ends);
        self
    }

    /// The answer of a token endpoint (RFC 6749 §5.1), as Microsoft and Google give it. What it says may hold a secret, and
    /// is told to nobody.
    pub(in crate::sink) fn read(answer: &Answer, endpoint: &str) -> Result<Self, Delivery> {
        answer.gives(endpoint)?;
        let (mut text, mut expires_in, mut expires_on) = (None, None, None);
        let read = Reader::new(&answer.body, DEPTH_MAX).and_then(|mut reader| {
            reader.object::<JsonError>(|key, value| match key {
                "access_token" if value.kind()? == Kind::String => {
                    text = Some(Zeroizing::new(value.string()?.into_owned()));
                    Ok(())
                }
                "expires_in" => seconds(value).map(|found| expires_in = found),
                "expires_on" => seconds(value).map(|found| expires_on = found),
                _ => value.skip(),
            })
        });
        let (Ok(()), Some(text)) = (read, text) else {
            return Err(Delivery::retry(format!("{endpoint} gives no token")));
        };
        let ends = match (expires_in, expires_on) {
            (Some(left), _) => SystemTime::now().checked_add(left),
            (None, Some(since)) => UNIX_EPOCH.checked_add(since),
            (None, None) => None,
        };
        Ok(Self { text, ends })
    }
}

/// Seconds, as a number or as a string of one.
fn seconds(value: &mut Reader<'_>) -> Result<Option<Duration>, JsonError> {
    let seconds = match value.kind()? {
        Kind::Number => Some(value.unsigned()?),
        Kind::String => value.string()?.parse().ok(),
        _ => value.skip().map(|()| None)?,
    };
    Ok(seconds.map(Duration::from_secs))
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Posts a JSON text with a token; where that is refused, once more with a new one.
pub(in crate::sink) fn post_with_token(
    client: &mut Client,
    lease: &mut Lease<Token>,
    url: &str,
    text: &Encoded,
    mut renew: impl FnMut() -> Result<Token, Delivery>,
) -> Result<Answer, Delivery> {
    let mut post = |lease: &mut Lease<Token>| {
        let token = lease.get(SystemTime::now(), || {
            let token = renew()?;
            check_credential(&token.text)?;
            let ends = token.ends;
            Ok((token, ends))
        })?;
        let value = Zeroizing::new(format!("Bearer {}", *token.text));
        client.post_json(url, &[("authorization", &value)], text)
    };
    let answer = post(lease)?;
    if answer.status != 401 {
        return Ok(answer);
    }
    lease.forget();
    post(lease)
}

const DEPTH_MAX: usize = 8;
