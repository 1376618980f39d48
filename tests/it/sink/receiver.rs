//! A receiver over HTTP that answers as it is told to: well, badly, late, cut off or without end.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    #[cfg_attr(
        not(feature = "cloudwatch"),
        expect(dead_code, reason = "for targets with more than one")
    )]
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    /// As it was sent.
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether a header holds this text.
    pub(crate) fn has(&self, text: &str) -> bool {
        self.headers.iter().any(|(_, value)| value.contains(text))
    }

    /// The body, unpacked where it is compressed.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let read = match self.header("content-encoding") {
            None => self.body.as_slice().read_to_string(&mut text),
            Some("gzip") => flate2::read::GzDecoder::new(self.body.as_slice()).read_to_string(&mut text),
            Some(other) => panic!("{other}"),
        };
        read.expect("UTF-8");
        text
    }

    /// How many bytes the body has on the wire.
    pub(crate) fn wire_bytes(&self) -> usize {
        self.body.len()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text()).expect("JSON")
    }
}

/// What the receiver does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
    },
    /// Closes the connection without an answer.
    Close,
    /// Answers nothing for so long, and closes.
    Hang(Duration),
    /// Answers 200 with a body that never ends.
    Endless,
    /// Begins so, and then says a byte every 20 ms, for ever.
    Drip(&'static str),
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: impl ToString) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.into(), value.to_string()));
        }
        self
    }

    pub(crate) fn body(mut self, text: impl Into<String>) -> Self {
        if let Self::Answer { body, .. } = &mut self {
            *body = text.into();
        }
        self
    }
}

type Script = Box<dyn FnMut(&Request) -> Reply + Send>;

/// A receiver on a port of its own of this host. It lives as long as the test's process.
#[derive(Clone)]
pub(crate) struct Receiver {
    port: u16,
    script: Arc<Mutex<Script>>,
    requests: Arc<Mutex<Vec<Request>>>,
    /// So many connections are closed before anything is read.
    refused: Arc<AtomicUsize>,
    /// A longer body is not read.
    body_bytes_max: Arc<AtomicUsize>,
}

impl Receiver {
    /// One that answers so. A request is kept once it has come whole, whatever the answer.
    pub(crate) fn answering(script: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        Self::serving(Box::new(script), None, any_port())
    }

    /// The same on this port.
    #[cfg(all(feature = "webhook", feature = "syslog"))]
    pub(crate) fn on(port: u16, script: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port");
        Self::serving(Box::new(script), None, listener)
    }

    /// The same over TLS.
    pub(crate) fn with_tls(
        tls: Arc<rustls::ServerConfig>,
        script: impl FnMut(&Request) -> Reply + Send + 'static,
    ) -> Self {
        Self::serving(Box::new(script), Some(tls), any_port())
    }

    fn serving(script: Script, tls: Option<Arc<rustls::ServerConfig>>, listener: TcpListener) -> Self {
        let receiver = Self {
            port: listener.local_addr().expect("an address").port(),
            script: Arc::new(Mutex::new(script)),
            requests: Arc::default(),
            refused: Arc::default(),
            body_bytes_max: Arc::new(AtomicUsize::new(usize::MAX)),
        };
        let serving = receiver.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let left = serving.refused.load(Ordering::SeqCst);
                if left > 0 {
                    serving.refused.store(left - 1, Ordering::SeqCst);
                    continue;
                }
                // What is said last goes out before the connection is closed.
                stream.set_nodelay(true).expect("an option");
                let (serving, tls) = (serving.clone(), tls.clone());
                std::thread::spawn(move || match tls {
                    None => serving.serve(stream),
                    Some(tls) => {
                        let session = rustls::ServerConnection::new(tls).expect("a session");
                        serving.serve(rustls::StreamOwned::new(session, stream))
                    }
                });
            }
        });
        receiver
    }

    pub(crate) fn answer(&self, script: impl FnMut(&Request) -> Reply + Send + 'static) {
        *self.script.lock().expect("unpoisoned") = Box::new(script);
    }

    /// Closes the next connections before anything of a request is read.
    pub(crate) fn refuse(&self, connections: usize) {
        self.refused.store(connections, Ordering::SeqCst);
    }

    /// Answers 413 to a longer body once it has the headers, and closes the connection without reading it.
    pub(crate) fn refuse_bodies_over(&self, bytes: usize) {
        self.body_bytes_max.store(bytes, Ordering::SeqCst);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("unpoisoned").clone()
    }

    fn serve(&self, stream: impl Read + Write) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some(mut request) = read_head(&mut stream)? {
            let length = request.header("content-length");
            let length = length.map_or(0, |value| value.parse().expect("a length"));
            if length > self.body_bytes_max.load(Ordering::SeqCst) {
                let answer = "HTTP/1.1 413 Said\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                return stream.get_mut().write_all(answer.as_bytes());
            }
            request.body.resize(length, 0);
            stream.read_exact(&mut request.body)?;
            let reply = {
                let mut script = self.script.lock().expect("unpoisoned");
                script(&request)
            };
            self.requests.lock().expect("unpoisoned").push(request);
            let out = stream.get_mut();
            match reply {
                Reply::Answer { status, headers, body } => {
                    write!(out, "HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n", body.len())?;
                    for (name, value) in headers {
                        write!(out, "{name}: {value}\r\n")?;
                    }
                    write!(out, "\r\n{body}")?;
                    out.flush()?;
                }
                Reply::Close => return Ok(()),
                Reply::Hang(time) => {
                    std::thread::sleep(time);
                    return Ok(());
                }
                Reply::Drip(beginning) => {
                    write!(out, "{beginning}")?;
                    loop {
                        write!(out, "a")?;
                        out.flush()?;
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
                Reply::Endless => {
                    write!(out, "HTTP/1.1 200 Said\r\ntransfer-encoding: chunked\r\n\r\n")?;
                    loop {
                        write!(out, "400\r\n{}\r\n", "a".repeat(1024))?;
                        out.flush()?;
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
            }
        }
        Ok(())
    }
}

fn any_port() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a port")
}

/// The next request of a connection, without its body; `None` at its end.
fn read_head(stream: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    Ok(Some(Request {
        method,
        path,
        headers,
        body: Vec::new(),
    }))
}

/// Connections that are made and never answered.
pub(crate) fn hanging() -> (u16, TcpListener) {
    let listener = any_port();
    (listener.local_addr().expect("an address").port(), listener)
}

/// A certificate for a name, PEM, and a server that shows it.
pub(crate) fn certificate(name: &str) -> (String, Arc<rustls::ServerConfig>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a server");
    (made.cert.pem(), Arc::new(server))
}
