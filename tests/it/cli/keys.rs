//! `keygen`, `vkey` and `rotate-key`.

use super::*;

#[test]
fn a_key_is_made_once() {
    let folder = Folder::new();
    let printed = folder.good(&["keygen", "b.key", "--origin", "b.example/audit"]);
    assert!(printed.starts_with("b.example/audit+") && printed.ends_with('\n'));
    assert_eq!(folder.good(&["vkey", "b.key"]), printed);
    let before = folder.read("b.key");
    assert!(before.starts_with("PRIVATE+KEY+b.example/audit+"));
    assert!(
        folder
            .bad(2, &["keygen", "b.key", "--origin", "b.example/audit"])
            .contains("b.key")
    );
    assert_eq!(folder.read("b.key"), before);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.path("b.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn an_origin_that_is_none_is_refused() {
    let folder = Folder::new();
    for origin in ["", "a b", "a+b", "a\nb"] {
        assert!(
            folder
                .bad(2, &["keygen", "b.key", "--origin", origin])
                .contains("--origin")
        );
    }
    assert!(!folder.path("b.key").exists());
    assert!(folder.bad(2, &["vkey", "b.key"]).contains("b.key"));
}

#[test]
fn a_rotated_key_takes_over() {
    let folder = Folder::new();
    folder.append_good(login("a"));
    let old = folder.vkey();
    // A key that keygen made.
    let new = folder.good(&["keygen", "new.key", "--origin", ORIGIN]);
    assert_eq!(
        folder.good(&["rotate-key", "audit", "--key", "audit.key", "--new", "new.key"]),
        new
    );

    folder.write("input", login("b"));
    folder.good(&["append", "audit", "--key", "new.key", "input"]);
    assert_eq!(folder.actors(), ["a", "b"]);

    let rotated = folder
        .cat()
        .into_iter()
        .find(|record| record["event"]["action"] == "audit_log.signing_key.rotated");
    let metadata = &rotated.as_ref().unwrap()["event"]["metadata"];
    assert_eq!(
        (metadata["old"].as_str(), metadata["new"].as_str()),
        (Some(&*old), Some(new.trim_end()))
    );

    // Neither a key that is in force, nor one that was, nor one of another log.
    folder.good(&["keygen", "other.key", "--origin", "other.example/audit"]);
    for key in ["new.key", "audit.key", "other.key"] {
        folder.bad(2, &["rotate-key", "audit", "--key", "new.key", "--new", key]);
    }
    folder.good(&["append", "audit", "--key", "new.key", "input"]);
}

#[test]

fn a_key_that_is_not_in_force_any_more_changes_nothing() {
    let folder = Folder::new();
    folder.append_good(login("a"));
    folder.good(&["rotate-key", "audit", "--key", "audit.key", "--new", "new.key"]);
    let before = folder.cat();
    folder.write("input", login("b"));
    let error = folder.bad(2, &["append", "audit", "--key", "audit.key", "input"]);
    assert!(error.contains("rotated"), "{error}");
    assert_eq!(folder.cat(), before);
    folder.good(&["append", "audit", "--key", "new.key", "input"]);
    assert_eq!(folder.actors(), ["a", "b"]);
}

#[test]
fn the_new_key_is_made_if_it_is_not_there_and_finds_the_checkpoint_in_its_folder() {
    let folder = Folder::new();
    folder.append_good(login("a"));
    std::fs::create_dir(folder.path("keys")).unwrap();
    let new = folder.good(&["rotate-key", "audit", "--key", "audit.key", "--new", "keys/new.key"]);
    assert_eq!(folder.good(&["vkey", "keys/new.key"]), new);
    folder.write("input", login("b"));
    folder.good(&["append", "audit", "--key", "keys/new.key", "input"]);

    // It protects the log there, too: with an older log it is refused.
    let copy = |from: &str, to: &str| {
        let status = std::process::Command::new("cp")
            .arg("-r")
            .args([folder.path(from), folder.path(to)])
            .status();
        assert!(status.unwrap().success());
    };
    copy("audit", "older");
    folder.good(&["append", "audit", "--key", "keys/new.key", "input"]);
    let error = folder.bad(2, &["append", "older", "--key", "keys/new.key", "input"]);
    assert!(error.contains("rolled back"), "{error}");

    // A rotation does not overwrite a checkpoint that is ahead of the log.
    std::fs::create_dir(folder.path("more")).unwrap();
    folder.good(&[
        "rotate-key",
        "audit",
        "--key",
        "keys/new.key",
        "--new",
        "more/third.key",
    ]);
    std::fs::rename(folder.path("audit"), folder.path("newest")).unwrap();
    std::fs::rename(folder.path("older"), folder.path("audit")).unwrap();
    let arguments = [
        "rotate-key",
        "audit",
        "--key",
        "keys/new.key",
        "--new",
        "more/fourth.key",
    ];
    let accept = [&arguments[..], &["--accept-missing-checkpoint"]].concat();
    assert!(folder.bad(2, &arguments).contains("rolled back"));
    std::fs::remove_file(folder.path("more/third.key")).unwrap();
    for entry in std::fs::read_dir(folder.path("keys")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "checkpoint") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let error = folder.bad(2, &accept);
    assert!(error.contains("more/") && error.contains("records"), "{error}");
}

#[test]
fn nothing_is_rotated_where_there_is_no_log() {
    let folder = Folder::new();
    folder.bad(2, &["rotate-key", "audit", "--key", "audit.key", "--new", "new.key"]);
    assert!(!folder.path("audit").exists() && !folder.path("new.key").exists());
}
