//! Every way of changing a small log that a test can go through: none is sound, but for what FORMAT lets pass, which is
//! named here one by one.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread;

use indelible::{Report, SignedCheckpoint, Verifier, VerifierKey};
use tempfile::TempDir;

/// A sound log to tamper with, and what is known of it from elsewhere.
struct Log {
    vkey: VerifierKey,
    /// Its files below the log directory.
    files: BTreeMap<String, Vec<u8>>,
}

/// A copy of the log in a folder of its own.
struct Copy {
    folder: TempDir,
    verifier: Verifier,
    trusting: Verifier,
}

impl Log {
    /// `sound`: three segments, a rotation at the end of the second. `sound-purged-rotation`: what is left of it after
    /// a purge, with the rotation in `keys/`.
    fn vector(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/vectors/format-1")
            .join(name);
        let expected: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let mut files = BTreeMap::new();
        for subfolder in ["segments", "keys"] {
            let Ok(entries) = fs::read_dir(folder.join("log").join(subfolder)) else {
                continue;
            };
            for entry in entries {
                let path = entry.unwrap().path();
                let name = format!("{subfolder}/{}", path.file_name().unwrap().to_str().unwrap());
                files.insert(name, fs::read(path).unwrap());
            }
        }
        Self {
            vkey: expected["vkey"].as_str().unwrap().parse().unwrap(),
            files,
        }
    }

    fn last_segment(&self) -> &str {
        self.files.keys().rfind(|name| name.starts_with("segments/")).unwrap()
    }

    /// The newest checkpoint.
    fn checkpoint(&self) -> SignedCheckpoint {
        let last = String::from_utf8(self.files[self.last_segment()].clone()).unwrap();
        let line: serde_json::Value = serde_json::from_str(last.lines().last().unwrap()).unwrap();
        line["checkpoint"].as_str().unwrap().parse().unwrap()
    }

    /// The size and the root of each commit, by the log as it is without its last commits.
    fn commits(&self) -> Vec<(u64, String)> {
        let copy = self.copy();
        let mut commits = Vec::new();
        for (name, content) in self.files.iter().rev() {
            for line in lines(content).iter().rev().filter(|line| is_checkpoint(content, line)) {
                copy.write(name, &content[..line.end]);
                let report = copy.verify().unwrap();
                assert!(report.is_sound(), "{report}");
                commits.push((report.size, report.root.unwrap().to_string()));
            }
            fs::remove_file(copy.path(name)).unwrap();
        }
        assert_eq!(commits.len(), 19);
        commits
    }

    fn copy(&self) -> Copy {
        let folder = TempDir::new().unwrap();
        for (name, content) in &self.files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let verifier = Verifier::new(self.vkey.clone()).threads(1);
        let trusting = verifier.clone().trusted(self.checkpoint());
        Copy {
            folder,
            verifier,
            trusting,
        }
    }

    /// Tries each change of each file on all cores, and gives a name for each that stays sound.
    fn try_all(&self, changes: impl Fn(&str, &[u8]) -> Vec<Change> + Sync) -> Vec<String> {
        let mut passed = Vec::new();
        for (name, content) in &self.files {
            let changes = changes(name, content);
            let workers = thread::available_parallelism().map_or(2, usize::from);
            let chunks: Vec<&[Change]> = changes.chunks(changes.len().div_ceil(workers).max(1)).collect();
            let found: Vec<Vec<String>> = thread::scope(|scope| {
                let tasks: Vec<_> = chunks
                    .iter()
                    .map(|chunk| scope.spawn(|| self.try_chunk(name, content, chunk)))
                    .collect();
                tasks.into_iter().map(|task| task.join().unwrap()).collect()
            });
            passed.extend(found.into_iter().flatten());
        }
        passed
    }

    fn try_chunk(&self, name: &str, content: &[u8], changes: &[Change]) -> Vec<String> {
        let copy = self.copy();
        let mut passed = Vec::new();
        for change in changes {
            let changed = change.apply(content);
            copy.write(name, &changed);
            if copy.verify().is_some_and(|report| report.is_sound()) {
                let trusted = copy.trusting.verify_dir(copy.folder.path()).unwrap();
                let kinds: Vec<_> = trusted.findings.iter().map(|finding| finding.kind.as_str()).collect();
                passed.push(
                    format!("{name} {} {}", change.name(content), kinds.join(" "))
                        .trim_end()
                        .to_owned(),
                );
            }
        }
        passed
    }
}

impl Copy {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
    }

    /// `None` where it cannot be checked: a changed digit can make it another format.
    fn verify(&self) -> Option<Report> {
        let report = self.verifier.verify_dir(self.folder.path()).ok()?;
        assert!(!report.to_string().is_empty() && report.to_json().ends_with('}'));
        Some(report)
    }
}

/// One change of a file.
enum Change {
    Flip { at: usize, bits: u8 },
    Remove(Range<usize>),
    Repeat(Range<usize>),
    Swap(Range<usize>, Range<usize>),
    Cut(usize),
    Replace(Vec<u8>),
}

impl Change {
    fn apply(&self, content: &[u8]) -> Vec<u8> {
        let mut changed = content.to_vec();
        match self {
            Self::Flip { at, bits } => changed[*at] ^= bits,
            Self::Remove(line) => drop(changed.drain(line.clone())),
            Self::Repeat(line) => drop(changed.splice(line.end..line.end, content[line.clone()].to_vec())),
            Self::Swap(first, second) => {
                let swapped = [&content[second.clone()], &content[first.clone()]].concat();
                drop(changed.splice(first.start..second.end, swapped));
            }
            Self::Cut(length) => changed.truncate(*length),
            Self::Replace(other) => changed.clone_from(other),
        }
        changed
    }

    fn name(&self, content: &[u8]) -> String {
        let line = |at: usize| content[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        match self {
            Self::Flip { at, bits } => format!("flip {bits:#04x} at {at}"),
            Self::Remove(range) => format!("remove line {}", line(range.start)),
            Self::Repeat(range) => format!("repeat line {}", line(range.start)),
            Self::Swap(range, _) => format!("swap line {}", line(range.start)),
            Self::Cut(length) if content[..*length].ends_with(b"\n") => {
                format!("cut behind line {}", line(*length) - 1)
            }
            Self::Cut(length) => format!("cut at {length}"),
            Self::Replace(_) => "replace".to_owned(),
        }
    }
}

/// The lines of a file, with their LF.
fn lines(content: &[u8]) -> Vec<Range<usize>> {
    let mut start = 0;
    let ends = content
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(at, _)| at + 1);
    ends.map(|end| std::mem::replace(&mut start, end)..end).collect()
}

fn is_checkpoint(content: &[u8], line: &Range<usize>) -> bool {
    content[line.clone()].starts_with(b"{\"checkpoint\":")
}

/// Each byte once: over a file, all bits have their turn.
#[test]
fn no_byte_can_be_flipped() {
    let flips = |_: &str, content: &[u8]| {
        (0..content.len())
            .map(|at| Change::Flip {
                at,
                bits: 1 << (at % 8),
            })
            .collect()
    };
    assert_eq!(Log::vector("sound").try_all(flips), Vec::<String>::new());
}

/// Each byte of a kept rotation in each bit, and of the segment that it stands for.
#[test]
fn no_bit_of_a_kept_rotation_can_be_flipped() {
    let flips = |name: &str, content: &[u8]| {
        let is_kept = name.starts_with("keys/");
        let each_bit = |at| (0..8).map(move |bit| Change::Flip { at, bits: 1 << bit });
        if is_kept {
            (0..content.len()).flat_map(each_bit).collect()
        } else {
            Vec::new()
        }
    };
    assert_eq!(
        Log::vector("sound-purged-rotation").try_all(flips),
        Vec::<String>::new()
    );
}

/// A checkpoint line may go if the next one of its segment covers its records, unless it signs a rotation.
#[test]
fn no_line_can_be_removed_but_a_covered_checkpoint() {
    let log = Log::vector("sound");
    let removals = |_: &str, content: &[u8]| lines(content).into_iter().map(Change::Remove).collect();
    let mut expected = Vec::new();
    for (name, content) in &log.files {
        let lines = lines(content);
        for (at, line) in lines
            .iter()
            .enumerate()
            .filter(|(_, line)| is_checkpoint(content, line))
        {
            if at + 1 < lines.len() {
                expected.push(format!("{name} remove line {}", line_number(content, line)));
            }
        }
    }
    assert_eq!(expected.len(), 19 - 3);
    assert_eq!(log.try_all(removals), expected);
}

#[test]
fn no_line_can_be_repeated_or_swapped() {
    let repeats = |_: &str, content: &[u8]| lines(content).into_iter().map(Change::Repeat).collect();
    assert_eq!(Log::vector("sound").try_all(repeats), Vec::<String>::new());
    let swaps = |_: &str, content: &[u8]| {
        lines(content)
            .windows(2)
            .map(|pair| Change::Swap(pair[0].clone(), pair[1].clone()))
            .collect()
    };
    assert_eq!(Log::vector("sound").try_all(swaps), Vec::<String>::new());
}

/// The last segment may be cut behind a checkpoint, or behind its header: that is a log at an earlier time, which a
/// trusted checkpoint shows.
#[test]
fn no_file_can_be_cut_but_at_the_end_of_a_commit() {
    let log = Log::vector("sound");
    let cuts = |_: &str, content: &[u8]| (0..content.len()).map(Change::Cut).collect();
    let name = log.last_segment();
    let content = &log.files[name];
    let mut expected = vec![format!("{name} cut behind line 1 rolled_back")];
    let lines = lines(content);
    let (_, earlier) = lines.split_last().unwrap();
    for line in earlier.iter().filter(|line| is_checkpoint(content, line)) {
        expected.push(format!(
            "{name} cut behind line {} rolled_back",
            line_number(content, line)
        ));
    }
    assert_eq!(log.try_all(cuts), expected);
}

/// The last segment may be gone: that is a log at an earlier time too.
#[test]
fn no_file_can_be_removed_but_the_last() {
    let log = Log::vector("sound");
    for name in log.files.keys() {
        let copy = log.copy();
        fs::remove_file(copy.path(name)).unwrap();
        let report = copy.verify().unwrap();
        assert_eq!(report.is_sound(), name == log.last_segment(), "{report}");
        assert!(!copy.trusting.verify_dir(copy.folder.path()).unwrap().is_sound());
    }
    let log = Log::vector("sound-purged-rotation");
    let copy = log.copy();
    fs::remove_file(copy.path("keys/00000000000000000032")).unwrap();
    assert!(!copy.verify().unwrap().is_sound());
}

/// The segments in each other's place, and each file as another one.
#[test]
fn no_file_can_stand_for_another() {
    let log = Log::vector("sound");
    let replace = |name: &str, _: &[u8]| {
        let others = log.files.iter().filter(|(other, _)| other.as_str() != name);
        others.map(|(_, content)| Change::Replace(content.clone())).collect()
    };
    assert_eq!(log.try_all(replace), Vec::<String>::new());
}

/// Whatever is cut out, doubled, exchanged or overwritten at once, in all files: what is still sound is the log at one
/// of its commits.
#[test]
fn what_stays_sound_is_the_log_at_a_commit() {
    let log = Log::vector("sound");
    let commits = log.commits();
    let copy = log.copy();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |limit: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % u64::try_from(limit.max(1)).unwrap()).unwrap()
    };
    for _ in 0..1_500 {
        let mut files = log.files.clone();
        for _ in 0..=below(3) {
            let names: Vec<String> = files.keys().cloned().collect();
            let (from, to) = (&names[below(names.len())], &names[below(names.len())]);
            let source = files[from].clone();
            let lines = lines(&source);
            let taken = if below(2) == 0 && !lines.is_empty() {
                let first = below(lines.len());
                let last = (first + below(4)).min(lines.len() - 1);
                lines[first].start..lines[last].end
            } else {
                let start = below(source.len());
                start..(start + below(200)).min(source.len())
            };
            let target = files.get_mut(to).unwrap();
            let targets = self::lines(target);
            let at = if below(2) == 0 && !targets.is_empty() {
                targets[below(targets.len())].start
            } else {
                below(target.len())
            };
            match below(4) {
                0 => drop(files.get_mut(from).unwrap().drain(taken)),
                1 => drop(target.splice(at..at, source[taken].to_vec())),
                2 => target.truncate(at),
                _ => {
                    let end = (at + taken.len()).min(target.len());
                    drop(target.splice(at..end, source[taken].to_vec()));
                }
            }
        }
        for (name, content) in &files {
            copy.write(name, content);
        }
        if let Some(report) = copy.verify().filter(Report::is_sound) {
            assert!(
                commits.contains(&(report.size, report.root.unwrap().to_string())),
                "{report}"
            );
            assert_eq!(report.first, 0);
        }
    }
}

fn line_number(content: &[u8], line: &Range<usize>) -> usize {
    lines(content).iter().position(|other| other == line).unwrap() + 1
}
