//! What is delivered at once, and what is sent of it.

use std::borrow::Cow;

use super::{Delivery, Message, meanwhile};

/// Makes what is sent of a batch: all that takes time and can be done before the batch before it is delivered.
pub trait Encoder {
    /// What is sent of these messages, in their order. What was made ahead is sent within half a minute, or not at all.
    ///
    /// # Errors
    ///
    /// What becomes of the batch, where nothing can be sent of it: something is misconfigured.
    fn encode(&self, messages: &[Message]) -> Result<Encoded, Delivery>;
}

/// What is sent of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Encoded {
    /// The body.
    pub body: Vec<u8>,
    /// Names and values of what goes before it, such as its signature.
    pub headers: Vec<(&'static str, String)>,
}

impl Encoded {
    /// A body.
    pub fn new(body: Vec<u8>) -> Self {
        let headers = Vec::new();
        Self { body, headers }
    }

    /// The headers, as they are sent.
    #[cfg(any(
        feature = "splunk",
        feature = "datadog",
        feature = "otlp",
        feature = "token",
        feature = "webhook"
    ))]
    pub(super) fn headers(&self) -> Vec<(&str, &str)> {
        let headers = self.headers.iter();
        headers.map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// The same, with a header more.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Messages in the order of the log.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Batch<'a> {
    /// The messages; at least one.
    pub messages: &'a [Message],
    /// What the sink's [`Encoder`] has made of them, if it was made ahead.
    pub(super) encoded: Option<&'a Encoded>,
}

impl<'a> Batch<'a> {
    /// A batch of these messages, for tests of a sink.
    pub fn new(messages: &'a [Message]) -> Self {
        let encoded = None;
        Self { messages, encoded }
    }

    /// What is sent of it: as it was made ahead, else as this encoder, which is the sink's, makes it now.
    ///
    /// # Errors
    ///
    /// Those of the encoder.
    pub fn encoded(&self, encoder: &impl Encoder) -> Result<Cow<'a, Encoded>, Delivery> {
        match self.encoded {
            Some(encoded) => Ok(Cow::Borrowed(encoded)),
            None => encoder.encode(self.messages).map(Cow::Owned),
        }
    }

    /// Has the worker read, and encode, what comes after this batch. A sink calls it where it has sent the batch and would
    /// only wait for the answer; those over HTTP in this library do. Beside what the encoder takes, it takes some
    /// milliseconds, seldom more than a tenth of a second. Nothing depends on it.
    ///
    /// ```
    /// use std::io::{BufRead, BufReader, Write};
    /// use std::net::TcpStream;
    /// use indelible::sink::{Batch, Delivery, Encoded, Encoder, Message, Sink};
    ///
    /// /// Messages as lines, and an empty one at the end.
    /// #[derive(Debug, Clone)]
    /// struct Lines;
    ///
    /// impl Encoder for Lines {
    ///     fn encode(&self, messages: &[Message]) -> Result<Encoded, Delivery> {
    ///         let lines = messages.iter().map(|message| message.text().to_owned() + "\n");
    ///         Ok(Encoded::new((lines.collect::<String>() + "\n").into_bytes()))
    ///     }
    /// }
    ///
    /// /// A target that answers a batch with a line.
    /// #[derive(Debug)]
    /// struct Answering(TcpStream);
    ///
    /// impl Sink for Answering {
    ///     fn encoder(&self) -> Option<Box<dyn Encoder>> {
    ///         Some(Box::new(Lines))
    ///     }
    ///
    ///     fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
    ///         let lines = match batch.encoded(&Lines) {
    ///             Ok(lines) => lines,
    ///             Err(delivery) => return delivery,
    ///         };
    ///         if let Err(error) = self.0.write_all(&lines.body) {
    ///             return Delivery::retry(error.to_string());
    ///         }
    ///         batch.meanwhile();
    ///         let mut answer = String::new();
    ///         match BufReader::new(&self.0).read_line(&mut answer) {
    ///             Ok(_) if answer == "taken\n" => Delivery::Delivered,
    ///             answered => Delivery::retry(format!("it answers {answered:?}")),
    ///         }
    ///     }
    /// }
    /// ```
    pub fn meanwhile(&self) {
        meanwhile::now();
    }
}
