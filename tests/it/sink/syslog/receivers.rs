//! What rsyslog and syslog-ng record is what was sent.

use indelible::sink::Syslog;
use indelible::{Actor, Event, Severity, Timestamp, action};
use serde_json::Value;

use super::*;

const KINDS: [Kind; 2] = [Kind::Rsyslog, Kind::SyslogNg];

/// Texts that are not easy.
const TEXTS: [&str; 9] = [
    "quotes \" ' ` and \\ backslashes \\\\ \\n \\\"",
    "brackets ] [ ]] {} <1> <165>1 - - - [x@1 a=\"b\"]",
    "tabs\t line\nends\r\n and the rest \u{0}\u{1}\u{1b}[31m\u{7f}\u{80}\u{9f}",
    "\u{feff}byte order marks \u{feff}",
    "Zoë Ünïcödé 日本語 עברית 🦀 e\u{301} \u{202e}right to left",
    "#011 #012 #177 %0a %msg% $MESSAGE ${PATH} $(id)",
    " spaces   before and after  ",
    "9007199254740993 1e400 -0 0.1",
    "14 <13>1 framed inside\n12 again",
];

fn appended(log: &AuditLog) {
    for (at, text) in TEXTS.iter().enumerate() {
        let event = Event::new(action::AUTH_LOGIN_FAILED)
            .actor(Actor::user(format!("usr_{at}")).name(*text))
            .severity(Severity::High)
            .personal_metadata("note", *text);
        log.append(event).expect("recorded");
    }
    log.append(login("plain")).expect("recorded");
    let long = Event::new("acme.an_action_with_a_name.longer_than_fits.in");
    log.append(long.actor(Actor::user("usr_long"))).expect("recorded");
}

/// All that was sent is there, with nothing changed.
#[track_caller]
fn assert_recorded(scene: &Scene, server: &Server) {
    let lines = lines(scene);
    eventually("all is recorded", || server.recorded().len() >= lines.len());
    let recorded = server.recorded();
    assert_eq!(recorded.len(), lines.len());
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a name");
    for (line, got) in lines.iter().zip(recorded) {
        let sent: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(got.text, *line);
        assert_eq!(
            (got.seq, got.hash.as_deref()),
            (sent["seq"].as_u64(), sent["hash"].as_str())
        );
        assert_eq!((got.host.as_str(), got.program.as_str()), (hostname.trim_end(), "auth"));
        assert_eq!(got.process, std::process::id().to_string());
        let event = &sent["event"];
        let action = event["action"].as_str().expect("an action");
        assert_eq!(got.id, action[..action.len().min(32)]);
        let severity = match event["severity"].as_str() {
            Some("high") => 3,
            Some("medium") => 4,
            Some("low") => 5,
            _ => 6,
        };
        assert_eq!(got.priority, (13 * 8 + severity).to_string(), "{event}");
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let time = event["occurred_at"].as_str().or(sent["recorded_at"].as_str());
        let (sent, got) = (at(time.expect("a time")).unix_micros(), at(&got.time).unix_micros());
        // syslog-ng prints milliseconds at most, as it is set, and whole seconds as a rule.
        assert!((0..1_000_000).contains(&(sent - got)), "{sent} {got}");
    }
}

#[test]
fn what_is_sent_over_tcp_is_recorded_as_it_is() {
    let authority = Authority::new();
    for kind in KINDS {
        let Some(server) = Server::start(kind, &authority) else {
            continue;
        };
        let scene = Scene::new();
        let log = open(&scene, Syslog::tcp("127.0.0.1", server.tcp));
        appended(&log);
        flush(&log);
        assert_recorded(&scene, &server);
    }
}

#[test]
fn what_is_sent_over_tls_is_recorded_as_it_is() {
    let authority = Authority::new();
    let (certificate, key) = authority.certificate("auth");
    for kind in KINDS {
        let Some(server) = Server::start(kind, &authority) else {
            continue;
        };
        let scene = Scene::new();
        let syslog = Syslog::tls("localhost", server.tls)
            .roots(authority.pem())
            .client_certificate(certificate.clone(), key.clone());
        assert!(!format!("{syslog:?}").contains("PRIVATE"));
        let log = open(&scene, syslog);
        appended(&log);
        flush(&log);
        assert_recorded(&scene, &server);
        // It is closed in order, and what was sent last is there.
        log.append(login("last")).expect("recorded");
        log.close(SOON).expect("closes");
        let size = lines(&scene).len();
        eventually("the last is recorded", || server.first_arrivals().len() == size);
    }
}

#[test]
fn what_is_sent_over_udp_is_recorded_as_it_is() {
    let authority = Authority::new();
    for kind in KINDS {
        let Some(server) = Server::start(kind, &authority) else {
            continue;
        };
        let scene = Scene::new();
        let log = open(&scene, Syslog::udp("127.0.0.1", server.udp));
        appended(&log);
        flush(&log);
        assert_recorded(&scene, &server);
    }
}

#[test]
fn rsyslog_takes_lines_too() {
    let Some(server) = Server::start(Kind::Rsyslog, &Authority::new()) else {
        return;
    };
    let scene = Scene::new();
    let log = open(&scene, Syslog::tcp("localhost", server.tcp).end_with_newlines());
    appended(&log);
    flush(&log);
    assert_recorded(&scene, &server);
}

#[test]
fn a_receiver_that_wants_another_certificate_gets_nothing_and_nothing_counts_as_delivered() {
    let (authority, other) = (Authority::new(), Authority::new());
    for kind in KINDS {
        let Some(server) = Server::start(kind, &authority) else {
            continue;
        };
        let trusting = |host: &str| Syslog::tls(host, server.tls).roots(authority.pem());
        let with = |syslog: Syslog, authority: &Authority| {
            let (certificate, key) = authority.certificate("auth");
            syslog.client_certificate(certificate, key)
        };
        for refused in [
            trusting("localhost"),
            with(trusting("localhost"), &other),
            // The receiver is not the one that is meant, or nobody that is known.
            with(trusting("127.0.0.1"), &authority),
            with(Syslog::tls("localhost", server.tls).roots(other.pem()), &authority),
            with(Syslog::tls("localhost", server.tls), &authority),
        ] {
            let scene = Scene::new();
            let log = open(&scene, refused);
            log.append(login("one")).expect("recorded");
            eventually("it is held", || state(&log).is_held);
            let problem = state(&log).last_error.expect("a problem").to_string();
            assert!(problem.starts_with("TLS: "), "{kind:?}: {problem}");
            assert_eq!(state(&log).position, 0);
            drop(log);
        }
        assert!(server.recorded().is_empty());
    }
}

#[test]
fn a_message_of_the_limit_is_recorded_whole_and_a_longer_one_is_set_aside() {
    let Some(server) = Server::start(Kind::Rsyslog, &Authority::new()) else {
        return;
    };
    let scene = Scene::new();
    let log = open(&scene, Syslog::tcp("127.0.0.1", server.tcp));
    // Somewhere among them is one of the limit, and the next is one byte longer.
    for bytes in 7_100..7_500 {
        log.append(large("x", bytes)).expect("recorded");
        log.append(login("short")).expect("recorded");
    }
    flush(&log);
    let (rejected, size) = (state(&log).rejected, lines(&scene).len() as u64);
    assert!((20..380).contains(&rejected), "{rejected}");
    eventually("the others are recorded", || {
        server.recorded().len() as u64 >= size - rejected
    });
    let recorded = server.recorded();
    assert_eq!(recorded.len() as u64, size - rejected);
    let lines = lines(&scene);
    for got in &recorded {
        let seq = usize::try_from(got.seq.expect("a seq")).expect("a place");
        assert_eq!(got.text, lines[seq], "it is cut");
    }
    let problem = state(&log).last_error.expect("a problem").to_string();
    assert!(problem.contains("more than 8096"), "{problem}");
}
