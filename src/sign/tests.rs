#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use super::*;
use crate::note::ORIGIN_BYTES_MAX;

const TEXT: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

#[test]
fn a_private_key_that_differs_in_one_byte_is_refused() {
    assert_eq!(*TEXT.parse::<SigningKey>().unwrap().private_text(), TEXT);
    for at in 0..TEXT.len() {
        assert!(TEXT[..at].parse::<SigningKey>().is_err());
        assert!(TEXT[at + 1..].parse::<SigningKey>().is_err());
        for byte in (0..0x80).filter(|byte| *byte != TEXT.as_bytes()[at]) {
            let mut mangled = TEXT.as_bytes().to_vec();
            mangled[at] = byte;
            assert!(String::from_utf8(mangled).unwrap().parse::<SigningKey>().is_err());
        }
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let error = |text: &str| text.parse::<SigningKey>().unwrap_err();
    let vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    assert_eq!(error(vkey), SigningKeyError::Form);
    assert_eq!(
        error(&TEXT.replace("c74f20a3", "c74f20a4")),
        SigningKeyError::Id {
            found: 0xc74f20a4,
            expected: 0xc74f20a3
        }
    );
    assert_eq!(error(&TEXT.replace("AYEK", "BYEK")), SigningKeyError::Type { found: 5 });
    assert_eq!(error(&format!("{TEXT}\n")), SigningKeyError::Form);
}

#[test]
fn no_secret_is_shown() {
    let key: SigningKey = TEXT.parse().unwrap();
    let vkey = key.vkey().to_string();
    assert_eq!(
        format!("{key:?}"),
        format!("SigningKey {{ vkey: VerifierKey({vkey}), .. }}")
    );
    let mistaken = TEXT.parse::<VerifierKey>().unwrap_err();
    assert!(!format!("{mistaken} {mistaken:?}").contains("AYEK"));
}

#[test]
fn keys_are_new_each_time() {
    let origin = Origin::new("example.com/log").unwrap();
    let keys = [(); 2].map(|()| SigningKey::generate(origin.clone()).unwrap());
    assert_ne!(keys[0].vkey(), keys[1].vkey());
}

#[test]
fn sign_errors_keep_their_source() {
    let source = std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer");
    let error = SignError::new("the key service did not sign")
        .with_source(source)
        .clone();
    assert_eq!(error.to_string(), "the key service did not sign");
    assert_eq!(error.source().unwrap().to_string(), "no answer");
    assert!(SignError::new("refused").source().is_none());
}

fn key_file(content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.key");
    std::fs::write(&path, content).unwrap();
    set_mode(&path, 0o600);
    (folder, path)
}

#[cfg(unix)]
fn set_mode(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_: &std::path::Path, _: u32) {}

#[test]
fn a_key_file_is_written_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.key");
    let key: SigningKey = TEXT.parse().unwrap();
    key.create_file(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{TEXT}\n"));
    assert_eq!(SigningKey::read_file(&path).unwrap().vkey(), key.vkey());
    let other = SigningKey::generate(key.vkey().name().clone()).unwrap();
    assert!(matches!(other.create_file(&path), Err(KeyFileError::Exists { .. })));
    assert_eq!(SigningKey::read_file(&path).unwrap().vkey(), key.vkey());
    assert!(matches!(
        key.create_file(folder.path().join("none/audit.key")),
        Err(KeyFileError::Create { .. })
    ));
    assert!(matches!(
        SigningKey::read_file(folder.path().join("none")),
        Err(KeyFileError::Read { .. })
    ));
    assert!(matches!(
        SigningKey::read_file(folder.path()),
        Err(KeyFileError::NotAFile { .. })
    ));
    let longest = SigningKey::generate(Origin::new(&"o".repeat(ORIGIN_BYTES_MAX)).unwrap()).unwrap();
    let path = folder.path().join("longest.key");
    longest.create_file(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 32_834);
    assert_eq!(SigningKey::read_file(&path).unwrap().vkey(), longest.vkey());
}

#[test]
fn a_key_file_is_exactly_one_key() {
    let (_folder, path) = key_file(TEXT.as_bytes());
    assert!(SigningKey::read_file(path).is_ok());
    let line = format!("{TEXT}\n");
    let broken = [
        "",
        "\n",
        &line.repeat(2),
        &format!("{line}\n"),
        &format!("{TEXT}\r\n"),
        &format!(" {line}"),
        &line[..70],
    ];
    for content in broken.iter().map(|text| text.as_bytes()).chain([&[0xff; 100_000][..]]) {
        let (_folder, path) = key_file(content);
        let error = SigningKey::read_file(&path).unwrap_err();
        assert!(
            matches!(
                error,
                KeyFileError::Content {
                    source: SigningKeyError::Form,
                    ..
                }
            ),
            "{error}"
        );
        assert!(!format!("{error} {error:?}").contains("AYEK"));
    }
}

#[cfg(unix)]
#[test]
fn a_key_file_is_its_owners() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.key");
    TEXT.parse::<SigningKey>().unwrap().create_file(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let owner = std::fs::metadata(&path).unwrap().uid();
    for mode in [0o400, 0o600, 0o640, 0o644, 0o660, 0o604, 0o601] {
        set_mode(&path, mode);
        match SigningKey::read_file(&path) {
            Ok(_) => assert!(!file::is_open(mode, owner)),
            Err(KeyFileError::Mode { mode: found, .. }) => {
                assert_eq!((found, file::is_open(mode, owner)), (mode, true))
            }
            Err(error) => panic!("{error}"),
        }
    }
    let open = |owner| [0o400, 0o600, 0o440, 0o640, 0o644, 0o660, 0o601].map(|mode| file::is_open(mode, owner));
    assert_eq!(open(1000), [false, false, true, true, true, true, true]);
    assert_eq!(open(0), [false, false, false, false, true, true, true]);
}
