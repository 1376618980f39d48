//! A writer of logs that follows no rule by itself: tests write with it what a log may not hold, signed like the real
//! thing. It shares no code with the crate but hashes, trees and keys.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use indelible::merkle::Tree;
use indelible::{Checkpoint, Hash, Origin, Signer, SigningKey, VerifierKey, hash};

pub(crate) const ORIGIN: &str = "auth.example.com/audit";

/// The key with this number, of the log.
pub(crate) fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(Origin::new(ORIGIN).unwrap(), &[number; 32]).unwrap()
}

pub(crate) fn vkey(number: u8) -> VerifierKey {
    key(number).vkey().clone()
}

/// A log in the making, as the text of its segments.
#[derive(Clone)]
pub(crate) struct Scribe {
    /// The first `seq` of each segment and its text.
    pub(crate) segments: Vec<(u64, String)>,
    pub(crate) tree: Tree,
    pub(crate) last: Hash,
    pub(crate) hashes: Vec<Hash>,
    /// The signers of checkpoints.
    pub(crate) signers: Vec<u8>,
    /// Microseconds since 1970, of the next record.
    pub(crate) time: i64,
}

impl Scribe {
    /// A log with a first commit, signed by the key 1.
    pub(crate) fn new() -> Self {
        let mut log = Self::empty();
        log.record(
            "audit_log.created",
            &format!(r#"{{"format":1,"origin":"{ORIGIN}","vkey":"{}"}}"#, vkey(1)),
        );
        log.commit();
        log
    }

    pub(crate) fn empty() -> Self {
        let segments = vec![(
            0,
            format!("{{\"segment\":{{\"first\":0,\"format\":1,\"origin\":\"{ORIGIN}\",\"peaks\":[]}}}}\n"),
        )];
        Self {
            segments,
            tree: Tree::new(),
            last: Hash::ZERO,
            hashes: Vec::new(),
            signers: vec![1],
            time: 1_769_904_000_000_000,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.tree.size()
    }

    pub(crate) fn text(&mut self) -> &mut String {
        &mut self.segments.last_mut().unwrap().1
    }

    /// A record with this action and these metadata, one microsecond after the one before.
    pub(crate) fn record(&mut self, action: &str, metadata: &str) -> u64 {
        let seq = self.size();
        let (event, personal) = (event(action, metadata), personal(seq));
        self.push(&event, &personal)
    }

    /// A record of a host.
    pub(crate) fn host(&mut self) -> u64 {
        self.record("auth.login.succeeded", "{}")
    }

    pub(crate) fn hosts(&mut self, count: usize) {
        (0..count).for_each(|_| {
            self.host();
        });
    }

    pub(crate) fn push(&mut self, event: &str, personal: &str) -> u64 {
        let seq = self.size();
        self.time += 1;
        let time = indelible::Timestamp::from_unix_micros(self.time).unwrap();
        let tail = format!("\"prev\":\"{}\",\"recorded_at\":\"{time}\",\"seq\":{seq}}}", self.last);
        writeln!(self.text(), "{{\"event\":{event},\"personal\":{personal},{tail}").unwrap();
        let digest = Hash::of(personal.as_bytes());
        self.take(hash::leaf(
            format!("{{\"event\":{event},\"personal\":\"{digest}\",{tail}").as_bytes(),
        ));
        seq
    }

    pub(crate) fn take(&mut self, hash: Hash) {
        self.tree.push(hash);
        self.hashes.push(hash);
        self.last = hash;
    }

    pub(crate) fn note(&self) -> String {
        let checkpoint = Checkpoint::new(Origin::new(ORIGIN).unwrap(), self.size(), self.tree.root()).unwrap();
        let keys: Vec<SigningKey> = self.signers.iter().map(|number| key(*number)).collect();
        let signers: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
        checkpoint.sign(&signers).unwrap().to_string()
    }

    pub(crate) fn commit(&mut self) {
        let note = self.note();
        self.checkpoint_line(&note);
    }

    pub(crate) fn checkpoint_line(&mut self, note: &str) {
        let note = note.replace('\n', "\\n");
        writeln!(self.text(), "{{\"checkpoint\":\"{note}\"}}").unwrap();
    }

    /// A rotation, signed by both keys; from then on the new one signs.
    pub(crate) fn rotate(&mut self, old: u8, new: u8) -> u64 {
        let seq = self.record("audit_log.signing_key.rotated", &rotation(old, new));
        self.signers = vec![old, new];
        self.commit();
        self.signers = vec![new];
        seq
    }

    pub(crate) fn announce(&mut self, action: &str, ranges: &str) {
        self.record(action, &format!(r#"{{"ranges":{ranges},"reason":"test"}}"#));
        self.commit();
    }

    pub(crate) fn seal(&mut self) {
        let first = self.size();
        let header = header(first, &self.tree);
        self.segments.push((first, header));
    }

    /// Puts the erased record in place of the record `seq`.
    pub(crate) fn erase(&mut self, seq: u64) {
        let line = format!(
            "{{\"erased\":\"{}\",\"seq\":{seq}}}",
            self.hashes[usize::try_from(seq).unwrap()]
        );
        self.replace(seq, |_| line.clone());
    }

    /// Puts the hashed form in place of the record `seq`.
    pub(crate) fn erase_personal(&mut self, seq: u64) {
        self.replace(seq, |line| {
            let (before, rest) = line.split_once(",\"personal\":").unwrap();
            let (personal, after) = rest.split_once(",\"prev\":").unwrap();
            format!(
                "{before},\"personal\":\"{}\",\"prev\":{after}",
                Hash::of(personal.as_bytes())
            )
        });
    }

    pub(crate) fn replace(&mut self, seq: u64, with: impl Fn(&str) -> String) {
        let ending = format!(",\"seq\":{seq}}}");
        for (_, text) in &mut self.segments {
            let lines = text.split_inclusive('\n');
            *text = lines
                .map(|line| {
                    if line.trim_end().ends_with(&ending) {
                        with(line.trim_end()) + "\n"
                    } else {
                        line.to_owned()
                    }
                })
                .collect();
        }
    }

    pub(crate) fn write(&self, folder: &Path) {
        let segments = folder.join("segments");
        fs::create_dir_all(&segments).unwrap();
        for (first, text) in &self.segments {
            fs::write(segments.join(format!("{first:020}.jsonl")), text).unwrap();
        }
    }
}

pub(crate) fn header(first: u64, tree: &Tree) -> String {
    let peaks: Vec<String> = tree.peaks().iter().map(|peak| format!("\"{peak}\"")).collect();
    format!(
        "{{\"segment\":{{\"first\":{first},\"format\":1,\"origin\":\"{ORIGIN}\",\"peaks\":[{}]}}}}\n",
        peaks.join(",")
    )
}

pub(crate) fn event(action: &str, metadata: &str) -> String {
    format!(
        "{{\"action\":\"{action}\",\"actor\":{{\"id\":\"indelible\",\"type\":\"system\"}},\"metadata\":{metadata}}}"
    )
}

pub(crate) fn personal(seq: u64) -> String {
    format!("{{\"name\":\"Alice\",\"salt\":\"{seq:032x}\"}}")
}

pub(crate) fn rotation(old: u8, new: u8) -> String {
    format!(r#"{{"new":"{}","old":"{}"}}"#, vkey(new), vkey(old))
}
