//! Exports: read back by what nobody here wrote, tampered with, interrupted, and in bounded memory.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indelible::export::{COLUMNS, ExportFindingKind, ExportReport, Exported, Format, verify_export};
use indelible::{
    Actor, AuditLog, Cause, Event, Export, FileStore, LogReader, MemoryStore, Proof, Query, Record, Target, Verifier,
    VerifierKey,
};
use serde_json::Value;

use crate::scene::*;

fn store(scene: &Scene) -> FileStore {
    FileStore::new(scene.folder()).segment_size(6_000)
}

/// A log of so many logins from `seq` 2 on, in segments of about a dozen.
pub(crate) fn log_of(scene: &Scene, count: u64) -> AuditLog {
    let log = scene.builder().open(store(scene)).expect("opens");
    for seq in 2..2 + count {
        let event = match seq % 3 {
            0 => Event::new("auth.login.failed")
                .actor(Actor::user(format!("usr_n{seq:04}")).email(format!("n{seq:04}@personal.example"))),
            _ => login(format!("n{seq:04}")),
        };
        assert_eq!(log.append(event).expect("recorded").seq, seq);
    }
    log
}

pub(crate) fn query(text: &str) -> Query {
    Query::parse(text).expect("a query")
}

fn written(reader: &LogReader, export: &Export) -> (Vec<u8>, Exported) {
    let mut out = Vec::new();
    let exported = reader.export(export, &mut out).expect("exported");
    assert_eq!(exported.bytes, out.len() as u64);
    assert_eq!(exported.sha256, indelible::Hash::of(&out));
    (out, exported)
}

pub(crate) fn lines(text: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(text).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

pub(crate) fn kinds(report: &ExportReport) -> Vec<ExportFindingKind> {
    report.findings.iter().map(|finding| finding.kind).collect()
}

#[track_caller]
pub(crate) fn assert_sound(path: &Path, vkey: &VerifierKey) -> ExportReport {
    let report = verify_export(path, std::slice::from_ref(vkey)).expect("a report");
    assert!(report.is_sound(), "{report}");
    report
}

/// The lines of an export as the segments of a log.
fn as_log(content: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let segments = folder.path().join("segments");
    fs::create_dir(&segments).expect("a folder");
    let mut file: Option<fs::File> = None;
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b"{\"segment\":") {
            let header: Value = serde_json::from_slice(line).expect("JSON");
            let first = header["segment"]["first"].as_u64().expect("a number");
            file = Some(fs::File::create(segments.join(format!("{first:020}.jsonl"))).expect("a segment"));
        }
        file.as_mut().expect("a header first").write_all(line).expect("written");
    }
    folder
}

#[test]
fn all_of_a_log_is_exported_as_its_own_lines_and_verifies_as_a_log() {
    let scene = Scene::new();
    let log = log_of(&scene, 40);
    let checkpoint = log.checkpoint().expect("a checkpoint");
    let (content, exported) = written(&log.reader(), &Export::new(Query::new()));
    assert_eq!(
        (exported.records, exported.first, exported.last),
        (42, Some(0), Some(41))
    );
    let copied: Vec<u8> = scene.segment_files().iter().flat_map(|path| content_of(path)).collect();
    assert_eq!(content, copied, "the bytes of the files");
    assert!(scene.segment_files().len() > 2);
    let folder = as_log(&content);
    let report = Verifier::new(log.vkey()).trusted(checkpoint).verify_dir(folder.path());
    let report = report.expect("a report");
    assert!(report.is_sound(), "{report}");
    let reader = LogReader::new(FileStore::new(folder.path()));
    assert_eq!(reader.records(..).expect("readable").count(), 42);
}

#[test]
fn any_range_is_a_segment_of_its_own() {
    let scene = Scene::new();
    let log = log_of(&scene, 40);
    for (from, to) in [(0, 1), (1, 2), (5, 6), (7, 30), (13, 42), (41, 42)] {
        let (content, exported) = written(&log.reader(), &Export::new(Query::new().seq_from(from).seq_to(to)));
        assert_eq!(exported.first, Some(from));
        assert!(exported.last >= Some(to - 1));
        let folder = as_log(&content);
        let store = FileStore::new(folder.path());
        let segments = indelible::Store::segments(&store).expect("segments");
        assert_eq!(segments[0].first, from);
        for segment in segments {
            let report = Verifier::new(log.vkey())
                .verify_segment(&store, &segment)
                .expect("a report");
            assert!(report.is_sound(), "{from}..{to}: {report}");
        }
        let files = log
            .export(
                &Export::new(Query::new().seq_from(from).seq_to(to)),
                scene.root().join("out"),
            )
            .expect("exported");
        assert_sound(&files.manifest, &log.vkey());
    }
    assert_sound(&scene.root().join("out"), &log.vkey());
}

#[test]
fn a_commit_is_exported_whole() {
    let signer = TestSigner::new();
    let log = in_memory(&signer).open(MemoryStore::new()).expect("opens");
    let held = signer.block_with(&log, login("first"));
    let tickets: Vec<_> = (0..10).map(|user| log.submit(login(user)).expect("room")).collect();
    signer.set(Mode::Sign);
    held.wait().expect("recorded");
    let receipts: Vec<_> = tickets
        .into_iter()
        .map(|ticket| ticket.wait().expect("recorded"))
        .collect();
    let (first, last) = (receipts[0].seq, receipts[9].seq);
    assert_eq!(receipts[0].size, last + 1, "one commit");
    let (content, exported) = written(
        &log.reader(),
        &Export::new(Query::new().seq_from(first + 3).seq_to(first + 5)),
    );
    assert_eq!((exported.first, exported.last), (Some(first + 3), Some(last)));
    assert!(lines(&content).last().expect("lines").get("checkpoint").is_some());
}

#[test]
fn a_filter_gives_records_that_verify_alone() {
    let scene = Scene::new();
    let log = log_of(&scene, 40);
    let export = Export::new(query("event_type=auth.login.failed&seq_to=30"));
    let memory = written(&log.reader(), &export).0;
    let other_process = LogReader::new(store(&scene));
    assert_eq!(written(&other_process, &export).0, memory);
    let lines = lines(&memory);
    let seqs: Vec<u64> = lines
        .iter()
        .map(|line| line["record"]["seq"].as_u64().expect("a seq"))
        .collect();
    assert_eq!(seqs, (3..30).step_by(3).collect::<Vec<_>>());
    for line in &lines {
        // As any program prints it anew.
        let record = Record::from_json(line["record"].to_string().as_bytes()).expect("a record");
        let proof: Proof = line["proof"].as_str().expect("text").parse().expect("a proof");
        Verifier::new(log.vkey())
            .verify_record(&record, &proof)
            .expect("is in the log");
    }
    // Where no cache helps, proofs come from the log itself.
    fs::remove_dir_all(scene.folder().join("tree")).expect("removed");
    assert_eq!(written(&LogReader::new(store(&scene)), &export).0, memory);
    let files = log.export(&export, scene.root().join("out")).expect("exported");
    assert_sound(&files.manifest, &log.vkey());
}

#[test]
fn json_is_one_object_that_says_what_it_holds() {
    let scene = Scene::new();
    let log = log_of(&scene, 40);
    log.erase_records([6..=6, 9..=9], "request 1").expect("erased");
    log.erase_personal_data([12..=12], "request 2").expect("erased");
    log.purge(5).expect("purged");
    let export = Export::new(query("event_type=auth.login.*&seq_to=30&q=usr_n")).format(Format::Json);
    let (content, exported) = written(&log.reader(), &export);
    let object: Value = serde_json::from_slice(&content).expect("JSON");
    assert_eq!(object["schema_version"], 1);
    assert_eq!(object["filter"], "event_type=auth.login.*&seq_to=30&q=usr_n");
    assert_eq!(object["count"], object["records"].as_array().expect("a list").len());
    assert_eq!(object["count"], exported.records);
    let first = log.reader().first().expect("readable").expect("a record");
    assert_eq!(object["erased"], 2 - u64::from(first > 6) - u64::from(first > 9));
    assert_eq!(object["personal_erased"], u64::from(first <= 12));
    let purged = (first > 0).then(|| serde_json::json!([[0, first - 1]]));
    assert_eq!(object["purged"], purged.unwrap_or_else(|| serde_json::json!([])));
    for found in object["records"].as_array().expect("a list") {
        let seq = found["seq"].as_u64().expect("a seq");
        let record = log.reader().record(seq).expect("a record");
        assert_eq!(found["hash"], record.hash().to_string());
        assert_eq!(found["recorded_at"], record.recorded_at().expect("a time").to_string());
        let event: Value = serde_json::from_str(&record.merged_json().expect("there")).expect("JSON");
        assert_eq!(found["event"], event);
        assert_eq!(found.get("personal_erased").is_some(), seq == 12);
    }
    let nothing = Export::new(query("actor_id=nobody")).format(Format::Json);
    let object: Value = serde_json::from_slice(&written(&log.reader(), &nothing).0).expect("JSON");
    assert_eq!(object["records"], serde_json::json!([]));
}

/// Values that a spreadsheet takes for more than text.
const CELLS: [&str; 8] = [
    "=cmd|'/c calc'!A1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "a\"b,c\r\nd;=1",
    "ü \u{ff1d}1",
    "plain",
];

#[test]
fn csv_is_read_back_by_a_reader_of_csv() {
    let log = memory_log();
    for (number, cell) in CELLS.iter().enumerate() {
        let event = login(number)
            .reason(*cell)
            .target(Target::new("doc", format!("{cell}#")).name(*cell))
            .user_agent(*cell)
            .metadata("note", *cell);
        log.append(event).expect("recorded");
    }
    let export = Export::new(Query::new().action("auth.*")).format(Format::Csv);
    let plain = written(&log.reader(), &export.clone().without_formula_guard()).0;
    let guarded = written(&log.reader(), &export).0;
    assert!(plain.ends_with(b"\r\n"));
    let rows = |content: &[u8]| -> Vec<csv::StringRecord> {
        let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(content);
        assert_eq!(reader.headers().expect("a header"), COLUMNS.as_slice());
        reader.records().map(|row| row.expect("a row")).collect()
    };
    let column = |name: &str| COLUMNS.iter().position(|column| *column == name).expect("a column");
    let (plain, guarded) = (rows(&plain), rows(&guarded));
    assert_eq!((plain.len(), guarded.len()), (CELLS.len(), CELLS.len()));
    for ((row, guarded), cell) in plain.iter().zip(&guarded).zip(CELLS) {
        let record = log.reader().record(row[0].parse().expect("a seq")).expect("a record");
        let event: Value = serde_json::from_str(&record.merged_json().expect("there")).expect("JSON");
        assert_eq!(&row[column("hash")], record.hash().to_string());
        assert_eq!(&row[column("reason")], cell);
        assert_eq!(&row[column("target_name")], cell);
        assert_eq!(&row[column("user_agent")], cell);
        assert_eq!(
            row[column("actor_email")],
            *event["actor"]["email"].as_str().expect("text")
        );
        assert_eq!(&row[column("category")], "authentication");
        assert_eq!(&row[column("personal_data")], "present");
        for json in ["metadata", "context", "targets"] {
            let value: Value = serde_json::from_str(&row[column(json)]).expect("JSON");
            assert_eq!(value, event[json], "{json}");
        }
        for cell in guarded {
            let begins = cell.chars().next().unwrap_or('x');
            assert!(
                !"=+-@\t\r\n\0\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(begins),
                "{cell:?}"
            );
        }
        let is_guarded = guarded[column("reason")].contains('\'') && !cell.starts_with('=');
        assert_eq!(
            is_guarded || cell.starts_with('='),
            !["plain", "ü \u{ff1d}1"].contains(&cell),
            "{cell:?}"
        );
    }
    let mut python = std::process::Command::new("python3");
    let script = "import csv,sys;rows=list(csv.reader(open(sys.argv[1],newline='',encoding='utf-8'),strict=True));\
                  print(len(rows),set(map(len,rows)))";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.csv");
    fs::write(&file, written(&log.reader(), &export).0).expect("written");
    match python.args(["-c", script]).arg(&file).output() {
        Ok(output) => assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            format!("{} {{{}}}", CELLS.len() + 1, COLUMNS.len()),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => println!("SKIPPED: no python3: {error}"),
    }
}

#[test]
fn what_is_erased_and_purged_is_said() {
    let scene = Scene::new();
    let log = log_of(&scene, 60);
    log.erase_records([30..=32], "request 1").expect("erased");
    log.erase_personal_data([40..=44], "request 2").expect("erased");
    log.purge(20).expect("purged");
    let first = log.reader().first().expect("readable").expect("a record");
    assert!(first > 2);
    let out = scene.root().join("out");
    for export in [
        Export::new(query("seq_to=50")),
        Export::new(query("seq_to=50&event_type=auth.*")),
        Export::new(query("seq_to=50")).format(Format::Csv),
    ] {
        let exported = log.export(&export, &out).expect("exported").exported;
        assert_eq!(exported.gone.purged, Some(0..first));
        assert_eq!((exported.gone.erased, exported.gone.personal_erased), (3, 5));
    }
    let report = assert_sound(&out, &log.vkey());
    assert_eq!(
        (report.erased, report.personal_erased, report.purged),
        (9, 15, 3 * first)
    );
    // All of it purged.
    let exported = log
        .export(&Export::new(query("seq_to=2")), &out)
        .expect("exported")
        .exported;
    assert_eq!((exported.records, exported.gone.purged), (0, Some(0..2)));
    assert_sound(&out, &log.vkey());
}

/// Takes so many bytes, in small writes, and notes the largest piece.
struct Small {
    room: usize,
    largest: usize,
}

impl Write for Small {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.largest = self.largest.max(bytes.len());
        if self.room == 0 {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "no room"));
        }
        let taken = bytes.len().min(self.room).min(10_000);
        self.room -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_that_fails_is_told_and_the_buffer_is_bounded() {
    let log = memory_log();
    for user in 0..100 {
        log.append(large(user, 20_000)).expect("recorded");
    }
    let told = Arc::new(AtomicU64::new(0));
    let calls = Arc::new(AtomicU64::new(0));
    for format in Format::ALL {
        for text in ["", "event_type=auth.*"] {
            let (last, count) = (Arc::clone(&told), Arc::clone(&calls));
            let export = Export::new(query(text)).format(format).progress(move |progress| {
                last.store(progress.bytes, Ordering::SeqCst);
                count.fetch_add(1, Ordering::SeqCst);
            });
            let mut writer = Small {
                room: usize::MAX,
                largest: 0,
            };
            let exported = log.reader().export(&export, &mut writer).expect("exported");
            assert!(
                exported.bytes > 2_000_000 && writer.largest <= 256 * 1024,
                "{}",
                writer.largest
            );
            assert_eq!(told.load(Ordering::SeqCst), exported.bytes);
            for room in [0, 1, 300_000, usize::try_from(exported.bytes).expect("small") - 1] {
                let error = log
                    .reader()
                    .export(&export, Small { room, largest: 0 })
                    .expect_err("no room");
                assert!(
                    matches!(error.cause(), Cause::Export { source, .. } if source.kind() == io::ErrorKind::StorageFull),
                    "{error}"
                );
            }
        }
    }
    assert!(calls.load(Ordering::SeqCst) > 12);
    // The log goes on.
    log.append(login("after")).expect("recorded");
}

#[test]
fn what_is_no_export_is_an_error_that_says_so() {
    let log = memory_log();
    let page = log.reader().query(&Query::new().limit(1)).expect("a page");
    let cursor = Query::new().limit(1).after(page.next.expect("more"));
    let error = log
        .reader()
        .export(&Export::new(cursor), io::sink())
        .expect_err("pages");
    assert!(
        matches!(error.cause(), Cause::InvalidQuery(problem) if problem.parameter() == "cursor"),
        "{error}"
    );
    let empty = LogReader::new(MemoryStore::new());
    assert!(empty.export(&Export::new(Query::new()), io::sink()).is_err());
    let folder = tempfile::tempdir().expect("a folder");
    assert!(verify_export(folder.path(), &[log.vkey()]).is_err());
    assert!(verify_export(folder.path().join("gone"), &[log.vkey()]).is_err());
    assert!(verify_export(folder.path(), &[]).is_err());
    fs::write(folder.path().join("a.manifest"), "no manifest").expect("written");
    let report = verify_export(folder.path(), &[log.vkey()]).expect("a report");
    assert_eq!(kinds(&report), [ExportFindingKind::Malformed]);
    assert!(
        log.export(&Export::new(Query::new()), folder.path()).is_err(),
        "the folder's chain is broken"
    );
    // A range beyond the end is empty, and none that cannot be named.
    let beyond = log
        .reader()
        .export(&Export::new(query("seq_from=100")), io::sink())
        .expect("nothing");
    assert_eq!((beyond.records, beyond.bytes), (0, 0));
}
