//! `compress`.

use super::*;

/// A log of more than a segment, which has 64 MiB.
fn large_log() -> Folder {
    let folder = Folder::new();
    folder.append_good(login("first"));
    let filler = "x".repeat(40_000);
    let line = login("usr_1").replacen('{', &format!(r#"{{"metadata":{{"filler":"{filler}"}},"#), 1);
    folder.append_good(line.repeat(1_750));
    folder
}

fn names(folder: &Folder) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path("audit/segments")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn sealed_segments_are_compressed_and_read_as_before() {
    let folder = large_log();
    let before = folder.cat().len();
    assert_eq!(names(&folder).len(), 2);
    let compress = ["compress", "audit", "--key", "audit.key"];
    let said = folder.good(&compress);
    let numbers: Vec<u64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert!(
        said.starts_with("compressed 1 segments, ") && numbers.len() == 3,
        "{said}"
    );
    assert!(numbers[2] * 20 < numbers[1], "{said}");
    let after = names(&folder);
    assert_eq!(after[0], "00000000000000000000.jsonl.zst");
    assert_eq!(after.len(), 2, "{after:?}");
    // Each opening records that the log was opened and closed.
    assert_eq!(folder.cat().len(), before + 2);
    folder.good(&["verify", "audit", "--vkey", &folder.vkey()]);
    assert_eq!(folder.good(&compress), "compressed 0 segments, 0 bytes to 0\n");
}

#[test]
fn where_a_service_has_the_log_it_says_what_the_service_can_call() {
    let folder = Folder::new();
    let mut talk = folder.talk();
    talk.say(&login("a"));
    talk.hear();
    let error = folder.bad(2, &["compress", "audit", "--key", "audit.key", "--wait", "0"]);
    assert!(error.contains(&format!("process {}", talk.child.id())), "{error}");
    assert!(error.contains("AuditLog::compress"), "{error}");
    assert_eq!(talk.end().0, Some(0));
}

#[test]
fn there_must_be_a_log() {
    let folder = Folder::new();
    folder.bad(2, &["compress", "audit", "--key", "audit.key"]);
    assert!(!folder.path("audit").exists());
}
