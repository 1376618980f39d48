//! Processes that are killed, and the tails that crashes leave: everything acknowledged is there, and what was moved is
//! said.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use indelible::hash::Hash;
use indelible::{Cause, ErrorKind, FileStore};

use crate::oracle;
use crate::scene::*;

/// Not a test of its own: what the child process of the tests below does. It appends until it is killed, and prints
/// each receipt.
#[test]
#[ignore = "run as a child process by another test"]
fn child_that_appends_until_it_is_killed() {
    let Ok(root) = std::env::var("INDELIBLE_TEST_CHILD") else {
        return;
    };
    let root = std::path::PathBuf::from(root);
    let log = indelible::AuditLog::builder(ORIGIN)
        .key_file(root.join("audit.key"))
        .open(FileStore::new(root.join("audit")).segment_size(20_000))
        .expect("opens");
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let log = log.clone();
            std::thread::spawn(move || {
                for round in 0.. {
                    let id = format!("{}-{thread}-{round}", std::process::id());
                    let receipt = log.append(login(&id).id(&id)).expect("recorded");
                    // One write, so that lines of threads do not mix.
                    println!("{id} {} {}", receipt.seq, receipt.hash);
                    if round % 40 == 39 && thread == 0 {
                        let _ = log.rotate_key_file();
                        let _ = log.erase_personal_data([receipt.seq..=receipt.seq], "test");
                        let _ = log.purge(receipt.seq / 2);
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
}

#[test]
fn a_killed_process_loses_nothing_acknowledged() {
    let scene = Scene::new();
    let mut acknowledged: Vec<(String, u64, String)> = Vec::new();
    let mut seed = 0x2545_F491_u64;
    for _ in 0..6 {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args([
                "--ignored",
                "--exact",
                "--nocapture",
                "crash::child_that_appends_until_it_is_killed",
            ])
            .env("INDELIBLE_TEST_CHILD", scene.root())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child process");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let enough = 60 + seed % 300;
        let mut count = 0;
        for line in lines.map_while(Result::ok) {
            let mut parts = line.split(' ').map(str::to_owned);
            if let (Some(id), Some(Ok(seq)), Some(hash)) =
                (parts.next(), parts.next().map(|seq| seq.parse()), parts.next())
                && hash.len() == 64
            {
                acknowledged.push((id, seq, hash));
                count += 1;
            }
            if count == enough {
                // SIGKILL.
                child.kill().expect("killed");
            }
        }
        child.wait().expect("gone");
        assert!(count >= enough, "the child ended early");
    }
    let log = scene
        .builder()
        .open(FileStore::new(scene.folder()).segment_size(20_000))
        .expect("opens");
    for (id, seq, hash) in &acknowledged {
        match log.reader().record(*seq) {
            Ok(record) => assert_eq!(record.hash().to_string(), *hash, "{id}"),
            // A purge that was interrupted is taken up again meanwhile.
            Err(error) => assert!(Some(*seq) < log.reader().first().expect("readable"), "{id}: {error}"),
        }
    }
    // A retry of the last ones gets their receipts.
    let size = log.state().size;
    for (id, seq, hash) in acknowledged.iter().rev().take(50) {
        let receipt = log.append(login(id).id(id)).expect("a retry");
        assert_eq!((receipt.seq, receipt.hash.to_string()), (*seq, hash.clone()), "{id}");
    }
    assert_eq!(log.state().size, size);
    log.close(SOON).expect("closed");
    let sound = oracle::check(&scene.store(), &key_in_force_at_first(&scene));
    assert!(
        sound
            .of("audit_log.recovered")
            .iter()
            .all(|recovered| recovered.event["metadata"]["bytes"].is_u64())
    );
}

/// The key in force at the first retained record: the `old` of the first rotation from there on, else the newest.
pub(crate) fn key_in_force_at_first(scene: &Scene) -> indelible::VerifierKey {
    let reader = indelible::LogReader::new(scene.store());
    for record in reader.records(..).expect("readable") {
        let record = record.expect("a record");
        if record.action().as_deref() == Some("audit_log.signing_key.rotated") {
            let event: serde_json::Value = serde_json::from_str(record.event_json().expect("event")).expect("JSON");
            return event["metadata"]["old"]
                .as_str()
                .expect("a vkey")
                .parse()
                .expect("a vkey");
        }
    }
    scene.vkey()
}

/// A log that was killed after its fourth record, and the bytes of a fifth commit that were on their way.
fn torn() -> (Scene, Vec<u8>) {
    let scene = Scene::new();
    let log = scene.open();
    log.append(login(1)).expect("recorded");
    log.append(login(2)).expect("recorded");
    let crashed = scene.crash_copy();
    let before = content_of(&scene.last_segment()).len();
    log.append(login(3)).expect("recorded");
    let commit = content_of(&scene.last_segment())[before..].to_vec();
    drop(log);
    (crashed, commit)
}

fn write_tail(scene: &Scene, tail: &[u8]) {
    let content = [content_of(&scene.last_segment()), tail.to_vec()].concat();
    fs::write(scene.last_segment(), content).expect("written");
}

#[test]
fn what_a_crash_left_is_moved_and_said() {
    let (torn, commit) = torn();
    let record_end = commit.iter().position(|byte| *byte == b'\n').expect("a record") + 1;
    let mut hole = commit.clone();
    hole[10..record_end - 10].fill(0);
    let mut swapped = vec![0; record_end];
    swapped.extend_from_slice(&commit[record_end..]);
    let cases: Vec<(&str, Vec<u8>, bool)> = vec![
        ("nothing", Vec::new(), false),
        ("half a record", commit[..record_end / 2].to_vec(), false),
        ("one byte", commit[..1].to_vec(), false),
        ("a record without its checkpoint", commit[..record_end].to_vec(), false),
        (
            "a record and half its checkpoint",
            commit[..commit.len() - 20].to_vec(),
            false,
        ),
        // Cut by one byte, but the signed note is there.
        ("a checkpoint without its LF", commit[..commit.len() - 1].to_vec(), true),
        ("a hole in the record, its checkpoint whole", hole, true),
        ("zeros and then a whole checkpoint", swapped, true),
        (
            "half a record, then zeros",
            [&commit[..record_end / 2], &[0; 5000][..]].concat(),
            false,
        ),
    ];
    for (what, tail, checkpoint) in cases {
        let scene = torn.crash_copy();
        write_tail(&scene, &tail);
        let log = scene
            .builder()
            .open(scene.store())
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(log.state().size, 6, "{what}");
        log.append(login("after")).expect("recorded");
        log.close(SOON).expect("closed");
        let sound = oracle::check(&scene.store(), &scene.vkey());
        let recovered = sound.of("audit_log.recovered");
        assert_eq!((recovered.len(), recovered[0].seq), (1, 4), "{what}");
        let metadata = &recovered[0].event["metadata"];
        let moved: Vec<u8> = match tail.iter().rposition(|byte| *byte != 0) {
            Some(last) => tail[..=last].to_vec(),
            None => Vec::new(),
        };
        assert_eq!(metadata["bytes"], moved.len(), "{what}");
        if moved.is_empty() {
            assert!(
                metadata.get("file").is_none() && metadata.get("sha256").is_none(),
                "{what}: {metadata}"
            );
            continue;
        }
        let file = scene.folder().join(metadata["file"].as_str().expect("a file"));
        let kept = fs::read(&file).expect("the moved bytes");
        assert_eq!(kept, moved, "{what}");
        assert_eq!(metadata["sha256"], Hash::of(&kept).to_string(), "{what}");
        assert_eq!(metadata["checkpoint"].is_string(), checkpoint, "{what}");
        assert!(
            !list(&scene.folder().join("recovered"))
                .iter()
                .any(|path| path.extension().is_some()),
            "{what}"
        );
        scene.open().close(SOON).expect("closed");
        assert_eq!(
            oracle::check(&scene.store(), &scene.vkey())
                .of("audit_log.recovered")
                .len(),
            1,
            "{what}: said twice"
        );
    }
}

#[test]
fn a_whole_commit_that_was_not_acknowledged_is_in_the_log() {
    let (scene, commit) = torn();
    write_tail(&scene, &commit);
    let log = scene.open();
    assert_eq!(log.state().size, 7);
    log.close(SOON).expect("closed");
    assert_eq!(oracle::check(&scene.store(), &scene.vkey()).count("usr_3"), 1);
}

#[test]
fn damage_is_refused_and_nothing_is_changed() {
    let (torn, commit) = torn();
    let record_end = commit.iter().position(|byte| *byte == b'\n').expect("a record") + 1;
    let (record, checkpoint) = commit.split_at(record_end);
    let mut wrong_root = checkpoint.to_vec();
    let at = wrong_root.len() / 3;
    wrong_root[at] = if wrong_root[at] == b'A' { b'B' } else { b'A' };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a line that is none", b"garbage\n".to_vec()),
        ("a record twice", [record, record].concat()),
        ("two checkpoints", [record, &wrong_root, checkpoint].concat()),
        ("something after a checkpoint", [record, &wrong_root, record].concat()),
        (
            "a checkpoint that is none",
            [record, b"{\"checkpoint\":\"", &vec![b'x'; 70_000], b"\"}\n"].concat(),
        ),
        (
            "a line of zeros after a checkpoint",
            [record, &wrong_root, b"\0\0\n"].concat(),
        ),
        (
            "a header",
            b"{\"segment\":{\"first\":4,\"format\":1,\"origin\":\"auth.example.com/audit\",\"peaks\":[]}}\n".to_vec(),
        ),
    ];
    for (what, tail) in cases {
        let scene = torn.crash_copy();
        write_tail(&scene, &tail);
        let before = fs::read(scene.last_segment()).expect("a segment");
        let place = fs::read(scene.place()).expect("the place");
        let error = scene.builder().open(scene.store()).expect_err(what);
        assert_eq!(error.kind(), ErrorKind::CallForHelp, "{what}: {error}");
        assert!(matches!(error.cause(), Cause::Damaged { .. }), "{what}: {error}");
        assert_eq!(
            fs::read(scene.last_segment()).expect("a segment"),
            before,
            "{what}: it was changed"
        );
        assert_eq!(fs::read(scene.place()).expect("the place"), place, "{what}");
        assert!(!scene.folder().join("recovered").exists(), "{what}");
    }
}

/// Content of the log directory but for the lock.
fn evidence(scene: &Scene) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = scene.files();
    files.retain(|path| !path.ends_with("lock"));
    files.sort();
    files
        .into_iter()
        .map(|path| (path.clone(), fs::read(&path).expect("a file")))
        .collect()
}

#[test]
fn an_acknowledged_commit_that_is_damaged_is_never_cut_off() {
    let scene = Scene::new();
    let log = scene.open();
    for user in 0..3 {
        log.append(login(user)).expect("recorded");
    }
    // It stands in the second place.
    eventually("it is kept", || {
        fs::read_to_string(scene.place()).is_ok_and(|text| text.contains("\n5\n"))
    });
    let scene = scene.crash_copy();
    let content = fs::read(scene.last_segment()).expect("a segment");
    let end = content_of(&scene.last_segment()).len();
    let checkpoint = content[..end - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .expect("a line")
        + 1;
    // A bit of the signature, of the root, of the last record.
    for at in [end - 20, checkpoint + 50, checkpoint - 20] {
        let scene = scene.crash_copy();
        let mut flipped = content.clone();
        flipped[at] ^= 1;
        fs::write(scene.last_segment(), &flipped).expect("written");
        let before = evidence(&scene);
        let error = scene.builder().open(scene.store()).expect_err("it was acknowledged");
        assert_eq!(error.kind(), ErrorKind::CallForHelp, "{error}");
        assert!(
            evidence(&scene) == before,
            "byte {at} is flipped: {error}, and something was changed"
        );
    }
}

#[test]
fn what_an_earlier_opening_moved_is_read_before_anything_is_changed() {
    let (scene, commit) = torn();
    write_tail(&scene, &commit[..commit.len() - 20]);
    fs::create_dir(scene.folder().join("recovered")).expect("made");
    let huge = fs::File::create(scene.folder().join("recovered/0.new")).expect("made");
    huge.set_len(1 << 30).expect("grown");
    let before = fs::read(scene.last_segment()).expect("a segment");
    let error = scene.builder().open(scene.store()).expect_err("more than a commit");
    assert!(matches!(error.cause(), Cause::Damaged { .. }), "{error}");
    assert!(
        fs::read(scene.last_segment()).expect("a segment") == before,
        "something was changed"
    );
}

#[test]
fn an_old_key_on_a_log_of_several_segments_is_said_to_be_old() {
    let scene = Scene::new();
    let store = || FileStore::new(scene.folder()).segment_size(1);
    let log = scene.builder().open(store()).expect("opens");
    let old = fs::read(scene.key_file()).expect("a key");
    log.append(login(1)).expect("recorded");
    log.close(SOON).expect("closed");
    // The rotation and what follows it stand in one segment.
    let log = scene.open();
    log.rotate_key_file().expect("rotated");
    log.append(login(2)).expect("recorded");
    log.append(login(3)).expect("recorded");
    log.close(SOON).expect("closed");
    assert!(scene.segment_files().len() > 2);
    fs::write(scene.key_file(), old).expect("written");
    let error = scene.builder().open(store()).expect_err("an old key");
    assert!(
        matches!(error.cause(), Cause::Configuration { option: "key", .. }),
        "{error}"
    );
}

#[test]
fn every_truncation_of_the_last_commit_opens_and_is_said() {
    let scene = Scene::new();
    let log = scene.open();
    log.append(login(1)).expect("recorded");
    let whole = content_of(&scene.last_segment()).len();
    // The place must not know of what is cut off.
    let crashed = scene.crash_copy();
    log.append(login(2)).expect("recorded");
    let longer = content_of(&scene.last_segment());
    drop(log);
    for cut in (whole..longer.len()).step_by(41) {
        let scene = crashed.crash_copy();
        fs::write(scene.last_segment(), &longer[..cut]).expect("written");
        let log = scene
            .builder()
            .open(scene.store())
            .unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        log.close(SOON).expect("closed");
        let sound = oracle::check(&scene.store(), &scene.vkey());
        assert_eq!(
            sound.of("audit_log.recovered")[0].event["metadata"]["bytes"],
            cut - whole
        );
    }
}

#[test]
fn a_crash_before_the_first_commit_leaves_a_log_that_can_be_made() {
    let scene = Scene::new();
    let log = scene.open();
    let content = content_of(&scene.last_segment());
    let crashed = scene.crash_copy();
    drop(log);
    fs::remove_file(crashed.place()).expect("removed");
    for cut in (0..content.len()).step_by(53).chain([content.len() - 1]) {
        let scene = crashed.crash_copy();
        fs::write(scene.last_segment(), &content[..cut]).expect("written");
        fs::remove_dir_all(scene.folder().join("tree")).expect("caches");
        let log = scene
            .builder()
            .open(scene.store())
            .unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        log.append(login(1)).expect("recorded");
        log.close(SOON).expect("closed");
        let sound = oracle::check(&scene.store(), &scene.vkey());
        assert_eq!(sound.actions()[0], "audit_log.created", "cut at {cut}");
        assert_eq!(
            sound.of("audit_log.recovered").len(),
            usize::from(cut > 0),
            "cut at {cut}"
        );
    }
}

#[test]
fn a_crash_while_the_key_is_made_leaves_a_log_that_can_be_made() {
    let scene = Scene::new();
    scene.open().close(SOON).expect("closed");
    fs::write(scene.key_file(), "").expect("written");
    let error = scene.builder().open(scene.store()).expect_err("the log has a key");
    assert_eq!(error.kind(), ErrorKind::FixConfiguration, "{error}");
    assert_eq!(
        fs::read(scene.key_file()).expect("a file"),
        b"",
        "a new key for an existing log"
    );
    fs::remove_file(scene.place()).expect("removed");
    fs::remove_dir_all(scene.folder()).expect("removed");
    // Two processes find what the crash left.
    let scene = std::sync::Arc::new(scene);
    let threads = [1, 2].map(|round| {
        let scene = std::sync::Arc::clone(&scene);
        std::thread::spawn(move || {
            let log = scene.open();
            log.append(login(round)).expect("recorded");
            log.close(SOON).expect("closed");
        })
    });
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    oracle::check(&scene.store(), &scene.vkey());
}
