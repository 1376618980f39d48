//! A second opinion on a log: reads it by FORMAT.md, line by line, and fails the test at the first breach.

use std::time::Duration;

use indelible::hash::{self, Hash};
use indelible::merkle::Tree;
use indelible::store::{LineEnd, Store};
use indelible::{Record, SignedCheckpoint, Verifier, VerifierKey};
use serde_json::Value;

/// What a sound log holds.
#[derive(Debug)]
pub(crate) struct Sound {
    pub(crate) first: u64,
    pub(crate) records: Vec<Seen>,
    pub(crate) checkpoints: Vec<SignedCheckpoint>,
    pub(crate) segments: usize,
    /// The key in force at the end.
    pub(crate) vkey: VerifierKey,
}

#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) seq: u64,
    pub(crate) hash: Hash,
    pub(crate) action: String,
    /// `event`; null once erased.
    pub(crate) event: Value,
    /// `personal`: an object, a string once erased, null where the whole record is erased.
    pub(crate) personal: Value,
    pub(crate) recorded_at: String,
}

impl Sound {
    pub(crate) fn size(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    pub(crate) fn at(&self, seq: u64) -> &Seen {
        &self.records[usize::try_from(seq - self.first).expect("small")]
    }

    pub(crate) fn actions(&self) -> Vec<&str> {
        self.records.iter().map(|record| record.action.as_str()).collect()
    }

    /// The records of an action.
    pub(crate) fn of(&self, action: &str) -> Vec<&Seen> {
        self.records.iter().filter(|record| record.action == action).collect()
    }

    /// How many records have an actor of this id.
    pub(crate) fn count(&self, actor: &str) -> usize {
        let by = |record: &&Seen| record.event["actor"]["id"] == actor;
        self.records.iter().filter(by).count()
    }
}

/// Checks a log against FORMAT §1 to §8. `vkey` is the key in force at the first retained record.
pub(crate) fn check(store: &impl Store, vkey: &VerifierKey) -> Sound {
    let mut walk = Walk {
        tree: None,
        prev: None,
        time: None,
        vkey: vkey.clone(),
        keys: vec![vkey.to_string()],
        rotation: None,
        in_commit: 0,
        commit_bytes: 0,
        sound: Sound {
            first: 0,
            records: Vec::new(),
            checkpoints: Vec::new(),
            segments: 0,
            vkey: vkey.clone(),
        },
    };
    let segments = store.segments().expect("segments");
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index + 1 == segments.len();
        let mut lines = store.lines(segment, 0).expect("lines");
        let mut commits = 0;
        while let Some(raw) = lines.next_line().expect("a line") {
            let at = format!("{} line {}", segment.name, raw.number);
            match raw.end {
                LineEnd::Whole => {}
                LineEnd::Space if is_last => break,
                other => panic!("{at}: {other:?}"),
            }
            let text = std::str::from_utf8(raw.bytes).expect("UTF-8");
            if raw.number == 1 {
                walk.header(text, segment.first, index == 0, &at);
            } else {
                commits += walk.line(text, &at);
            }
        }
        assert_eq!(walk.in_commit, 0, "{}: records without a checkpoint", segment.name);
        assert!(commits > 0 || is_last, "{}: a segment without commits", segment.name);
    }
    walk.sound.segments = segments.len();
    walk.sound.vkey = walk.vkey.clone();
    walk.check_own();
    // And the crate's own opinion, from either end of the list of keys.
    for trusted in [vkey, &walk.vkey] {
        let report = Verifier::new(trusted.clone()).verify_store(store).expect("readable");
        assert!(report.is_sound(), "under {trusted}: {report}");
    }
    walk.sound
}

struct Walk {
    tree: Option<Tree>,
    prev: Option<Hash>,
    time: Option<String>,
    vkey: VerifierKey,
    keys: Vec<String>,
    rotation: Option<(String, String)>,
    in_commit: usize,
    commit_bytes: usize,
    sound: Sound,
}

impl Walk {
    fn header(&mut self, text: &str, first: u64, is_first: bool, at: &str) {
        let line: Value = serde_json::from_str(text).expect("JSON");
        let header = &line["segment"];
        assert_eq!(header["format"], 1, "{at}");
        assert_eq!(header["origin"], self.vkey.name().as_str(), "{at}");
        assert_eq!(header["first"], first, "{at}");
        let peaks = header["peaks"].as_array().expect("peaks").iter();
        let peaks: Vec<Hash> = peaks
            .map(|peak| peak.as_str().expect("a hash").parse().expect("a hash"))
            .collect();
        match &self.tree {
            Some(tree) => {
                assert_eq!(tree.size(), first, "{at}: a gap between segments");
                assert_eq!(tree.peaks(), peaks, "{at}: peaks");
            }
            None => {
                assert!(is_first, "{at}");
                self.tree = Some(Tree::from_peaks(first, peaks).expect("peaks"));
                self.sound.first = first;
            }
        }
    }

    /// Gives how many commits end with the line.
    fn line(&mut self, text: &str, at: &str) -> usize {
        self.commit_bytes += text.len() + 1;
        assert!(text.len() <= 262_144, "{at}: too long");
        let line: Value = serde_json::from_str(text).expect("JSON");
        let keys: Vec<&str> = line
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        match keys.as_slice() {
            ["checkpoint"] => {
                self.checkpoint(line["checkpoint"].as_str().expect("a note"), at);
                return 1;
            }
            ["event", "personal", "prev", "recorded_at", "seq"] => self.record(text, &line, at),
            ["erased", "seq"] => {
                let hash = line["erased"].as_str().expect("a hash").parse().expect("a hash");
                self.push(
                    Seen {
                        seq: line["seq"].as_u64().expect("seq"),
                        hash,
                        action: String::new(),
                        event: Value::Null,
                        personal: Value::Null,
                        recorded_at: String::new(),
                    },
                    at,
                );
            }
            other => panic!("{at}: a line with {other:?}"),
        }
        0
    }

    fn record(&mut self, text: &str, line: &Value, at: &str) {
        assert_eq!(self.rotation, None, "{at}: a rotation is not the last of its commit");
        let record = Record::from_line(text.as_bytes()).unwrap_or_else(|error| panic!("{at}: {error}"));
        let hashed_form = match record.personal_json() {
            Some(personal) => {
                let salt = line["personal"]["salt"].as_str().expect("a salt");
                assert_eq!(salt.len(), 32, "{at}: salt");
                let digest = format!("\"personal\":\"{}\"", Hash::of(personal.as_bytes()));
                text.replacen(&format!("\"personal\":{personal}"), &digest, 1)
            }
            None => text.to_owned(),
        };
        assert!(hashed_form.len() <= 65_535, "{at}: hashed form");
        let hash = hash::leaf(hashed_form.as_bytes());
        assert_eq!(record.hash(), hash, "{at}: hash");
        let prev: Hash = line["prev"].as_str().expect("prev").parse().expect("a hash");
        assert!(self.prev.is_none_or(|expected| expected == prev), "{at}: broken link");
        let recorded_at = line["recorded_at"].as_str().expect("recorded_at").to_owned();
        assert_eq!(recorded_at.len(), 27, "{at}: recorded_at");
        let action = line["event"]["action"].as_str().expect("an action").to_owned();
        let back = self.time.as_ref().is_some_and(|time| *time > recorded_at);
        assert!(!back || action == "audit_log.clock_skew.detected", "{at}: bad time");
        self.time = Some(recorded_at.clone());
        if action == "audit_log.signing_key.rotated" {
            let key = |name: &str| line["event"]["metadata"][name].as_str().expect("a vkey").to_owned();
            self.rotation = Some((key("old"), key("new")));
        }
        let seen = Seen {
            seq: record.seq(),
            hash,
            action,
            event: line["event"].clone(),
            personal: line["personal"].clone(),
            recorded_at,
        };
        self.push(seen, at);
    }

    fn push(&mut self, seen: Seen, at: &str) {
        let tree = self.tree.as_mut().expect("a header before");
        assert_eq!(seen.seq, tree.size(), "{at}: bad sequence");
        tree.push(seen.hash);
        self.prev = Some(seen.hash);
        self.in_commit += 1;
        self.sound.records.push(seen);
    }

    fn checkpoint(&mut self, note: &str, at: &str) {
        assert!(self.in_commit > 0, "{at}: a commit without records");
        assert!(self.commit_bytes <= 8 * 1024 * 1024, "{at}: a commit too large");
        let signed: SignedCheckpoint = note.parse().expect("a checkpoint");
        let tree = self.tree.as_ref().expect("a header before");
        assert_eq!(signed.checkpoint().size(), tree.size(), "{at}: size");
        assert_eq!(signed.checkpoint().root(), tree.root(), "{at}: wrong root");
        assert_eq!(signed.verify(&self.vkey), Ok(0), "{at}: bad signature");
        if let Some((old, new)) = self.rotation.take() {
            assert_eq!(old, self.vkey.to_string(), "{at}: old key");
            assert!(!self.keys.contains(&new), "{at}: a key that was in force before");
            self.keys.push(new.clone());
            self.vkey = new.parse().expect("a vkey");
            assert_eq!(signed.verify(&self.vkey), Ok(1), "{at}: the new key");
        } else {
            assert_eq!(signed.signers().len(), 1, "{at}: signatures");
        }
        (self.in_commit, self.commit_bytes) = (0, 0);
        self.sound.checkpoints.push(signed);
    }

    /// Record 0, and that each erasure was announced after the record and before the end.
    fn check_own(&self) {
        let sound = &self.sound;
        if let Some(created) = sound.records.first().filter(|record| record.seq == 0) {
            assert_eq!(created.action, "audit_log.created");
            assert_eq!(created.event["metadata"]["format"], 1);
            assert_eq!(created.event["metadata"]["origin"], self.vkey.name().as_str());
            assert_eq!(created.event["metadata"]["vkey"], self.keys[0]);
        }
        if sound.first > 0 {
            let covered = sound
                .of("audit_log.purged")
                .iter()
                .any(|purged| purged.event["metadata"]["before"].as_u64() >= Some(sound.first));
            assert!(covered, "purged without an announcement");
        }
        for record in &sound.records {
            let by = if record.event.is_null() {
                "audit_log.record.erased"
            } else if record.personal.is_string() {
                "audit_log.personal_data.erased"
            } else {
                continue;
            };
            let named = sound.of(by).iter().any(|announced| {
                let ranges = announced.event["metadata"]["ranges"].as_array().expect("ranges");
                ranges.iter().any(|range| {
                    let (from, to) = (range[0].as_u64().expect("from"), range[1].as_u64().expect("to"));
                    assert!(
                        from <= to && to < announced.seq,
                        "a malformed announcement {}",
                        announced.seq
                    );
                    (from..=to).contains(&record.seq)
                })
            });
            assert!(named, "record {} is erased, and no announcement names it", record.seq);
        }
    }
}

/// The time between two `recorded_at`, in whole seconds.
pub(crate) fn between(earlier: &str, later: &str) -> Duration {
    let micros = |text: &str| {
        let time: indelible::Timestamp = text.parse().expect("a time");
        time.unix_micros()
    };
    let difference = micros(later) - micros(earlier);
    Duration::from_micros(u64::try_from(difference).expect("later"))
}
