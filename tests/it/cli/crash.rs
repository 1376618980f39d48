//! `append` killed in the middle.

use std::time::Duration;

use super::*;

#[test]
fn every_printed_receipt_is_in_the_log_after_a_kill() {
    for millis in [0, 1, 2, 5, 10, 20, 40, 80] {
        let folder = Folder::new();
        let mut talk = folder.talk();
        let mut input = talk.input.take().unwrap();
        let writer = std::thread::spawn(move || {
            let mut user = 0;
            while input.write_all(logins(user..user + 50).as_bytes()).is_ok() {
                user += 50;
            }
        });
        let first = talk.hear();
        let receipts = talk.receipts.take().unwrap();
        let reader = std::thread::spawn(move || {
            let lines = receipts.lines().map_while(Result::ok);
            // The last one may be torn: then it was not received.
            lines
                .filter_map(|line| serde_json::from_str(&line).ok())
                .collect::<Vec<Value>>()
        });
        std::thread::sleep(Duration::from_millis(millis));
        talk.child.kill().unwrap();
        talk.child.wait().unwrap();
        writer.join().unwrap();
        let mut receipts = reader.join().unwrap();
        receipts.insert(0, first);

        let next = folder.append_good(login("after"));
        let records = folder.cat();
        for receipt in receipts.iter().chain(&next) {
            let seq = receipt["seq"].as_u64().unwrap();
            assert_eq!(records[seq as usize]["hash"], receipt["hash"]);
        }
        let recovered = records
            .iter()
            .filter(|record| record["event"]["action"] == "audit_log.recovered");
        assert_eq!(recovered.count(), 1);
        for (index, record) in records.iter().enumerate() {
            assert_eq!(record["seq"], index);
        }
    }
}
