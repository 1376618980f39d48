//! Sinks in a process of their own: as soon, as complete, and the log is told all the same.

use std::fs;
use std::time::{Duration, Instant};

use indelible::sink::{Delivery, Feed, Shipper};
use indelible::{Cause, LogReader};

use super::*;

fn ship(scene: &Scene, target: &Target) -> Shipper {
    let feed = Feed::new("siem", target.clone());
    Shipper::start(LogReader::new(scene.store()), [feed]).expect("starts")
}

#[test]
fn the_log_of_another_process_is_delivered_as_it_is_written() {
    let (scene, target) = (Scene::new(), Target::new());
    let shipper = ship(&scene, &target);
    // It was there before the log.
    let log = scene.open();
    eventually("the first ones", || target.seqs().len() == 2);
    let mut took = Vec::new();
    for user in 0..20 {
        let receipt = log.append(login(user)).expect("recorded");
        let began = Instant::now();
        eventually("it comes", || target.seqs().contains(&receipt.seq));
        took.push(began.elapsed());
    }
    took.sort();
    assert!(took[10] < Duration::from_millis(200), "{took:?}");
    log.close(SOON).expect("closes");
    shipper.flush(SOON).expect("delivered");
    assert_eq!(target.seqs(), (0..23).collect::<Vec<_>>());
    assert_eq!(shipper.states().expect("states")[0].lag_records, 0);
    shipper.stop(SOON).expect("stops");
    let again = ship(&scene, &target);
    again.flush(SOON).expect("delivered");
    again.stop(SOON).expect("stops");
    assert_eq!(target.seqs().len(), 23);
}

#[test]
fn what_it_has_to_report_the_writer_records_once() {
    let (scene, target) = (Scene::new(), Target::answering(|_| Delivery::hold("HTTP 403")));
    let log = scene.open();
    let shipper = ship(&scene, &target);
    eventually("it is told", || told(&log, "audit_log.delivery.failed").len() == 1);
    assert_eq!(told(&log, "audit_log.delivery.failed")[0]["problem"], "HTTP 403");
    eventually("it is removed", || {
        list(&scene.folder().join("sinks/reports")).is_empty()
    });
    log.close(SOON).expect("closes");
    target.mend();
    shipper.resume("siem").expect("tries again");
    shipper.flush(SOON).expect("delivered");
    let left = || {
        let mut left = list(&scene.folder().join("sinks/reports"));
        left.retain(|path| path.extension().is_none());
        left.pop()
    };
    eventually("it is left", || left().is_some());
    let left = left().expect("a report");
    let copy = fs::read(&left).expect("a report");
    let log = scene.open();
    eventually("it is told", || told(&log, "audit_log.delivery.recovered").len() == 1);
    eventually("it is removed", || !left.exists());
    // A crash before that would have left it.
    fs::write(&left, copy).expect("written");
    eventually("it is removed again", || !left.exists());
    assert_eq!(told(&log, "audit_log.delivery.recovered").len(), 1);
    assert!(log.verify().expect("verified").is_sound());
}

#[test]
fn what_is_no_report_is_not_recorded() {
    let scene = Scene::new();
    let reports = scene.folder().join("sinks/reports");
    fs::create_dir_all(&reports).expect("a folder");
    let uuid = |digit: char| format!("0000000{digit}-0000-4000-8000-000000000000");
    fs::write(reports.join(uuid('1')), "{").expect("written");
    fs::write(
        reports.join(uuid('2')),
        r#"{"sink":"a","since":"never","position":1,"failures":2}"#,
    )
    .expect("written");
    fs::write(reports.join(uuid('3')), "a".repeat(1 << 20)).expect("written");
    fs::write(
        reports.join("no-uuid"),
        r#"{"sink":"a","problem":"p","rejected":1,"first":1,"last":1}"#,
    )
    .expect("written");
    std::os::unix::fs::symlink("/dev/zero", reports.join(uuid('4'))).expect("a link");
    let unreadable = reports.join(uuid('5'));
    if cfg!(target_os = "linux") {
        // A file that cannot be read: it may be one.
        std::os::unix::fs::symlink("/proc/self/mem", &unreadable).expect("a link");
    }
    let log = scene.open();
    eventually("they are removed", || {
        list(&reports).iter().all(|path| *path == unreadable)
    });
    assert_eq!(list(&reports).len(), usize::from(cfg!(target_os = "linux")));
    assert!(told(&log, "audit_log.delivery.*").is_empty());
}

#[test]
fn a_sink_is_driven_by_one_process_at_a_time() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = open_with(&scene, &target);
    flush(&log);
    let shipper = ship(&scene, &target);
    eventually("it waits", || shipper.states().expect("states")[0].last_error.is_some());
    append(&log, 5);
    flush(&log);
    log.remove_sink("siem", SOON).expect("removed");
    append(&log, 5);
    shipper.flush(SOON).expect("delivered");
    assert_eq!(target.seqs(), (0..12).collect::<Vec<_>>());
}

#[test]
fn two_feeds_of_one_name_are_refused() {
    let scene = Scene::new();
    let feeds = [Feed::new("a", Target::new()), Feed::new("a", Target::new())];
    let refused = Shipper::start(LogReader::new(scene.store()), feeds).expect_err("refused");
    assert!(
        matches!(refused.cause(), Cause::Configuration { option: "sink", .. }),
        "{refused}"
    );
}

#[test]
fn what_a_process_that_is_gone_began_to_report_is_removed() {
    let scene = Scene::new();
    let reports = scene.folder().join("sinks/reports");
    fs::create_dir_all(&reports).expect("a folder");
    let uuid = |digit: char| format!("0000000{digit}-0000-4000-8000-000000000000");
    let (gone, at_it) = (reports.join(uuid('1') + ".new"), reports.join(uuid('2') + ".new"));
    fs::write(&gone, "{").expect("written");
    let locked = fs::File::create(&at_it).expect("a file");
    locked.lock().expect("the lock");
    let log = scene.open();
    eventually("it is removed", || !gone.exists());
    assert!(at_it.exists());
    drop(locked);
    eventually("it is removed", || !at_it.exists());
    assert!(told(&log, "audit_log.delivery.*").is_empty());
}

#[test]
fn a_report_that_no_log_takes_keeps_none_of_the_others_waiting() {
    let scene = Scene::new();
    let reports = scene.folder().join("sinks/reports");
    fs::create_dir_all(&reports).expect("a folder");
    let uuid = |digit: char| format!("0000000{digit}-0000-4000-8000-000000000000");
    let report = |problem: &str| {
        let report = serde_json::json!({"sink": "a", "problem": problem, "rejected": 1, "first": 1, "last": 1});
        report.to_string()
    };
    for digit in '1'..='9' {
        let problem = if digit == '5' {
            "well".to_owned()
        } else {
            "x".repeat(15_000)
        };
        fs::write(reports.join(uuid(digit)), report(&problem)).expect("written");
    }
    let log = scene.open();
    eventually("they are removed", || list(&reports).is_empty());
    let told = told(&log, "audit_log.delivery.failed");
    assert!(told.iter().any(|told| told["problem"] == "well"), "{told:?}");
}

#[test]
fn what_has_just_come_lags_behind_since_then() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = scene.open();
    let shipper = ship(&scene, &target);
    append(&log, 1);
    shipper.flush(SOON).expect("delivered");
    std::thread::sleep(Duration::from_millis(1500));
    for _ in 0..10 {
        append(&log, 1);
        // It may not have been read yet.
        let lag = shipper.states().expect("states")[0].lag;
        assert!(lag < Duration::from_secs(1), "{lag:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    shipper.stop(SOON).expect("stops");
}
