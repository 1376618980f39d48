//! `append` and signals.

use std::process::Command;
use std::time::Duration;

use super::*;

fn signal(talk: &Talk, name: &str) {
    let status = Command::new("kill")
        .args(["-s", name, &talk.child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn a_signal_ends_it_in_order_while_it_waits_for_input() {
    for name in ["TERM", "INT"] {
        let folder = Folder::new();
        let mut talk = folder.talk();
        talk.say(&(login("a") + &login("b")));
        assert_eq!(
            (talk.hear()["seq"].clone(), talk.hear()["seq"].clone()),
            (2.into(), 3.into())
        );
        talk.say("{\"action\":");
        signal(&talk, name);
        // The pipe stays open.
        let status = talk.child.wait().unwrap();
        assert_eq!(status.code(), Some(0));
        let (_, error) = talk.end();
        assert_eq!(
            error,
            format!("indelible: standard input: stopped by SIG{name} after line 2\n")
        );
        assert_eq!(folder.cat().last().unwrap()["event"]["action"], "audit_log.stopped");
        assert_eq!(folder.actors(), ["a", "b"]);
    }
}

#[test]
fn a_signal_ends_it_in_order_while_it_works() {
    let folder = Folder::new();
    let mut talk = folder.talk();
    let mut input = talk.input.take().unwrap();
    let writer = std::thread::spawn(move || while input.write_all(logins(0..100).as_bytes()).is_ok() {});
    let mut last = talk.hear();
    let mut receipts = talk.receipts.take().unwrap().lines();
    std::thread::sleep(Duration::from_millis(50));
    signal(&talk, "TERM");
    for line in receipts.by_ref() {
        last = serde_json::from_str(&line.unwrap()).unwrap();
    }
    let (code, error) = talk.end();
    assert_eq!(code, Some(0), "{error}");
    writer.join().unwrap();
    // Every record has its receipt, and the last one is followed by the end of the log alone.
    let records = folder.cat();
    assert_eq!(records.last().unwrap()["event"]["action"], "audit_log.stopped");
    assert_eq!(records[records.len() - 2]["seq"], last["seq"]);
}

#[test]
fn a_file_that_was_not_read_to_its_end_is_an_error() {
    let folder = Folder::new();
    // A named pipe: a file that does not end while it is open for writing.
    assert!(
        Command::new("mkfifo")
            .arg(folder.path("input"))
            .status()
            .unwrap()
            .success()
    );
    let child = folder
        .command(&["append", "audit", "--key", "audit.key", "input"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = std::fs::OpenOptions::new()
        .write(true)
        .open(folder.path("input"))
        .unwrap();
    input.write_all(login("a").as_bytes()).unwrap();
    let (mut talk, receipts) = (
        Talk {
            input: None,
            receipts: None,
            child,
        },
        |talk: &mut Talk| talk.receipts = talk.child.stdout.take().map(BufReader::new),
    );
    receipts(&mut talk);
    talk.hear();
    signal(&talk, "INT");
    let (code, error) = talk.end();
    assert_eq!(
        (code, error.as_str()),
        (Some(2), "indelible: input: stopped by SIGINT after line 1\n")
    );
    drop(input);
}
