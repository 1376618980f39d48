#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::sign::SigningKey;

const GO: &str = include_str!("../../tests/vectors/golang-sumdb/note-vectors.json");
const WYCHEPROOF: &str = include_str!("../../tests/vectors/wycheproof-ed25519/ed25519_test.json");

const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

fn vkey(text: &str) -> VerifierKey {
    text.parse().unwrap()
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().unwrap().iter().map(|item| item.as_str().unwrap())
}

#[test]
fn go_notes_open_as_go_opens_them() {
    let vectors: Value = serde_json::from_str(GO).unwrap();
    let cases = vectors["open"].as_array().unwrap();
    assert_eq!(cases.len(), 13);
    for case in cases {
        let known: Vec<_> = strings(&case["vkeys"]).map(vkey).collect();
        let message = case["msg"].as_str().unwrap();
        let opened = Note::parse(message).map(|note| (note.to_string(), note.open(&known)));
        let what = match &opened {
            Err(_) => "malformed",
            Ok((printed, result)) => {
                assert_eq!(printed, message);
                match result {
                    Ok(_) => "ok",
                    Err(OpenError::Unverified) => "unverified",
                    Err(OpenError::Invalid { .. }) => "invalid signature",
                    Err(OpenError::Ambiguous { .. }) => "ambiguous",
                }
            }
        };
        // Beyond its hundred signatures Go's note is malformed too.
        let wanted = case["want"].as_str().unwrap();
        assert_eq!(
            what,
            if wanted.contains("malformed") {
                "malformed"
            } else {
                wanted
            },
            "{}",
            case["desc"]
        );
        if let Ok((_, Ok(opened))) = opened {
            assert_eq!(opened.verified.len() as u64, case["verified"].as_u64().unwrap());
            assert_eq!(opened.unverified.len() as u64, case["unverified"].as_u64().unwrap());
        }
    }
}

#[test]
fn go_signer_signs_the_same_bytes() {
    let vectors: Value = serde_json::from_str(GO).unwrap();
    let signer = &vectors["signer"];
    let key: SigningKey = signer["skey"].as_str().unwrap().parse().unwrap();
    assert_eq!(key.vkey().to_string(), PETER);
    assert_eq!(*key.private_text(), signer["skey"].as_str().unwrap());
    let signed = sign(signer["text"].as_str().unwrap(), &[&key]).unwrap();
    assert_eq!(signed, signer["want"].as_str().unwrap());
    let note = Note::parse(&signed).unwrap();
    let [signature] = note.signatures() else {
        panic!("one signature")
    };
    assert_eq!(signature.bytes().len(), 64);
    assert_eq!(signature.key_id(), key.vkey().key_id());
    assert_eq!(note.open(std::slice::from_ref(key.vkey())).unwrap().text, note.text());
}

#[test]
fn go_refuses_these_vkeys() {
    let vectors: Value = serde_json::from_str(GO).unwrap();
    for bad in strings(&vectors["bad_vkeys"]) {
        assert!(bad.parse::<VerifierKey>().is_err(), "{bad}");
    }
    assert_eq!(
        vectors["bad_vkeys"][1].as_str().unwrap().parse::<VerifierKey>(),
        Err(VerifierKeyError::Type { found: 0x65 })
    );
}

#[test]
fn a_vkey_that_differs_in_one_byte_is_refused() {
    assert_eq!(vkey(PETER).to_string(), PETER);
    for (start, end) in (0..PETER.len()).flat_map(|start| (start..=PETER.len()).map(move |end| (start, end))) {
        assert_eq!(
            PETER[start..end].parse::<VerifierKey>().is_ok(),
            end - start == PETER.len()
        );
    }
    for at in 0..PETER.len() {
        for byte in 0..0x80 {
            let mut mangled = PETER.as_bytes().to_vec();
            mangled[at] = byte;
            let mangled = String::from_utf8(mangled).unwrap();
            assert_eq!(mangled.parse::<VerifierKey>().is_ok(), mangled == PETER, "{mangled:?}");
        }
    }
}

#[test]
fn vkey_errors_say_what_is_wrong() {
    let error = |text: &str| text.parse::<VerifierKey>().unwrap_err();
    assert_eq!(
        error("PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr"),
        VerifierKeyError::Private
    );
    assert_eq!(error("PeterNeumann+c74f20a3"), VerifierKeyError::Form);
    assert_eq!(error(&PETER.replace("c74f20a3", "C74F20A3")), VerifierKeyError::Form);
    let id = VerifierKeyError::Id {
        found: 0xc74f20a4,
        expected: 0xc74f20a3,
    };
    assert_eq!(error(&PETER.replace("a3", "a4")), id);
    assert_eq!(error(&PETER[12..]), VerifierKeyError::Name(OriginError::Empty));
}

/// The encodings of the eight points of small order: canonical ones, ones with y ≥ p, and ones with the sign of x = 0
/// set (IACR ePrint 2020/1244).
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn bytes<const N: usize>(digits: &str) -> [u8; N] {
    hex::decode(digits).unwrap().try_into().unwrap()
}

#[test]
fn keys_and_points_of_small_order_are_refused() {
    let name = Origin::new("a").unwrap();
    let key = SigningKey::from_seed(name.clone(), &[7; 32]).unwrap();
    for (at, point) in SMALL_ORDER.iter().enumerate() {
        let point = bytes::<32>(point);
        let expected = if at < 8 {
            VerifierKeyError::Weak
        } else {
            VerifierKeyError::Point
        };
        assert_eq!(VerifierKey::new(name.clone(), &point), Err(expected));
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&point);
        assert!(!key.vkey().verify(b"", &signature));
    }
}

#[test]
fn keys_that_are_not_canonical_are_refused() {
    let name = Origin::new("a").unwrap();
    // y = p + k for the k whose point exists: a lenient reader takes it for y = k.
    let lenient = (0xed..=0xff).filter(|low| {
        let mut key = [0xff; 32];
        (key[0], key[31]) = (*low, 0x7f);
        assert_eq!(VerifierKey::new(name.clone(), &key), Err(VerifierKeyError::Point));
        ed25519_dalek::VerifyingKey::from_bytes(&key).is_ok()
    });
    assert!(lenient.count() > 2);
}

#[test]
fn s_beyond_the_order_is_refused() {
    let key = SigningKey::from_seed(Origin::new("a").unwrap(), &[7; 32]).unwrap();
    let signature = key.sign(b"text").unwrap();
    assert!(key.vkey().verify(b"text", &signature));
    let order = bytes::<32>("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut malleated = signature;
    let mut carry = 0;
    for (byte, add) in malleated[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert!(!key.vkey().verify(b"text", &malleated));
    assert!(!key::is_reduced(&order));
    let mut below = order;
    below[0] -= 1;
    assert!(key::is_reduced(&below));
    below[31] += 1;
    assert!(!key::is_reduced(&below));
}

#[test]
fn wycheproof() {
    let vectors: Value = serde_json::from_str(WYCHEPROOF).unwrap();
    let (mut valid, mut invalid) = (0, 0);
    for group in vectors["testGroups"].as_array().unwrap() {
        let key = bytes(group["publicKey"]["pk"].as_str().unwrap());
        let key = VerifierKey::new(Origin::new("wycheproof").unwrap(), &key).unwrap();
        for test in group["tests"].as_array().unwrap() {
            let message = hex::decode(test["msg"].as_str().unwrap()).unwrap();
            let signature: Result<[u8; 64], _> = hex::decode(test["sig"].as_str().unwrap()).unwrap().try_into();
            let accepted = signature.is_ok_and(|signature| key.verify(&message, &signature));
            assert_eq!(accepted, test["result"] == "valid", "{test}");
            *if accepted { &mut valid } else { &mut invalid } += 1;
        }
    }
    assert_eq!((valid, invalid), (88, 63));
}

#[test]
fn origins() {
    let wrong = |character, at| Err(OriginError::Character { character, at });
    assert_eq!(Origin::new(""), Err(OriginError::Empty));
    assert_eq!(Origin::new("a b"), wrong(' ', 1));
    assert_eq!(Origin::new("é\u{2003}"), wrong('\u{2003}', 2));
    assert_eq!(Origin::new("a\u{85}"), wrong('\u{85}', 1));
    assert_eq!(Origin::new("a\u{7f}"), wrong('\u{7f}', 1));
    assert_eq!(Origin::new("a+b"), wrong('+', 1));
    assert_eq!(Origin::new("a\n"), wrong('\n', 1));
    assert_eq!(
        Origin::new(&"a".repeat(32_768)),
        Err(OriginError::TooLong { bytes: 32_768 })
    );
    assert_eq!(
        Origin::new("Zürich.example/audit").unwrap().to_string(),
        "Zürich.example/audit"
    );
}

/// A signature line of an unknown key with as many bytes after the ID.
fn line(name: &str, length: usize) -> String {
    let mut line = format!("\u{2014} {name} ");
    base64::encode(&mut line, &vec![9; 4 + length]);
    line + "\n"
}

#[test]
fn malformed_notes() {
    let error = |note: &str| Note::parse(note).unwrap_err();
    let signature = |line| NoteError::Signature { line };
    let good = line("a", 64);
    assert_eq!(error(""), NoteError::NoSeparator);
    assert_eq!(error(&format!("text\n{good}")), NoteError::NoSeparator);
    assert_eq!(error("text\n\n"), NoteError::NoSignature);
    assert_eq!(error(&format!("text\n\n{}", good.trim_end())), NoteError::Unended);
    assert_eq!(
        error(&format!("te\txt\n\n{good}")),
        NoteError::Control { byte: b'\t', at: 2 }
    );
    assert_eq!(
        error(&format!("text\n\n{good}").replace('\n', "\r\n")),
        NoteError::Control { byte: b'\r', at: 4 }
    );
    assert_eq!(
        error(&format!("text\n\n{good}{}", good.replace('\u{2014}', "-"))),
        signature(2)
    );
    assert_eq!(error(&format!("text\n\n{}", line("", 64))), signature(1));
    assert_eq!(error(&format!("text\n\n{}", line("a+b", 64))), signature(1));
    assert_eq!(error(&format!("text\n\n{}", line("a\u{a0}b", 64))), signature(1));
    assert_eq!(error(&format!("text\n\n{}", line("a", 0))), signature(1));
    assert_eq!(
        error(&format!("text\n\n{good}{}", good.replace("CQ", "C-"))),
        signature(2)
    );
    // Padding left out, bits set after the last byte, a space too many.
    assert_eq!(error("text\n\n\u{2014} a CQkJCQk\n"), signature(1));
    assert_eq!(error("text\n\n\u{2014} a CQkJCQl=\n"), signature(1));
    assert_eq!(error("text\n\n\u{2014} a  CQkJCQk=\n"), signature(1));
    assert!(Note::parse("text\n\n\u{2014} a CQkJCQk=\n").is_ok());
    assert_eq!(
        error(&"a".repeat(NOTE_BYTES_MAX + 1)),
        NoteError::TooLong {
            bytes: NOTE_BYTES_MAX + 1
        }
    );
    assert_eq!(
        error(&format!("text\n\n{}", good.repeat(101))),
        NoteError::TooManySignatures { max: 100 }
    );
}

#[test]
fn notes_of_other_kinds_are_kept() {
    let note = format!("\n\na\n\n\n{}{}{}", line("\u{7f}é", 1), line("a", 5000), line("a", 767));
    let parsed = Note::parse(&note).unwrap();
    assert_eq!(parsed.text(), "\n\na\n\n");
    let lengths: Vec<_> = parsed
        .signatures()
        .iter()
        .map(|signature| signature.bytes().len())
        .collect();
    assert_eq!(lengths, [1, 5000, 767]);
    assert_eq!(parsed.to_string(), note);
    assert_eq!(parsed.open(&[vkey(PETER)]), Err(OpenError::Unverified));
    // Padding within the base64, where a chunk ends.
    let padded = note.replacen("=\n", "=CQkJ\n", 1);
    assert!(Note::parse(&padded).is_err());
}

#[test]
fn only_texts_of_notes_are_signed() {
    let key = SigningKey::from_seed(Origin::new("a").unwrap(), &[7; 32]).unwrap();
    assert!(sign("text", &[&key]).is_err());
    assert!(sign("te\rxt\n", &[&key]).is_err());
    assert!(sign("text\n", &[]).is_err());
    assert!(sign("text\n", &[&key as &dyn Signer; 101]).is_err());
    let key: &dyn Signer = &std::sync::Arc::new(Box::new(key) as Box<dyn Signer>);
    assert!(sign("text\n", &[key; 100]).is_ok_and(|note| Note::parse(&note).is_ok()));
}

proptest! {
    #[test]
    fn what_parses_prints_the_same(note in "[a\n \t]{0,6}\n{0,3}(\u{2014} [ab+é]{0,2} [A-D=]{0,12}\n){0,3}") {
        if let Ok(parsed) = Note::parse(&note) {
            prop_assert_eq!(parsed.to_string(), note);
        }
    }

    #[test]
    fn what_is_signed_opens(text in "[^\\x00-\\x1f]{0,20}(\n[^\\x00-\\x1f]{0,20}){0,4}\n", seed: [u8; 32]) {
        let key = SigningKey::from_seed(Origin::new("a").unwrap(), &seed).unwrap();
        let signed = sign(&text, &[&key]).unwrap();
        let note = Note::parse(&signed).unwrap();
        prop_assert_eq!(note.text(), &text);
        prop_assert!(note.open(std::slice::from_ref(key.vkey())).is_ok());
        let mut forged = text.clone();
        forged.insert(0, 'x');
        prop_assert!(!note.signatures()[0].verify(&forged, key.vkey()));
    }

    #[test]
    fn base64_has_one_spelling(text in "[A-Da-b+/=]{0,12}", long in prop::collection::vec(any::<u8>(), 0..3000)) {
        let decoded = base64::decode_vec(&text);
        let length = decoded.as_ref().and_then(|decoded| decoded.len().checked_sub(4));
        prop_assert_eq!(base64::scan(&text).map(|(_, length)| length), length);
        if let Some(decoded) = decoded {
            let mut printed = String::new();
            base64::encode(&mut printed, &decoded);
            prop_assert_eq!(printed, text);
        }
        let mut printed = String::new();
        base64::encode(&mut printed, &long);
        prop_assert_eq!(base64::scan(&printed).map(|(_, length)| length), long.len().checked_sub(4));
    }
}
