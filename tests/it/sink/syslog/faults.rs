//! Receivers that die, hang, or end the connection.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use indelible::sink::Syslog;

use super::*;
use crate::peers::free_port;

#[test]
fn a_receiver_that_is_killed_in_the_middle_misses_nothing() {
    let authority = Authority::new();
    let (certificate, key) = authority.certificate("auth");
    for (kind, has_tls) in [
        (Kind::Rsyslog, false),
        (Kind::Rsyslog, true),
        (Kind::SyslogNg, false),
        (Kind::SyslogNg, true),
    ] {
        let Some(mut server) = Server::start(kind, &authority) else {
            continue;
        };
        let syslog = match has_tls {
            false => Syslog::tcp("127.0.0.1", server.tcp),
            true => Syslog::tls("localhost", server.tls)
                .roots(authority.pem())
                .client_certificate(certificate.clone(), key.clone()),
        };
        let scene = Scene::new();
        let log = open(&scene, syslog);
        std::thread::scope(|scope| {
            let appending = scope.spawn(|| append(&log, 1500));
            for _ in 0..3 {
                let before = server.recorded().len();
                eventually("it goes on", || {
                    server.recorded().len() > before + 50 || appending.is_finished()
                });
                server.kill();
                std::thread::sleep(Duration::from_millis(50));
                server.again();
            }
            appending.join().expect("appended");
        });
        append(&log, 50);
        flush(&log);
        let size = lines(&scene).len() as u64;
        eventually("all is recorded", || server.first_arrivals().len() as u64 >= size);
        assert_eq!(
            server.first_arrivals(),
            (0..size).collect::<Vec<_>>(),
            "{kind:?}, TLS {has_tls}"
        );
        assert!(state(&log).retries > 0 || server.recorded().len() as u64 > size);
    }
}

#[test]
fn a_receiver_that_dies_while_nothing_is_recorded_gets_the_last_messages_again() {
    let Some(mut server) = Server::start(Kind::Rsyslog, &Authority::new()) else {
        return;
    };
    let scene = Scene::new();
    let log = open(&scene, Syslog::tcp("127.0.0.1", server.tcp));
    append(&log, 3);
    flush(&log);
    server.kill();
    // What it had not stored.
    let _ = std::fs::remove_file(server.path("messages"));
    server.again();
    log.append(login("later")).expect("recorded");
    flush(&log);
    let size = lines(&scene).len() as u64;
    eventually("all is recorded", || {
        server.first_arrivals() == (0..size).collect::<Vec<_>>()
    });
}

/// Reads messages off a connection, `LENGTH SP MESSAGE` each, until it ends.
pub(super) fn read_messages(mut stream: TcpStream) -> Vec<String> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let (mut rest, mut messages) = (bytes.as_slice(), Vec::new());
    while let Some(space) = rest.iter().position(|byte| *byte == b' ') {
        let length: usize = std::str::from_utf8(&rest[..space])
            .expect("ASCII")
            .parse()
            .expect("a length");
        let Some(message) = rest[space + 1..].get(..length) else {
            break;
        };
        messages.push(String::from_utf8(message.to_vec()).expect("UTF-8"));
        rest = &rest[space + 1 + length..];
    }
    messages
}

#[test]
fn a_receiver_that_takes_connections_and_reads_nothing_is_given_up_and_gets_all_later() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let scene = Scene::new();
    let feed = Feed::new(
        "syslog",
        Syslog::tcp("127.0.0.1", port).timeout(Duration::from_millis(300)),
    );
    let log = scene
        .builder()
        .sink(feed.without_checkpoints())
        .open(scene.store())
        .expect("opens");
    let tickets: Vec<_> = (0..2_000)
        .map(|user| log.submit(large(user, 6_000)).expect("queued"))
        .collect();
    for ticket in tickets {
        ticket.wait().expect("recorded");
    }
    eventually("it is given up", || state(&log).last_error.is_some());
    let problem = state(&log).last_error.expect("a problem").to_string();
    assert!(problem.contains("too long"), "{problem}");
    // What the kernels took of it is less than what is kept.
    assert!(state(&log).position * 6_000 < 8 << 20, "{}", state(&log).position);
    // With the receiver, what it had not read is gone.
    drop(listener);
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port");
    let (sender, taken) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || sender.send(read_messages(stream)));
        }
    });
    flush(&log);
    let size = log.checkpoint().expect("a checkpoint").checkpoint().size();
    log.close(SOON).expect("closes");
    let mut seen = BTreeSet::new();
    while (seen.len() as u64) < size {
        let messages = taken.recv_timeout(SOON).expect("all comes");
        seen.extend(messages.iter().filter_map(|message| seq(message)));
    }
}

#[test]
fn a_receiver_that_ends_each_connection_over_a_message_holds() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut piece = [0; 65_536];
                // It takes all but one message.
                while let Ok(1..) = stream.read(&mut piece) {
                    if piece.windows(7).any(|bytes| bytes == b"usr_bad") {
                        break;
                    }
                }
            });
        }
    });
    let scene = Scene::new();
    let log = open(&scene, Syslog::tcp("127.0.0.1", port));
    for user in ["good", "bad", "good", "good"] {
        log.append(login(user)).expect("recorded");
        std::thread::sleep(Duration::from_millis(20));
    }
    let began = std::time::Instant::now();
    while !state(&log).is_held {
        assert!(began.elapsed() < SOON * 2, "{:?}", state(&log));
        let _ = log.append(login("good"));
        std::thread::sleep(Duration::from_millis(50));
    }
    let problem = state(&log).last_error.expect("a problem").to_string();
    assert!(problem.contains("its limit for a message"), "{problem}");
    assert!(state(&log).lag_records > 0);
}

#[test]
fn a_receiver_that_is_not_there_yet_gets_all_later() {
    let port = free_port();
    let scene = Scene::new();
    // Also with a limit of time that no clock counts.
    let feed = Feed::new("syslog", Syslog::tcp("127.0.0.1", port).timeout(Duration::MAX));
    let log = scene.builder().sink(feed).open(scene.store()).expect("opens");
    append(&log, 5);
    eventually("it fails", || state(&log).retries > 1);
    assert!(!state(&log).is_held);
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port");
    let taking = std::thread::spawn(move || read_messages(listener.accept().expect("a connection").0));
    flush(&log);
    log.close(SOON).expect("closes");
    let seqs: Vec<u64> = taking
        .join()
        .expect("read")
        .iter()
        .filter_map(|message| seq(message))
        .collect();
    assert_eq!(seqs, (0..seqs.len() as u64).collect::<Vec<_>>());
    assert!(seqs.len() >= 7);
}

#[test]
fn names_that_syslog_does_not_take_are_refused_and_told() {
    let scene = Scene::new();
    let feed = Feed::new("syslog", Syslog::tcp("127.0.0.1", 9).hostname("two words"));
    let refused = scene.builder().sink(feed).open(scene.store()).expect_err("refused");
    assert!(refused.to_string().contains("syslog: hostname: "), "{refused}");
}

#[test]
fn who_gives_certificates_is_not_sent_anything_in_the_clear() {
    let authority = Authority::new();
    let (certificate, key) = authority.certificate("auth");
    for syslog in [
        Syslog::tcp("127.0.0.1", 9).roots(authority.pem()),
        Syslog::tcp("127.0.0.1", 9).client_certificate(certificate, key),
        Syslog::udp("127.0.0.1", 9).roots(authority.pem()),
    ] {
        let scene = Scene::new();
        let feed = Feed::new("syslog", syslog);
        let refused = scene.builder().sink(feed).open(scene.store()).expect_err("refused");
        assert!(refused.to_string().contains("Syslog::tls"), "{refused}");
    }
}
