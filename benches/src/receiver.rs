//! A receiver over HTTP, as a target of delivery has one, in a process of its own: it takes a request apart, unpacks it, parses
//! its JSON into values, as whoever lets people search them must, and notes which records came, and when. And the bare loop
//! that sends it what somebody else sent before.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use memchr::memmem;
use serde_json::Value;

use crate::child;

/// A record that came: its `seq`, and when, in microseconds since 1970.
pub type Arrival = (u64, u64);

/// What time it is, in microseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// A receiver; it ends when this is dropped.
#[derive(Debug)]
pub struct Receiver {
    child: Child,
    said: BufReader<ChildStdout>,
    port: u16,
    answer: Vec<u8>,
}

impl Receiver {
    /// One that answers every request so. The program that starts it calls [`serve_as_child`] first of all.
    pub fn start((status, body): (u16, &str)) -> Self {
        let mut child = child::start(CHILD, &[&status.to_string(), body]);
        let mut said = BufReader::new(child.stdout.take().expect("its output"));
        let mut port = String::new();
        said.read_line(&mut port).expect("its port");
        Self {
            child,
            said,
            port: port.trim().parse().expect("a port"),
            answer: answer(status, body),
        }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        url(self.port)
    }

    /// What came since this was asked last.
    pub fn take_arrivals(&mut self) -> Vec<Arrival> {
        let asked = self.child.stdin.as_mut().expect("its input").write_all(b"arrivals\n");
        asked.expect("it listens");
        let mut arrivals = Vec::new();
        loop {
            let mut line = String::new();
            self.said.read_line(&mut line).expect("an arrival");
            let Some((seq, at)) = line.trim().split_once(' ') else {
                return arrivals;
            };
            arrivals.push((seq.parse().expect("a number"), at.parse().expect("a time")));
        }
    }

    /// The bare loop: sends requests one after the other, each once the one before is answered.
    pub fn replay(&self, requests: &[Vec<u8>]) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connected");
        stream.set_nodelay(true).expect("set");
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        for request in requests {
            stream.write_all(request).expect("written");
            answer.clear();
            while answer.len() < self.answer.len() {
                let count = stream.read(&mut buffer).expect("an answer");
                assert!(count > 0, "the receiver is gone");
                answer.extend_from_slice(&buffer[..count]);
            }
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is a receiver, where this process was started as one, and does not return then.
pub fn serve_as_child() {
    if child::name().as_deref() != Some(CHILD) {
        return;
    }
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().expect("an argument");
    let answer = answer(argument().parse().expect("a status"), &argument());
    let arrivals: Arc<Mutex<Vec<Arrival>>> = Arc::default();
    let note = Arc::clone(&arrivals);
    let port = listen(move |head, request| {
        let (head, body) = request.split_at(head);
        let mut unpacked = Vec::new();
        let body = match header(head, "content-encoding") {
            Some(_) => {
                let read = flate2::read::GzDecoder::new(body).read_to_end(&mut unpacked);
                read.expect("gzip");
                &unpacked
            }
            None => body,
        };
        let values = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
        assert!(values.last().is_some_and(|last| last.is_ok()), "no JSON");
        let now = now();
        let mut came: Vec<Arrival> = seqs(body).map(|seq| (seq, now)).collect();
        // Some targets get it beside the record too.
        came.dedup();
        note.lock().expect("unpoisoned").extend(came);
        answer.clone()
    });
    println!("{port}");
    for _ in io::stdin().lines() {
        let mut out = String::new();
        for (seq, at) in std::mem::take(&mut *arrivals.lock().expect("unpoisoned")) {
            out.push_str(&format!("{seq} {at}\n"));
        }
        println!("{out}");
    }
    std::process::exit(0);
}

/// The requests that come while something is done with a URL, each answered so, byte by byte.
pub fn keeping_requests((status, body): (u16, &str), what: impl FnOnce(String)) -> Vec<Vec<u8>> {
    let (answer, kept) = (answer(status, body), Arc::new(Mutex::new(Vec::new())));
    let keeping = Arc::clone(&kept);
    let port = listen(move |_, request| {
        keeping.lock().expect("unpoisoned").push(request.to_vec());
        answer.clone()
    });
    what(url(port));
    std::mem::take(&mut *kept.lock().expect("unpoisoned"))
}

/// Listens on a port of its own. `serve` gets the length of a request's head and the request, and gives the answer.
fn listen(serve: impl Fn(usize, &[u8]) -> Vec<u8> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || {
                let (_, mut buffer) = (stream.set_nodelay(true), Vec::new());
                while let Ok(Some(head)) = read_request(&mut stream, &mut buffer) {
                    if stream.write_all(&serve(head, &buffer)).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

fn answer(status: u16, body: &str) -> Vec<u8> {
    match status {
        204 => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        _ => format!("HTTP/1.1 {status} So\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes(),
    }
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/v1")
}

/// Reads a request into a buffer, and gives the length of its head; `None` at the end.
fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<usize>> {
    buffer.clear();
    let (mut filled, mut end) = (0, None);
    loop {
        if end.is_none()
            && let Some(at) = memmem::find(&buffer[..filled], b"\r\n\r\n")
        {
            let length = header(&buffer[..at], "content-length").and_then(|length| length.parse::<usize>().ok());
            end = Some((at + 4, at + 4 + length.unwrap_or(0)));
        }
        match end {
            Some((head, end)) if filled >= end => {
                buffer.truncate(end);
                return Ok(Some(head));
            }
            Some((_, end)) => buffer.resize(end, 0),
            None => buffer.resize(filled + 16 * 1024, 0),
        }
        match stream.read(&mut buffer[filled..])? {
            0 => return Ok(None),
            count => filled += count,
        }
    }
}

fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    let head = std::str::from_utf8(head).ok()?;
    let pairs = head.lines().filter_map(|line| line.split_once(':'));
    let mut found = pairs.filter(|(found, _)| found.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.trim())
}

/// The `seq` of each record in a text, where a record is an object, or a text in an object, that ends with it.
pub fn seqs(text: &[u8]) -> impl Iterator<Item = u64> {
    memmem::find_iter(text, b"seq").filter_map(|at| {
        let rest = &text[at + 3..];
        let rest = rest.strip_prefix(b"\\").unwrap_or(rest).strip_prefix(b"\":")?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (seq, rest) = rest.split_at(digits);
        rest.starts_with(b"}")
            .then(|| std::str::from_utf8(seq).ok()?.parse().ok())?
    })
}

/// What comes on a TCP port while something is done with that, on one connection.
pub fn keeping_lines(what: impl FnOnce(u16)) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let keeping = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut kept = Vec::new();
        stream.read_to_end(&mut kept).expect("read");
        kept
    });
    what(port);
    keeping.join().expect("the thread that keeps it")
}

/// The bare loop of what has no answer: writes so many bytes at once.
pub fn replay_lines(port: u16, bytes: &[u8], batch: usize) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    stream.set_nodelay(true).expect("set");
    bytes
        .chunks(batch)
        .for_each(|batch| stream.write_all(batch).expect("written"));
}

const CHILD: &str = "receiver";
