//! The SHA-256 of what is written: from the second piece on by a thread of its own, while the next one is made.

#![warn(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use sha2::{Digest as _, Sha256};

use crate::hash::Hash;

/// The SHA-256 of pieces, in their order. Pieces on their way are few, so that memory is constant.
pub(super) enum Digest {
    /// What is small, and where no thread can be had.
    Here(Sha256),
    There(Worker),
}

/// The thread that hashes.
pub(super) struct Worker {
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
    thread: JoinHandle<Sha256>,
    /// How many pieces are on their way, or come back.
    pieces: usize,
}

impl Digest {
    pub(super) fn new() -> Self {
        Self::Here(Sha256::new())
    }

    /// Takes a piece, and gives an empty buffer for the next one.
    pub(super) fn take(&mut self, mut piece: Vec<u8>) -> io::Result<Vec<u8>> {
        match self {
            Self::Here(hasher) => {
                hasher.update(&piece);
                // The rest of what is small is no work for a thread.
                if piece.len() >= PIECE_MIN
                    && let Ok(worker) = Worker::start(hasher.clone())
                {
                    *self = Self::There(worker);
                }
                piece.clear();
                Ok(piece)
            }
            Self::There(worker) => worker.take(piece),
        }
    }

    /// The hash of all pieces.
    pub(super) fn finish(self) -> io::Result<Hash> {
        let hasher = match self {
            Self::Here(hasher) => hasher,
            Self::There(Worker { full, thread, .. }) => {
                drop(full);
                thread.join().map_err(|_| ended())?
            }
        };
        Ok(Hash::from_bytes(hasher.finalize().into()))
    }
}

impl Worker {
    fn start(mut hasher: Sha256) -> io::Result<Self> {
        let (full, pieces) = sync_channel::<Vec<u8>>(PIECES);
        // No more than there is room for are under way: giving one back never waits.
        let (back, empty) = sync_channel(PIECES);
        let work = move || {
            for mut piece in pieces {
                hasher.update(&piece);
                piece.clear();
                // Nobody takes it where the export has ended.
                let _ = back.send(piece);
            }
            hasher
        };
        let thread = thread::Builder::new().name("indelible-hash".into()).spawn(work)?;
        Ok(Self {
            full,
            empty,
            thread,
            pieces: 0,
        })
    }

    fn take(&mut self, piece: Vec<u8>) -> io::Result<Vec<u8>> {
        let capacity = piece.capacity();
        self.full.send(piece).map_err(|_| ended())?;
        self.pieces += 1;
        if self.pieces < PIECES {
            return Ok(Vec::with_capacity(capacity));
        }
        self.pieces -= 1;
        self.empty.recv().map_err(|_| ended())
    }
}

fn ended() -> io::Error {
    io::Error::other("the thread that hashes it has ended")
}

/// So many pieces are on their way at most.
const PIECES: usize = 4;

/// Where a first piece is smaller, no second one is expected.
const PIECE_MIN: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_give_the_hash_of_all_of_them() {
        for count in 0..20_u8 {
            let (mut digest, mut all, mut buffer) = (Digest::new(), Vec::new(), Vec::new());
            for piece in 0..count {
                buffer.extend(std::iter::repeat_n(piece, PIECE_MIN + usize::from(piece)));
                all.extend_from_slice(&buffer);
                buffer = digest.take(buffer).expect("taken");
                assert!(buffer.is_empty());
            }
            assert_eq!(digest.finish().expect("a hash"), Hash::of(&all), "{count}");
        }
    }

    #[test]
    fn a_digest_that_is_dropped_leaves_nobody_waiting() {
        let mut digest = Digest::new();
        for _ in 0..3 {
            digest.take(vec![0; PIECE_MIN]).expect("taken");
        }
        let Digest::There(Worker {
            full, empty, thread, ..
        }) = digest
        else {
            panic!("no thread");
        };
        drop((full, empty));
        thread.join().expect("it ends");
    }
}
