//! Webhooks, signed as Standard Webhooks 1.0 says.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use zeroize::Zeroizing;

use super::http::{Client, HttpOptions, Request, Url, check_headers, check_public};
use super::{Batch, Delivery, Encoded, Encoder, Limits, Message, Secret, Sink};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::json;

/// Posts each message to a URL, signed as [Standard Webhooks 1.0](https://www.standardwebhooks.com) says, so that the
/// receiver verifies it with any library for that.
///
/// The body is `{"data":…,"timestamp":…,"type":…}`: the message (a string where it is CEF), when the event happened and its
/// action, which is `audit_log.checkpoint` for a checkpoint. `webhook-id` is the message's own and stays the same when it is
/// sent again: by it a receiver knows it again. With [`in_lists`](Self::in_lists) many messages go in one request, as a list of
/// such objects.
///
/// Any 2xx answer is an acknowledgement. Redirects are not followed. Where the URL's name resolves to an address of a private
/// network, the request is refused, unless [`allow_private_addresses`](Self::allow_private_addresses) says otherwise; each
/// connection is checked, so a name that changes does not get around it.
///
/// ```
/// use indelible::sink::{Feed, Secret, Webhook};
///
/// let webhook = Webhook::new("https://siem.example.com/audit", Secret::env("AUDIT_WEBHOOK_SECRET"))
///     .also_signed_by(Secret::env("AUDIT_WEBHOOK_SECRET_OLD")) // while the secret is rotated
///     .header("x-tenant", "acme");
/// let feed = Feed::new("webhook", webhook).without_personal_data();
/// ```
///
/// # How a receiver verifies
///
/// Over the bytes of the body as they came, before they are parsed. In Rust, with the crate `standardwebhooks`:
///
/// ```
/// use http::HeaderMap;
/// use standardwebhooks::{Webhook, WebhookError};
///
/// /// Fails unless one of the signatures is made with this secret, within five minutes of now.
/// fn verify(secret: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), WebhookError> {
///     Webhook::new(secret)?.verify(body, headers)
/// }
/// # let (secret, now) = ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", std::time::UNIX_EPOCH.elapsed()?.as_secs());
/// # let signature = Webhook::new(secret)?.sign("7-ab", now as i64, b"{}")?;
/// # let mut headers = HeaderMap::new();
/// # headers.insert("webhook-id", "7-ab".parse()?);
/// # headers.insert("webhook-timestamp", now.into());
/// # headers.insert("webhook-signature", format!("v1,AAAA {signature}").parse()?);
/// # verify(secret, &headers, b"{}")?;
/// # assert!(verify(secret, &headers, b"{ }").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// In Python, with the package of that name:
///
/// ```python
/// from standardwebhooks.webhooks import Webhook
///
/// event = Webhook(secret).verify(body, dict(headers))  # raises, else gives what the body says
/// ```
///
/// Answer 2xx once the event is stored, and at once where its `webhook-id` is stored already. Answer 401 where it does not
/// verify: delivery is held until the secret is mended. Answer 503 where it cannot be stored now: it comes again. With 400,
/// 413 or 422 it is set aside for good, so keep these for an event that you never want.
#[derive(Debug)]
pub struct Webhook {
    url: Url,
    headers: Vec<(String, Secret)>,
    encoding: Encoding,
    options: HttpOptions,
    allows_private: bool,
    client: Option<Client>,
}

impl Webhook {
    /// A webhook at a URL, with a secret of the form `whsec_` and the base64 of 24 to 64 bytes.
    pub fn new(url: impl Into<String>, secret: impl Into<Secret>) -> Self {
        Self {
            url: Url::new(url),
            headers: Vec::new(),
            encoding: Encoding {
                list_max: 1,
                secrets: vec![secret.into()],
            },
            options: HttpOptions::new(),
            allows_private: false,
            client: None,
        }
    }

    /// Signs with one more secret: a receiver that has either of them verifies it.
    pub fn also_signed_by(mut self, secret: impl Into<Secret>) -> Self {
        self.encoding.secrets.push(secret.into());
        self
    }

    /// Sends a header of your own, such as one that authorizes.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Secret>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends lists of up to so many messages, two at least: for receivers that take many.
    pub fn in_lists(mut self, messages_max: usize) -> Self {
        self.encoding.list_max = if messages_max < 2 { 0 } else { messages_max };
        self
    }

    /// Connects to addresses of private networks too: for a receiver of your own.
    pub fn allow_private_addresses(mut self) -> Self {
        self.allows_private = true;
        self
    }

    /// How the target is reached.
    pub fn http(mut self, options: HttpOptions) -> Self {
        self.options = options;
        self
    }

    fn options(&self) -> HttpOptions {
        match self.allows_private {
            true => self.options.clone(),
            false => self.options.clone().refuse_private_addresses(),
        }
    }
}

impl Sink for Webhook {
    fn check(&self) -> Result<()> {
        self.url.check("url")?;
        if !self.allows_private {
            check_public(&self.url).map_err(|problem| Error::configuration("url", problem))?;
        }
        for secret in self.encoding.secrets.iter().filter_map(Secret::fixed) {
            check_secret(&secret).map_err(|problem| Error::configuration("secret", problem))?;
        }
        check_headers(&self.headers, &SIGNED)?;
        if self.encoding.list_max == 0 {
            return Err(Error::configuration("in_lists", "it is 2 at least"));
        }
        self.options().check()
    }

    fn limits(&self) -> Limits {
        Limits::new(self.encoding.list_max, 1_000_000)
    }

    fn size_of(&self, message: &Message) -> usize {
        message.text().len() + AROUND
    }

    fn encoder(&self) -> Option<Box<dyn Encoder>> {
        Some(Box::new(self.encoding.clone()))
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        let encoded = match batch.encoded(&self.encoding) {
            Ok(encoded) => encoded,
            Err(delivery) => return delivery,
        };
        let mut values = Vec::new();
        for (name, value) in &self.headers {
            match value.get() {
                Ok(value) => values.push((name.as_str(), value)),
                Err(problem) => return Delivery::hold(problem),
            }
        }
        let mut headers = encoded.headers();
        headers.push(("content-type", "application/json"));
        headers.extend(values.iter().map(|(name, value)| (*name, value.as_str())));
        let request = Request {
            method: "POST",
            url: &self.url,
            headers: &headers,
            body: &encoded.body,
        };
        let mut client = self.client.take().unwrap_or_else(|| Client::new(self.options()));
        let sent = client.send(&request);
        self.client = Some(client);
        match sent {
            Ok(answer) => answer.delivery(),
            Err(delivery) => delivery,
        }
    }
}

/// How a body is written and signed.
#[derive(Debug, Clone)]
struct Encoding {
    /// How many messages a list has; where it is one, there is no list. None is an error.
    list_max: usize,
    secrets: Vec<Secret>,
}

impl Encoding {
    /// The signatures of a body, by each secret.
    fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> Result<String, String> {
        let signatures = self
            .secrets
            .iter()
            .map(|secret| sign(&secret.get()?, id, timestamp, body));
        Ok(signatures.collect::<Result<Vec<_>, _>>()?.join(" "))
    }
}

impl Encoder for Encoding {
    fn encode(&self, messages: &[Message]) -> Result<Encoded, Delivery> {
        let is_list = self.list_max > 1;
        let length = |message: &Message| message.text().len() + AROUND;
        let mut body = Vec::with_capacity(messages.iter().map(length).sum());
        if is_list {
            body.push(b'[');
        }
        for (at, message) in messages.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            let summary = message.summary();
            body.extend_from_slice(b"{\"data\":");
            match message.is_json() {
                true => body.extend_from_slice(message.text().as_bytes()),
                false => json::string(&mut body, message.text()),
            }
            body.extend_from_slice(b",\"timestamp\":");
            json::string(&mut body, &summary.occurred_at.to_string());
            body.extend_from_slice(b",\"type\":");
            json::string(&mut body, &summary.action);
            body.push(b'}');
        }
        if is_list {
            body.push(b']');
        }
        let (id, now) = (id(messages), SystemTime::now().duration_since(UNIX_EPOCH));
        let now = now.unwrap_or_default().as_secs();
        let signatures = self.sign(&id, now, &body).map_err(Delivery::hold)?;
        Ok(Encoded::new(body)
            .with_header("webhook-id", id)
            .with_header("webhook-timestamp", now.to_string())
            .with_header("webhook-signature", signatures))
    }
}

/// The `webhook-id` of messages.
fn id(messages: &[Message]) -> String {
    match messages {
        [message] => message.id(),
        _ => list_id(messages),
    }
}

/// The id of a list: the same when the same messages are sent again.
fn list_id(messages: &[Message]) -> String {
    let mut hashes = Vec::with_capacity(32 * messages.len());
    for message in messages {
        match message.hash() {
            Some(hash) => hashes.extend_from_slice(hash.as_bytes()),
            None => hashes.extend_from_slice(message.id().as_bytes()),
        }
    }
    format!("list-{:.32}", Hash::of(&hashes).to_string())
}

/// A signature: `v1,` and the base64 of an HMAC-SHA256 over id, time and body.
fn sign(secret: &str, id: &str, timestamp: u64, body: &[u8]) -> Result<String, String> {
    let mut signed = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key(secret)?));
    signed.update(format!("{id}.{timestamp}.").as_bytes());
    signed.update(body);
    Ok(format!("v1,{}", STANDARD.encode(signed.sign())))
}

/// Checks a secret.
pub(crate) fn check_secret(secret: &str) -> Result<(), String> {
    key(secret).map(drop)
}

/// The bytes of a secret.
fn key(secret: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let wrong = || "the secret of a webhook is whsec_ and the base64 of 24 to 64 bytes".to_owned();
    let encoded = secret.strip_prefix("whsec_").ok_or_else(wrong)?;
    let secret = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| wrong())?);
    match (24..=64).contains(&secret.len()) {
        true => Ok(secret),
        false => Err(wrong()),
    }
}

/// Headers of Standard Webhooks.
const SIGNED: [&str; 3] = ["webhook-id", "webhook-signature", "webhook-timestamp"];

/// More than what stands around a message in a body.
const AROUND: usize = 256;

#[cfg(test)]
mod tests {
    use super::sign;

    /// The vector of the specification.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        let signature = sign(
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            body,
        );
        let expected = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
        assert_eq!(signature.as_deref(), Ok(expected));
    }

    #[test]
    fn a_secret_that_is_none_is_refused_without_telling_it() {
        for secret in [
            "",
            "whsec_",
            "whsec_!!",
            "C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "whsec_AAAA",
        ] {
            let refused = sign(secret, "1", 1, b"").expect_err("refused");
            assert!(secret.len() < 8 || !refused.contains(secret), "{refused}");
        }
    }
}
