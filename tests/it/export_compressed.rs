//! Exports that are compressed: read by the tools that everyone has, changed, and made to burst.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use indelible::export::{Compression, ExportFindingKind, Format, verify_export};
use indelible::{AuditLog, Export, Hash, MemoryStore, Query};

use crate::export::*;
use crate::scene::*;

/// What the tool of the system unpacks; `None` where it is not there.
fn unpacked(compression: Compression, path: &Path) -> Option<Vec<u8>> {
    let output = Command::new(compression.name()).arg("-dc").arg(path).output().ok();
    if output.is_none() {
        eprintln!("NOT TESTED: {compression} is not installed");
    }
    let output = output?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

fn data(log: &AuditLog, export: &Export, to: &Path) -> PathBuf {
    let mut exported = log.export(export, to).expect("exported");
    exported.files.pop().expect("a file")
}

#[test]
fn what_is_compressed_is_what_is_exported_plain() {
    let scene = Scene::new();
    let log = log_of(&scene, 2000);
    for (number, format) in Format::ALL.into_iter().enumerate() {
        for filter in ["seq_to=1900", "event_type=auth.*&seq_to=1900"] {
            let export = Export::new(query(filter)).format(format);
            let mut plain = Vec::new();
            log.reader().export(&export, &mut plain).expect("exported");
            for compression in Compression::ALL {
                let out = scene.root().join(format!("{compression}-{number}-{}", filter.len()));
                let path = data(&log, &export.clone().compressed(compression), &out);
                let end = format!(".{format}.{}", compression.extension());
                assert!(path.to_string_lossy().ends_with(&end), "{}", path.display());
                assert!(fs::metadata(&path).expect("a file").len() * 10 < plain.len() as u64 * 9);
                let report = assert_sound(&out, &log.vkey());
                assert_eq!(report.bytes, fs::metadata(&path).expect("a file").len());
                let Some(content) = unpacked(compression, &path) else {
                    continue;
                };
                // JSON holds the newest checkpoint, and each export is recorded.
                match format {
                    Format::Json => assert_eq!(
                        content.split(|byte| *byte == b'\n').count(),
                        plain.split(|byte| *byte == b'\n').count()
                    ),
                    Format::JsonLines if filter.contains("event_type") => {
                        assert_eq!(lines(&content).len(), lines(&plain).len());
                    }
                    _ => assert!(content == plain, "{compression} {format} {filter}"),
                }
            }
        }
    }
}

#[test]
fn whatever_byte_of_a_compressed_file_is_changed_it_is_found() {
    let scene = Scene::new();
    let log = log_of(&scene, 4);
    for compression in Compression::ALL {
        let out = scene.root().join(compression.name());
        let path = data(&log, &Export::new(query("seq_to=4")).compressed(compression), &out);
        let content = fs::read(&path).expect("a file");
        for at in 0..content.len() {
            let mut other = content.clone();
            other[at] ^= 1 << (at % 8);
            fs::write(&path, &other).expect("written");
            let report = verify_export(&out, &[log.vkey()]).expect("a report");
            let found = kinds(&report);
            assert!(
                found.contains(&ExportFindingKind::ChangedFile),
                "{compression} byte {at}: {report}"
            );
        }
        for length in [0, 1, content.len() / 2, content.len() - 1] {
            fs::write(&path, &content[..length]).expect("written");
            assert!(!verify_export(&out, &[log.vkey()]).expect("a report").is_sound());
        }
        fs::write(&path, &content).expect("written");
        assert_sound(&out, &log.vkey());
    }
}

/// A piece over and over, compressed by the tool of the system.
fn bomb(compression: Compression, piece: &[u8], pieces: usize) -> Option<Vec<u8>> {
    let mut child = Command::new(compression.name())
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take().expect("a pipe");
    let piece = piece.to_vec();
    let writer = std::thread::spawn(move || {
        for _ in 0..pieces {
            input.write_all(&piece).expect("written");
        }
    });
    let output = child.wait_with_output().expect("compressed");
    writer.join().expect("written");
    Some(output.stdout)
}

/// Who can sign a manifest for a bomb does not keep its reader.
#[test]
fn a_bomb_ends() {
    let log_key = Arc::new(key());
    let log = AuditLog::builder(ORIGIN)
        .signer(Arc::clone(&log_key))
        .without_checkpoint_file()
        .open(MemoryStore::new())
        .expect("opens");
    log.append(login("first")).expect("recorded");
    for compression in Compression::ALL {
        let out = tempfile::tempdir().expect("a folder");
        let export = Export::new(query("seq_to=2")).compressed(compression);
        let exported = log.export(&export, out.path()).expect("exported");
        let (path, manifest) = (&exported.files[0], &exported.manifest);
        let (packed, note) = (
            fs::read(path).expect("a file"),
            fs::read_to_string(manifest).expect("a note"),
        );
        let Some(plain) = unpacked(compression, path) else {
            continue;
        };
        let header = plain.split_inclusive(|byte| *byte == b'\n').next().expect("a header");
        // Before its first record, a chain may repeat its header.
        for (piece, pieces) in [(vec![b' '; 1 << 20], 1024), (header.repeat(10_000), 200)] {
            let bomb = bomb(compression, &piece, pieces).expect("it is there");
            fs::write(path, &bomb).expect("written");
            let (text, _) = note.split_once("\n\n").expect("a note");
            let hashes = [&packed, &bomb].map(|content| Hash::of(content).to_string());
            let text = format!("{text}\n").replace(&hashes[0], &hashes[1]).replace(
                &format!("\"bytes\":{},", packed.len()),
                &format!("\"bytes\":{},", bomb.len()),
            );
            let signed = indelible::note::sign(&text, &[&log_key]).expect("signed");
            fs::write(manifest, signed).expect("written");
            let report = verify_export(out.path(), &[log.vkey()]).expect("a report");
            assert_eq!(kinds(&report), [ExportFindingKind::Malformed], "{report}");
            // It stopped long before the end: 2,000,000 lines, or one of a gigabyte.
            let line = report.findings[0].line.expect("a line");
            let most = 64 * 1024 + bomb.len() as u64 / 8 + 1;
            assert!(line <= most && most < 1_000_000, "{compression} line {line}: {report}");
        }
    }
}

#[test]
fn the_same_range_has_the_same_bytes_each_time() {
    let scene = Scene::new();
    let log = log_of(&scene, 100);
    for compression in Compression::ALL {
        let export = Export::new(Query::new().seq_to(50)).compressed(compression);
        let written = || {
            let mut to = Vec::new();
            let exported = log.reader().export(&export, &mut to).expect("exported");
            assert_eq!(exported.bytes, to.len() as u64);
            to
        };
        assert_eq!(written(), written(), "{compression}");
    }
}
