//! Anything else that a host says about an event, by key (EVENTS §1).

use std::fmt;

use super::change::Json;

/// Anything else about an event, by key: at most 50 keys, each at most 40 bytes of `[A-Za-z0-9_.-]`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata(Vec<MetadataEntry>);

impl Metadata {
    /// The number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What stands under a key.
    pub fn get(&self, key: &str) -> Option<&MetadataEntry> {
        self.place(key).ok().map(|index| &self.0[index])
    }

    /// All entries, in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &MetadataEntry> + Clone {
        self.0.iter()
    }

    /// Sets what stands under a key, in place of what stood there before.
    pub(super) fn set(&mut self, key: String, value: Json, personal: bool) {
        match self.place(&key) {
            Ok(index) => self.0[index] = MetadataEntry { key, value, personal },
            Err(index) => self.0.insert(index, MetadataEntry { key, value, personal }),
        }
    }

    /// Marks an entry as personal; `false` where there is none of that key.
    pub(super) fn mark_personal(&mut self, key: &str) -> bool {
        let place = self.place(key);
        place.map(|index| self.0[index].personal = true).is_ok()
    }

    fn place(&self, key: &str) -> Result<usize, usize> {
        match self.0.last() {
            // Whoever gives keys in their order pays for no search.
            Some(last) if *last.key >= *key => self.0.binary_search_by(|entry| (*entry.key).cmp(key)),
            _ => Err(self.0.len()),
        }
    }
}

/// The entries without their values.
impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

/// One key of the metadata, with its value.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetadataEntry {
    /// The key. Kept for good, unless the entry is personal.
    pub key: String,
    /// The value.
    pub value: Json,
    /// Whether it is personal: then it can be erased.
    pub personal: bool,
}

/// Without the value: it may be personal, or a secret. The key of a personal entry is personal, too.
impl fmt::Debug for MetadataEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut entry = f.debug_struct("MetadataEntry");
        if !self.personal {
            entry.field("key", &self.key);
        }
        entry.field("personal", &self.personal).finish_non_exhaustive()
    }
}
