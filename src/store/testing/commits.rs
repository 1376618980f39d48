//! Makes the commits of a log, as its committer would.

use std::time::Duration;

use super::Failure;
use crate::checkpoint::{Checkpoint, SignedCheckpoint};
use crate::hash::{self, Hash};
use crate::merkle::Tree;
use crate::note::{Origin, VerifierKey};
use crate::record::{Draft, write_checkpoint};
use crate::sign::{Signer, SigningKey};
use crate::store::{Commit, Opening};

/// A log in the making: what its next commit depends on, and what stands in it so far.
pub(super) struct Maker {
    pub(super) origin: Origin,
    key: SigningKey,
    tree: Tree,
    last: Hash,
    pub(super) records: Vec<MadeRecord>,
    /// The lines of all commits, without headers.
    pub(super) bytes: Vec<u8>,
    pub(super) newest: Option<SignedCheckpoint>,
}

/// A record, and what erasures leave of it.
#[derive(Debug, Clone)]
pub(super) struct MadeRecord {
    pub(super) line: Vec<u8>,
    pub(super) hash: Hash,
    /// The line with the digest of its personal data (FORMAT §2).
    pub(super) hashed_form: Vec<u8>,
    pub(super) is_own: bool,
}

/// A commit that was made.
pub(super) struct Made {
    before: Tree,
    after: Tree,
    prev: Hash,
    hashes: Vec<Hash>,
    pub(super) bytes: Vec<u8>,
    pub(super) checkpoint: SignedCheckpoint,
}

impl Made {
    pub(super) fn commit(&self) -> Commit<'_> {
        Commit {
            before: &self.before,
            after: &self.after,
            prev: &self.prev,
            hashes: &self.hashes,
            bytes: &self.bytes,
            checkpoint: &self.checkpoint,
        }
    }
}

/// What a record is about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Of a host.
    Login,
    /// Of a host, with so many bytes of personal data.
    Large(usize),
    /// Of the log itself.
    Own,
    /// Of the log itself: another key comes into force.
    Rotation,
}

impl Maker {
    pub(super) fn new() -> Result<Self, Failure> {
        let origin = Origin::new("store.example.com/conformance").map_err(failure)?;
        Ok(Self {
            key: key(&origin, 0)?,
            origin,
            tree: Tree::new(),
            last: Hash::ZERO,
            records: Vec::new(),
            bytes: Vec::new(),
            newest: None,
        })
    }

    pub(super) fn vkey(&self) -> &VerifierKey {
        self.key.vkey()
    }

    pub(super) fn opening(&self, wait: Duration) -> Opening<'_> {
        Opening {
            origin: &self.origin,
            vkey: self.vkey(),
            wait,
            accept: &|_| Ok(()),
        }
    }

    /// How many records there are.
    pub(super) fn size(&self) -> u64 {
        self.tree.size()
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    pub(super) fn last(&self) -> Hash {
        self.last
    }

    /// The line of the last record.
    pub(super) fn last_line(&self) -> &[u8] {
        self.records.last().map_or(&[], |record| &record.line)
    }

    /// The next commit. A rotation is the last of its records, and the commit is signed by both keys (FORMAT §6).
    pub(super) fn commit(&mut self, kinds: &[Kind]) -> Result<Made, Failure> {
        let (before, prev) = (self.tree.clone(), self.last);
        let (mut bytes, mut hashes) = (Vec::new(), Vec::new());
        let mut successor = None;
        for kind in kinds {
            if matches!(kind, Kind::Rotation) {
                successor = Some(key(&self.origin, self.size() + 1)?);
            }
            let record = self.record(*kind, successor.as_ref());
            bytes.extend_from_slice(&record.line);
            bytes.push(b'\n');
            hashes.push(record.hash);
            self.tree.push(record.hash);
            self.last = record.hash;
            self.records.push(record);
        }
        let checkpoint = Checkpoint::new(self.origin.clone(), self.tree.size(), self.tree.root()).map_err(failure)?;
        let mut signers: Vec<&dyn Signer> = vec![&self.key];
        signers.extend(successor.as_ref().map(|key| key as &dyn Signer));
        let checkpoint = checkpoint.sign(&signers).map_err(failure)?;
        write_checkpoint(&mut bytes, checkpoint.as_str());
        if let Some(successor) = successor {
            self.key = successor;
        }
        self.bytes.extend_from_slice(&bytes);
        self.newest = Some(checkpoint.clone());
        Ok(Made {
            before,
            after: self.tree.clone(),
            prev,
            hashes,
            bytes,
            checkpoint,
        })
    }

    fn record(&self, kind: Kind, successor: Option<&SigningKey>) -> MadeRecord {
        let seq = self.tree.size();
        let (origin, vkey) = (&self.origin, self.vkey());
        let (action, metadata) = match (kind, successor) {
            (_, Some(new)) => {
                let metadata = format!(r#"{{"new":"{}","old":"{vkey}"}}"#, new.vkey());
                ("audit_log.signing_key.rotated", metadata)
            }
            _ if seq == 0 => {
                let metadata = format!(r#"{{"format":1,"origin":"{origin}","vkey":"{vkey}"}}"#);
                ("audit_log.created", metadata)
            }
            (Kind::Own | Kind::Rotation, None) => ("audit_log.started", r#"{"version":"0.0.0"}"#.into()),
            (Kind::Login | Kind::Large(_), None) => ("auth.login.succeeded", r#"{"attempt":1}"#.into()),
        };
        let is_own = action.starts_with("audit_log.");
        let (time, actor) = (
            format!("2026-01-01T00:00:00.{seq:06}Z"),
            if is_own { "system" } else { "user" },
        );
        let event = format!(
            r#"{{"action":"{action}","actor":{{"id":"id_{seq}","type":"{actor}"}},"id":"event_{seq}","metadata":{metadata},"occurred_at":"{time}","outcome":"success","severity":"informational"}}"#
        );
        let salt = format!("{seq:032x}");
        let personal = match kind {
            _ if is_own => format!(r#"{{"salt":"{salt}"}}"#),
            Kind::Large(bytes) => format!(r#"{{"actor":{{"name":"{}"}},"salt":"{salt}"}}"#, "n".repeat(bytes)),
            _ => format!(r#"{{"actor":{{"email":"user{seq}@example.com","name":"Ålesund 🚀"}},"salt":"{salt}"}}"#),
        };
        self.written(&event, &personal, &time, is_own)
    }

    fn written(&self, event: &str, personal: &str, time: &str, is_own: bool) -> MadeRecord {
        let seq = self.tree.size();
        let mut line = Vec::new();
        Draft::begin(&mut line);
        line.extend_from_slice(event.as_bytes());
        let draft = Draft::end(&mut line, personal.as_bytes());
        let hash = draft.finish(&mut line, &self.last, time.as_bytes(), seq);
        line.pop();
        line.remove(0);
        let digest = Hash::of(personal.as_bytes());
        let prev = self.last;
        let hashed_form =
            format!(r#"{{"event":{event},"personal":"{digest}","prev":"{prev}","recorded_at":"{time}","seq":{seq}}}"#);
        debug_assert_eq!(hash::leaf(hashed_form.as_bytes()), hash);
        MadeRecord {
            line,
            hash,
            hashed_form: hashed_form.into_bytes(),
            is_own,
        }
    }
}

fn key(origin: &Origin, number: u64) -> Result<SigningKey, Failure> {
    let mut seed = [42; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    SigningKey::from_seed(origin.clone(), &seed).map_err(failure)
}

fn failure(error: impl std::fmt::Display) -> Failure {
    Failure(format!("the suite itself fails: {error}"))
}
