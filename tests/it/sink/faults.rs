//! Faults that every target over HTTP meets: each is tried on all of them.

use std::time::{Duration, Instant};

use indelible::AuditLog;
use indelible::sink::HttpOptions;

use super::receiver::{Receiver, Reply, Request, certificate, hanging};
use super::targets::{Give, Http, for_each, token};
use super::*;

/// A log that delivers to a receiver, and what that has taken.
pub(super) struct Scenario {
    _scene: Scene,
    pub(super) log: AuditLog,
    pub(super) receiver: Receiver,
    taken: Arc<Mutex<Vec<u64>>>,
}

impl Scenario {
    /// The receiver answers as `script` says, and takes what it says nothing of. Ten records wait for it.
    pub(super) fn new(http: &Http, mut script: impl FnMut(&Request, &[u64]) -> Option<Reply> + Send + 'static) -> Self {
        let (http, taken) = (*http, Arc::new(Mutex::new(Vec::new())));
        let takes = Arc::clone(&taken);
        let receiver = Receiver::answering(move |request| {
            let seqs = http.seqs(request);
            let reply = script(request, &seqs);
            // An answer without end says 200 first.
            if reply.is_none() || http.believes_any_2xx && matches!(reply, Some(Reply::Endless)) {
                takes.lock().expect("unpoisoned").extend(seqs);
            }
            reply.unwrap_or_else(http.good)
        });
        let scene = Scene::new();
        let log = scene.open();
        append(&log, 8);
        Self {
            _scene: scene,
            log,
            receiver,
            taken,
        }
    }

    pub(super) fn deliver(&self, http: &Http, give: Give) {
        self.deliver_by(http, give, quick());
    }

    pub(super) fn deliver_by(&self, http: &Http, give: Give, options: HttpOptions) {
        let feed = (http.feed)(self.receiver.url(""), give, options);
        self.log.add_sink(feed.without_checkpoints()).expect("added");
    }

    /// The records that it has taken, each once, as they came first.
    pub(super) fn first_arrivals(&self) -> Vec<u64> {
        let (mut seen, mut seqs) = (BTreeSet::new(), self.taken.lock().expect("unpoisoned").clone());
        seqs.retain(|seq| seen.insert(*seq));
        seqs
    }
}

pub(super) fn quick() -> HttpOptions {
    HttpOptions::new().timeout(Duration::from_millis(500))
}

#[test]
fn what_fails_for_a_while_loses_nothing() {
    for_each(|http| {
        let next = Arc::new(Mutex::new(None));
        let reply = Arc::clone(&next);
        let scenario = Scenario::new(http, move |_, _| reply.lock().expect("unpoisoned").take());
        scenario.receiver.refuse(2);
        scenario.deliver(http, token("token"));
        flush(&scenario.log);
        assert!(state(&scenario.log).retries >= 2, "closed before anything was read");
        for reply in [
            Reply::status(503),
            Reply::Close,
            Reply::Hang(Duration::from_millis(700)),
            Reply::status(502),
            Reply::Endless,
            Reply::Drip("HTTP/1.1 200 Said\r\nx-header: "),
            Reply::Drip("HTTP/1.1 200 Said\r\ncontent-length: 1000000\r\n\r\n"),
            Reply::Drip("not HTTP\r\n\r\n"),
            Reply::status(200).with("x-header", "a".repeat(100_000)),
            Reply::status(503).with("retry-after-ms", 20),
            Reply::status(429),
        ] {
            *next.lock().expect("unpoisoned") = Some(reply);
            append(&scenario.log, 1);
            flush(&scenario.log);
        }
        let state = state(&scenario.log);
        assert_eq!(state.rejected, 0);
        assert!(state.retries >= 12, "{}", state.retries);
        let arrived = scenario.first_arrivals();
        assert!(arrived.starts_with(&(0..21).collect::<Vec<_>>()), "{arrived:?}");
    });
}

#[test]
fn an_answer_that_is_lost_brings_a_record_twice_and_none_not() {
    for_each(|http| {
        let mut is_lost = [true, false, true].into_iter();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let takes = Arc::clone(&seen);
        let scenario = Scenario::new(http, move |_, seqs| {
            takes.lock().expect("unpoisoned").extend_from_slice(seqs);
            is_lost.next().filter(|lost| *lost).map(|_| Reply::Close)
        });
        scenario.deliver(http, token("token"));
        flush(&scenario.log);
        assert_eq!(scenario.first_arrivals(), (0..10).collect::<Vec<_>>());
        let seen = seen.lock().expect("unpoisoned");
        assert!(seen.iter().filter(|seq| **seq == 0).count() >= 2, "{seen:?}");
    });
}

#[test]
fn retry_after_is_waited_for_in_both_forms() {
    let date = || {
        let then = time::OffsetDateTime::now_utc() + Duration::from_millis(2200);
        let form = time::format_description::parse_borrowed::<2>(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT",
        );
        then.format(&form.expect("a form")).expect("a date")
    };
    for_each(|http| {
        let replies: [Box<dyn Fn() -> Reply + Send>; 2] = [
            Box::new(|| Reply::status(429).with("retry-after", 1)),
            Box::new(move || Reply::status(503).with("retry-after", date())),
        ];
        for reply in replies {
            let (mut first, times) = (Some(reply), Arc::new(Mutex::new(Vec::new())));
            let seen = Arc::clone(&times);
            let scenario = Scenario::new(http, move |_, _| {
                seen.lock().expect("unpoisoned").push(Instant::now());
                first.take().map(|reply| reply())
            });
            scenario.deliver(http, token("token"));
            flush(&scenario.log);
            let times = times.lock().expect("unpoisoned");
            let waited = times[1] - times[0];
            let expected = Duration::from_millis(950)..Duration::from_secs(15);
            assert!(expected.contains(&waited), "{waited:?}");
        }
    });
}

#[test]
fn what_is_too_large_is_halved_and_the_one_that_never_fits_set_aside() {
    for status in [413, 400] {
        for_each(|http| {
            // What others say so, says there that all is wrong with the batch.
            if !http.refused_by.contains(&status) {
                return;
            }
            let scenario = Scenario::new(http, move |_, seqs| {
                (seqs.len() > 3 || seqs.contains(&6)).then(|| Reply::status(status).body("{\"code\":6}"))
            });
            scenario.deliver(http, token("token"));
            flush(&scenario.log);
            // The log says that one was set aside, in one record more.
            let expected: Vec<u64> = (0..11).filter(|seq| *seq != 6).collect();
            eventually("the log's own", || scenario.first_arrivals() == expected);
            assert_eq!(*scenario.taken.lock().expect("unpoisoned"), expected, "none twice");
            assert_eq!(state(&scenario.log).rejected, 1);
        });
    }
}

#[test]
fn what_is_refused_unread_for_its_size_is_halved() {
    for_each(|http| {
        let good = http.good;
        let (pem, server) = certificate("localhost");
        let plain = Receiver::answering(move |_| good());
        let secured = Receiver::with_tls(server, move |_| good());
        for (url, receiver) in [
            (plain.url(""), &plain),
            (format!("https://localhost:{}", secured.port()), &secured),
        ] {
            receiver.refuse_bodies_over(200_000);
            let scene = Scene::new();
            let log = scene.open();
            for user in 0..40 {
                // What gzip hardly makes shorter.
                let hash = |at| indelible::Hash::of(format!("{user} {at}").as_bytes()).to_string();
                let filler: String = (0..1500).map(hash).collect();
                let event = login(user).personal_metadata("filler", filler);
                log.append(event).expect("recorded");
            }
            let options = HttpOptions::new().roots(pem.clone());
            log.add_sink((http.feed)(url, token("token"), options).without_checkpoints())
                .expect("added");
            flush(&log);
            let requests = receiver.requests();
            let seqs: BTreeSet<u64> = requests.iter().flat_map(|request| http.seqs(request)).collect();
            assert!(seqs.is_superset(&(0..42).collect()), "{}: {seqs:?}", http.name);
            // That it was refused is heard, though the target stopped reading.
            let state = state(&log);
            assert_eq!(state.rejected, 0, "{}", http.name);
            assert!(
                state.retries <= 2,
                "{}: {} {:?}",
                http.name,
                state.retries,
                state.last_error
            );
        }
    });
}

#[test]
fn a_token_that_is_refused_holds_and_a_fresh_one_mends() {
    for status in [401, 403] {
        for_each(|http| {
            let token = Arc::new(Mutex::new("token-that-is-old"));
            let current = Arc::clone(&token);
            let give: Give = Arc::new(move || Ok(current.lock().expect("unpoisoned").to_string()));
            let scenario = Scenario::new(http, move |request, _| {
                (!request.has("token-that-is-new")).then(|| Reply::status(status).body("no"))
            });
            scenario.deliver(http, give);
            eventually("it is held", || state(&scenario.log).is_held);
            assert_eq!(state(&scenario.log).position, 0);
            let problem = state(&scenario.log).last_error.expect("a problem");
            assert_eq!(problem.to_string(), format!("HTTP {status}: no"));
            *token.lock().expect("unpoisoned") = "token-that-is-new";
            scenario.log.resume_sink("siem").expect("tries again");
            flush(&scenario.log);
            // After these the log says that it was held.
            assert!(scenario.first_arrivals().starts_with(&(0..10).collect::<Vec<_>>()));
            let said = format!("{:?} {:?}", scenario.log, scenario.log.state());
            assert!(!said.contains("token-that"), "{said}");
        });
    }
}

#[test]
fn a_secret_that_cannot_be_had_holds() {
    for_each(|http| {
        let scenario = Scenario::new(http, |_, _| None);
        scenario.deliver(http, Arc::new(|| Err("the vault is sealed".into())));
        eventually("it is held", || state(&scenario.log).is_held);
        let problem = state(&scenario.log).last_error.expect("a problem");
        assert_eq!(problem.what(), "the vault is sealed");
        assert!(scenario.receiver.requests().is_empty());
    });
}

#[test]
fn a_redirect_is_not_followed_and_a_place_that_is_not_there_holds() {
    for_each(|http| {
        let elsewhere = Receiver::answering(|_| Reply::status(200));
        for status in [301, 307, 404] {
            let target = elsewhere.url("/");
            let scenario = Scenario::new(http, move |_, _| Some(Reply::status(status).with("location", &target)));
            scenario.deliver(http, token("token"));
            eventually("it is held", || state(&scenario.log).is_held);
            assert_eq!((state(&scenario.log).position, state(&scenario.log).rejected), (0, 0));
        }
        assert!(elsewhere.requests().is_empty());
    });
}

#[test]
fn a_target_that_accepts_and_says_nothing_is_given_up() {
    for_each(|http| {
        let (port, _listener) = hanging();
        // Also while TLS is agreed on.
        for scheme in ["http", "https"] {
            let (scene, url) = (Scene::new(), format!("{scheme}://127.0.0.1:{port}"));
            let feed = (http.feed)(url, token("token"), quick());
            let log = scene.builder().sink(feed).open(scene.store()).expect("opens");
            eventually("it says so", || state(&log).last_error.is_some());
            let problem = state(&log).last_error.expect("a problem").to_string();
            assert!(problem.contains("too long"), "{problem}");
            assert!(!state(&log).is_held);
        }
    });
}

#[test]
fn a_certificate_is_checked_against_the_given_authority_and_the_name() {
    for_each(|http| {
        let ((pem, server), (other, _)) = (certificate("localhost"), certificate("localhost"));
        let good = http.good;
        let receiver = Receiver::with_tls(server, move |_| good());
        let port = receiver.port();
        let open = |scene: &Scene, host: &str, options: HttpOptions| {
            let feed = (http.feed)(format!("https://{host}:{port}"), token("token"), options);
            let builder = scene.builder().sink(feed.without_checkpoints());
            builder.open(scene.store()).expect("opens")
        };
        let scene = Scene::new();
        let log = open(&scene, "localhost", HttpOptions::new().roots(pem.clone()));
        flush(&log);
        let came = receiver.requests().len();
        // The platform does not know the authority, and the name in the URL is not that of the certificate.
        for (host, options) in [
            ("localhost", HttpOptions::new()),
            ("localhost", HttpOptions::new().roots(other)),
            ("127.0.0.1", HttpOptions::new().roots(pem)),
        ] {
            let scene = Scene::new();
            let log = open(&scene, host, options);
            eventually("it is held", || state(&log).is_held);
            let problem = state(&log).last_error.expect("a problem").to_string();
            assert!(problem.starts_with("TLS: the certificate is "), "{problem}");
        }
        assert_eq!(receiver.requests().len(), came);
    });
}
