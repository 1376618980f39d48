//! Targets behind a proxy.

use std::io::{BufRead, BufReader, Write, copy};
use std::net::{TcpListener, TcpStream};

use indelible::sink::HttpOptions;

use super::receiver::{Receiver, certificate};
use super::targets::{for_each, token};
use super::*;

/// A proxy that leads to where it is asked for, and keeps what it is told.
fn proxy() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let told = Arc::new(Mutex::new(Vec::new()));
    let tells = Arc::clone(&told);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tells = Arc::clone(&tells);
            std::thread::spawn(move || lead(stream, &tells));
        }
    });
    (port, told)
}

fn lead(stream: TcpStream, told: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let (mut head, mut from) = (String::new(), BufReader::new(stream.try_clone()?));
    while !head.ends_with("\r\n\r\n") && from.read_line(&mut head)? > 0 {}
    let place = head.split(' ').nth(1).expect("a place").to_owned();
    told.lock().expect("unpoisoned").push(head);
    let target = TcpStream::connect(place)?;
    let (mut there, mut back) = (target.try_clone()?, stream.try_clone()?);
    back.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    let answers = std::thread::spawn(move || copy(&mut &target, &mut back));
    copy(&mut from, &mut there)?;
    there.shutdown(std::net::Shutdown::Write)?;
    answers.join().expect("led").map(drop)
}

#[test]
fn a_proxy_leads_to_the_target_once_and_learns_nothing_but_its_name() {
    for_each(|http| {
        let good = http.good;
        let (pem, server) = certificate("localhost");
        let plain = Receiver::answering(move |_| good());
        let secured = Receiver::with_tls(server, move |_| good());
        for (scheme, receiver) in [("http", &plain), ("https", &secured)] {
            let (port, told) = proxy();
            let options = HttpOptions::new()
                .roots(pem.clone())
                .proxy(format!("http://auth:p%40ss@127.0.0.1:{port}"));
            let scene = Scene::new();
            let log = scene.open();
            append(&log, 3);
            let url = format!("{scheme}://localhost:{}", receiver.port());
            let feed = (http.feed)(url, token("T0KEN-of-a-header"), options);
            log.add_sink(feed.without_checkpoints()).expect("added");
            flush(&log);
            for _ in 0..3 {
                append(&log, 1);
                flush(&log);
            }
            let seqs = receiver
                .requests()
                .iter()
                .flat_map(|request| http.seqs(request))
                .collect();
            assert_eq!(BTreeSet::from_iter(0..8), seqs, "{}", http.name);
            let told = told.lock().expect("unpoisoned");
            // A connection that was idle for long is not used again.
            assert!((1..=2).contains(&told.len()), "{}: {}", http.name, told.len());
            for head in told.iter() {
                assert!(
                    head.starts_with(&format!("CONNECT localhost:{} HTTP/1.1\r\n", receiver.port())),
                    "{head}"
                );
                // auth:p@ss
                assert!(head.contains("Proxy-Authorization: Basic YXV0aDpwQHNz\r\n"), "{head}");
                assert!(!head.contains("T0KEN"), "{head}");
            }
        }
    });
}
