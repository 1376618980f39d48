//! The keys of a log: which one is in force where (FORMAT §6).

use std::sync::Arc;

use super::own::Rotation;
use crate::checkpoint::SignedCheckpoint;
use crate::note::{Origin, VerifierKey};

/// The keys that a log had up to a place in it, as far as they are known: the one in force, and how it came to be. Rings
/// share the keys before a rotation, so that those of all places take no more memory than those of the last.
#[derive(Debug, Clone)]
pub(super) struct KeyRing(Arc<Link>);

#[derive(Debug)]
struct Link {
    key: VerifierKey,
    former: Option<Arc<Link>>,
    /// How many keys there are up to this one.
    count: usize,
}

impl KeyRing {
    pub(super) fn new(key: VerifierKey) -> Self {
        let (former, count) = (None, 1);
        Self(Arc::new(Link { key, former, count }))
    }

    pub(super) fn in_force(&self) -> &VerifierKey {
        &self.0.key
    }

    pub(super) fn origin(&self) -> &Origin {
        self.in_force().name()
    }

    /// Whether the log has or had this key.
    pub(super) fn has(&self, key: &VerifierKey) -> bool {
        self.iter().any(|known| known == key)
    }

    /// The keys, the one in force first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &VerifierKey> {
        self.links().map(|link| &link.key)
    }

    fn links(&self) -> impl Iterator<Item = &Arc<Link>> {
        std::iter::successors(Some(&self.0), |link| link.former.as_ref())
    }

    /// Puts `rotation` in force, or says in words why it may not be.
    pub(super) fn rotate(&mut self, rotation: &Rotation) -> Result<(), String> {
        if rotation.old != *self.in_force() {
            return Err("`old` of the rotation is not the key in force".into());
        }
        if self.has(&rotation.new) {
            return Err("`new` of the rotation is a key that the log had before".into());
        }
        if self.0.count > KEYS_MAX {
            return Err(format!("the log had more than {KEYS_MAX} keys"));
        }
        self.0 = Arc::new(Link {
            key: rotation.new.clone(),
            former: Some(Arc::clone(&self.0)),
            count: self.0.count + 1,
        });
        Ok(())
    }
}

impl PartialEq for KeyRing {
    fn eq(&self, other: &Self) -> bool {
        // From the first link that they share on they are the same.
        let mut pairs = self.links().zip(other.links()).take_while(|(a, b)| !Arc::ptr_eq(a, b));
        self.0.count == other.0.count && pairs.all(|(a, b)| a.key == b.key)
    }
}

impl Drop for Link {
    /// One link after the other: a chain that drops itself would need a stack as deep as it is long.
    fn drop(&mut self) {
        let mut next = self.former.take();
        while let Some(mut link) = next.and_then(Arc::into_inner) {
            next = link.former.take();
        }
    }
}

/// Checks that both keys of `rotation` signed the checkpoint of its commit, the old one first. Says what is wrong, in
/// words.
pub(super) fn check_countersigned(rotation: &Rotation, checkpoint: &SignedCheckpoint) -> Result<(), String> {
    if rotation.old == rotation.new {
        return Err("both are the same".into());
    }
    let old = checkpoint
        .verify(&rotation.old)
        .map_err(|error| format!("the old key: {error}"))?;
    let new = checkpoint
        .verify(&rotation.new)
        .map_err(|error| format!("the new key: {error}"))?;
    if old < new {
        Ok(())
    } else {
        Err("the new key signed before the old one".into())
    }
}

/// The keys at the first retained record, for who trusts `vkey`. `kept` are the rotations before that record,
/// `retained` those behind it, each in order and countersigned.
///
/// It is a claim, to be verified: whether `vkey` is among the log's keys shows once all rotations are checked in their
/// order.
pub(super) fn starting_keys(vkey: &VerifierKey, kept: &[Rotation], retained: &[Rotation]) -> KeyRing {
    let chain = kept_chain(kept);
    let start = if chain.as_ref().is_some_and(|keys| keys.has(vkey)) {
        None
    } else {
        Some(first_key_before(vkey, retained))
    };
    match (chain, start) {
        (Some(keys), None) => keys,
        (Some(keys), Some(start)) if *keys.in_force() == start => keys,
        (_, start) => KeyRing::new(start.unwrap_or_else(|| vkey.clone())),
    }
}

/// The keys that the kept rotations name, from the last break in their list on; `None` without any.
fn kept_chain(kept: &[Rotation]) -> Option<KeyRing> {
    let mut chain: Option<KeyRing> = None;
    for rotation in kept {
        let continued = chain.as_mut().is_some_and(|keys| keys.rotate(rotation).is_ok());
        if !continued {
            let mut keys = KeyRing::new(rotation.old.clone());
            // A rotation of a key to itself does not count.
            chain = keys.rotate(rotation).is_ok().then_some(keys);
        }
    }
    chain
}

/// Back from the rotation that brought `vkey` to the first `old` that leads there; `vkey` itself where no rotation
/// brought it.
fn first_key_before(vkey: &VerifierKey, retained: &[Rotation]) -> VerifierKey {
    let mut first = vkey;
    let brought = retained.iter().rposition(|rotation| rotation.new == *vkey);
    for rotation in retained.iter().take(brought.map_or(0, |at| at + 1)).rev() {
        if rotation.new == *first {
            first = &rotation.old;
        }
    }
    first.clone()
}

/// How many keys a verifier follows: a new one every day for 27 years.
pub(super) const KEYS_MAX: usize = 10_000;
