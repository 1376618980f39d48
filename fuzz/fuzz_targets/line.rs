//! The line reader: a record is what its bytes say, in canonical form and in any other spelling of the same JSON.

#![no_main]

use indelible::{Hash, Record, hash};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    if let Ok(record) = Record::from_line(text) {
        assert_eq!(record.line().is_none(), record.is_erased());
        assert!(record.line().is_none_or(|line| line.as_bytes() == text));
        assert_eq!(Record::from_json(text).as_ref(), Ok(&record));
    }
    let Ok(record) = Record::from_json(text) else { return };
    let Some(line) = record.line() else { return };
    assert_eq!(Record::from_line(line.as_bytes()).as_ref(), Ok(&record));
    let value: serde_json::Value = serde_json::from_slice(text).expect("JSON by another reader");
    let canonical = serde_json_canonicalizer::to_vec(&value).expect("canonical by another writer");
    assert_eq!(line.as_bytes(), canonical);
    let merged = record.merged_json().expect("two objects");
    serde_json::from_str::<serde_json::Value>(&merged).expect("JSON");
    let event = record.event_json().expect("it is not erased");
    let Some(personal) = record.personal_json() else {
        return assert_eq!(hash::leaf(line.as_bytes()), record.hash());
    };
    // FORMAT §2: the digest stands where the personal data stood, and the hash is the same.
    let (before, after) = line.split_at(r#"{"event":,"personal":"#.len() + event.len());
    let after = after.strip_prefix(personal).expect("the value of personal");
    let hashed_form = format!("{before}\"{}\"{after}", Hash::of(personal.as_bytes()));
    let erased = Record::from_line(hashed_form.as_bytes()).expect("its hashed form is a record");
    assert_eq!((erased.hash(), erased.personal_json()), (record.hash(), None));
});
