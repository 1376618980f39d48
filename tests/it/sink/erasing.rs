//! What is erased does not come any more, and an erasure names the sinks that have it.

use std::sync::mpsc;
use std::time::Duration;

use indelible::LogReader;
use indelible::sink::{Batch, Delivery, Feed, Limits, Problem, Rejection, Shipper, Sink};

use super::troubles::rejected;
use super::*;

#[test]
fn what_is_erased_before_it_is_delivered_does_not_come() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = open_with(&scene, &target);
    log.pause_sink("siem").expect("pauses");
    append(&log, 5);
    log.erase_records([3..=4], "a request").expect("erased");
    log.resume_sink("siem").expect("resumes");
    flush(&log);
    let seqs = target.first_arrivals();
    assert!(!seqs.contains(&3) && !seqs.contains(&4), "{seqs:?}");
    assert_eq!(seqs.len() as u64 + 2, state(&log).position);
}

#[test]
fn what_is_set_aside_is_erased_with_the_record() {
    let scene = Scene::new();
    let log = scene.open();
    append(&log, 10);
    let is_bad = |message: &Message| message.seq().is_some_and(|seq| [3, 4].contains(&seq));
    let target = Target::answering(move |batch| match batch.messages.iter().any(is_bad) {
        true => Delivery::split(Problem::new("HTTP 400").with_answer("echo of a name")),
        false => Delivery::Delivered,
    });
    log.add_sink(Feed::new("siem", target)).expect("added");
    flush(&log);
    assert_eq!(rejected(&scene).len(), 2);
    log.erase_personal_data([3..=3], "a request").expect("erased");
    let left = rejected(&scene);
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["seq"], 4);
    log.erase_records([4..=4], "a request").expect("erased");
    assert!(!scene.holds(b"echo of a name"));
    assert!(log.verify().expect("verified").is_sound());
}

#[test]
fn what_is_erased_while_a_target_is_down_does_not_come_afterwards() {
    let scene = Scene::new();
    let target = Target::answering(|_| Delivery::retry("down"));
    let log = open_with(&scene, &target);
    let receipt = log.append(login("alice")).expect("recorded");
    eventually("it was tried with it", || state(&log).retries > 3);
    let erased = log
        .erase_personal_data([receipt.seq..=receipt.seq], "a request")
        .expect("erased");
    assert!(
        erased.sinks.is_empty() || erased.sinks == ["siem"],
        "{:?}",
        erased.sinks
    );
    let retries = state(&log).retries;
    eventually("what it read before was tried last", || {
        state(&log).retries > retries + 1
    });
    target.mend();
    log.resume_sink("siem").expect("tries again");
    flush(&log);
    assert_complete(&target, &log);
    let texts: String = target
        .messages()
        .iter()
        .map(|message| message.text().to_owned())
        .collect();
    assert!(texts.contains("usr_alice") && !texts.contains("alice@personal"));
}

#[test]
fn an_erasure_names_the_sinks_that_have_it() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = scene
        .builder()
        .sink(Feed::new("siem", target))
        .sink(Feed::new("late", Target::new()));
    let log = log.open(scene.store()).expect("opens");
    log.pause_sink("late").expect("pauses");
    // Until it has let go of what it may have read.
    eventually("it is paused", || {
        let erased = log.erase_personal_data([1..=1], "a request").expect("erased");
        erased.sinks == ["siem"] || log.state().sinks[1].position > 1
    });
    append(&log, 5);
    eventually("one has it", || log.state().sinks[0].lag_records == 0);
    let late = log.state().sinks[1].position;
    let erased = log.erase_personal_data([6..=6], "a request").expect("erased");
    assert!(late <= 6 && erased.sinks == ["siem"], "{late} {:?}", erased.sinks);
    log.remove_sink("siem", SOON).expect("removed");
    let erased = log.erase_personal_data([5..=5], "a request").expect("erased");
    assert_eq!(erased.sinks, ["siem"]);
}

/// A target that takes five at a time, so that the next ones are read meanwhile.
#[derive(Debug)]
struct Five(Target);

impl Sink for Five {
    fn limits(&self) -> Limits {
        Limits::new(5, 1_000_000)
    }

    fn deliver(&mut self, batch: &Batch<'_>) -> Delivery {
        self.0.deliver(batch)
    }
}

#[test]
fn what_is_erased_while_a_sink_is_paused_does_not_come_though_it_was_read() {
    let scene = Scene::new();
    let log = scene.open();
    append(&log, 40);
    let (release, hanging) = mpsc::channel::<()>();
    let target = Target::answering(move |_| {
        let _ = hanging.recv();
        Delivery::Delivered
    });
    log.add_sink(Feed::new("siem", Five(target.clone()))).expect("added");
    eventually("a batch is on its way", || state(&log).under_way.is_some());
    // By then, the next ones are read.
    std::thread::sleep(Duration::from_millis(100));
    log.pause_sink("siem").expect("pauses");
    release.send(()).expect("it waits");
    eventually("the batch is there", || target.seqs().len() == 5);
    let mut sinks = vec!["siem".to_owned()];
    eventually("the sink holds nothing", || {
        sinks = log.erase_personal_data([7..=7], "a request").expect("erased").sinks;
        sinks.is_empty()
    });
    drop(release);
    log.resume_sink("siem").expect("resumes");
    flush(&log);
    assert_complete(&target, &log);
    let messages = target.messages();
    let seventh = messages.iter().find(|message| message.seq() == Some(7));
    let text = seventh.expect("it came").text();
    assert!(text.contains("usr_5") && !text.contains("5@personal"), "{text}");
}

#[test]
fn an_erasure_names_a_sink_that_hangs_though_it_was_removed() {
    let (scene, (release, hanging)) = (Scene::new(), mpsc::channel::<()>());
    let target = Target::answering(move |_| {
        let _ = hanging.recv();
        Delivery::Delivered
    });
    let log = open_with(&scene, &target);
    append(&log, 3);
    eventually("a batch is on its way", || state(&log).under_way.is_some());
    log.remove_sink("siem", Duration::ZERO).expect_err("it hangs");
    let erased = log.erase_personal_data([4..=4], "a request").expect("erased");
    assert_eq!(erased.sinks, ["siem"]);
    drop(release);
}

#[test]
fn what_a_cut_erasure_left_of_rejected_records_goes() {
    let scene = Scene::new();
    let log = scene.open();
    append(&log, 10);
    let target = Target::answering(
        |batch| match batch.messages.iter().any(|message| message.seq() == Some(3)) {
            true => Delivery::split(Problem::new("HTTP 400").with_answer("echo of a name")),
            false => Delivery::Delivered,
        },
    );
    log.add_sink(Feed::new("siem", target)).expect("added");
    flush(&log);
    let sinks = scene.folder().join("sinks");
    let set_aside = std::fs::read(sinks.join("siem.rejected.jsonl")).expect("the file");
    std::fs::write(sinks.join("siem.rejected.new"), &set_aside).expect("written");
    std::fs::write(sinks.join("gone.rejected.new"), &set_aside).expect("written");
    log.erase_records([5..=5], "a request").expect("erased");
    assert_eq!(rejected(&scene).len(), 1);
    assert!(!sinks.join("siem.rejected.new").exists() && !sinks.join("gone.rejected.new").exists());
    log.erase_records([3..=3], "a request").expect("erased");
    assert!(!scene.holds(b"echo of a name"));
}

#[test]
fn an_erasure_names_a_sink_that_another_process_drives() {
    let (scene, target) = (Scene::new(), Target::answering(|_| Delivery::retry("down")));
    let log = scene.open();
    append(&log, 5);
    let feed = Feed::new("siem", target);
    let shipper = Shipper::start(LogReader::new(scene.store()), [feed]).expect("starts");
    eventually("it has read", || shipper.states().expect("states")[0].retries > 0);
    let erased = log.erase_personal_data([4..=4], "a request").expect("erased");
    assert_eq!(erased.sinks, ["siem"]);
    shipper.stop(SOON).expect("stops");
    // What came later it was never given, and nobody has it in memory.
    let receipt = log.append(login("later")).expect("recorded");
    let erased = log.erase_personal_data([receipt.seq..=receipt.seq], "a request");
    assert_eq!(erased.expect("erased").sinks, [""; 0]);
}

#[test]
fn an_erasure_names_a_sink_that_was_sent_a_record_and_did_not_say_that_it_has_it() {
    let (scene, target) = (Scene::new(), Target::answering(|_| Delivery::retry("no answer")));
    let log = open_with(&scene, &target);
    append(&log, 5);
    eventually("it is tried with all", || {
        let _ = log.resume_sink("siem");
        state(&log).retries > 5
    });
    // Also after a crash, where it is not there any more.
    let crashed = scene.crash_copy();
    for log in [log, crashed.open()] {
        let erased = log.erase_personal_data([2..=2], "a request").expect("erased");
        assert_eq!(erased.sinks, ["siem"]);
    }
}

#[test]
fn what_is_erased_while_it_is_on_its_way_is_not_set_aside_afterwards() {
    let erase = [
        |log: &AuditLog| log.erase_personal_data([3..=3], "a request"),
        |log: &AuditLog| log.erase_records([3..=3], "a request"),
    ];
    for erase in erase {
        let scene = Scene::new();
        let log = scene.open();
        append(&log, 10);
        let (release, hanging) = mpsc::channel::<()>();
        let target = Target::answering(move |batch| {
            let is_bad = |at: &usize| batch.messages[*at].seq().is_some_and(|seq| [3, 4].contains(&seq));
            let rejected = (0..batch.messages.len()).filter(is_bad);
            let problem = || Problem::new("HTTP 400").with_answer("echo of a name");
            let rejected = rejected.map(|at| Rejection::new(at, problem())).collect();
            let _ = hanging.recv();
            let undelivered = Vec::new();
            Delivery::Rejected { rejected, undelivered }
        });
        log.add_sink(Feed::new("siem", target)).expect("added");
        eventually("it is on its way", || state(&log).under_way.is_some());
        assert_eq!(erase(&log).expect("erased").sinks, ["siem"]);
        drop(release);
        flush(&log);
        assert_eq!(state(&log).rejected, 2);
        let left: Vec<_> = rejected(&scene).iter().map(|line| line["seq"].clone()).collect();
        assert_eq!(left, [4]);
    }
}

#[test]
fn an_erasure_names_a_sink_of_which_nobody_knows_what_it_has() {
    let (scene, target) = (Scene::new(), Target::new());
    let log = open_with(&scene, &target);
    append(&log, 10);
    log.close(SOON).expect("closes");
    std::fs::write(scene.folder().join("sinks/siem.position"), "damaged").expect("written");
    let log = scene.open();
    // It is given the first five again, and no more.
    let feed = Feed::new("siem", Five(Target::answering(|_| Delivery::retry("down"))));
    log.add_sink(feed).expect("added");
    eventually("it has begun", || state(&log).retries > 0);
    log.remove_sink("siem", SOON).expect("removed");
    let erased = log.erase_personal_data([9..=9], "a request").expect("erased");
    assert_eq!(erased.sinks, ["siem"]);
}
