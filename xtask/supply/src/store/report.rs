//! What came of a fetch: everything, or what failed and why.

use std::fmt;

use crate::url::redact;
use crate::{Cause, Digest, FetchError, Origin, Tried};

/// One file that was wanted and is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedItem {
    /// What the caller calls it.
    pub name: String,
    /// Its digest.
    pub sha256: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Where its bytes came from.
    pub origin: Origin,
}

/// What is in the store now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchedAll {
    /// Every file, in the order it was asked for; those that failed left out.
    pub items: Vec<FetchedItem>,
    /// How many objects were fetched.
    pub downloaded: usize,
    /// How many objects were there already.
    pub present: usize,
    /// Bytes that came over the network.
    pub received: u64,
}

/// Why one object is not in the store.
#[derive(Debug)]
pub enum Why {
    /// Nothing may be fetched.
    Frozen,
    /// No place gave it; without a place there is no entry.
    Tried(Vec<Tried>),
    /// The object with this digest has another length than was asked for.
    OtherSize {
        /// Its length in bytes.
        found: u64,
        /// What was asked for.
        expected: u64,
    },
    /// The disk, another process, or the system.
    Failed(FetchError),
}

/// One object that is not in the store.
#[derive(Debug)]
pub struct ItemFailed {
    /// What its first asker calls it.
    pub name: String,
    /// Its digest.
    pub sha256: Digest,
    /// Why.
    pub why: Why,
}

/// Not everything could be had. What could is in the store, and stays.
#[derive(Debug)]
pub struct FetchFailed {
    /// Every object that failed.
    pub failed: Vec<ItemFailed>,
    /// Why nothing was begun at all, where that is so.
    pub stopped: Option<Box<FetchError>>,
    /// How many were not begun, because the disk was or would have been full.
    pub not_begun: usize,
    /// What is in the store all the same.
    pub fetched: FetchedAll,
}

impl FetchFailed {
    /// Nothing was begun.
    pub(super) fn stopped(why: FetchError) -> Self {
        Self {
            failed: Vec::new(),
            stopped: Some(Box::new(why)),
            not_begun: 0,
            fetched: FetchedAll::default(),
        }
    }

    fn advice(&self) -> &'static str {
        let frozen = |one: &ItemFailed| matches!(one.why, Why::Frozen);
        if !self.failed.is_empty() && self.failed.iter().all(frozen) {
            "  run once without --frozen, where there is a network"
        } else if self.not_begun == 0
            && self.stopped.is_none()
            && self.gone().count() == self.failed.len()
        {
            "  running again does not help: what came in right is kept, and the rest is nowhere any more"
        } else {
            "  run again to go on: what came in right so far is kept"
        }
    }

    /// What every place said that it does not have: another try brings nothing.
    pub fn gone(&self) -> impl Iterator<Item = &ItemFailed> {
        let gone = |one: &&ItemFailed| match &one.why {
            Why::Tried(tried) => {
                let absent = |one: &Tried| matches!(one.cause, Cause::Absent(_));
                !tried.is_empty() && tried.iter().all(absent)
            }
            Why::Frozen | Why::OtherSize { .. } | Why::Failed(_) => false,
        };
        self.failed.iter().filter(gone)
    }

    /// Whether any of it is cured only by changing what was asked for (exit code 1),
    /// rather than by another try, place or network (exit code 2).
    pub fn input_at_fault(&self) -> bool {
        self.failed.iter().any(|one| match &one.why {
            Why::OtherSize { .. } => true,
            Why::Tried(tried) => tried.iter().all(|one| {
                let cause = &one.cause;
                matches!(
                    cause,
                    Cause::Absent(_) | Cause::Unusable(_) | Cause::WrongContent { .. }
                )
            }),
            Why::Frozen | Why::Failed(_) => false,
        })
    }
}

impl std::error::Error for FetchFailed {}

impl fmt::Display for FetchFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (failed, here) = (self.failed.len(), self.fetched.items.len());
        match &self.stopped {
            Some(error) => writeln!(f, "nothing was fetched: {error}")?,
            None => writeln!(
                f,
                "{failed} of the files asked for cannot be had; {here} are in the cache and stay there"
            )?,
        }
        for one in &self.failed {
            writeln!(f, "{one}")?;
        }
        if self.not_begun > 0 {
            writeln!(f, "  {} more were not begun", self.not_begun)?;
        }
        f.write_str(self.advice())
    }
}

impl fmt::Display for ItemFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name from a list of packages may hold anything.
        let name: String = self.name.chars().flat_map(shown).collect();
        write!(f, "  {name} (sha256 {}): ", self.sha256)?;
        match &self.why {
            Why::Frozen => f.write_str("not in the cache, and nothing may be fetched (frozen)"),
            Why::Tried(tried) if tried.is_empty() => {
                f.write_str("not in the cache, and no URL is known for it")
            }
            Why::Tried(tried) => {
                f.write_str("no place has it")?;
                tried.iter().try_for_each(|one| write!(f, "\n    {one}"))
            }
            Why::OtherSize { found, expected } => write!(
                f,
                "the file with this sha256 has {found} bytes, {expected} were asked for; correct the size"
            ),
            Why::Failed(error) => f.write_str(&redact(&error.to_string())),
        }
    }
}

fn shown(c: char) -> impl Iterator<Item = char> {
    let plain = (!c.is_control()).then_some(c);
    plain
        .into_iter()
        .chain(c.escape_default().filter(move |_| plain.is_none()))
}
