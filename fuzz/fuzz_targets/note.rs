//! Notes, checkpoints and keys: what is read is printed again byte for byte, and a signature fits its text alone.

#![no_main]

use std::str::FromStr;
use std::sync::LazyLock;

use indelible::note::{self, Note};
use indelible::{Checkpoint, Origin, SignedCheckpoint, Signer, SigningKey, VerifierKey};
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| key("fuzz.example.com/audit", 1));
static OTHER: LazyLock<SigningKey> = LazyLock::new(|| key("fuzz.example.com/audit", 2));

fn key(origin: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(origin.parse().expect("an origin"), &[seed; 32]).expect("a key")
}

fuzz_target!(|text: &str| {
    if let Ok(read) = Note::parse(text) {
        assert_eq!(read.to_string(), text);
        let signed = note::sign(read.text(), &[&*KEY]).expect("a text that a note has is signed");
        let signed = Note::parse(&signed).expect("a note");
        assert_eq!(signed.text(), read.text());
        assert_eq!(signed.open(&[KEY.vkey().clone()]).expect("signed").verified.len(), 1);
        assert!(signed.open(&[OTHER.vkey().clone()]).is_err());
    }
    if let Ok(signed) = SignedCheckpoint::from_str(text) {
        assert_eq!(signed.as_str(), text);
        let printed = signed.checkpoint().to_string();
        assert!(text.starts_with(&format!("{printed}\n")));
        assert_eq!(printed.parse().as_ref(), Ok(signed.checkpoint()));
        assert!(
            signed.verify(KEY.vkey()).is_err(),
            "the key signed nothing that a corpus can hold"
        );
    }
    if let Ok(checkpoint) = Checkpoint::from_str(text) {
        assert_eq!(checkpoint.to_string(), text);
    }
    if let Ok(origin) = Origin::from_str(text) {
        assert_eq!(origin.as_str(), text);
    }
    if let Ok(vkey) = VerifierKey::from_str(text) {
        assert_eq!(vkey.to_string(), text);
        assert!(!vkey.verify(b"text", &[0; 64]));
    }
    if let Ok(key) = SigningKey::from_str(text) {
        assert_eq!(key.private_text().as_str(), text);
        let signature = key.sign(b"text").expect("a signature");
        assert!(key.vkey().verify(b"text", &signature) && !key.vkey().verify(b"test", &signature));
    }
});
