//! What a worker has read of the log and not delivered.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use crate::error::Result;
use crate::follow::CalledOff;
use crate::sink::intake::Intake;
use crate::sink::message::Message;
use crate::sink::{Encoded, Encoder, Limits};

/// What was read of the log and is not delivered: some batches.
#[derive(Default)]
pub(super) struct Inbox {
    /// `None` where nothing of the log is in memory.
    intake: Option<Intake>,
    /// In order.
    pending: VecDeque<Message>,
    /// What so many of the first messages were encoded as.
    encoded: Option<(usize, SystemTime, Encoded)>,
}

impl Inbox {
    /// Reads on from there.
    pub(super) fn of(intake: Intake) -> Self {
        Self {
            intake: Some(intake),
            ..Self::default()
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.intake.is_some()
    }

    /// Whether the log has ended, and all of it was read.
    pub(super) fn is_ended(&self) -> bool {
        self.intake.as_ref().is_some_and(Intake::is_ended)
    }

    /// The first record that was not read.
    pub(super) fn read_to(&self) -> Option<u64> {
        self.intake.as_ref().map(Intake::position)
    }

    /// How many records were purged before they were read, since this was asked last.
    pub(super) fn take_purged(&mut self) -> u64 {
        self.intake.as_mut().map_or(0, Intake::take_purged)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.pending.iter()
    }

    pub(super) fn push(&mut self, message: Message) {
        self.pending.push_back(message);
    }

    /// Waits for something new, and reads as much as makes so many batches, unless there is enough of it.
    pub(super) fn read(
        &mut self,
        limits: &Limits,
        batches: usize,
        wait: Duration,
        is_called_off: CalledOff<'_>,
    ) -> Result<()> {
        let Some(room) = room_beside(&self.pending, limits, batches) else {
            return Ok(());
        };
        // Where it panics, nobody knows what it had read: then it is gone, and all is read again from the position.
        let Some(mut intake) = self.intake.take() else {
            return Ok(());
        };
        let read = intake.wait(wait, is_called_off, room);
        self.intake = Some(intake);
        self.pending.extend(read?);
        Ok(())
    }

    /// Takes the first messages, and what they were encoded as, if they were.
    pub(super) fn take(&mut self, count: usize) -> (Vec<Message>, Option<Encoded>) {
        let encoded = self.encoded.take();
        let is_fresh = |at: &SystemTime| at.elapsed().is_ok_and(|age| age < FRESH);
        let encoded = encoded.filter(|(messages, at, _)| *messages == count && is_fresh(at));
        let encoded = encoded.map(|(_, _, encoded)| encoded);
        (self.pending.drain(..count).collect(), encoded)
    }

    /// Puts messages back, before all others.
    pub(super) fn put_back(&mut self, messages: Vec<Message>) {
        if !messages.is_empty() {
            self.encoded = None;
        }
        messages
            .into_iter()
            .rev()
            .for_each(|message| self.pending.push_front(message));
    }

    /// Encodes the next batch, of so many messages, and reads what comes after it, where there is more. What fails does so
    /// again as it is delivered or read, and is found out there.
    pub(super) fn work_ahead(&mut self, next: Option<(usize, &dyn Encoder)>, limits: &Limits) {
        if let Some((count, encoder)) = next
            && let Some(messages) = self.pending.make_contiguous().get(..count)
        {
            let encoded = encoder.encode(messages).ok();
            self.encoded = encoded.map(|encoded| (count, SystemTime::now(), encoded));
        }
        if self.intake.as_ref().is_some_and(Intake::is_behind) {
            let read = self.read(limits, BATCHES, Duration::ZERO, None);
            drop(read);
        }
    }
}

/// How much is to be read beside these messages to make so many batches, in messages and bytes; `None` where that is little.
fn room_beside(messages: &VecDeque<Message>, limits: &Limits, batches: usize) -> Option<(usize, usize)> {
    let messages_max = limits.messages_max.saturating_mul(batches);
    let messages_max = messages_max.clamp(MESSAGES_MIN, MESSAGES_MAX);
    let bytes_max = limits.bytes_max.saturating_mul(batches).clamp(1, BYTES_MAX);
    let bytes: usize = messages.iter().map(|message| message.text().len()).sum();
    let room = (
        messages_max.saturating_sub(messages.len()),
        bytes_max.saturating_sub(bytes),
    );
    (room.0 > messages_max / 6 && room.1 > bytes_max / 6).then_some(room)
}

/// One that is delivered, one that is encoded meanwhile, and one that is read.
pub(super) const BATCHES: usize = 3;

/// So long what was encoded is sent so, by the clock: it has the time of then, in its signature say.
const FRESH: Duration = Duration::from_secs(30);

/// At least so many messages are held, also for a sink that takes one at a time.
const MESSAGES_MIN: usize = 256;

/// And no more, whatever a sink takes.
const MESSAGES_MAX: usize = 100_000;

const BYTES_MAX: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::Delivery;
    use crate::{AuditLog, MemoryStore, SigningKey};

    /// Messages of these texts.
    fn messages(texts: impl IntoIterator<Item = String>) -> Vec<Message> {
        let origin = "log.example/test".parse().expect("an origin");
        let log = AuditLog::builder("log.example/test")
            .signer(SigningKey::generate(origin).expect("a key"))
            .without_checkpoint_file();
        let log = log.open(MemoryStore::new()).expect("opens");
        let checkpoint = log.checkpoint().expect("a checkpoint");
        let message = |text| Message::of_checkpoint(&checkpoint, text, "2026-01-01T00:00:00Z".parse().expect("a time"));
        texts.into_iter().map(message).collect()
    }

    /// Writes the texts one behind the other; a text `!` it does not take.
    struct Joined;

    impl Encoder for Joined {
        fn encode(&self, messages: &[Message]) -> Result<Encoded, Delivery> {
            let body: String = messages.iter().map(Message::text).collect();
            match body.contains('!') {
                true => Err(Delivery::hold("!")),
                false => Ok(Encoded::new(body.into())),
            }
        }
    }

    fn inbox(texts: &str) -> Inbox {
        Inbox {
            pending: messages(texts.chars().map(String::from)).into(),
            ..Inbox::default()
        }
    }

    #[test]
    fn what_was_encoded_is_given_with_those_messages_and_no_others() {
        let limits = Limits::default();
        let taken = |inbox: &mut Inbox, count| inbox.take(count).1.map(|encoded| encoded.body);
        let mut abc = inbox("abc");
        abc.work_ahead(Some((2, &Joined)), &limits);
        assert_eq!(taken(&mut abc, 2).as_deref(), Some(&b"ab"[..]));
        assert_eq!(taken(&mut abc, 1), None, "once");
        for other in [1, 3] {
            let mut abc = inbox("abc");
            abc.work_ahead(Some((2, &Joined)), &limits);
            assert_eq!(taken(&mut abc, other), None, "{other}");
        }
        let mut abc = inbox("abc");
        abc.work_ahead(Some((2, &Joined)), &limits);
        abc.put_back(Vec::new());
        assert!(abc.encoded.is_some());
        abc.put_back(messages(["z".to_owned()]));
        let (messages, encoded) = abc.take(2);
        let texts: Vec<_> = messages.iter().map(Message::text).collect();
        assert_eq!((texts, encoded), (vec!["z", "a"], None));
        let mut refused = inbox("a!");
        refused.work_ahead(Some((2, &Joined)), &limits);
        assert_eq!(taken(&mut refused, 2), None);
    }

    #[test]
    fn what_was_encoded_at_another_time_of_the_clock_is_encoded_anew() {
        let (now, minute) = (SystemTime::now(), Duration::from_secs(60));
        for (at, is_taken) in [(now, true), (now - minute, false), (now + minute, false)] {
            let mut ab = inbox("ab");
            ab.encoded = Some((1, at, Encoded::new(b"a".into())));
            assert_eq!(ab.take(1).1.is_some(), is_taken, "{at:?}");
        }
    }

    #[test]
    fn what_is_held_is_bounded_in_messages_and_in_bytes() {
        let limits = Limits::new(100, 10_000);
        let room = |count: usize, bytes: usize| {
            let texts = (0..count).map(|_| "x".repeat(bytes));
            room_beside(&messages(texts).into(), &limits, 3)
        };
        assert_eq!(room(0, 0), Some((300, 30_000)));
        assert_eq!(room(100, 10), Some((200, 29_000)));
        assert_eq!(room(251, 10), None, "no half of a batch");
        assert_eq!(room(6, 4_500), None, "nor in bytes");
        // Also of a sink that takes as much as there is, and of one that takes a message at a time.
        let nothing = VecDeque::new();
        let room = |limits, batches| room_beside(&nothing, &limits, batches);
        let all = Limits::new(usize::MAX, usize::MAX);
        assert_eq!(room(all, 3), Some((MESSAGES_MAX, BYTES_MAX)));
        assert_eq!(room(Limits::new(1, 1), 3), Some((MESSAGES_MIN, 3)));
        assert_eq!(room(limits, 1), Some((MESSAGES_MIN, 10_000)));
    }
}
