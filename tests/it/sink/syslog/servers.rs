//! rsyslog and syslog-ng, which nobody here wrote, and what they recorded.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::authority::Authority;
use crate::peers::{free_port, installed};
use crate::scene::*;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Rsyslog,
    SyslogNg,
}

/// A syslog server, until this is dropped.
pub(crate) struct Server {
    kind: Kind,
    folder: tempfile::TempDir,
    debian: PathBuf,
    pub(crate) udp: u16,
    pub(crate) tcp: u16,
    pub(crate) tls: u16,
    child: Option<Child>,
}

/// A message as a server recorded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) priority: String,
    pub(crate) time: String,
    pub(crate) host: String,
    pub(crate) program: String,
    pub(crate) process: String,
    pub(crate) id: String,
    pub(crate) seq: Option<u64>,
    pub(crate) hash: Option<String>,
    pub(crate) text: String,
}

impl Server {
    /// One whose TLS asks for a certificate of `authority`, with the defaults of its kind for all else. `None` where it is
    /// not installed.
    pub(crate) fn start(kind: Kind, authority: &Authority) -> Option<Self> {
        let program = match kind {
            Kind::Rsyslog => "debian/usr/sbin/rsyslogd",
            Kind::SyslogNg => "debian/usr/sbin/syslog-ng",
        };
        let program = installed(program, &format!("syslog: no {kind:?}"))?;
        let debian = program.ancestors().nth(3).expect("a folder").to_owned();
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate, key) = authority.certificate("localhost");
        for (name, pem) in [
            ("ca.pem", authority.pem()),
            ("server.pem", certificate),
            ("server.key", key),
        ] {
            fs::write(folder.path().join(name), pem).expect("written");
        }
        let mut server = Self {
            kind,
            folder,
            debian,
            udp: free_port(),
            tcp: free_port(),
            tls: free_port(),
            child: None,
        };
        server.again();
        Some(server)
    }

    /// Starts it, after it was killed too.
    pub(crate) fn again(&mut self) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .expect("a file");
        let mut command = match self.kind {
            Kind::Rsyslog => self.rsyslog(),
            Kind::SyslogNg => self.syslog_ng(),
        };
        command.env("LD_LIBRARY_PATH", self.libraries());
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log);
        self.child = Some(command.spawn().expect("it starts"));
        let ports = [self.tcp, self.tls];
        eventually("the server listens", || {
            ports
                .iter()
                .all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
        });
    }

    /// As `kill -9` does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("killed");
            child.wait().expect("gone");
        }
    }

    /// What it has recorded so far. A line that was cut when it was killed is none.
    pub(crate) fn recorded(&self) -> Vec<Recorded> {
        let lines = fs::read_to_string(self.path("messages")).unwrap_or_default();
        let values = lines.lines().filter_map(|line| serde_json::from_str(line).ok());
        values.map(|value: Value| self.read(&value)).collect()
    }

    /// The records that it got, each once, as they came first.
    pub(crate) fn first_arrivals(&self) -> Vec<u64> {
        let mut seen = std::collections::BTreeSet::new();
        let seqs = self.recorded().into_iter().filter_map(|message| message.seq);
        seqs.filter(|seq| seen.insert(*seq)).collect()
    }

    fn read(&self, value: &Value) -> Recorded {
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let parameter = |name: &str| match self.kind {
            // As it came.
            Kind::Rsyslog => {
                let data = text("data");
                let inside = data.strip_prefix("[indelible@32473 ")?.strip_suffix(']')?;
                let found = inside
                    .split(' ')
                    .find_map(|pair| pair.strip_prefix(name)?.strip_prefix("=\""));
                found.map(|value| value.trim_end_matches('"').to_owned())
            }
            // Parsed.
            Kind::SyslogNg => Some(value["_SDATA"]["indelible@32473"][name].as_str()?.to_owned()),
        };
        Recorded {
            priority: text("priority"),
            time: text("time"),
            host: text("host"),
            program: text("program"),
            process: text("process"),
            id: text("id"),
            seq: parameter("seq").map(|seq| seq.parse().expect("a number")),
            hash: parameter("hash"),
            text: text("text"),
        }
    }

    fn rsyslog(&self) -> Command {
        let (folder, Self { udp, tcp, tls, .. }) = (self.folder.path().display(), self);
        let property = |(name, of, more): (&str, &str, &str)| {
            format!("property(outname=\"{name}\" name=\"{of}\" {more} format=\"jsonf\")")
        };
        let properties = [
            ("priority", "pri", ""),
            ("time", "timereported", "dateformat=\"rfc3339\""),
            ("host", "hostname", ""),
            ("program", "app-name", ""),
            ("process", "procid", ""),
            ("id", "msgid", ""),
            ("data", "structured-data", ""),
            ("text", "msg", ""),
        ];
        let properties = properties.map(property).join("\n");
        let config = format!(
            "global(workDirectory=\"{folder}\" net.enableDNS=\"off\" defaultNetstreamDriverCAFile=\"{folder}/ca.pem\"
                defaultNetstreamDriverCertFile=\"{folder}/server.pem\" defaultNetstreamDriverKeyFile=\"{folder}/server.key\")
            module(load=\"imudp\") module(load=\"imtcp\")
            template(name=\"m\" type=\"list\" option.jsonf=\"on\") {{ {properties} }}
            ruleset(name=\"r\") {{ action(type=\"omfile\" file=\"{folder}/messages\" template=\"m\") }}
            input(type=\"imudp\" address=\"127.0.0.1\" port=\"{udp}\" ruleset=\"r\")
            input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{tcp}\" ruleset=\"r\")
            input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{tls}\" ruleset=\"r\" streamDriver.name=\"ossl\"
                streamDriver.mode=\"1\" streamDriver.authMode=\"x509/certvalid\")\n"
        );
        fs::write(self.path("config"), config).expect("written");
        let mut command = Command::new(self.debian.join("usr/sbin/rsyslogd"));
        command
            .arg("-n")
            .arg("-f")
            .arg(self.path("config"))
            .arg("-i")
            .arg(self.path("pid"));
        for modules in self.libraries_below("rsyslog") {
            command.arg("-M").arg(modules);
        }
        command
    }

    fn syslog_ng(&self) -> Command {
        let (folder, Self { udp, tcp, tls, .. }) = (self.folder.path().display(), self);
        let config = format!(
            "@version: 3.35
            options {{ keep-hostname(yes); use-dns(no); stats-freq(0); }};
            source s {{
                syslog(ip(127.0.0.1) port({udp}) transport(\"udp\"));
                syslog(ip(127.0.0.1) port({tcp}) transport(\"tcp\"));
                syslog(ip(127.0.0.1) port({tls}) transport(\"tls\") tls(key-file(\"{folder}/server.key\")
                    cert-file(\"{folder}/server.pem\") ca-file(\"{folder}/ca.pem\") peer-verify(required-trusted)));
            }};
            destination d {{ file(\"{folder}/messages\" template(\"$(format-json --key .SDATA.* priority=$PRI
                time=$S_ISODATE host=$HOST program=$PROGRAM process=$PID id=$MSGID text=$MESSAGE)\\n\")); }};
            log {{ source(s); destination(d); }};\n"
        );
        fs::write(self.path("config"), config).expect("written");
        let mut command = Command::new(self.debian.join("usr/sbin/syslog-ng"));
        command
            .args(["-F", "-e", "--no-caps"])
            .arg("-f")
            .arg(self.path("config"));
        command
            .arg("-R")
            .arg(self.path("persist"))
            .arg("-p")
            .arg(self.path("pid"))
            .arg("-c")
            .arg(self.path("control"));
        for modules in list(&self.debian.join("usr/lib/syslog-ng"))
            .iter()
            .filter(|path| path.is_dir())
        {
            command.arg(format!("--module-path={}", modules.display()));
        }
        command
    }

    /// Where it finds its libraries.
    fn libraries(&self) -> String {
        let mut folders = [self.libraries_below(""), self.libraries_below("..")].concat();
        folders.push(self.debian.join("usr/lib/syslog-ng"));
        folders.extend(
            list(&self.debian.join("usr/lib/syslog-ng"))
                .into_iter()
                .filter(|path| path.is_dir()),
        );
        folders.retain(|path| path.is_dir());
        let folders: Vec<_> = folders.iter().map(|path| path.display().to_string()).collect();
        folders.join(":")
    }

    /// A folder of each folder of libraries, which are named for the processor.
    fn libraries_below(&self, name: &str) -> Vec<PathBuf> {
        let found = ["lib", "usr/lib"].map(|lib| self.debian.join(lib));
        let found = found.iter().filter(|lib| lib.is_dir()).flat_map(|lib| list(lib));
        found.map(|lib| lib.join(name)).filter(|lib| lib.is_dir()).collect()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        Path::join(self.folder.path(), name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
