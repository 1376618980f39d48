//! Indexer acknowledgement: nothing counts as delivered before Splunk has said that it is indexed.

use super::*;

/// The answer that all is indexed that a request asks for.
fn all_confirmed(request: &Request) -> Reply {
    let ids = request.json()["acks"].as_array().expect("ids").clone();
    let acks = ids.iter().map(|id| (id.to_string(), json!(true)));
    let acks: serde_json::Map<String, Value> = acks.collect();
    Reply::status(200).body(json!({ "acks": acks }).to_string())
}

/// Delivers what several requests have room for.
fn deliver_several(receiver: &Receiver) {
    let scene = Scene::new();
    let log = scene.open();
    for user in 0..30 {
        log.append(large(user, 100_000)).expect("recorded");
    }
    log.add_sink(Feed::new("siem", splunk(receiver.url("")).acknowledged(SOON)).without_checkpoints())
        .expect("added");
    flush(&log);
}

#[test]
fn a_batch_is_delivered_once_splunk_has_indexed_it() {
    let (mut sent, mut asked) = (0, 0);
    let receiver = Receiver::answering(move |request| match request.path.ends_with("/ack") {
        false => {
            sent += 1;
            Reply::status(200).body(format!(r#"{{"text":"Success","code":0,"ackId":{}}}"#, sent - 1))
        }
        // The first question is whether there are acknowledgements at all.
        true => {
            asked += 1;
            let ids = request.json()["acks"].as_array().expect("ids").clone();
            let acks = ids.iter().map(|id| (id.to_string(), json!(asked > 3)));
            let acks: serde_json::Map<String, Value> = acks.collect();
            match asked {
                // Not being able to say so says nothing.
                2 => Reply::status(503),
                _ => Reply::status(200).body(json!({ "acks": acks }).to_string()),
            }
        }
    });
    let scene = Scene::new();
    let log = deliver(&scene, splunk(receiver.url("")).acknowledged(SOON));
    eventually("it asks", || receiver.requests().len() >= 3);
    assert_eq!(state(&log).position, 0);
    flush(&log);
    let requests = receiver.requests();
    let channel = requests[0].header("x-splunk-request-channel").expect("a channel");
    assert_eq!(channel.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    let paths: Vec<&str> = requests.iter().map(|request| request.path.as_str()).collect();
    let (ack, event) = ("/services/collector/ack", "/services/collector/event");
    assert_eq!(paths, [ack, event, ack, ack, ack]);
    assert!(
        requests
            .iter()
            .all(|request| request.header("x-splunk-request-channel") == Some(channel))
    );
    assert_eq!(state(&log).position, 10);
}

#[test]
fn what_is_not_indexed_in_time_is_sent_again_in_another_channel() {
    let channels = Arc::new(Mutex::new(Vec::<String>::new()));
    let seen = Arc::clone(&channels);
    let receiver = Receiver::answering(move |request| {
        let mut seen = seen.lock().expect("unpoisoned");
        let channel = request.header("x-splunk-request-channel").expect("a channel");
        if !seen.iter().any(|known| known == channel) {
            seen.push(channel.to_owned());
        }
        match (request.path.ends_with("/ack"), seen.len()) {
            (false, _) => Reply::status(200).body(r#"{"text":"Success","code":0,"ackId":0}"#),
            (true, 1) => Reply::status(200).body(r#"{"acks":{"0":false}}"#),
            (true, _) => Reply::status(200).body(r#"{"acks":{"0":true}}"#),
        }
    });
    let scene = Scene::new();
    let log = deliver(
        &scene,
        splunk(receiver.url("")).acknowledged(Duration::from_millis(600)),
    );
    flush(&log);
    assert_eq!(channels.lock().expect("unpoisoned").len(), 2);
    let batches: Vec<_> = receiver
        .requests()
        .iter()
        .map(|request| seqs(&events(request)))
        .collect();
    assert_eq!(batches.concat().len(), 20, "{batches:?}");
}

#[test]
fn a_token_without_acknowledgements_holds_before_anything_is_sent() {
    let receiver = Receiver::answering(|_| Reply::status(400).body(r#"{"text":"ACK is disabled","code":14}"#));
    let scene = Scene::new();
    let log = deliver(&scene, splunk(receiver.url("")).acknowledged(SOON));
    eventually("it is held", || state(&log).is_held);
    let problem = state(&log).last_error.expect("a problem");
    assert!(problem.what().contains("useACK"), "{problem}");
    assert!(receiver.requests().iter().all(|request| request.path.ends_with("/ack")));
}

#[test]
fn with_acknowledgements_those_before_a_refused_event_come_again() {
    let mut ids = 0;
    let receiver = Receiver::answering(move |request| {
        let seqs = seqs(&events(request));
        match (request.path.ends_with("/ack"), seqs.iter().position(|seq| *seq == 4)) {
            (true, _) => {
                let acks: serde_json::Map<String, Value> = (0..9).map(|id| (id.to_string(), json!(true))).collect();
                Reply::status(200).body(json!({ "acks": acks }).to_string())
            }
            (false, Some(at)) => {
                Reply::status(400).body(format!(r#"{{"text":"x","code":6,"invalid-event-number":{at}}}"#))
            }
            (false, None) => {
                ids += 1;
                Reply::status(200).body(format!(r#"{{"code":0,"ackId":{}}}"#, ids - 1))
            }
        }
    });
    let scene = Scene::new();
    let log = deliver(&scene, splunk(receiver.url("")).acknowledged(SOON));
    flush(&log);
    let batches: Vec<_> = receiver
        .requests()
        .iter()
        .map(|request| seqs(&events(request)))
        .collect();
    let sent: Vec<_> = batches.into_iter().filter(|batch| !batch.is_empty()).collect();
    // Behind them the log tells of the one that is set aside.
    assert_eq!(
        sent[..2],
        [(0..10).collect::<Vec<_>>(), vec![0, 1, 2, 3, 5, 6, 7, 8, 9]]
    );
}

#[test]
fn an_event_refused_in_the_first_of_many_requests_costs_the_others_nothing() {
    let mut ids = 0;
    let receiver = Receiver::answering(move |request| {
        let seqs = seqs(&events(request));
        match (request.path.ends_with("/ack"), seqs.iter().position(|seq| *seq == 4)) {
            (true, _) => all_confirmed(request),
            (false, Some(at)) => Reply::status(400).body(format!(r#"{{"code":6,"invalid-event-number":{at}}}"#)),
            (false, None) => {
                ids += 1;
                Reply::status(200).body(format!(r#"{{"code":0,"ackId":{ids}}}"#))
            }
        }
    });
    deliver_several(&receiver);
    let refused = |request: &Request| seqs(&events(request)).contains(&4);
    let requests = receiver.requests();
    let taken = requests.iter().filter(|request| !refused(request));
    let taken: BTreeSet<u64> = taken.flat_map(|request| seqs(&events(request))).collect();
    let expected: BTreeSet<u64> = (0..32).filter(|seq| *seq != 4).collect();
    assert!(taken.is_superset(&expected), "{taken:?}");
}

#[test]
fn many_requests_wait_for_their_acknowledgements_together() {
    let mut next = 0;
    let receiver = Receiver::answering(move |request| match request.path.ends_with("/ack") {
        false => {
            next += 1;
            Reply::status(200).body(format!(r#"{{"code":0,"ackId":{}}}"#, next - 1))
        }
        true => all_confirmed(request),
    });
    deliver_several(&receiver);
    let requests = receiver.requests();
    let bodies: Vec<usize> = requests.iter().map(|request| request.text().len()).collect();
    assert!(bodies.iter().all(|bytes| *bytes <= 900_000), "{bodies:?}");
    let asked = requests.iter().filter(|request| request.path.ends_with("/ack")).count();
    assert!(
        bodies.len() - asked >= 4 && asked <= 3,
        "{} sent, asked {asked} times",
        bodies.len() - asked
    );
}

#[test]
fn an_id_that_is_given_twice_confirms_neither_request() {
    let mut sent = 0;
    let receiver = Receiver::answering(move |request| match request.path.ends_with("/ack") {
        // It is restarted behind the second request, and has lost what it had.
        false => {
            sent += 1;
            let id = if sent <= 2 { sent - 1 } else { sent - 3 };
            Reply::status(200).body(format!(r#"{{"code":0,"ackId":{id}}}"#))
        }
        true => all_confirmed(request),
    });
    deliver_several(&receiver);
    let requests = receiver.requests();
    let channel = |request: &Request| request.header("x-splunk-request-channel").map(str::to_owned);
    let last = requests.last().and_then(channel);
    assert_ne!(requests.first().and_then(channel), last);
    let confirmed = requests.iter().filter(|request| channel(request) == last);
    let confirmed: BTreeSet<u64> = confirmed.flat_map(|request| seqs(&events(request))).collect();
    assert!(confirmed.is_superset(&(0..32).collect()), "{confirmed:?}");
}
