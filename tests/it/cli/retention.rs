//! `retention` and `hold`.

use std::time::{Duration, SystemTime};

use indelible::{Actor, AuditLog, Clock, Event, FileStore};

use super::*;

/// Long ago.
#[derive(Debug)]
struct Then;

impl Clock for Then {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000)
    }
}

/// A log of five logins of each of two tenants, of 2020.
fn old_log(folder: &Folder) {
    let log = AuditLog::builder(ORIGIN)
        .key_file(folder.path("audit.key"))
        .clock(Then)
        .open(FileStore::new(folder.path("audit")))
        .unwrap();
    for number in 0..10 {
        let tenant = format!("org_{}", number % 2);
        let event = Event::new("auth.login.succeeded").actor(Actor::user("usr_1"));
        log.append(event.tenant(tenant)).unwrap();
    }
    log.close(Duration::from_secs(10)).unwrap();
}

#[test]
fn a_retention_takes_what_is_over_and_a_dry_run_only_says_so() {
    let folder = Folder::new();
    old_log(&folder);
    let retention = ["retention", "audit", "--key", "audit.key", "--keep", "90d"];
    let segment = || {
        let name = "audit/segments/00000000000000000000.jsonl";
        std::fs::read(folder.path(name)).unwrap()
    };
    let before = segment();
    let rule = ["--rule", "forever tenant_id=org_0"];
    let dry = folder.good(&[&retention[..], &rule, &["--dry-run"]].concat());
    assert_eq!(segment(), before);
    let dry: Value = serde_json::from_str(&dry).unwrap();
    let erased = serde_json::json!([[3, 3], [5, 5], [7, 7], [9, 9], [11, 11]]);
    let is_taken = |report: &Value| report["erased"] == erased && report["by_rule"]["90d"] == 5;
    assert!(
        is_taken(&dry) && dry["left"] == 8 && dry.get("purged").is_none(),
        "{dry}"
    );
    let done: Value = serde_json::from_str(&folder.good(&[&retention[..], &rule].concat())).unwrap();
    assert!(is_taken(&done), "{done}");
    let vkey = folder.good(&["vkey", "audit.key"]);
    folder.good(&["verify", "audit", "--vkey", vkey.trim()]);
    for (wrong, says) in [
        (&["--keep", "90"][..], "keep: takes a period"),
        (&["--keep", ""], "keep: it says no default"),
        (
            &["--keep", "90d", "--rule", "7y actor_id=a"],
            "a rule is for some of tenant_id",
        ),
    ] {
        let error = folder.bad(2, &[&["retention", "audit", "--key", "audit.key"], wrong].concat());
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_hold_keeps_what_it_covers_until_it_is_released() {
    let folder = Folder::new();
    old_log(&folder);
    let log = ["audit", "--key", "audit.key"];
    let told = ["--name", "case 17", "--reason", "lawsuit", "--by", "usr_bob"];
    let filter = ["--filter", "tenant_id=org_0"];
    folder.good(&[&["hold", "place"], &log[..], &told, &filter].concat());
    let list = folder.good(&["hold", "list", "audit"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    let said = ["name", "filter", "reason", "by"].map(|key| list[key].as_str().unwrap());
    assert_eq!(said, ["case 17", "tenant_id=org_0", "lawsuit", "usr_bob"]);
    let retention = [&["retention"], &log[..], &["--keep", "90d"]].concat();
    let kept = folder.good(&retention);
    assert!(kept.contains("\"held\":{\"case 17\":5}"), "{kept}");
    folder.bad(2, &[&["hold", "place"], &log[..], &told].concat());
    folder.good(&[&["hold", "release"], &log[..], &told].concat());
    assert_eq!(folder.good(&["hold", "list", "audit"]), "");
    let rest = folder.good(&retention);
    assert!(
        rest.contains("\"by_rule\":{\"90d\":") && rest.contains("\"held\":{}"),
        "{rest}"
    );
}

#[test]
fn where_a_service_has_the_log_its_pid_and_the_call_are_told() {
    let folder = Folder::new();
    old_log(&folder);
    let service = AuditLog::builder(ORIGIN)
        .key_file(folder.path("audit.key"))
        .open(FileStore::new(folder.path("audit")))
        .unwrap();
    let log = ["audit", "--key", "audit.key", "--wait", "0"];
    let told = ["--name", "a", "--reason", "b", "--by", "c"];
    let pid = format!("process {}", std::process::id());
    for (arguments, call) in [
        (
            [&["retention"], &log[..], &["--keep", "90d"]].concat(),
            "AuditLog::apply_retention",
        ),
        ([&["hold", "place"], &log[..], &told].concat(), "AuditLog::place_hold"),
        (
            [&["hold", "release"], &log[..], &told].concat(),
            "AuditLog::release_hold",
        ),
    ] {
        let error = folder.bad(2, &arguments);
        assert!(error.contains(&pid) && error.contains(call), "{error}");
    }
    folder.good(&["retention", "audit", "--key", "audit.key", "--keep", "90d", "--dry-run"]);
    service.close(Duration::from_secs(10)).unwrap();
}
