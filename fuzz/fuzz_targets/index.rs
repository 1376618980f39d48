//! Index files: whatever one holds, the answers stay those of a plain reading. Where its checksums are right and what it
//! says is not, too little can be found, but nothing that is not asked for.

#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use indelible::query::{Bucket, CountBy};
use indelible::store::Store;
use indelible::{Actor, AuditLog, Event, FileStore, LogReader, Query, SigningKey, Target, action};
use indelible_fuzz::{edit, folder};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A log in files whose first segment has an index.
struct Log {
    folder: TempDir,
    index: PathBuf,
    /// What the index file holds, and the same without its checksums.
    file: Vec<u8>,
    stream: Vec<u8>,
    /// What is found and counted without an index.
    right: Vec<(Vec<u64>, u64)>,
}

static LOG: LazyLock<Log> = LazyLock::new(|| {
    let folder = folder();
    let key = SigningKey::from_seed("fuzz.example.com/audit".parse().expect("an origin"), &[1; 32]).expect("a key");
    let log = AuditLog::builder("fuzz.example.com/audit")
        .signer(key)
        .without_checkpoint_file()
        .open(FileStore::new(folder.path()).segment_size(32 * 1024).space_ahead(false))
        .expect("a log");
    for number in 0..60 {
        log.append(event(number)).expect("recorded");
    }
    log.erase_records([20..=21], "fuzz").expect("erased");
    log.erase_personal_data([10..=13], "fuzz").expect("erased");
    let index = loop {
        let entries = fs::read_dir(folder.path().join("index")).into_iter().flatten();
        let mut paths = entries.map(|entry| entry.expect("a name").path());
        let is_first = |path: &PathBuf| {
            let name = path.file_name().expect("a name").to_string_lossy();
            name.starts_with(&format!("{:020}-", 0)) && name.ends_with(".idx")
        };
        if let Some(index) = paths.find(is_first) {
            break index;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    log.close(Duration::from_secs(60)).expect("closed");
    let file = fs::read(&index).expect("an index");
    let stream = stream_of(&file);
    assert_eq!(pages(stream.clone()), file, "this target knows the form of a page");
    fs::remove_file(&index).expect("removed");
    let mut right = Vec::new();
    answer(&folder, |found, count| right.push((found, count)));
    assert!(right.iter().any(|(found, _)| found.len() > 5));
    Log {
        folder,
        index,
        file,
        stream,
        right,
    }
});

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else {
        return;
    };
    let log = &*LOG;
    let is_checked = choice & 1 == 1;
    let mut content = if is_checked {
        log.stream.clone()
    } else {
        log.file.clone()
    };
    match choice & 2 == 0 {
        true => edit(&mut content, input),
        false => content = input.to_vec(),
    }
    if is_checked {
        content = pages(content);
    }
    fs::write(&log.index, &content).expect("written");
    let mut right = log.right.iter();
    answer(&log.folder, |found, count| {
        let (all, counted) = right.next().expect("as many queries");
        if is_checked {
            assert!(
                found.iter().all(|seq| all.contains(seq)) && found.is_sorted(),
                "{found:?} of {all:?}"
            );
        } else {
            assert_eq!((&found, &count), (all, counted));
        }
    });
});

/// What some queries find in the first segment, and how many records they count.
fn answer(folder: &TempDir, mut each: impl FnMut(Vec<u64>, u64)) {
    let store = FileStore::new(folder.path());
    let end = store.segments().expect("listed")[1].first;
    let reader = LogReader::new(store);
    let by = CountBy::new().every(Bucket::every(Duration::from_secs(1)));
    for query in QUERIES {
        let query = Query::parse(query).expect("a query").seq_to(end).limit(1_000);
        let page = reader.query(&query).expect("an answer");
        let counts = reader.count(&query, &by).expect("counts");
        each(
            page.found.iter().map(|found| found.record.seq()).collect(),
            counts.total,
        );
    }
}

const QUERIES: [&str; 6] = [
    "order=oldest",
    "order=oldest&event_type=auth.login.failed&tenant_id.not=org_1",
    "order=oldest&actor_id=usr_3",
    "order=oldest&actor_email=7@example.com",
    "order=oldest&severity_min=low&start_time=2026-01-01T00:00:05Z&end_time=2026-01-01T00:00:15Z",
    "order=oldest&metadata.plan=paid&target=application:app_1",
];

fn event(number: u64) -> Event {
    let at = format!("2026-01-01T00:{:02}:{:02}Z", number / 60, number % 60);
    let actions = [action::AUTH_LOGIN_FAILED, action::AUTH_LOGIN_SUCCEEDED];
    Event::new(actions[usize::from(number % 2 == 0)].clone())
        .occurred_at(at.parse::<indelible::Timestamp>().expect("a time"))
        .actor(Actor::user(format!("usr_{}", number % 20)).email(format!("{number}@example.com")))
        .target(Target::new("application", format!("app_{}", number % 5)))
        .tenant(format!("org_{}", number % 3))
        .metadata("plan", if number % 7 == 0 { "paid" } else { "free" })
}

/// The stream of a file's pages.
fn stream_of(file: &[u8]) -> Vec<u8> {
    file.chunks(PAGE).flat_map(|page| &page[..CONTENT]).copied().collect()
}

/// A stream as pages, each with its checksum.
fn pages(mut stream: Vec<u8>) -> Vec<u8> {
    stream.resize(stream.len().div_ceil(CONTENT) * CONTENT, 0);
    let page = |(number, content): (u64, &[u8])| [content, &xxh3_64_with_seed(content, number).to_le_bytes()].concat();
    (0..).zip(stream.chunks(CONTENT)).flat_map(page).collect()
}

const PAGE: usize = 4096;
const CONTENT: usize = PAGE - 8;
