//! `export` and `verify-export`.

use super::*;

fn exported() -> Folder {
    let folder = Folder::new();
    folder.append_good(logins(0..20));
    folder
}

fn export<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["export", "audit", "--key", "audit.key", "--to", "out"], more].concat()
}

#[test]
fn what_is_exported_verifies_and_is_recorded() {
    let folder = exported();
    let vkey = folder.vkey();
    let said = folder.good(&export(&["seq_to=10", "--asked-by", "usr_auditor"]));
    let paths: Vec<&str> = said.lines().collect();
    assert_eq!(paths.len(), 2);
    assert_eq!(paths[0], format!("{}.manifest", paths[1]));
    let lines = lines_of(folder.read(paths[1]).as_bytes());
    assert_eq!(lines[0]["segment"]["first"], 0);
    folder.good(&export(&["--format", "csv", "event_type=auth.*&seq_to=12"]));
    folder.good(&export(&["--format", "json", "--no-formula-guard", "last=1h"]));
    for (compression, end) in [("gzip", ".jsonl.gz\n"), ("zstd", ".jsonl.zst\n")] {
        let said = folder.good(&export(&["--compress", compression, "seq_to=10"]));
        assert!(said.ends_with(end), "{said}");
    }
    for path in ["out", paths[0]] {
        let said = folder.good(&["verify-export", path, "--vkey", &vkey]);
        assert!(said.starts_with("sound: "), "{said}");
    }
    let report: Value =
        serde_json::from_str(&folder.good(&["verify-export", "out", "--vkey", &vkey, "--json"])).unwrap();
    assert_eq!((&report["sound"], &report["manifests"]), (&true.into(), &5.into()));
    let recorded = folder.cat().into_iter().map(|line| line["event"].clone());
    let recorded: Vec<Value> = recorded
        .filter(|event| event["action"] == "audit_log.exported")
        .collect();
    assert_eq!(recorded.len(), 5);
    assert_eq!(recorded[0]["actor"]["id"], "usr_auditor");
    folder.good(&["verify", "audit", "--vkey", &vkey]);
}

#[test]
fn a_changed_export_is_found_and_what_is_none_is_an_error() {
    let folder = exported();
    let vkey = folder.vkey();
    let said = folder.good(&export(&["seq_to=10"]));
    let file = said.lines().nth(1).unwrap().to_owned();
    assert!(folder.bad(2, &export(&["seq_to=10"])).contains("is there already"));
    let changed = folder.read(&file).replacen("usr_3", "usr_4", 1);
    assert_ne!(changed, folder.read(&file));
    folder.write(&file, changed);
    let output = folder.run(&["verify-export", "out", "--vkey", &vkey]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    // Where the record is the last one of its commit, the checkpoint behind it shows it.
    let is_found = said.contains("broken_link") || said.contains("wrong_root");
    assert!(said.contains("changed_file") && is_found, "{said}");
    assert!(
        folder
            .bad(2, &["verify-export", "gone", "--vkey", &vkey])
            .contains("gone")
    );
    assert!(folder.bad(2, &export(&["outcome=failed"])).contains("outcome: takes"));
    assert!(
        folder
            .bad(2, &export(&["--format", "xml"]))
            .contains("jsonl, json, csv")
    );
    folder.bad(2, &["export", "nowhere", "--key", "audit.key", "--to", "out"]);
    assert!(!folder.path("nowhere").exists(), "no log is made");
}

#[test]
fn a_log_that_a_service_holds_is_exported_there() {
    let folder = exported();
    let mut service = folder.talk();
    service.say(&login("usr_service"));
    service.hear();
    let pid = service.child.id().to_string();
    let error = folder.bad(2, &export(&["--wait", "0"]));
    assert!(error.contains(&pid) && error.contains("AuditLog::export"), "{error}");
    assert_eq!(service.end(), (Some(0), String::new()));
    folder.good(&export(&[]));
}

#[test]
fn a_log_is_published_also_while_a_service_holds_it() {
    let folder = exported();
    let mut service = folder.talk();
    service.say(&login("usr_service"));
    service.hear();
    let said = folder.good(&["publish", "audit", "--to", "tiles"]);
    assert!(
        said.starts_with("published ") && said.contains(" of them new"),
        "{said}"
    );
    assert!(folder.read("tiles/checkpoint").starts_with("auth.example.com/audit\n"));
    assert_eq!(service.end(), (Some(0), String::new()));
    assert!(
        folder
            .bad(2, &["publish", "nowhere", "--to", "tiles"])
            .contains("nowhere")
    );
}
