use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::{HashReader, ProofError, SIZE_MAX};
use crate::checkpoint::decimal;
use crate::hash::{self, Hash};

/// A tile of a tree: up to 256 consecutive hashes of one level in eight (C2SP tlog-tiles).
///
/// Tile `index` of level `level` has the hashes of the perfect subtrees of 256^`level` leaves from leaf
/// `index`·256^(`level`+1) on. A tile of less than 256 is partial: it stands on the right edge of the tree. Printed,
/// and read, as the path that it is published under: `tile/0/x001/x234/067` or, if it is partial, `tile/1/000.p/17`.
///
/// ```
/// use indelible::merkle::{Tile, tiles};
///
/// let names: Vec<_> = tiles(69_800, 70_000).map(|tile| tile.to_string()).collect();
/// assert_eq!(names, ["tile/0/272", "tile/0/273.p/112", "tile/1/001.p/17"]);
///
/// let tile: Tile = "tile/0/x001/x234/067".parse()?;
/// assert_eq!((tile.index(), tile.width()), (1_234_067, 256));
/// assert_eq!(tile.entries_path().as_deref(), Some("tile/entries/x001/x234/067"));
/// # Ok::<(), indelible::merkle::TileError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    level: u8,
    index: u64,
    width: u16,
}

impl Tile {
    /// The tile with this place and this many hashes; `None` if it is in no tree of at most 2^53−1 leaves.
    pub fn new(level: u8, index: u64, width: u16) -> Option<Self> {
        let end = index.checked_mul(TILE_WIDTH)?.checked_add(width.into())?;
        (1..=FULL).contains(&width).then_some(())?;
        (end <= count(level, SIZE_MAX)?).then_some(Self { level, index, width })
    }

    /// The tile with this place as a tree of `size` leaves has it; `None` if it has none there.
    pub fn of_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        let left = count(level, size)?.checked_sub(index.checked_mul(TILE_WIDTH)?)?;
        Self::new(level, index, u16::try_from(left.min(TILE_WIDTH)).ok()?)
    }

    /// The tile of a tree of `size` leaves from which the hash of the 2^`level` leaves from leaf `index`·2^`level` is
    /// made, and those of the tile's hashes that it is the [root of](super::root_of); `None` if those leaves are not
    /// all in the tree.
    pub fn holding(level: u32, index: u64, size: u64) -> Option<(Self, Range<usize>)> {
        let height = level % 8;
        let first = index.checked_mul(1 << height)?;
        let tile = Self::of_tree(u8::try_from(level / 8).ok()?, first / TILE_WIDTH, size)?;
        let start = usize::try_from(first % TILE_WIDTH).ok()?;
        let range = start..start + (1 << height);
        (range.end <= tile.width.into()).then_some((tile, range))
    }

    /// The level, from 0 to [`TILE_LEVEL_MAX`]: that of level 0 holds leaves.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// Which tile of its level it is, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes it has: from 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether it has all of its 256 hashes.
    pub fn is_full(&self) -> bool {
        self.width == FULL
    }

    /// The leaves that its hashes span. Once the log has none of those before the end, a full tile need not be
    /// served.
    pub fn leaves(&self) -> Range<u64> {
        let shift = 8 * u32::from(self.level);
        let first = self.index * TILE_WIDTH;
        first << shift..(first + u64::from(self.width)) << shift
    }

    /// The path of the entry bundle with the records whose hashes a tile of level 0 has: `tile/entries/000`; `None`
    /// at other levels.
    pub fn entries_path(&self) -> Option<String> {
        (self.level == 0).then(|| format!("{ENTRIES}{}", Place(*self)))
    }

    /// The tile of level 0 whose [`entries_path`](Self::entries_path) this is.
    ///
    /// # Errors
    ///
    /// [`TileError::Path`] if it is none.
    pub fn from_entries_path(path: &str) -> Result<Self, TileError> {
        path.strip_prefix(ENTRIES)
            .and_then(|place| parse_place(0, place))
            .ok_or(TileError::Path)
    }

    /// The hashes in the bytes of the tile, 32 for each.
    ///
    /// # Errors
    ///
    /// [`TileError::Length`] if there are more or fewer bytes.
    pub fn hashes(&self, bytes: &[u8]) -> Result<Vec<Hash>, TileError> {
        let expected = 32 * usize::from(self.width);
        match bytes.as_chunks() {
            (hashes, []) if bytes.len() == expected => {
                Ok(hashes.iter().map(|bytes| Hash::from_bytes(*bytes)).collect())
            }
            _ => Err(TileError::Length {
                tile: *self,
                found: bytes.len(),
                expected,
            }),
        }
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{TILE}{}/{}", self.level, Place(*self))
    }
}

impl FromStr for Tile {
    type Err = TileError;

    fn from_str(path: &str) -> Result<Self, TileError> {
        let (level, place) = path
            .strip_prefix(TILE)
            .and_then(|rest| rest.split_once('/'))
            .ok_or(TileError::Path)?;
        let level = decimal(level)
            .and_then(|level| u8::try_from(level).ok())
            .ok_or(TileError::Path)?;
        parse_place(level, place).ok_or(TileError::Path)
    }
}

/// The tiles of a tree of `new` leaves that one of `old` did not have as they are, level by level, each from the
/// left: what is to be published. All tiles of a tree, if `old` is 0.
pub fn tiles(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    (0..=TILE_LEVEL_MAX).flat_map(move |level| {
        let (before, after) = (
            count(level, old).unwrap_or(0),
            count(level, new.min(SIZE_MAX)).unwrap_or(0),
        );
        let changed = if before < after {
            before / TILE_WIDTH..after.div_ceil(TILE_WIDTH)
        } else {
            0..0
        };
        changed.filter_map(move |index| Tile::of_tree(level, index, new.min(SIZE_MAX)))
    })
}

/// The hashes of a tree of a given size, read from its tiles.
///
/// The last few tiles are kept with the nodes that were made from them, so that neighbouring proofs cost little. What
/// is read is not checked: a proof that is made from it is, by who verifies it.
pub struct TileHashes<F> {
    size: u64,
    read: F,
    kept: Vec<(Tile, Nodes)>,
}

impl<F> TileHashes<F> {
    /// Reads the tiles of a tree of `size` leaves with `read`, which gives the hashes of a tile. It may give more
    /// than the tile's width, those of a larger tree.
    pub fn new<E>(size: u64, read: F) -> Self
    where
        F: FnMut(Tile) -> Result<Vec<Hash>, E>,
        E: From<ProofError>,
    {
        Self {
            size,
            read,
            kept: Vec::new(),
        }
    }
}

impl<F, E> HashReader for TileHashes<F>
where
    F: FnMut(Tile) -> Result<Vec<Hash>, E>,
    E: From<ProofError>,
{
    type Error = E;

    fn hash(&mut self, level: u32, index: u64) -> Result<Hash, E> {
        let missing = || E::from(ProofError::Missing { level, index });
        let (tile, range) = Tile::holding(level, index, self.size).ok_or_else(missing)?;
        if !self.kept.iter().any(|(kept, _)| *kept == tile) {
            let hashes = (self.read)(tile)?;
            if hashes.len() < tile.width.into() {
                return Err(ProofError::Tile {
                    tile,
                    found: hashes.len(),
                }
                .into());
            }
            if self.kept.len() == KEPT_MAX {
                self.kept.remove(0);
            }
            self.kept.push((tile, Nodes::new(&hashes)));
        }
        let nodes = self
            .kept
            .iter_mut()
            .find(|(kept, _)| *kept == tile)
            .map(|(_, nodes)| nodes);
        nodes.and_then(|nodes| nodes.root_of(range)).ok_or_else(missing)
    }
}

/// A tile as a binary tree: node 1 is the root, 2n and 2n+1 are the children of node n, and the tile's hashes are the
/// nodes from 256 on. Inner nodes are made when they are asked for.
struct Nodes(Vec<Option<Hash>>);

impl Nodes {
    fn new(hashes: &[Hash]) -> Self {
        let full = usize::from(FULL);
        let mut nodes = vec![None; 2 * full];
        for (node, hash) in nodes.iter_mut().skip(full).zip(hashes) {
            *node = Some(*hash);
        }
        Self(nodes)
    }

    /// The root of a range that [`Tile::holding`] gave.
    fn root_of(&mut self, range: Range<usize>) -> Option<Hash> {
        self.node((usize::from(FULL) + range.start).checked_div(range.len())?)
    }

    fn node(&mut self, at: usize) -> Option<Hash> {
        if let Some(hash) = *self.0.get(at)? {
            return Some(hash);
        }
        if at == 0 || at >= usize::from(FULL) {
            return None;
        }
        let hash = hash::node(&self.node(2 * at)?, &self.node(2 * at + 1)?);
        *self.0.get_mut(at)? = Some(hash);
        Some(hash)
    }
}

impl<F> fmt::Debug for TileHashes<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TileHashes")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// Why a path or its bytes are no tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileError {
    /// It is not the path of a tile.
    #[error(
        "a tile has the path tile/LEVEL/INDEX, the index in groups of three digits: x001/234, and .p/WIDTH if partial"
    )]
    Path,
    /// The tile does not have as many bytes as its width says.
    #[error("{tile} has {found} bytes, not {expected}")]
    Length {
        /// The tile.
        tile: Tile,
        /// How many bytes it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
}

/// The index and the width of a tile, as its path has them.
struct Place(Tile);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.index.to_string();
        let padded = format!("{digits:0>width$}", width = digits.len().next_multiple_of(3));
        let last = padded.len() - 3;
        for (at, digit) in padded.char_indices() {
            match (at % 3, at == last) {
                (0, false) => write!(f, "x{digit}")?,
                (2, _) if at < last => write!(f, "{digit}/")?,
                _ => write!(f, "{digit}")?,
            }
        }
        if self.0.is_full() {
            Ok(())
        } else {
            write!(f, ".p/{}", self.0.width)
        }
    }
}

/// Reads what [`Place`] prints, and nothing else.
fn parse_place(level: u8, text: &str) -> Option<Tile> {
    if text.len() > PLACE_BYTES_MAX {
        return None;
    }
    let (index, width) = match text.split_once(".p/") {
        Some((index, width)) => (index, u16::try_from(decimal(width)?).ok()?),
        None => (text, FULL),
    };
    let digits: String = index.chars().filter(char::is_ascii_digit).collect();
    let tile = Tile::new(level, digits.parse().ok()?, width)?;
    (Place(tile).to_string() == text).then_some(tile)
}

/// How many hashes tiles of this level have in a tree of `size` leaves; `None` if there is no such level.
fn count(level: u8, size: u64) -> Option<u64> {
    (level <= TILE_LEVEL_MAX).then(|| size >> (8 * u32::from(level)))
}

/// The highest level of a tile: a tree of 2^48 leaves has its first one.
pub const TILE_LEVEL_MAX: u8 = 6;

/// How many hashes a full tile has.
pub const TILE_WIDTH: u64 = 256;

const FULL: u16 = 256;

const TILE: &str = "tile/";

const ENTRIES: &str = "tile/entries/";

/// The longest place: the index of the last tile of level 0 and a width.
const PLACE_BYTES_MAX: usize = 32;

/// How many tiles are kept: more than the edges of a proof have.
const KEPT_MAX: usize = 16;
