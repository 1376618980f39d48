//! `prove` and `check-proof`.

use super::*;

/// A log of 20 logins; the proof and the line of record 7 in files.
fn proven() -> Folder {
    let folder = Folder::new();
    folder.append_good(logins(0..20));
    folder.write("proof", folder.good(&["prove", "audit", "7"]));
    let segment = folder.read("audit/segments/00000000000000000000.jsonl");
    let line = segment.lines().find(|line| line.ends_with("\"seq\":7}")).unwrap();
    folder.write("record", line);
    folder
}

fn check<'a>(vkey: &'a str, record: &'a str) -> [&'a str; 6] {
    ["check-proof", "proof", "--vkey", vkey, "--record", record]
}

#[test]
fn a_proof_holds_in_any_spelling_of_the_record() {
    let folder = proven();
    let vkey = folder.vkey();
    let said = folder.good(&check(&vkey, "record"));
    assert!(said.contains("record 7 is in the log auth.example.com/audit"), "{said}");
    let record: Value = serde_json::from_str(&folder.read("record")).unwrap();
    folder.write("pretty", serde_json::to_string_pretty(&record).unwrap());
    folder.good(&check(&vkey, "pretty"));
    folder.write("escaped", folder.read("record").replace("usr", "\\u0075sr") + "\n");
    folder.good(&check(&vkey, "escaped"));
    // With the personal data erased it is its hashed form.
    let personal = &record["personal"];
    let digest = indelible::Hash::of(serde_json_canonicalizer::to_string(personal).unwrap().as_bytes());
    let mut hashed = record.clone();
    hashed["personal"] = digest.to_string().into();
    folder.write("hashed", hashed.to_string());
    folder.good(&check(&vkey, "hashed"));
}

#[test]
fn a_changed_record_is_not_proven() {
    let folder = proven();
    let vkey = folder.vkey();
    let record = folder.read("record");
    let changes = [
        ("usr_5", "usr_6"),
        ("203.0.113.7", "203.0.113.8"),
        ("\"seq\":7", "\"seq\":8"),
    ];
    for (from, to) in changes {
        assert!(record.contains(from), "{record}");
        folder.write("changed", record.replace(from, to));
        folder.bad(1, &check(&vkey, "changed"));
    }
    // The seq of an erased record is not in its hash.
    let hash = folder.cat()[7]["hash"].as_str().unwrap().to_owned();
    folder.write("erased", format!(r#"{{"erased":"{hash}","seq":7}}"#));
    folder.good(&check(&vkey, "erased"));
    folder.write("erased", format!(r#"{{"erased":"{hash}","seq":8}}"#));
    folder.bad(1, &check(&vkey, "erased"));
}

#[test]
fn what_cannot_be_checked_is_an_error() {
    let folder = proven();
    let vkey = folder.vkey();
    for content in ["", "{}", "[1]", "{\"seq\":7}", "nonsense"] {
        folder.write("broken", content);
        assert!(folder.bad(2, &check(&vkey, "broken")).contains("broken"));
    }
    folder.bad(2, &check(&vkey, "none"));
    folder.bad(2, &check("no vkey", "record"));
    folder.bad(2, &["check-proof", "proof", "--record", "record"]);
    folder.write("proof", folder.read("proof").replace("tlog-proof@v1", "tlog-proof@v2"));
    assert!(folder.bad(2, &check(&vkey, "record")).contains("proof"));
    folder.bad(2, &["prove", "audit", "1000"]);
}

#[test]
fn a_proof_under_another_key_names_it() {
    let folder = proven();
    let vkey = folder.vkey();
    let id = vkey.splitn(3, '+').take(2).collect::<Vec<_>>().join("+");
    let others = [ORIGIN, "other.example/audit"].map(|origin| {
        let name = format!("{}.key", origin.len());
        folder
            .good(&["keygen", &name, "--origin", origin])
            .trim_end()
            .to_owned()
    });
    for other in &others {
        let error = folder.bad(2, &check(other, "record"));
        assert!(error.contains(&id), "{error}");
    }
    // One of several keys is enough.
    let several = [
        "check-proof",
        "proof",
        "--vkey",
        &others[0],
        "--vkey",
        &vkey,
        "--record",
        "record",
    ];
    folder.good(&several);
    // A signature that is not that key's.
    let proof = folder.read("proof");
    let (rest, signature) = proof.trim_end().rsplit_once(' ').unwrap();
    let forged = format!(
        "{}{}{}",
        &signature[..20],
        if &signature[20..21] == "A" { "B" } else { "A" },
        &signature[21..]
    );
    folder.write("proof", format!("{rest} {forged}\n"));
    folder.bad(1, &check(&vkey, "record"));
}

#[test]
fn the_reference_proofs_hold() {
    let folder = Folder::new();
    let proofs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/format-1/proofs");
    let vkey = std::fs::read_to_string(proofs.join("vkey")).unwrap();
    for seq in [0, 3, 27, 54] {
        let file = |ending: &str| proofs.join(format!("{seq}.{ending}")).to_str().unwrap().to_owned();
        let (proof, record) = (file("tlog-proof"), file("record.json"));
        folder.good(&["check-proof", &proof, "--vkey", vkey.trim_end(), "--record", &record]);
    }
}
