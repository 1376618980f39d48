//! What was written last, to be written again on the next connection.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::json;

/// How messages are told apart in a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// `LENGTH SP MESSAGE` (RFC 6587 §3.4.1, RFC 5425 §4.3).
    Counted,
    /// `MESSAGE LF` (RFC 6587 §3.4.2).
    Lines,
    /// Each in a datagram of its own (RFC 5426 §3.1).
    Datagrams,
}

/// Messages as they go on the wire.
#[derive(Debug)]
pub(super) struct Frames {
    framing: Framing,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// The `seq` of the first record among them.
    first: Option<u64>,
}

impl Frames {
    pub(super) fn new(framing: Framing, bytes: usize) -> Self {
        Self {
            framing,
            bytes: Vec::with_capacity(bytes),
            ends: Vec::new(),
            first: None,
        }
    }

    /// Adds a message: a record's, if it has a `seq`.
    pub(super) fn push(&mut self, seq: Option<u64>, message: &[u8]) {
        self.first = self.first.or(seq);
        if self.framing == Framing::Counted {
            json::unsigned(&mut self.bytes, message.len() as u64);
            self.bytes.push(b' ');
        }
        self.bytes.extend_from_slice(message);
        if self.framing == Framing::Lines {
            self.bytes.push(b'\n');
        }
        self.ends.push(self.bytes.len());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All of them.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// One by one.
    pub(super) fn each(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .filter_map(|(start, end)| self.bytes.get(start..*end))
    }
}

/// What was written last. Syslog has no acknowledgement: what the receiver had not read when it died nobody tells, so as
/// much is kept as may have been on its way.
#[derive(Debug)]
pub(super) struct Window {
    kept: VecDeque<(Instant, Frames)>,
    bytes: usize,
    bytes_max: usize,
}

impl Window {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(super) fn add(&mut self, frames: Frames) {
        self.bytes += frames.bytes().len();
        self.kept.push_back((Instant::now(), frames));
        while let Some((_, oldest)) = self.kept.front()
            && self.bytes - oldest.bytes().len() >= self.bytes_max
        {
            self.remove_oldest();
        }
    }

    /// The receiver ended the connection in order. A kernel does so only where its process has read all that came (RFC 1122
    /// §4.2.2.13), so what is much older than the last of it was read. What a process that is killed had read and not yet
    /// stored is younger.
    pub(super) fn was_read(&mut self) {
        let newest = self.kept.back().map(|(written, _)| *written);
        while let (Some((written, _)), Some(newest)) = (self.kept.front(), newest)
            && newest.duration_since(*written) > READ_WITHIN
        {
            self.remove_oldest();
        }
    }

    /// The receiver ended the connection after this side had: it has read all of it.
    pub(super) fn was_read_to_its_end(&mut self) {
        self.kept.clear();
        self.bytes = 0;
    }

    /// The first record that the receiver may not have stored. What was written long ago it has, unless it hangs.
    pub(super) fn unconfirmed(&self) -> Option<u64> {
        // In the order of time, and of the log.
        let long_ago = self
            .kept
            .partition_point(|(written, _)| written.elapsed() > READ_WITHIN);
        self.kept.range(long_ago..).find_map(|(_, frames)| frames.first)
    }

    /// All of it was written again.
    pub(super) fn was_written(&mut self) {
        let now = Instant::now();
        self.kept.iter_mut().for_each(|(written, _)| *written = now);
    }

    pub(super) fn frames(&self) -> impl Iterator<Item = &Frames> {
        self.kept.iter().map(|(_, frames)| frames)
    }

    fn remove_oldest(&mut self) {
        if let Some((_, oldest)) = self.kept.pop_front() {
            self.bytes -= oldest.bytes().len();
        }
    }
}

/// In so much time a receiver reads what has come, and stores it.
const READ_WITHIN: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(framing: Framing, messages: &[&str]) -> Frames {
        let mut frames = Frames::new(framing, 0);
        for message in messages {
            frames.push(message.parse().ok(), message.as_bytes());
        }
        frames
    }

    fn kept(window: &Window) -> Vec<&[u8]> {
        window.frames().flat_map(Frames::each).collect()
    }

    #[test]
    fn messages_are_framed_as_their_transport_asks() {
        for (framing, expected) in [
            (Framing::Counted, "3 abc2 \u{e9}0 "),
            (Framing::Lines, "abc\n\u{e9}\n\n"),
            (Framing::Datagrams, "abc\u{e9}"),
        ] {
            let framed = frames(framing, &["abc", "\u{e9}", ""]);
            assert_eq!(framed.bytes(), expected.as_bytes());
            assert_eq!(framed.each().count(), 3);
            assert_eq!(framed.each().collect::<Vec<_>>().concat(), expected.as_bytes());
        }
    }

    #[test]
    fn as_many_bytes_are_kept_as_may_be_on_their_way() {
        let mut window = Window::new(10);
        for message in ["1111", "2222", "3333", "4444"] {
            window.add(frames(Framing::Datagrams, &[message]));
        }
        assert_eq!(kept(&window), [b"2222", b"3333", b"4444"]);
        window.add(frames(Framing::Datagrams, &["more than ten bytes"]));
        assert_eq!(kept(&window), [b"more than ten bytes"]);
    }

    #[test]
    fn what_was_read_long_ago_is_not_written_again() {
        let mut window = Window::new(1000);
        window.was_read();
        for message in ["1", "2", "3"] {
            window.add(frames(Framing::Datagrams, &[message]));
        }
        window.was_read();
        assert_eq!(kept(&window).len(), 3);
        let long_ago = Instant::now().checked_sub(READ_WITHIN * 2).expect("a time");
        window.kept[0].0 = long_ago;
        window.was_read();
        assert_eq!(kept(&window), [b"2", b"3"]);
        assert_eq!(window.bytes, 2);
        // The last of a receiver that was idle since: nobody knows when it died.
        window.kept.iter_mut().for_each(|(written, _)| *written = long_ago);
        window.was_read();
        assert_eq!(kept(&window).len(), 2);
    }
    #[test]
    fn what_was_written_lately_is_not_confirmed() {
        let mut window = Window::new(4);
        assert_eq!(window.unconfirmed(), None);
        window.add(frames(Framing::Counted, &["a checkpoint"]));
        assert_eq!(window.unconfirmed(), None);
        window.add(frames(Framing::Datagrams, &["a checkpoint", "7", "8"]));
        window.add(frames(Framing::Datagrams, &["9"]));
        assert_eq!(window.unconfirmed(), Some(7));
        window.kept[0].0 = Instant::now().checked_sub(READ_WITHIN * 2).expect("a time");
        assert_eq!(window.unconfirmed(), Some(9));
        // What is written again may be lost again.
        window.was_written();
        assert_eq!(window.unconfirmed(), Some(7));
        // What is more than can be on its way is not kept.
        window.add(frames(Framing::Datagrams, &["1000", "1001"]));
        assert_eq!(window.unconfirmed(), Some(1000));
        window.was_read_to_its_end();
        assert_eq!((window.unconfirmed(), window.bytes), (None, 0));
    }
}
