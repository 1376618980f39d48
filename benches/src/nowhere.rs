//! A store that keeps nothing but the head of its log: what is left of an append is the processor's work.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indelible::store::{Commit, Eraser, Erasure, Head, KeptRotation, Lines, Opened, Opening, Segment, Store, Writer};
use indelible::{AuditLog, Result, SignedCheckpoint, SigningKey};

use crate::events::ORIGIN;

/// The store. Whoever holds the gate holds up its writer.
#[derive(Debug, Clone, Default)]
pub struct Nowhere {
    gate: Arc<Mutex<()>>,
}

impl Nowhere {
    /// Holds up the writer until it is dropped.
    pub fn hold(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A log in it.
    pub fn open(&self) -> AuditLog {
        let key = SigningKey::generate(ORIGIN.parse().expect("an origin")).expect("a key");
        let builder = AuditLog::builder(ORIGIN).signer(key).without_checkpoint_file();
        let builder = builder.queue_bytes(usize::MAX / 2);
        builder.open(self.clone()).expect("a log")
    }
}

impl Store for Nowhere {
    fn open(&self, _: &Opening<'_>) -> Result<Opened> {
        Ok(Opened {
            writer: Box::new(Nobody(self.clone())),
            eraser: Box::new(Nobody(self.clone())),
            head: None::<Head>,
            moved: Vec::new(),
        })
    }

    fn segments(&self) -> Result<Vec<Segment>> {
        Ok(Vec::new())
    }

    fn lines(&self, _: &Segment, _: u64) -> Result<Box<dyn Lines + '_>> {
        unreachable!("there is no segment")
    }

    fn newest_checkpoint(&self) -> Result<Option<SignedCheckpoint>> {
        Ok(None)
    }

    fn has_writer(&self) -> Result<bool> {
        Ok(false)
    }

    fn kept_rotations(&self) -> Result<Vec<KeptRotation>> {
        Ok(Vec::new())
    }
}

#[derive(Debug)]
struct Nobody(Nowhere);

impl Writer for Nobody {
    fn append(&mut self, _: &Commit<'_>) -> Result<()> {
        drop(self.0.hold());
        Ok(())
    }

    fn seal(&mut self) -> Result<()> {
        Ok(())
    }

    fn moved_is_announced(&mut self) -> Result<()> {
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Eraser for Nobody {
    fn set_pending(&mut self, _: Option<&[u8]>) -> Result<()> {
        Ok(())
    }

    fn pending(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn erase(&mut self, _: &[(u64, u64)], _: Erasure) -> Result<()> {
        Ok(())
    }

    fn purge(&mut self, before: u64) -> Result<u64> {
        Ok(before)
    }
}
