use super::*;
use crate::log::ticket::Ticket;

fn entry() -> Entry {
    let mut line = Vec::new();
    Draft::begin(&mut line);
    Entry {
        draft: Draft::end(&mut line, b"{}"),
        length: 1,
        id: IdDigest::NONE,
        given: None,
        promise: Ticket::new(std::process::id()).1,
    }
}

#[test]
fn a_process_that_was_forked_off_is_refused() {
    let mut queue = Queue::new(1000, Arc::default());
    queue.state().committer_waits = true;
    queue.push(b"a", entry()).expect("the committer is woken");
    // In a child the committer seems to wait, and is not there.
    queue.state().committer_waits = true;
    queue.process += 1;
    for _ in 0..2 {
        let error = queue.push(b"b", entry()).expect_err("nobody would commit it");
        assert!(error.to_string().contains("fork"), "{error}");
        queue.is_idle().expect_err("nor on its own thread");
    }
    assert_eq!(queue.waiting(), (1, 1));
}

#[test]
fn a_ticket_is_not_waited_for_in_a_process_that_was_forked_off() {
    use std::time::Duration;

    // The committer was at work at the fork: the event went into a queue that nobody empties.
    let elsewhere = std::process::id() + 1;
    let (ticket, _promise) = Ticket::new(elsewhere);
    let answer = ticket.wait_timeout(Duration::from_secs(60)).expect("an answer at once");
    assert!(answer.expect_err("nobody commits it").to_string().contains("fork"));
    ticket.wait().expect_err("nobody commits it");
    // What was answered before is known.
    let (ticket, promise) = Ticket::new(elsewhere);
    promise.fail(Cause::Closed.into());
    assert!(matches!(ticket.wait().expect_err("it failed").cause(), Cause::Closed));
}
