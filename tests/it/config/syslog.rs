//! Syslog receivers of a file.

use super::*;

#[test]
fn a_syslog_receiver_has_its_keys() {
    let base = "origin = 'auth.example.com/audit'\npath = 'audit'\n[[sinks]]\nname = 'siem'\ntype = 'syslog'\n";
    let place = "host = 'siem.example.com'\nport = 6514\n";
    let scene = Scene::new();
    let made = rcgen::generate_simple_self_signed(["siem.example.com".to_owned()]).expect("a certificate");
    fs::write(scene.root().join("ca.pem"), made.cert.pem()).expect("written");
    fs::write(scene.root().join("key.pem"), made.signing_key.serialize_pem()).expect("written");
    let trust = "roots = 'ca.pem'\nclient_certificate = 'ca.pem'\nclient_key = { file = 'key.pem' }\n";
    let rest = "facility = 'local3'\nhostname = 'auth-1.example.com'\napp_name = 'auth'\nenterprise_number = 4294967295\n\
                message_bytes_max = 131072\nresend_bytes = 0x100000\ntimeout = '5s'\n";
    let read = |text: &str| Config::from_toml(&format!("{base}{text}"), scene.root());
    for text in [
        format!("{place}{trust}{rest}newlines = true\n"),
        format!("{place}transport = 'tls'\n{trust}"),
        format!("{place}transport = 'tcp'\n{rest}newlines = true\n"),
        format!("{place}transport = 'udp'\n{rest}newlines = false\n"),
        place.to_owned(),
    ] {
        let config = read(&text).unwrap_or_else(|error| panic!("{text}{error}"));
        config.check_secrets().expect("they are there");
        let told = format!("{config:?}");
        assert!(told.contains("Syslog") && !told.contains("PRIVATE"), "{told}");
        assert_eq!(told.contains("Local3"), text.contains("local3"), "{told}");
    }
    let long = format!("{place}app_name = '{}'", "a".repeat(49));
    for (text, expected) in [
        ("port = 6514", "line 3: sinks[0].host: it is needed"),
        ("host = 'a'", "line 3: sinks[0]: port is needed"),
        ("host = 'a'\nport = 65536", "line 7: sinks[0].port: it is too large"),
        (
            "host = 'a'\nport = '6514'",
            "line 7: sinks[0].port: it is a text, not a number",
        ),
        (
            &format!("{place}transport = 'quic'"),
            "line 8: sinks[0].transport: it is tls, tcp or udp",
        ),
        (
            &format!("{place}facility = 'mail'"),
            "line 8: sinks[0].facility: a facility is authpriv, audit, or local0 to local7",
        ),
        (
            &format!("{place}hostname = 'a b'"),
            "line 8: sinks[0].hostname: it has other than 1 to 255 printable ASCII",
        ),
        (
            &long,
            "line 8: sinks[0].app_name: it has other than 1 to 48 printable ASCII",
        ),
        (
            &format!("{place}enterprise_number = 4294967296"),
            "line 8: sinks[0].enterprise_number: it is too large",
        ),
        (
            &format!("{place}transport = 'tcp'\nroots = 'ca.pem'"),
            "line 3: sinks[0]: roots and client_certificate are those of the transport tls",
        ),
        (
            &format!("{place}client_certificate = 'ca.pem'"),
            "line 3: sinks[0]: client_certificate and client_key go together",
        ),
        (
            &format!("{place}client_certificate = 'ca.pem'\nclient_key = '-----BEGIN'"),
            "line 3: sinks[0].client_key: a secret is not written down",
        ),
        (&format!("{place}roots = 'none.pem'"), "line 8: sinks[0].roots: "),
        (&format!("{place}roots = 'key.pem'"), "line 8: sinks[0].roots: "),
        (
            &format!("{place}client_certificate = 'key.pem'\nclient_key = {{ file = 'key.pem' }}"),
            "line 8: sinks[0].client_certificate: ",
        ),
        (
            "host = ''\nport = 1",
            "line 6: sinks[0].host: it is a name or an address",
        ),
        ("host = 'a'\nport = 0", "line 7: sinks[0].port: it is 1 at least"),
        (
            &format!("{place}message_bytes_max = 479"),
            "line 8: sinks[0].message_bytes_max: it is 480 at least",
        ),
        (
            &format!("{place}transport = 'udp'\nnewlines = true"),
            "line 3: sinks[0]: newlines are those of a stream",
        ),
        (
            &format!("{place}url = 'a'"),
            "line 8: sinks[0].url: there is no such key here",
        ),
    ] {
        let error = read(text).expect_err(text).to_string();
        assert!(error.starts_with(expected), "{text}\n{error}");
    }
    let named =
        read(&format!("{place}{trust}").replace("{ file = 'key.pem' }", "{ env = 'NO_SUCH_KEY' }")).expect("read");
    let missing = named.check_secrets().expect_err("it is not set").to_string();
    assert_eq!(
        missing,
        "line 10: sinks[0].client_key: the environment variable NO_SUCH_KEY is not set"
    );
    let other = read(&format!("{place}{trust}").replace("{ file = 'key.pem' }", "{ file = 'ca.pem' }")).expect("read");
    let error = other.check_secrets().expect_err("it is a certificate").to_string();
    assert_eq!(error, "line 10: sinks[0].client_key: it is no PEM of a private key");
}

#[test]
fn a_syslog_receiver_of_a_file_gets_what_is_recorded() {
    let receiver = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    receiver.set_read_timeout(Some(SOON)).expect("a limit");
    let port = receiver.local_addr().expect("an address").port();
    let scene = Scene::new();
    let text = format!(
        "origin = 'auth.example.com/audit'\npath = 'audit'\nkey_file = 'audit.key'\n[[sinks]]\nname = 'siem'\n\
         type = 'syslog'\ntransport = 'udp'\nhost = '127.0.0.1'\nport = {port}\nfacility = 'authpriv'\n\
         hostname = 'auth-1'\napp_name = 'auth'\nenterprise_number = 41058\nfilter = 'event_type=auth.login.*'\n\
         checkpoints = false\nmessage_bytes_max = 10000\n"
    );
    let log = Config::from_toml(&text, scene.root())
        .expect("read")
        .open()
        .expect("opens");
    log.append(login(1)).expect("recorded");
    let mut datagram = [0; 10_000];
    let (length, _) = receiver.recv_from(&mut datagram).expect("a message");
    let message = std::str::from_utf8(&datagram[..length]).expect("UTF-8");
    assert!(message.starts_with("<86>1 "), "{message}");
    assert!(
        message.contains(" auth-1 auth ") && message.contains("[indelible@41058 seq="),
        "{message}"
    );
    log.close(SOON).expect("closes");
}
