#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::hash::{self, Hash};

/// `MTH(D[n])` as RFC 6962 §2.1 defines it.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            hash::node(&mth(left), &mth(right))
        }
    }
}

/// The largest power of two smaller than `n`.
fn split(n: usize) -> usize {
    n.next_power_of_two() / 2
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|index| hash::leaf(&index.to_be_bytes())).collect()
}

#[test]
fn the_tree_is_that_of_the_definition() {
    let leaves = leaves(300);
    let mut tree = Tree::new();
    for size in 0..=leaves.len() {
        assert_eq!(tree.size(), size as u64);
        assert_eq!(tree.root(), mth(&leaves[..size]));
        assert_eq!(tree.peaks().len(), size.count_ones() as usize);
        assert_eq!(Tree::from_peaks(size as u64, tree.peaks().to_vec()).as_ref(), Ok(&tree));
        if let Some(leaf) = leaves.get(size) {
            tree.push(*leaf);
        }
    }
}

#[test]
fn peaks_that_are_no_tree() {
    let peaks = |count| vec![Hash::ZERO; count];
    assert_eq!(
        Tree::from_peaks(5, peaks(3)),
        Err(PeaksError::Count { size: 5, found: 3 })
    );
    assert_eq!(
        Tree::from_peaks(0, peaks(1)),
        Err(PeaksError::Count { size: 0, found: 1 })
    );
    assert_eq!(
        Tree::from_peaks(1 << 53, peaks(1)),
        Err(PeaksError::Size { size: 1 << 53 })
    );
    assert!(Tree::from_peaks((1 << 53) - 1, peaks(53)).is_ok());
}

#[test]
fn roots_that_others_computed() {
    // The leaves and roots of the tests of Certificate Transparency's first log.
    let leaves = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let leaves = leaves.map(|digits| hash::leaf(&hex::decode(digits).unwrap()));
    let roots = [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ];
    for (size, root) in roots {
        assert_eq!(root_of(&leaves[..size]).to_string(), root);
    }
}

/// `PATH(m, D[n])` as RFC 6962 §2.1.1 defines it.
fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut below, sibling) = match index.checked_sub(left.len()) {
        None => (path(index, left), right),
        Some(index) => (path(index, right), left),
    };
    below.push(mth(sibling));
    below
}

/// `SUBPROOF(m, D[n], b)` as RFC 6962 §2.1.2 defines it.
fn subproof(old: usize, leaves: &[Hash], known: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if known { Vec::new() } else { vec![mth(leaves)] };
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut below, sibling) = match old.checked_sub(left.len()) {
        None | Some(0) => (subproof(old, left, known), right),
        Some(old) => (subproof(old, right, false), left),
    };
    below.push(mth(sibling));
    below
}

/// A reader of the definition's hashes, which has those of whole subtrees alone.
fn reader(leaves: &[Hash]) -> impl HashReader<Error = ProofError> {
    |level: u32, index: u64| {
        let start = (index << level) as usize;
        leaves
            .get(start..start + (1 << level))
            .map(mth)
            .ok_or(ProofError::Missing { level, index })
    }
}

#[test]
fn inclusion_is_that_of_the_definition() {
    let leaves = leaves(130);
    for size in 1..=leaves.len() {
        let (known, root) = (&leaves[..size], mth(&leaves[..size]));
        // Every leaf of the smaller trees, and a few of the larger ones.
        for index in (0..size).filter(|index| size < 70 || index % 13 == 0 || size - index < 3) {
            let (at, of) = (index as u64, size as u64);
            let proof = inclusion_proof(&mut reader(known), at, of).unwrap();
            assert_eq!(proof, path(index, known));
            assert_eq!(inclusion_length(at, of), Ok(proof.len()));
            assert_eq!(verify_inclusion(at, of, leaves[index], &proof, &root), Ok(()));
            assert!(verify_inclusion(at, of, Hash::ZERO, &proof, &root).is_err());
            assert!(verify_inclusion(at, of, leaves[index], &proof, &Hash::ZERO).is_err());
        }
    }
}

#[test]
fn consistency_is_that_of_the_definition() {
    let leaves = leaves(130);
    for new in 0..=leaves.len() {
        let (known, root) = (&leaves[..new], mth(&leaves[..new]));
        for old in (0..=new).filter(|old| new < 70 || old % 13 == 0 || new - old < 3 || old.is_power_of_two()) {
            let (from, to, old_root) = (old as u64, new as u64, mth(&leaves[..old]));
            let proof = consistency_proof(&mut reader(known), from, to).unwrap();
            assert_eq!(
                proof,
                if old == 0 {
                    Vec::new()
                } else {
                    subproof(old, known, true)
                },
                "{old} {new}"
            );
            assert_eq!(
                verify_consistency(from, &old_root, to, &root, &proof),
                Ok(()),
                "{old} {new}"
            );
            assert!(verify_consistency(from, &Hash::ZERO, to, &root, &proof).is_err());
            if old > 0 || new == 0 {
                assert!(verify_consistency(from, &old_root, to, &Hash::ZERO, &proof).is_err());
            }
            assert_eq!(root_at(&mut reader(known), from), Ok(old_root));
        }
    }
}

#[test]
fn proofs_that_there_are_not() {
    let (leaves, one) = (leaves(8), Hash::ZERO);
    let mut hashes = reader(&leaves);
    assert_eq!(
        inclusion_proof(&mut hashes, 8, 8),
        Err(ProofError::Index { index: 8, size: 8 })
    );
    assert_eq!(
        inclusion_proof(&mut hashes, 0, 0),
        Err(ProofError::Index { index: 0, size: 0 })
    );
    assert_eq!(
        inclusion_proof(&mut hashes, 1, 9),
        Err(ProofError::Missing { level: 0, index: 8 })
    );
    assert_eq!(
        consistency_proof(&mut hashes, 3, 2),
        Err(ProofError::Sizes { old: 3, new: 2 })
    );
    let size = 1 << 53;
    assert_eq!(inclusion_proof(&mut hashes, 0, size), Err(ProofError::Size { size }));
    assert_eq!(consistency_proof(&mut hashes, 1, size), Err(ProofError::Size { size }));
    assert_eq!(root_at(&mut hashes, size), Err(ProofError::Size { size }));
    assert_eq!(root_at(&mut hashes, 0), Ok(Hash::of(b"")));

    let length = |found, expected| Err(ProofError::Length { found, expected });
    assert_eq!(
        verify_inclusion(0, 0, one, &[], &one),
        Err(ProofError::Index { index: 0, size: 0 })
    );
    assert_eq!(
        verify_inclusion(u64::MAX, u64::MAX, one, &[], &one),
        Err(ProofError::Size { size: u64::MAX })
    );
    assert_eq!(verify_inclusion(0, 1, one, &[one], &one), length(1, 0));
    assert_eq!(verify_inclusion(0, 1, one, &[], &one), Ok(()));
    assert_eq!(verify_inclusion(4, 5, one, &[one; 3], &one), length(3, 1));
    assert_eq!(
        verify_inclusion(SIZE_MAX - 1, SIZE_MAX, one, &[one; 53], &one),
        length(53, 52)
    );
    assert_eq!(
        verify_consistency(2, &one, 1, &one, &[]),
        Err(ProofError::Sizes { old: 2, new: 1 })
    );
    assert_eq!(verify_consistency(3, &one, 3, &one, &[one]), length(1, 0));
    assert_eq!(verify_consistency(0, &Hash::of(b""), 3, &one, &[one]), length(1, 0));
    assert_eq!(verify_consistency(1, &one, 2, &one, &[]), length(0, 1));
    assert_eq!(verify_consistency(1, &one, 2, &one, &[one; 2]), length(2, 1));
    let (found, expected) = (one, leaves[0]);
    assert_eq!(
        verify_consistency(3, &one, 3, &expected, &[]),
        Err(ProofError::Root { found, expected })
    );
    let found = Hash::of(b"");
    assert_eq!(
        verify_consistency(0, &one, 3, &one, &[]),
        Err(ProofError::OldRoot { found, expected: one })
    );
}

#[test]
fn paths_of_tiles() {
    // The examples of C2SP tlog-tiles.
    assert_eq!(
        Tile::new(0, 1_234_067, 256).unwrap().to_string(),
        "tile/0/x001/x234/067"
    );
    let names = |old, new| tiles(old, new).map(|tile| tile.to_string()).collect::<Vec<_>>();
    let all = names(0, 70_000);
    assert_eq!(all.len(), 273 + 4);
    assert_eq!((all[0].as_str(), all[272].as_str()), ("tile/0/000", "tile/0/272"));
    assert_eq!(
        all[273..],
        ["tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]
    );
    assert_eq!(names(0, 256), ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(names(255, 256), ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(names(256, 257), ["tile/0/001.p/1"]);
    assert_eq!((names(0, 0), names(5, 5), names(6, 5)), (vec![], vec![], vec![]));

    let last = Tile::of_tree(6, 0, SIZE_MAX).unwrap();
    assert_eq!(
        (last.to_string().as_str(), last.leaves()),
        ("tile/6/000.p/31", 0..31 << 48)
    );
    assert_eq!(Tile::of_tree(7, 0, SIZE_MAX), None);
    assert_eq!(Tile::new(0, u64::MAX, 1), None);
    assert_eq!(Tile::new(0, SIZE_MAX / 256, 256), None);
    let far = Tile::new(0, SIZE_MAX / 256, 255).unwrap();
    assert_eq!(far.to_string(), "tile/0/x035/x184/x372/x088/831.p/255");
    assert_eq!(far.to_string().parse(), Ok(far));

    let wrong = [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/00/000",
        "tile/7/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/x001/",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/1.p/1",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/x001000",
        "tile/+0/000",
        "tile/0/٠٠٠",
        "tile/entries/000",
        "tile/0/x036/x000/x000/x000/000",
    ];
    for path in wrong {
        assert_eq!(path.parse::<Tile>(), Err(TileError::Path), "{path}");
    }
    assert_eq!(
        far.entries_path().unwrap(),
        "tile/entries/x035/x184/x372/x088/831.p/255"
    );
    assert_eq!(Tile::from_entries_path(&far.entries_path().unwrap()), Ok(far));
    assert_eq!(Tile::from_entries_path("tile/0/000"), Err(TileError::Path));
    assert_eq!(last.entries_path(), None);
}

#[test]
fn bytes_of_tiles() {
    let tile = Tile::new(0, 0, 2).unwrap();
    assert_eq!(tile.hashes(&[7; 64]), Ok(vec![Hash::from_bytes([7; 32]); 2]));
    for found in [0, 32, 63, 65, 96] {
        assert_eq!(
            tile.hashes(&vec![7; found]),
            Err(TileError::Length {
                tile,
                found,
                expected: 64
            })
        );
    }
}

/// The tiles of a tree, made by their definition in C2SP tlog-tiles.
fn stored(leaves: &[Hash]) -> BTreeMap<Tile, Vec<Hash>> {
    let hashes = |tile: Tile| {
        let (start, count) = (tile.leaves().start as usize, 256_usize.pow(tile.level().into()));
        (0..usize::from(tile.width()))
            .map(|at| mth(&leaves[start + at * count..start + (at + 1) * count]))
            .collect()
    };
    tiles(0, leaves.len() as u64).map(|tile| (tile, hashes(tile))).collect()
}

#[test]
fn proofs_from_tiles() {
    let leaves = leaves(70_000);
    let stored = stored(&leaves);
    let size = leaves.len() as u64;
    let mut read = Vec::new();
    let mut hashes = TileHashes::new(size, |tile| {
        read.push(tile);
        stored.get(&tile).cloned().ok_or(ProofError::Tile { tile, found: 0 })
    });
    let root = root_of(&leaves);
    assert_eq!(root_at(&mut hashes, size), Ok(root));
    for index in [0, 255, 256, 65_535, 65_536, 69_887, 69_999] {
        let proof = inclusion_proof(&mut hashes, index, size).unwrap();
        verify_inclusion(index, size, leaves[index as usize], &proof, &root).unwrap();
    }
    for old in [1, 255, 256, 257, 65_536, 65_537, 69_888, 69_999] {
        let old_root = root_at(&mut hashes, old).unwrap();
        assert_eq!(old_root, root_of(&leaves[..old as usize]));
        let proof = consistency_proof(&mut hashes, old, size).unwrap();
        verify_consistency(old, &old_root, size, &root, &proof).unwrap();
    }
    let missing = Err(ProofError::Missing { level: 17, index: 0 });
    assert_eq!(hashes.hash(17, 0), missing);
    assert_eq!(hashes.hash(0, size), Err(ProofError::Missing { level: 0, index: size }));
    assert!(hashes.hash(u32::MAX, u64::MAX).is_err());
    assert_eq!(
        read.iter().collect::<BTreeSet<_>>().len(),
        read.len(),
        "a tile was read twice: {read:?}"
    );
}

#[test]
fn tiles_that_are_too_short() {
    let tile = Tile::new(0, 0, 10).unwrap();
    let mut short = TileHashes::new(10, |_| Ok(vec![Hash::ZERO; 9]));
    assert_eq!(root_at(&mut short, 10), Err(ProofError::Tile { tile, found: 9 }));
    let mut full = TileHashes::new(10, |_| Ok::<_, ProofError>(leaves(256)));
    assert_eq!(root_at(&mut full, 10), Ok(mth(&leaves(10))));
}

proptest! {
    #[test]
    fn any_proof_verifies_by_the_definition(size in 1..400_usize, at: prop::sample::Index, other: prop::sample::Index) {
        let leaves = leaves(size);
        let root = mth(&leaves);
        let index = at.index(size);
        let proof = inclusion_proof(&mut reader(&leaves), index as u64, size as u64).unwrap();
        prop_assert_eq!(&proof, &path(index, &leaves));
        prop_assert_eq!(verify_inclusion(index as u64, size as u64, leaves[index], &proof, &root), Ok(()));
        let other = other.index(size);
        if other != index {
            prop_assert!(verify_inclusion(other as u64, size as u64, leaves[index], &proof, &root).is_err());
        }
        let old = index + 1;
        let old_root = mth(&leaves[..old]);
        let proof = consistency_proof(&mut reader(&leaves), old as u64, size as u64).unwrap();
        prop_assert_eq!(&proof, &subproof(old, &leaves, true));
        prop_assert_eq!(verify_consistency(old as u64, &old_root, size as u64, &root, &proof), Ok(()));
    }

    #[test]
    fn no_changed_hash_is_accepted(
        size in 2..400_usize,
        at: prop::sample::Index,
        which: prop::sample::Index,
        bit in 0..256_usize,
    ) {
        let leaves = leaves(size);
        let root = mth(&leaves);
        let change = |proof: &mut Vec<Hash>| {
            let which = which.index(proof.len());
            let mut bytes = *proof[which].as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            proof[which] = Hash::from_bytes(bytes);
        };
        let index = at.index(size);
        let mut proof = path(index, &leaves);
        change(&mut proof);
        prop_assert!(verify_inclusion(index as u64, size as u64, leaves[index], &proof, &root).is_err());
        let old = 1 + at.index(size - 1);
        let mut proof = subproof(old, &leaves, true);
        change(&mut proof);
        prop_assert!(verify_consistency(old as u64, &mth(&leaves[..old]), size as u64, &root, &proof).is_err());
    }

    #[test]
    fn nothing_panics(index: u64, size: u64, old: u64, count in 0..70_usize, small in 0..9_u64) {
        let proof = vec![Hash::ZERO; count];
        let _ = verify_inclusion(index, size, Hash::ZERO, &proof, &Hash::ZERO);
        let _ = verify_consistency(old, &Hash::ZERO, size, &Hash::ZERO, &proof);
        let _ = verify_inclusion(index % SIZE_MAX, SIZE_MAX - small, Hash::ZERO, &proof, &Hash::ZERO);
        let mut zeros = |_: u32, _: u64| Ok::<_, ProofError>(Hash::ZERO);
        if let Ok(path) = inclusion_proof(&mut zeros, index, size >> 10) {
            prop_assert_eq!(Ok(path.len()), inclusion_length(index, size >> 10));
        }
        let (old, new) = ((old >> 11).min(size >> 11), (old >> 11).max(size >> 11));
        let proof = consistency_proof(&mut zeros, old, new).unwrap();
        let verified = verify_consistency(old, &Hash::ZERO, new, &Hash::ZERO, &proof);
        let wrong_length = matches!(verified, Err(ProofError::Length { .. }));
        prop_assert!(!wrong_length);
        let _ = Tile::holding(small as u32 * 7, index, size);
    }

    #[test]
    fn paths_read_as_printed(level in 0..=6_u8, index in 0..1_u64 << 45, shift in 0..46_u32, width in 1..=256_u16) {
        if let Some(tile) = Tile::new(level, index >> shift, width) {
            prop_assert_eq!(tile.to_string().parse(), Ok(tile));
        }
    }

    #[test]
    fn what_reads_as_a_path_prints_the_same(path in "tile/[0-7]/(x?[0-2]{3}/){0,3}[0-9x]{3,4}(\\.p/[0-9]{1,3})?") {
        if let Ok(tile) = path.parse::<Tile>() {
            prop_assert_eq!(tile.to_string(), path);
        }
    }

    #[test]
    fn a_tree_grows_tile_by_tile(old in 0..200_000_u64, more in 0..5_000_u64) {
        let new = old + more;
        let before: BTreeSet<_> = tiles(0, old).collect();
        let after: BTreeSet<_> = tiles(0, new).collect();
        prop_assert_eq!(tiles(old, new).collect::<BTreeSet<_>>(), &after - &before);
    }
}
