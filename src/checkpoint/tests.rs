#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::note::NoteError;
use crate::sign::SigningKey;

const GO: &str = include_str!("../../tests/vectors/golang-sumdb/note-vectors.json");

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(Origin::new("example.com/log").unwrap(), &[seed; 32]).unwrap()
}

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint::new(Origin::new("example.com/log").unwrap(), size, Hash::of(b"root")).unwrap()
}

#[test]
fn the_published_example() {
    // C2SP tlog-checkpoint, whose vkey is not published.
    let note = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        \u{2014} example.com/behind-the-sofa \
        Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
    let signed: SignedCheckpoint = note.parse().unwrap();
    assert_eq!(signed.checkpoint().size(), 20_852_163);
    assert_eq!(signed.checkpoint().origin().as_str(), "example.com/behind-the-sofa");
    assert_eq!(signed.to_string(), note);
    assert_eq!(signed.signers()[0].to_string(), "example.com/behind-the-sofa+033de0ae");
}

#[test]
fn go_tree_notes() {
    let vectors: Value = serde_json::from_str(GO).unwrap();
    let note = &vectors["tree_note"];
    // Go takes an origin with spaces, which this format does not.
    let wanted = note["want"].as_str().unwrap();
    assert!(matches!(
        wanted.parse::<Checkpoint>(),
        Err(CheckpointError::Name(OriginError::Character { at: 6, .. }))
    ));
    let named = |text: &str| text.replace("go.sum database tree", "go.sum");
    let parsed: Checkpoint = named(wanted).parse().unwrap();
    assert_eq!(parsed.size(), note["size"].as_u64().unwrap());
    assert_eq!(
        parsed.root(),
        crate::hash::leaf(note["leaf"].as_str().unwrap().as_bytes())
    );
    assert_eq!(parsed.to_string(), named(wanted));
    let bad: Vec<_> = note["bad"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bad| named(bad.as_str().unwrap()).parse())
        .collect();
    assert_eq!(
        bad,
        [Err::<Checkpoint, _>(CheckpointError::Size), Err(CheckpointError::Root)]
    );
}

#[test]
fn texts_that_are_no_checkpoints() {
    let error = |text: &str| text.parse::<Checkpoint>().unwrap_err();
    let root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    for text in [
        String::new(),
        format!("a\n0\n{root}"),
        format!("a\n0\n{root}\nmore\n"),
        format!("a\n0\n{root}\n\n"),
    ] {
        assert_eq!(error(&text), CheckpointError::Lines);
    }
    assert_eq!(
        error(&format!("\n0\n{root}\n")),
        CheckpointError::Name(OriginError::Empty)
    );
    for size in [
        "",
        "00",
        "01",
        "+1",
        "-0",
        "1 ",
        "9007199254740992",
        "18446744073709551616",
        "1e3",
        "٣",
    ] {
        assert_eq!(error(&format!("a\n{size}\n{root}\n")), CheckpointError::Size, "{size}");
    }
    for size in [0, 1, 9_007_199_254_740_991] {
        assert_eq!(
            format!("a\n{size}\n{root}\n").parse::<Checkpoint>().unwrap().size(),
            size
        );
    }
    for root in [
        &root[..43],
        &format!("{root}="),
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=",
        "",
        "AAAA",
        &root.replace('+', "-"),
    ] {
        assert_eq!(error(&format!("a\n0\n{root}\n")), CheckpointError::Root, "{root}");
    }
    assert_eq!(
        Checkpoint::new(Origin::new("a").unwrap(), 1 << 53, Hash::ZERO),
        Err(CheckpointError::Size)
    );
}

#[test]
fn signed_by_one_or_two_keys() {
    let (old, new, third) = (key(1), key(2), key(3));
    let signed = checkpoint(5).sign(&[&old, &new]).unwrap();
    assert_eq!(signed.verify(old.vkey()), Ok(0));
    assert_eq!(signed.verify(new.vkey()), Ok(1));
    assert_eq!(Checkpoint::open(signed.as_str(), new.vkey()), Ok(checkpoint(5)));
    assert_eq!(signed.as_str().parse(), Ok(signed.clone()));
    let expected = CheckpointError::Unsigned {
        key: third.vkey().key_id(),
        signers: vec![old.vkey().key_id(), new.vkey().key_id()],
    };
    assert_eq!(signed.verify(third.vkey()), Err(expected.clone()));
    assert_eq!(Checkpoint::open(signed.as_str(), third.vkey()), Err(expected));
}

#[test]
fn signatures_that_do_not_hold() {
    let key = key(1);
    let other = SigningKey::from_seed(Origin::new("example.com/other").unwrap(), &[1; 32]).unwrap();
    assert!(checkpoint(5).sign(&[&other]).is_err());
    assert!(checkpoint(5).sign(&[]).is_err());
    assert!(checkpoint(5).sign(&[&key as &dyn Signer; 17]).is_err());

    let signed = checkpoint(5).sign(&[&key]).unwrap();
    let forged = signed.as_str().replace("\n5\n", "\n6\n");
    let invalid = CheckpointError::Signature {
        key: key.vkey().key_id(),
    };
    assert_eq!(Checkpoint::open(&forged, key.vkey()), Err(invalid.clone()));
    let origin = CheckpointError::Origin {
        found: key.vkey().name().clone(),
        expected: other.vkey().name().clone(),
    };
    assert_eq!(Checkpoint::open(signed.as_str(), other.vkey()), Err(origin));

    // A valid line does not excuse another of the same key that is not.
    let (_, line) = signed.as_str().split_once("\n\n").unwrap();
    let other_line = checkpoint(6).sign(&[&key]).unwrap();
    let (_, other_line) = other_line.as_str().split_once("\n\n").unwrap();
    assert_eq!(
        Checkpoint::open(&format!("{}{other_line}", signed.as_str()), key.vkey()),
        Err(invalid)
    );
    assert!(Checkpoint::open(&format!("{}{line}", signed.as_str()), key.vkey()).is_ok());

    let many = format!("{}{}", signed.as_str(), line.repeat(16));
    let too_many = CheckpointError::Note(NoteError::TooManySignatures { max: 16 });
    assert_eq!(Checkpoint::open(&many, key.vkey()), Err(too_many.clone()));
    assert_eq!(many.parse::<SignedCheckpoint>(), Err(too_many));
    assert!(many.strip_suffix(line).unwrap().parse::<SignedCheckpoint>().is_ok());
    let trailing = format!("{}more\n", signed.as_str());
    assert_eq!(
        Checkpoint::open(&trailing, key.vkey()),
        Err(NoteError::Signature { line: 2 }.into())
    );
}

proptest! {
    #[test]
    fn what_parses_prints_the_same(text in "[a+\n]{0,3}\n[0-9]{1,2}\n([A-D]{42}[A-Z]=\n){1,2}") {
        if let Ok(parsed) = text.parse::<Checkpoint>() {
            prop_assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn no_changed_byte_is_accepted(at in 0..1000_usize, byte in 0..0x80_u8) {
        let key = key(1);
        let signed = checkpoint(1234).sign(&[&key]).unwrap();
        let mut changed = signed.as_str().as_bytes().to_vec();
        let at = at % changed.len();
        changed[at] = byte;
        if let Ok(changed) = String::from_utf8(changed) {
            prop_assert_eq!(Checkpoint::open(&changed, key.vkey()).is_ok(), changed == signed.as_str());
        }
    }
}
