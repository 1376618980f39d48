//! Positions: over restarts, crashes, damage and another log, a record comes twice rather than never.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use indelible::retention::{Period, Retention};
use indelible::sink::Feed;

use super::*;

fn position_file(scene: &Scene) -> PathBuf {
    scene.folder().join("sinks/siem.position")
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let (scene, target) = (Scene::new(), Target::new());
    for _ in 0..4 {
        let log = open_with(&scene, &target);
        append(&log, 5);
        log.close(SOON).expect("closes");
    }
    // Two records of each opening, five, and one of each closing.
    assert_eq!(target.seqs(), (0..4 * 7 + 1).collect::<Vec<_>>());
}

#[test]
fn a_crash_at_any_moment_loses_none() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = open_with(&scene, &target);
    for _ in 0..20 {
        append(&log, 3);
        let crashed = scene.crash_copy();
        let after = Target::new();
        let opened = open_with(&crashed, &after);
        flush(&opened);
        let size = opened.checkpoint().expect("a checkpoint").checkpoint().size();
        let (first, before) = (after.seqs()[0], target.seqs());
        assert_eq!(after.seqs(), (first..size).collect::<Vec<_>>());
        assert!(first <= before.len() as u64, "{first} after {before:?}");
    }
}

#[test]
fn a_position_that_is_damaged_is_never_too_far() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = open_with(&scene, &target);
    append(&log, 8);
    log.close(SOON).expect("closes");
    let path = position_file(&scene);
    let content = fs::read(&path).expect("a position");
    let damages = (0..content.len()).step_by(7).flat_map(|at| {
        let (mut flipped, cut) = (content.clone(), content[..at].to_vec());
        flipped[at] ^= 1;
        [flipped, cut]
    });
    for damaged in damages {
        let copy = scene.crash_copy();
        fs::write(position_file(&copy), &damaged).expect("written");
        let after = Target::new();
        let log = open_with(&copy, &after);
        flush(&log);
        let size = log.checkpoint().expect("a checkpoint").checkpoint().size();
        let first = after.seqs()[0];
        assert!(first <= 11, "{first}");
        assert_eq!(after.seqs(), (first..size).collect::<Vec<_>>());
    }
    fs::remove_file(&path).expect("removed");
    let again = Target::new();
    let log = open_with(&scene, &again);
    flush(&log);
    assert_complete(&again, &log);
}

#[test]
fn a_position_of_another_log_counts_for_nothing() {
    let (scene, other) = (Scene::new(), Scene::new());
    for (scene, count) in [(&scene, 10), (&other, 12)] {
        let log = open_with(scene, &Target::new());
        append(&log, count);
        log.close(SOON).expect("closes");
    }
    fs::copy(position_file(&scene), position_file(&other)).expect("copied");
    let target = Target::new();
    let log = open_with(&other, &target);
    flush(&log);
    assert_complete(&target, &log);
}

#[test]
fn a_position_beyond_a_log_that_was_rolled_back_counts_for_nothing() {
    let scene = Scene::new();
    let log = open_with(&scene, &Target::new());
    append(&log, 10);
    log.close(SOON).expect("closes");
    let beyond = fs::read(position_file(&scene)).expect("a position");
    let young = Scene::new();
    young.open().close(SOON).expect("closes");
    fs::create_dir_all(young.folder().join("sinks")).expect("a folder");
    fs::write(position_file(&young), beyond).expect("written");
    let target = Target::new();
    let log = open_with(&young, &target);
    append(&log, 20);
    flush(&log);
    assert_complete(&target, &log);
}

#[test]
fn two_never_deliver_for_one_sink() {
    let (scene, target) = (Scene::new(), Target::new());
    open_with(&scene, &target).close(SOON).expect("closes");
    let held = fs::File::open(position_file(&scene)).expect("the file");
    held.lock().expect("the lock");
    let before = target.seqs().len();
    let log = open_with(&scene, &target);
    append(&log, 3);
    eventually("it says so", || {
        let problem = state(&log).last_error.map(|problem| problem.to_string());
        problem.is_some_and(|problem| problem.contains("another process"))
    });
    assert_eq!(target.seqs().len(), before);
    drop(held);
    flush(&log);
    assert_complete(&target, &log);
    assert_eq!(state(&log).failing_since, None);
}

#[test]
fn a_folder_that_cannot_be_written_keeps_no_log_from_opening() {
    let (scene, target) = (Scene::new(), Target::new());
    scene.open().close(SOON).expect("closes");
    fs::write(scene.folder().join("sinks"), "a file").expect("written");
    let log = open_with(&scene, &target);
    append(&log, 3);
    eventually("it says so", || state(&log).last_error.is_some());
    fs::remove_file(scene.folder().join("sinks")).expect("removed");
    flush(&log);
    assert_complete(&target, &log);
}

#[test]
fn a_purge_waits_for_a_sink() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = scene
        .builder()
        .sink(Feed::new("siem", target.clone()))
        .sink(Feed::new("other", Target::new()));
    let log = log.open(scene.store().segment_size(4096)).expect("opens");
    append(&log, 10);
    flush(&log);
    log.pause_sink("siem").expect("pauses");
    append(&log, 40);
    let size = log.checkpoint().expect("a checkpoint").checkpoint().size();
    let first = log.purge(size).expect("purged");
    assert!(first <= 12, "{first} of {size}");
    log.resume_sink("siem").expect("resumes");
    flush(&log);
    assert_complete(&target, &log);
    // Also for one that is not at work.
    log.remove_sink("siem", SOON).expect("removed");
    append(&log, 40);
    let position = size;
    let size = log.checkpoint().expect("a checkpoint").checkpoint().size();
    let first = log.purge(size).expect("purged");
    assert!(first <= position + 2, "{first} of {size}");
    fs::remove_file(position_file(&scene)).expect("removed");
    assert!(log.purge(size).expect("purged") > first);
}

#[test]
fn a_retention_with_a_limit_drops_and_says_so() {
    let (scene, clock) = (Scene::new(), crate::clock::Hand::new());
    let target = Target::new();
    let log = scene
        .builder()
        .clock(clock.clone())
        .sink(Feed::new("siem", target.clone()));
    let log = log.open(scene.store().segment_size(4096)).expect("opens");
    flush(&log);
    log.pause_sink("siem").expect("pauses");
    append(&log, 40);
    clock.forward(Duration::from_secs(200 * 86_400));
    append(&log, 40);
    let retention = Retention::keep(Period::DAYS_90).delivery_limit(Period::days(30).expect("a period"));
    let report = log.apply_retention(&retention).expect("applied");
    assert!(report.records() > 0, "{report:?}");
    let dropped = told(&log, "audit_log.events.dropped");
    assert_eq!(dropped[0]["sinks"], serde_json::json!(["the sink siem"]), "{dropped:?}");
    log.resume_sink("siem").expect("resumes");
    flush(&log);
    assert!(state(&log).purged > 0);
}

fn open_from_now_on(scene: &Scene, target: &Target) -> AuditLog {
    let feed = Feed::new("siem", target.clone()).from_now_on();
    let store = scene.store().segment_size(4096);
    scene.builder().sink(feed).open(store).expect("opens")
}

#[test]
fn a_sink_from_now_on_goes_on_where_it_was() {
    let (scene, target) = (Scene::new(), Target::new());
    scene.open().close(SOON).expect("closes");
    let log = open_from_now_on(&scene, &target);
    flush(&log);
    log.pause_sink("siem").expect("pauses");
    append(&log, 10);
    log.close(SOON).expect("closes");
    let before = target.seqs();
    assert!(before[0] == 3 && before.len() < 5, "{before:?}");
    let log = open_from_now_on(&scene, &target);
    flush(&log);
    log.pause_sink("siem").expect("pauses");
    append(&log, 10);
    log.remove_sink("siem", SOON).expect("removed");
    // A flush right after the beginning waits until its position is read.
    let feed = Feed::new("siem", target.clone()).from_now_on();
    log.add_sink(feed).expect("added");
    flush(&log);
    let size = log.checkpoint().expect("a checkpoint").checkpoint().size();
    assert_eq!(target.seqs(), (3..size).collect::<Vec<_>>());
}

#[test]
fn a_purge_waits_for_a_sink_that_another_process_drives() {
    let (scene, target) = (Scene::new(), Target::new());
    open_from_now_on(&scene, &target).close(SOON).expect("closes");
    let log = scene.open();
    append(&log, 40);
    log.close(SOON).expect("closes");
    let held = fs::File::open(position_file(&scene)).expect("the file");
    held.lock().expect("the lock");
    let log = open_from_now_on(&scene, &target);
    append(&log, 40);
    let size = log.checkpoint().expect("a checkpoint").checkpoint().size();
    // It begins at the end of the log, but for what is remembered.
    let first = log.purge(size).expect("purged");
    assert!(first <= 3, "{first} of {size}");
    drop(held);
    flush(&log);
    assert_complete(&target, &log);
    assert!(log.purge(size).expect("purged") > 3);
}

#[test]
fn a_purge_waits_for_a_sink_of_which_the_position_cannot_be_read() {
    let (scene, target) = (Scene::new(), Target::new());
    open_with(&scene, &target).close(SOON).expect("closes");
    fs::write(position_file(&scene), "damaged").expect("written");
    let log = scene.builder().open(scene.store().segment_size(4096)).expect("opens");
    append(&log, 40);
    assert_eq!(log.purge(30).expect("purged"), 0);
    let erased = log.erase_personal_data([20..=20], "a request").expect("erased");
    assert_eq!(erased.sinks, ["siem"]);
    fs::remove_file(position_file(&scene)).expect("removed");
    assert!(log.purge(30).expect("purged") > 0);
}

#[test]
fn a_sink_that_begins_later_than_the_log_is_begins_there_after_restarts_too() {
    let (scene, target) = (Scene::new(), Target::new());
    for from in [10, 10, 10, u64::MAX] {
        let name = if from == 10 { "siem" } else { "never" };
        let feed = Feed::new(name, target.clone()).from_seq(from);
        let log = scene.builder().sink(feed).open(scene.store()).expect("opens");
        append(&log, 3);
        log.close(SOON).expect("closes");
    }
    // Each opening and closing is a record, and the first one two.
    assert_eq!(target.seqs(), (10..16).collect::<Vec<_>>());
}

#[test]
fn a_position_of_another_log_counts_for_nothing_where_nothing_was_delivered() {
    let (scene, other) = (Scene::new(), Scene::new());
    let open = |scene: &Scene, target: &Target| {
        let feed = Feed::new("siem", target.clone()).filter(Query::new().actor_id("usr_50"));
        scene.builder().sink(feed).open(scene.store()).expect("opens")
    };
    let log = open(&scene, &Target::new());
    append(&log, 20);
    flush(&log);
    assert_eq!(state(&log).lag_records, 0);
    log.close(SOON).expect("closes");
    let log = other.open();
    log.append(login(50)).expect("recorded");
    append(&log, 30);
    log.close(SOON).expect("closes");
    fs::create_dir_all(other.folder().join("sinks")).expect("a folder");
    fs::copy(position_file(&scene), position_file(&other)).expect("copied");
    let target = Target::new();
    let log = open(&other, &target);
    flush(&log);
    assert_eq!(target.seqs(), [2]);
}
